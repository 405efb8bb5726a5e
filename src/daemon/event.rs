//! What the agent's loop hears: a closed list, told by threads that do nothing else.

use std::sync::mpsc::Sender;

use super::protocol::{Answer, Ask};
use crate::run::Run;
use crate::scheduler::Ended;

/// Something that happened outside the loop.
pub(super) enum Event {
    /// Something changed in the source of this profile.
    Changed(String),
    /// New mail came into the source of this profile.
    NewMail(String),
    /// Something changed in the configuration's folder.
    Configuration,
    /// Somebody asks over the socket, and waits for the answer.
    Asked(Ask, Sender<Answer>),
    /// A run came to its end, or could not begin.
    Ended(Box<Done>),
    /// A run's thread has nothing left to do.
    Idle(String),
    /// A signal.
    Signal(Signal),
}

/// A signal that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// End in good order (SIGTERM, SIGINT).
    Stop,
    /// Read the configuration again (SIGHUP).
    Reload,
}

/// A run that came to its end, or could not begin.
pub(super) struct Done {
    /// Its profile.
    pub profile: String,
    /// As the scheduler wants to know it.
    pub ended: Ended,
    /// The run, if it was recorded.
    pub run: Option<Run>,
}

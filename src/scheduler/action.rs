//! What comes to the scheduler, and what it wants done.

use jiff::{SignedDuration, Timestamp};

use super::{Alarm, Memory, Pause, Pending};
use crate::run::Trigger;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Time went by.
    Tick,
    /// The agent started, or the machine was asleep: what was missed is caught up in a while.
    Woke,
    /// Something changed in the source of this profile.
    Changed(String),
    /// New mail came into the source of this profile.
    NewMail(String),
    /// A person wants these profiles to run, one after the other.
    Asked(Vec<String>),
    /// A start was refused by the profile's condition, for this reason.
    Skipped(String, String),
    /// A run came to its end, or could not begin.
    Ended(String, Ended),
    /// A person wants no runs: of this profile, or of all.
    Paused(Option<String>, Pause),
    /// A person wants runs again.
    Resumed(Option<String>),
}

/// How a run ended, as far as it matters for the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was recorded.
    Ran {
        /// When it began.
        began: Timestamp,
        /// Whether it was a success.
        success: bool,
        /// The try that follows, if it failed and is tried again.
        retry: Option<Pending>,
        /// When it goes on, if it paused.
        resume: Option<Timestamp>,
    },
    /// Somebody else has its folders: it was not recorded.
    Locked(String),
    /// A run of the profile is at work already, but not here.
    Elsewhere(String),
    /// It could not be recorded, which was told.
    Lost(String),
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a run.
    Start(Start),
    /// Keep this profile's memory.
    Save(Box<Save>),
    /// Keep that all are paused, or no more.
    SavePause(Option<Pause>),
    /// Tell that these did not run, and keep in the same transaction that it was told. Where that cannot be,
    /// [`super::Scheduler::untold`] is to hear of it.
    Alarm(Vec<Late>),
    /// Tell of a run that was kept back for a try that cannot come.
    Tell(String, Pending),
    /// Tell that a run does not react any more.
    Stuck(String),
    /// Send the digest that was due then.
    Digest(Timestamp),
}

/// A memory to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Save {
    /// The profile.
    pub profile: String,
    /// What is remembered.
    pub memory: Memory,
    /// Whether the due time that was served last is to be kept too. Mostly it is not: a run that begins writes it down
    /// itself, and may have done so since this memory was made. Tries are never kept by this: the end of a run writes
    /// them down, and the letter that tells of it takes them away.
    pub served: bool,
}

/// A run to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The profile.
    pub profile: String,
    /// Why.
    pub trigger: Trigger,
    /// The due time that it serves.
    pub due: Option<Timestamp>,
    /// How many due times passed without a run, this one included, where they are caught up.
    pub missed: u64,
    /// The number of the try: 1, or more after failures.
    pub number: u32,
}

/// A profile that did not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// The profile.
    pub profile: String,
    /// The due time that passed.
    pub due: Timestamp,
    /// It counts from the last success, and not by the schedule: so long is too long.
    pub after: Option<SignedDuration>,
    /// How often that was told before.
    pub told: u32,
    /// Why, as far as it is known.
    pub why: Option<String>,
    /// What was remembered of alarms before this one.
    pub before: Option<Alarm>,
}

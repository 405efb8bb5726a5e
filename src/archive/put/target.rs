//! Where messages are put, and with how much patience.

use std::sync::Arc;
use std::time::Duration;

use crate::mail::imap::Dialer;
use crate::vault::store::mailbox::{Budget, Heard, Unlimited};

/// Where messages are put.
pub struct Target {
    /// Opens connections with the account.
    pub dialer: Dialer,
    /// A folder that all folders are made in.
    pub under: Option<String>,
    /// Whether the folders of each account of the archive are made in one of its name.
    pub apart: bool,
    /// What may go there, and come from there.
    pub budget: Arc<dyn Budget>,
    /// Hears what the server said to a login with a secret: why it refuses it, or nothing.
    pub heard: Heard,
    /// How long is waited before each further try, when a connection broke or the server said "later".
    pub retries: Vec<Duration>,
    /// How long after a lost answer a server may still be at work on what it got, before it is asked what came of it.
    pub settling: Duration,
    /// Waits.
    pub sleep: Box<dyn Fn(Duration) + Send>,
}

impl Target {
    /// With the usual waits, and no limit.
    pub fn new(dialer: Dialer, under: Option<String>) -> Self {
        let retries = [1, 5, 15, 60].map(Duration::from_secs).to_vec();
        let settling = Duration::from_secs(3);
        let (budget, heard): (_, Heard) = (Arc::new(Unlimited), Box::new(|_, _| ()));
        Self {
            dialer,
            under,
            apart: false,
            budget,
            heard,
            retries,
            settling,
            sleep: Box::new(std::thread::sleep),
        }
    }
}

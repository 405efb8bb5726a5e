//! Where a mailbox is, and how it is used.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::budget::{Budget, Unlimited};
use super::door::Heard;
use crate::clock::Clock;
use crate::error::Result;
use crate::mail::imap::Patience;
use crate::mail::secret::Secret;
use crate::profile::Imap;
use crate::vault::store::letter::VaultId;

/// Where a mailbox is, and how it is used.
pub struct Options {
    /// The account.
    pub account: Imap,
    /// Fetches its secret, when the first connection is opened.
    pub secret: Box<dyn Fn() -> Result<Secret> + Send + Sync>,
    /// Hears what the server said to a login with a secret: why it refuses it, or nothing.
    pub heard: Heard,
    /// The folder, its parts separated by `/`.
    pub folder: String,
    /// Which vault; None: the one whose messages are there, or a new one if there are none.
    pub vault: Option<VaultId>,
    /// A folder on disk for what is known of the mailbox; None: it is asked anew each time.
    pub cache: Option<PathBuf>,
    /// What may move.
    pub budget: Arc<dyn Budget>,
    /// The time, for the dates of messages.
    pub clock: Arc<dyn Clock>,
    /// How long is waited for the server.
    pub patience: Patience,
    /// How long is waited before each further try, when a connection broke or a server said "later".
    pub retries: Vec<Duration>,
    /// Waits.
    pub sleep: Box<dyn Fn(Duration) + Send + Sync>,
}

impl Options {
    /// With the usual values for everything else.
    pub fn new(
        account: Imap,
        secret: Box<dyn Fn() -> Result<Secret> + Send + Sync>,
        folder: &str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            account,
            secret,
            heard: Box::new(|_, _| ()),
            folder: folder.to_owned(),
            vault: None,
            cache: None,
            budget: Arc::new(Unlimited),
            clock,
            patience: Patience::default(),
            retries: [0, 1, 5, 15, 60].map(Duration::from_secs).to_vec(),
            sleep: Box::new(std::thread::sleep),
        }
    }
}

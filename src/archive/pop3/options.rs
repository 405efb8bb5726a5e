//! Where a mailbox is, and how it is used.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::mail::pop3::Patience;
use crate::mail::secret::Secret;
use crate::profile::Pop3;

/// Hears what the server said to a login with a secret: why it refuses it, or nothing.
pub type Heard = Box<dyn Fn(&Secret, Option<&Error>) + Send>;

/// Where a mailbox is, and how it is used.
pub struct Options {
    /// The account.
    pub account: Pop3,
    /// Its name, for messages.
    pub name: String,
    /// Fetches its secret, when the first connection is opened.
    pub secret: Box<dyn Fn() -> Result<Secret> + Send>,
    /// Hears what the server said to a login with a secret: why it refuses it, or nothing.
    pub heard: Heard,
    /// A folder on disk for large messages on their way; they have no name there.
    pub spool: PathBuf,
    /// How long is waited for the server.
    pub patience: Patience,
    /// How long is waited before each further try, when a connection broke or a server said "later".
    pub retries: Vec<Duration>,
    /// Waits.
    pub sleep: Box<dyn Fn(Duration) + Send>,
    /// Whether the run is to end.
    pub is_cancelled: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Options {
    /// With the usual values for everything else.
    pub fn new(
        account: Pop3,
        name: &str,
        secret: Box<dyn Fn() -> Result<Secret> + Send>,
        spool: impl Into<PathBuf>,
    ) -> Self {
        Self {
            account,
            name: name.to_owned(),
            secret,
            heard: Box::new(|_, _| ()),
            spool: spool.into(),
            patience: Patience::default(),
            retries: [0, 1, 5, 15, 60].map(Duration::from_secs).to_vec(),
            sleep: Box::new(std::thread::sleep),
            is_cancelled: Arc::new(|| false),
        }
    }
}

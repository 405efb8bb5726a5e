//! Where a mailbox is, and how it is read.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::mail::imap::Patience;
use crate::mail::secret::Secret;
use crate::profile::Imap as Account;
use crate::vault::store::mailbox::{Budget, Heard, Unlimited};

/// The largest message that is held in memory if nothing else is said, in bytes.
const HELD: u64 = 1 << 20;

/// Where a mailbox is, and how it is read.
pub struct Options {
    /// How it is called in messages, such as `imap:gmail`.
    pub name: String,
    /// The account.
    pub account: Account,
    /// Fetches its secret, when the first connection is opened.
    pub secret: Box<dyn Fn() -> Result<Secret> + Send>,
    /// Hears what the server said to a login with a secret: why it refuses it, or nothing.
    pub heard: Heard,
    /// What may move: bytes that come down count.
    pub budget: Arc<dyn Budget>,
    /// How long is waited for the server.
    pub patience: Patience,
    /// How long is waited before each further try, when a connection broke or a server said "later". What comes
    /// meanwhile makes it begin anew.
    pub retries: Vec<Duration>,
    /// Waits.
    pub sleep: Box<dyn Fn(Duration) + Send>,
    /// Whether somebody wants it to stop.
    pub is_cancelled: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Only the messages that Gmail's own search finds with this.
    pub gmail_query: Option<String>,
    /// The largest message that is held in memory, in bytes.
    pub held: u64,
    /// A folder on disk for larger ones, while they come.
    pub spool: PathBuf,
}

impl Options {
    /// With the usual values for everything else.
    pub fn new(
        name: &str,
        account: Account,
        secret: Box<dyn Fn() -> Result<Secret> + Send>,
        spool: PathBuf,
    ) -> Self {
        Self {
            name: name.to_owned(),
            account,
            secret,
            heard: Box::new(|_, _| ()),
            budget: Arc::new(Unlimited),
            patience: Patience::default(),
            retries: [0, 1, 5, 15, 60].map(Duration::from_secs).to_vec(),
            sleep: Box::new(std::thread::sleep),
            is_cancelled: Arc::new(|| false),
            gmail_query: None,
            held: HELD,
            spool,
        }
    }
}

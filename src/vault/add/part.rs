//! What is asked for, and what came of it.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::journal::Journal;
use crate::progress::{Listener, Meter};
use crate::vault::save::Job;
use crate::vault::store::Id;

/// Everything that adding needs to know.
pub struct Addition<'a> {
    /// The profile's name: the label of its snapshots.
    pub profile: &'a str,
    /// The machine's name.
    pub host: &'a str,
    /// When the run started: the snapshots' time.
    pub now: Timestamp,
    /// What the snapshots are of, such as `/gmail`: each account's folder.
    pub roots: Vec<PathBuf>,
    /// Counts what is added. The wish to stop is the caller's to hear: he ends his messages.
    pub meter: &'a Meter,
    /// Hears how far it is.
    pub listener: &'a dyn Listener,
    /// Hears which messages were stored.
    pub journal: &'a dyn Journal,
}

/// What a part came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The snapshot that is the archive now; [`Id::NONE`]: there is none, and nothing came.
    pub snapshot: Id,
    /// Its tree.
    pub tree: Id,
    /// Messages that the vault did not have.
    pub new: u64,
    /// Messages whose attributes or content it had otherwise.
    pub changed: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Bytes that the vault grew by.
    pub stored: u64,
    /// Messages of [`Content::Known`](super::Content::Known) that the vault has not, or not whole: nothing was done for them. What it had of them
    /// it still has.
    pub unknown: Vec<PathBuf>,
    /// Folders of which the vault lost the list of entries, of those that were looked into: what was in them is to be
    /// offered again.
    pub lost: Vec<PathBuf>,
    /// What is worth knowing and needs no action.
    pub notes: Vec<String>,
}

impl Addition<'_> {
    /// Whose work it is.
    pub(super) fn job(&self) -> Job<'_> {
        Job {
            profile: self.profile,
            host: self.host,
            now: self.now,
            meter: self.meter,
            listener: self.listener,
            journal: self.journal,
        }
    }
}

//! Whose work it is and who hears of it: what saving files and adding messages have in common.

use jiff::Timestamp;

use crate::journal::Journal;
use crate::progress::{Listener, Meter};

/// A piece of work that ends as a snapshot.
#[derive(Clone, Copy)]
pub(in crate::vault) struct Job<'a> {
    /// The profile's name: the label of its snapshots.
    pub profile: &'a str,
    /// The machine's name.
    pub host: &'a str,
    /// The snapshot's time.
    pub now: Timestamp,
    /// Counts, and hears the wish to stop.
    pub meter: &'a Meter,
    /// Hears how far it is.
    pub listener: &'a dyn Listener,
    /// Hears which files were saved.
    pub journal: &'a dyn Journal,
}

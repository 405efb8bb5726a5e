//! What is asked for, and what came of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::Job;
use crate::error::{self, Context, Error, Result};
use crate::failures::Failures;
use crate::folder::raise_open_files;
use crate::journal::Journal;
use crate::profile::FilterRules;
use crate::progress::{Listener, Meter};
use crate::run::{Failure, Severity};
use crate::vault::snapshot::Lost;
use crate::vault::source::{Estimate, Roots, Tally, estimate};
use crate::vault::store::Id;

/// Everything that saving needs to know.
pub struct Request<'a> {
    /// The profile's name: the label of its snapshots.
    pub profile: &'a str,
    /// The machine's name.
    pub host: &'a str,
    /// Folders or single files; absolute.
    pub sources: &'a [PathBuf],
    /// What is left out.
    pub filter: &'a FilterRules,
    /// Leave out what is mounted below a source.
    pub one_file_system: bool,
    /// Whether a source with nothing in it is saved as such.
    pub allow_empty_source: bool,
    /// How many bytes are read before what was done so far is secured with a checkpoint.
    pub checkpoint: u64,
    /// When the run started: the snapshot's time.
    pub now: Timestamp,
    /// Our own state folder: no part of a backup.
    pub state: Option<&'a Path>,
    /// Counts, and hears the wish to stop.
    pub meter: &'a Meter,
    /// Hears how far it is.
    pub listener: &'a dyn Listener,
    /// Hears which files were saved.
    pub journal: &'a dyn Journal,
}

/// What was saved.
#[derive(Debug)]
pub struct Saved {
    /// The snapshot.
    pub snapshot: Id,
    /// Its tree.
    pub tree: Id,
    /// The whole snapshot that it was compared with.
    pub parent: Option<Id>,
    /// Files, links and special files that were not in the one before.
    pub new: u64,
    /// Those that differ from it.
    pub changed: u64,
    /// Those that are as they were.
    pub unmodified: u64,
    /// Folders.
    pub folders: u64,
    /// Bytes of all files in the snapshot.
    pub bytes: u64,
    /// Bytes that were read, because a file was new or changed.
    pub read: u64,
    /// Bytes that the vault grew by: compressed, without what it had already.
    pub stored: u64,
    /// Entries that the filter left out.
    pub excluded: u64,
    /// How many checkpoints this run made.
    pub checkpoints: u64,
    /// What could not be saved.
    pub failures: Failures,
    /// What is worth knowing and needs no action.
    pub notes: Vec<String>,
}

impl Request<'_> {
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

    /// Counts what would be saved: for a plan, and before the first run.
    ///
    /// # Errors
    /// A source cannot be opened.
    pub fn estimate(&self) -> Result<(Estimate, Failures)> {
        let tally = Arc::new(Tally::default());
        let estimate = estimate(Arc::new(self.roots()?), &tally);
        Ok((estimate, tally.take_failures()))
    }

    fn roots(&self) -> Result<Roots> {
        raise_open_files();
        Roots::open(self.sources, self.filter, self.one_file_system, self.state, self.now)
    }

    /// The sources, if there is something in them.
    pub(super) fn filled_roots(&self) -> Result<Roots> {
        let roots = self.roots()?;
        if !self.allow_empty_source
            && let Some(empty) = roots.empty().context(|| "cannot list a source".into())?
        {
            let path = crate::entry::show(empty.as_os_str().as_encoded_bytes());
            return Err(Error::new(error::Kind::Stopped, format!("the source {path} is empty"))
                .hint("look whether its disk is mounted")
                .hint("if it is meant to be empty: allow-empty-source = true"));
        }
        Ok(roots)
    }
}

impl Saved {
    /// With its notes, and with what is wrong with older snapshots.
    pub(super) fn with(mut self, notes: Vec<String>, lost: &[Lost]) -> Self {
        self.notes = notes;
        for lost in lost {
            let cause = format!("in the vault {lost}");
            let hint = Some("what to do is said by: postkeep verify PROFILE".into());
            self.failures.add(Failure {
                severity: Severity::Warning,
                path: String::new(),
                cause,
                hint,
                known: false,
            });
        }
        self.failures.finish();
        self
    }
}

//! Saving: the sources become a snapshot.
//!
//! A first backup may take days, and the library writes its index only every few minutes: what a stopped run stored would
//! be unknown to the next one. So the sources are offered in slices, bounded by the bytes that had to be read. Each slice
//! but the last ends as a snapshot tagged `checkpoint`; the next one finds there what is stored already; the last one
//! is the whole snapshot, and the checkpoints are forgotten.
//!
//! The library would save a snapshot of whatever it was offered. Here it never saves one: the adapter withholds it until
//! the counts are compared and nobody asked to stop, and it is written then.

mod choose;
mod rescue;
mod said;
mod slice;
mod unchanged;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustic_core::repofile::SnapshotFile;

pub(crate) use self::choose::CHECKPOINT;
use self::choose::{Base, Earlier, choose};
use self::said::plain;
use self::slice::{Made, Slice};
use self::unchanged::unchanged;
use super::adapter::theirs;
use super::snapshot::{Lost, Readable, Scope, ahead};
use super::source::{Estimate, Roots, Tally, estimate};
use super::store::Id;
use super::warnings::Listening;
use super::{Access, Lock, Vault, names};
use crate::error::{self, Context, Error, Result};
use crate::failures::Failures;
use crate::folder::raise_open_files;
use crate::journal::Journal;
use crate::profile::FilterRules;
use crate::progress::{Event, Listener, Meter, Phase};
use crate::run::{Failure, Severity};

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

/// What the slices of a run came to.
#[derive(Default)]
struct Sum {
    new: u64,
    changed: u64,
    read: u64,
    stored: u64,
    checkpoints: u64,
}

impl Request<'_> {
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
    fn filled_roots(&self) -> Result<Roots> {
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

impl Vault {
    /// Saves the sources as a snapshot.
    ///
    /// # Errors
    /// Nothing is saved as a whole snapshot then. [`Cancelled`](error::Kind::Cancelled) and
    /// [`Paused`](error::Kind::Paused): what was stored so far is found again by the next run.
    /// [`Locked`](error::Kind::Locked): somebody prunes the vault. [`Stopped`](error::Kind::Stopped): a source is empty.
    pub fn save(&self, request: &Request<'_>) -> Result<Saved> {
        let roots = Arc::new(request.filled_roots()?);
        let warnings = Listening::begin();
        let mut notes = self.rescue(request.profile)?;
        let mut lock = self.begin_lock(Access::Shared)?;
        self.mark(request.profile);
        let Readable { all: snapshots, lost } = self.readable_snapshots()?;
        let earlier: Vec<_> = snapshots.iter().map(Earlier::from).collect();
        let mut base = choose(&earlier, request.host, request.profile, &roots.paths(), request.now);
        let scope = Scope { label: Some(request.profile.into()), host: Some(request.host.into()) };
        notes.extend(ahead(snapshots.iter().filter(|snapshot| scope.has(snapshot)), request.now));
        request.listener.event(&Event::Phase(Phase::Comparing));
        let mut repository = self.indexed()?;
        lock.confirm()?;
        let before =
            snapshots.iter().find(|snapshot| base.is_last_whole(&super::adapter::ours(&snapshot.id)));
        if let Some(before) = before
            && let Some((made, tally)) = unchanged(self, request, &repository, &roots, before)?
        {
            notes.extend(plain(warnings.take()));
            let saved = self.complete(request, &lock, made, &tally, base, Sum::default(), &mut notes)?;
            self.unmark(request.profile);
            return Ok(saved.with(notes, &lost));
        }
        request.listener.event(&Event::Phase(Phase::Working));
        let mut sum = Sum::default();
        let mut after = None;
        loop {
            let tally = Arc::new(Tally::default());
            let slice = Slice {
                vault: self,
                request,
                roots: Arc::clone(&roots),
                base: &base,
                tally: &tally,
                after: after.as_deref(),
            };
            warnings.take();
            let made = slice.save(&repository, &warnings)?;
            sum.add(&made, &tally);
            if request.meter.is_cancelled() {
                self.secure(request, &lock, made, &mut base)?;
                self.unmark(request.profile);
                return Err(cancelled());
            }
            if tally.is_cut() {
                self.secure(request, &lock, made, &mut base)?;
                sum.checkpoints += 1;
                after = tally.take_reached().or(after);
                // The index is out of date as soon as something is written.
                repository = self.indexed()?;
                continue;
            }
            let saved = self.complete(request, &lock, made, &tally, base, sum, &mut notes)?;
            self.unmark(request.profile);
            return Ok(saved.with(notes, &lost));
        }
    }

    /// Saves a slice as a checkpoint, which the next one builds on.
    fn secure(&self, request: &Request<'_>, lock: &Lock, made: Made, base: &mut Base) -> Result<()> {
        if made.is_empty() {
            return Ok(());
        }
        let id = self.write_snapshot(request, lock, made.snapshot, base.whole, &[CHECKPOINT])?;
        // The one before holds nothing that this one does not.
        let before = base.checkpoint.replace(id);
        if let Some(before) = before {
            self.forget_checkpoints(&[before])?;
            base.leftover.retain(|id| *id != before);
        }
        base.leftover.push(id);
        Ok(())
    }

    /// Saves the whole snapshot, and forgets the checkpoints.
    #[allow(clippy::too_many_arguments)]
    fn complete(
        &self,
        request: &Request<'_>,
        lock: &Lock,
        made: Made,
        tally: &Tally,
        base: Base,
        sum: Sum,
        notes: &mut Vec<String>,
    ) -> Result<Saved> {
        let mut failures = tally.take_failures();
        notes.extend(tally.notes());
        notes.extend(made.warnings);
        let lost = made.lost;
        if lost > 0 {
            failures.add(Failure {
                severity: Severity::Error,
                path: String::new(),
                cause: format!(
                    "{lost} files are missing in the snapshot, and the vault library did not say which"
                ),
                hint: Some("report this, with the log; the snapshot is tagged `incomplete`".into()),
                known: false,
            });
            failures.finish();
        }
        let mut snapshot = made.snapshot;
        let tree = super::adapter::ours(&snapshot.tree);
        let mut saved = Saved {
            snapshot: Id::NONE,
            tree,
            parent: base.whole,
            new: sum.new,
            changed: sum.changed,
            unmodified: made.files.saturating_sub(sum.new + sum.changed),
            folders: made.folders,
            bytes: made.bytes,
            read: sum.read,
            stored: sum.stored,
            excluded: tally.excluded.load(std::sync::atomic::Ordering::Relaxed),
            checkpoints: sum.checkpoints,
            failures,
            notes: Vec::new(),
        };
        if let Some(summary) = &mut snapshot.summary {
            (summary.files_new, summary.files_changed) = (saved.new, saved.changed);
            summary.files_unmodified = saved.unmodified;
        }
        let tags: &[&str] = if lost > 0 { &["incomplete"] } else { &[] };
        saved.snapshot = self.write_snapshot(request, lock, snapshot, base.whole, tags)?;
        // The backup is done: what is left of it costs a little room, no more.
        if let Err(error) = self.forget_checkpoints(&base.leftover) {
            notes.push(format!("checkpoints are left, which the next run forgets: {}", error.one_line()));
        }
        Ok(saved)
    }

    fn forget_checkpoints(&self, ids: &[Id]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = ids.iter().map(|id| theirs(id).into()).collect();
        let repository = self.repository()?;
        self.call("cannot forget the checkpoints", || repository.delete_snapshots(&ids))
    }

    /// Writes a snapshot that the library made but did not save. From here on it is found by everybody.
    fn write_snapshot(
        &self,
        request: &Request<'_>,
        lock: &Lock,
        mut snapshot: SnapshotFile,
        parent: Option<Id>,
        tags: &[&str],
    ) -> Result<Id> {
        snapshot.parent = parent.map(|id| theirs(&id).into());
        snapshot.parents = snapshot.parent.into_iter().collect();
        tags.iter().for_each(|tag| snapshot.tags.add((*tag).to_owned()));
        request.listener.event(&Event::Phase(Phase::Flushing));
        // Its packs and its index are stored; a lock that was lost may mean that they are gone again.
        self.store.flush()?;
        lock.check()?;
        self.call("cannot save the snapshot", || self.reopened()?.save_snapshots(vec![snapshot]))?;
        self.store.flush()?;
        self.backend
            .last_snapshot()
            .ok_or_else(|| Error::other("the vault library did not save the snapshot"))
    }

    /// A snapshot with nothing in it yet.
    fn new_snapshot(&self, request: &Request<'_>) -> SnapshotFile {
        let uid = rustix::process::geteuid().as_raw();
        SnapshotFile {
            time: request.now.to_zoned(jiff::tz::TimeZone::system()),
            program_version: concat!("postkeep ", env!("CARGO_PKG_VERSION")).into(),
            label: request.profile.to_owned(),
            hostname: request.host.to_owned(),
            username: names::user(uid).unwrap_or_default(),
            uid,
            gid: rustix::process::getegid().as_raw(),
            ..SnapshotFile::default()
        }
    }
}

impl Saved {
    /// With its notes, and with what is wrong with older snapshots.
    fn with(mut self, notes: Vec<String>, lost: &[Lost]) -> Self {
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

impl Sum {
    fn add(&mut self, made: &Made, tally: &Tally) {
        self.new += made.new;
        // What changed since an earlier slice of this run saved it is counted already.
        let again = tally.again.load(std::sync::atomic::Ordering::Relaxed);
        self.changed += made.changed.saturating_sub(again);
        self.stored += made.stored;
        self.read += tally.read_bytes.load(std::sync::atomic::Ordering::Relaxed);
    }
}

fn cancelled() -> Error {
    Error::new(error::Kind::Cancelled, "the backup was stopped before it was complete")
        .hint("run it again: what was stored so far is used")
}

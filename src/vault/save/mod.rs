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
mod job;
mod request;
mod rescue;
mod said;
mod slice;
mod unchanged;
mod write;

use std::sync::Arc;

pub(crate) use self::choose::CHECKPOINT;
use self::choose::{Base, Earlier, choose};
pub(in crate::vault) use self::job::Job;
pub use self::request::{Request, Saved};
pub(in crate::vault) use self::said::plain;
pub(in crate::vault) use self::slice::watched;
use self::slice::{Made, Slice};
use self::unchanged::unchanged;
use super::snapshot::{Readable, Scope, ahead};
use super::source::Tally;
use super::store::Id;
use super::warnings::Listening;
use super::{Access, Lock, Vault};
use crate::error::{self, Error, Result};
use crate::progress::{Event, Phase};
use crate::run::{Failure, Severity};

/// What the slices of a run came to.
#[derive(Default)]
struct Sum {
    new: u64,
    changed: u64,
    read: u64,
    stored: u64,
    checkpoints: u64,
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
        let id = self.write_snapshot(&request.job(), lock, made.snapshot, base.whole, &[CHECKPOINT])?;
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
        saved.snapshot = self.write_snapshot(&request.job(), lock, snapshot, base.whole, tags)?;
        // The backup is done: what is left of it costs a little room, no more.
        if let Err(error) = self.forget_checkpoints(&base.leftover) {
            notes.push(format!("checkpoints are left, which the next run forgets: {}", error.one_line()));
        }
        Ok(saved)
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

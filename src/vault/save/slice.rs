//! One slice: the library reads what it is offered, and the caller's thread watches.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustic_core::repofile::SnapshotFile;
use rustic_core::{BackupOptions, IndexedFullStatus, ParentOptions, Repository};

use super::choose::Base;
use super::said::plain;
use super::{Job, Request};
use crate::error::Result;
use crate::journal::{LogLine, Op};
use crate::progress::Event;
use crate::vault::Vault;
use crate::vault::source::{Roots, Source, Tally};
use crate::vault::warnings::Listening;

/// How often the listener hears how far it is.
const TICK: Duration = Duration::from_millis(100);

/// A part of a run.
pub(super) struct Slice<'a> {
    pub vault: &'a Vault,
    pub request: &'a Request<'a>,
    pub roots: Arc<Roots>,
    pub base: &'a Base,
    pub tally: &'a Arc<Tally>,
    /// How far the slices before it came.
    pub after: Option<&'a Path>,
}

/// What the library made of a slice. It is stored, but for the snapshot itself.
pub(super) struct Made {
    pub snapshot: SnapshotFile,
    /// All entries that are no folders.
    pub files: u64,
    pub folders: u64,
    pub bytes: u64,
    pub new: u64,
    pub changed: u64,
    pub stored: u64,
    /// Files that were offered and readable, and are not there.
    pub lost: u64,
    /// What the library said, but for what we named ourselves.
    pub warnings: Vec<String>,
}

impl Made {
    /// Whether there is nothing that a later run could build on.
    pub fn is_empty(&self) -> bool {
        self.new + self.changed == 0
    }
}

impl Slice<'_> {
    /// Stores a slice.
    ///
    /// # Errors
    /// The store fails.
    pub fn save(&self, repository: &Repository<IndexedFullStatus>, warnings: &Listening) -> Result<Made> {
        let job = self.request.job();
        let most = self.request.checkpoint.max(1);
        let source = Source::new(
            Arc::clone(&self.roots),
            Arc::clone(self.tally),
            most,
            self.after.map(Path::to_owned),
        );
        let mut parents = ParentOptions::default();
        let parent = [self.base.checkpoint, self.base.whole].into_iter().flatten();
        parents.parents = parent.map(|id| id.to_string()).collect();
        parents.force = parents.parents.is_empty();
        let options = BackupOptions::default().no_scan(true).parent_opts(parents);
        let snapshot = self.vault.new_snapshot(&job);
        let paths = self.roots.paths();
        self.vault.backend.withhold(true);
        let made = watched(self.vault, &job, self.tally, || {
            self.vault.call("cannot save the files into the vault", || {
                repository.archive(&options, &source, snapshot, &paths)
            })
        });
        self.vault.backend.withhold(false);
        let snapshot = made?;
        Ok(self.made(snapshot, warnings))
    }

    fn made(&self, snapshot: SnapshotFile, warnings: &Listening) -> Made {
        let summary = snapshot.summary.clone().unwrap_or_default();
        let offered = self.tally.offered.load(Relaxed).saturating_sub(self.tally.unread.load(Relaxed));
        Made {
            files: summary.total_files_processed,
            folders: self.tally.folders.load(Relaxed),
            bytes: summary.total_bytes_processed,
            new: summary.files_new,
            changed: summary.files_changed,
            stored: summary.data_added_packed,
            lost: offered.saturating_sub(summary.total_files_processed),
            warnings: plain(warnings.take()).collect(),
            snapshot,
        }
    }
}

/// Works on a thread of its own, while this one tells how far it is and hears the wish to stop.
pub(in crate::vault) fn watched<T: Send>(
    vault: &Vault,
    job: &Job<'_>,
    tally: &Tally,
    work: impl FnOnce() -> T + Send,
) -> T {
    let meter = job.meter;
    let mut told = Told::default();
    std::thread::scope(|scope| {
        let (done, ended) = std::sync::mpsc::channel::<()>();
        let worker = scope.spawn(move || {
            // Dropped at the end, be it by a panic: that wakes the one who waits.
            let _done = done;
            work()
        });
        loop {
            let waited = ended.recv_timeout(TICK);
            told.tell(tally, meter);
            for (path, bytes) in tally.take_taken() {
                job.journal.line(&LogLine { op: Op::Saved, bytes, path: &path, note: "" });
            }
            job.listener.event(&Event::Tick(meter.snapshot()));
            if meter.is_cancelled() {
                vault.store.hurry();
            }
            if meter.is_cancelled() || vault.backend.has_failed() {
                tally.stop();
            }
            if waited != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                break;
            }
        }
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What the meter has heard already.
#[derive(Default)]
struct Told {
    entries: u64,
    files: u64,
    bytes: u64,
}

impl Told {
    fn tell(&mut self, tally: &Tally, meter: &crate::progress::Meter) {
        let now = Self {
            entries: tally.entries.load(Relaxed),
            files: tally.read_files.load(Relaxed),
            bytes: tally.read_bytes.load(Relaxed),
        };
        meter.compared(now.entries - self.entries);
        meter.bytes(now.bytes - self.bytes);
        (self.files..now.files).for_each(|_| meter.file());
        *self = now;
    }
}

//! Where what is restored lands: folders and files that are made, and get their metadata when they are whole.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use super::{Counts, Restored};
use crate::entry::{Entry, RelPath};
use crate::error::{Error, Kind};
use crate::failures::Failures;
use crate::folder::{Folder, Partial};
use crate::mutex::lock;
use crate::progress::Meter;
use crate::replica::{Attributes, Put, Replica, Seen};
use crate::run::{Failure, Severity};

/// What all threads of a restore share.
pub(super) struct Ground<'a> {
    pub folder: Folder,
    pub meter: &'a Meter,
    failures: Mutex<Failures>,
    files: AtomicU64,
    bytes: AtomicU64,
    /// Whether a provider's budget kept something from being restored, and whether something else did.
    paused: AtomicBool,
    broken: AtomicBool,
    /// That the vault went away, which ends the restore.
    away: OnceLock<Error>,
}

impl<'a> Ground<'a> {
    pub fn new(folder: Folder, meter: &'a Meter) -> Self {
        let (files, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        let (paused, broken) = (AtomicBool::new(false), AtomicBool::new(false));
        let away = OnceLock::new();
        Self { folder, meter, failures: Mutex::default(), files, bytes, paused, broken, away }
    }

    /// Whether nothing more is restored: nobody wants it, or the vault is away.
    pub fn is_over(&self) -> bool {
        self.meter.is_cancelled() || self.away.get().is_some()
    }

    /// Takes note of an entry that is not as asked.
    pub fn trouble(&self, severity: Severity, path: String, cause: String) {
        if severity == Severity::Error {
            self.broken.store(true, Relaxed);
        }
        self.note(severity, path, cause);
    }

    fn note(&self, severity: Severity, path: String, cause: String) {
        let failure = Failure { severity, path, cause, hint: None, known: false };
        lock(&self.failures).add(failure);
    }

    /// Takes note of an entry that was not restored.
    pub fn fail(&self, path: &RelPath, cause: impl Into<String>) {
        self.trouble(Severity::Error, path.to_string(), cause.into());
    }

    /// The same, where the reason is an error of the store.
    pub fn fail_by(&self, path: &RelPath, why: &Error) {
        match why.kind() {
            Kind::Paused => {}
            // It is not the entry's, and all others would hear the same.
            kind if kind.is_away() => {
                self.away.get_or_init(|| why.again());
                return;
            }
            _ => return self.fail(path, why.one_line()),
        }
        self.paused.store(true, Relaxed);
        self.note(Severity::Error, path.to_string(), why.one_line());
    }

    /// Takes note of metadata that could not be kept.
    pub fn lost(&self, path: &RelPath, lost: Vec<String>) {
        for cause in lost {
            self.trouble(Severity::Warning, path.to_string(), cause);
        }
    }

    /// How it went, with what the walker counted.
    pub fn end(self, counts: Counts) -> Restored {
        let mut failures = self.failures.into_inner().unwrap_or_else(PoisonError::into_inner);
        failures.finish();
        let counts = Counts {
            files: counts.files + self.files.into_inner(),
            bytes: counts.bytes + self.bytes.into_inner(),
            ..counts
        };
        let (paused, broken) = (self.paused.into_inner(), self.broken.into_inner());
        let (cancelled, away) = (self.meter.is_cancelled(), self.away.into_inner());
        Restored { counts, failures, paused, broken, cancelled, away }
    }
}

/// A folder that is being filled. When the last who fills it lets go, it gets its metadata.
pub(super) struct Filling<'a> {
    pub ground: &'a Ground<'a>,
    pub dir: Arc<OwnedFd>,
    pub path: RelPath,
    /// What it is to look like in the end; None: it stays as it is.
    pub looks: Option<(Entry, Attributes)>,
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        let Some((entry, attributes)) = self.looks.take() else { return };
        match self.ground.folder.mark(&self.dir, None, &entry, Some(&attributes)) {
            Ok(lost) => self.ground.lost(&self.path, lost),
            Err(error) => {
                let cause = format!("cannot set its metadata: {error}");
                self.ground.trouble(Severity::Warning, self.path.to_string(), cause);
            }
        }
    }
}

/// A file on its way. It is held by everybody who still has a piece of it; who lets go last gives it its name.
pub(super) struct Landing<'a> {
    pub within: Arc<Filling<'a>>,
    pub path: RelPath,
    pub entry: Entry,
    pub attributes: Attributes,
    /// What is in its place, and is replaced.
    pub over: Option<Seen>,
    pub partial: OnceLock<Option<Partial>>,
    pub failed: AtomicBool,
    /// Who waits to become another name of it.
    pub promise: Option<Promise>,
    /// Whether it was counted.
    pub arrived: bool,
}

impl Drop for Landing<'_> {
    /// Every file is counted, or said to have failed, unless all is over: also one that a thread dropped in a panic.
    fn drop(&mut self) {
        if !self.arrived && !self.within.ground.is_over() {
            self.fail("it was given up");
        }
    }
}

impl Landing<'_> {
    /// Whether it may still become whole.
    pub fn is_wanted(&self) -> bool {
        !self.failed.load(Relaxed) && !self.within.ground.is_over()
    }

    /// Takes note that it cannot be restored. The first reason counts.
    pub fn fail(&self, cause: impl Into<String>) {
        self.fail_by(&Error::other(cause));
    }

    /// The same, where the reason is an error of the store.
    pub fn fail_by(&self, why: &Error) {
        if !self.failed.swap(true, Relaxed) {
            self.within.ground.fail_by(&self.path, why);
        }
    }

    /// Writes a piece.
    pub fn write(&self, piece: &[u8], at: u64) {
        if self.failed.load(Relaxed) {
            return;
        }
        let begin = || match self.within.ground.folder.begin_file(&self.within.dir) {
            Ok(partial) => Some(partial),
            Err(error) => {
                self.fail(reason(&error));
                None
            }
        };
        let Some(partial) = self.partial.get_or_init(begin) else { return };
        match partial.write(piece, at) {
            Ok(()) => self.within.ground.meter.bytes(piece.len() as u64),
            Err(error) => self.fail(reason(&error)),
        }
    }

    /// Lets go of it.
    pub fn release(this: Arc<Self>) {
        if let Some(landing) = Arc::into_inner(this) {
            landing.finish();
        }
    }

    fn finish(mut self) {
        let ground = self.within.ground;
        // A piece of it may have been left out.
        if ground.is_over() {
            return;
        }
        if self.entry.size == 0 {
            // Nobody had a piece of it.
            self.write(&[], 0);
        }
        let partial = self.partial.take().flatten();
        let Some(partial) = partial.filter(|_| !self.failed.load(Relaxed)) else { return };
        let place = self.over.as_ref().into();
        match ground.folder.finish_file(partial, &self.path, &self.entry, &self.attributes, place) {
            Ok(Put::Done(lost)) => {
                self.arrived = true;
                ground.lost(&self.path, lost);
                ground.files.fetch_add(1, Relaxed);
                ground.bytes.fetch_add(self.entry.size, Relaxed);
                ground.meter.file();
                if let Some(promise) = &self.promise {
                    promise.keep(true);
                }
            }
            Ok(Put::TargetChanged | Put::SourceChanged) => self.fail(TAKEN),
            Err(error) => self.fail(reason(&error)),
        }
    }
}

/// Something has an entry's name that had not when it was looked at.
pub(super) const TAKEN: &str = "something else has this name in the target";

/// Why an entry could not be made.
pub(super) fn reason(error: &io::Error) -> String {
    format!("cannot restore it: {error}")
}

/// Says whether a file arrived; no, if it is dropped before.
pub(super) struct Promise(Arc<(Mutex<Option<bool>>, Condvar)>);

/// Who waits for that.
#[derive(Clone)]
pub(super) struct Waiting(Arc<(Mutex<Option<bool>>, Condvar)>);

impl Promise {
    pub fn new() -> (Self, Waiting) {
        let shared = Arc::new((Mutex::new(None), Condvar::new()));
        (Self(Arc::clone(&shared)), Waiting(shared))
    }

    pub fn keep(&self, arrived: bool) {
        lock(&self.0.0).get_or_insert(arrived);
        self.0.1.notify_all();
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.keep(false);
    }
}

impl Waiting {
    pub fn wait(&self) -> bool {
        let answer = lock(&self.0.0);
        let answer = self.0.1.wait_while(answer, |answer| answer.is_none());
        answer.unwrap_or_else(PoisonError::into_inner).unwrap_or(false)
    }
}

//! What is counted and noted while the sources are read, by several threads at once.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::failures::{Failures, error, said};
use crate::mutex::lock;
use crate::run::{MAX_FAILURES, Severity};

/// How many paths a note names.
const NAMED: usize = 5;

/// The counters of one reading. Bytes are bytes of file content.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Files, links and special files that were found.
    pub files: AtomicU64,
    /// Of those, the ones that were taken.
    pub offered: AtomicU64,
    /// Folders that were found, without those above the sources.
    pub folders: AtomicU64,
    /// Bytes of the files that were found.
    pub bytes: AtomicU64,
    /// Entries that the filter left out.
    pub excluded: AtomicU64,
    /// Entries that were listed.
    pub entries: AtomicU64,
    /// Files that were read to their end.
    pub read_files: AtomicU64,
    /// Bytes that were read.
    pub read_bytes: AtomicU64,
    /// Of those, the ones of files that no earlier slice of this run came by.
    pub fresh_bytes: AtomicU64,
    /// Files that were read to their end, and that an earlier slice of this run had come by.
    pub again: AtomicU64,
    /// Files that were offered, but could not be read.
    pub unread: AtomicU64,
    /// Set by who wants the reading to stop.
    stop: AtomicBool,
    /// Set when the walk came to its end.
    walked: AtomicBool,
    /// Set when not everything was offered.
    cut: AtomicBool,
    failures: Mutex<Failures>,
    /// Files that were read since somebody asked, with their bytes.
    taken: Mutex<Vec<(String, u64)>>,
    /// The entry that was taken last.
    last: Mutex<Option<PathBuf>>,
    vanished: Mutex<Named>,
    mounts: Mutex<Named>,
}

#[derive(Debug, Default)]
struct Named {
    count: u64,
    paths: Vec<String>,
}

impl Named {
    fn add(&mut self, path: &str) {
        self.count += 1;
        if self.paths.len() < NAMED {
            self.paths.push(path.to_owned());
        }
    }

    fn note(&self, what: &str) -> Option<String> {
        let more = self.count - self.paths.len() as u64;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (self.count > 0).then(|| format!("{what}: {}{more}", self.paths.join(", ")))
    }
}

impl Tally {
    /// Ends the reading as soon as it can.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Whether the reading shall end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Says that everything was found.
    pub fn walked(&self) {
        self.walked.store(true, Relaxed);
    }

    /// Whether everything was found.
    pub fn is_walked(&self) -> bool {
        self.walked.load(Relaxed)
    }

    /// Says that something is left to be offered.
    pub fn cut(&self) {
        self.cut.store(true, Relaxed);
    }

    /// Whether something was left.
    pub fn is_cut(&self) -> bool {
        self.cut.load(Relaxed)
    }

    /// Something could not be read. What is not there any more is only told.
    pub fn failed(&self, path: &str, what: &str, cause: &io::Error) {
        if cause.kind() == io::ErrorKind::NotFound {
            return self.vanished(path);
        }
        lock(&self.failures).add(error(&path, what, cause));
    }

    /// Something was saved, but for a detail.
    pub fn warn(&self, path: &str, what: &str, cause: &io::Error) {
        if cause.kind() != io::ErrorKind::NotFound {
            let failure = error(&path, what, cause);
            lock(&self.failures).add(crate::run::Failure { severity: Severity::Warning, ..failure });
        }
    }

    /// Something that no system call reported.
    pub fn said(&self, severity: Severity, path: &str, what: &str, hint: Option<&str>) {
        lock(&self.failures).add(said(severity, &path, what, hint));
    }

    /// An entry went away between its name and its content.
    pub fn vanished(&self, path: &str) {
        lock(&self.vanished).add(path);
    }

    /// A folder was not entered.
    pub fn mounted(&self, path: &str) {
        lock(&self.mounts).add(path);
    }

    /// A file was read to its end.
    pub fn took(&self, path: &str, bytes: u64) {
        lock(&self.taken).push((path.to_owned(), bytes));
    }

    /// How far the walk was taken.
    pub fn reached(&self, path: PathBuf) {
        *lock(&self.last) = Some(path);
    }

    /// How far the walk was taken. None: nowhere.
    pub fn take_reached(&self) -> Option<PathBuf> {
        lock(&self.last).take()
    }

    /// The files that were read since the last call.
    pub fn take_taken(&self) -> Vec<(String, u64)> {
        std::mem::take(&mut *lock(&self.taken))
    }

    /// Takes the failures, in the order of a report.
    pub fn take_failures(&self) -> Failures {
        let mut failures = std::mem::take(&mut *lock(&self.failures));
        failures.finish();
        debug_assert!(failures.list.len() <= MAX_FAILURES);
        failures
    }

    /// What is worth knowing and needs no action.
    pub fn notes(&self) -> Vec<String> {
        let mounts = lock(&self.mounts).note("not entered, another file system is mounted there");
        let vanished = lock(&self.vanished).note("gone before it was read");
        mounts.into_iter().chain(vanished).collect()
    }
}

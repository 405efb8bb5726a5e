//! What a run tells while it works: one stream of events for the terminal, the agent and, later, the pages.
//!
//! Workers count into a [`Meter`] (atomics, no locks on the hot path). Whoever waits for them takes a
//! [`Snapshot`] a few times a second and sends it as [`Event::Tick`].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Both sides are listed and compared.
    Comparing,
    /// The plan is carried out.
    Working,
    /// The target is told to write everything to disk.
    Flushing,
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A profile's run began.
    Started {
        /// The profile's name.
        profile: String,
    },
    /// A new phase began.
    Phase(Phase),
    /// How far it is.
    Tick(Snapshot),
    /// The run ended; its outcome is told by the caller.
    Finished,
}

/// Somebody who listens to a run. Called from one thread at a time.
pub trait Listener: Send + Sync {
    /// Takes one event. Must not block for long: the run waits meanwhile.
    fn event(&self, event: &Event);
}

/// Nobody listens.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Listener for Silent {
    fn event(&self, _: &Event) {}
}

/// The counters of a run at work, and its stop flag.
#[derive(Debug, Default)]
pub struct Meter {
    entries: AtomicU64,
    files_planned: AtomicU64,
    bytes_planned: AtomicU64,
    files_done: AtomicU64,
    bytes_done: AtomicU64,
    cancelled: AtomicBool,
}

/// The counters at one moment. Bytes are bytes of file content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Entries compared so far, of both sides.
    pub entries: u64,
    /// Files to be copied.
    pub files_planned: u64,
    /// Bytes to be copied.
    pub bytes_planned: u64,
    /// Files copied.
    pub files_done: u64,
    /// Bytes copied.
    pub bytes_done: u64,
}

impl Meter {
    /// Counts entries that were compared.
    pub fn compared(&self, entries: u64) {
        self.entries.fetch_add(entries, Relaxed);
    }

    /// Says how much there is to do.
    pub fn planned(&self, files: u64, bytes: u64) {
        self.files_planned.store(files, Relaxed);
        self.bytes_planned.store(bytes, Relaxed);
    }

    /// Counts bytes as they are copied.
    pub fn bytes(&self, bytes: u64) {
        self.bytes_done.fetch_add(bytes, Relaxed);
    }

    /// Counts a file that is done.
    pub fn file(&self) {
        self.files_done.fetch_add(1, Relaxed);
    }

    /// Starts counting from nothing; the wish to stop stays.
    pub fn reset(&self) {
        for counter in
            [&self.entries, &self.files_planned, &self.bytes_planned, &self.files_done, &self.bytes_done]
        {
            counter.store(0, Relaxed);
        }
    }

    /// Asks the run to stop after the file at hand.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Whether the run was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    /// The counters now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            entries: self.entries.load(Relaxed),
            files_planned: self.files_planned.load(Relaxed),
            bytes_planned: self.bytes_planned.load(Relaxed),
            files_done: self.files_done.load(Relaxed),
            bytes_done: self.bytes_done.load(Relaxed),
        }
    }
}

//! What a run tells while it works: one stream of events for the terminal, the agent and, later, the pages.
//!
//! Workers count into a [`Meter`] (atomics, no locks on the hot path). Whoever waits for them takes a
//! [`Snapshot`] a few times a second and sends it as [`Event::Tick`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

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

/// The half of the wish to stop that tells the first reason.
const FIRST: u8 = 0x0f;

/// Nobody listens.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Listener for Silent {
    fn event(&self, _: &Event) {}
}

/// Why a run is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A person wants it.
    Person,
    /// The agent ends.
    Shutdown,
    /// The run took longer than it may.
    Timeout,
}

/// The counters of a run at work, and the wish to stop.
#[derive(Debug, Default)]
pub struct Meter {
    entries: AtomicU64,
    files_planned: AtomicU64,
    bytes_planned: AtomicU64,
    files_done: AtomicU64,
    bytes_done: AtomicU64,
    messages: AtomicBool,
    /// The first reason to stop in the lower half, the first one that is not of this run alone in the upper half.
    stop: Arc<AtomicU8>,
}

/// The wish to stop a run.
#[derive(Debug, Clone)]
pub struct Wish(Arc<AtomicU8>);

impl Wish {
    /// Whether the run was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Relaxed) != 0
    }
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
    /// Whether each file is a message.
    pub messages: bool,
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

    /// Says whether messages are counted, which people do not call files.
    pub fn of_messages(&self, messages: bool) {
        self.messages.store(messages, Relaxed);
    }

    /// Starts counting from nothing; what is counted and the wish to stop stay.
    pub fn reset(&self) {
        for counter in
            [&self.entries, &self.files_planned, &self.bytes_planned, &self.files_done, &self.bytes_done]
        {
            counter.store(0, Relaxed);
        }
    }

    /// Asks the run to stop after the file at hand. The first reason counts.
    pub fn cancel(&self, reason: Reason) {
        let code = match reason {
            Reason::Person => 1,
            Reason::Shutdown => 2,
            Reason::Timeout => 3,
        };
        self.change_stop(|stop| {
            let first = if stop & FIRST == 0 { code } else { stop & FIRST };
            let lasting = if stop >> 4 == 0 && reason != Reason::Timeout { code } else { stop >> 4 };
            first | lasting << 4
        });
    }

    /// Forgets that the run took too long: the next one that counts here has a time of its own. A wish of somebody's
    /// stays, whenever it came.
    pub fn forget_timeout(&self) {
        self.change_stop(|stop| stop >> 4 | stop >> 4 << 4);
    }

    /// Whether the run was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.stop.load(Relaxed) != 0
    }

    /// The wish to stop, for somebody who only looks at that and may outlive the meter.
    pub fn wish(&self) -> Wish {
        Wish(Arc::clone(&self.stop))
    }

    /// Why the run was asked to stop, if it was.
    pub fn reason(&self) -> Option<Reason> {
        match self.stop.load(Relaxed) & FIRST {
            1 => Some(Reason::Person),
            2 => Some(Reason::Shutdown),
            3 => Some(Reason::Timeout),
            _ => None,
        }
    }

    /// Whether somebody waits for the end, be it that the run took too long before that.
    pub fn is_awaited(&self) -> bool {
        self.stop.load(Relaxed) >> 4 != 0
    }

    fn change_stop(&self, change: impl Fn(u8) -> u8) {
        // It always gives a new value, so it always succeeds.
        let _ = self.stop.fetch_update(Relaxed, Relaxed, |stop| Some(change(stop)));
    }

    /// The counters now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            entries: self.entries.load(Relaxed),
            files_planned: self.files_planned.load(Relaxed),
            bytes_planned: self.bytes_planned.load(Relaxed),
            files_done: self.files_done.load(Relaxed),
            bytes_done: self.bytes_done.load(Relaxed),
            messages: self.messages.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts_and_a_timeout_is_of_one_run() {
        use Reason::{Person, Shutdown, Timeout};
        let cases: [(&[Reason], _, _); 6] = [
            (&[], None, None),
            (&[Person, Shutdown, Timeout], Some(Person), Some(Person)),
            (&[Shutdown, Person], Some(Shutdown), Some(Shutdown)),
            (&[Timeout], Some(Timeout), None),
            (&[Timeout, Timeout, Shutdown, Person], Some(Timeout), Some(Shutdown)),
            (&[Timeout, Person], Some(Timeout), Some(Person)),
        ];
        for (reasons, first, next) in cases {
            let meter = Meter::default();
            reasons.iter().for_each(|reason| meter.cancel(*reason));
            assert_eq!((meter.reason(), meter.is_cancelled()), (first, first.is_some()), "{reasons:?}");
            assert_eq!(meter.is_awaited(), next.is_some(), "{reasons:?}");
            meter.reset();
            assert_eq!(meter.reason(), first, "{reasons:?}");
            meter.forget_timeout();
            assert_eq!((meter.reason(), meter.is_cancelled()), (next, next.is_some()), "{reasons:?}");
        }
    }
}

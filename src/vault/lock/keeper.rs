//! Keeping a lock: a thread that renews it, and the removal at the end.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::object::STALE;
use super::{Access, Bench, own};
use crate::clock::{Clock, System};
use crate::error::Result;
use crate::mutex::lock;
use crate::vault::store::{Id, Kind};

/// How often a lock is renewed. restic's figure.
const RENEW: SignedDuration = SignedDuration::from_mins(5);

/// How often the thread looks at the clock. A machine that wakes up must not write for minutes before it notices that it
/// slept.
const LOOK: Duration = Duration::from_secs(5);

/// The thread that holds a lock.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    bench: Bench,
    access: Access,
    held: Mutex<Held>,
    wake: Condvar,
    lost: AtomicBool,
}

#[derive(Clone, Copy)]
struct Held {
    id: Id,
    renewed: Timestamp,
    /// The same on a clock that nobody sets.
    since: Instant,
    done: bool,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keeper({})", self.id())
    }
}

impl Keeper {
    /// Keeps the lock `id`, which was written just now.
    pub fn start(bench: Bench, id: Id, access: Access) -> Self {
        let held = Mutex::new(Held { id, renewed: System.now(), since: Instant::now(), done: false });
        let (wake, lost) = (Condvar::new(), AtomicBool::new(false));
        let shared = Arc::new(Shared { bench, access, held, wake, lost });
        let keeping = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("vault-lock".into()).spawn(move || keeping.keep());
        // Without a thread the lock is not renewed: whoever works longer than half an hour notices that it is lost.
        Self { shared, thread: thread.ok() }
    }

    pub fn id(&self) -> Id {
        self.shared.held().id
    }

    pub fn bench(&self) -> &Bench {
        &self.shared.bench
    }

    /// Renews at once, as the thread does when it is time.
    #[cfg(test)]
    pub fn renew_now(&self) {
        self.shared.renew();
    }

    /// Whether somebody may have taken us for dead.
    pub fn is_lost(&self) -> bool {
        let late = self.shared.held().age() > STALE;
        self.shared.lost.load(SeqCst) || late
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.held().done = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        // What cannot be removed now is stale as soon as this process ends.
        let _ = self.shared.bench.store.remove(Kind::Lock, &[self.id()]);
    }
}

impl Held {
    fn age(&self) -> SignedDuration {
        age(System.now().duration_since(self.renewed), self.since.elapsed())
    }
}

/// How long ago a lock was renewed, for whoever sees it: by the clock on the wall, which counts the machine's sleep, or
/// by the other one, where the one on the wall was set back.
fn age(wall: SignedDuration, other: Duration) -> SignedDuration {
    SignedDuration::try_from(other).map_or(wall, |other| wall.max(other))
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        lock(&self.held)
    }

    fn keep(&self) {
        let mut held = self.held();
        while !held.done && !self.lost.load(SeqCst) {
            if held.age() >= RENEW {
                drop(held);
                self.renew();
                held = self.held();
            }
            held = self.wake.wait_timeout(held, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Renews the lock, or sees to it that nothing is written without one.
    fn renew(&self) {
        let before = *self.held();
        let since = Instant::now();
        match self.replace(before.id) {
            Ok(Some((id, at))) => {
                let mut held = self.held();
                (held.id, held.renewed, held.since) = (id, at, since);
            }
            // It is tried again until it counts as lost.
            Err(_) if before.age() <= STALE => {}
            Ok(None) | Err(_) => {
                self.lost.store(true, SeqCst);
                self.bench.backend.close();
            }
        }
    }

    /// Writes a new lock and removes the old one. None: the old one is not there any more.
    fn replace(&self, old: Id) -> Result<Option<(Id, Timestamp)>> {
        let store = &self.bench.store;
        if !store.list(Kind::Lock)?.iter().any(|found| found.id == old) {
            return Ok(None);
        }
        let lock = own(self.access);
        let (id, sealed) = lock.sealed(&self.bench.key)?;
        store.write(Kind::Lock, &id, sealed)?;
        // Two locks of ours do no harm.
        let _ = store.remove(Kind::Lock, &[old]);
        Ok(Some((id, lock.time)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_keeps_no_lock_from_being_renewed() {
        let minutes = SignedDuration::from_mins;
        for (wall, other, due) in
            [(4, 4, false), (5, 5, true), (-55, 5, true), (-55, 4, false), (480, 1, true)]
        {
            let other = Duration::from_secs(other * 60);
            assert_eq!(age(minutes(wall), other) >= RENEW, due, "{wall} {other:?}");
        }
    }
}

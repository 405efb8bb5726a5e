//! Packs on their way to a disk.
//!
//! A disk takes its time until what it was given is stored, and who makes the next pack need not wait for that. Two
//! threads store packs while more are made; how many bytes wait is bounded, and the first failure ends it all.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::Id;
use super::sticky::Sticky;
use crate::error::{Error, Result};
use crate::mutex::lock;

/// How many bytes of packs may wait or be on their way: two of the usual 16 MiB, and a bit.
const BOUND: usize = 40 << 20;

/// How many packs are stored at once: a second one is sent to the disk while the first is waited for.
const THREADS: usize = 2;

/// Stores one pack.
type Work = dyn Fn(&Id, &Bytes) -> Result<()> + Send + Sync;

/// What waits to be stored. When it is dropped, all of it is stored first.
pub(super) struct Behind(Arc<Inner>);

struct Inner {
    work: Box<Work>,
    state: Mutex<State>,
    changed: Condvar,
    sticky: Sticky,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(u64, Bytes)>,
    /// All packs that are not stored yet, by the order in which they came.
    open: BTreeMap<u64, Id>,
    bytes: usize,
    next: u64,
    threads: usize,
}

impl Behind {
    pub(super) fn new(work: impl Fn(&Id, &Bytes) -> Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            work: Box::new(work),
            state: Mutex::default(),
            changed: Condvar::new(),
            sticky: Sticky::default(),
        }))
    }

    /// Takes a pack, as soon as there is room; one that is on its way already is not taken again.
    ///
    /// # Errors
    /// Something given earlier cannot be stored.
    pub(super) fn push(&self, id: &Id, pack: Bytes) -> Result<()> {
        let inner = &self.0;
        let mut state = inner.state();
        while state.bytes > 0 && state.bytes + pack.len() > BOUND && inner.sticky.check().is_ok() {
            state = inner.wait(state);
        }
        inner.sticky.check()?;
        if state.open.values().any(|open| open == id) {
            return Ok(());
        }
        let number = state.next;
        state.next += 1;
        state.bytes += pack.len();
        state.open.insert(number, *id);
        state.waiting.push_back((number, pack));
        if state.threads == THREADS {
            return Ok(());
        }
        state.threads += 1;
        drop(state);
        let worker = Arc::clone(inner);
        let started = std::thread::Builder::new().name("vault-store".into()).spawn(move || worker.run());
        if started.is_err() {
            inner.run();
        }
        Ok(())
    }

    /// Waits until everything that was taken so far is stored.
    ///
    /// # Errors
    /// Something cannot be stored.
    pub(super) fn flush(&self) -> Result<()> {
        self.settle();
        self.0.sticky.check()
    }

    /// Waits until nothing that was taken so far is on its way, stored or not.
    pub(super) fn settle(&self) {
        let mut state = self.0.state();
        let end = state.next;
        while state.open.first_key_value().is_some_and(|(first, _)| *first < end) {
            state = self.0.wait(state);
        }
    }

    /// Waits while this pack is on its way.
    pub(super) fn wait_for(&self, id: &Id) {
        let mut state = self.0.state();
        while state.open.values().any(|open| open == id) {
            state = self.0.wait(state);
        }
    }

    /// Keeps a failure to store something else, too.
    pub(super) fn keep<T>(&self, result: Result<T>) -> Result<T> {
        self.0.sticky.keep(result)
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        let mut state = self.0.state();
        while state.threads > 0 {
            state = self.0.wait(state);
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores what waits, until nothing does.
    fn run(&self) {
        let mut state = self.state();
        while let Some((number, pack)) = state.waiting.pop_front() {
            let id = state.open.get(&number).copied().unwrap_or(Id::NONE);
            drop(state);
            // A thread that is gone without a word would be waited for for ever.
            let stored = catch_unwind(AssertUnwindSafe(|| (self.work)(&id, &pack)))
                .unwrap_or_else(|_| Err(Error::other(format!("storing the pack {} panicked", id.short()))));
            let failed = self.sticky.keep(stored).is_err();
            state = self.state();
            state.bytes -= pack.len();
            state.open.remove(&number);
            if failed {
                for (number, pack) in std::mem::take(&mut state.waiting) {
                    state.bytes -= pack.len();
                    state.open.remove(&number);
                }
            }
            self.changed.notify_all();
        }
        state.threads -= 1;
        self.changed.notify_all();
    }
}

impl std::fmt::Debug for Behind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Behind({} packs)", self.0.state().open.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;

    fn id(n: u8) -> Id {
        Id([n; 32])
    }

    /// A queue whose packs are stored when the test says how that went, and the packs that it stores.
    fn led() -> (Behind, Receiver<u8>, Sender<Result<()>>) {
        let (begun, packs) = channel();
        let (answers, answer) = channel();
        let answer = Mutex::new(answer);
        let behind = Behind::new(move |id, _| {
            begun.send(id.0[0]).unwrap();
            let answer = answer.lock().unwrap();
            answer.recv().unwrap_or(Ok(()))
        });
        (behind, packs, answers)
    }

    fn pack() -> Bytes {
        Bytes::from(vec![0; BOUND / 2 - 5])
    }

    #[test]
    fn a_pack_is_taken_while_others_are_stored_and_only_so_many() {
        let (behind, packs, answers) = led();
        for n in [1, 2, 2] {
            behind.push(&id(n), if n == 1 { pack() } else { Bytes::from_static(b"small") }).unwrap();
        }
        let mut begun: Vec<_> = packs.iter().take(2).collect();
        begun.sort_unstable();
        assert_eq!(begun, [1, 2], "one twice, or one by one");
        behind.push(&id(3), pack()).unwrap();
        std::thread::scope(|scope| {
            let (taken, was_taken) = channel();
            let behind = &behind;
            scope.spawn(move || {
                behind.push(&id(4), pack()).unwrap();
                taken.send(()).unwrap();
            });
            std::thread::sleep(Duration::from_millis(50));
            assert!(was_taken.try_recv().is_err());
            (0..4).for_each(|_| answers.send(Ok(())).unwrap());
            was_taken.recv().unwrap();
        });
        behind.flush().unwrap();
        begun.extend(packs.try_iter());
        begun.sort_unstable();
        assert_eq!(begun, [1, 2, 3, 4]);
        assert_eq!(behind.0.state().bytes, 0);
    }

    #[test]
    fn the_first_failure_ends_it_and_is_told_until_the_end() {
        let (behind, packs, answers) = led();
        (1..=4).for_each(|n| behind.push(&id(n), Bytes::from_static(b"x")).unwrap());
        answers.send(Err(Error::other("the disk is full"))).unwrap();
        // The other of the first two is still being stored.
        while behind.0.state().open.len() > 1 {
            std::thread::yield_now();
        }
        drop(answers);
        for _ in 0..2 {
            assert_eq!(behind.flush().unwrap_err().to_string(), "the disk is full");
            assert_eq!(behind.push(&id(9), pack()).unwrap_err().to_string(), "the disk is full");
        }
        drop(behind);
        assert!(packs.iter().all(|n| n <= 2), "more was stored after the failure");
    }

    #[test]
    fn a_panic_is_a_failure_and_what_is_dropped_is_stored() {
        let behind = Behind::new(|_, _| panic!("as ordered"));
        behind.push(&id(1), pack()).unwrap();
        assert!(behind.flush().unwrap_err().to_string().contains("panicked"));

        let (behind, packs, answers) = led();
        (1..=3).for_each(|n| behind.push(&id(n), Bytes::from_static(b"x")).unwrap());
        drop(answers);
        drop(behind);
        assert_eq!(packs.iter().count(), 3);
    }
}

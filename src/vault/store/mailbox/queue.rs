//! The letters that wait to be sent, bounded by bytes, and the first failure, which ends it all.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::mutex::lock;
use crate::vault::store::letter::Label;

/// How many bytes of objects may wait or be under way.
const BOUND: u64 = 64 << 20;

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(2);

/// One letter to send.
#[derive(Debug, Clone)]
pub(super) struct Job {
    number: u64,
    pub(super) label: Label,
    /// The whole object, of which the letter is a part.
    pub(super) object: Bytes,
    /// How often it was sent, or should have been.
    pub(super) tries: usize,
}

impl Job {
    fn bytes(&self) -> u64 {
        let range = self.label.range();
        range.end - range.start
    }
}

/// What waits, and what is under way.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    /// All letters that are not stored yet, by number.
    open: BTreeMap<u64, Label>,
    bytes: u64,
    next: u64,
    workers: usize,
    /// How many of them are at work.
    busy: usize,
    failed: Option<Error>,
    closed: bool,
}

impl State {
    fn check(&self) -> Result<()> {
        match &self.failed {
            Some(error) => Err(error.again()),
            None => Ok(()),
        }
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails if anything has failed.
    pub(super) fn check(&self) -> Result<()> {
        self.state().check()
    }

    /// Takes a letter, as soon as there is room, and gives its number; one that is on its way already is not taken
    /// again. `start` is called if one more thread should work, of which there are up to `workers`.
    pub(super) fn push(
        &self,
        label: Label,
        object: Bytes,
        workers: usize,
        start: impl FnOnce(),
    ) -> Result<u64> {
        let mut state = self.state();
        if let Some((number, _)) = state.open.iter().find(|(_, open)| **open == label) {
            return Ok(*number);
        }
        let mut job = Job { number: 0, label, object, tries: 0 };
        while state.bytes > 0 && state.bytes + job.bytes() > BOUND && state.failed.is_none() {
            state = self.wait(state);
        }
        state.check()?;
        job.number = state.next;
        state.next += 1;
        state.bytes += job.bytes();
        state.open.insert(job.number, label);
        let number = job.number;
        state.waiting.push_back(job);
        let more = state.workers < workers && state.workers < state.open.len();
        state.workers += usize::from(more);
        drop(state);
        self.changed.notify_all();
        if more {
            start();
        }
        Ok(number)
    }

    /// Waits until everything that was taken so far is stored.
    pub(super) fn flush(&self) -> Result<()> {
        let state = self.state();
        let end = state.next;
        self.wait_until(state, |state| state.open.first_key_value().is_none_or(|(first, _)| *first >= end))
    }

    /// Waits until these letters are stored.
    pub(super) fn wait_for(&self, numbers: &[u64]) -> Result<()> {
        self.wait_until(self.state(), |state| numbers.iter().all(|number| !state.open.contains_key(number)))
    }

    fn wait_until(&self, mut state: MutexGuard<'_, State>, done: impl Fn(&State) -> bool) -> Result<()> {
        loop {
            // What is under way when a budget is spent is paid for, and will count.
            let paused =
                state.failed.as_ref().is_some_and(|error| error.kind() == crate::error::Kind::Paused);
            if !paused || state.busy == 0 {
                state.check()?;
            }
            if done(&state) && !paused {
                return Ok(());
            }
            state = self.wait(state);
        }
    }

    /// The next letter, if there is one now.
    pub(super) fn next(&self) -> Option<Job> {
        let mut state = self.state();
        if state.failed.is_some() || state.closed { None } else { state.waiting.pop_front() }
    }

    /// Puts letters back, in their order, to be sent before all others.
    pub(super) fn put_back(&self, jobs: Vec<Job>) {
        let mut state = self.state();
        for job in jobs.into_iter().rev() {
            state.waiting.push_front(job);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// This letter is stored.
    pub(super) fn stored(&self, job: &Job) {
        let mut state = self.state();
        if state.open.remove(&job.number).is_some() {
            state.bytes -= job.bytes();
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Nothing more is stored; the first failure is the one that is told.
    pub(super) fn fail(&self, error: Error) {
        let mut state = self.state();
        state.failed.get_or_insert(error);
        state.waiting.clear();
        drop(state);
        self.changed.notify_all();
    }

    /// Nobody waits any more: the threads may end.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// A thread that worked does so no more.
    pub(super) fn rest(&self) {
        self.state().busy -= 1;
        self.changed.notify_all();
    }

    /// Waits for work. False: there is none for long, and this thread counts no more.
    pub(super) fn wait_for_work(&self) -> bool {
        let mut state = self.state();
        loop {
            if state.failed.is_some() || state.closed {
                state.workers -= 1;
                return false;
            }
            if !state.waiting.is_empty() {
                state.busy += 1;
                return true;
            }
            let waited = self.changed.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() && state.waiting.is_empty() {
                state.workers -= 1;
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::store::letter::VaultId;
    use crate::vault::store::{Id, Kind};

    fn label(hash: u8, size: u64) -> Label {
        let vault = VaultId([1; 8]);
        Label { vault, kind: Kind::Pack, hash: Id([hash; 32]), size, part: 1, parts: 1, serial: 0 }
    }

    #[test]
    fn threads_are_started_as_they_are_needed_and_nothing_is_taken_twice() {
        let (queue, mut started) = (Queue::default(), 0);
        let numbers: Vec<u64> = [1, 2, 1, 3, 4]
            .map(|hash| queue.push(label(hash, 10), Bytes::new(), 3, || started += 1).unwrap())
            .into();
        assert_eq!((numbers, started), (vec![0, 1, 0, 2, 3], 3));
        let mut jobs: Vec<Job> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(jobs.iter().map(|job| job.number).collect::<Vec<_>>(), [0, 1, 2, 3]);
        queue.put_back(jobs.drain(1..3).collect());
        assert_eq!(queue.next().map(|job| job.number), Some(1));
        queue.stored(&jobs[0]);
        queue.wait_for(&[0]).unwrap();
    }

    #[test]
    fn more_than_the_bound_waits_and_a_flush_waits_for_all() {
        let queue = Queue::default();
        let push = |hash, size| queue.push(label(hash, size), Bytes::new(), 0, || ()).unwrap();
        // One that is too large by itself is taken when nothing else is there.
        push(1, BOUND + 1);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| push(2, 1));
            let first = queue.next().unwrap();
            assert!(queue.next().is_none() && !second.is_finished());
            queue.stored(&first);
            assert_eq!(second.join().unwrap(), 1);
            let flush = scope.spawn(|| queue.flush());
            let second = queue.next().unwrap();
            queue.stored(&second);
            flush.join().unwrap().unwrap();
        });
    }

    #[test]
    fn the_first_failure_is_the_one_that_is_told() {
        let queue = Queue::default();
        queue.push(label(1, 1), Bytes::new(), 1, || ()).unwrap();
        queue.fail(Error::other("first"));
        queue.fail(Error::other("second"));
        assert!(queue.next().is_none() && !queue.wait_for_work());
        let told = [
            queue.flush().unwrap_err(),
            queue.check().unwrap_err(),
            queue.push(label(2, 1), Bytes::new(), 1, || ()).unwrap_err(),
        ];
        assert!(told.iter().all(|error| error.to_string() == "first"));
    }
}

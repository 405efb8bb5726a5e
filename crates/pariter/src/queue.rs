//! The items on their way, and who works on them.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many items are on their way for each processor. The longer the queue, the more is read beyond the end of a slice,
/// the more blobs are stored twice, because the first of two was not stored yet, and the more memory they take.
const EACH: usize = 2;

/// How many more, where each of the last ones was short work: while a thread wakes up, another one does several of them.
const MORE: usize = 8;
const LAST: usize = 8;
const SHORT: Duration = Duration::from_millis(1);

/// What takes less is no work, and says nothing of the others: the beginning of a folder, among its files.
const NONE: Duration = Duration::from_micros(20);

/// A result, or what a panic said.
pub(crate) type Outcome<O> = Result<O, Box<dyn Any + Send>>;

/// Items that wait, and results that nobody took yet.
pub(crate) struct Queue<I, O> {
    state: Mutex<State<I, O>>,
    /// There is something to do, or never will be again.
    work: Condvar,
    /// The first result is there.
    first: Condvar,
}

struct State<I, O> {
    /// Items with their numbers.
    waiting: VecDeque<(usize, I)>,
    /// A place for each item that is on its way, in order.
    results: VecDeque<Option<Outcome<O>>>,
    /// The number of the first of them.
    taken: usize,
    /// Threads that sleep and were not called.
    idle: usize,
    /// How many results were short work, since one was not.
    short: usize,
    is_closed: bool,
}

impl<I, O> Queue<I, O> {
    pub fn new() -> Self {
        let (waiting, results) = (VecDeque::new(), VecDeque::new());
        let state = State { waiting, results, taken: 0, idle: 0, short: 0, is_closed: false };
        Self { state: Mutex::new(state), work: Condvar::new(), first: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<I, O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more item may be on its way.
    pub fn has_room(&self, processors: usize) -> bool {
        let state = self.state();
        let more = if state.short >= LAST { MORE } else { 0 };
        state.results.len() < processors * EACH + more
    }

    /// Adds an item.
    pub fn push(&self, item: I) {
        let mut state = self.state();
        let number = state.taken + state.results.len();
        state.results.push_back(None);
        state.waiting.push_back((number, item));
        // One item is done by who waits for it.
        if state.waiting.len() > 1 && state.idle > 0 {
            state.idle -= 1;
            drop(state);
            self.work.notify_one();
        }
    }

    /// The next result. Who asks works on what waits, as long as it is not there. None: nothing is on its way.
    pub fn pop(&self, map: &mut impl FnMut(I) -> O) -> Option<Outcome<O>> {
        let mut state = self.state();
        loop {
            match state.results.front_mut()?.take() {
                Some(outcome) => {
                    state.results.pop_front();
                    state.taken += 1;
                    return Some(outcome);
                }
                None => {
                    state = match state.waiting.pop_front() {
                        Some((number, item)) => {
                            drop(state);
                            let begun = Instant::now();
                            let result = map(item);
                            let took = begun.elapsed();
                            let mut state = self.state();
                            state.settle(number, Ok(result), took);
                            state
                        }
                        None => self.first.wait(state).unwrap_or_else(PoisonError::into_inner),
                    };
                }
            }
        }
    }

    /// Works until the queue is closed, or `map` panics.
    pub fn work(&self, mut map: impl FnMut(I) -> O) {
        let mut state = self.state();
        loop {
            if state.is_closed {
                return;
            }
            let Some((number, item)) = state.waiting.pop_front() else {
                state.idle += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let begun = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| map(item)));
            let (took, panicked) = (begun.elapsed(), outcome.is_err());
            state = self.state();
            state.settle(number, outcome, took);
            if number == state.taken {
                self.first.notify_one();
            }
            if panicked {
                return;
            }
        }
    }

    /// Ends the work: what waits is dropped.
    pub fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.work.notify_all();
        drop(waiting);
    }
}

impl<I, O> State<I, O> {
    fn settle(&mut self, number: usize, outcome: Outcome<O>, took: Duration) {
        match took {
            took if took >= SHORT => self.short = 0,
            took if took >= NONE => self.short += 1,
            _ => {}
        }
        if let Some(place) = self.results.get_mut(number - self.taken) {
            *place = Some(outcome);
        }
    }
}

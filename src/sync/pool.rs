//! A few threads that share a stack of jobs, where a job may add more.
//!
//! Last in, first out: a tree is walked depth first, so the number of open folders is its depth times the threads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::mutex::lock;

/// How often the caller hears about the progress.
const TICK: Duration = Duration::from_millis(100);

/// The jobs that wait.
pub(super) struct Stack<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
    ended: Condvar,
}

struct State<J> {
    jobs: Vec<J>,
    /// Workers at a job; when none is and no job waits, everything is done.
    busy: usize,
    /// Workers that have not ended.
    alive: usize,
}

impl<J> Stack<J> {
    /// Adds jobs; the last one is taken first.
    pub fn push(&self, jobs: impl IntoIterator<Item = J>) {
        let mut state = self.lock();
        state.jobs.extend(jobs);
        drop(state);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        lock(&self.state)
    }

    /// The next job; None when there is and will be none.
    fn next(&self) -> Option<J> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop() {
                state.busy += 1;
                return Some(job);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Counts a worker down whatever happens, a panic included: otherwise the others would wait for it for ever.
struct Busy<'a, J>(&'a Stack<J>);

impl<J> Drop for Busy<'_, J> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.busy -= 1;
        let idle = state.busy == 0 && state.jobs.is_empty();
        drop(state);
        if idle {
            self.0.changed.notify_all();
        }
    }
}

struct Alive<'a, J>(&'a Stack<J>);

impl<J> Drop for Alive<'_, J> {
    fn drop(&mut self) {
        self.0.lock().alive -= 1;
        self.0.ended.notify_all();
    }
}

/// Works off `first` and everything that is pushed meanwhile. Each worker keeps a value of its own (made by `own`);
/// they are returned. `tick` is called on the caller's thread a few times a second. A panic in a worker is passed on
/// when all have ended.
pub(super) fn work<J: Send, W: Send>(
    threads: usize,
    first: Vec<J>,
    own: impl Fn() -> W + Sync,
    job: impl Fn(&mut W, J, &Stack<J>) + Sync,
    mut tick: impl FnMut(),
) -> Vec<W> {
    let stack = Stack {
        state: Mutex::new(State { jobs: first, busy: 0, alive: threads }),
        changed: Condvar::new(),
        ended: Condvar::new(),
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let _alive = Alive(&stack);
                    let mut mine = own();
                    while let Some(next) = stack.next() {
                        let _busy = Busy(&stack);
                        job(&mut mine, next, &stack);
                    }
                    mine
                })
            })
            .collect();
        let mut state = stack.lock();
        let mut last = std::time::Instant::now();
        while state.alive > 0 {
            state = stack.ended.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
            if last.elapsed() >= TICK {
                drop(state);
                tick();
                last = std::time::Instant::now();
                state = stack.lock();
            }
        }
        drop(state);
        workers
            .into_iter()
            .map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_add_jobs_are_all_done_once() {
        let sums = work(
            3,
            vec![6_u64],
            || 0_u64,
            |sum, n, stack| {
                *sum += 1;
                stack.push((0..n).collect::<Vec<_>>());
            },
            || {},
        );
        // f(n) = 1 + f(0) + ... + f(n - 1) = 2^n
        assert_eq!(sums.into_iter().sum::<u64>(), 64);
    }

    #[test]
    fn a_panic_ends_the_work_and_is_passed_on() {
        let result = std::panic::catch_unwind(|| {
            work(2, vec![1, 2, 3], || (), |(), n, _| assert_ne!(n, 2, "two"), || {});
        });
        assert!(result.is_err());
    }
}

//! Work on the items of an iterator in parallel, in their order.
//!
//! Who asks for the results is one of those who work: he sleeps only while all that is left is in the hands of others.

mod map;
mod queue;

use std::thread::Scope;

pub use map::ParallelMap;

/// What an iterator can do with several threads.
pub trait IteratorExt: Iterator + Sized {
    /// Maps each item, several at once. The results come in the order of the items.
    ///
    /// A panic of `map` is passed on to who asks for its result.
    fn parallel_map_scoped<'env, 'scope, F, O>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        map: F,
    ) -> ParallelMap<Self, F, O>
    where
        F: FnMut(Self::Item) -> O + Clone + Send + 'env,
        Self::Item: Send + 'env,
        O: Send + 'env,
    {
        ParallelMap::new(self, scope, map)
    }

    /// The iterator as it is. A thread that works ahead would hold one more item, and each item would change threads:
    /// what rustic_core does between two such threads is not worth that.
    fn readahead_scoped<'env, 'scope>(self, _: &'scope Scope<'scope, 'env>) -> Self {
        self
    }
}

impl<I: Iterator> IteratorExt for I {}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::thread::{current, scope};
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_order_whoever_made_them() {
        for count in [0, 1, 3, 2_000] {
            let made: Vec<_> = scope(|scope| {
                let items = (0..count).readahead_scoped(scope);
                let map = |n: u64| {
                    std::thread::sleep(Duration::from_micros(n * 7 % 50));
                    n * 2
                };
                items.parallel_map_scoped(scope, map).readahead_scoped(scope).collect()
            });
            assert_eq!(made, (0..count).map(|n| n * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn several_work_at_once_and_who_waits_is_one_of_them() {
        let barrier = std::sync::Barrier::new(2);
        let threads = scope(|scope| {
            // Each item waits for another one: one thread alone would never come to an end.
            let map = |_| {
                barrier.wait();
                current().id()
            };
            (0..50).parallel_map_scoped(scope, map).collect::<Vec<_>>()
        });
        let mine = threads.iter().filter(|id| **id == current().id()).count();
        assert!(mine > 0, "who waited did nothing");
    }

    #[test]
    fn only_so_many_items_are_on_their_way() {
        for (work, more) in [(Duration::from_micros(30), 8), (Duration::from_millis(2), 0)] {
            let begun = AtomicUsize::new(0);
            scope(|scope| {
                let items = (0..200_usize).inspect(|_| {
                    begun.fetch_add(1, SeqCst);
                });
                let most = 2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get) + more;
                let map = |n| {
                    std::thread::sleep(work);
                    n
                };
                for (done, n) in items.parallel_map_scoped(scope, map).enumerate() {
                    assert_eq!(done, n);
                    assert!(begun.load(SeqCst) <= done + most + 1);
                }
            });
        }
    }

    #[test]
    fn who_takes_no_more_ends_it() {
        let begun = AtomicUsize::new(0);
        scope(|scope| {
            let items = (0..).inspect(|_| {
                begun.fetch_add(1, SeqCst);
            });
            assert_eq!(items.parallel_map_scoped(scope, |n: u64| n).nth(9), Some(9));
        });
        assert!(begun.load(SeqCst) < 1_000);
    }

    #[test]
    fn a_panic_comes_where_its_result_would() {
        let taken = AtomicUsize::new(0);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            scope(|scope| {
                let map = |n: usize| if n == 70 { panic!("as ordered") } else { n };
                for n in (0..100).parallel_map_scoped(scope, map) {
                    taken.store(n + 1, SeqCst);
                }
            });
        }));
        let panic = panic.unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"as ordered"));
        assert!(taken.load(SeqCst) <= 70);
    }
}

//! An iterator over results that several threads make.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::{Builder, Scope, available_parallelism};

use crate::queue::Queue;

/// The results of a map, in the order of the items.
pub struct ParallelMap<I: Iterator, F, O> {
    items: Option<I>,
    map: F,
    queue: Arc<Queue<I::Item, O>>,
    processors: usize,
}

impl<I: Iterator, F, O> ParallelMap<I, F, O> {
    pub(crate) fn new<'env, 'scope>(items: I, scope: &'scope Scope<'scope, 'env>, map: F) -> Self
    where
        F: FnMut(I::Item) -> O + Clone + Send + 'env,
        I::Item: Send + 'env,
        O: Send + 'env,
    {
        let processors = available_parallelism().map_or(1, NonZero::get);
        let queue = Arc::new(Queue::new());
        // Who asks for the results is one of them; but where there is one processor, a disk is waited for all the same.
        for _ in 0..processors.saturating_sub(1).max(1) {
            let (queue, map) = (Arc::clone(&queue), map.clone());
            // Without a thread, who asks for the results does it all.
            let _ = Builder::new().spawn_scoped(scope, move || queue.work(map));
        }
        Self { items: Some(items), map, queue, processors }
    }
}

impl<I: Iterator, F: FnMut(I::Item) -> O, O> Iterator for ParallelMap<I, F, O> {
    type Item = O;

    fn next(&mut self) -> Option<O> {
        while let Some(items) = &mut self.items
            && self.queue.has_room(self.processors)
        {
            match items.next() {
                Some(item) => self.queue.push(item),
                None => self.items = None,
            }
        }
        let outcome = self.queue.pop(&mut self.map)?;
        Some(outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

impl<I: Iterator, F, O> Drop for ParallelMap<I, F, O> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

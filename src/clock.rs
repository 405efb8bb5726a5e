//! The only place that asks what time it is. Everything below the agent gets its time passed in.

use jiff::Timestamp;

/// A source of the current time.
pub trait Clock: Send + Sync {
    /// Now, with sub-second precision.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

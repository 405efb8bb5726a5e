//! The only place that asks what time it is. Everything below the agent gets its time passed in.

use jiff::{SignedDuration, Timestamp};

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

/// A clock that runs `pace` times as fast as the machine's, from the moment at which it is made: for tests that have no
/// week to wait.
#[derive(Debug, Clone, Copy)]
pub struct Paced {
    start: Timestamp,
    pace: u32,
}

impl Paced {
    /// From now on.
    pub fn new(pace: u32) -> Self {
        Self { start: Timestamp::now(), pace }
    }
}

impl Clock for Paced {
    fn now(&self) -> Timestamp {
        let passed: SignedDuration = Timestamp::now().duration_since(self.start);
        self.start.checked_add(passed.saturating_mul(self.pace.cast_signed())).unwrap_or(Timestamp::MAX)
    }
}

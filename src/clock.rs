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

/// A clock that runs `pace` times as fast as the machine's since a moment: for tests that have no week to wait.
#[derive(Debug, Clone, Copy)]
pub struct Paced {
    /// How many times as fast.
    pub pace: u32,
    /// When it was right. The same moment again makes the same clock again.
    pub since: Timestamp,
}

impl Clock for Paced {
    fn now(&self) -> Timestamp {
        let passed: SignedDuration = Timestamp::now().duration_since(self.since);
        self.since.checked_add(passed.saturating_mul(self.pace.cast_signed())).unwrap_or(Timestamp::MAX)
    }
}

/// When the machine was started, seen from `now`. Time that it slept through counts.
pub fn booted(now: Timestamp) -> Timestamp {
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    now.checked_sub(SignedDuration::from_secs(up.tv_sec)).unwrap_or(now)
}

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

/// When the machine was started, seen from `now`. Time that it slept through counts.
pub fn booted(now: Timestamp) -> Timestamp {
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    now.checked_sub(SignedDuration::from_secs(up.tv_sec)).unwrap_or(now)
}

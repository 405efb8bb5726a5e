//! Waiting for somebody who must be alone in a vault.

use std::time::{Duration, Instant};

use crate::error::{Error, Kind, Result};
use crate::progress::Meter;

/// How often a vault is looked at in which somebody else is at work who must be alone, and how long lies in between.
const PATIENCE: u32 = 60;
const LOOK: Duration = Duration::from_secs(5);

/// Does `work` again while the vault is locked: a prune on another machine takes its time.
///
/// # Errors
/// Those of `work`; or somebody wants to stop.
pub fn patiently<T>(meter: &Meter, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 0..PATIENCE {
        match work() {
            Err(error) if error.kind() == Kind::Locked => {
                let until = Instant::now() + LOOK;
                while Instant::now() < until {
                    if meter.is_cancelled() {
                        return Err(Error::new(Kind::Cancelled, "stopped while it waited for a vault"));
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            done => return done,
        }
    }
    work()
}

//! The log of a run at work.

use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;

use crate::clock::Clock;
use crate::journal::{Journal, LogLine};
use crate::mutex::lock;
use crate::state::{LogSpool, Spooled};

/// How much of a log a kill may cost.
const LOG_AGE: SignedDuration = SignedDuration::from_secs(1);

/// A run's log: lines go to the spool, which is written out every second so that a kill costs no more.
pub(super) struct Log<'a> {
    spool: Mutex<LogSpool>,
    clock: &'a dyn Clock,
}

impl<'a> Log<'a> {
    pub(super) fn new(spool: LogSpool, clock: &'a dyn Clock) -> Self {
        Self { spool: Mutex::new(spool), clock }
    }

    /// Ends it.
    pub(super) fn finish(self) -> Spooled {
        self.spool.into_inner().unwrap_or_else(PoisonError::into_inner).finish()
    }
}

impl Journal for Log<'_> {
    fn line(&self, line: &LogLine<'_>) {
        let text = line.to_string();
        let mut spool = lock(&self.spool);
        // A log that cannot be written must not stop a run: the history says that it is cut short.
        let _ = spool.line(&text).and_then(|()| spool.flush_if_older(self.clock.now(), LOG_AGE));
    }
}

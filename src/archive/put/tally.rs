//! What goes to the target and comes from it, on the account of its mailbox.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::mail::imap::{Meter, Session, Traffic as Wire};
use crate::vault::store::Traffic;
use crate::vault::store::mailbox::{Budget, Spent};

/// Counts the connection that is open.
pub(super) struct Tally {
    budget: Arc<dyn Budget>,
    meter: RefCell<Option<Arc<Meter>>>,
    counted: Cell<Wire>,
}

impl Tally {
    pub(super) fn new(budget: Arc<dyn Budget>) -> Self {
        Self { budget, meter: RefCell::default(), counted: Cell::default() }
    }

    /// A connection is open.
    pub(super) fn begin(&self, session: &Session) {
        self.count();
        self.meter.replace(Some(session.meter()));
        self.counted.set(Wire::default());
        self.count();
    }

    /// Puts on the account what went over the connection since the last time.
    pub(super) fn count(&self) {
        if let Some(meter) = self.meter.borrow().as_ref() {
            let (now, counted) = (meter.traffic(), self.counted.get());
            self.counted.set(now);
            self.budget.used(Traffic { up: now.up - counted.up, down: now.down - counted.down });
        }
    }

    /// Whether a message of so many bytes may be sent.
    pub(super) fn may_send(&self, bytes: u64) -> Result<(), Spent> {
        self.count();
        self.budget.may_send(bytes)
    }

    /// Whether so many bytes may be fetched.
    pub(super) fn may_fetch(&self, bytes: u64) -> Result<(), Spent> {
        self.count();
        self.budget.may_fetch(bytes)
    }

    /// The server says by itself that it is too much.
    pub(super) fn throttled(&self) -> Spent {
        self.budget.throttled()
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.count();
        self.budget.settle();
    }
}

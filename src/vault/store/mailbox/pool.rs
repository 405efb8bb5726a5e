//! The connections to the server, lent to one thread at a time.

use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::budget::Budget;
use super::door::{Door, Trouble};
use crate::mail::imap::{Selected, Session, Traffic as Wire};
use crate::mutex::lock;
use crate::vault::store::{Counter, Traffic};

/// How many connections there are if nothing else is said: providers allow some 10 to 15, for all programs together.
const CONNECTIONS: u8 = 4;

/// How long is waited for a connection to become free before another one is opened, which takes some round trips.
const SOON: Duration = Duration::from_millis(100);

/// A connection, with the folder open.
pub(super) struct Link {
    pub(super) session: Session,
    pub(super) validity: u32,
    /// Whether another folder may be open.
    pub(super) astray: bool,
    /// What the server said of the folder, if that was just now and nobody else of us can know more.
    pub(super) fresh: Option<Selected>,
    counted: Wire,
}

/// All connections to one folder.
pub(super) struct Pool {
    pub(super) door: Door,
    state: Mutex<State>,
    freed: Condvar,
    budget: Arc<dyn Budget>,
    pub(super) counter: Counter,
}

struct State {
    idle: Vec<Link>,
    /// Connections that are there, and those that are being opened.
    open: usize,
    opening: usize,
    /// How many there may be, and how many the server seems to allow now.
    limit: usize,
    most: usize,
    /// The largest message that the server takes, as it says.
    append_limit: Option<u64>,
}

/// A connection for as long as it is needed.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    link: Option<Link>,
}

impl Pool {
    pub(super) fn new(door: Door, budget: Arc<dyn Budget>) -> Self {
        let most = usize::from(door.account().limits.connections.unwrap_or(CONNECTIONS).max(1));
        let (idle, open, opening, append_limit) = (Vec::new(), 0, 0, None);
        let state = Mutex::new(State { idle, open, opening, limit: most, most, append_limit });
        Self { door, state, freed: Condvar::new(), budget, counter: Counter::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// How many connections may be used for sending: one is kept for those who read, if there are several.
    pub(super) fn senders(&self) -> usize {
        self.state().most.saturating_sub(1).max(1)
    }

    /// How many connections there may be.
    pub(super) fn connections(&self) -> usize {
        self.state().most
    }

    /// The largest message that server and provider take, as far as one of them has said so.
    pub(super) fn message_limit(&self) -> Option<u64> {
        [self.state().append_limit, self.door.account().limits.message].into_iter().flatten().min()
    }

    /// A connection for something small: a busy one is waited for before another is opened.
    pub(super) fn lease(&self) -> Result<Lease<'_>, Trouble> {
        // Nobody says that it is not needed.
        self.lease_unless(false, &|| false)?.ok_or(Trouble::NoFolder)
    }

    /// A connection for much, as soon as one is free or open.
    pub(super) fn lease_now(&self) -> Result<Lease<'_>, Trouble> {
        self.lease_unless(true, &|| false)?.ok_or(Trouble::NoFolder)
    }

    /// A connection, as soon as one is free or open; None: meanwhile it is not needed any more, see
    /// [`wake`](Self::wake). What is not `much` waits for a busy one before it opens another.
    pub(super) fn lease_unless(
        &self,
        much: bool,
        done: &dyn Fn() -> bool,
    ) -> Result<Option<Lease<'_>>, Trouble> {
        let mut state = self.state();
        if !much {
            let busy = |state: &mut State| state.idle.is_empty() && state.open > 0 && !done();
            let waited = self.freed.wait_timeout_while(state, SOON, busy);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        loop {
            if done() {
                return Ok(None);
            }
            if let Some(link) = state.idle.pop() {
                return Ok(Some(Lease { pool: self, link: Some(link) }));
            }
            if state.open + state.opening < state.most {
                state.opening += 1;
                drop(state);
                let opened = catch_unwind(AssertUnwindSafe(|| self.open(false)));
                state = self.state();
                state.opening -= 1;
                let opened = opened.unwrap_or_else(|panic| {
                    // Others may wait for this one.
                    self.freed.notify_all();
                    resume_unwind(panic)
                });
                match opened {
                    Ok(mut link) => {
                        let alone = state.open + state.opening == 0;
                        link.fresh = link.fresh.filter(|_| alone);
                        state.open += 1;
                        return Ok(Some(Lease { pool: self, link: Some(link) }));
                    }
                    // The server may not want so many: the others will do.
                    Err(Trouble::Again(_)) if state.open > 0 => state.most = state.open,
                    Err(trouble) => {
                        self.freed.notify_all();
                        return Err(trouble);
                    }
                }
                continue;
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Somebody who waits for a connection may not need it any more.
    pub(super) fn wake(&self) {
        // Whoever has just looked and found that it does begins to wait before this goes on.
        drop(self.state());
        self.freed.notify_all();
    }

    /// Makes the folder, if it is not there.
    pub(super) fn make_folder(&self) -> Result<(), Trouble> {
        let link = self.open(true)?;
        self.state().open += 1;
        drop(Lease { pool: self, link: Some(link) });
        Ok(())
    }

    fn open(&self, make: bool) -> Result<Link, Trouble> {
        let session = self.door.log_in(&|| self.state().open > 0)?;
        let mut link = Link { session, validity: 0, astray: false, fresh: None, counted: Wire::default() };
        let opened = self.door.open_folder(&mut link.session, make);
        self.count(&mut link);
        let selected = opened?;
        (link.validity, link.fresh) = (selected.uid_validity, Some(selected));
        self.state().append_limit = link.session.offers().append_limit();
        Ok(link)
    }

    /// Counts what went over a connection since the last time.
    fn count(&self, link: &mut Link) {
        let now = link.session.meter().traffic();
        let (up, down) = (now.up - link.counted.up, now.down - link.counted.down);
        link.counted = now;
        self.counter.up(up);
        self.counter.down(down);
        self.budget.used(Traffic { up, down });
    }
}

impl Lease<'_> {
    /// Counts what has moved so far.
    pub(super) fn count(&mut self) {
        if let Some(link) = &mut self.link {
            self.pool.count(link);
        }
    }
}

impl Deref for Lease<'_> {
    type Target = Link;

    fn deref(&self) -> &Link {
        // It is taken out only when the lease ends.
        self.link.as_ref().expect("a lease has its connection until it ends")
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Link {
        self.link.as_mut().expect("a lease has its connection until it ends")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.count();
        let mut state = self.pool.state();
        match self.link.take() {
            Some(mut link) if !link.session.is_broken() && !link.astray => {
                link.fresh = None;
                state.idle.push(link);
            }
            _ => {
                // Those that rested are as old: one try is enough to find out that a server forgot them all.
                state.open -= 1 + state.idle.len();
                state.idle.clear();
                // The server may be another one now, as far as we know.
                state.most = state.limit;
            }
        }
        // Not all who wait take what is free.
        self.pool.freed.notify_all();
    }
}

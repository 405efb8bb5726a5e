//! The one connection: opened when it is needed, counted, and opened anew when it broke.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::options::Options;
use crate::error::{Error, Kind, Result};
use crate::mail::imap::{Dialer, Failed, Meaning, Meter, Selected, Session, Stop, Traffic as Wire};
use crate::mail::{Fault, FaultKind};
use crate::vault::store::Traffic;

/// How often somebody who waits looks whether he shall stop.
const STEP: Duration = Duration::from_millis(100);

/// The longest wait for a server that never answered: mostly it is not there, or called by a wrong name.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Why something did not work.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It may go well another time.
    Again(Error),
    /// It will not.
    Final(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// How often something was tried since it last came any further.
#[derive(Default)]
pub(super) struct Tries {
    tries: usize,
    far: usize,
}

impl Tries {
    /// Waits before one more try. It came so far with this one: a server that hangs up now and then is no reason to give
    /// up, as long as something comes of each connection.
    ///
    /// # Errors
    /// It was tried often enough: the error. Or somebody wants it to stop.
    pub(super) fn wait(&mut self, line: &Line, far: usize, error: Error) -> Result<()> {
        if far > self.far {
            *self = Self { tries: 0, far };
        }
        let wait = line.options.retries.get(self.tries).filter(|wait| line.worked || **wait <= FIRST_WAIT);
        self.tries += 1;
        match wait {
            Some(wait) => line.rest(*wait),
            None => Err(error),
        }
    }
}

/// The connection.
pub(super) struct Line {
    pub(super) options: Options,
    dialer: Option<Dialer>,
    session: Option<Session>,
    /// The server's name of the folder that is open, and what it said of it then.
    open: Option<(String, Selected)>,
    /// What went over this connection and is on the account.
    counted: Cell<Wire>,
    /// What may come, and has not come yet.
    promised: Cell<u64>,
    /// Whether the server took our login.
    worked: bool,
}

impl Line {
    pub(super) fn new(options: Options) -> Self {
        let (counted, promised) = (Cell::default(), Cell::default());
        Self { options, dialer: None, session: None, open: None, counted, promised, worked: false }
    }

    /// Where it leads, in words.
    pub(super) fn place(&self) -> &str {
        &self.options.name
    }

    /// Whether there is a connection that did not break.
    pub(super) fn is_up(&self) -> bool {
        self.session.as_ref().is_some_and(|session| !session.is_broken())
    }

    /// A connection that is logged in.
    pub(super) fn session(&mut self) -> Result<&mut Session, Trouble> {
        if self.session.as_ref().is_some_and(Session::is_broken) {
            self.hang_up();
        }
        let session = match self.session.take() {
            Some(session) => session,
            None => self.log_in()?,
        };
        Ok(self.session.insert(session))
    }

    fn log_in(&mut self) -> Result<Session, Trouble> {
        let dialer = match &self.dialer {
            Some(dialer) => dialer,
            None => {
                let secret = (self.options.secret)()?;
                let dialer = Dialer::new(self.options.account.clone(), secret);
                let stop = Stop::when(Arc::clone(&self.options.is_cancelled));
                self.dialer.insert(dialer.patience(self.options.patience).stop(stop))
            }
        };
        match dialer.open() {
            Ok(session) => {
                if !std::mem::replace(&mut self.worked, true) {
                    (self.options.heard)(&dialer.secret(), None);
                }
                Ok(session)
            }
            Err(Fault { kind: FaultKind::Login, error }) => {
                self.worked = false;
                (self.options.heard)(&dialer.secret(), Some(&error));
                // Whoever comes next asks for the secret anew, and hears whether it may be tried.
                self.dialer = None;
                Err(Trouble::Final(error))
            }
            Err(Fault { error, .. }) => Err(Trouble::Again(error)),
        }
    }

    /// Sees to it that a folder, by the server's name of it, is open, to read only. What is said of it may be old.
    pub(super) fn open(&mut self, name: &str, what: &str) -> Result<Selected, Trouble> {
        self.session()?;
        match &self.open {
            Some((open, selected)) if open == name => Ok(*selected),
            _ => self.open_anew(name, what),
        }
    }

    /// Opens a folder, to read only, even if it is open: what is said of it is new.
    pub(super) fn open_anew(&mut self, name: &str, what: &str) -> Result<Selected, Trouble> {
        self.open = None;
        let opened = self.session()?.examine_named(name);
        self.count();
        let selected = match opened {
            Ok(selected) => selected,
            Err(failed) => return Err(self.not_opened(failed, what)?),
        };
        self.open = Some((name.to_owned(), selected));
        Ok(selected)
    }

    /// Why a folder could not be opened. Words as of a spent budget may be about this folder, or stand in its name: they are
    /// about the account if the server refuses also what costs nothing.
    fn not_opened(&mut self, failed: Failed, what: &str) -> Result<Trouble, Trouble> {
        if let Failed::No(no) = &failed
            && no.meaning() == Meaning::Throttled
            && !no.is_spent()
            && self.session()?.noop().is_ok()
        {
            self.count();
            return Ok(Trouble::Again(Error::other(what).caused_by(no.text.clone())));
        }
        Ok(self.trouble(failed, what))
    }

    /// What a failure means.
    pub(super) fn trouble(&self, failed: Failed, what: &str) -> Trouble {
        match failed.meaning() {
            Meaning::Throttled => Trouble::Final(self.throttled(&failed.to_string())),
            Meaning::Later | Meaning::Unknown => Trouble::Again(failed.error(what)),
            _ => Trouble::Final(failed.error(what)),
        }
    }

    /// The server says that it is too much for now.
    pub(super) fn throttled(&self, words: &str) -> Error {
        self.options.budget.throttled().error(self.place()).caused_by(words.to_owned())
    }

    /// Whether so many bytes may come.
    pub(super) fn may_fetch(&self, bytes: u64) -> Result<()> {
        self.options.budget.may_fetch(bytes).map_err(|spent| spent.error(self.place()))?;
        self.promised.set(self.promised.get().saturating_add(bytes));
        Ok(())
    }

    /// Nothing more is under way: what was to come and did not may be fetched by others.
    fn release(&self) {
        match self.promised.take() {
            0 => {}
            left => self.options.budget.not_fetched(left),
        }
    }

    /// Whether it may go on.
    pub(super) fn check(&self) -> Result<()> {
        match (self.options.is_cancelled)() {
            true => Err(Error::new(Kind::Cancelled, format!("stopped while {} was read", self.place()))),
            false => Ok(()),
        }
    }

    /// Does something over the connection, and again if that may help.
    pub(super) fn attempt<T>(&mut self, mut work: impl FnMut(&mut Self) -> Result<T, Trouble>) -> Result<T> {
        let mut tries = Tries::default();
        loop {
            self.check()?;
            let done = work(self);
            self.count();
            match done {
                Ok(done) => return Ok(done),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Again(error)) => tries.wait(self, 0, error)?,
            }
        }
    }

    /// Waits, unless somebody wants it to stop.
    pub(super) fn rest(&self, mut left: Duration) -> Result<()> {
        while !left.is_zero() {
            self.check()?;
            let step = left.min(STEP);
            (self.options.sleep)(step);
            left -= step;
        }
        self.check()
    }

    /// Puts on the account what went over the connection since the last time.
    pub(super) fn count(&self) {
        if let Some(session) = &self.session {
            self.count_by(&session.meter());
        }
    }

    /// The same while the connection is at work, by its meter.
    pub(super) fn count_by(&self, meter: &Meter) {
        let (now, counted) = (meter.traffic(), self.counted.get());
        self.counted.set(now);
        self.promised.set(self.promised.get().saturating_sub(now.down - counted.down));
        self.options.budget.used(Traffic { up: now.up - counted.up, down: now.down - counted.down });
    }

    /// Lends the session to one who has to count and to look around while it works.
    pub(super) fn lend<T>(&mut self, work: impl FnOnce(&Self, &mut Session) -> T) -> Result<T, Trouble> {
        self.session()?;
        // It is back before anybody else looks for it.
        let Some(mut session) = self.session.take() else {
            return Err(Trouble::Again(Error::other(format!("{} has no connection", self.place()))));
        };
        let done = work(self, &mut session);
        self.session = Some(session);
        self.count();
        self.release();
        Ok(done)
    }

    fn hang_up(&mut self) {
        self.count();
        (self.session, self.open) = (None, None);
        self.counted.set(Wire::default());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.count();
        self.release();
        self.options.budget.settle();
    }
}

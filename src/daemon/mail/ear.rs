//! The thread that listens to one mailbox: connects, waits in its INBOX, and connects anew when that breaks.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::super::event::Event;
use super::super::work::Shared;
use super::known::Known;
use crate::error::{Error, Kind, Result};
use crate::mail::FaultKind;
use crate::mail::imap::{Cutter, Dialer, Failed, Session};
use crate::mutex::lock;
use crate::profile::Imap;
use crate::vault::login::Guard;

/// Where new mail comes in, at Gmail too.
const INBOX: &str = "INBOX";

/// How long one IDLE lasts at most. Servers hang up after 30 minutes (RFC 2177), routers forget a connection sooner; and
/// the end of each is answered, so a dead connection is found then.
const REARM: Duration = Duration::from_secs(10 * 60);

/// How often a server is asked that does not tell by itself.
const POLL: Duration = Duration::from_secs(5 * 60);

/// How long to rest after news: no server makes the loop hear more often, and a run waits longer for quiet anyway.
const REST: Duration = Duration::from_secs(1);

/// How long to wait before another connection; each wait is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// A connection that held for so long was a good one: after it the waits begin anew.
const STEADY: Duration = Duration::from_secs(60);

/// What the thread and the loop share.
pub(super) struct Common {
    /// The profiles that run when mail comes.
    pub profiles: Mutex<Vec<String>>,
    /// Why new mail is not heard of at once.
    pub polled: Mutex<Option<String>>,
    cutter: Mutex<Option<Cutter>>,
}

impl Common {
    pub fn new(account: &str, profiles: Vec<String>) -> Self {
        let polled = Some(format!("new mail in {account} is not heard of yet: it is being connected"));
        Self { profiles: Mutex::new(profiles), polled: Mutex::new(polled), cutter: Mutex::default() }
    }

    /// Cuts the connection, if there is one: the thread that waits on it wakes up.
    pub fn cut(&self) {
        if let Some(cutter) = &*lock(&self.cutter) {
            cutter.cut();
        }
    }
}

/// Why it does not listen any more.
enum End {
    /// Nobody wants it to.
    Unwanted,
    /// It is to connect anew at once.
    Again,
    /// Something went wrong.
    Trouble(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Trouble(error)
    }
}

/// The thread.
pub(super) struct Ear {
    shared: Shared,
    guard: Guard,
    common: Arc<Common>,
    pace: u32,
    /// What was seen of the folder; None: nothing yet.
    known: Option<Known>,
    /// The trouble that was told, so that it is told once.
    told: Option<String>,
    /// How long to wait before another connection, and since when this one is listened to.
    wait: Duration,
    since: Option<Instant>,
}

impl Ear {
    pub fn new(shared: Shared, account: &str, mailbox: &Imap, common: Arc<Common>, pace: u32) -> Self {
        let state = shared.state_dir.clone();
        let guard = Guard { state, account: account.to_owned(), mailbox: mailbox.clone() };
        let pace = pace.max(1);
        Self { shared, guard, common, pace, known: None, told: None, wait: FIRST_WAIT, since: None }
    }

    /// Listens until the other end of `woken` is gone.
    pub fn work(mut self, woken: &Receiver<()>) {
        loop {
            let end = std::panic::catch_unwind(AssertUnwindSafe(|| self.listen(woken)));
            *lock(&self.common.cutter) = None;
            let since = self.since.take();
            if since.is_some_and(|since| since.elapsed() >= STEADY / self.pace) {
                self.wait = FIRST_WAIT;
            }
            match end {
                Ok(End::Unwanted) => return,
                Ok(End::Again) => {
                    self.wait = FIRST_WAIT;
                    continue;
                }
                Ok(End::Trouble(error)) => self.tell(&error, since.is_some()),
                Err(_) => self.tell(&Error::other("postkeep itself failed; see its log"), false),
            }
            match woken.recv_timeout(self.wait / self.pace) {
                Ok(()) => self.wait = FIRST_WAIT,
                Err(RecvTimeoutError::Timeout) => self.wait = next_wait(self.wait),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Connects and listens, until something comes in between.
    fn listen(&mut self, woken: &Receiver<()>) -> End {
        match self.attend(woken) {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    fn attend(&mut self, woken: &Receiver<()>) -> std::result::Result<std::convert::Infallible, End> {
        let mut session = self.connect()?;
        *lock(&self.common.cutter) = session.cutter();
        // Who wanted to cut before it could be said how had left word.
        match woken.try_recv() {
            Ok(()) => return Err(End::Again),
            Err(TryRecvError::Disconnected) => return Err(End::Unwanted),
            Err(TryRecvError::Empty) => {}
        }
        let selected = session.examine(INBOX).map_err(|failed| self.failed(failed))?;
        // Of what came while nobody listened nobody heard.
        let news = self.known.as_ref().is_none_or(|known| known.is_older_than(&selected));
        let known = self.known.insert(Known::of(selected));
        let (mut count, mut idles) = (known.count(), session.can_idle());
        self.since = Some(Instant::now());
        self.listens(idles);
        if news {
            self.news();
        }
        loop {
            let waited = match idles {
                true => session.idle(&mut count, REARM / self.pace),
                false => {
                    self.rest(POLL, woken)?;
                    session.poll(&mut count)
                }
            };
            let came = count.take_came();
            if let Some(known) = &mut self.known {
                known.heard(count, came);
            }
            if came {
                self.news();
            }
            match waited {
                Ok(()) => {}
                // It offers what it does not do: it is asked instead.
                Err(Failed::No(_)) if idles => {
                    idles = false;
                    self.listens(idles);
                }
                Err(failed) => {
                    // One that was cut by us is no trouble.
                    self.rest(Duration::ZERO, woken)?;
                    return Err(self.failed(failed).into());
                }
            }
            if came {
                self.rest(REST, woken)?;
            }
        }
    }

    /// A session, logged in. A secret that was refused is not tried again until it is another one.
    fn connect(&self) -> Result<Session> {
        let secret = self.guard.secret()?;
        let dialer = Dialer::new(self.guard.mailbox.clone(), secret);
        let now = || self.shared.clock.now();
        match dialer.open() {
            Ok(session) => {
                self.guard.heard(&dialer.secret(), None, now());
                Ok(session)
            }
            Err(fault) => {
                if fault.kind == FaultKind::Login {
                    self.guard.heard(&dialer.secret(), Some(&fault.error), now());
                }
                Err(fault.error)
            }
        }
    }

    fn failed(&self, failed: Failed) -> Error {
        failed.error(format!("cannot wait for mail in INBOX at {}", self.guard.mailbox.server()))
    }

    /// Waits; who wakes it up ends it.
    fn rest(&self, wait: Duration, woken: &Receiver<()>) -> std::result::Result<(), End> {
        match woken.recv_timeout(wait / self.pace) {
            Ok(()) => Err(End::Again),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(End::Unwanted),
        }
    }

    /// Something came.
    fn news(&self) {
        for profile in lock(&self.common.profiles).iter() {
            let _ = self.shared.events.send(Event::NewMail(profile.clone()));
        }
    }

    /// It listens; `idles`: the server tells by itself.
    fn listens(&mut self, idles: bool) {
        let account = &self.guard.account;
        let minutes = POLL.as_secs() / 60;
        *lock(&self.common.polled) = (!idles).then(|| {
            format!("the server of {account} does not tell of new mail (no IDLE); it is asked every {minutes} minutes")
        });
        if self.told.take().is_some() {
            self.say("new mail is heard of again");
        }
    }

    /// It listens no more; `listened`: until now it did.
    fn tell(&mut self, error: &Error, listened: bool) {
        let why = error.one_line();
        let account = &self.guard.account;
        let again = match error.kind() {
            Kind::Login => "it is tried again when the secret is another one",
            _ => "it is tried again",
        };
        // A connection that breaks now and then is none of anybody's business.
        if !listened && self.told.as_ref() != Some(&why) {
            self.say(&format!("new mail is not heard of: {why}; {again}"));
            self.told = Some(why.clone());
        }
        *lock(&self.common.polled) = Some(format!("new mail in {account} is not heard of: {why}; {again}"));
    }

    fn say(&self, line: &str) {
        self.shared.journal.say(self.shared.clock.now(), &format!("{}: {line}", self.guard.account));
    }
}

/// The wait after this one.
fn next_wait(wait: Duration) -> Duration {
    wait.saturating_mul(2).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_grow_to_a_quarter_of_an_hour() {
        let waits: Vec<_> = std::iter::successors(Some(FIRST_WAIT), |wait| Some(next_wait(*wait)))
            .map(|wait| wait.as_secs())
            .take(12)
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
    }
}

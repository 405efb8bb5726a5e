//! Messages of a mailbox by POP3: one folder, whose messages are numbered anew in each session and named by UIDL.
//!
//! Nothing is deleted, and nothing may be deleted because of us: a session in which messages were fetched is dropped
//! without QUIT, unless the server says that it never deletes by itself (RFC 1939, 6; RFC 2449, 6.7).

mod far;
mod ids;
mod options;
mod take;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use self::far::Far;
pub use self::options::{Heard, Options};
use self::take::{Stop, Taking};
use super::source::{Folder, Listed, Listing, Mark, Refusal, Since, Source, Take, Unnamed};
use super::spool::Spool;
use crate::error::{Error, Kind, Result};
use crate::mail::pop3::{Dialer, Expire, Failed, Meaning, Session, Stop as Wish};
use crate::mail::{Fault, FaultKind};

/// The one folder of a mailbox.
const FOLDER: &str = "INBOX";

/// The longest wait for a server that never answered: mostly it is not there, or called by a wrong name.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// How often somebody who waits looks whether the run is cancelled.
const STEP: Duration = Duration::from_millis(200);

/// A mailbox as a source of messages.
pub struct Pop3 {
    options: Options,
    dialer: Option<Dialer>,
    /// Whether the server ever let us in.
    worked: bool,
    open: Option<Open>,
    /// What has no id, by the last list.
    unnamed: Vec<Unnamed>,
}

impl std::fmt::Debug for Pop3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pop3({})", self.options.name)
    }
}

/// A session, and what its numbers mean.
struct Open {
    session: Session,
    ids: Vec<(u32, String)>,
    sizes: HashMap<u32, u64>,
    /// Whether messages were fetched.
    read: bool,
}

/// Why something did not come about.
enum Trouble {
    /// It may go well another time.
    Again(Error),
    /// What the server says makes no sense. It hardly does so by accident.
    Odd(Error),
    /// It will not.
    Final(Error),
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Again(error) | Trouble::Odd(error) | Trouble::Final(error) => error,
        }
    }
}

impl Pop3 {
    /// A mailbox. It is connected to when it is asked for something, and again when a connection broke. The connection
    /// is kept until [`Pop3::close`] or the end, as some servers let one in only every few minutes; while it is there, no
    /// other program gets in.
    pub fn new(options: Options) -> Self {
        Self { options, dialer: None, worked: false, open: None, unnamed: Vec::new() }
    }

    /// Ends the session, so that other programs get in.
    pub fn close(&mut self) {
        if let Some(open) = self.open.take()
            && may_say_goodbye(open.read, open.session.offers().expire())
        {
            open.session.quit();
        }
    }

    /// The session that is open, or another one, tried as often as it is worth it.
    fn open(&mut self) -> Result<&mut Open> {
        let (mut tries, mut odd) = (0, false);
        while self.open.as_ref().is_none_or(|open| open.session.is_broken()) {
            self.open = None;
            match self.dial() {
                Ok(open) => self.open = Some(open),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Odd(error)) if odd => return Err(error),
                Err(trouble @ (Trouble::Again(_) | Trouble::Odd(_))) => {
                    odd = matches!(trouble, Trouble::Odd(_));
                    self.rest(tries, trouble.into())?;
                    tries += 1;
                }
            }
        }
        self.open.as_mut().ok_or_else(|| Error::other("there is no session"))
    }

    fn dial(&mut self) -> Result<Open, Trouble> {
        let dialer = match &self.dialer {
            Some(dialer) => dialer.clone(),
            None => {
                let secret = (self.options.secret)().map_err(Trouble::Final)?;
                let stop = Wish::when(Arc::clone(&self.options.is_cancelled));
                let new = Dialer::new(self.options.account.clone(), secret).patience(self.options.patience);
                self.dialer.insert(new.stop(stop)).clone()
            }
        };
        let mut session = match dialer.open() {
            Ok(session) => session,
            Err(Fault { kind: FaultKind::Login, error }) => {
                (self.options.heard)(&dialer.secret(), Some(&error));
                // Whoever comes next asks for the secret anew, and hears whether it may be tried.
                self.dialer = None;
                return Err(Trouble::Final(error));
            }
            Err(Fault { error, .. }) => return Err(Trouble::Again(error)),
        };
        if !std::mem::replace(&mut self.worked, true) {
            (self.options.heard)(&dialer.secret(), None);
        }
        let what = format!("cannot list the messages of {}", self.place());
        let listed = session.uidl().and_then(|ids| Ok((ids, session.list()?)));
        let (ids, sizes) = listed.map_err(|failed| trouble(failed, &what))?;
        let sizes: HashMap<u32, u64> = sizes.into_iter().collect();
        self.unnamed = ids::unnamed(FOLDER, &ids.odd);
        let ids = ids::keys(&ids.known, &sizes);
        Ok(Open { session, ids, sizes, read: false })
    }

    /// Waits before one more try after so many.
    ///
    /// # Errors
    /// It is not worth it: what went wrong last.
    fn rest(&self, tries: usize, why: Error) -> Result<()> {
        let wait = self.options.retries.get(tries).filter(|wait| self.worked || **wait <= FIRST_WAIT);
        let Some(wait) = wait else { return Err(why) };
        let mut left = *wait;
        while !left.is_zero() {
            self.check()?;
            let step = left.min(STEP);
            (self.options.sleep)(step);
            left -= step;
        }
        self.check()
    }

    fn check(&self) -> Result<()> {
        match (self.options.is_cancelled)() {
            true => Err(Error::new(Kind::Cancelled, "cancelled")),
            false => Ok(()),
        }
    }
}

impl Drop for Pop3 {
    fn drop(&mut self) {
        self.close();
    }
}

impl Source for Pop3 {
    fn place(&self) -> String {
        format!("pop3:{}", self.options.name)
    }

    fn folders(&mut self) -> Result<Vec<Folder>> {
        // Count and size of all messages together do not prove that they are the same.
        Ok(vec![Folder { path: FOLDER.into(), special: None, mark: None }])
    }

    fn unnamed(&mut self) -> Vec<Unnamed> {
        std::mem::take(&mut self.unnamed)
    }

    fn is_up(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.session.is_broken())
    }

    /// Everything that is in the mailbox, whatever was seen. Nobody has looked who sent a message, and when, and whether
    /// it is one of ours.
    fn list(&mut self, _: &Folder, _: Since) -> Result<Listing> {
        // What is in a session was there when it began: a new one may have more.
        self.close();
        let open = self.open()?;
        let listed = |(number, key): &(u32, String)| Listed {
            key: key.clone(),
            uid: *number,
            size: open.sizes.get(number).copied().unwrap_or(0),
            ..Listed::default()
        };
        let messages: Vec<_> = open.ids.iter().map(listed).collect();
        let mark = Mark { messages: u32::try_from(messages.len()).unwrap_or(u32::MAX), ..Mark::default() };
        Ok(Listing { mark, messages, ..Listing::default() })
    }

    fn fetch(&mut self, _: &Folder, messages: &[Listed], take: &mut Take<'_>) -> Result<()> {
        let mut spool = Spool::new(&self.options.spool);
        let mut far = Far::default();
        while far.done < messages.len() {
            self.check()?;
            let what = format!("cannot fetch messages of {}", self.place());
            let open = self.open()?;
            let numbers: HashMap<&str, u32> =
                open.ids.iter().map(|(number, key)| (key.as_str(), *number)).collect();
            let numbers = messages.iter().skip(far.done).map(|message| numbers.get(&*message.key).copied());
            let numbers: Vec<Option<u32>> = numbers.collect();
            spool.clear();
            let mut taking = Taking::new(&numbers, far.done, take, &mut spool);
            let asked: Vec<u32> = numbers.iter().copied().flatten().collect();
            open.read |= !asked.is_empty();
            let fetched = open.session.fetch(asked, &mut taking);
            // Those that are not there are no reason to try again.
            taking.rest()?;
            let (done, came, stopped) = taking.end();
            far.answered(done, came);
            let why = match (fetched, stopped) {
                (Ok(_), _) => continue,
                // It is the message that cannot be taken: the others can.
                (Err(_), Some(Stop::TooMuch(why))) => {
                    take(done, Err(Refusal::Refused(why)))?;
                    far.answered(done + 1, false);
                    continue;
                }
                (Err(failed), None) => match trouble(failed, &what) {
                    Trouble::Again(error) | Trouble::Odd(error) => error,
                    Trouble::Final(error) => return Err(error),
                },
                (Err(_), Some(Stop::Failed(error))) => return Err(error),
                (Err(_), Some(Stop::Later(no))) => Error::other(&*what).caused_by(no),
            };
            // A connection that we ended ourselves is not the message's fault.
            self.check()?;
            if far.broke() {
                take(done, Err(Refusal::Refused(why.one_line())))?;
                continue;
            }
            self.rest(far.tries, why)?;
            far.tries += 1;
        }
        Ok(())
    }
}

/// What a failure means for the next try.
fn trouble(failed: Failed, what: &str) -> Trouble {
    match (&failed, failed.meaning()) {
        (Failed::Here(_), _) => Trouble::Final(failed.error(what)),
        (Failed::Odd(_), _) => Trouble::Odd(failed.error(what)),
        (_, Meaning::Throttled) => Trouble::Final(
            Error::new(Kind::Paused, what)
                .caused_by(failed.to_string())
                .hint("the server allows only so much: it goes on later"),
        ),
        (_, Meaning::Denied | Meaning::Login) => Trouble::Final(failed.error(what)),
        (_, Meaning::InUse | Meaning::Later | Meaning::Unknown) => Trouble::Again(failed.error(what)),
    }
}

/// Whether a session may end with QUIT, after which a server may delete what was fetched in it. Who says nothing about
/// that may have a rule of its own, and the user may have made one.
fn may_say_goodbye(read: bool, expire: Option<Expire>) -> bool {
    match expire {
        Some(Expire::Never) => true,
        Some(Expire::WhenFetched | Expire::Days(_)) | None => !read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_deletes_because_of_us() {
        for (read, expire, may) in [
            (true, None, false),
            (true, Some(Expire::WhenFetched), false),
            (true, Some(Expire::Days(7)), false),
            (true, Some(Expire::Never), true),
            (false, Some(Expire::WhenFetched), true),
            (false, None, true),
        ] {
            assert_eq!(may_say_goodbye(read, expire), may, "{read} {expire:?}");
        }
    }
}

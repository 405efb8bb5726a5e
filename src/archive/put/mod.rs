//! Archived messages back to a server: each once, with its flags, date and folder, however often it is tried.
//!
//! ```text
//! messages -> folder at the target -> what is there already? -> APPEND -> after a lost answer: what is there now?
//! ```
//!
//! Nothing is remembered between two runs: the folder itself says what is there. A message that the server refuses is a
//! failure by name, and the others go on.

mod batch;
mod body;
mod flags;
mod gmail;
mod identity;
mod open;
mod plan;
mod rivals;
mod route;
mod send;
mod sift;
mod tally;
mod target;
mod there;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub use self::body::Bodies;
pub use self::gmail::unknown_folder;
use self::identity::Identity;
pub use self::plan::Planned;
pub use self::rivals::{Rivals, Survey};
use self::rivals::{Settled, Standing};
use self::route::Routes;
use self::tally::Tally;
pub use self::target::Target;
use self::there::There;
use super::stored::Stored;
use crate::error::{Error, Kind, Result};
use crate::failures::{self, Failures};
use crate::mail::imap::{Folder, Session};
use crate::progress::Meter;
use crate::run::Severity;
use crate::vault::store::mailbox::Spent;

/// What to do where the target takes no more for now.
pub const LATER: &str = "what was put stays there; put the rest then with the same command";

/// How many keywords that were not kept are told by name.
const MOST_DROPPED: usize = 20;

/// What became of it all.
#[derive(Debug, Default)]
pub struct Done {
    /// Messages that were put.
    pub put: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that were there already.
    pub present: u64,
    /// Folders that were made.
    pub made: Vec<String>,
    /// How often a flag was left out because the server does not keep it.
    pub dropped: u64,
    /// Some of those flags.
    pub dropped_flags: BTreeSet<String>,
    /// Messages that could not be put; warnings are those that may be there already.
    pub failures: Failures,
}

/// Puts messages, in as many calls as there are batches of them.
pub struct Putting<'a> {
    target: Target,
    meter: &'a Meter,
    session: Option<Session>,
    tally: Tally,
    /// Whether the server took our login.
    worked: bool,
    /// Folders of the target, when they were first asked for.
    folders: Option<Vec<Folder>>,
    /// By path at the target, before it was made to fit.
    known: HashMap<String, Known>,
    /// Of which messages of the call at hand it is known what became of them.
    settled: Vec<bool>,
    done: Done,
}

/// A folder of the target.
#[derive(Default)]
struct Known {
    /// Its path there.
    path: String,
    exists: bool,
    validity: u32,
    /// What is below this UID was looked at.
    next: u32,
    there: There,
    /// The flags that it keeps.
    permanent: Option<Vec<String>>,
    /// UIDs of what we put since it was looked at, and what we put without being told its UID.
    put: BTreeSet<u32>,
    put_unseen: Vec<Identity>,
    /// What was sent again after a lost answer, and the UID that it got.
    resent: Vec<(Identity, Standing, u32)>,
    /// Messages with rivals that are there.
    settled: Settled,
}

impl<'a> Putting<'a> {
    /// Begins. Nothing is connected before something is asked. `meter` counts what is put, and says when to stop: then
    /// calls end early, and that is no error.
    pub fn new(target: Target, meter: &'a Meter) -> Self {
        let (known, settled, done) = (HashMap::new(), Vec::new(), Done::default());
        let tally = Tally::new(Arc::clone(&target.budget));
        Self { target, meter, session: None, tally, worked: false, folders: None, known, settled, done }
    }

    /// Begins to look through the archive that messages are put from.
    ///
    /// # Errors
    /// As of [`Putting::put`]: which folders the target has says where a message goes.
    pub fn survey(&mut self) -> Result<Survey> {
        Ok(Survey::new(self.routes()?))
    }

    /// Puts messages. It may be called with a batch after the other; those of one folder together make it quick. `rivals`
    /// are those of the whole archive: what this call, or this run, is not about may be there already as well.
    ///
    /// # Errors
    /// The target takes no more, cannot be reached, refuses the login, or wants to be left alone
    /// ([`Kind::Paused`]). What was put stays, and counts in [`Putting::finish`].
    pub fn put(&mut self, messages: &[Stored], rivals: &Rivals, bodies: &mut dyn Bodies) -> Result<()> {
        self.settled = vec![false; messages.len()];
        for (folder, messages) in self.by_folder(messages)? {
            if self.meter.is_cancelled() {
                return Ok(());
            }
            match self.put_into(&folder, &messages, rivals, bodies) {
                Ok(()) => {}
                // A folder that cannot be had, or not any more, is the failure of what was still to go there.
                Err(error) if error.kind() == Kind::Usage => {
                    for (at, message) in messages {
                        if self.settled.get(at) == Some(&false) {
                            self.fail(at, message, &error.one_line());
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What became of it all.
    pub fn finish(mut self) -> Done {
        if let Some(session) = self.session.take() {
            session.logout();
        }
        self.done.failures.finish();
        self.done
    }

    /// Messages and their places among all, by their folder at the target.
    fn by_folder<'m>(
        &mut self,
        messages: &'m [Stored],
    ) -> Result<BTreeMap<String, Vec<(usize, &'m Stored)>>> {
        let routes = self.routes()?;
        let mut by_folder: BTreeMap<String, Vec<(usize, &Stored)>> = BTreeMap::new();
        for (at, message) in messages.iter().enumerate() {
            by_folder.entry(routes.folder(message)).or_default().push((at, message));
        }
        Ok(by_folder)
    }

    fn routes(&mut self) -> Result<Routes> {
        let folders = self.folders()?.to_vec();
        Ok(Routes { folders, under: self.target.under.clone(), apart: self.target.apart })
    }

    /// It is put.
    fn count(&mut self, folder: &str, (at, message): (usize, &Stored), rivals: &Rivals) {
        self.is_in(folder, message, rivals);
        self.settle_one(at);
        self.done.put += 1;
        self.done.bytes += message.size;
        self.meter.file();
        self.meter.bytes(message.size);
    }

    /// It was there.
    fn present(&mut self, folder: &str, (at, message): (usize, &Stored), rivals: &Rivals) {
        self.is_in(folder, message, rivals);
        self.settle_one(at);
        self.done.present += 1;
    }

    fn is_in(&mut self, folder: &str, message: &Stored, rivals: &Rivals) {
        if let Some(known) = self.known.get_mut(folder) {
            rivals.settle(folder, message, &mut known.settled);
        }
    }

    /// It cannot be put.
    fn fail(&mut self, at: usize, message: &Stored, why: &str) {
        self.settle_one(at);
        self.done.failures.add(failures::said(Severity::Error, &message.title(), why, None));
    }

    /// It may be there.
    fn unsure(&mut self, at: usize, message: &Stored) {
        self.settle_one(at);
        self.done.failures.add(failures::said(Severity::Warning, &message.title(), sift::EITHER, None));
    }

    fn settle_one(&mut self, at: usize) {
        if let Some(settled) = self.settled.get_mut(at) {
            *settled = true;
        }
    }

    fn drop_flags(&mut self, had: &[String], kept: &[String], count: usize) {
        self.done.dropped += count as u64;
        if count > 0 {
            let lost = had.iter().filter(|flag| !kept.iter().any(|kept| kept.eq_ignore_ascii_case(flag)));
            for flag in lost.filter(|flag| !flag.eq_ignore_ascii_case("\\Recent")) {
                if self.done.dropped_flags.len() < MOST_DROPPED {
                    self.done.dropped_flags.insert(crate::entry::show(flag.as_bytes()));
                }
            }
        }
    }

    fn place(&self) -> String {
        format!("imap:{}", self.target.dialer.account().server())
    }

    /// The server says that it is too much for now.
    fn throttled(&self, why: String) -> Error {
        self.paused(self.tally.throttled()).caused_by(why)
    }

    fn paused(&self, spent: Spent) -> Error {
        spent.error(&self.place()).hint(LATER)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::archive::marks::Marks;
    use crate::archive::path::Place;

    /// A message with a number.
    pub(in crate::archive) fn message(number: u32, subject: &str) -> Stored {
        let date = jiff::Timestamp::UNIX_EPOCH;
        let place = Place { account: "a".into(), folder: "INBOX".into(), date, key: number.to_string() };
        let marks =
            Marks { subject: subject.into(), message_id: Some(format!("<{number}@x>")), ..Marks::default() };
        Stored { place, marks, size: 10 }
    }
}

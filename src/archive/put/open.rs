//! The way to a folder of the target: connections, folders that are made, what is in them.

use std::time::Duration;

use super::identity::{Identity, Read, id_of_header, is_deleted};
use super::rivals::Settled;
use super::there::{Entry, SLACK, There};
use super::{Known, Putting, route};
use crate::error::{Error, Kind, Result};
use crate::mail::FaultKind;
use crate::mail::imap::{Failed, Folder, Item, Meaning, Session};

/// The most messages of one size without a Message-ID that are fetched to compare them.
const MOST_READ: usize = 1000;

/// How often somebody who waits looks whether he is to stop.
const STEP: Duration = Duration::from_millis(100);

/// What is asked of each message that is there.
const ITEMS: [Item; 4] = [Item::Size, Item::InternalDate, Item::Flags, Item::Fields(&["MESSAGE-ID"])];

impl Putting<'_> {
    /// Does something over a connection; over a new one, after a while, if that breaks or the server says "later".
    ///
    /// # Errors
    /// Of [`Kind::Usage`]: the server says no to this alone. Others: nothing more goes.
    pub(super) fn patiently<T>(
        &mut self,
        what: &str,
        mut work: impl FnMut(&mut Session) -> std::result::Result<T, Failed>,
    ) -> Result<T> {
        let mut tries = 0;
        loop {
            let done = self.connect().map(&mut work);
            self.tally.count();
            let error = match done {
                Ok(done) => match done {
                    Ok(done) => return Ok(done),
                    Err(failed) => {
                        let meaning = failed.meaning();
                        let plain = matches!(failed, Failed::No(_));
                        let said = failed.to_string();
                        let error = failed.error(what);
                        match meaning {
                            Meaning::Throttled => return Err(self.throttled(said)),
                            Meaning::Later => error,
                            Meaning::OverQuota | Meaning::Login => return Err(error),
                            _ if plain => return Err(Error::new(Kind::Usage, error.one_line())),
                            _ => return Err(error),
                        }
                    }
                },
                Err(error) if error.kind() == Kind::Login => return Err(error),
                Err(error) => error,
            };
            self.hang_up();
            if !self.wait(tries) {
                return Err(error);
            }
            tries += 1;
        }
    }

    /// Waits before another try after so many; whether that is worth it.
    pub(super) fn wait(&self, tries: usize) -> bool {
        let Some(wait) = self.target.retries.get(tries) else { return false };
        self.rest(*wait)
    }

    /// Waits, unless it is to stop; whether it is not.
    pub(super) fn rest(&self, mut left: Duration) -> bool {
        while !left.is_zero() && !self.meter.is_cancelled() {
            let step = left.min(STEP);
            (self.target.sleep)(step);
            left -= step;
        }
        !self.meter.is_cancelled()
    }

    /// The next connection is a new one.
    pub(super) fn hang_up(&mut self) {
        self.session = None;
        self.tally.count();
    }

    fn connect(&mut self) -> Result<&mut Session> {
        if self.session.as_ref().is_none_or(Session::is_broken) {
            let dialer = &self.target.dialer;
            let opened = dialer.open().map_err(|fault| match fault.kind {
                FaultKind::Login => {
                    (self.target.heard)(&dialer.secret(), Some(&fault.error));
                    match fault.error.kind() {
                        Kind::Login => fault.error,
                        _ => Error::new(Kind::Login, fault.error.one_line()),
                    }
                }
                _ => fault.error,
            })?;
            if !std::mem::replace(&mut self.worked, true) {
                (self.target.heard)(&dialer.secret(), None);
            }
            self.tally.begin(&opened);
            self.session = Some(opened);
        }
        self.session.as_mut().ok_or_else(|| Error::other("there is no connection"))
    }

    /// The target's folders.
    pub(super) fn folders(&mut self) -> Result<&[Folder]> {
        if self.folders.is_none() {
            let what = format!("cannot list the folders at {}", self.place());
            let listed = self.patiently(&what, |session| session.folders(false));
            // Without a list nothing can be done at all.
            self.folders = Some(listed.map_err(|error| match error.kind() {
                Kind::Usage => Error::other(error.one_line()),
                _ => error,
            })?);
        }
        Ok(self.folders.as_deref().unwrap_or_default())
    }

    /// A folder, looked through; made first, if that is wanted and it is not there.
    ///
    /// # Errors
    /// Of [`Kind::Usage`]: this folder alone cannot be had. Others: nothing can.
    pub(super) fn open(&mut self, folder: &str, make: bool) -> Result<&mut Known> {
        if !self.known.contains_key(folder) {
            let (path, exists) = self.find(folder, make)?;
            let known = Known { path, exists, next: 1, ..Known::default() };
            self.known.insert(folder.to_owned(), known);
            if exists && let Err(error) = self.look(folder) {
                self.known.remove(folder);
                return Err(error);
            }
        }
        self.known.get_mut(folder).ok_or_else(|| Error::other("a folder is not known that was just opened"))
    }

    /// The path at the target for a folder, and whether it is there: the first that is, or can be made.
    fn find(&mut self, folder: &str, make: bool) -> Result<(String, bool)> {
        let mut refused = Error::new(Kind::Usage, "the server can have no folder of this name");
        let mut first = None;
        for path in route::candidates(folder) {
            let what = format!("cannot ask for the names of folders at {}", self.place());
            if !self.patiently(&what, |session| session.can_have(&path))? {
                continue;
            }
            let same = |known: &Folder| {
                known.path == path || (path == "INBOX" && known.path.eq_ignore_ascii_case(&path))
            };
            if self.folders()?.iter().any(|folder| same(folder) && folder.selectable) {
                return Ok((path, true));
            }
            if !make {
                first.get_or_insert(path);
                continue;
            }
            match self.make(&path) {
                Ok(()) => return Ok((path, true)),
                Err(error) if error.kind() == Kind::Usage => refused = error,
                Err(error) => return Err(error),
            }
        }
        first.map(|path| (path, false)).ok_or(refused)
    }

    /// Makes a folder, and those that it is in.
    ///
    /// # Errors
    /// As of [`Putting::open`].
    pub(super) fn make(&mut self, path: &str) -> Result<()> {
        let what = format!("cannot make the folder {path} at {}", self.place());
        let made = self.patiently(&what, |session| {
            let created = match session.create(path) {
                Err(Failed::No(no)) if !matches!(no.meaning(), Meaning::Throttled | Meaning::Later) => {
                    // Some servers make no folder in a folder that is not there.
                    for (at, _) in path.match_indices('/') {
                        match session.create(path.get(..at).unwrap_or_default()) {
                            Ok(()) | Err(Failed::No(_)) => {}
                            Err(failed) => return Err(failed),
                        }
                    }
                    session.create(path).or(Err(Failed::No(no)))
                }
                other => other,
            };
            let result = match created {
                Ok(()) => Ok(true),
                // It may be there all the same: somebody made it, or a list did not tell.
                Err(Failed::No(no)) => match session.select(path) {
                    Ok(_) => Ok(false),
                    Err(Failed::No(_)) => return Err(Failed::No(no)),
                    Err(failed) => return Err(failed),
                },
                Err(failed) => return Err(failed),
            };
            // Mail programs show it then. A no is no harm.
            match session.subscribe(path) {
                Ok(()) | Err(Failed::No(_)) => result,
                Err(failed) => Err(failed),
            }
        });
        if made? {
            self.done.made.push(path.to_owned());
        }
        Ok(())
    }

    /// Opens a folder and takes in what came into it since it was last looked at.
    pub(super) fn look(&mut self, folder: &str) -> Result<()> {
        let Some(known) = self.known.get(folder) else { return Ok(()) };
        let (path, first, validity) = (known.path.clone(), known.next, known.validity);
        let what = format!("cannot look into the folder {path} at {}", self.place());
        let (selected, permanent, first, found) = self.patiently(&what, |session| {
            let (selected, permanent) = session.select_for_flags(&path)?;
            // With other UIDs all is looked at anew.
            let first = if selected.uid_validity == validity { first } else { 1 };
            let mut found = Vec::new();
            if selected.messages > 0 && selected.uid_next.is_none_or(|next| next > first) {
                session.fetch_from(first, &ITEMS, |message| {
                    if let Some(uid) = message.uid {
                        let id = message.header.as_deref().and_then(id_of_header);
                        let (size, date) = (message.size.unwrap_or_default(), message.internal_date);
                        let deleted = is_deleted(&message.flags.unwrap_or_default());
                        found.push(Entry { uid, id, size, date, deleted });
                    }
                })?;
            }
            Ok((selected, permanent, first, found))
        })?;
        if selected.read_only {
            return Err(Error::new(
                Kind::Usage,
                format!("the folder {path} at {} can only be read", self.place()),
            ));
        }
        let Some(known) = self.known.get_mut(folder) else { return Ok(()) };
        if first == 1 {
            known.there = There::default();
        }
        if selected.uid_validity != known.validity {
            known.put.clear();
            known.settled = Settled::default();
        }
        let last = found.iter().map(|entry| entry.uid.saturating_add(1)).max().unwrap_or(first);
        known.next = selected.uid_next.unwrap_or(first).max(last).max(1);
        known.validity = selected.uid_validity;
        known.permanent = permanent;
        let put = std::mem::take(&mut known.put);
        found.into_iter().filter(|entry| !put.contains(&entry.uid)).for_each(|entry| known.there.add(entry));
        // What we put and were told no UID of is there, and is none of those that we look for.
        for ours in std::mem::take(&mut known.put_unseen) {
            known.there.take_alike(&ours);
        }
        Ok(())
    }

    /// Takes a message out of what is there; whether it is. Messages that may be it are fetched: what names a message is
    /// written by strangers, and its content alone tells.
    pub(super) fn is_there(&mut self, folder: &str, ours: &Identity) -> Result<bool> {
        self.read_alike(folder, ours)?;
        Ok(self.known.get_mut(folder).is_some_and(|known| known.there.take(ours)))
    }

    /// Fetches those messages that can be this one by all that is known of them.
    fn read_alike(&mut self, folder: &str, ours: &Identity) -> Result<()> {
        let Some(known) = self.known.get_mut(folder) else { return Ok(()) };
        let (path, validity) = (known.path.clone(), known.validity);
        let mut uids = known.there.unread(ours);
        uids.truncate(MOST_READ);
        if uids.is_empty() {
            return Ok(());
        }
        let bytes = ours.size.saturating_mul(uids.len() as u64);
        self.tally.may_fetch(bytes).map_err(|spent| self.paused(spent))?;
        let what = format!("cannot read messages in the folder {path} at {}", self.place());
        let mut found = Vec::new();
        self.patiently(&what, |session| {
            found.clear();
            // Another folder may be open, and another connection.
            if session.select(&path)?.uid_validity != validity {
                return Ok(());
            }
            for uid in &uids {
                let body = match session.fetch_one(*uid, Item::Message, 2 * ours.size + SLACK) {
                    // One that is larger than it says is another one, and costs the connection.
                    Err(Failed::Here(_)) => return Ok(()),
                    body => body?,
                };
                found.extend(body.map(|body| (*uid, Read::of(&body))));
            }
            Ok(())
        })?;
        let Some(known) = self.known.get_mut(folder) else { return Ok(()) };
        found.into_iter().for_each(|(uid, read)| known.there.learn(uid, read));
        Ok(())
    }
}

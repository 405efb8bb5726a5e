//! Asking the server what is new, and what is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::map::{Map, Message};
use super::read::fetch;
use super::{Inner, Lease, send};
use crate::error::{Error, Result};
use crate::mail::imap::{Appended, Failed, Fetched, Item, Selected};
use crate::mutex::lock;
use crate::vault::store::letter::{self, Head, VaultId};
use crate::vault::store::taken;

/// The fields that say whose a message is.
pub(super) const WHOSE: Item = Item::Fields(&["MESSAGE-ID", "X-POSTKEEP-OBJECT"]);

/// What is asked of messages that are new.
const ITEMS: [Item; 2] = [Item::Size, WHOSE];

/// The most messages that a folder is believed to have: they are held in memory.
const MOST: usize = 4 << 20;

/// The largest message that is looked into.
const HELD: u64 = 256 << 20;

/// How often it is asked for what it left out.
const ROUNDS: usize = 3;

/// For so long a look at the folder counts as a look at this moment: as if it had been begun so much earlier.
const LATELY: Duration = Duration::from_secs(2);

impl Inner {
    /// Whether the folder was looked at just now.
    pub(super) fn has_looked(&self) -> bool {
        lock(&self.looked).is_some_and(|at| at.elapsed() < LATELY)
    }

    /// Brings the map up to date. A folder that is not there has no messages.
    pub(super) fn refresh(&self) -> Result<()> {
        let begun = Instant::now();
        let looked = self.attempt("look through", |lease| match lease.fresh.take() {
            Some(selected) => self.refresh_from(lease, Some(selected)),
            None => self.refresh_over(lease),
        })?;
        *lock(&self.looked) = Some(begun);
        match (looked, &mut *self.map()) {
            (None, Some(map)) if map.catalogue.letters().next().is_some() => {
                // To say that there is nothing would have somebody begin anew.
                Err(self.no_folder())
            }
            (None, map) => {
                *map = None;
                Ok(())
            }
            (Some(()), _) => Ok(()),
        }
    }

    /// Brings the map up to date over this connection.
    pub(super) fn refresh_over(&self, lease: &mut Lease<'_>) -> Result<(), Failed> {
        self.refresh_from(lease, None)
    }

    /// The same, from what the server said when the folder was opened just now.
    fn refresh_from(&self, lease: &mut Lease<'_>, opened: Option<Selected>) -> Result<(), Failed> {
        let _only_one = lock(&self.asking);
        // What is known before the server is asked: others may learn more meanwhile.
        let (next, ahead) = self.map().as_ref().map_or((1, Vec::new()), |map| (map.next(), map.ahead()));
        // Whoever learnt more meanwhile is right.
        let selected = match opened.filter(|opened| opened.uid_next.is_some_and(|uid| uid >= next)) {
            Some(opened) => opened,
            None => lease.session.select(&self.folder)?,
        };
        lease.validity = selected.uid_validity;
        let (first, before) = {
            let mut map = self.map();
            // UIDs never go down but where a server was put back to what it was before.
            let same = map.as_ref().is_some_and(|map| map.validity == selected.uid_validity)
                && selected.uid_next.is_none_or(|uid| uid >= next);
            if !same {
                // All UIDs mean something else now.
                *map = Some(Map::new(selected.uid_validity));
                *lock(&self.looked) = None;
            }
            map.as_ref().map_or((1, 0), |map| (map.next(), map.count()))
        };
        let mut came = BTreeMap::new();
        if selected.messages > 0 && selected.uid_next != Some(first) {
            lease.session.fetch_from(first, &ITEMS, |message| take(&mut came, &message))?;
        }
        let mut there = None;
        if before + came.len() != selected.messages as usize {
            there = Some(self.complete(lease, &mut came)?);
        }
        let is_there =
            |uid: &u32| came.contains_key(uid) || there.as_ref().is_some_and(|it| it.contains(uid));
        let gone: Vec<u32> = ahead.into_iter().filter(|uid| *uid >= first && !is_there(uid)).collect();
        let came = sift(lease, came.into_values())?;
        let vaults: BTreeSet<VaultId> =
            came.iter().filter_map(|message| Some(message.head?.vault())).collect();
        let mut map = self.map();
        let Some(map) = map.as_mut().filter(|map| map.validity == selected.uid_validity) else {
            return Ok(());
        };
        if let Some(there) = there {
            map.retain(&there, first);
        }
        gone.into_iter().for_each(|uid| map.forget(uid));
        let some = map.read_me.is_some() || map.catalogue.letters().next().is_some();
        let vault = self.which.settle(&self.place, &vaults, some).map_err(Failed::Here)?;
        map.take(&came, vault, true);
        Ok(())
    }

    /// Sees to it that every message of the folder is known or came: a server may leave out some of what it was asked
    /// for, and who believes a list that is not whole takes what is in use for rubbish. Gives what is there.
    fn complete(
        &self,
        lease: &mut Lease<'_>,
        came: &mut BTreeMap<u32, (Message, u64)>,
    ) -> Result<BTreeSet<u32>, Failed> {
        for round in 0..ROUNDS {
            if round > 0 {
                // An answer may wait until the server has looked at the folder again.
                lease.session.noop()?;
            }
            let mut uids = BTreeSet::new();
            lease.session.fetch_from(1, &[], |message| {
                uids.extend(message.uid.filter(|_| uids.len() < MOST));
            })?;
            let missing: Vec<u32> = {
                let map = self.map();
                let knows = |uid: &u32| map.as_ref().is_some_and(|map| map.knows(*uid));
                uids.iter().filter(|uid| !came.contains_key(uid) && !knows(uid)).copied().collect()
            };
            if missing.is_empty() {
                return Ok(uids);
            }
            for message in lease.session.fetch_all(&missing, &ITEMS)? {
                take(came, &message);
            }
        }
        Err(Failed::Broken {
            why: "the server does not tell what all messages in the folder are".into(),
            bye: None,
        })
    }

    /// Puts the first message there, if it is not there.
    pub(super) fn append_read_me(&self, text: Vec<u8>) -> Result<()> {
        let there = || self.map().as_ref().is_some_and(|map| map.read_me.is_some());
        let done = self.attempt("write into", |lease| {
            // Whether an earlier try went well is seen in the folder.
            self.refresh_over(lease)?;
            if !there() {
                let letter = send::outgoing(text.clone());
                let (results, failed) = lease.session.append_all(&self.folder, vec![letter]);
                failed.map_or(Ok(()), Err)?;
                if let Some(Appended::Refused { no, .. }) = results.into_iter().next() {
                    return Err(Failed::No(no));
                }
                self.refresh_over(lease)?;
            }
            Ok(())
        })?;
        match done {
            Some(()) if there() => Ok(()),
            Some(()) => Err(Error::other(format!("{} does not keep what it takes", self.place))),
            None => Err(self.no_folder()),
        }
    }

    /// Takes the first message of a new vault away again, if another vault was begun here a moment earlier.
    pub(super) fn give_way(&self) -> Result<()> {
        let first = || self.map().as_ref().and_then(|map| Some((map.read_me?, map.stranger?)));
        let Some((ours, _)) = first().filter(|(ours, theirs)| theirs < ours) else { return Ok(()) };
        self.attempt("remove messages from", |lease| lease.session.expunge(&[ours]))?;
        Err(taken(&self.place))
    }

    /// Makes the folder, if it is not there, on a server that can do what is needed.
    pub(super) fn make_folder(&self) -> Result<()> {
        self.patiently(|| self.pool.make_folder())?
            .ok_or_else(|| Error::other(format!("the folder of {} was made, and is not there", self.place)))
    }
}

/// Messages, as the server tells of them. Of those that look too short for what they say is seen what they carry: some
/// servers keep half of a message, and others keep it in other words.
fn sift(
    lease: &mut Lease<'_>,
    fetched: impl ExactSizeIterator<Item = (Message, u64)>,
) -> Result<Vec<Message>, Failed> {
    let mut messages = Vec::with_capacity(fetched.len());
    for (mut message, size) in fetched {
        if let Some(Head::Object(label)) = message.head {
            let expected = letter::size(&label);
            if size < expected {
                // Not every server counts all that it sends.
                let text = match expected <= HELD {
                    true => fetch(lease, message.uid, Item::Message, 2 * expected + 4096)?,
                    false => None,
                };
                let carries = text.and_then(|text| Some(letter::read(&text)?.0));
                message.head = message.head.filter(|_| carries == Some(label));
            }
        }
        messages.push(message);
    }
    Ok(messages)
}

/// Takes a message and its size, as the server tells of it. Without its fields nothing is told of it.
fn take(came: &mut BTreeMap<u32, (Message, u64)>, message: &Fetched) {
    if let (Some(uid), Some(header)) = (message.uid.filter(|_| came.len() < MOST), &message.header) {
        let head = letter::parse(header);
        came.insert(uid, (Message { uid, head }, message.size.unwrap_or(0)));
    }
}

//! Asking the server what is new, and what is gone.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::map::{Map, Message};
use super::{Inner, Lease, Trouble, send};
use crate::error::{Error, Result};
use crate::mail::imap::{Appended, Failed, Fetched, Item};
use crate::vault::store::letter::{self, VaultId};

/// What is asked of messages that are new.
const ITEMS: [Item; 2] = [Item::Size, Item::Fields(&["MESSAGE-ID", "X-POSTKEEP-OBJECT"])];

impl Inner {
    /// Brings the map up to date. A folder that is not there has no messages.
    pub(super) fn refresh(&self) -> Result<()> {
        match self.attempt("look through", |lease| self.refresh_over(lease))? {
            Some(()) => {}
            None => *self.map() = None,
        }
        Ok(())
    }

    /// Brings the map up to date over this connection.
    pub(super) fn refresh_over(&self, lease: &mut Lease<'_>) -> Result<(), Failed> {
        let _only_one = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let selected = lease.session.select(&self.folder)?;
        lease.validity = selected.uid_validity;
        let (first, before) = {
            let mut map = self.map();
            if map.as_ref().is_none_or(|map| map.validity != selected.uid_validity) {
                // All UIDs mean something else now.
                *map = Some(Map::new(selected.uid_validity));
            }
            map.as_ref().map_or((1, 0), |map| (map.next(), map.count()))
        };
        let mut came = Vec::new();
        if selected.messages > 0 && selected.uid_next != Some(first) {
            lease.session.fetch_from(first, &ITEMS, |message| came.extend(read(&message)))?;
        }
        let mut there = None;
        if before + came.len() != selected.messages as usize && before > 0 {
            let mut uids = BTreeSet::new();
            if selected.messages > 0 {
                lease.session.fetch_from(1, &[], |message| uids.extend(message.uid))?;
            }
            let overlooked = |map: &Map| uids.range(..first).any(|uid| !map.knows(*uid));
            if self.map().as_ref().is_some_and(overlooked) {
                // What is known is not true. It is found out anew.
                came.clear();
                lease.session.fetch_from(1, &ITEMS, |message| came.extend(read(&message)))?;
            }
            there = Some(uids);
        }
        let vaults: BTreeSet<VaultId> =
            came.iter().filter_map(|message| Some(message.head?.vault())).collect();
        let vault = self.which.settle(&self.place, &vaults).map_err(Failed::Here)?;
        if let Some(map) = self.map().as_mut().filter(|map| map.validity == selected.uid_validity) {
            if let Some(there) = there {
                map.retain(&there, first);
            }
            map.take(&came, vault, true);
        }
        Ok(())
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

    /// Makes the folder, if it is not there, on a server that can do what is needed.
    pub(super) fn make_folder(&self) -> Result<()> {
        let mut waits = self.retries.iter();
        loop {
            match self.pool.make_folder() {
                Ok(()) => return Ok(()),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Again(error)) => {
                    if !self.waited(waits.next()) {
                        return Err(error);
                    }
                }
                Err(Trouble::NoFolder) => {
                    let what = format!("the folder of {} was made, and is not there", self.place);
                    return Err(Error::other(what));
                }
            }
        }
    }
}

/// A message, as the server tells of it.
fn read(message: &Fetched) -> Option<Message> {
    let head = message.header.as_deref().and_then(letter::parse);
    Some(Message { uid: message.uid?, size: message.size.unwrap_or(0), head })
}

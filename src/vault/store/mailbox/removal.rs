//! Removing objects: their letters alone, and for good.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::map::Map;
use super::refresh::WHOSE;
use super::{Inner, Lease};
use crate::error::{Error, Result};
use crate::mail::imap::{Failed, Special};
use crate::mutex::lock;
use crate::vault::store::letter::{self, Head, Label};
use crate::vault::store::{Id, Kind};

impl Inner {
    /// Removes objects, with every double of theirs.
    pub(super) fn remove(&self, kind: Kind, ids: &[Id]) -> Result<()> {
        if ids.is_empty() && kind != Kind::Pack {
            return Ok(());
        }
        self.remove_those(|map| {
            let of = |id: &Id| map.catalogue.all(kind, id);
            let mut uids: Vec<u32> = ids.iter().flat_map(of).collect();
            if kind == Kind::Pack {
                // What a repeated upload left.
                uids.extend(map.catalogue.doubles());
            }
            uids
        })?;
        self.save();
        Ok(())
    }

    /// Removes letters of the map at hand.
    pub(super) fn expunge(&self, uids: &[u32]) -> Result<()> {
        if uids.is_empty() {
            return Ok(());
        }
        let validity = self.map().as_ref().map(|map| map.validity);
        // With another UIDVALIDITY they are other messages.
        self.remove_those(|map| if Some(map.validity) == validity { uids.to_vec() } else { Vec::new() })
    }

    /// Removes letters as the map has them when it is up to date.
    fn remove_those(&self, which: impl Fn(&Map) -> Vec<u32>) -> Result<()> {
        self.attempt("remove messages from", |lease| {
            for _ in 0..2 {
                self.refresh_over(lease)?;
                let letters = self.map().as_ref().map_or_else(Vec::new, |map| {
                    let mut uids = which(map);
                    uids.sort_unstable();
                    uids.dedup();
                    let labelled = |uid: u32| Some((uid, *map.catalogue.label(&uid)?));
                    uids.into_iter().filter_map(labelled).collect()
                });
                if self.expunge_over(lease, &letters)? {
                    break;
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Removes these letters and nothing else. A UID does not say whose a message is: servers err, and are put back to
    /// what they were yesterday without a word. False: one of them was another message, so the map is void.
    pub(super) fn expunge_over(
        &self,
        lease: &mut Lease<'_>,
        letters: &[(u32, Label)],
    ) -> Result<bool, Failed> {
        if letters.is_empty() {
            return Ok(true);
        }
        let wanted: HashMap<u32, Label> = letters.iter().copied().collect();
        let uids: Vec<u32> = letters.iter().map(|(uid, _)| *uid).collect();
        let (mut ours, mut others) = (BTreeSet::new(), false);
        for message in lease.session.fetch_all(&uids, &[WHOSE])? {
            let Some(label) = message.uid.and_then(|uid| wanted.get(&uid)) else { continue };
            let head = message.header.as_deref().and_then(letter::parse);
            match head == Some(Head::Object(*label)) {
                true => ours.extend(message.uid),
                false => others = true,
            }
        }
        let uids: Vec<u32> = ours.into_iter().collect();
        if !uids.is_empty() {
            // Gmail keeps what is removed from a folder among all messages.
            match lease.session.offers().has("X-GM-EXT-1") {
                true => self.through_trash(lease, &uids, &wanted.into_values().collect())?,
                false => lease.session.expunge(&uids)?,
            }
        }
        if let Some(map) = &mut *self.map() {
            letters.iter().for_each(|(uid, _)| map.forget(*uid));
            if others {
                *map = Map::new(map.validity);
                *lock(&self.looked) = None;
            }
        }
        Ok(!others)
    }

    /// Moves letters to the trash and removes them there.
    fn through_trash(
        &self,
        lease: &mut Lease<'_>,
        uids: &[u32],
        gone: &HashSet<Label>,
    ) -> Result<(), Failed> {
        let trash = lease.session.folders(false)?.into_iter().find(|it| it.special == Some(Special::Trash));
        let Some(trash) = trash.map(|trash| trash.path) else {
            return Err(Failed::Here(
                Error::other(format!("{} shows no trash, so nothing is removed from it", self.place))
                    .hint("let it be shown over IMAP: in Gmail's settings, under labels"),
            ));
        };
        let first = lease.session.status(&trash)?.uid_next.unwrap_or(1);
        lease.session.move_to(uids, &trash)?;
        // Until the vault's folder is open again, this connection is good for nothing else.
        lease.astray = true;
        lease.session.select(&trash)?;
        let mut ours = Vec::new();
        lease.session.fetch_from(first, &[WHOSE], |message| {
            let head = message.header.as_deref().and_then(letter::parse);
            // What somebody threw away by hand may still be wanted.
            let moved = matches!(head, Some(Head::Object(label)) if gone.contains(&label));
            ours.extend(message.uid.filter(|_| moved));
        })?;
        lease.session.expunge(&ours)?;
        lease.validity = lease.session.select(&self.folder)?.uid_validity;
        lease.astray = false;
        Ok(())
    }
}

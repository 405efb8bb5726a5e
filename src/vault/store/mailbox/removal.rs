//! Removing objects: their letters alone, and for good.

use std::collections::HashSet;

use super::{Inner, Lease};
use crate::error::{Error, Result};
use crate::mail::imap::{Failed, Item, Special};
use crate::vault::store::letter::{self, Head, Label};
use crate::vault::store::{Id, Kind};

impl Inner {
    /// Removes objects, with every double of theirs.
    pub(super) fn remove(&self, kind: Kind, ids: &[Id]) -> Result<()> {
        if ids.is_empty() && kind != Kind::Pack {
            return Ok(());
        }
        self.attempt("remove messages from", |lease| {
            self.refresh_over(lease)?;
            let uids = self.map().as_ref().map_or_else(Vec::new, |map| {
                let of = |id: &Id| map.catalogue.all(kind, id);
                let mut uids: Vec<u32> = ids.iter().flat_map(of).collect();
                if kind == Kind::Pack {
                    // What a repeated upload left.
                    uids.extend(map.catalogue.doubles());
                }
                uids.sort_unstable();
                uids.dedup();
                uids
            });
            self.expunge_over(lease, &uids)
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
        self.attempt("remove messages from", |lease| {
            self.refresh_over(lease)?;
            // With another UIDVALIDITY they are other messages.
            if Some(lease.validity) == validity { self.expunge_over(lease, uids) } else { Ok(()) }
        })?;
        Ok(())
    }

    pub(super) fn expunge_over(&self, lease: &mut Lease<'_>, uids: &[u32]) -> Result<(), Failed> {
        if uids.is_empty() {
            return Ok(());
        }
        // Gmail keeps what is removed from a folder among all messages.
        match lease.session.offers().has("X-GM-EXT-1") {
            true => self.through_trash(lease, uids)?,
            false => lease.session.expunge(uids)?,
        }
        self.forget(uids);
        Ok(())
    }

    /// Moves letters to the trash and removes them there.
    fn through_trash(&self, lease: &mut Lease<'_>, uids: &[u32]) -> Result<(), Failed> {
        let trash = lease.session.folders(false)?.into_iter().find(|it| it.special == Some(Special::Trash));
        let Some(trash) = trash.map(|trash| trash.path) else {
            return Err(Failed::Here(
                Error::other(format!("{} shows no trash, so nothing is removed from it", self.place))
                    .hint("let it be shown over IMAP: in Gmail's settings, under labels"),
            ));
        };
        let gone: HashSet<Label> = self.map().as_ref().map_or_else(HashSet::new, |map| {
            let gone = |(uid, label): (&u32, &Label)| uids.contains(uid).then_some(*label);
            map.catalogue.letters().filter_map(gone).collect()
        });
        let first = lease.session.status(&trash)?.uid_next.unwrap_or(1);
        lease.session.move_to(uids, &trash)?;
        // Until the vault's folder is open again, this connection is good for nothing else.
        lease.astray = true;
        lease.session.select(&trash)?;
        let mut ours = Vec::new();
        let items = [Item::Fields(&["MESSAGE-ID", "X-POSTKEEP-OBJECT"])];
        lease.session.fetch_from(first, &items, |message| {
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

    fn forget(&self, uids: &[u32]) {
        if let Some(map) = &mut *self.map() {
            uids.iter().for_each(|uid| map.forget(*uid));
        }
    }
}

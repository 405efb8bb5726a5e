//! Removing objects: their letters alone, and for good.

use super::{Inner, Lease};
use crate::error::Result;
use crate::mail::imap::Failed;
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

    fn expunge_over(&self, lease: &mut Lease<'_>, uids: &[u32]) -> Result<(), Failed> {
        if !uids.is_empty() {
            lease.session.expunge(uids)?;
            self.forget(uids);
        }
        Ok(())
    }

    pub(super) fn forget(&self, uids: &[u32]) {
        if let Some(map) = &mut *self.map() {
            uids.iter().for_each(|uid| map.forget(*uid));
        }
    }
}

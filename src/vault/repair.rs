//! Making the index say again what there is.
//!
//! A lost pack is not stored again as long as the index names it: whoever saves takes its blobs for stored. And packs that
//! no index names are of no use to anybody, though their headers say what is in them.

use std::collections::BTreeSet;

use rustic_core::RepairIndexOptions;
use rustic_core::repofile::IndexFile;

use super::adapter::ours;
use super::store::{Found, Id, Kind};
use super::{Access, Vault};
use crate::error::{Error, Result};

/// What was repaired.
#[derive(Debug, Default)]
pub struct Repaired {
    /// Parts of the index that could not be used, and were removed.
    pub removed: u64,
    /// Packs that the index named, and that are not there or not whole.
    pub lost: Vec<Id>,
    /// Packs that are there, and that the index did not name.
    pub found: u64,
    /// Why a pack could not be read, though it may be sound.
    pub unread: Option<Error>,
}

impl Vault {
    /// Lets the index name the packs that are there, and no others. Nothing but parts of the index is removed; what is
    /// lost is stored anew by the next backup of what still has it.
    ///
    /// # Errors
    /// [`Locked`](crate::error::Kind::Locked): somebody is at work. Or the store cannot be read or written.
    pub fn repair(&self) -> Result<Repaired> {
        // Whoever saves meanwhile would write an index with packs that were not there when they were listed.
        let _lock = self.lock(Access::Exclusive)?;
        let (before, broken) = self.named_packs()?;
        if !broken.is_empty() {
            self.store.remove(Kind::Index, &broken)?;
        }
        self.rebuild_index("cannot repair the index")?;
        let unread = self.backend.failure();
        let (after, _) = self.named_packs()?;
        Ok(Repaired {
            removed: broken.len() as u64,
            lost: before.difference(&after).copied().collect(),
            found: after.difference(&before).count() as u64,
            unread,
        })
    }

    /// Compares the packs with the index, and reads the headers of those that it does not name. Nobody else may be at
    /// work.
    pub(super) fn rebuild_index(&self, what: &str) -> Result<()> {
        self.call(what, || self.reopened()?.repair_index(&RepairIndexOptions::default(), false))?;
        self.store.flush()
    }

    /// The packs that the index names; and its parts that cannot be used.
    fn named_packs(&self) -> Result<(BTreeSet<Id>, Vec<Id>)> {
        let (mut packs, mut broken) = (BTreeSet::new(), Vec::new());
        for (id, index) in self.index_files()? {
            match index {
                Some(index) => {
                    packs.extend(index.packs.iter().chain(&index.packs_to_delete).map(|pack| ours(&pack.id)));
                }
                None => broken.push(id),
            }
        }
        Ok((packs, broken))
    }

    /// All parts of the index. None: it cannot be used.
    pub(super) fn index_files(&self) -> Result<Vec<(Id, Option<IndexFile>)>> {
        let read = |found: Found| {
            // What cannot be fetched just now is not broken.
            let raw = self.store.read(Kind::Index, &found.id)?;
            let json = self.opened(&found.id, &raw).ok();
            Ok((found.id, json.and_then(|json| serde_json::from_slice(&json).ok())))
        };
        self.store.list(Kind::Index)?.into_iter().map(read).collect()
    }
}

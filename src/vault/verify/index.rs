//! What the index says there is, and what there is.

use std::collections::{BTreeMap, HashMap, HashSet};

use rustic_core::repofile::IndexFile;

use super::{Bad, LOST, Problems, Weight, short};
use crate::error::{Error, Result};
use crate::figures::{of, size};
use crate::vault::Vault;
use crate::vault::adapter::ours;
use crate::vault::blob::Location;
use crate::vault::store::{Id, Kind, unless_away};

/// What is known of the packs.
pub(super) struct Known {
    /// The packs in the store, with their sizes.
    pub present: BTreeMap<Id, u64>,
    /// The packs in the index, with their blobs.
    pub packs: BTreeMap<Id, Vec<Location>>,
    /// In which packs a blob is, and as their how many-th.
    pub blobs: HashMap<[u8; 32], Vec<(Id, usize)>>,
    /// Packs that a prune marked to be removed.
    marked: HashSet<Id>,
    /// Whether parts of the index are missing: then what is not in it may be there after all.
    pub partial: bool,
    /// What cannot be used.
    pub bad: Bad,
}

impl Known {
    /// Reads the index and lists the packs.
    pub fn read(vault: &Vault, problems: &Problems) -> Result<Self> {
        let mut known = Self {
            present: BTreeMap::new(),
            packs: BTreeMap::new(),
            blobs: HashMap::new(),
            marked: HashSet::new(),
            partial: false,
            bad: Bad::default(),
        };
        for found in vault.listed(Kind::Index)? {
            let parsed = vault.object(Kind::Index, &found).and_then(|json| {
                serde_json::from_slice::<IndexFile>(&json)
                    .map_err(|error| Error::other(format!("it is none: {error}")))
            });
            match parsed {
                Ok(index) => known.add(index),
                Err(error) => {
                    let why = unless_away(error)?.one_line();
                    known.partial = true;
                    let what = format!(
                        "a part of the index ({}) is lost: {why}; what only it knows is missing below",
                        short(&found.id)
                    );
                    let todo =
                        "the packs themselves still say what is in them: `postkeep vault repair PROFILE`";
                    problems.damage(what, todo);
                }
            }
        }
        // After the index: what is stored meanwhile is then only one more pack that nobody knows yet.
        known.present = vault.listed(Kind::Pack)?.into_iter().map(|found| (found.id, found.size)).collect();
        Ok(known)
    }

    fn add(&mut self, index: IndexFile) {
        self.marked.extend(index.packs_to_delete.iter().map(|pack| ours(&pack.id)));
        for pack in index.packs.iter().chain(&index.packs_to_delete) {
            let id = ours(&pack.id);
            let locations = self.packs.entry(id).or_default();
            for blob in &pack.blobs {
                let at = blob.location;
                let uncompressed = at.uncompressed_length.map(std::num::NonZeroU32::get);
                let location =
                    Location { id: ours(&blob.id).0, offset: at.offset, length: at.length, uncompressed };
                if !locations.contains(&location) || locations.len() > 64 {
                    self.blobs.entry(location.id).or_default().push((id, locations.len()));
                    locations.push(location);
                }
            }
        }
    }

    /// Compares what the index says with what is there.
    pub fn compare(&mut self, problems: &Problems) {
        for (id, blobs) in &self.packs {
            let least = blobs.iter().map(Location::end).max().unwrap_or(0);
            match self.present.get(id) {
                None if self.marked.contains(id) => {}
                None => {
                    self.bad.packs.insert(*id);
                    problems.damage(format!("pack {} is missing", short(id)), LOST);
                }
                Some(size) if *size < least => {
                    self.bad.packs.insert(*id);
                    let what =
                        format!("pack {} is cut off: {size} bytes are left of {least} or more", short(id));
                    problems.damage(what, LOST);
                }
                Some(_) => {}
            }
        }
        let unknown = || self.present.iter().filter(|(id, _)| !self.packs.contains_key(id));
        let (count, bytes) = (unknown().count() as u64, unknown().map(|(_, size)| size).sum());
        if count > 0 && !self.partial {
            problems.add(
                Weight::Note,
                format!(
                    "{} ({}) in no index: left by an interrupted run, or written just now",
                    of(count, "pack is", "packs are"),
                    size(bytes)
                ),
                "nothing is lost; `postkeep prune` frees the room",
            );
        }
    }

    /// Whether a blob can be had. Else why not.
    pub fn has(&self, blob: &[u8; 32]) -> Result<(), String> {
        let name = || short(&Id(*blob));
        let Some(packs) = self.blobs.get(blob) else { return Err(format!("blob {} is in no index", name())) };
        if self.bad.blobs.contains(blob) {
            return Err(format!("blob {} is damaged", name()));
        }
        match packs.iter().find(|(pack, _)| !self.bad.packs.contains(pack)) {
            Some(_) => Ok(()),
            None => {
                let pack = packs.first().map(|(pack, _)| short(pack)).unwrap_or_default();
                Err(format!("blob {} is in the lost pack {pack}", name()))
            }
        }
    }
}

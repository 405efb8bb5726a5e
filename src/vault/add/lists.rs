//! Lists of entries (restic's *trees*) that are stored past the library: it stores only those that it makes itself.
//!
//! restic's design document, "Pack Format": encrypted blobs, a header that names them, encrypted too, and the header's
//! length. Version 2 of the format compresses blobs: the list of a day with very many messages is to fit into a letter.

use std::collections::HashSet;

use rustic_core::{FileType, TreeId, WriteBackend};
use serde_json::json;

use crate::error::{Context, Error, Result};
use crate::vault::Vault;
use crate::vault::adapter::theirs;
use crate::vault::store::Id;

/// How many bytes a pack has before it is written, unless the store likes smaller ones.
const PACK: usize = if cfg!(test) { 1 << 10 } else { 16 << 20 };

/// How a header says that a blob is a list, and that it is one that is compressed.
const LIST: u8 = 1;
const COMPRESSED: u8 = 3;

/// The level of zstd, which is its default.
const LEVEL: i32 = 3;

/// Lists on their way into the vault.
pub(super) struct Lists<'a> {
    vault: &'a Vault,
    what: &'a str,
    /// Whether the vault's version of the format knows compressed blobs.
    compresses: bool,
    known: HashSet<TreeId>,
    pack: Vec<u8>,
    header: Vec<u8>,
    /// What the index is to say of this pack, and of those that are written.
    blobs: Vec<serde_json::Value>,
    packs: Vec<serde_json::Value>,
}

impl<'a> Lists<'a> {
    /// Of a vault whose format has this version. `what` begins the sentence of an error.
    pub fn new(vault: &'a Vault, what: &'a str, version: u32) -> Self {
        let (pack, header, blobs, packs) = Default::default();
        Self { vault, what, compresses: version >= 2, known: HashSet::new(), pack, header, blobs, packs }
    }

    /// Stores a list that the vault does not have.
    ///
    /// # Errors
    /// The vault cannot be written.
    pub fn add(&mut self, id: TreeId, list: &[u8]) -> Result<()> {
        if !self.known.insert(id) {
            return Ok(());
        }
        let too_long = |_| Error::other(self.what).caused_by("a folder has too many entries");
        let plain = u32::try_from(list.len()).map_err(too_long)?;
        let name = Id::of(list);
        let mut entry = json!({ "id": name.to_string(), "type": "tree", "offset": self.pack.len() });
        let blob = if self.compresses {
            entry["uncompressed_length"] = plain.into();
            let packed = zstd::bulk::compress(list, LEVEL).context(|| self.what.into())?;
            self.vault.key.encrypt(&packed)?
        } else {
            self.vault.key.encrypt(list)?
        };
        let length = u32::try_from(blob.len()).map_err(too_long)?;
        entry["length"] = length.into();
        self.blobs.push(entry);
        self.header.push(if self.compresses { COMPRESSED } else { LIST });
        self.header.extend_from_slice(&length.to_le_bytes());
        if self.compresses {
            self.header.extend_from_slice(&plain.to_le_bytes());
        }
        self.header.extend_from_slice(&name.0);
        self.pack.extend_from_slice(&blob);
        // The last list may be large, too.
        let most = self.vault.store.largest_pack().and_then(|most| usize::try_from(most / 2).ok());
        if self.pack.len() < most.unwrap_or(PACK).min(PACK) { Ok(()) } else { self.write_pack() }
    }

    /// Stores what is left, and lets the index name it.
    ///
    /// # Errors
    /// The vault cannot be written.
    pub fn finish(mut self) -> Result<()> {
        self.write_pack()?;
        if self.packs.is_empty() {
            return Ok(());
        }
        let index = json!({ "packs": self.packs }).to_string();
        self.write(FileType::Index, self.vault.key.encrypt(index.as_bytes())?).map(drop)
    }

    fn write_pack(&mut self) -> Result<()> {
        if self.blobs.is_empty() {
            return Ok(());
        }
        let header = self.vault.key.encrypt(&std::mem::take(&mut self.header))?;
        let mut pack = std::mem::take(&mut self.pack);
        pack.extend_from_slice(&header);
        pack.extend_from_slice(&u32::try_from(header.len()).unwrap_or(u32::MAX).to_le_bytes());
        let id = self.write(FileType::Pack, pack)?;
        self.packs.push(json!({ "id": id.to_string(), "blobs": std::mem::take(&mut self.blobs) }));
        Ok(())
    }

    fn write(&self, kind: FileType, object: Vec<u8>) -> Result<Id> {
        let id = Id::of(&object);
        let write = || self.vault.backend.write_bytes(kind, &theirs(&id), true, object.into());
        self.vault.call(self.what, write).map(|()| id)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::sync::Arc;

    use rustic_core::repofile::{Metadata, Node, NodeType, Tree};

    use super::*;
    use crate::vault::Options;
    use crate::vault::store::memory::Memory;
    use crate::vault::store::{Kind, Store};

    #[test]
    fn lists_are_found_by_the_index_and_by_who_has_nothing_but_the_packs() {
        for version in [1, 2] {
            found(version);
        }
    }

    fn found(version: u32) {
        let temp = tempfile::tempdir().unwrap();
        let store = Arc::new(Memory::default()) as Arc<dyn Store>;
        Vault::create(Arc::clone(&store), "x", &Options::default()).unwrap();
        let vault =
            Vault::open(Arc::clone(&store), "x", &temp.path().join("keys"), &temp.path().join("cache"))
                .unwrap();
        let mut lists = Lists::new(&vault, "cannot store lists", version);
        let mut add = |n: u32| {
            let name = format!("{n}.eml");
            let nodes = vec![Node::new_node(OsStr::new(&name), NodeType::File, Metadata::default())];
            let (list, id) = Tree { nodes }.serialize().unwrap();
            lists.add(id, &list).unwrap();
            lists.add(id, &list).unwrap();
            (name, id)
        };
        let all: Vec<_> = (0..30).map(&mut add).collect();
        lists.finish().unwrap();
        let count = |kind| store.list(kind).unwrap().len();
        let packs = count(Kind::Pack);
        assert!((2..=15).contains(&packs) && count(Kind::Index) == 1, "{packs}");
        let read = || {
            let read = vault.read().unwrap();
            let name = |id: &TreeId| read.tree(*id).unwrap().nodes.remove(0).name;
            all.iter().for_each(|(expected, id)| assert_eq!(name(id), *expected));
        };
        read();
        let parts: Vec<_> = store.list(Kind::Index).unwrap().iter().map(|found| found.id).collect();
        store.remove(Kind::Index, &parts).unwrap();
        assert_eq!(vault.repair().unwrap().found, packs as u64);
        read();
        Lists::new(&vault, "cannot store lists", version).finish().unwrap();
        assert_eq!((count(Kind::Pack), count(Kind::Index)), (packs, 1));
    }
}

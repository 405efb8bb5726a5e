//! A vault that is open for reading: its index in memory, its trees and blobs within reach.

use std::panic::AssertUnwindSafe;

use rustic_core::repofile::{BlobType, Node, Tree};
use rustic_core::{BlobId, DataId, IndexedFullStatus, Repository, TreeId};
use sha2::{Digest, Sha256};

use super::adapter::ours;
use super::blob::{Location, Opener};
use super::store::Id;
use super::{Vault, guard, node};
use crate::error::{Error, Result};

/// What everything that reads a vault works on.
pub struct Indexed<'v> {
    vault: &'v Vault,
    repo: Repository<IndexedFullStatus>,
}

impl std::fmt::Debug for Indexed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Indexed({:?})", self.vault)
    }
}

impl Vault {
    /// Reads the index, as it is now.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self) -> Result<Indexed<'_>> {
        let repo = self.indexed().map_err(|error| match self.cause(error) {
            error if error.kind().is_away() => error,
            error => error.hint("what is damaged is told by: postkeep verify PROFILE"),
        })?;
        Ok(Indexed { vault: self, repo })
    }
}

impl Indexed<'_> {
    /// The vault.
    pub fn vault(&self) -> &Vault {
        self.vault
    }

    /// Opens blobs with the vault's key.
    pub fn opener(&self) -> Opener {
        Opener::new(&self.vault.key)
    }

    /// Where a piece of a file is: its pack, and its place in there. None: in no pack that the index knows.
    pub fn locate(&self, id: &DataId) -> Option<(Id, Location)> {
        let entry = self.repo.get_index_entry(id).ok()?;
        let at = entry.location;
        let uncompressed = at.uncompressed_length.map(std::num::NonZeroU32::get);
        let location = Location { id: ours(id).0, offset: at.offset, length: at.length, uncompressed };
        Some((ours(&entry.pack), location))
    }

    /// Where the pieces of a file are, and how many bytes they come to.
    ///
    /// # Errors
    /// Why it cannot be read: a piece is not in the vault, or cannot be one.
    pub(super) fn pieces(&self, file: &Node) -> Result<(Vec<(Id, Location)>, u64), String> {
        let content = match &file.content {
            Some(content) => content.as_slice(),
            None if file.meta.size == 0 => &[],
            None => return Err(node::UNKNOWN.into()),
        };
        let (mut pieces, mut bytes) = (Vec::with_capacity(content.len()), 0_u64);
        for id in content {
            let short = || ours(id).short();
            let (pack, at) = self
                .locate(id)
                .ok_or_else(|| format!("a piece of its content is not in the vault (blob {})", short()))?;
            let length = at.content().ok_or_else(|| {
                format!("a piece of its content has an impossible length (blob {})", short())
            })?;
            bytes += u64::from(length);
            pieces.push((pack, at));
        }
        Ok((pieces, bytes))
    }

    /// Whether the index knows a folder's list of entries.
    pub fn has_tree(&self, id: TreeId) -> bool {
        self.repo.get_index_entry(&id).is_ok()
    }

    /// A folder's content, checked against its name. Packs of trees come from the cache where there is one.
    ///
    /// # Errors
    /// It is missing or damaged; or the store gives nothing now.
    pub fn tree(&self, id: TreeId) -> Result<Tree> {
        let short = |id: TreeId| id.to_string()[..8].to_owned();
        if !self.has_tree(id) {
            return Err(Error::other(format!(
                "its list of entries is not in the vault (tree {})",
                short(id)
            )));
        }
        let what = format!("its list of entries cannot be read (tree {})", short(id));
        let read = guard::call(
            &self.vault.backend,
            || what.clone(),
            || self.repo.get_blob_cached(&BlobId::from(*id), BlobType::Tree),
        );
        let bytes = read.map_err(|error| {
            let error = self.vault.cause(error);
            let why = error.one_line();
            let why = if why.starts_with(&what) { why } else { format!("{what}: {why}") };
            Error::new(error.kind(), why)
        })?;
        if <[u8; 32]>::from(Sha256::digest(&bytes)) != ours(&id).0 {
            return Err(Error::other(format!("its list of entries is damaged (tree {})", short(id))));
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::other(format!("its list of entries is none (tree {}): {error}", short(id)))
        })
    }
}

/// A thread's piece of work that must not take the others along when it panics.
///
/// # Errors
/// It panicked.
pub(in crate::vault) fn caught<T>(call: impl FnOnce() -> T) -> Result<T> {
    std::panic::catch_unwind(AssertUnwindSafe(call))
        .map_err(|_| Error::other("a thread stopped unexpectedly"))
}

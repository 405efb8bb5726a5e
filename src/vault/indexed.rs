//! A vault that is open for reading: its index in memory, its trees and blobs within reach.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use rustic_core::repofile::{BlobType, SnapshotFile, Tree};
use rustic_core::{BlobId, DataId, IndexedFullStatus, OpenStatus, Repository, TreeId};
use sha2::{Digest, Sha256};

use super::blob::{Key, Location};
use super::store::{Id, Store};
use crate::error::{Error, Result};

/// What everything that reads a vault works on.
#[derive(Debug)]
pub struct Indexed {
    repo: Repository<IndexedFullStatus>,
    store: Arc<dyn Store>,
    key: Key,
}

impl Indexed {
    /// Reads the index of an opened repository that is kept on `store`.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn new(repo: Repository<OpenStatus>, store: Arc<dyn Store>) -> Result<Self> {
        let key = Key::new(&repo.key()).ok_or_else(|| {
            Error::other("the vault's key is damaged: it has not the length of a key")
                .hint("`postkeep key list` shows whether there is another one")
        })?;
        let repo = caught(|| repo.to_indexed())?
            .map_err(|error| foreign("cannot read the vault's index", &error))
            .map_err(|error| error.hint("`postkeep verify` says what is damaged"))?;
        Ok(Self { repo, store, key })
    }

    /// The repository.
    pub fn repo(&self) -> &Repository<IndexedFullStatus> {
        &self.repo
    }

    /// What it is kept on.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The key that opens its blobs.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// All snapshots, oldest first.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn snapshots(&self) -> Result<Vec<SnapshotFile>> {
        snapshots(&self.repo)
    }

    /// Where a piece of a file is: its pack, and its place in there. None: in no pack that the index knows.
    pub fn locate(&self, id: &DataId) -> Option<(Id, Location)> {
        let entry = self.repo.get_index_entry(id).ok()?;
        let at = entry.location;
        let uncompressed = at.uncompressed_length.map(std::num::NonZeroU32::get);
        let location = Location { id: bytes(id), offset: at.offset, length: at.length, uncompressed };
        Some((Id(bytes(&entry.pack)), location))
    }

    /// A folder's content, checked against its name. Packs of trees come from the cache where there is one.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn tree(&self, id: TreeId) -> Result<Tree, String> {
        let short = |id: TreeId| id.to_string()[..8].to_owned();
        let read = caught(|| self.repo.get_blob_cached(&BlobId::from(*id), BlobType::Tree));
        let bytes = match read {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) if self.repo.get_index_entry(&id).is_err() => {
                return Err(format!("its list of entries is not in the vault (tree {})", short(id)));
            }
            Ok(Err(error)) => {
                let why = short_reason(&error);
                return Err(format!("its list of entries cannot be read (tree {}): {why}", short(id)));
            }
            Err(error) => return Err(error.one_line()),
        };
        if <[u8; 32]>::from(Sha256::digest(&bytes)) != self::bytes(&id) {
            return Err(format!("its list of entries is damaged (tree {})", short(id)));
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| format!("its list of entries is none (tree {}): {error}", short(id)))
    }
}

/// All snapshots, oldest first.
///
/// # Errors
/// They cannot be read.
pub fn snapshots<S: rustic_core::Open>(repo: &Repository<S>) -> Result<Vec<SnapshotFile>> {
    let mut all = caught(|| repo.get_all_snapshots())?
        .map_err(|error| foreign("cannot read the snapshots", &error))?;
    all.sort_by(|a, b| a.time.cmp(&b.time).then_with(|| a.id.cmp(&b.id)));
    Ok(all)
}

/// The 32 bytes of an id of the library's.
pub(super) fn bytes(id: &rustic_core::Id) -> [u8; 32] {
    // It shows itself as 64 hexadecimal digits, and has no other way to its bytes.
    id.to_string().parse::<Id>().unwrap_or(Id::NONE).0
}

/// Calls the library, which may panic on what is damaged; that is an error like any other.
///
/// # Errors
/// It panicked.
pub(in crate::vault) fn caught<T>(call: impl FnOnce() -> T) -> Result<T> {
    std::panic::catch_unwind(AssertUnwindSafe(call)).map_err(|_| {
        Error::other("the library that reads vaults gave up on what it found")
            .hint("`postkeep verify` says what is damaged")
    })
}

/// An error of the library's as one of ours.
pub(super) fn foreign(what: &str, error: &rustic_core::RusticError) -> Error {
    Error::other(what).caused_by(short_reason(error))
}

/// What the library says, in one line: where it only passes on what a store said, that.
pub(super) fn short_reason(error: &rustic_core::RusticError) -> String {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(ours) = cause.downcast_ref::<Error>() {
            return ours.one_line();
        }
        next = cause.source();
    }
    let said = error.display_log();
    let said = said.strip_prefix("Error: ").unwrap_or(&said);
    crate::entry::show(said.lines().next().unwrap_or_default().as_bytes())
}

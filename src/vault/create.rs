//! Making a vault.

use std::sync::Arc;

use bytes::Bytes;
use bytesize::ByteSize;
use rustic_core::{
    ConfigOptions, Credentials, KeyOptions, Repository, RepositoryBackends, RepositoryOptions,
};

use super::adapter::Adapter;
use super::guard;
use super::store::{Id, Kind, Store, taken};
use crate::error::{Error, Result};

/// Bytes of a pack of data. Smaller ones cost more calls, larger ones more memory: some eight are in the making or on their
/// way at once, and with restic's 16 MiB a backup takes 70 MB more.
const PACK: u64 = 8 << 20;

/// Bytes of a pack of trees.
const TREE_PACK: u64 = 4 << 20;

/// Bytes of a chunk of a message, about: in the mean, and at least.
const MESSAGE_CHUNK: (u64, u64) = (64 << 10, 16 << 10);

/// What is mostly kept in a vault. It decides about how long the pieces are into which content is cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Holding {
    /// Files: 1 MiB, as restic cuts them.
    #[default]
    Files,
    /// Messages: 64 KiB. What two of them have in common is an attachment, and most of those are shorter than the shortest
    /// chunk of restic's, 512 KiB.
    Messages,
}

/// What a new vault is like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// How much zstd compresses: 1 to 22, negative ones are faster.
    pub compression: i32,
    /// What is mostly kept in it.
    pub holding: Holding,
    /// The machine and the user in the description of the key, for `key list`.
    pub host: String,
    /// The user.
    pub user: String,
}

/// Makes a vault.
pub(super) fn create(store: Arc<dyn Store>, password: &str, options: &Options) -> Result<()> {
    let place = store.place();
    if !store.list(Kind::Config)?.is_empty() {
        return Err(taken(&place));
    }
    // A config that got lost: what is there could not be opened with a new one.
    if !store.list(Kind::Pack)?.is_empty() || !store.list(Kind::Key)?.is_empty() {
        return Err(Error::other(format!("there is something of a vault in {place}, but not its config"))
            .hint("restore the config from a copy, or choose an empty place"));
    }
    let backend = Arc::new(Adapter::founding(Arc::clone(&store)));
    let keys = KeyOptions::default().hostname(options.host.clone()).username(options.user.clone());
    let keys = keys.with_created(true);
    let made = guard::call(
        &backend,
        || format!("cannot make a vault in {place}"),
        || {
            Repository::new(
                &RepositoryOptions::default().no_cache(true),
                &RepositoryBackends::new(Arc::clone(&backend) as _, None),
            )?
            .init(
                &Credentials::password(password),
                &keys,
                &config(store.largest_pack(), options),
            )
        },
    );
    let made = made.and_then(|_| store.flush());
    let founded = backend.founded();
    // Somebody else may have made a vault here at the same time, and of two configs everybody takes the same.
    let theirs = |ours: &Bytes| store.read(Kind::Config, &Id::NONE).is_ok_and(|kept| kept != *ours);
    if founded.config.as_ref().is_some_and(theirs) {
        // Our key opens nothing; where it cannot be removed it is in nobody's way.
        let _ = store.remove(Kind::Key, founded.key.as_slice());
        return Err(taken(&place));
    }
    made
}

/// The sizes of packs never grow with the vault, which is rustic_core's habit.
///
/// A pack may be larger than its target by one blob of at most 8 MiB: a store that likes at most 16 MiB can have 8.
fn config(largest: Option<u64>, options: &Options) -> ConfigOptions {
    let data = largest.map_or(PACK, |largest| (largest / 2).clamp(1 << 20, PACK));
    let trees = TREE_PACK.min(data);
    let config = match options.holding {
        Holding::Files => ConfigOptions::default(),
        Holding::Messages => ConfigOptions::default()
            .set_chunk_size(ByteSize(MESSAGE_CHUNK.0))
            .set_chunk_min_size(ByteSize(MESSAGE_CHUNK.1)),
    };
    config
        .set_compression(options.compression)
        .set_datapack_size(ByteSize(data))
        .set_datapack_size_limit(ByteSize(data))
        .set_datapack_growfactor(0_u32)
        .set_treepack_size(ByteSize(trees))
        .set_treepack_size_limit(ByteSize(trees))
        .set_treepack_growfactor(0_u32)
}

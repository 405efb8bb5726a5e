//! What is added as rustic_core's source, and what a walk tells of it.

use std::iter::Peekable;
use std::path::PathBuf;
use std::sync::Mutex;

use rustic_core::{ReadSource, ReadSourceEntry, RusticResult};

use super::item::{Item, Open};
use super::join::Walk;
use crate::error::Error;
use crate::mutex::lock;

/// What is added, in the order of a tree.
pub(super) type Items = Peekable<Box<dyn Iterator<Item = Item> + Send>>;

/// One entry for the library.
pub(super) type Entry = ReadSourceEntry<Open>;

/// What a walk came to.
#[derive(Debug, Default)]
pub(super) struct Joined {
    /// Files that the vault does not have.
    pub new: u64,
    /// Files that it has otherwise.
    pub changed: u64,
    /// Folders that it does not have.
    pub folders: u64,
    /// Bytes of the files that are new, and what the others grew by.
    pub bytes: i64,
    /// Items that came twice.
    pub doubled: u64,
    /// Files whose content the vault lost in part: the library does not take them as they are.
    pub damaged: u64,
    /// Items whose content the vault was said to have, and has not.
    pub unknown: Vec<PathBuf>,
    /// Folders of which the vault lost the list of entries.
    pub lost: Vec<PathBuf>,
    /// Why the walk ended early.
    pub failed: Option<Error>,
}

/// The walk as the library takes it.
pub(super) struct Messages(Mutex<Option<Walk>>);

impl Messages {
    pub fn new(walk: Walk) -> Self {
        Self(Mutex::new(Some(walk)))
    }
}

impl ReadSource for Messages {
    type Open = Open;
    type Iter = std::iter::Flatten<std::option::IntoIter<Walk>>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }

    fn entries(&self) -> Self::Iter {
        lock(&self.0).take().into_iter().flatten()
    }
}

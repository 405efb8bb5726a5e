//! A folder with restic's own layout: `config`, `keys/`, `locks/`, `index/`, `snapshots/`, `data/38/38fba67f...`.
//!
//! Any restic reads and writes it. An object is written under an unfinished name, flushed, renamed, and its folder is
//! flushed; what a crash leaves is ignored, and swept when it is old enough to be nobody's. Objects are read-only
//! files of their owner (0400 in 0700), or of their group too where `config` is, as restic does it.

mod dir;
mod files;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use self::files::Files;
use super::behind::Behind;
use super::{Found, Id, Kind, Room, Store, Traffic};
use crate::entry::show;
use crate::error::{Context, Result};

/// A vault in a folder.
#[derive(Debug)]
pub struct Folder {
    files: Arc<Files>,
    behind: Behind,
}

impl Folder {
    /// The vault in `path`, which may not be there yet. `now` tells what is old enough to be swept.
    pub fn new(path: &Path, now: Timestamp) -> Self {
        let files = Arc::new(Files::new(path, now));
        let at_work = Arc::clone(&files);
        Self { files, behind: Behind::new(move |id, pack| at_work.write(Kind::Pack, id, pack)) }
    }
}

impl Store for Folder {
    fn place(&self) -> String {
        self.files.place()
    }

    fn create(&self) -> Result<()> {
        self.files.create()
    }

    fn list(&self, kind: Kind) -> Result<Vec<Found>> {
        if kind == Kind::Pack {
            self.behind.settle();
        }
        self.files.list(kind)
    }

    fn read(&self, kind: Kind, id: &Id) -> Result<Bytes> {
        self.behind.wait_for(id);
        self.files.read(kind, id)
    }

    fn read_range(&self, kind: Kind, id: &Id, range: Range<u64>) -> Result<Bytes> {
        self.behind.wait_for(id);
        self.files.read_range(kind, id, range)
    }

    fn write(&self, kind: Kind, id: &Id, object: Bytes) -> Result<()> {
        match kind {
            Kind::Pack => self.behind.push(id, object),
            // It may name packs that are still on their way.
            _ => {
                self.behind.flush()?;
                self.behind.keep(self.files.write(kind, id, &object))
            }
        }
    }

    fn write_first(&self, config: Bytes) -> Result<()> {
        self.behind.flush()?;
        self.files.write_first(&config)
    }

    fn flush(&self) -> Result<()> {
        self.behind.flush()
    }

    fn remove(&self, kind: Kind, ids: &[Id]) -> Result<()> {
        self.behind.settle();
        self.files.remove(kind, ids)
    }

    fn traffic(&self) -> Traffic {
        self.files.counter.traffic()
    }

    fn room(&self) -> Result<Option<Room>> {
        room(&self.files.path)
    }
}

/// The room on the disk of a folder.
pub(super) fn room(path: &Path) -> Result<Option<Room>> {
    let shown = show(path.as_os_str().as_encoded_bytes());
    let about = rustix::fs::statvfs(path).context(|| format!("cannot ask for the room in {shown}"))?;
    let used = about.f_blocks.saturating_sub(about.f_bfree);
    // What is kept for root is nobody's room.
    let limit = used.saturating_add(about.f_bavail);
    let bytes = |blocks: u64| blocks.saturating_mul(about.f_frsize);
    Ok(Some(Room { used: bytes(used), limit: bytes(limit) }))
}

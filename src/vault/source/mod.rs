//! Folders as rustic_core's source.
//!
//! Its own one leaves out what it cannot read without a word that counts, loses the metadata of the sources themselves,
//! and cannot be stopped. This one names each failure, holds the folders that it walks through (a link that takes a
//! folder's place leads nowhere), and ends early without anybody taking the part for the whole.

mod attributes;
mod file;
mod node;
mod roots;
mod tally;
mod walk;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, sync_channel};

use rustic_core::{ReadSource, RusticResult};

pub(super) use self::file::{KNOWN, Open};
pub(super) use self::node::{attach, writable};
pub(super) use self::roots::Roots;
pub(super) use self::tally::Tally;
use self::walk::{Item, Walk};

/// How many batches of entries wait for who saves.
const WAITING: usize = 4;

/// The sources, offered once.
pub(super) struct Source {
    roots: Arc<Roots>,
    tally: Arc<Tally>,
    /// The rest is left off when so many bytes were read of files that come after `after`.
    most: u64,
    /// How far an earlier slice of this run came. What changed before that since is read once more, but brings nobody on:
    /// a large file that changes all the time would end each slice where it began.
    after: Option<PathBuf>,
}

/// The entries of a [`Source`].
pub(super) struct Entries {
    from: Receiver<Vec<Item>>,
    batch: std::vec::IntoIter<Item>,
    tally: Arc<Tally>,
    most: u64,
    last: Option<PathBuf>,
    ended: bool,
}

impl Source {
    pub fn new(roots: Arc<Roots>, tally: Arc<Tally>, most: u64, after: Option<PathBuf>) -> Self {
        Self { roots, tally, most, after }
    }
}

impl ReadSource for Source {
    type Open = Open;
    type Iter = Entries;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }

    fn entries(&self) -> Entries {
        let (to, from) = sync_channel(WAITING);
        let walk = Walk::new(Arc::clone(&self.roots), Arc::clone(&self.tally), Some(to));
        let walk = walk.after(self.after.clone());
        let thread = std::thread::Builder::new().name("vault-walk".into()).spawn(move || walk.run());
        // Without a thread nothing comes, and nothing must be taken for everything.
        if thread.is_err() {
            self.tally.cut();
        }
        let tally = Arc::clone(&self.tally);
        Entries { from, batch: Vec::new().into_iter(), tally, most: self.most, last: None, ended: false }
    }
}

impl Iterator for Entries {
    type Item = RusticResult<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if self.tally.is_stopped() || self.tally.fresh_bytes.load(Relaxed) >= self.most {
            self.tally.cut();
            self.last.take().into_iter().for_each(|last| self.tally.reached(last));
            self.ended = true;
            return None;
        }
        loop {
            if let Some(item) = self.batch.next() {
                if !item.node.is_dir() {
                    self.tally.offered.fetch_add(1, Relaxed);
                }
                // Only a slice that may be cut has to say where.
                if self.most < u64::MAX {
                    self.last = Some(item.path.clone());
                }
                return Some(Ok(item));
            }
            match self.from.recv() {
                Ok(batch) => self.batch = batch.into_iter(),
                Err(_) => break,
            }
        }
        // The thread ends without a word when it is stopped, or panics.
        if self.tally.is_stopped() || !self.tally.is_walked() {
            self.tally.cut();
        }
        self.ended = true;
        None
    }
}

/// What a source holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Files, links and special files.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

/// Counts what the sources hold.
pub(super) fn estimate(roots: Arc<Roots>, tally: &Arc<Tally>) -> Estimate {
    walk::count(roots, Arc::clone(tally));
    let load = |counter: &AtomicU64| counter.load(Relaxed);
    Estimate { files: load(&tally.files), folders: load(&tally.folders), bytes: load(&tally.bytes) }
}

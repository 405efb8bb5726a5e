//! Restoring: what a snapshot holds becomes files again.
//!
//! One thread walks the trees and says which blobs go where; a few read them, neighbours in one request, check them
//! and write them to their places. Memory is that of the folders at hand, a few thousand files and a few ranges of
//! packs, however large the vault is.
//!
//! Names in a snapshot are hostile input. Every folder is held by its descriptor and every entry is made in it by one
//! checked name, never through a link; content comes under a name of ours and is renamed when it is whole. What
//! cannot be restored is named, and the rest goes on.

mod entries;
mod land;
mod links;
mod walk;
mod work;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use jiff::Timestamp;
use rustic_core::repofile::Node;

use self::land::Ground;
use self::walk::Walker;
use super::choice::Choice;
use super::indexed::Indexed;
use crate::entry::{RelPath, show};
use crate::error::{Context, Error, Kind, Result};
use crate::failures::Failures;
use crate::folder::{Folder, raise_open_files};
use crate::progress::Meter;
use crate::run::RunId;

/// The most threads that read: each holds a few MB.
const THREADS: usize = 8;

/// What a restore is to do.
#[derive(Debug)]
pub struct Order<'a> {
    /// Which entries are meant.
    pub choice: &'a Choice,
    /// Whether the target may hold something already: what is in the way and differs is then replaced, and what the
    /// snapshot does not have stays.
    pub merge: bool,
    /// Whether the target itself gets the metadata of the folder that is restored into it.
    pub dress: bool,
    /// Only say what would be done.
    pub dry: bool,
    /// The time that entries get of which no time is known.
    pub now: Timestamp,
    /// Marks our temporary names.
    pub run: RunId,
}

/// What was done, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Folders made.
    pub folders: u64,
    /// Links, pipes, sockets and devices made, and further names of files.
    pub others: u64,
    /// Files that were there already, with the same size and time.
    pub unchanged: u64,
}

/// How it went.
#[derive(Debug)]
pub struct Restored {
    /// In numbers.
    pub counts: Counts,
    /// What is not as asked: an entry that was not restored is an error, metadata that could not be kept a warning.
    pub failures: Failures,
    /// Whether a provider's budget kept something from being restored.
    pub paused: bool,
    /// Whether something else did.
    pub broken: bool,
    /// Whether it was asked to stop.
    pub cancelled: bool,
    /// That the vault went away, which ended it: what it did not come to is not restored, and not told by name.
    pub away: Option<Error>,
}

/// What a restore does, or would do, to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It is new.
    New,
    /// It takes the place of something that differs.
    Replace,
    /// Its content is there; its metadata is set.
    Same,
}

/// One entry of what would be done.
#[derive(Debug)]
pub struct Line<'a> {
    /// What.
    pub act: Act,
    /// To which path in the target.
    pub path: &'a RelPath,
    /// Bytes of content.
    pub bytes: u64,
}

/// Restores `node` into the folder `target`: a folder's content, or any other entry under its own name.
///
/// `say` hears of every entry when nothing is done.
///
/// # Errors
/// The target cannot be used. What happens to single entries is in [`Restored`].
pub fn restore(
    vault: &Indexed<'_>,
    node: &Node,
    target: &Path,
    order: &Order<'_>,
    meter: &Meter,
    say: &mut dyn FnMut(Line<'_>),
) -> Result<Restored> {
    raise_open_files();
    let made = prepare(target, order)?;
    let Some(folder) = made else {
        // A dry run into a folder that is not there: everything would be new, which an empty one shows as well.
        let empty = Nothing::new()?;
        let ground = Ground::new(open(empty.path(), order.run)?, meter);
        let counts = walk(vault, node, order, &ground, say)?;
        return Ok(ground.end(counts));
    };
    let ground = Ground::new(folder, meter);
    let counts = walk(vault, node, order, &ground, say)?;
    Ok(ground.end(counts))
}

fn walk(
    vault: &Indexed<'_>,
    node: &Node,
    order: &Order<'_>,
    ground: &Ground<'_>,
    say: &mut dyn FnMut(Line<'_>),
) -> Result<Counts> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = cores.max(vault.vault().store().readers()).min(THREADS);
    let (send, receive) = sync_channel(threads * 2);
    let receive = Mutex::new(receive);
    std::thread::scope(|scope| {
        if !order.dry {
            for _ in 0..threads {
                scope.spawn(|| work::work(vault, &receive));
            }
        }
        let mut walker = Walker::new(vault, order, ground, send, say);
        walker.run(node).context(|| "cannot restore".into())?;
        Ok(walker.counts)
    })
}

/// Makes and opens the target. None: it is not there, and nothing is to be done.
fn prepare(target: &Path, order: &Order<'_>) -> Result<Option<Folder>> {
    let shown = || show(target.as_os_str().as_encoded_bytes());
    match std::fs::read_dir(target) {
        Ok(mut entries) => {
            if !order.merge && entries.next().is_some() {
                return Err(Error::new(Kind::Usage, format!("{} is not empty", shown()))
                    .hint("restore into a new folder, or say --merge to bring what is there to the snapshot's state; what only the folder has then stays"));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if order.dry {
                return Ok(None);
            }
            std::fs::create_dir_all(target).context(|| format!("cannot make {}", shown()))?;
        }
        Err(error) => return Err(error).context(|| format!("cannot restore into {}", shown())),
    }
    open(target, order.run).map(Some)
}

fn open(target: &Path, run: RunId) -> Result<Folder> {
    let shown = || show(target.as_os_str().as_encoded_bytes());
    Folder::open(target, run).context(|| format!("cannot restore into {}", shown()))
}

/// A folder with nothing in it, for as long as it is needed.
struct Nothing(std::path::PathBuf);

impl Nothing {
    fn new() -> Result<Self> {
        let mut chance = [0; 8];
        let _ = rustix::rand::getrandom(&mut chance, rustix::rand::GetRandomFlags::empty());
        let path = std::env::temp_dir().join(format!("postkeep-dry-{:016x}", u64::from_ne_bytes(chance)));
        std::fs::create_dir(&path).context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Nothing {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

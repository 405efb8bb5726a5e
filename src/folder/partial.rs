//! A file whose content arrives in pieces, in any order and from several threads.
//!
//! It is written under a name of ours, like every file, and gets its own name when it is whole: what is given up, or
//! killed, never stands under the final name.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::{Mode, OFlags};

use super::copy::write_all;
use super::meta::{self, Handle};
use super::place::Temp;
use super::{Folder, list};
use crate::entry::{Entry, RelPath};
use crate::replica::{Attributes, Place, Put};

/// A file that is not whole yet. Dropped, it is gone.
pub struct Partial {
    temp: Temp<Arc<OwnedFd>>,
    fd: OwnedFd,
    holes: AtomicBool,
}

impl Partial {
    /// Writes a piece. Zeros from end to end become a hole.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, piece: &[u8], at: u64) -> io::Result<()> {
        if piece.len() >= HOLE && piece.iter().all(|byte| *byte == 0) {
            self.holes.store(true, Relaxed);
            return Ok(());
        }
        write_all(&self.fd, piece, at)
    }
}

/// Pieces of zeros that are at least so long are not written: the block of most file systems.
const HOLE: usize = 4096;

impl Folder {
    /// Begins a file in `dir`.
    ///
    /// # Errors
    /// Nothing can be made there.
    pub fn begin_file(&self, dir: &Arc<OwnedFd>) -> io::Result<Partial> {
        let name = self.temp_name();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(dir, name.as_bytes(), flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Partial { temp: Temp::new(Arc::clone(dir), name), fd, holes: AtomicBool::new(false) })
    }

    /// Gives a whole file its metadata and its name. It must be as long as `entry` says.
    ///
    /// # Errors
    /// Pieces are missing, or the name cannot be given.
    pub fn finish_file(
        &self,
        partial: Partial,
        path: &RelPath,
        entry: &Entry,
        attributes: &Attributes,
        place: Place<'_>,
    ) -> io::Result<Put> {
        let Partial { temp, fd, holes } = partial;
        if holes.into_inner() {
            rustix::fs::ftruncate(&fd, entry.size)?;
        }
        let made = list::stat_fd(&fd, entry.name.clone())?;
        if made.size != entry.size {
            return Err(io::Error::other(format!("{} of {} bytes arrived", made.size, entry.size)));
        }
        let handle = Handle::Open(fd.as_fd());
        let lost = meta::dress(&handle, entry, Some(attributes), Some(&made), &self.about.keeps);
        self.settle(temp, path, &entry.name, place, lost)
    }

    /// Those attributes that this side keeps at all: others than the user's own need the superuser, and labels of
    /// the machine they came from mean nothing here.
    pub fn kept(&self, mut attributes: Attributes) -> Attributes {
        attributes.retain(|(name, _)| meta::is_kept(name, self.about.keeps.owners));
        attributes.sort_unstable();
        attributes
    }
}

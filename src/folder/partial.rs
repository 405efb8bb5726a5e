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
use crate::entry::{Entry, Name, RelPath};
use crate::replica::{Attributes, Place, Put};

/// A file that is not whole yet. Dropped, it is gone.
pub struct Partial {
    temp: Temp<Arc<OwnedFd>>,
    fd: OwnedFd,
    holes: AtomicBool,
}

impl Partial {
    /// Writes a piece. Longer runs of zeros become holes.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, piece: &[u8], at: u64) -> io::Result<()> {
        let mut rest = piece;
        let mut at = at;
        while !rest.is_empty() {
            let zeros = run(rest, true);
            if zeros > 0 {
                self.holes.store(true, Relaxed);
            }
            let content = run(&rest[zeros..], false);
            write_all(&self.fd, &rest[zeros..zeros + content], at + zeros as u64)?;
            rest = &rest[zeros + content..];
            at += (zeros + content) as u64;
        }
        Ok(())
    }

    /// What it is so far, under the name that it is to get: for a file that is a copy of nothing.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn entry(&self, name: Name) -> io::Result<Entry> {
        list::stat_fd(&self.fd, name)
    }

    /// Forgets what was written from this byte on.
    ///
    /// # Errors
    /// It cannot be cut.
    pub fn cut(&self, at: u64) -> io::Result<()> {
        Ok(rustix::fs::ftruncate(&self.fd, at)?)
    }
}

/// A file that is not whole yet, and that nobody holds open. Dropped, it is gone.
pub struct Rested {
    temp: Temp<Arc<OwnedFd>>,
    holes: bool,
}

impl Partial {
    /// Closes it until it goes on: a process may hold only so many files.
    pub fn rest(self) -> Rested {
        Rested { temp: self.temp, holes: self.holes.into_inner() }
    }
}

impl Rested {
    /// Opens it again.
    ///
    /// # Errors
    /// It cannot be opened. It stays as it was.
    pub fn go_on(self) -> Result<Partial, (Self, io::Error)> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match self.temp.open(flags) {
            Ok(fd) => Ok(Partial { temp: self.temp, fd, holes: AtomicBool::new(self.holes) }),
            Err(error) => Err((self, error)),
        }
    }
}

/// Bytes that are looked at together: where all are zeros, nothing is written. Some blocks of most file systems.
const STEP: usize = 64 << 10;

/// How many bytes at the beginning are zeros, or are not, in whole steps. A last, shorter step is content.
fn run(bytes: &[u8], zeros: bool) -> usize {
    let is_zero = |step: &[u8]| step.len() == STEP && step.iter().all(|byte| *byte == 0);
    bytes.chunks(STEP).take_while(|step| is_zero(step) == zeros).map(<[u8]>::len).sum()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_zeros_and_of_content_take_turns() {
        let cases: [(Vec<u8>, usize, usize); 5] = [
            (vec![], 0, 0),
            (vec![0; 100], 0, 100),
            (vec![0; STEP + 5], STEP, 0),
            ([vec![1; 5], vec![0; 2 * STEP]].concat(), 0, STEP),
            (vec![7; 3 * STEP], 0, 3 * STEP),
        ];
        for (bytes, zeros, content) in cases {
            assert_eq!((run(&bytes, true), run(&bytes, false)), (zeros, content), "{} bytes", bytes.len());
        }
    }
}

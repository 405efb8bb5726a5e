//! Reading one file for the vault.

use std::io::{self, BufReader, Read};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rustic_core::{ErrorKind, ReadSourceOpen, RusticError, RusticResult};
use rustix::fs::{Mode, OFlags};

use super::tally::Tally;
use crate::entry::{Entry, Kind};
use crate::folder::list;
use crate::run::Severity;

/// Stands in each error that is named as a failure of its own already: the library only warns of it.
pub(crate) const KNOWN: &str = "postkeep names this failure itself";

/// The library reads 4 KiB at once.
const BUFFER: usize = 256 << 10;

/// A file that was listed, and can be opened.
pub(crate) struct Open {
    pub(super) dir: Arc<OwnedFd>,
    pub(super) entry: Entry,
    pub(super) path: String,
    pub(super) tally: Arc<Tally>,
    /// Whether an earlier slice of this run came by it: it changed since.
    pub(super) again: bool,
}

/// The content of a file.
pub(crate) struct Content {
    file: Open,
    fd: OwnedFd,
    left: u64,
    ended: bool,
}

impl ReadSourceOpen for Open {
    type Reader = BufReader<Content>;

    fn open(self) -> RusticResult<BufReader<Content>> {
        // NONBLOCK: should a pipe have taken its place, the open must not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&*self.dir, self.entry.name.as_bytes(), flags, Mode::empty());
        let opened = opened.map_err(io::Error::from).and_then(|fd| {
            let now = list::stat_fd(&fd, self.entry.name.clone())?;
            match now.kind {
                Kind::File => Ok(fd),
                _ => Err(io::Error::other("it was replaced by something else meanwhile")),
            }
        });
        match opened {
            Ok(fd) => {
                let size = usize::try_from(self.entry.size).unwrap_or(BUFFER);
                let left = self.entry.size;
                // One byte more, so that the end is seen at once.
                let buffer = size.saturating_add(1).min(BUFFER);
                Ok(BufReader::with_capacity(buffer, Content { file: self, fd, left, ended: false }))
            }
            Err(cause) => {
                self.tally.unread.fetch_add(1, Relaxed);
                self.tally.failed(&self.path, "cannot read", &cause);
                Err(RusticError::new(ErrorKind::InputOutput, KNOWN))
            }
        }
    }
}

impl Read for Content {
    /// At most as many bytes as the file had when it was listed: one that grows without end must come to one.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        if self.file.tally.is_stopped() {
            return Err(self.give_up());
        }
        let want = usize::try_from(self.left).unwrap_or(usize::MAX);
        let read = match want {
            0 => 0,
            want => loop {
                let most = want.min(buffer.len());
                match rustix::io::read(&self.fd, &mut buffer[..most]) {
                    Err(rustix::io::Errno::INTR) => {}
                    Ok(read) => break read,
                    Err(cause) => {
                        self.file.tally.failed(&self.file.path, "cannot read", &cause.into());
                        return Err(self.give_up());
                    }
                }
            },
        };
        self.left -= read as u64;
        self.file.tally.read_bytes.fetch_add(read as u64, Relaxed);
        if !self.file.again {
            self.file.tally.fresh_bytes.fetch_add(read as u64, Relaxed);
        }
        if read == 0 {
            self.end();
        }
        Ok(read)
    }
}

impl Content {
    /// Looks once more: what changed meanwhile may be neither the old nor the new content.
    fn end(&mut self) {
        self.ended = true;
        let Open { entry, path, tally, again, .. } = &self.file;
        tally.read_files.fetch_add(1, Relaxed);
        tally.again.fetch_add(u64::from(*again), Relaxed);
        tally.took(path, entry.size);
        let now = list::stat_fd(&self.fd, entry.name.clone());
        let same = self.left == 0
            && now.is_ok_and(|now| {
                (now.size, now.mtime, now.ctime) == (entry.size, entry.mtime, entry.ctime)
                    // A name more or less changes the time, but not the content.
                    || (now.size, now.mtime) == (entry.size, entry.mtime) && now.nlink != entry.nlink
            })
            && !self.has_more();
        if !same {
            let hint = "the next run saves it again; files that change all the time are saved whole from a snapshot \
                        of the file system";
            tally.said(Severity::Warning, path, "changed while it was read", Some(hint));
        }
    }

    /// Whether there is content beyond what the listing told: files of the kernel have no size.
    fn has_more(&self) -> bool {
        self.file.entry.size == 0 && rustix::io::read(&self.fd, &mut [0_u8; 1][..]).is_ok_and(|read| read > 0)
    }

    fn give_up(&mut self) -> io::Error {
        self.ended = true;
        self.file.tally.unread.fetch_add(1, Relaxed);
        io::Error::other(KNOWN)
    }
}

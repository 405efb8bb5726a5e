//! Giving content its final name, and taking entries away.
//!
//! What is new gets its name by a rename that refuses to replace. What replaces something changes places with it
//! in one step (`RENAME_EXCHANGE`) and looks at what it got in exchange: if that is not what was planned for, they
//! change back. The old content has a second name among the versions before that.

use std::borrow::Borrow;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::copy::{Copied, copy};
use super::meta::{self, Handle};
use super::remove::remove_tree;
use super::versions::Kept;
use super::{Folder, list};
use crate::entry::{Entry, FileTime, Kind, Name, RelPath};
use crate::replica::{Content, Place, Put, Seen};

/// A name of ours in a folder, removed again unless its content moved on.
pub(super) struct Temp<D: AsFd> {
    dir: D,
    name: Name,
    moved: bool,
}

impl<D: AsFd> Temp<D> {
    pub(super) fn new(dir: D, name: Name) -> Self {
        Self { dir, name, moved: false }
    }

    /// Opens what has the name.
    pub(super) fn open(&self, flags: OFlags) -> io::Result<OwnedFd> {
        Ok(rustix::fs::openat(self.dir.as_fd(), self.name.as_bytes(), flags, Mode::empty())?)
    }
}

impl<D: AsFd> Drop for Temp<D> {
    fn drop(&mut self) {
        if !self.moved {
            // What cannot be removed now is swept by the next run.
            let _ = rustix::fs::unlinkat(self.dir.as_fd(), self.name.as_bytes(), AtFlags::empty());
        }
    }
}

impl Folder {
    pub(super) fn put_file(
        &self,
        dir: &OwnedFd,
        path: &RelPath,
        entry: &Entry,
        content: &mut dyn Content,
        place: Place<'_>,
        progress: &dyn Fn(u64) -> bool,
    ) -> io::Result<Put> {
        let name = self.first_name(entry, place);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(dir, name.as_bytes(), flags, Mode::RUSR | Mode::WUSR)?;
        let temp = Temp::new(dir, name);
        match copy(content, entry, fd.as_fd(), &self.kernel, progress)? {
            Copied::Stopped => return Err(io::ErrorKind::Interrupted.into()),
            Copied::All(bytes) if bytes != entry.size => return Ok(Put::SourceChanged),
            Copied::All(_) => {}
        }
        // One look for both ends of the copy: it is still the file that was listed, and it did not change since.
        if !content.is_unchanged(entry)? {
            return Ok(Put::SourceChanged);
        }
        let (attributes, mut lost) = match content.attributes() {
            Ok(attributes) => (Some(attributes), Vec::new()),
            Err(error) => (None, vec![format!("extended attributes: {error}")]),
        };
        let made = list::stat_fd(&fd, entry.name.clone())?;
        if made.size != entry.size {
            return Err(io::Error::other(format!("{} of {} bytes arrived", made.size, entry.size)));
        }
        // Where the source has no attributes, too: a default access list gives every new file one of its own.
        let handle = Handle::Open(fd.as_fd());
        lost.extend(meta::dress(&handle, entry, attributes.as_ref(), Some(&made), &self.about.keeps));
        let hard = is_hard_to_hold(entry.mtime);
        if hard || !self.times_hold.load(Relaxed) {
            let now = list::stat_fd(&fd, entry.name.clone())?;
            if self.about.keeps.same_time(now.mtime, entry.mtime) {
                self.times_hold.fetch_or(!hard, Relaxed);
            } else {
                lost.push(
                    "times: the file system does not hold them, so the file is copied each time".into(),
                );
            }
        }
        self.settle(temp, path, &entry.name, place, lost)
    }

    /// The name under which an entry is written: in a staged folder its own.
    fn first_name(&self, entry: &Entry, place: Place<'_>) -> Name {
        if matches!(place, Place::Staged) { entry.name.clone() } else { self.temp_name() }
    }

    pub(super) fn put_special(
        &self,
        dir: &OwnedFd,
        path: &RelPath,
        entry: &Entry,
        place: Place<'_>,
    ) -> io::Result<Put> {
        let name = self.first_name(entry, place);
        if let Some(target) = &entry.link {
            rustix::fs::symlinkat(&**target, dir, name.as_bytes())?;
        } else {
            let kind = match entry.kind {
                Kind::Fifo => FileType::Fifo,
                Kind::Socket => FileType::Socket,
                Kind::CharDevice => FileType::CharacterDevice,
                Kind::BlockDevice => FileType::BlockDevice,
                Kind::File | Kind::Folder | Kind::Symlink => return Err(io::ErrorKind::InvalidInput.into()),
            };
            rustix::fs::mknodat(dir, name.as_bytes(), kind, Mode::RUSR | Mode::WUSR, entry.rdev)?;
        }
        let temp = Temp::new(dir, name);
        let handle = Handle::of(dir, &temp.name)?;
        let lost = meta::dress(&handle, entry, None, None, &self.about.keeps);
        self.settle(temp, path, &entry.name, place, lost)
    }

    pub(super) fn put_link(
        &self,
        dir: &OwnedFd,
        path: &RelPath,
        leader_dir: &OwnedFd,
        leader: &Name,
        over: Option<&Seen>,
    ) -> io::Result<Put> {
        let Some((_, final_name)) = path.split() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let name = self.temp_name();
        rustix::fs::linkat(leader_dir, leader.as_bytes(), dir, name.as_bytes(), AtFlags::empty())?;
        self.settle(Temp::new(dir, name), path, &final_name, over.into(), Vec::new())
    }

    /// Moves finished content to its final name.
    pub(super) fn settle<D: Borrow<OwnedFd> + AsFd>(
        &self,
        mut temp: Temp<D>,
        path: &RelPath,
        name: &Name,
        at: Place<'_>,
        lost: Vec<String>,
    ) -> io::Result<Put> {
        let placed = match at {
            Place::Staged => {
                temp.moved = true;
                true
            }
            Place::Free => place(temp, name)?,
            Place::Taken(was) if was.kind == Kind::Folder => {
                // A folder leaves first: it would take its name among ours otherwise, and be swept after a crash.
                self.retire(temp.dir.borrow(), path, was)? && place(temp, name)?
            }
            Place::Taken(was) => self.replace(temp, path, name, was)?,
        };
        Ok(if placed { Put::Done(lost) } else { Put::TargetChanged })
    }

    /// Replaces what is not a folder.
    fn replace<D: Borrow<OwnedFd> + AsFd>(
        &self,
        mut temp: Temp<D>,
        path: &RelPath,
        name: &Name,
        was: &Seen,
    ) -> io::Result<bool> {
        let dir = temp.dir.borrow();
        if let Some(versions) = &self.versions {
            match versions.link(&self.root, dir, path, name, was)? {
                Kept::Linked => {}
                Kept::Changed => return Ok(false),
                // No second name: the old content must leave before the new one comes, or a crash between the two
                // would leave it under a name that is swept.
                Kept::NoLinks => return Ok(self.retire(dir, path, was)? && place(temp, name)?),
            }
        }
        let exchange = || {
            rustix::fs::renameat_with(dir, temp.name.as_bytes(), dir, name.as_bytes(), RenameFlags::EXCHANGE)
        };
        match exchange() {
            Ok(()) => {
                let same = list::stat(dir, temp.name.clone())?.is_some_and(|entry| was.is(&entry));
                if !same {
                    exchange()?;
                }
                Ok(same)
            }
            Err(Errno::NOENT) => Ok(false),
            // A file system that cannot exchange: a look, then a rename.
            Err(Errno::INVAL | Errno::NOSYS) => {
                if !list::stat(dir, name.clone())?.is_some_and(|entry| was.is(&entry)) {
                    return Ok(false);
                }
                rustix::fs::renameat(dir, temp.name.as_bytes(), dir, name.as_bytes())?;
                temp.moved = true;
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn retire(&self, dir: &OwnedFd, path: &RelPath, was: &Seen) -> io::Result<bool> {
        let Some((_, name)) = path.split() else { return Err(io::ErrorKind::InvalidInput.into()) };
        if !list::stat(dir, name.clone())?.is_some_and(|entry| was.is(&entry)) {
            return Ok(false);
        }
        if let Some(versions) = &self.versions {
            versions.take(&self.root, dir, path, &name, was)?;
            return Ok(true);
        }
        // It leaves its name first: what is removed below is then surely what was seen, and nobody sees it half gone.
        let gone = self.temp_name();
        rename_new(dir, &name, &gone)?;
        if !list::stat(dir, gone.clone())?.is_some_and(|entry| was.is(&entry)) {
            rename_new(dir, &gone, &name)?;
            return Ok(false);
        }
        remove_tree(dir, &gone)?;
        Ok(true)
    }
}

/// Whether that a time is kept says little about others, and that others are says little about it: whole seconds,
/// which every file system holds, and times beyond what 32 bits count.
fn is_hard_to_hold(time: FileTime) -> bool {
    time.nanos.is_multiple_of(1_000) || i32::try_from(time.seconds).is_err()
}

/// Gives a new entry its name. False: something has it by now.
fn place<D: Borrow<OwnedFd> + AsFd>(mut temp: Temp<D>, name: &Name) -> io::Result<bool> {
    match rename_new(temp.dir.borrow(), &temp.name, name) {
        Ok(()) => temp.moved = true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    }
    Ok(true)
}

/// Renames within a folder, never over something; a file system that cannot promise that is asked first.
pub(super) fn rename_new(dir: &OwnedFd, from: &Name, to: &Name) -> io::Result<()> {
    match rustix::fs::renameat_with(dir, from.as_bytes(), dir, to.as_bytes(), RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => {
            if list::stat(dir, to.clone())?.is_some() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Ok(rustix::fs::renameat(dir, from.as_bytes(), dir, to.as_bytes())?)
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_prove_nothing_are_looked_at_one_by_one() {
        for (seconds, nanos, hard) in [
            (1_800_000_000, 123_456_789, false),
            (1_800_000_000, 0, true),
            (1_800_000_000, 123_456_000, true),
            (-3_000_000_000, 123_456_789, true),
            (5_000_000_000, 123_456_789, true),
        ] {
            assert_eq!(is_hard_to_hold(FileTime { seconds, nanos }), hard, "{seconds}.{nanos}");
        }
    }
}

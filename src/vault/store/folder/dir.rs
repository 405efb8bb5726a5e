//! One folder of the layout, held by a descriptor: nothing in here follows a symbolic link.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Makes names of unfinished files differ within a process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Between the name of an object and what makes the name of its unfinished file its own; restic's word.
const UNFINISHED: &str = "-tmp-";

/// A folder that is open.
pub(super) struct Dir(OwnedFd);

/// A file in a folder.
pub(super) struct Seen {
    pub(super) size: u64,
    /// When it was last written, in seconds since 1970.
    pub(super) written: i64,
}

impl Dir {
    /// Opens the folder that holds all. It may be a link: whoever names it decides where it leads.
    pub(super) fn root(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, FOLDER, Mode::empty())?))
    }

    /// Opens a folder in it, which is no link.
    pub(super) fn enter(&self, name: &str) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(&self.0, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?))
    }

    /// Makes a folder in it, if it is not there, and opens it.
    pub(super) fn make(&self, name: &str, mode: u32) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(mode)) {
            Ok(()) => self.sync()?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        self.enter(name)
    }

    /// All names in it but `.` and `..`.
    pub(super) fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// A regular file of this name, if there is one.
    pub(super) fn look(&self, name: &str) -> io::Result<Option<Seen>> {
        let seen = match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(seen) => seen,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let regular = FileType::from_raw_mode(seen.st_mode) == FileType::RegularFile;
        Ok(regular.then_some(Seen { size: seen.st_size.cast_unsigned(), written: seen.st_mtime }))
    }

    /// Opens a file to read it, and says how large it is.
    pub(super) fn open(&self, name: &str) -> io::Result<(File, u64)> {
        // A named pipe of this name must not make us wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.0, name, flags, Mode::empty())?);
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok((file, meta.len()))
    }

    /// Writes a file of this name, instead of the one that is there. It is on disk, name and all, or not there.
    pub(super) fn put(&self, name: &str, content: &[u8], mode: u32) -> io::Result<()> {
        let rename = |draft: &str| Ok(rustix::fs::renameat(&self.0, draft, &self.0, name)?);
        self.write(name, content, mode, rename)
    }

    /// The same, if none is there: of two who write it at the same time one fails.
    pub(super) fn put_new(&self, name: &str, content: &[u8], mode: u32) -> io::Result<()> {
        self.write(name, content, mode, |draft| {
            match rustix::fs::linkat(&self.0, draft, &self.0, name, AtFlags::empty()) {
                Ok(()) => self.remove(draft),
                Err(Errno::EXIST) => Err(Errno::EXIST.into()),
                // Where there are no hard links.
                Err(_) => match self.look(name)? {
                    Some(_) => Err(Errno::EXIST.into()),
                    None => Ok(rustix::fs::renameat(&self.0, draft, &self.0, name)?),
                },
            }
        })
    }

    fn write(
        &self,
        name: &str,
        content: &[u8],
        mode: u32,
        place: impl FnOnce(&str) -> io::Result<()>,
    ) -> io::Result<()> {
        let unfinished = format!("{name}{UNFINISHED}{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file =
            File::from(rustix::fs::openat(&self.0, &*unfinished, flags, Mode::from_raw_mode(mode))?);
        let put = file
            .write_all(content)
            // As restic does: an object is never written again.
            .and_then(|()| Ok(rustix::fs::fchmod(file.as_fd(), Mode::from_raw_mode(mode & !0o222))?))
            .and_then(|()| file.sync_all())
            .and_then(|()| place(&unfinished));
        if put.is_err() {
            // What cannot be removed now is swept later.
            let _ = rustix::fs::unlinkat(&self.0, &*unfinished, AtFlags::empty());
            return put;
        }
        self.sync()
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts its names on disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// The mode of a file in it.
    pub(super) fn mode(&self, name: &str) -> Option<u32> {
        rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).ok().map(|seen| seen.st_mode)
    }
}

/// Of which object this is an unfinished file, ours or restic's.
pub(super) fn unfinished(name: &str) -> Option<&str> {
    name.split_once(UNFINISHED).map(|(object, _)| object)
}

//! Listing a held folder: names with getdents, then one statx each, both relative to the folder's descriptor.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, SeekFrom, Statx, StatxAttributes, StatxFlags};

use crate::entry::{Entry, FileTime, Kind, Name};
use crate::replica::Listing;

/// Bytes of directory entries taken from the kernel at once.
const BUFFER: usize = 64 << 10;

/// Flags under which a folder is opened: itself, never what a link in its place points to.
pub(crate) const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens the folder `name` in `dir`.
pub(crate) fn open_folder(dir: impl AsFd, name: &[u8]) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(dir, name, FOLDER, Mode::empty())?)
}

/// Lists a folder, sorted by name. An entry that vanishes between its name and its stat is not there.
pub(crate) fn list(dir: impl AsFd) -> io::Result<Listing> {
    let names = names(dir.as_fd())?;
    let mut listing = Listing { entries: Vec::with_capacity(names.len()), unreadable: Vec::new() };
    for name in names {
        match stat(dir.as_fd(), name.clone()) {
            Ok(Some(entry)) => listing.entries.push(entry),
            Ok(None) => {}
            Err(error) => listing.unreadable.push((name, error)),
        }
    }
    Ok(listing)
}

fn names(dir: impl AsFd) -> io::Result<Vec<Name>> {
    // A folder may be listed again. It is not opened anew for that: one that may be read but not entered can be listed.
    rustix::fs::seek(dir.as_fd(), SeekFrom::Start(0))?;
    let mut buffer: Vec<MaybeUninit<u8>> = Vec::with_capacity(BUFFER);
    buffer.resize(BUFFER, MaybeUninit::uninit());
    let mut entries = RawDir::new(dir.as_fd(), &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        names.extend(Name::new(entry?.file_name().to_bytes()));
    }
    names.sort_unstable();
    Ok(names)
}

/// What `name` in `dir` is; None when it is not there.
pub(crate) fn stat(dir: impl AsFd, name: Name) -> io::Result<Option<Entry>> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let found = match rustix::fs::statx(dir.as_fd(), name.as_bytes(), flags, StatxFlags::BASIC_STATS) {
        Ok(found) => found,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut entry = entry(name, &found);
    if entry.kind == Kind::Symlink {
        match rustix::fs::readlinkat(dir, entry.name.as_bytes(), Vec::new()) {
            Ok(target) => entry.link = Some(target.into_bytes().into()),
            // It vanished just now.
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(entry))
}

/// What an open descriptor is, under the name it is known by.
pub(crate) fn stat_fd(fd: impl AsFd, name: Name) -> io::Result<Entry> {
    let found = rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?;
    Ok(entry(name, &found))
}

fn entry(name: Name, found: &Statx) -> Entry {
    let time = |t: &rustix::fs::StatxTimestamp| FileTime { seconds: t.tv_sec, nanos: t.tv_nsec };
    Entry {
        name,
        kind: kind(u32::from(found.stx_mode)),
        size: found.stx_size,
        mtime: time(&found.stx_mtime),
        ctime: time(&found.stx_ctime),
        mode: u32::from(found.stx_mode) & 0o7777,
        uid: found.stx_uid,
        gid: found.stx_gid,
        rdev: rustix::fs::makedev(found.stx_rdev_major, found.stx_rdev_minor),
        nlink: found.stx_nlink,
        id: (rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino),
        allocated: found.stx_blocks * 512,
        mount_point: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        link: None,
    }
}

fn kind(mode: u32) -> Kind {
    match FileType::from_raw_mode(mode) {
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::CharDevice,
        FileType::BlockDevice => Kind::BlockDevice,
        _ => Kind::File,
    }
}

//! Mode, owner, times and extended attributes of an entry, always through a descriptor of the entry itself.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, StatxAttributes, StatxFlags, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use crate::entry::{Entry, FileTime, Kind, Name};
use crate::replica::{Attributes, Keeps};

/// A descriptor of an entry, whatever may be done through it.
pub(super) enum Handle<'a> {
    /// Opened for reading or writing.
    Open(BorrowedFd<'a>),
    /// Only names the entry (`O_PATH`): works for what may not be read.
    Path(OwnedFd),
}

impl Handle<'_> {
    /// Names `name` in `dir` itself, never what a link points to.
    pub fn of(dir: impl AsFd, name: &Name) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self::Path(rustix::fs::openat(dir, name.as_bytes(), flags, Mode::empty())?))
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Open(fd) => *fd,
            Self::Path(fd) => fd.as_fd(),
        }
    }

    /// The entry by way of /proc, for calls that take no `O_PATH` descriptor.
    fn by_proc(&self) -> CString {
        CString::new(format!("/proc/self/fd/{}", self.fd().as_raw_fd())).unwrap_or_default()
    }
}

/// Whether an attribute is part of a file's meaning, as far as this user may set it: the user's own, access lists,
/// and for the superuser capabilities and trusted ones. Labels of a security module belong to the machine.
pub(super) fn is_kept(name: &[u8], owners: bool) -> bool {
    name.starts_with(b"user.")
        || name.starts_with(b"system.posix_acl_")
        || owners
            && (name == b"security.capability" || name.starts_with(b"trusted."))
            && !name.starts_with(b"trusted.overlay.")
}

/// Reads the extended attributes worth keeping, sorted by name.
pub(super) fn attributes(of: &Handle<'_>, owners: bool) -> io::Result<Attributes> {
    let names = match grow(|buffer| match of {
        Handle::Open(fd) => rustix::fs::flistxattr(fd, buffer),
        Handle::Path(_) => rustix::fs::listxattr(of.by_proc(), buffer),
    }) {
        Ok(names) => names,
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for name in names.split(|b| *b == 0).filter(|name| is_kept(name, owners)) {
        let value = grow(|buffer| match of {
            Handle::Open(fd) => rustix::fs::fgetxattr(fd, name, buffer),
            Handle::Path(_) => rustix::fs::getxattr(of.by_proc(), name, buffer),
        });
        match value {
            Ok(value) => found.push((name.to_vec(), value)),
            // Gone between its name and its value.
            Err(Errno::NODATA) => {}
            Err(error) => return Err(error.into()),
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Calls with a larger buffer until the answer fits. The kernel's limit of 64 KiB ends it.
fn grow(call: impl Fn(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut small = [0; 512];
    match call(&mut small) {
        Ok(n) => return Ok(small[..n].to_vec()),
        Err(Errno::RANGE) => {}
        Err(error) => return Err(error),
    }
    let mut buffer = vec![0; 65_536];
    let n = call(&mut buffer)?;
    buffer.truncate(n);
    Ok(buffer)
}

/// Gives an entry the metadata of `source`; times last, because the rest changes them. Returns what could not be
/// kept. `is` is what the entry is now, where that is known: an owner that it has already is not set.
pub(super) fn dress(
    to: &Handle<'_>,
    source: &Entry,
    attributes: Option<&Attributes>,
    is: Option<&Entry>,
    keeps: &Keeps,
) -> Vec<String> {
    let mut lost = Vec::new();
    let mut note = |what: &str, result: Result<(), Errno>| {
        if let Err(error) = result {
            lost.push(format!("{what}: {}", io::Error::from(error)));
        }
    };
    let owned = is.is_some_and(|is| (is.uid, is.gid) == (source.uid, source.gid));
    if keeps.owners && !owned {
        let (uid, gid) = (Uid::from_raw(source.uid), Gid::from_raw(source.gid));
        note(
            "owner",
            match to {
                Handle::Open(fd) => rustix::fs::fchown(fd, Some(uid), Some(gid)),
                Handle::Path(fd) => rustix::fs::chownat(fd, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH),
            },
        );
    }
    if keeps.modes && source.kind != Kind::Symlink {
        let mode = keeps.mode(source);
        // A change of owner takes set-id bits away.
        if !(owned && is.is_some_and(|is| is.mode == mode)) {
            note("mode", chmod(to, Mode::from_raw_mode(mode)));
        }
    }
    if let Some(wanted) = attributes {
        dress_attributes(to, wanted, keeps.owners, &mut note);
    }
    note(
        "times",
        match to {
            Handle::Open(fd) => rustix::fs::futimens(fd, &times(source)),
            Handle::Path(fd) => rustix::fs::utimensat(fd, "", &times(source), AtFlags::EMPTY_PATH),
        },
    );
    lost
}

fn dress_attributes(
    to: &Handle<'_>,
    wanted: &Attributes,
    owners: bool,
    note: &mut impl FnMut(&str, Result<(), Errno>),
) {
    let present = attributes(to, owners).unwrap_or_default();
    for (name, _) in present.iter().filter(|(name, _)| !wanted.iter().any(|(kept, _)| kept == name)) {
        let removed = match to {
            Handle::Open(fd) => rustix::fs::fremovexattr(fd, name.as_slice()),
            Handle::Path(_) => rustix::fs::removexattr(to.by_proc(), name.as_slice()),
        };
        note(&attribute_word(name), removed);
    }
    for (name, value) in wanted.iter().filter(|pair| !present.contains(pair)) {
        let set = match to {
            Handle::Open(fd) => rustix::fs::fsetxattr(fd, name.as_slice(), value, XattrFlags::empty()),
            Handle::Path(_) => {
                rustix::fs::setxattr(to.by_proc(), name.as_slice(), value, XattrFlags::empty())
            }
        };
        note(&attribute_word(name), set);
    }
}

fn attribute_word(name: &[u8]) -> String {
    if name.starts_with(b"system.posix_acl_") {
        return "access list".into();
    }
    format!("extended attribute {}", crate::entry::show(name))
}

/// The entry's modification time; the access time is left as it is.
fn times(source: &Entry) -> Timestamps {
    let FileTime { seconds, nanos } = source.mtime;
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanos.into() },
    }
}

/// Lets the owner list, enter and change a folder; a disk's own root is left as it is. Returns the mode that it had,
/// if that was changed.
pub(super) fn unlock(folder: &Handle<'_>) -> io::Result<Option<Mode>> {
    let is = rustix::fs::statx(folder.fd(), "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?;
    let mode = Mode::from_raw_mode(u32::from(is.stx_mode) & 0o7777);
    if mode.contains(Mode::RWXU) || is.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        return Ok(None);
    }
    chmod(folder, mode | Mode::RWXU)?;
    Ok(Some(mode))
}

/// Sets the permission bits of what is no link.
pub(super) fn chmod(of: &Handle<'_>, mode: Mode) -> Result<(), Errno> {
    match of {
        Handle::Open(fd) => rustix::fs::fchmod(fd, mode),
        Handle::Path(_) => rustix::fs::chmod(of.by_proc(), mode),
    }
}

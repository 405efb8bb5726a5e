//! Removing a tree without ever naming a path: each folder is held while it is emptied.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::AtFlags;

use super::list::{list, open_folder, stat};
use crate::entry::{Entry, Kind, Name};
use crate::replica::Retired;

/// Removes `name` in `dir` with all that is in it. Links are removed, never followed; what is mounted in it is not
/// ours to remove, and ends it.
pub(super) fn remove_tree(dir: impl AsFd, name: &Name) -> io::Result<Retired> {
    let mut removed = Retired::default();
    let Some(top) = stat(dir.as_fd(), name.clone())? else { return Ok(removed) };
    refuse_mount(&top)?;
    if top.kind != Kind::Folder {
        rustix::fs::unlinkat(dir, name.as_bytes(), AtFlags::empty())?;
        return Ok(Retired { entries: 1, bytes: top.size });
    }
    // The folders from `name` down to the one at hand: its descriptor, its name, the folders still to be emptied.
    let mut stack: Vec<(OwnedFd, Name, Vec<Name>)> = Vec::new();
    let fd = enter(dir.as_fd(), name)?;
    let inner = empty(&fd, &mut removed)?;
    stack.push((fd, name.clone(), inner));
    while let Some((fd, _, rest)) = stack.last_mut() {
        if let Some(next) = rest.pop() {
            let child = enter(fd.as_fd(), &next)?;
            let inner = empty(&child, &mut removed)?;
            stack.push((child, next, inner));
        } else if let Some((_, emptied, _)) = stack.pop() {
            let parent = stack.last().map_or(dir.as_fd(), |(fd, _, _)| fd.as_fd());
            rustix::fs::unlinkat(parent, emptied.as_bytes(), AtFlags::REMOVEDIR)?;
            removed.entries += 1;
        }
    }
    Ok(removed)
}

fn refuse_mount(entry: &Entry) -> io::Result<()> {
    if entry.mount_point { Err(rustix::io::Errno::BUSY.into()) } else { Ok(()) }
}

/// Opens a folder; one of ours that may not be read or searched is made so first (old versions keep their modes).
fn enter(dir: impl AsFd, name: &Name) -> io::Result<OwnedFd> {
    let fd = match open_folder(dir.as_fd(), name.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let handle = super::meta::Handle::of(dir.as_fd(), name)?;
            super::meta::unlock(&handle)?;
            open_folder(dir, name.as_bytes())?
        }
        other => other?,
    };
    let mode = rustix::fs::fstat(&fd)?.st_mode;
    if mode & 0o700 != 0o700 {
        rustix::fs::fchmod(&fd, rustix::fs::Mode::RWXU)?;
    }
    Ok(fd)
}

/// Removes everything but folders; returns their names.
fn empty(fd: &OwnedFd, removed: &mut Retired) -> io::Result<Vec<Name>> {
    let listing = list(fd)?;
    if let Some((_, error)) = listing.unreadable.into_iter().next() {
        return Err(error);
    }
    let mut folders = Vec::new();
    for entry in listing.entries {
        refuse_mount(&entry)?;
        if entry.kind == Kind::Folder {
            folders.push(entry.name);
            continue;
        }
        rustix::fs::unlinkat(fd, entry.name.as_bytes(), AtFlags::empty())?;
        removed.entries += 1;
        removed.bytes += entry.size;
    }
    Ok(folders)
}

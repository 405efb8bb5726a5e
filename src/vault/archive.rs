//! A folder of a snapshot as a tar archive.

use std::io::{self, Write};

use rustic_core::repofile::Node;
use tar::{Builder, EntryType, Header};

use super::content::{Content, carried};
use super::indexed::Indexed;
use super::node::{self, Missing};
use super::tree::{self, Step};
use crate::entry::{FileTime, Kind, RelPath};
use crate::error::Error;

/// Writes everything in `folder` as a tar archive, with modes, owners and times. What the format has no place for is
/// left out: times before 1970 and parts of seconds, extended attributes, sockets; a file with several names comes as
/// several files.
///
/// # Errors
/// Something cannot be read or written: then the archive is not whole.
pub fn tar(vault: &Indexed<'_>, folder: &Node, to: &mut dyn Write) -> io::Result<()> {
    let mut archive = Builder::new(to);
    tree::walk(vault, &RelPath::root(), folder, &mut |step| {
        match step {
            Step::Entry(path, node) => {
                append(&mut archive, vault, path, node).map_err(|error| at(path, error))?
            }
            Step::Broken(path, why) => return Err(carried(&format!("/{path}: "), why)),
            Step::End(..) => {}
        }
        Ok(true)
    })?;
    archive.finish()
}

/// Names the entry at which an archive ends. What is ours keeps its kind, and what is the system's keeps its own.
fn at(path: &RelPath, error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(ours) => carried(&format!("/{path}: "), ours),
        None => io::Error::new(error.kind(), format!("/{path}: {error}")),
    }
}

fn append(
    archive: &mut Builder<&mut dyn Write>,
    vault: &Indexed<'_>,
    path: &RelPath,
    node: &Node,
) -> io::Result<()> {
    let Some((_, name)) = path.split() else { return Ok(()) };
    let entry = node::entry(node, name, &Missing { owner: (0, 0), mtime: FileTime::default() });
    let mut header = Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_uid(entry.uid.into());
    header.set_gid(entry.gid.into());
    header.set_mtime(u64::try_from(entry.mtime.seconds).unwrap_or(0));
    header.set_size(0);
    match entry.kind {
        Kind::File => {
            let content = Content::new(vault, node).map_err(io::Error::other)?;
            header.set_size(content.length());
            return archive.append_data(&mut header, path.as_path(), content);
        }
        Kind::Folder => header.set_entry_type(EntryType::Directory),
        Kind::Symlink => {
            use std::os::unix::ffi::OsStrExt;
            header.set_entry_type(EntryType::Symlink);
            let target = std::ffi::OsStr::from_bytes(entry.link.as_deref().unwrap_or_default());
            return archive.append_link(&mut header, path.as_path(), target);
        }
        Kind::Fifo => header.set_entry_type(EntryType::Fifo),
        Kind::Socket => return Ok(()),
        Kind::CharDevice | Kind::BlockDevice => {
            let kind = if entry.kind == Kind::CharDevice { EntryType::Char } else { EntryType::Block };
            header.set_entry_type(kind);
            header.set_device_major(rustix::fs::major(entry.rdev))?;
            header.set_device_minor(rustix::fs::minor(entry.rdev))?;
        }
    }
    archive.append_data(&mut header, path.as_path(), io::empty())
}

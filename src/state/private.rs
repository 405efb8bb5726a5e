//! Folders and files that only their owner can read: the history names every file that failed.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::error::{Context, Error, Result};

/// Makes `dir` (0700) with its parents, or checks the one that is there.
pub(super) fn folder(dir: &Path) -> Result<()> {
    make(dir)?;
    check(dir)
}

/// Makes a folder (0700) with its parents; one that is there stays as it is.
pub(super) fn make(dir: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|cause| {
        Error::other(format!("cannot make the folder {}", dir.display()))
            .caused_by(cause)
            .hint("give a folder that you may write with --state DIR")
    })
}

/// Refuses a folder in which somebody else can put files: what postkeep reads there decides what it does.
pub(super) fn check(dir: &Path) -> Result<()> {
    let meta = fs::metadata(dir).context(|| format!("cannot look at the folder {}", dir.display()))?;
    if !meta.is_dir() {
        return Err(Error::other(format!("the state folder {} is not a folder", dir.display())));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::other(format!("the state folder {} belongs to another user", dir.display()))
            .hint("run postkeep as that user, or use another folder with --state DIR"));
    }
    if meta.mode() & 0o022 != 0 {
        return Err(Error::other(format!("others can write into the state folder {}", dir.display()))
            .hint(format!("chmod go-w {}", dir.display())));
    }
    Ok(())
}

/// Whether there is a file of this name.
pub(super) fn exists(path: &Path) -> Result<bool> {
    path.try_exists().context(|| format!("cannot look for {}", path.display()))
}

/// Makes an empty file (0600), or takes all rights of others from the one that is there.
///
/// An existing file is never opened: closing it would free the locks that SQLite holds on it in this process.
pub(super) fn file(path: &Path) -> Result<()> {
    match new_file(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).context(|| format!("cannot make the file {}", path.display())),
    }
    let mode = fs::metadata(path).context(|| format!("cannot look at {}", path.display()))?.mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode & 0o700))
        .context(|| format!("cannot make {} private", path.display()))
}

/// A new file (0600) to write; an error if there is one of this name.
pub(super) fn new_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

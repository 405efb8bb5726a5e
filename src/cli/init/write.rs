//! New files that are there whole or not at all, and never in the place of another.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::error::{Context as _, Error, Kind, Result};

/// Makes the folder and those above it, for its owner only; one that is there stays as it is.
pub(super) fn folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.context(|| format!("cannot make the folder {}", path.display()))
}

/// Writes a file that is not there yet, readable by its owner only.
pub(super) fn new_file(path: &Path, content: &[u8]) -> Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    // The process's number keeps two of us apart; create_new keeps everyone else out.
    name.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = write_synced(&temporary, content).and_then(|()| rename_new(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    match written {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(Error::new(Kind::Config, format!("{} is there already", path.display()))
                .hint("it was left as it is; choose another name"))
        }
        result => result.context(|| format!("cannot write {}", path.display())),
    }
}

fn write_synced(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn rename_new(from: &Path, to: &Path) -> std::io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some network file systems do not know the flag; then a look before is the best there is.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            if to.symlink_metadata().is_ok() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(from, to)?;
        }
        result => result?,
    }
    // The name too must survive a power cut.
    to.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_written_whole_and_never_over_another() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("a/b");
        folder(&below).unwrap();
        folder(&below).unwrap();
        let file = below.join("x.toml");
        new_file(&file, b"first").unwrap();
        let again = new_file(&file, b"second").unwrap_err();
        assert!(again.to_string().contains("x.toml is there already"));
        assert_eq!(std::fs::read(&file).unwrap(), b"first");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&below)), (0o600, 0o700));
        assert_eq!(std::fs::read_dir(&below).unwrap().count(), 1);
    }
}

//! Mail on this machine's disks: what a source of plain files needs to look through a tree that somebody else writes.
//!
//! A folder is a held descriptor and an entry one name in it, so no symbolic link below the root is ever followed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::entry::{FileTime, RelPath, show};
use crate::error::{Context, Error, Result};
use crate::folder::list::open_folder;
use crate::mail::imap::utf7;

/// How many folders may be inside each other.
pub(super) const DEEPEST: usize = 32;

/// Opens a folder below a root. What was named by a person may be a link; what lies in it may not.
pub(super) fn open(root: &Path, path: &RelPath) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = rustix::fs::open(root, flags, Mode::empty())?;
    for name in path.names() {
        folder = open_folder(&folder, name.as_bytes())?;
    }
    Ok(folder)
}

/// Opens a file in a folder to be read; nothing but a file, and not what a link points to.
pub(super) fn open_file(folder: impl AsFd, name: &[u8]) -> io::Result<File> {
    // What is no file any more must not hold us: a named pipe waits for a writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(folder, name, flags, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no file")),
    }
}

/// A file's time as one of a calendar, to the second. None: no calendar has it.
pub(super) fn timestamp(time: FileTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_second(time.seconds).ok()
}

/// A folder's name on disk for people: modified UTF-7, as Dovecot and Courier write names, or UTF-8.
pub(super) fn readable(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(name) => utf7::decode(name).unwrap_or_else(|| name.to_owned()),
        Err(_) => show(name),
    }
}

/// What is called how: each path of a folder once. Two that would have the same are told apart by a number.
#[derive(Debug)]
pub(super) struct Folders(BTreeMap<String, RelPath>);

impl Folders {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn add(&mut self, name: &str, path: RelPath) {
        let name = if name.is_empty() { "INBOX" } else { name };
        let mut unique = name.to_owned();
        let mut number = 1_usize;
        while self.0.contains_key(&unique) {
            number += 1;
            unique = format!("{name} ({number})");
        }
        self.0.insert(unique, path);
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    pub(super) fn get(&self, name: &str) -> Option<&RelPath> {
        self.0.get(name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where messages are read from, as it really is: what a person named, without links and relative parts.
///
/// # Errors
/// It is not there, or cannot be reached.
pub(super) fn root(path: &Path, what: &str) -> Result<PathBuf> {
    let missing = |error: Error| error.hint("look whether the disk is mounted and the name is right");
    path.canonicalize().context(|| format!("cannot open the {what} {}", path.display())).map_err(missing)
}

/// The error for a folder that is not there any more.
pub(super) fn gone(place: &str, folder: &str) -> Error {
    Error::other(format!("the folder {} is not in {place} any more", show(folder.as_bytes())))
        .hint("if it was renamed, the next run finds it under its new name")
}

/// Why a file cannot be read, in one sentence.
pub(super) fn why(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => {
            "a symbolic link is in its place".into()
        }
        _ => format!("it cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Name;

    #[test]
    fn names_are_read_as_programs_write_them() {
        for (name, expected) in [
            (&b"Entw&APw-rfe"[..], "Entwürfe"),
            ("Entwürfe".as_bytes(), "Entwürfe"),
            (b"Tom & Jerry", "Tom & Jerry"),
            (b"Tom &- Jerry", "Tom & Jerry"),
            (b"\xff", "\\xff"),
        ] {
            assert_eq!(readable(name), expected);
        }
        let mut folders = Folders::new();
        ["a", "a", "", "a"].iter().for_each(|name| folders.add(name, RelPath::root()));
        assert_eq!(folders.names().collect::<Vec<_>>(), ["INBOX", "a", "a (2)", "a (3)"]);
    }

    #[test]
    fn no_link_below_the_root_is_followed() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        std::fs::create_dir_all(path("mail/cur")).unwrap();
        std::fs::write(path("secret"), "x").unwrap();
        std::os::unix::fs::symlink(path("mail"), path("named")).unwrap();
        std::os::unix::fs::symlink(path("mail/cur"), path("mail/link")).unwrap();
        std::os::unix::fs::symlink(path("secret"), path("mail/cur/1")).unwrap();
        let rel = |name: &str| RelPath::root().join(&Name::new(name.as_bytes()).unwrap());
        let cur = open(&path("named"), &rel("cur")).unwrap();
        assert!(open(&path("named"), &rel("link")).is_err());
        let error = open_file(&cur, b"1").unwrap_err();
        assert_eq!(why(&error), "a symbolic link is in its place");
        assert!(rustix::fs::mknodat(&cur, "pipe", rustix::fs::FileType::Fifo, Mode::RUSR, 0).is_ok());
        assert!(open_file(&cur, b"pipe").is_err());
    }
}

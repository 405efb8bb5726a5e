//! A Maildir: a folder in which every mail is a file, readable by any mail program, on this machine.
//!
//! A letter is written to `tmp/`, flushed to disk, and then renamed into `new/`: a reader never sees half of it,
//! and what was delivered survives a power cut. The file's name carries the letter's key, so that a delivery which
//! is repeated (killed before it could be recorded) finds its letter and leaves it at that.
//!
//! Mails travel with CRLF line ends; in a Maildir lines end with LF alone, so that is how they are written.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};

use walkdir::WalkDir;

use crate::error::{Error, Result};

/// Marks our files: another program's are not ours to tidy up.
const MARK: &str = "postkeep-";

/// How deep folders are looked through: Maildir++ keeps them beside each other, some programs inside each other.
const FOLDERS: usize = 3;

/// How long a file may lie in `tmp/` before it is certain that nobody writes it any more.
const ABANDONED: SignedDuration = SignedDuration::from_hours(36);

/// Who delivers, for the file's name.
#[derive(Debug, Clone, Copy)]
pub struct Postman<'a> {
    /// The machine's name.
    pub host: &'a str,
    /// The process's id.
    pub pid: u32,
}

/// An opened Maildir.
#[derive(Debug, Clone)]
pub struct Maildir {
    path: PathBuf,
}

impl Maildir {
    /// Opens the Maildir at `path`, or makes one (0700) in a folder that is missing or empty.
    ///
    /// # Errors
    /// The folder cannot be made, is a file, or holds other things and no Maildir.
    pub fn open_or_create(path: &Path) -> Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|cause| explain(cause, format!("cannot make the Maildir {}", path.display()), path))?;
        let maildir = Self { path: path.to_owned() };
        if maildir.is_something_else()? {
            return Err(Error::other(format!("{} is no Maildir, and it is not empty", path.display()))
                .hint("give a new or empty folder, or a Maildir with its folders cur, new and tmp"));
        }
        let failed = |cause, folder: &Path| {
            Err(explain(cause, format!("cannot make the folder {}", folder.display()), path))
        };
        let mut made = false;
        for name in ["tmp", "new", "cur"] {
            let folder = path.join(name);
            match DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => made = true,
                Err(cause) if cause.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
                Err(cause) => return failed(cause, &folder),
            }
        }
        // A letter is on disk only when the folder that it is in is there too.
        if made && let Err(cause) = File::open(path).and_then(|folder| folder.sync_all()) {
            return failed(cause, path);
        }
        Ok(maildir)
    }

    /// Delivers a letter and returns its file; if a letter of this key is there already, read or unread, returns
    /// that one and writes nothing. `key` is made of letters, digits and hyphens.
    ///
    /// # Errors
    /// The disk is full, or the folder cannot be read or written: nothing was delivered.
    pub fn deliver(&self, key: &str, mail: &[u8], now: Timestamp, by: Postman<'_>) -> Result<PathBuf> {
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(Error::other(format!("{key:?} cannot be the key of a letter")));
        }
        self.tidy_up(now);
        let failed =
            |cause| explain(cause, format!("cannot deliver into {}", self.path.display()), &self.path);
        if let Some(there) = self.find(key).map_err(failed)? {
            return Ok(there);
        }
        self.write(&file_name(key, now, by), mail).map_err(failed)
    }

    fn write(&self, name: &str, mail: &[u8]) -> std::io::Result<PathBuf> {
        let (draft, place) = (self.path.join("tmp").join(name), self.path.join("new").join(name));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let written = file
            .write_all(&with_bare_lines(mail))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&draft, &place));
        if let Err(error) = written {
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        File::open(self.path.join("new"))?.sync_all()?;
        Ok(place)
    }

    /// The file of the letter with this key, if it was delivered; also in a folder of the Maildir (`.Archive/cur`)
    /// that somebody moved it to.
    fn find(&self, key: &str) -> std::io::Result<Option<PathBuf>> {
        // Backwards by name, `new` before `cur`: a reader moves letters from there to here, so one that moves
        // meanwhile is seen in either.
        // From the first level on: what lies above the least depth is not asked whether it is to be entered.
        let walk = WalkDir::new(&self.path).min_depth(1).max_depth(FOLDERS + 2);
        let walk = walk.sort_by(|a, b| b.file_name().cmp(a.file_name()));
        for entry in walk.into_iter().filter_entry(|entry| entry.file_name() != "tmp") {
            let entry = entry?;
            if entry.file_type().is_file() && entry.file_name().to_str().and_then(key_of) == Some(key) {
                return Ok(Some(entry.into_path()));
            }
        }
        Ok(None)
    }

    /// Removes what deliveries that were killed left in `tmp/`. What cannot be removed stays: it is in nobody's way.
    fn tidy_up(&self, now: Timestamp) {
        let Ok(entries) = fs::read_dir(self.path.join("tmp")) else { return };
        let Some(limit) = now.checked_sub(ABANDONED).ok().map(SystemTime::from) else { return };
        for entry in entries.flatten() {
            let ours = entry.file_name().to_str().and_then(key_of).is_some();
            let old = || entry.metadata().and_then(|meta| meta.modified()).is_ok_and(|time| time < limit);
            if ours && old() {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Whether it holds anything, but none of a Maildir's folders.
    fn is_something_else(&self) -> Result<bool> {
        let failed =
            |cause| explain(cause, format!("cannot read the folder {}", self.path.display()), &self.path);
        let mut other = false;
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let name = name.as_encoded_bytes();
            match name {
                b"cur" | b"new" | b"tmp" => return Ok(false),
                // What a file system or a desktop leaves in an empty folder.
                b"lost+found" => {}
                name => other |= !name.starts_with(b"."),
            }
        }
        Ok(other)
    }
}

/// A file name as the Maildir convention has it: seconds, something unique, host. A file name in `cur` goes on with
/// `:2,` and flags.
fn file_name(key: &str, now: Timestamp, by: Postman<'_>) -> String {
    let micros = now.subsec_nanosecond().unsigned_abs() / 1_000;
    let host: String = by
        .host
        .chars()
        .take(64)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
        .collect();
    let host = if host.is_empty() { "localhost" } else { &host };
    format!("{}.M{micros}P{}_{MARK}{key}.{host}", now.as_second(), by.pid)
}

/// The key in a file name of ours.
fn key_of(name: &str) -> Option<&str> {
    name.split('.').nth(1)?.split_once('_')?.1.strip_prefix(MARK)
}

/// The mail with LF for every CRLF.
fn with_bare_lines(mail: &[u8]) -> Vec<u8> {
    let mut bare = Vec::with_capacity(mail.len());
    for (at, byte) in mail.iter().enumerate() {
        if *byte != b'\r' || mail.get(at + 1) != Some(&b'\n') {
            bare.push(*byte);
        }
    }
    bare
}

/// An error of the file system, with what to do about it.
fn explain(cause: std::io::Error, message: String, path: &Path) -> Error {
    let path = path.display();
    let hint = match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Some(format!("make room on the disk that holds {path}; the letter waits in the outbox"))
        }
        ErrorKind::PermissionDenied => {
            Some(format!("give the user that runs postkeep the right to write {path}"))
        }
        ErrorKind::ReadOnlyFilesystem => Some(format!("{path} is mounted read-only; mount it writable")),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            Some("a file is where a folder should be: give another folder for the Maildir".to_owned())
        }
        _ => None,
    };
    let error = Error::other(message).caused_by(cause);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const BY: Postman<'static> = Postman { host: "nas1", pid: 42 };

    fn now() -> Timestamp {
        Timestamp::from_microsecond(1_750_000_000_000_017).unwrap()
    }

    fn names(maildir: &Maildir, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(maildir.path.join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_letter_is_a_private_file_with_bare_lines() {
        let temp = tempfile::tempdir().unwrap();
        let maildir = Maildir::open_or_create(&temp.path().join("Mail/reports")).unwrap();
        let file = maildir.deliver("01ABC", b"A: b\r\n\r\nx\ry\r\r\n\nz\r", now(), BY).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"A: b\n\nx\ry\r\n\nz\r");
        assert_eq!(names(&maildir, "new"), ["1750000000.M17P42_postkeep-01ABC.nas1"]);
        assert!(names(&maildir, "tmp").is_empty());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&maildir.path), mode(&maildir.path.join("new")), mode(&file)),
            (0o700, 0o700, 0o600)
        );
    }

    #[test]
    fn a_draft_that_a_kill_left_is_no_delivery() {
        let temp = tempfile::tempdir().unwrap();
        let maildir = Maildir::open_or_create(temp.path()).unwrap();
        for tmp in [temp.path().join("tmp"), temp.path().join(".Archive/tmp")] {
            fs::create_dir_all(&tmp).unwrap();
            fs::write(tmp.join(file_name("01ABC", now(), BY)), b"on").unwrap();
        }
        let by = Postman { host: "nas1", pid: 43 };
        let file = maildir.deliver("01ABC", b"one", now(), by).unwrap();
        assert!(file.starts_with(temp.path().join("new")), "{file:?}");
        assert_eq!(fs::read(&file).unwrap(), b"one");
    }

    #[test]
    fn a_repeated_delivery_finds_its_letter_wherever_a_reader_put_it() {
        let temp = tempfile::tempdir().unwrap();
        let maildir = Maildir::open_or_create(temp.path()).unwrap();
        let first = maildir.deliver("01ABC", b"one", now(), BY).unwrap();
        let later = now().checked_add(ABANDONED).unwrap();
        let other = Postman { host: "a/b:c", pid: 43 };
        assert_eq!(maildir.deliver("01ABC", b"two", later, other).unwrap(), first);
        let read = temp.path().join("cur").join(format!("{}:2,S", first.file_name().unwrap().display()));
        fs::rename(&first, &read).unwrap();
        let maildir = Maildir::open_or_create(temp.path()).unwrap();
        assert_eq!(maildir.deliver("01ABC", b"two", later, other).unwrap(), read);
        let archive = temp.path().join(".Archive/cur");
        fs::create_dir_all(&archive).unwrap();
        let filed = archive.join(read.file_name().unwrap());
        fs::rename(&read, &filed).unwrap();
        assert_eq!(maildir.deliver("01ABC", b"two", later, other).unwrap(), filed);
        assert_eq!(fs::read(&filed).unwrap(), b"one");
        assert!(names(&maildir, "new").is_empty());
        // A key that begins alike is another letter.
        maildir.deliver("01AB", b"three", later, other).unwrap();
        assert_eq!(names(&maildir, "new"), ["1750129600.M17P43_postkeep-01AB.a_b_c"]);
    }

    #[test]
    fn only_our_own_old_drafts_are_removed() {
        let temp = tempfile::tempdir().unwrap();
        let maildir = Maildir::open_or_create(temp.path()).unwrap();
        let draft = |name: &str, hours: i64| {
            let file = File::create(temp.path().join("tmp").join(name)).unwrap();
            file.set_modified(now().checked_sub(SignedDuration::from_hours(hours)).unwrap().into()).unwrap();
        };
        draft("1.M1P1_postkeep-OLD.nas1", 37);
        draft("1.M1P1_postkeep-NEW.nas1", 35);
        draft("1.M1P1_other-OLD.nas1", 99);
        maildir.deliver("01ABC", b"x", now(), BY).unwrap();
        let mut left = names(&maildir, "tmp");
        left.sort();
        assert_eq!(left, ["1.M1P1_other-OLD.nas1", "1.M1P1_postkeep-NEW.nas1"]);
    }

    #[test]
    fn what_is_no_maildir_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "x").unwrap();
        for path in [file.clone(), file.join("below")] {
            let error = Maildir::open_or_create(&path).unwrap_err();
            assert!(error.one_line().contains(&path.display().to_string()), "{error:?}");
            assert!(error.hints()[0].contains("another folder"), "{:?}", error.hints());
        }
        let error = Maildir::open_or_create(temp.path()).unwrap_err();
        assert!(error.one_line().contains("not empty"), "{error:?}");
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
        // A mount point, and a Maildir that a kill left half made.
        for names in [["lost+found", ".Trash-0"], ["tmp", "notes"]] {
            let temp = tempfile::tempdir().unwrap();
            names.iter().for_each(|name| fs::create_dir(temp.path().join(name)).unwrap());
            assert!(Maildir::open_or_create(temp.path()).is_ok(), "{names:?}");
        }
    }

    #[test]
    fn a_delivery_that_fails_says_where_and_leaves_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let maildir = Maildir::open_or_create(temp.path()).unwrap();
        fs::remove_dir(temp.path().join("new")).unwrap();
        let error = maildir.deliver("01ABC", b"x", now(), BY).unwrap_err();
        assert!(error.one_line().contains(&temp.path().display().to_string()), "{error:?}");
        assert!(maildir.write("draft", b"x").is_err());
        assert!(names(&maildir, "tmp").is_empty());
        assert!(maildir.deliver("../x", b"x", now(), BY).is_err());
    }
}

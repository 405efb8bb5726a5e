//! The files of a Maildir: what is in them is read from their heads, and where they are now from the folder.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use jiff::{SignedDuration, Timestamp};

use crate::vault::store::letter::{self, Head, LARGEST_HEAD, LineEnd, VaultId};

/// How old an unfinished file is when nobody can be at work on it any more.
const ABANDONED: SignedDuration = SignedDuration::from_hours(36);

/// Bytes that are read of a file to see whose it is; our heads have less than one.
const HEAD: usize = 4 << 10;

/// What the names of our files have in place of the machine's name.
const MARK: &str = "postkeep";

/// Makes names differ within a process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// What is known of a file.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) path: PathBuf,
    /// Where its body begins.
    pub(super) body: u64,
    pub(super) end: LineEnd,
}

/// The files that were seen, by the part of their names that does not change with flags.
#[derive(Debug, Default)]
pub(super) struct Files {
    letters: HashMap<String, Letter>,
    foreign: HashSet<String>,
}

/// What is different from the last time.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) came: Vec<(String, Head)>,
    pub(super) went: Vec<String>,
}

impl Files {
    pub(super) fn get(&self, key: &str) -> Option<&Letter> {
        self.letters.get(key)
    }

    pub(super) fn insert(&mut self, key: String, letter: Letter) {
        self.letters.insert(key, letter);
    }

    /// A file that is not of the vault at hand.
    pub(super) fn ignore(&mut self, key: &str) {
        self.letters.remove(key);
        self.foreign.insert(key.to_owned());
    }

    /// Looks through the Maildir.
    pub(super) fn scan(&mut self, root: &Path) -> io::Result<Changes> {
        let (mut changes, mut seen) = (Changes::default(), BTreeSet::new());
        // A reader moves files from `new` to `cur`: in this order one that moves meanwhile is seen in either.
        for folder in ["new", "cur"].map(|name| root.join(name)) {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let name = entry?.file_name();
                let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
                let key = key_of(name).to_owned();
                let path = folder.join(name);
                if let Some(letter) = self.letters.get_mut(&key) {
                    letter.path = path;
                } else if !self.foreign.contains(&key) {
                    match look(&path) {
                        Ok(Some((head, letter))) => {
                            changes.came.push((key.clone(), head));
                            self.letters.insert(key.clone(), letter);
                        }
                        // It was renamed or removed meanwhile.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        Ok(None) => {
                            self.foreign.insert(key.clone());
                        }
                        Err(error) => return Err(error),
                    }
                }
                seen.insert(key);
            }
        }
        changes.went = self.letters.keys().filter(|key| !seen.contains(*key)).cloned().collect();
        changes.went.iter().for_each(|key| drop(self.letters.remove(key)));
        self.foreign.retain(|key| seen.contains(key));
        Ok(changes)
    }
}

/// Sees whether a file is one of ours, and all there.
fn look(path: &Path) -> io::Result<Option<(Head, Letter)>> {
    let Some(file) = open(path)? else { return Ok(None) };
    let mut start = vec![0; HEAD];
    let mut length = read_up_to(&file, &mut start)?;
    if letter::body_offset(&start[..length]).is_none() && length == HEAD {
        start.resize(LARGEST_HEAD + HEAD, 0);
        length = read_up_to(&file, &mut start)?;
    }
    let start = &start[..length];
    let Some(body) = letter::body_offset(start) else { return Ok(None) };
    let Some(head) = letter::parse(&start[..body]) else { return Ok(None) };
    // The empty line before the body tells it too, where there is no body.
    let end = match start[..body].ends_with(b"\r\n") {
        true => LineEnd::CrLf,
        false => LineEnd::Lf,
    };
    if let Head::Object(label) = &head {
        let range = label.range();
        if file.metadata()?.len() < body as u64 + end.length(range.end - range.start) {
            return Ok(None);
        }
    }
    Ok(Some((head, Letter { path: path.to_owned(), body: body as u64, end })))
}

/// Opens a regular file; None: it is something else.
pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path) {
        // A symbolic link.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Ok(None);
        }
        file => file?,
    };
    Ok(file.metadata()?.is_file().then_some(file))
}

fn read_up_to(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

/// Reads a message as a whole, if it has no more than `most` bytes.
pub(super) fn read_whole(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let Some(file) = open(path)? else { return Err(io::ErrorKind::NotFound.into()) };
    let size = file.metadata()?.len();
    if size > most {
        return Err(io::Error::other(format!("it has {size} bytes, and no part may have more than {most}")));
    }
    let mut message = Vec::with_capacity(size as usize);
    file.take(most).read_to_end(&mut message)?;
    Ok(message)
}

/// The name of a new vault's first letter: of two who make one at the same time one finds it taken.
pub(super) fn first_letter() -> String {
    format!("0.read-me.{MARK}")
}

/// The name of a vault's first config, likewise.
pub(super) fn first_config(vault: VaultId) -> String {
    format!("0.config-{vault}.{MARK}")
}

/// Puts a message into the Maildir as one that was seen: no mail program counts it as new. `name` is its name, where it
/// may be there once only.
pub(super) fn deliver(
    root: &Path,
    message: &[u8],
    name: Option<&str>,
    now: Timestamp,
) -> io::Result<(String, PathBuf)> {
    let micros = now.subsec_nanosecond().unsigned_abs() / 1_000;
    let number = NEXT.fetch_add(1, Relaxed);
    let own = format!("{}.M{micros}P{}Q{number}.{MARK}", now.as_second(), std::process::id());
    let key = name.unwrap_or(&own).to_owned();
    let (draft, place) = (root.join("tmp").join(own), root.join("cur").join(format!("{key}:2,S")));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file
        .write_all(message)
        .and_then(|()| file.sync_all())
        // Nobody's letter is replaced: a name is there once only, whatever another machine calls its own.
        .and_then(|()| fs::hard_link(&draft, &place).or_else(|_| rename_new(&draft, &place)));
    let _ = fs::remove_file(&draft);
    written?;
    File::open(root.join("cur"))?.sync_all()?;
    Ok((key, place))
}

/// Where there are no hard links.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match to.try_exists()? {
        true => Err(io::ErrorKind::AlreadyExists.into()),
        false => fs::rename(from, to),
    }
}

/// Removes what deliveries that were killed left in `tmp/`. What cannot be removed stays: it is in nobody's way.
pub(super) fn sweep(root: &Path, now: Timestamp) {
    let Ok(entries) = fs::read_dir(root.join("tmp")) else { return };
    let limit = now.saturating_sub(ABANDONED).map_or(Timestamp::MIN, |limit| limit);
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.ends_with(&format!(".{MARK}")));
        let written = entry.metadata().and_then(|meta| meta.modified()).ok();
        if ours && written.is_some_and(|time| Timestamp::try_from(time).is_ok_and(|time| time < limit)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A file's name without its flags.
fn key_of(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}

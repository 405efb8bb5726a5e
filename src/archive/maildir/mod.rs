//! Messages in a Maildir: each is a file in `cur` or `new`.
//!
//! Folders are those of Maildir++ (`.A.B` beside `cur`), of KMail, and plain Maildirs inside each other, as mbsync keeps
//! them. Nothing is changed: what is new stays in `new`. Symbolic links are not followed, so what a link stands for is
//! no message, and no folder.

mod found;
mod name;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use self::found::{At, Found, PARTS};
use super::local::{self, Folders};
use super::source::{Body, Folder, Listed, Listing, Mark, Refusal, Since, Source, Take};
use super::spool::{HELD, LARGEST};
use crate::entry::{Entry, Kind, Name, RelPath};
use crate::error::{Context, Error, Result};
use crate::folder::list::{list, open_folder};

/// The folders that are no folders of messages.
const OWN: [&[u8]; 3] = [b"new", b"cur", b"tmp"];

/// The largest file with keywords that is read.
const KEYWORDS: u64 = 64 << 10;

/// How often a message that moves is looked for, and a folder in which some do.
const TRIES: usize = 3;

/// A Maildir as a source of messages.
#[derive(Debug)]
pub struct Maildir {
    path: PathBuf,
    folders: Folders,
    /// Where the messages of a folder were seen, by key.
    seen: Option<(String, HashMap<String, At>)>,
}

impl Maildir {
    /// The Maildir at a path. It is looked at when it is asked for something.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), folders: Folders::new(), seen: None }
    }

    fn look(&mut self) -> Result<()> {
        let root = local::root(&self.path, "Maildir")?;
        let cannot = || format!("cannot read the Maildir {}", self.path.display());
        let mut folders = Vec::new();
        let mut plus = false;
        let mut stack = vec![(RelPath::root(), 0)];
        while let Some((path, depth)) = stack.pop() {
            let entries = match local::open(&root, &path).and_then(|folder| list(&folder)) {
                Ok(listing) => listing.entries,
                Err(error) if depth == 0 => return Err(error).context(cannot),
                // It was there just now.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                // Whoever lists it hears why it cannot be.
                Err(_) => {
                    folders.push(path);
                    continue;
                }
            };
            let below: Vec<&Entry> = entries.iter().filter(|entry| entry.kind == Kind::Folder).collect();
            let has = |name: &[u8]| below.iter().any(|entry| entry.name.as_bytes() == name);
            let maildir = has(b"cur") || (has(b"new") && has(b"tmp"));
            plus |= maildir && depth == 0;
            let others = below.iter().rev().filter(|entry| !maildir || !OWN.contains(&entry.name.as_bytes()));
            if depth < local::DEEPEST {
                stack.extend(others.map(|entry| (path.join(&entry.name), depth + 1)));
            }
            if maildir {
                folders.push(path);
            }
        }
        let mut named = Folders::new();
        folders.into_iter().for_each(|path| named.add(&name::folder(&path, plus), path));
        if named.is_empty() {
            return Err(Error::other(format!("{} is no Maildir", self.path.display()))
                .hint("a Maildir has the folders cur, new and tmp, or folders in it have them"));
        }
        self.folders = named;
        Ok(())
    }

    /// Opens a folder's two folders of files. None: that one is not there.
    fn open(&mut self, folder: &str) -> Result<(OwnedFd, [Option<OwnedFd>; 2])> {
        if self.folders.get(folder).is_none() {
            self.look()?;
        }
        let place = self.place();
        let path = self.folders.get(folder).ok_or_else(|| local::gone(&place, folder))?;
        let cannot = |error: io::Error| match error.kind() {
            ErrorKind::NotFound => local::gone(&place, folder),
            _ => Error::other(format!("cannot open the folder /{path} in {place}"))
                .caused_by(error)
                .hint("give the user that runs postkeep the right to read it"),
        };
        let root = local::root(&self.path, "Maildir")?;
        let held = local::open(&root, path).map_err(cannot)?;
        let part = |name: &[u8]| match open_folder(&held, name) {
            Ok(part) => Ok(Some(part)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot(error)),
        };
        let [new, cur] = PARTS;
        let parts = [part(new)?, part(cur)?];
        Ok((held, parts))
    }

    /// The messages of a folder by key, in the order of their names.
    fn found(&self, folder: &str, parts: &[Option<OwnedFd>; 2]) -> Result<Vec<(String, Found)>> {
        let times = || {
            let stats = parts.iter().map(|held| held.as_ref().and_then(|held| rustix::fs::fstat(held).ok()));
            stats.map(|stat| stat.map(|stat| (stat.st_mtime, stat.st_mtime_nsec))).collect::<Vec<_>>()
        };
        let mut all: Vec<Found> = Vec::new();
        // What is renamed while a folder is listed may be seen under neither name: all that any look saw counts.
        for look in 0..TRIES {
            let before = times();
            for (part, held) in parts.iter().enumerate() {
                let Some(held) = held else { continue };
                let listing =
                    list(held).context(|| format!("cannot list the folder {folder} of {}", self.place()))?;
                let files = listing.entries.into_iter().filter(|entry| entry.kind == Kind::File);
                // One that cannot be looked at is a message all the same: to fetch it tells why.
                let odd = listing.unreadable.into_iter().filter(|_| look == 0).map(|(name, _)| (name, None));
                let files = files.map(|entry| (entry.name.clone(), Some(entry))).chain(odd);
                let files = files.filter(|(name, _)| !name.as_bytes().starts_with(b"."));
                all.extend(files.map(|(name, entry)| Found { at: (part, name), entry }));
            }
            if times() == before {
                break;
            }
        }
        Ok(found::keyed(all))
    }
}

impl Source for Maildir {
    fn place(&self) -> String {
        format!("maildir:{}", self.path.display())
    }

    fn folders(&mut self) -> Result<Vec<Folder>> {
        self.look()?;
        // How far a Maildir is nobody can tell who has not listed it.
        Ok(self
            .folders
            .names()
            .map(|path| Folder { path: path.clone(), special: None, mark: None })
            .collect())
    }

    /// Everything that is in the folder, whatever was seen: that is quick here. Nothing is opened, so nobody has looked
    /// who sent a message, and whether it is one of ours.
    fn list(&mut self, folder: &Folder, _: Since) -> Result<Listing> {
        let (held, parts) = self.open(&folder.path)?;
        let keywords = keywords(&held);
        let found = self.found(&folder.path, &parts)?;
        let mut messages = Vec::with_capacity(found.len());
        let mut seen = HashMap::with_capacity(found.len());
        for (key, Found { at, entry }) in found {
            messages.push(Listed {
                key: key.clone(),
                uid: u32::try_from(messages.len() + 1).unwrap_or(u32::MAX),
                size: entry.as_ref().map_or(0, |entry| entry.size),
                date: entry.and_then(|entry| local::timestamp(entry.mtime)),
                flags: name::flags(name::split(at.1.as_bytes()).1, &keywords),
                ..Listed::default()
            });
            seen.insert(key, at);
        }
        self.seen = Some((folder.path.clone(), seen));
        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let mark = Mark { messages: count, ..Mark::default() };
        Ok(Listing { mark, messages, ..Listing::default() })
    }

    fn fetch(&mut self, folder: &Folder, messages: &[Listed], take: &mut Take<'_>) -> Result<()> {
        let (_, parts) = self.open(&folder.path)?;
        let index = |this: &Self| -> Result<HashMap<String, At>> {
            let found = this.found(&folder.path, &parts)?;
            Ok(found.into_iter().map(|(key, found)| (key, found.at)).collect())
        };
        let mut fresh = false;
        let mut seen = match self.seen.take() {
            Some((of, seen)) if of == folder.path => seen,
            _ => {
                fresh = true;
                index(self)?
            }
        };
        for (at, message) in messages.iter().enumerate() {
            let mut tries = 0;
            let result = loop {
                match seen.get(&message.key) {
                    Some((part, name)) => match read(parts.get(*part).and_then(Option::as_ref), name) {
                        Ok(body) => break Ok(body),
                        // A mail program has renamed it: to say that it was read, for example.
                        Err(error) if error.kind() == ErrorKind::NotFound && tries < TRIES => {}
                        Err(error) if error.kind() == ErrorKind::NotFound => break Err(Refusal::Gone),
                        Err(error) => break Err(Refusal::Refused(local::why(&error))),
                    },
                    None if fresh => break Err(Refusal::Gone),
                    None => {}
                }
                tries += 1;
                (seen, fresh) = (index(self)?, true);
            };
            take(at, result)?;
        }
        self.seen = Some((folder.path.clone(), seen));
        Ok(())
    }
}

/// The words that small letters stand for in a folder of Dovecot's. Where they cannot be read there are none.
fn keywords(folder: &OwnedFd) -> Vec<String> {
    let mut text = String::new();
    let file = local::open_file(folder, b"dovecot-keywords");
    match file.and_then(|file| file.take(KEYWORDS).read_to_string(&mut text)) {
        Ok(_) => name::keywords(&text),
        Err(_) => Vec::new(),
    }
}

/// A message. A large one stays where it is: its file is held open, and nobody writes into a file of a Maildir.
fn read(part: Option<impl AsFd>, name: &Name) -> io::Result<Body> {
    let part = part.ok_or(ErrorKind::NotFound)?;
    let mut file = local::open_file(part, name.as_bytes())?;
    let size = file.metadata()?.len();
    if size > HELD as u64 {
        return spooled(file, size);
    }
    let mut bytes = Vec::new();
    (&mut file).take(HELD as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > HELD {
        // It grew since.
        file.rewind()?;
        let size = file.metadata()?.len();
        return spooled(file, size);
    }
    Ok(Body::Held(bytes))
}

fn spooled(file: File, size: u64) -> io::Result<Body> {
    if size > LARGEST {
        return Err(io::Error::other("it is larger than 1 GiB, which no mail is"));
    }
    Ok(Body::Spooled(file, size))
}

#[cfg(test)]
mod tests;

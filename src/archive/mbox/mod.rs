//! Messages in mbox files: one, or a folder of them as mail programs keep it.
//!
//! Nothing in such a file names a message for ever, so it is named by its content. Nothing is changed. The file is locked
//! only while it is looked through: a message that is not there any more where it was seen is looked for, and given only
//! if it is the same.

mod find;
mod flags;
mod line;
mod lock;
mod name;
mod naming;
mod pieces;
mod scan;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::naming::Stem;
use self::scan::{Found, Span};
use super::key;
use super::local::{self, Folders};
use super::source::{Body, Folder, Listed, Listing, Mark, Refusal, Since, Source, Take};
use super::spool::Spool;
use crate::error::{Context, Error, Result};

/// So many messages are remembered by their places, besides those of the file that was read last: a run lists a file,
/// and fetches from it later.
const REMEMBERED: usize = 500_000;

/// A file that was changed within this time may be written to: its last message is taken when it has its end. After it,
/// what is missing never comes.
const FRESH: Duration = Duration::from_secs(30);

/// How often a message that has no end yet is looked at once more, and how long to rest before that.
const TRIES: usize = 4;
const REST: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 500 });

/// Why a message is not given yet.
const UNFINISHED: &str = "its file is being written to, and it may not be whole yet";

/// An mbox file, or a folder of them, as a source of messages.
#[derive(Debug)]
pub struct Mbox {
    path: PathBuf,
    spool: PathBuf,
    /// The folders that the archive has of it.
    known: HashSet<String>,
    folders: Folders,
    /// The files that were read, the last one at the end.
    seen: Vec<Seen>,
}

/// Where the messages of a file were seen.
#[derive(Debug)]
struct Seen {
    folder: String,
    /// What the file was then.
    was: Was,
    spans: HashMap<String, Span>,
    /// The last message, where not all of it may be there.
    unfinished: Option<String>,
}

/// An mbox file that was opened, and what it is called.
struct Opened {
    file: File,
    path: PathBuf,
}

/// What tells a file that was changed from one that was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Was {
    inode: (u64, u64),
    size: u64,
    times: [i64; 4],
}

impl Was {
    fn of(file: &File) -> io::Result<Self> {
        let meta = file.metadata()?;
        let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
        Ok(Self { inode: (meta.dev(), meta.ino()), size: meta.size(), times })
    }
}

impl Mbox {
    /// The file or folder at a path. It is looked at when it is asked for something. Large messages are held in files
    /// without a name in `spool`.
    pub fn new(path: &Path, spool: &Path) -> Self {
        Self {
            path: path.to_owned(),
            spool: spool.to_owned(),
            known: HashSet::new(),
            folders: Folders::new(),
            seen: Vec::new(),
        }
    }

    fn look(&mut self) -> Result<()> {
        self.folders = find::find(&self.path, &self.known)?;
        Ok(())
    }

    fn open(&mut self, folder: &str) -> Result<Opened> {
        if self.folders.get(folder).is_none() {
            self.look()?;
        }
        let place = self.place();
        let path = self.folders.get(folder).ok_or_else(|| local::gone(&place, folder))?;
        let root = local::root(&self.path, "mbox file")?;
        let (file, full) = match path.split() {
            Some((above, name)) => (
                local::open(&root, &above).and_then(|above| local::open_file(above, name.as_bytes())),
                root.join(path.as_path()),
            ),
            None => (File::open(&root), root),
        };
        file.map(|file| Opened { file, path: full }).map_err(|error| match error.kind() {
            ErrorKind::NotFound => local::gone(&place, folder),
            _ => Error::other(format!("cannot open the mbox file of {folder} in {place}"))
                .caused_by(error)
                .hint("give the user that runs postkeep the right to read it"),
        })
    }

    /// Finds the messages of a folder's file, and remembers where they are.
    fn scan(&mut self, folder: &str, opened: &Opened, each: &mut dyn FnMut(String, &Found)) -> Result<()> {
        let Opened { file, path } = opened;
        let cannot = || format!("cannot read the mbox file of {folder} in {}", self.place());
        let _lock = lock::lock(file, path).map_err(|held| {
            Error::other(format!("{}: {held}", cannot()))
                .hint("let that program end its work; a lock that nobody needs any more can be removed")
        })?;
        let was = Was::of(file).context(cannot)?;
        let mut times: HashMap<Stem, usize> = HashMap::new();
        let (mut spans, mut last) = (HashMap::new(), None);
        let is = scan::scan(file, &mut |found| {
            let number = times.entry(found.stem).and_modify(|number| *number += 1).or_insert(1);
            let key = key::again(&found.stem.to_string(), *number);
            last = Some((key.clone(), found.ended));
            spans.insert(key.clone(), found.span);
            each(key, &found);
        });
        if !is.context(cannot)? {
            let place = self.place();
            return Err(Error::other(format!(
                "the file of {folder} in {place} is no mbox: it does not begin with \"From \""
            ))
            .hint("mend its beginning, or leave it out of `folders`"));
        }
        // Not every program locks what it writes into.
        let moved = Was::of(file).context(cannot)? != was;
        let fresh =
            file.metadata().and_then(|meta| meta.modified()).is_ok_and(|time| lock::near(time) < FRESH);
        let unfinished = last.filter(|(_, ended)| moved || fresh && !ended).map(|(key, _)| key);
        self.seen.retain(|seen| seen.folder != folder);
        while self.seen.iter().map(|seen| seen.spans.len()).sum::<usize>() > REMEMBERED {
            self.seen.remove(0);
        }
        self.seen.push(Seen { folder: folder.to_owned(), was, spans, unfinished });
        Ok(())
    }

    fn listed(&mut self, folder: &str, opened: &Opened) -> Result<Vec<Listed>> {
        let mut messages = Vec::new();
        self.scan(folder, opened, &mut |key, found| {
            let uid = u32::try_from(messages.len() + 1).unwrap_or(u32::MAX);
            messages.push(flags::listed(key, uid, found));
        })?;
        Ok(messages)
    }

    fn seen(&self, folder: &str) -> Option<&Seen> {
        self.seen.iter().find(|seen| seen.folder == folder)
    }
}

impl Source for Mbox {
    fn place(&self) -> String {
        format!("mbox:{}", self.path.display())
    }

    fn expect(&mut self, folders: HashSet<String>) {
        self.known = folders;
    }

    fn folders(&mut self) -> Result<Vec<Folder>> {
        self.look()?;
        // How far a file is nobody can tell who has not read it.
        Ok(self
            .folders
            .names()
            .map(|path| Folder { path: path.clone(), special: None, mark: None })
            .collect())
    }

    /// Everything that is in the file, whatever was seen: it is read as a whole, for messages are named by their bytes.
    fn list(&mut self, folder: &Folder, _: Since) -> Result<Listing> {
        let opened = self.open(&folder.path)?;
        let mut messages = self.listed(&folder.path, &opened)?;
        for _ in 0..TRIES {
            let unfinished = self.seen(&folder.path).filter(|seen| seen.unfinished.is_some());
            let Some(was) = unfinished.map(|seen| seen.was) else { break };
            std::thread::sleep(REST);
            let opened = self.open(&folder.path)?;
            if Was::of(&opened.file).ok() != Some(was) {
                messages = self.listed(&folder.path, &opened)?;
            }
        }
        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let mark = Mark { messages: count, ..Mark::default() };
        Ok(Listing { mark, messages, ..Listing::default() })
    }

    fn fetch(&mut self, folder: &Folder, messages: &[Listed], take: &mut Take<'_>) -> Result<()> {
        let mut opened = self.open(&folder.path)?;
        let cannot =
            |error| Error::other(format!("cannot read the mbox file of {}", folder.path)).caused_by(error);
        let now = Was::of(&opened.file).map_err(cannot)?;
        if self.seen(&folder.path).is_none_or(|seen| seen.was != now) {
            self.scan(&folder.path, &opened, &mut |_, _| ())?;
        }
        let mut spool = Spool::new(&self.spool);
        for (at, message) in messages.iter().enumerate() {
            let mut again = true;
            let result = loop {
                let seen = self.seen(&folder.path);
                let Some(span) = seen.and_then(|seen| seen.spans.get(&message.key)).copied() else {
                    break Err(Refusal::Gone);
                };
                if seen.is_some_and(|seen| seen.unfinished.as_ref() == Some(&message.key)) {
                    break Err(Refusal::Refused(UNFINISHED.to_owned()));
                }
                match read(&opened.file, span, &message.key, &mut spool)? {
                    Ok(Some(body)) => break Ok(body),
                    Err(error) => break Err(Refusal::Refused(local::why(&error))),
                    Ok(None) if !again => break Err(Refusal::Gone),
                    // A mail program writes the file anew when it removes messages.
                    Ok(None) => {
                        again = false;
                        opened = self.open(&folder.path)?;
                        self.scan(&folder.path, &opened, &mut |_, _| ())?;
                    }
                }
            };
            take(at, result)?;
        }
        Ok(())
    }
}

/// Why a message was not read.
enum Failed {
    Read(io::Error),
    /// It cannot be held: that is no fault of the message's.
    Here(Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// A message; None: another one is in its place.
fn read(file: &File, span: Span, key: &str, spool: &mut Spool) -> Result<io::Result<Option<Body>>> {
    spool.clear();
    match scan::read(file, span, &mut |part| spool.write(part).map_err(Failed::Here)) {
        Ok(stem) if key.starts_with(&stem.to_string()) => Ok(Ok(Some(spool.end()?))),
        Ok(_) => Ok(Ok(None)),
        Err(Failed::Read(error)) => Ok(Err(error)),
        Err(Failed::Here(error)) if spool.is_too_much() => Ok(Err(io::Error::other(error.to_string()))),
        Err(Failed::Here(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests;

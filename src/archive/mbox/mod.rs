//! Messages in mbox files: one, or a folder of them as mail programs keep it.
//!
//! Nothing in such a file names a message for ever, so it is named by its content. Nothing is changed, nothing is locked:
//! a message that is not there any more where it was seen is looked for, and given only if it is the same.

mod flags;
mod line;
mod name;
mod naming;
mod pieces;
mod scan;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use self::naming::Stem;
use self::scan::{Found, Span};
use super::key;
use super::local::{self, Folders};
use super::source::{Body, Folder, Listed, Listing, Mark, Refusal, Since, Source, Take};
use super::spool::Spool;
use crate::entry::{Kind, RelPath};
use crate::error::{Context, Error, Result};
use crate::folder::list::list;

/// So many messages are remembered by their places, besides those of the file that was read last: a run lists a file,
/// and fetches from it later.
const REMEMBERED: usize = 500_000;

/// How much of a file is looked at to see whether it is an mbox.
const GLANCE: u64 = 64;

/// An mbox file, or a folder of them, as a source of messages.
#[derive(Debug)]
pub struct Mbox {
    path: PathBuf,
    spool: PathBuf,
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
        Self { path: path.to_owned(), spool: spool.to_owned(), folders: Folders::new(), seen: Vec::new() }
    }

    fn look(&mut self) -> Result<()> {
        let root = local::root(&self.path, "mbox file")?;
        let mut named = Folders::new();
        if root.is_file() {
            named.add(&name::single(&self.path), RelPath::root());
            self.folders = named;
            return Ok(());
        }
        let mut stack = vec![(RelPath::root(), 0)];
        let mut files = Vec::new();
        while let Some((path, depth)) = stack.pop() {
            let (folder, entries) = match local::open(&root, &path)
                .and_then(|folder| Ok((list(&folder)?.entries, folder)))
            {
                Ok((entries, folder)) => (folder, entries),
                Err(error) if depth == 0 => {
                    return Err(error).context(|| format!("cannot read the folder {}", self.path.display()));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                // Whoever lists it hears why it cannot be read.
                Err(_) => {
                    files.push(path);
                    continue;
                }
            };
            for entry in entries.into_iter().rev() {
                match entry.kind {
                    Kind::Folder if depth < local::DEEPEST => stack.push((path.join(&entry.name), depth + 1)),
                    Kind::File if entry.size > 0 && name::may_be(entry.name.as_bytes()) => {
                        // Whoever lists one that cannot be read hears why.
                        let file = local::open_file(&folder, entry.name.as_bytes());
                        if file.and_then(is_mbox).unwrap_or(true) {
                            files.push(path.join(&entry.name));
                        }
                    }
                    _ => {}
                }
            }
        }
        files.sort_unstable();
        files.into_iter().for_each(|path| named.add(&name::below(&path), path));
        if named.is_empty() {
            return Err(Error::other(format!("there is no mbox file in {}", self.path.display()))
                .hint("an mbox file begins with \"From \"; a folder with cur, new and tmp is a Maildir: maildir:PATH"));
        }
        self.folders = named;
        Ok(())
    }

    fn open(&mut self, folder: &str) -> Result<File> {
        if self.folders.get(folder).is_none() {
            self.look()?;
        }
        let place = self.place();
        let path = self.folders.get(folder).ok_or_else(|| local::gone(&place, folder))?;
        let root = local::root(&self.path, "mbox file")?;
        let opened = match path.split() {
            Some((above, name)) => {
                local::open(&root, &above).and_then(|above| local::open_file(above, name.as_bytes()))
            }
            None => File::open(&root),
        };
        opened.map_err(|error| match error.kind() {
            ErrorKind::NotFound => local::gone(&place, folder),
            _ => Error::other(format!("cannot open the mbox file of {folder} in {place}"))
                .caused_by(error)
                .hint("give the user that runs postkeep the right to read it"),
        })
    }

    /// Finds the messages of a folder's file, and remembers where they are.
    fn scan(&mut self, folder: &str, file: &File, each: &mut dyn FnMut(String, Found)) -> Result<()> {
        let cannot = || format!("cannot read the mbox file of {folder} in {}", self.place());
        let was = Was::of(file).context(cannot)?;
        let mut times: HashMap<Stem, usize> = HashMap::new();
        let mut spans = HashMap::new();
        let is = scan::scan(file, &mut |found| {
            let number = times.entry(found.stem).and_modify(|number| *number += 1).or_insert(1);
            let key = key::again(&found.stem.to_string(), *number);
            spans.insert(key.clone(), found.span);
            each(key, found);
        });
        if !is.context(cannot)? {
            return Err(Error::other(format!("the file of {folder} in {} is no mbox", self.place()))
                .hint("an mbox file begins with \"From \""));
        }
        self.seen.retain(|seen| seen.folder != folder);
        while self.seen.iter().map(|seen| seen.spans.len()).sum::<usize>() > REMEMBERED {
            self.seen.remove(0);
        }
        self.seen.push(Seen { folder: folder.to_owned(), was, spans });
        Ok(())
    }

    fn seen(&self, folder: &str) -> Option<&Seen> {
        self.seen.iter().find(|seen| seen.folder == folder)
    }
}

impl Source for Mbox {
    fn place(&self) -> String {
        format!("mbox:{}", self.path.display())
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
        let file = self.open(&folder.path)?;
        let mut messages: Vec<Listed> = Vec::new();
        self.scan(&folder.path, &file, &mut |key, found| {
            let uid = u32::try_from(messages.len() + 1).unwrap_or(u32::MAX);
            messages.push(flags::listed(key, uid, &found));
        })?;
        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let mark = Mark { messages: count, ..Mark::default() };
        Ok(Listing { mark, messages, ..Listing::default() })
    }

    fn fetch(&mut self, folder: &Folder, messages: &[Listed], take: &mut Take<'_>) -> Result<()> {
        let mut file = self.open(&folder.path)?;
        let cannot =
            |error| Error::other(format!("cannot read the mbox file of {}", folder.path)).caused_by(error);
        let now = Was::of(&file).map_err(cannot)?;
        if self.seen(&folder.path).is_none_or(|seen| seen.was != now) {
            self.scan(&folder.path, &file, &mut |_, _| ())?;
        }
        let mut spool = Spool::new(&self.spool);
        for (at, message) in messages.iter().enumerate() {
            let mut again = true;
            let result = loop {
                let seen = self.seen(&folder.path);
                let Some(span) = seen.and_then(|seen| seen.spans.get(&message.key)).copied() else {
                    break Err(Refusal::Gone);
                };
                match read(&file, span, &message.key, &mut spool)? {
                    Ok(Some(body)) => break Ok(body),
                    Err(error) => break Err(Refusal::Refused(local::why(&error))),
                    Ok(None) if !again => break Err(Refusal::Gone),
                    // A mail program writes the file anew when it removes messages.
                    Ok(None) => {
                        again = false;
                        file = self.open(&folder.path)?;
                        self.scan(&folder.path, &file, &mut |_, _| ())?;
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

/// Whether a file begins as an mbox does.
fn is_mbox(file: File) -> io::Result<bool> {
    let mut start = Vec::new();
    file.take(GLANCE).read_to_end(&mut start)?;
    Ok(line::is_from(start.trim_ascii_start()))
}

#[cfg(test)]
mod tests;

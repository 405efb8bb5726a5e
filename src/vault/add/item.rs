//! What is added: a file with its attributes, and where its content comes from.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use jiff::Timestamp;
use rustic_core::repofile::{Metadata, Node, NodeType};
use rustic_core::{ErrorKind, ReadSourceOpen, RusticError, RusticResult};

use crate::entry::show;
use crate::vault::names;
use crate::vault::source::{KNOWN, Tally, attach, writable};

/// The library reads 4 KiB at once.
const BUFFER: usize = 256 << 10;

/// Read and write for its owner.
const FILE: u32 = 0o600;

/// Go's bit for a folder, which restic writes, and everything for its owner.
const FOLDER: u32 = 1 << 31 | 0o700;

/// A file to be added, or one whose attributes changed.
#[derive(Debug)]
pub struct Item {
    /// Where it lies in the snapshot; absolute.
    pub path: PathBuf,
    /// The time of its content.
    pub mtime: Timestamp,
    /// When its attributes were looked at. Where two runs had the same file, the state that was seen later counts.
    pub seen: Timestamp,
    /// Extended attributes. Of a [`Content::Known`] those that are new: the others stay, and one without a value goes.
    pub attributes: Vec<(String, Vec<u8>)>,
    /// Its content.
    pub content: Content,
}

/// Where the content of an [`Item`] comes from.
#[derive(Debug)]
pub enum Content {
    /// It is here.
    Held(Vec<u8>),
    /// A file that is read from its beginning; so many bytes.
    Spooled(File, u64),
    /// The vault has it, with so many bytes: only the attributes change.
    Known(u64),
}

impl Content {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Spooled(_, size) | Self::Known(size) => *size,
        }
    }
}

/// Whose the files are.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    uid: u32,
    gid: u32,
    user: Option<String>,
    group: Option<String>,
}

impl Owner {
    /// Ourselves.
    pub fn own() -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self { uid, gid, user: names::user(uid), group: names::group(gid) }
    }

    fn metadata(&self) -> Metadata {
        Metadata {
            uid: Some(self.uid),
            gid: Some(self.gid),
            user: self.user.clone(),
            group: self.group.clone(),
            ..Metadata::default()
        }
    }

    /// The node of a folder that the vault does not have. It has no times: with them each run would make it new.
    pub fn folder(&self, name: &std::ffi::OsStr) -> Node {
        Node::new_node(name, NodeType::Dir, Metadata { mode: Some(FOLDER), ..self.metadata() })
    }

    /// The node of an item.
    pub fn file(&self, name: &std::ffi::OsStr, item: &Item) -> Node {
        let mtime = writable(item.mtime);
        let metadata = Metadata {
            mode: Some(FILE),
            mtime,
            atime: mtime,
            ctime: writable(item.seen),
            size: item.content.size(),
            links: 1,
            ..self.metadata()
        };
        let mut node = Node::new_node(name, NodeType::File, metadata);
        attach(&mut node, item.attributes.iter().map(|(name, value)| (name.as_str(), value.as_slice())));
        node
    }
}

/// The content of an item, which the library opens if the vault does not have it.
pub(super) struct Open {
    content: Content,
    path: String,
    tally: Arc<Tally>,
}

impl Open {
    pub fn new(content: Content, path: &Path, tally: &Arc<Tally>) -> Self {
        Self { content, path: show(path.as_os_str().as_encoded_bytes()), tally: Arc::clone(tally) }
    }
}

/// Content that is being read.
pub(super) struct Reading {
    from: From,
    left: u64,
    size: u64,
    path: String,
    tally: Arc<Tally>,
    ended: bool,
}

enum From {
    Held(Cursor<Vec<u8>>),
    Spooled(BufReader<File>),
}

impl ReadSourceOpen for Open {
    type Reader = Reading;

    fn open(self) -> RusticResult<Reading> {
        let Self { content, path, tally } = self;
        let size = content.size();
        let from = match content {
            Content::Held(bytes) => From::Held(Cursor::new(bytes)),
            Content::Spooled(mut file, _) => {
                if let Err(cause) = file.seek(SeekFrom::Start(0)) {
                    tally.failed(&path, "cannot read", &cause);
                    return Err(RusticError::new(ErrorKind::InputOutput, KNOWN));
                }
                From::Spooled(BufReader::with_capacity(BUFFER, file))
            }
            // It was compared with the vault already.
            Content::Known(_) => return Err(RusticError::new(ErrorKind::InputOutput, KNOWN)),
        };
        Ok(Reading { from, left: size, size, path, tally, ended: false })
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        let read = match &mut self.from {
            From::Held(bytes) => bytes.read(buffer),
            From::Spooled(file) => file.read(buffer),
        };
        let read = match read {
            Ok(0) if self.left > 0 => Err(io::Error::other("it is shorter than it was said to be")),
            read => read,
        };
        match read {
            Ok(read) => {
                self.left -= read as u64;
                self.tally.read_bytes.fetch_add(read as u64, Relaxed);
                if read == 0 {
                    self.ended = true;
                    self.tally.read_files.fetch_add(1, Relaxed);
                    self.tally.took(&self.path, self.size);
                }
                Ok(read)
            }
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => Err(cause),
            Err(cause) => {
                self.ended = true;
                self.tally.failed(&self.path, "cannot read", &cause);
                Err(io::Error::other(KNOWN))
            }
        }
    }
}

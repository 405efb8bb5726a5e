//! One side of a sync, as the planner and the executor see it.
//!
//! A [`Replica`] is asked one folder at a time, so that a run's memory is that of a folder and not of the tree.
//! Folders are held ([`Replica::Dir`]) and everything in them is named by one [`Name`]: there is no path that
//! somebody could bend with a symbolic link between a check and its use.
//!
//! The contract of every method that writes: it is complete or it did not happen, whatever kills the process. What
//! is half done carries a name of ours ([`Name::is_ours`]) and is swept by the next run.

use std::io;
use std::os::fd::BorrowedFd;

use crate::entry::{Entry, FileTime, Kind, Name, RelPath};

/// The entries of a folder.
#[derive(Debug, Default)]
pub struct Listing {
    /// What is there, sorted by name as bytes.
    pub entries: Vec<Entry>,
    /// Names that are there but could not be looked at, sorted. They count neither as present nor as gone.
    pub unreadable: Vec<(Name, io::Error)>,
}

/// What identifies an entry that was seen, to notice that it is another one now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    /// What it was.
    pub kind: Kind,
    /// File system and inode.
    pub id: (u64, u64),
    /// Its size in bytes.
    pub size: u64,
    /// When its content last changed.
    pub mtime: FileTime,
}

impl From<&Entry> for Seen {
    fn from(entry: &Entry) -> Self {
        Self { kind: entry.kind, id: entry.id, size: entry.size, mtime: entry.mtime }
    }
}

impl Seen {
    /// Whether `entry` is still the one that was seen. A folder may have been touched meanwhile: that is what a sync
    /// does to folders.
    pub fn is(&self, entry: &Entry) -> bool {
        if self.kind == Kind::Folder {
            return entry.kind == Kind::Folder && entry.id == self.id;
        }
        Self::from(entry) == *self
    }
}

/// What a side can keep of an entry's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keeps {
    /// Permission bits.
    pub modes: bool,
    /// Several names of one file.
    pub links: bool,
    /// Owner and group: only the superuser may give files away.
    pub owners: bool,
    /// The user and group that own what we write, where owners are not kept.
    pub writer: (u32, u32),
    /// Times are equal when they differ by less than so many nanoseconds.
    pub time_step: u64,
}

impl Keeps {
    /// The mode that `source` should have here. Set-id bits only make sense, and are only safe, together with the
    /// owner that they stand for.
    pub fn mode(&self, source: &Entry) -> u32 {
        if self.owners || source.kind == Kind::Folder {
            return source.mode;
        }
        let mut mode = source.mode;
        if source.uid != self.writer.0 {
            mode &= !0o4000;
        }
        if source.gid != self.writer.1 {
            mode &= !0o2000;
        }
        mode
    }

    /// Whether two times are the same as far as this side can tell.
    pub fn same_time(&self, a: FileTime, b: FileTime) -> bool {
        let nanos = |t: FileTime| i128::from(t.seconds) * 1_000_000_000 + i128::from(t.nanos);
        (nanos(a) - nanos(b)).unsigned_abs() < u128::from(self.time_step.max(1))
    }
}

/// A side as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What it keeps.
    pub keeps: Keeps,
    /// Bytes that we may still write, if it knows.
    pub free_bytes: Option<u64>,
    /// Names the file system, as stably as it can: the same after a reboot.
    pub file_system: String,
    /// Whether it is reached over a network: then inode numbers and change times prove nothing.
    pub network: bool,
}

/// Extended attributes, sorted by name.
pub type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// An opened file of a replica.
pub trait Content: Send {
    /// The descriptor, if it is a local file: then the copy may stay in the kernel.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
    /// Reads the next bytes.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Its extended attributes.
    fn attributes(&self) -> io::Result<Attributes>;
    /// Whether it is still what `entry` says: same size, same times.
    fn is_unchanged(&self, entry: &Entry) -> io::Result<bool>;
}

/// How an attempt to write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// Done. The list names what could not be kept ("extended attributes: not supported").
    Done(Vec<String>),
    /// The source changed while it was read; the target is untouched.
    SourceChanged,
    /// The target is not what was planned for; it is untouched.
    TargetChanged,
}

/// Where an entry is written.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// Under a name that nothing has.
    Free,
    /// In the place of what was seen, which is kept as an old version where asked.
    Taken(&'a Seen),
    /// In a [staged](Replica::stage_folder) folder.
    Staged,
}

impl<'a> From<Option<&'a Seen>> for Place<'a> {
    fn from(over: Option<&'a Seen>) -> Self {
        over.map_or(Self::Free, Self::Taken)
    }
}

/// Old versions that were set aside or removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retired {
    /// Entries.
    pub entries: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

/// One side of a sync.
pub trait Replica: Send + Sync {
    /// A held folder.
    type Dir: Send + Sync;
    /// An opened file.
    type Content: Content;

    /// What this side is and can do.
    fn about(&self) -> io::Result<About>;
    /// The folder that the side is rooted in.
    fn root(&self) -> io::Result<Self::Dir>;
    /// A held folder itself; its name is a placeholder.
    fn itself(&self, dir: &Self::Dir) -> io::Result<Entry>;
    /// The folder `name` in `dir`; never through a symbolic link.
    fn enter(&self, dir: &Self::Dir, name: &Name) -> io::Result<Self::Dir>;
    /// What is in `dir`.
    fn list(&self, dir: &Self::Dir) -> io::Result<Listing>;
    /// What `name` in `dir` is now; None when it is not there.
    fn stat(&self, dir: &Self::Dir, name: &Name) -> io::Result<Option<Entry>>;
    /// The extended attributes of an entry in `dir`, or of `dir` itself.
    fn attributes(&self, dir: &Self::Dir, name: Option<&Name>) -> io::Result<Attributes>;
    /// Opens a file for reading. Fails if it is not the file that `entry` says.
    fn open(&self, dir: &Self::Dir, entry: &Entry) -> io::Result<Self::Content>;

    /// Makes a folder that only we can enter until it is [settled](Self::mark).
    fn make_folder(&self, dir: &Self::Dir, name: &Name) -> io::Result<Self::Dir>;
    /// Makes such a folder under a name of ours. Nobody sees what is in it before it is [published](Self::publish),
    /// so that its entries can be written in place, and get their final names all at once.
    fn stage_folder(&self, dir: &Self::Dir) -> io::Result<(Name, Self::Dir)>;
    /// Gives a staged folder its final name. False: something has that name by now.
    fn publish(&self, dir: &Self::Dir, staged: &Name, name: &Name) -> io::Result<bool>;
    /// Lets us list, enter and change a held folder that is ours but whose mode forbids it (a copy of a read-only
    /// folder), until it is [marked](Self::mark) again.
    fn unlock(&self, dir: &Self::Dir) -> io::Result<()>;
    /// Writes a file with `entry`'s metadata.
    fn put_file(
        &self,
        dir: &Self::Dir,
        path: &RelPath,
        entry: &Entry,
        content: &mut dyn Content,
        place: Place<'_>,
        progress: &dyn Fn(u64) -> bool,
    ) -> io::Result<Put>;
    /// Makes a link, pipe, socket or device like `entry`.
    fn put_special(
        &self,
        dir: &Self::Dir,
        path: &RelPath,
        entry: &Entry,
        place: Place<'_>,
    ) -> io::Result<Put>;
    /// Makes `path` another name of the file `leader`.
    fn put_link(
        &self,
        dir: &Self::Dir,
        path: &RelPath,
        leader_dir: &Self::Dir,
        leader: &Name,
        over: Option<&Seen>,
    ) -> io::Result<Put>;
    /// Gives an entry `source`'s mode, owner, times and, where given, attributes. Returns what could not be kept.
    fn mark(
        &self,
        dir: &Self::Dir,
        name: Option<&Name>,
        source: &Entry,
        attributes: Option<&Attributes>,
    ) -> io::Result<Vec<String>>;
    /// Takes an entry away: a folder with all that is in it. It becomes an old version where asked, else it is gone.
    /// False: it is not what was seen, nothing was done.
    fn retire(&self, dir: &Self::Dir, path: &RelPath, was: &Seen) -> io::Result<bool>;
    /// Removes an empty folder; false if it is not empty.
    fn remove_folder(&self, dir: &Self::Dir, name: &Name) -> io::Result<bool>;
    /// Removes what an earlier run left half done.
    fn sweep(&self, dir: &Self::Dir, name: &Name) -> io::Result<()>;
    /// Makes everything written so far survive a power cut.
    fn flush(&self) -> io::Result<()>;
}

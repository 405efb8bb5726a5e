//! A local folder as one side of a sync.
//!
//! Every call is relative to a held descriptor and one name, and follows no symbolic link: an attacker who swaps a
//! folder for a link between two of our calls gains nothing. Content arrives under a name of ours and gets its final
//! name in one rename, so a final name never carries half a file.

mod copy;
mod limit;
pub(crate) mod list;
mod meta;
mod nature;
mod partial;
mod place;
mod remove;
pub mod versions;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use jiff::{SignedDuration, Timestamp};
use rustix::fs::{Mode, OFlags};

pub(crate) use self::limit::raise_open_files;
use self::meta::Handle;
pub use self::nature::network;
pub use self::partial::{Partial, Rested};
use self::versions::Versions;
use crate::entry::{Entry, Name, RelPath};
use crate::replica::{About, Attributes, Content, Listing, Place, Put, Replica, Retired, Seen};
use crate::run::RunId;

/// A local folder.
pub struct Folder {
    root: OwnedFd,
    about: About,
    run: RunId,
    temp: AtomicU64,
    versions: Option<Versions>,
    kernel: copy::KernelCopy,
    /// Set once a time that we set was there when we looked: looking costs a call per file.
    times_hold: AtomicBool,
}

/// An opened file of a [`Folder`].
pub struct File {
    fd: OwnedFd,
    owners: bool,
}

impl Folder {
    /// Opens the folder at `path`, which may lead through links: it is the user's word. `run` marks the temporary
    /// files that we make in it.
    pub fn open(path: &Path, run: RunId) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())?;
        let about = nature::about(&root)?;
        let (temp, kernel) = (AtomicU64::new(0), copy::KernelCopy::default());
        let times_hold = AtomicBool::new(false);
        Ok(Self { root, about, run, temp, versions: None, kernel, times_hold })
    }

    /// Keeps what is replaced or deleted as versions of the run that started `now`.
    #[must_use]
    pub fn keeping_versions(mut self, now: Timestamp) -> Self {
        self.versions = Some(Versions::new(self.run, now));
        self
    }

    /// What was kept so far.
    pub fn versions_kept(&self) -> Retired {
        self.versions.as_ref().map_or_else(Retired::default, Versions::kept)
    }

    /// What the folder is and can do now: its free space changes.
    pub fn about_now(&self) -> io::Result<About> {
        nature::about(&self.root)
    }

    /// Removes versions older than `keep`.
    pub fn prune_versions(&self, now: Timestamp, keep: SignedDuration) -> io::Result<Retired> {
        versions::prune(&self.root, now, keep)
    }

    /// A name of ours that nobody else uses.
    fn temp_name(&self) -> Name {
        let n = self.temp.fetch_add(1, Relaxed);
        let name = format!(".postkeep-tmp-{}-{n}", self.run);
        Name::new(name.as_bytes()).unwrap_or_else(|| unreachable!("{name} has no slash"))
    }
}

impl Replica for Folder {
    type Dir = OwnedFd;
    type Content = File;

    fn about(&self) -> io::Result<About> {
        Ok(self.about.clone())
    }

    fn root(&self) -> io::Result<OwnedFd> {
        // Not a duplicate: the place in its listing would be shared by all.
        Ok(rustix::fs::openat(&self.root, ".", list::FOLDER, Mode::empty())?)
    }

    fn itself(&self, dir: &OwnedFd) -> io::Result<Entry> {
        list::stat_fd(dir, self.temp_name())
    }

    fn enter(&self, dir: &OwnedFd, name: &Name) -> io::Result<OwnedFd> {
        list::open_folder(dir, name.as_bytes())
    }

    fn list(&self, dir: &OwnedFd) -> io::Result<Listing> {
        list::list(dir)
    }

    fn stat(&self, dir: &OwnedFd, name: &Name) -> io::Result<Option<Entry>> {
        list::stat(dir, name.clone())
    }

    fn attributes(&self, dir: &OwnedFd, name: Option<&Name>) -> io::Result<Attributes> {
        let handle = match name {
            Some(name) => Handle::of(dir, name)?,
            None => Handle::Open(dir.as_fd()),
        };
        meta::attributes(&handle, self.about.keeps.owners)
    }

    fn open(&self, dir: &OwnedFd, entry: &Entry) -> io::Result<File> {
        // NONBLOCK: should a pipe have taken its place, the open must not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(dir, entry.name.as_bytes(), flags, Mode::empty())?;
        Ok(File { fd, owners: self.about.keeps.owners })
    }

    fn make_folder(&self, dir: &OwnedFd, name: &Name) -> io::Result<OwnedFd> {
        rustix::fs::mkdirat(dir, name.as_bytes(), Mode::RWXU)?;
        list::open_folder(dir, name.as_bytes())
    }

    fn stage_folder(&self, dir: &OwnedFd) -> io::Result<(Name, OwnedFd)> {
        let name = self.temp_name();
        let made = self.make_folder(dir, &name)?;
        Ok((name, made))
    }

    fn publish(&self, dir: &OwnedFd, staged: &Name, name: &Name) -> io::Result<bool> {
        match place::rename_new(dir, staged, name) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn unlock(&self, dir: &OwnedFd) -> io::Result<()> {
        // The superuser is not held up by modes.
        if self.about.keeps.owners || !self.about.keeps.modes {
            return Ok(());
        }
        meta::unlock(&Handle::Open(dir.as_fd())).map(drop)
    }

    fn put_file(
        &self,
        dir: &OwnedFd,
        path: &RelPath,
        entry: &Entry,
        content: &mut dyn Content,
        place: Place<'_>,
        progress: &dyn Fn(u64) -> bool,
    ) -> io::Result<Put> {
        self.put_file(dir, path, entry, content, place, progress)
    }

    fn put_special(&self, dir: &OwnedFd, path: &RelPath, entry: &Entry, place: Place<'_>) -> io::Result<Put> {
        self.put_special(dir, path, entry, place)
    }

    fn put_link(
        &self,
        dir: &OwnedFd,
        path: &RelPath,
        leader_dir: &OwnedFd,
        leader: &Name,
        over: Option<&Seen>,
    ) -> io::Result<Put> {
        self.put_link(dir, path, leader_dir, leader, over)
    }

    fn mark(
        &self,
        dir: &OwnedFd,
        name: Option<&Name>,
        source: &Entry,
        attributes: Option<&Attributes>,
    ) -> io::Result<Vec<String>> {
        let handle = match name {
            Some(name) => Handle::of(dir, name)?,
            None => Handle::Open(dir.as_fd()),
        };
        let is = list::stat_fd(handle.fd(), source.name.clone())?;
        if is.kind != source.kind {
            return Err(io::Error::other("it was replaced by something else meanwhile"));
        }
        Ok(meta::dress(&handle, source, attributes, Some(&is), &self.about.keeps))
    }

    fn retire(&self, dir: &OwnedFd, path: &RelPath, was: &Seen) -> io::Result<bool> {
        self.retire(dir, path, was)
    }

    fn remove_folder(&self, dir: &OwnedFd, name: &Name) -> io::Result<bool> {
        match rustix::fs::unlinkat(dir, name.as_bytes(), rustix::fs::AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::NOTEMPTY | rustix::io::Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn sweep(&self, dir: &OwnedFd, name: &Name) -> io::Result<()> {
        remove::remove_tree(dir, name).map(drop)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.root)?)
    }
}

impl Content for File {
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.fd.as_fd())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(&self.fd, &mut *buffer) {
                Err(rustix::io::Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    fn attributes(&self) -> io::Result<Attributes> {
        meta::attributes(&Handle::Open(self.fd.as_fd()), self.owners)
    }

    fn is_unchanged(&self, entry: &Entry) -> io::Result<bool> {
        let now = list::stat_fd(&self.fd, entry.name.clone())?;
        Ok(Seen::from(entry).is(&now) && now.ctime == entry.ctime)
    }
}

//! Files that are written for people: each whole or not there, none replaced, none outside its folder.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::entry::{FileTime, Kind, Name, RelPath};
use crate::error::{Context, Error, Result};
use crate::folder::{Folder, Partial, Rested};
use crate::replica::{Place, Put, Replica};
use crate::run::RunId;

/// A folder that files are written into.
pub(super) struct Files {
    folder: Folder,
}

/// A held folder in it.
pub(super) type Dir = Arc<OwnedFd>;

impl Files {
    /// Opens a folder, and makes it if it is not there: in a folder that is. `run` marks what is half done.
    pub(super) fn open(path: &Path, run: RunId) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        match std::fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                let missing = error.kind() == io::ErrorKind::NotFound;
                let error =
                    Error::other(format!("cannot make the folder {}", path.display())).caused_by(error);
                return Err(if missing { error.hint("make the folder that it is in first") } else { error });
            }
            _ => {}
        }
        let folder =
            Folder::open(path, run).context(|| format!("cannot open the folder {}", path.display()))?;
        Ok(Self { folder })
    }

    pub(super) fn root(&self) -> io::Result<Dir> {
        self.folder.root().map(Arc::new)
    }

    /// A folder in a folder, made if it is not there.
    pub(super) fn enter(&self, dir: &Dir, name: &Name) -> io::Result<Dir> {
        match self.folder.make_folder(dir, name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.folder.enter(dir, name),
            made => made,
        }
        .map(Arc::new)
    }

    /// Whether something has this name, and its size.
    pub(super) fn size(&self, dir: &Dir, name: &Name) -> io::Result<Option<u64>> {
        Ok(self.folder.stat(dir, name)?.map(|entry| entry.size))
    }

    /// All names in a folder. What an earlier run left half done is removed.
    pub(super) fn names(&self, dir: &Dir) -> io::Result<Vec<Name>> {
        let mut names = Vec::new();
        for entry in self.folder.list(dir)?.entries {
            if entry.name.is_unfinished() {
                self.folder.sweep(dir, &entry.name)?;
            } else {
                names.push(entry.name);
            }
        }
        Ok(names)
    }

    /// Whether there is anything in a folder, or in those in it, that is not ours and no folder. What an earlier run left
    /// half done is removed. What lies deeper than `levels` is something.
    pub(super) fn has_any(&self, dir: &Dir, levels: usize) -> io::Result<bool> {
        for entry in self.folder.list(dir)?.entries {
            if entry.name.is_unfinished() {
                self.folder.sweep(dir, &entry.name)?;
            } else if entry.kind == Kind::Folder && levels > 0 {
                let inner = Arc::new(self.folder.enter(dir, &entry.name)?);
                if self.has_any(&inner, levels - 1)? {
                    return Ok(true);
                }
            } else if !entry.name.is_ours() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Begins a file.
    pub(super) fn begin(&self, dir: &Dir) -> io::Result<Draft> {
        Ok(Draft { file: Some(File::Held(self.folder.begin_file(dir)?)), at: 0 })
    }

    /// Gives a file its name and its time. False: something has that name, and the file is gone.
    pub(super) fn finish(&self, mut draft: Draft, name: &Name, time: Option<Timestamp>) -> io::Result<bool> {
        draft.held()?;
        let Some(File::Held(partial)) = draft.file.take() else { return Err(lost()) };
        let mut entry = partial.entry(name.clone())?;
        entry.size = draft.at;
        if let Some(time) = time {
            entry.mtime = FileTime { seconds: time.as_second(), nanos: 0 };
        }
        let path = RelPath::root().join(name);
        let put = self.folder.finish_file(partial, &path, &entry, &Vec::new(), Place::Free)?;
        Ok(matches!(put, Put::Done(_)))
    }

    /// Tells the disk to keep what was written.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.folder.flush()
    }
}

/// A file that is not whole yet. Dropped, it is gone.
pub(super) struct Draft {
    /// There always is one, but while it changes.
    file: Option<File>,
    at: u64,
}

enum File {
    Held(Partial),
    Rested(Rested),
}

fn lost() -> io::Error {
    io::Error::other("the file was given up")
}

impl Draft {
    /// The open file.
    fn held(&mut self) -> io::Result<&Partial> {
        if let Some(File::Rested(_)) = self.file
            && let Some(File::Rested(rested)) = self.file.take()
        {
            match rested.go_on() {
                Ok(partial) => self.file = Some(File::Held(partial)),
                Err((rested, error)) => {
                    self.file = Some(File::Rested(rested));
                    return Err(error);
                }
            }
        }
        match &self.file {
            Some(File::Held(partial)) => Ok(partial),
            _ => Err(lost()),
        }
    }

    /// Closes the file until it is written to again.
    pub(super) fn rest(&mut self) {
        self.file = self.file.take().map(|file| match file {
            File::Held(partial) => File::Rested(partial.rest()),
            rested => rested,
        });
    }

    /// How many bytes it has.
    pub(super) fn length(&self) -> u64 {
        self.at
    }

    /// Forgets what was written from this byte on.
    pub(super) fn cut(&mut self, at: u64) -> io::Result<()> {
        self.held()?.cut(at)?;
        self.at = at;
        Ok(())
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let at = self.at;
        self.held()?.write(bytes, at)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

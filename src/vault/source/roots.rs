//! The sources, opened: folders or single files, under the absolute paths that the user gave.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustix::fs::{Mode, OFlags};

use crate::entry::{Entry, Kind, Name, show};
use crate::error::{Error, Result};
use crate::failures::{hints, reason};
use crate::filter::Filter;
use crate::folder::{list, network};
use crate::profile::FilterRules;

/// One source.
pub(super) struct Root {
    /// As the user gave it.
    pub path: PathBuf,
    /// What it is; its name is its own, or a placeholder for `/`.
    pub entry: Entry,
    /// The folder itself, or the one that a single file is in.
    pub dir: Arc<OwnedFd>,
    /// What is left out of it.
    pub filter: Filter,
    /// Whether times of changes prove something there.
    pub change_times: bool,
}

/// All sources.
pub(crate) struct Roots {
    pub(super) list: Vec<Root>,
    pub(super) one_file_system: bool,
}

impl Roots {
    /// Opens the sources. Each path may lead through links: it is the user's word.
    ///
    /// # Errors
    /// One of them cannot be opened.
    pub fn open(
        sources: &[PathBuf],
        rules: &FilterRules,
        one_file_system: bool,
        state: Option<&Path>,
        now: Timestamp,
    ) -> Result<Self> {
        let mut list = sources
            .iter()
            .map(|path| {
                let filter = Filter::new(rules, now)?;
                let filter = match state {
                    Some(state) => filter.without_state(path, state),
                    None => filter,
                };
                let (entry, dir) = open(path).map_err(|cause| {
                    let text = format!("cannot open the source {}: {}", shown(path), reason(&cause));
                    hints(&cause).into_iter().fold(Error::other(text), Error::hint)
                })?;
                let on_network = entry.kind == Kind::Folder && matches!(network(path), Ok(Some(_)));
                Ok(Root { path: path.clone(), entry, dir, filter, change_times: !on_network })
            })
            .collect::<Result<Vec<_>>>()?;
        // As the folders of a tree are sorted: name by name, not byte by byte of the path.
        list.sort_by(|a, b| components(&a.path).cmp(components(&b.path)));
        Ok(Self { list, one_file_system })
    }

    /// The paths, as a snapshot names them.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.list.iter().map(|root| root.path.clone()).collect()
    }

    /// Whether `folder` lies above the sources.
    pub fn are_below(&self, folder: &Path) -> bool {
        self.list.iter().any(|root| root.path.starts_with(folder))
            && self.list.iter().all(|root| !folder.starts_with(&root.path))
    }

    /// The first source that is a folder with nothing in it.
    ///
    /// # Errors
    /// It cannot be listed.
    pub fn empty(&self) -> io::Result<Option<&Path>> {
        for root in self.list.iter().filter(|root| root.entry.kind == Kind::Folder) {
            let listing = list::list(&*root.dir)?;
            if listing.entries.is_empty() && listing.unreadable.is_empty() {
                return Ok(Some(&root.path));
            }
        }
        Ok(None)
    }
}

fn open(path: &Path) -> io::Result<(Entry, Arc<OwnedFd>)> {
    let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::open(path, folder, Mode::empty()) {
        Ok(dir) => {
            let entry = list::stat_fd(&dir, name_of(path))?;
            Ok((entry, Arc::new(dir)))
        }
        Err(rustix::io::Errno::NOTDIR) => {
            let above = path.parent().unwrap_or(Path::new("/"));
            let dir = rustix::fs::open(above, folder, Mode::empty())?;
            // A link to a file is saved as what it is, as any other in a folder.
            let entry = list::stat(&dir, name_of(path))?.ok_or(io::ErrorKind::NotFound)?;
            Ok((entry, Arc::new(dir)))
        }
        Err(error) => Err(error.into()),
    }
}

/// What a folder above the sources is. None: nobody lets us look, and it will be a plain folder.
pub(super) fn above(path: &Path) -> Option<(Entry, OwnedFd)> {
    let dir =
        rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    Some((list::stat_fd(&dir, name_of(path)).ok()?, dir))
}

fn name_of(path: &Path) -> Name {
    let name = path.file_name().and_then(|name| Name::new(name.as_bytes()));
    name.or_else(|| Name::new(b"root")).unwrap_or_else(|| unreachable!("it is a name"))
}

pub(super) fn components(path: &Path) -> impl Iterator<Item = &[u8]> {
    path.components().filter_map(|part| match part {
        std::path::Component::Normal(name) => Some(OsStr::as_bytes(name)),
        _ => None,
    })
}

/// A path for people.
pub(super) fn shown(path: &Path) -> String {
    show(path.as_os_str().as_bytes())
}

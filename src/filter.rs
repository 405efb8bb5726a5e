//! What a run leaves out: [`FilterRules`] made ready for matching.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use jiff::Timestamp;

use crate::entry::{Entry, FileTime, Kind, Name, RelPath};
use crate::error::{Context, Result};
use crate::profile::FilterRules;

/// The filter of one run.
#[derive(Debug)]
pub struct Filter {
    globs: Option<Gitignore>,
    markers: Vec<Name>,
    smallest: u64,
    largest: u64,
    /// Only files changed at or after this are taken.
    earliest: Option<FileTime>,
    /// Only files changed at or before this are taken.
    latest: Option<FileTime>,
    /// Our own state folder, where it lies in the source: it changes with every run.
    state: Option<RelPath>,
}

impl Filter {
    /// Compiles the rules; ages count back from `now`.
    pub fn new(rules: &FilterRules, now: Timestamp) -> Result<Self> {
        let ago = |age: Option<jiff::SignedDuration>| {
            age.and_then(|age| now.checked_sub(age).ok()).map(|t| FileTime {
                seconds: t.as_second(),
                nanos: u32::try_from(t.subsec_nanosecond()).unwrap_or(0),
            })
        };
        Ok(Self {
            globs: compile(&rules.exclude)?,
            markers: rules.exclude_if_present.iter().filter_map(|name| Name::new(name.as_bytes())).collect(),
            smallest: rules.smaller_than.unwrap_or(0),
            largest: rules.larger_than.unwrap_or(u64::MAX),
            earliest: ago(rules.older_than),
            latest: ago(rules.newer_than),
            state: None,
        })
    }

    /// Leaves out our own state folder, too, if it lies below `source`.
    #[must_use]
    pub fn without_state(mut self, source: &Path, state: &Path) -> Self {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let below = real(state).strip_prefix(real(source)).ok().map(Path::to_owned);
        let names = |path: PathBuf| {
            path.iter()
                .try_fold(RelPath::root(), |above, name| Some(above.join(&Name::new(name.as_bytes())?)))
        };
        self.state = below.and_then(names).filter(|path| !path.as_bytes().is_empty());
        self
    }

    /// Whether the name of a path below the source, or that of a folder above it, leaves it out. What it is nobody knows
    /// any more: it may be gone.
    pub fn excludes_name(&self, path: &Path) -> bool {
        let by = |folder| {
            self.globs
                .as_ref()
                .is_some_and(|globs| globs.matched_path_or_any_parents(path, folder).is_ignore())
        };
        let ours = path.iter().any(|name| name.as_bytes().starts_with(b".postkeep-"));
        ours || by(false) || self.state.as_ref().is_some_and(|state| path.starts_with(state.as_path()))
    }

    /// What [`without_state`](Self::without_state) leaves out.
    pub fn state(&self) -> Option<&RelPath> {
        self.state.as_ref()
    }

    /// Whether an entry, whose folder is not excluded, is left out.
    pub fn excludes(&self, path: &RelPath, entry: &Entry) -> bool {
        let folder = entry.kind == Kind::Folder;
        let named =
            self.globs.as_ref().is_some_and(|globs| globs.matched(path.as_path(), folder).is_ignore());
        let measured = entry.kind == Kind::File
            && (entry.size < self.smallest
                || entry.size > self.largest
                || self.earliest.is_some_and(|earliest| entry.mtime < earliest)
                || self.latest.is_some_and(|latest| entry.mtime > latest));
        named || measured || self.state.as_ref().is_some_and(|state| state == path)
    }

    /// Whether a folder with these entries is left out with all that is in it.
    pub fn is_marked(&self, entries: &[Entry]) -> bool {
        self.markers.iter().any(|marker| entries.binary_search_by(|entry| entry.name.cmp(marker)).is_ok())
    }
}

fn compile(patterns: &[String]) -> Result<Option<Gitignore>> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut builder = GitignoreBuilder::new("");
    for pattern in patterns {
        builder.add_line(None, pattern).context(|| format!("cannot use the exclude pattern {pattern:?}"))?;
    }
    builder.build().map(Some).context(|| "cannot use the exclude patterns".into())
}

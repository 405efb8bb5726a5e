//! One source that is watched: a folder with all that is in it, or a file.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::folder;

/// What a folder is known by: its file system, and its number there.
type Identity = (u64, u64, u64);

/// A source.
pub(super) struct Root {
    source: PathBuf,
    /// The profiles that it is the source of.
    pub profiles: Vec<String>,
    /// What is there, under its name without links; None: nothing.
    there: Option<(Identity, PathBuf)>,
    /// Whether events of it are heard.
    heard: bool,
    /// Why it cannot be watched.
    polled: Option<String>,
}

impl Root {
    pub fn new(source: PathBuf) -> Self {
        Self { source, profiles: Vec::new(), there: None, heard: false, polled: None }
    }

    /// The name under which its events come.
    pub fn real(&self) -> Option<&Path> {
        self.there.as_ref().map(|(_, real)| real.as_path())
    }

    /// Why it is looked through now and then instead of being watched.
    pub fn polled(&self) -> Option<&str> {
        self.polled.as_deref()
    }

    /// Looks whether the source is still the one that is watched, and watches the one that is there. True if it is
    /// another one than before: all of it may have changed.
    pub fn look(&mut self, mut watcher: Option<&mut RecommendedWatcher>) -> bool {
        let found = identity(&self.source);
        let same = match (&found, &self.there) {
            (Some(new), Some(old)) => new == old,
            (None, None) => true,
            _ => false,
        };
        if same {
            return false;
        }
        self.unwatch(watcher.as_deref_mut());
        let first = self.there.is_none() && self.polled.is_none();
        self.there = found;
        self.polled = self.watch(watcher);
        // What was there when the agent started is not news: its profile has other reasons to run.
        !first || self.there.is_none()
    }

    /// Watches what is there; why not, if that cannot be.
    fn watch(&mut self, watcher: Option<&mut RecommendedWatcher>) -> Option<String> {
        let Some((_, real)) = &self.there else { return Some("it is not there".into()) };
        if let Ok(Some(kind)) = folder::network(real) {
            return Some(format!("it is on a network file system ({kind}), which does not tell of changes"));
        }
        let Some(watcher) = watcher else { return Some("this machine tells of no changes".into()) };
        match watcher.watch(real, RecursiveMode::Recursive) {
            Ok(()) => {
                self.heard = true;
                None
            }
            Err(error) => {
                // Part of it may be watched already: that is of no use.
                let _ = watcher.unwatch(real);
                Some(match error.kind {
                    ErrorKind::MaxFilesWatch => limit(),
                    _ => format!("it cannot be watched: {error}"),
                })
            }
        }
    }

    /// Stops watching. What others watch in it, or around it, is gone with that: [`Root::again`].
    pub fn unwatch(&mut self, watcher: Option<&mut RecommendedWatcher>) {
        if let (true, Some(watcher), Some((_, real))) = (self.heard, watcher, &self.there) {
            let _ = watcher.unwatch(real);
        }
        self.heard = false;
    }

    /// Watches once more what is watched already, after another root let folders go that may be ours too.
    pub fn again(&mut self, watcher: Option<&mut RecommendedWatcher>) {
        if self.heard {
            self.polled = self.watch(watcher);
        }
    }

    /// There are more folders than may be watched: new ones would go unnoticed.
    pub fn give_up(&mut self, watcher: Option<&mut RecommendedWatcher>) {
        if self.heard {
            self.unwatch(watcher);
            self.polled = Some(limit());
        }
    }
}

fn limit() -> String {
    "more folders would have to be watched than this machine allows (fs.inotify.max_user_watches)".into()
}

fn identity(path: &Path) -> Option<(Identity, PathBuf)> {
    let real = path.canonicalize().ok()?;
    // A single file may be the source of a backup. One that is replaced is found by the look each minute.
    let meta = real.metadata().ok().filter(|meta| meta.is_dir() || meta.is_file())?;
    let file_system = rustix::fs::statvfs(&real).ok()?.f_fsid;
    Some(((meta.dev(), meta.ino(), file_system), real))
}

//! A run in which nothing changed: its snapshot has the tree of the one before.
//!
//! The library hands each entry through four threads, one by one, to make the same trees again. Most runs find nothing
//! new, and looking for that first costs a walk, at most twice where something did.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rustic_core::repofile::{Node, NodeType, SnapshotFile};
use rustic_core::{IndexedFullStatus, ReadSource, Repository, RusticResult, TreeId};

use super::Request;
use super::slice::{Made, watched};
use crate::error::Result;
use crate::vault::Vault;
use crate::vault::source::{Roots, Source, Tally};

/// The index and the trees of a vault.
type Indexed = Repository<IndexedFullStatus>;

/// A folder of the snapshot before that is being compared.
struct Level {
    path: PathBuf,
    rest: std::vec::IntoIter<Node>,
}

/// What a walk and a snapshot are compared with.
struct Comparison<'a> {
    repository: &'a Indexed,
    roots: &'a Roots,
    levels: Vec<Level>,
}

/// Looks whether the sources are as the snapshot `before` has them. None: they are not, or it cannot be told.
///
/// # Errors
/// The vault cannot be read.
pub(super) fn unchanged(
    vault: &Vault,
    request: &Request<'_>,
    repository: &Indexed,
    roots: &Arc<Roots>,
    before: &SnapshotFile,
) -> Result<Option<(Made, Arc<Tally>)>> {
    let tally = Arc::new(Tally::default());
    let source = Source::new(Arc::clone(roots), Arc::clone(&tally), u64::MAX, None);
    let same = watched(vault, &request.job(), &tally, || {
        vault.call("cannot compare with the snapshot before", || {
            let mut comparison = Comparison { repository, roots, levels: Vec::new() };
            if !comparison.enter(PathBuf::from("/"), before.tree)? {
                return Ok(false);
            }
            for item in source.entries() {
                let item = item?;
                if !comparison.takes(&item.path, item.node)? {
                    return Ok(false);
                }
            }
            Ok(comparison.is_done())
        })
    })?;
    if !same || tally.is_cut() {
        request.meter.reset();
        return Ok(None);
    }
    let files = tally.offered.load(Relaxed);
    let bytes = tally.bytes.load(Relaxed);
    let mut snapshot = vault.new_snapshot(&request.job());
    (snapshot.tree, snapshot.paths) = (before.tree, before.paths.clone());
    let mut summary = rustic_core::repofile::SnapshotSummary::default();
    (summary.total_files_processed, summary.total_bytes_processed) = (files, bytes);
    let folders = tally.folders.load(Relaxed);
    (summary.total_dirs_processed, summary.dirs_unmodified) = (folders, folders);
    snapshot.summary = Some(summary);
    let made = Made {
        snapshot,
        files,
        folders,
        bytes,
        new: 0,
        changed: 0,
        stored: 0,
        lost: 0,
        warnings: Vec::new(),
    };
    Ok(Some((made, tally)))
}

impl Comparison<'_> {
    /// Looks into a folder. False: the vault lost its list of entries.
    fn enter(&mut self, path: PathBuf, tree: TreeId) -> RusticResult<bool> {
        if self.repository.get_index_entry(&tree).is_err() {
            return Ok(false);
        }
        let rest = self.repository.get_tree(&tree)?.nodes.into_iter();
        self.levels.push(Level { path, rest });
        Ok(true)
    }

    /// Whether the next entry of the walk is the next one of the snapshot.
    fn takes(&mut self, path: &Path, mut node: Node) -> RusticResult<bool> {
        let Some(above) = path.parent() else { return Ok(false) };
        if !self.is_complete(above) {
            return Ok(false);
        }
        let Some(before) = self.levels.last_mut().and_then(|level| level.rest.next()) else {
            return Ok(false);
        };
        // The times of a folder above the sources change with what is beside them.
        let same = if self.roots.are_below(path) {
            node.name == before.name && node.is_dir() && before.is_dir()
        } else {
            node.content.clone_from(&before.content);
            node.subtree = before.subtree;
            node == before
        };
        if !same || !self.has_content(&before) {
            return Ok(false);
        }
        if before.is_dir() {
            let Some(tree) = before.subtree else { return Ok(false) };
            return self.enter(path.to_owned(), tree);
        }
        Ok(true)
    }

    /// Leaves the folders below `folder`. False: the snapshot has more in them.
    fn is_complete(&mut self, folder: &Path) -> bool {
        while let Some(level) = self.levels.last() {
            if level.path == folder {
                return true;
            }
            if !level.rest.as_slice().is_empty() {
                return false;
            }
            self.levels.pop();
        }
        false
    }

    /// Whether the snapshot has nothing more.
    fn is_done(&self) -> bool {
        self.levels.iter().all(|level| level.rest.as_slice().is_empty())
    }

    /// Whether the vault has the content of a file: where it lost some, the file is read again.
    fn has_content(&self, node: &Node) -> bool {
        node.node_type != NodeType::File
            || node.content.iter().flatten().all(|id| self.repository.get_index_entry(id).is_ok())
    }
}

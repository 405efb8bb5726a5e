//! How much is in an archive, as its snapshot says.

use rustic_core::TreeId;
use rustic_core::repofile::{SnapshotFile, SnapshotSummary};

use super::Adding;
use super::source::Joined;
use crate::error::Result;

impl Adding<'_> {
    /// Says how much is in the archive: the library counted what it was offered.
    pub(super) fn count(&self, snapshot: &mut SnapshotFile, joined: &Joined) -> Result<()> {
        let before = self.last.as_ref().map(|last| last.summary.as_ref());
        let (files, folders, bytes) = match before {
            None => (joined.new, joined.folders, 0_u64.saturating_add_signed(joined.bytes)),
            Some(Some(before)) if joined.lost.is_empty() => (
                before.total_files_processed.saturating_add(joined.new),
                before.total_dirs_processed.saturating_add(joined.folders),
                before.total_bytes_processed.saturating_add_signed(joined.bytes),
            ),
            Some(_) => self.contents(snapshot.tree)?,
        };
        let mut summary = snapshot.summary.take().unwrap_or_default();
        total(&mut summary, (files, folders, bytes));
        (summary.files_new, summary.files_changed) = (joined.new, joined.changed);
        summary.files_unmodified = files.saturating_sub(joined.new + joined.changed);
        snapshot.summary = Some(summary);
        Ok(())
    }

    /// Files, folders and bytes of a tree, without what is in folders whose list of entries is lost.
    pub(super) fn contents(&self, tree: TreeId) -> Result<(u64, u64, u64)> {
        let repository = self.vault.indexed()?;
        self.vault.call("cannot count what is in the archive", || {
            let (mut files, mut folders, mut bytes) = (0_u64, 0_u64, 0_u64);
            let mut rest = vec![tree];
            while let Some(tree) = rest.pop() {
                if repository.get_index_entry(&tree).is_err() {
                    continue;
                }
                for node in repository.get_tree(&tree)?.nodes {
                    match node.subtree {
                        Some(tree) if node.is_dir() => {
                            rest.push(tree);
                            folders += 1;
                        }
                        _ => files += 1,
                    }
                    bytes = bytes.saturating_add(node.meta.size);
                }
            }
            Ok((files, folders, bytes))
        })
    }
}

/// Notes files, folders and bytes of all that is in a snapshot.
pub(super) fn total(summary: &mut SnapshotSummary, (files, folders, bytes): (u64, u64, u64)) {
    summary.total_files_processed = files;
    summary.total_dirs_processed = folders;
    summary.total_bytes_processed = bytes;
}

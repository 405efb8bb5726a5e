//! Runs of one profile and machine that overlapped, from two state folders say: each began with the same archive, and the
//! one must not hide what the other added.

use jiff::Timestamp;
use rustic_core::TreeId;
use rustic_core::repofile::SnapshotFile;

use super::check::compare;
use super::count::total;
use super::join::shown;
use super::merge::merge;
use super::part::Part;
use super::{Adding, incomplete};
use crate::error::Result;
use crate::vault::snapshot::{Scope, is_checkpoint};
use crate::vault::store::Kind;

/// How often it is looked for others: each of them writes once for each of its parts.
const LOOKS: u32 = 10;

impl Adding<'_> {
    /// Takes in what others wrote since this run began. It comes after the own snapshot is there: of two runs that write at
    /// the same time, one at least sees both.
    pub(super) fn unite(&mut self, part: &mut Part) -> Result<()> {
        for _ in 0..LOOKS {
            let strangers = self.strangers()?;
            let Some(last) = self.last.clone().filter(|_| !strangers.is_empty()) else { return Ok(()) };
            let trees: Vec<_> = strangers.iter().chain([&last]).map(|one| one.tree).collect();
            let tree = self.merged(&trees)?;
            if tree != last.tree {
                let newest = strangers.iter().map(|one| one.time.timestamp()).max().unwrap_or(Timestamp::MIN);
                let newest = newest.max(last.time.timestamp());
                let mut snapshot = SnapshotFile { tree, ..last };
                total(snapshot.summary.get_or_insert_default(), self.contents(tree)?);
                self.write(snapshot, newest, part)?;
                part.notes.push(
                    "another run of this profile added to the archive meanwhile, and both are in it".into(),
                );
            }
        }
        Ok(())
    }

    /// Snapshots of this profile and machine that nobody knew when the run began.
    fn strangers(&mut self) -> Result<Vec<SnapshotFile>> {
        let scope = Scope {
            label: Some(self.addition.profile.to_owned()),
            host: Some(self.addition.host.to_owned()),
        };
        let mut strangers = Vec::new();
        for found in self.vault.store.list(Kind::Snapshot)? {
            if !self.known.insert(found.id) {
                continue;
            }
            // One that its owner replaced meanwhile is in the next one.
            if let Ok(snapshot) = self.vault.single_snapshot(&found.id)?
                && scope.has(&snapshot)
                && !is_checkpoint(&snapshot)
            {
                strangers.push(snapshot);
            }
        }
        Ok(strangers)
    }

    /// A tree that has everything that these have.
    fn merged(&mut self, trees: &[TreeId]) -> Result<TreeId> {
        let what = "cannot join what two runs added to the archive";
        let tree = merge(self.vault, what, trees)?;
        let repository = self.vault.indexed()?;
        for before in trees {
            let compared = self.vault.call(what, || compare(&repository, Some(*before), tree))?;
            if let Some(missing) = compared.missing {
                return Err(incomplete(format!("{} would be missing", shown(&missing))));
            }
        }
        self.repository = Some(repository);
        Ok(tree)
    }
}

//! What a run writes and removes itself, past the library: snapshots.

use rustic_core::repofile::SnapshotFile;

use super::Job;
use crate::error::{Error, Result};
use crate::progress::{Event, Phase};
use crate::vault::adapter::theirs;
use crate::vault::store::Id;
use crate::vault::{Lock, Vault, names};

impl Vault {
    /// Removes snapshots that a newer one of the same run stands for.
    pub(in crate::vault) fn forget_checkpoints(&self, ids: &[Id]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = ids.iter().map(|id| theirs(id).into()).collect();
        let repository = self.repository()?;
        self.call("cannot forget the checkpoints", || repository.delete_snapshots(&ids))
    }

    /// Writes a snapshot that the library made but did not save. From here on it is found by everybody.
    pub(in crate::vault) fn write_snapshot(
        &self,
        job: &Job<'_>,
        lock: &Lock,
        mut snapshot: SnapshotFile,
        parent: Option<Id>,
        tags: &[&str],
    ) -> Result<Id> {
        snapshot.parent = parent.map(|id| theirs(&id).into());
        snapshot.parents = snapshot.parent.into_iter().collect();
        tags.iter().for_each(|tag| snapshot.tags.add((*tag).to_owned()));
        job.listener.event(&Event::Phase(Phase::Flushing));
        // Its packs and its index are stored; a lock that was lost may mean that they are gone again.
        self.store.flush()?;
        lock.check()?;
        self.call("cannot save the snapshot", || self.reopened()?.save_snapshots(vec![snapshot]))?;
        self.store.flush()?;
        self.backend
            .last_snapshot()
            .ok_or_else(|| Error::other("the vault library did not save the snapshot"))
    }

    /// A snapshot with nothing in it yet.
    pub(in crate::vault) fn new_snapshot(&self, job: &Job<'_>) -> SnapshotFile {
        let uid = rustix::process::geteuid().as_raw();
        SnapshotFile {
            time: job.now.to_zoned(jiff::tz::TimeZone::system()),
            program_version: concat!("postkeep ", env!("CARGO_PKG_VERSION")).into(),
            label: job.profile.to_owned(),
            hostname: job.host.to_owned(),
            username: names::user(uid).unwrap_or_default(),
            uid,
            gid: rustix::process::getegid().as_raw(),
            ..SnapshotFile::default()
        }
    }
}

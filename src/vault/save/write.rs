//! What a run writes and removes itself, past the library: snapshots.

use rustic_core::repofile::SnapshotFile;

use super::Request;
use crate::error::{Error, Result};
use crate::progress::{Event, Phase};
use crate::vault::adapter::theirs;
use crate::vault::store::Id;
use crate::vault::{Lock, Vault, names};

impl Vault {
    pub(super) fn forget_checkpoints(&self, ids: &[Id]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = ids.iter().map(|id| theirs(id).into()).collect();
        let repository = self.repository()?;
        self.call("cannot forget the checkpoints", || repository.delete_snapshots(&ids))
    }

    /// Writes a snapshot that the library made but did not save. From here on it is found by everybody.
    pub(super) fn write_snapshot(
        &self,
        request: &Request<'_>,
        lock: &Lock,
        mut snapshot: SnapshotFile,
        parent: Option<Id>,
        tags: &[&str],
    ) -> Result<Id> {
        snapshot.parent = parent.map(|id| theirs(&id).into());
        snapshot.parents = snapshot.parent.into_iter().collect();
        tags.iter().for_each(|tag| snapshot.tags.add((*tag).to_owned()));
        request.listener.event(&Event::Phase(Phase::Flushing));
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
    pub(super) fn new_snapshot(&self, request: &Request<'_>) -> SnapshotFile {
        let uid = rustix::process::geteuid().as_raw();
        SnapshotFile {
            time: request.now.to_zoned(jiff::tz::TimeZone::system()),
            program_version: concat!("postkeep ", env!("CARGO_PKG_VERSION")).into(),
            label: request.profile.to_owned(),
            hostname: request.host.to_owned(),
            username: names::user(uid).unwrap_or_default(),
            uid,
            gid: rustix::process::getegid().as_raw(),
            ..SnapshotFile::default()
        }
    }
}

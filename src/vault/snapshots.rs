//! The snapshots of a vault: all of them, or those that can be read.

use rustic_core::repofile::{SnapshotFile, SnapshotId};

use super::Vault;
use super::adapter::theirs;
use super::snapshot::{Lost, Readable, Scope, is_checkpoint};
use super::store::{Found, Id, Kind, unless_away};
use crate::error::Result;

/// The newest whole snapshot of a profile: of this machine; where it has none, of any.
pub(super) fn last<'a>(all: &'a [SnapshotFile], label: &str, host: Option<&str>) -> Option<&'a SnapshotFile> {
    let of = |host: Option<&str>| {
        let scope = Scope { label: Some(label.to_owned()), host: host.map(str::to_owned) };
        all.iter()
            .filter(|snapshot| scope.has(snapshot) && !is_checkpoint(snapshot))
            .max_by_key(|snapshot| (snapshot.time.timestamp(), snapshot.id))
    };
    of(host).or_else(|| of(None))
}

impl Vault {
    /// The newest snapshot of a profile: of the given machine; where it has none, or none is given, of any. Those that
    /// cannot be read are passed over.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn last_snapshot(&self, label: &str, host: Option<&str>) -> Result<Option<SnapshotFile>> {
        Ok(last(&self.readable_snapshots()?.all, label, host).cloned())
    }

    /// All snapshots, oldest first.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn snapshots(&self) -> Result<Vec<SnapshotFile>> {
        let repo = self.repository()?;
        let mut all = self.call("cannot read the snapshots", || repo.get_all_snapshots())?;
        all.sort_by(|a, b| a.time.cmp(&b.time).then_with(|| a.id.cmp(&b.id)));
        Ok(all)
    }

    /// The snapshots that can be read, and those that cannot: one that is damaged must not hide the others.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn readable_snapshots(&self) -> Result<Readable> {
        let error = match self.snapshots() {
            Ok(all) => return Ok(Readable { all, lost: Vec::new() }),
            Err(error) => unless_away(self.cause(error))?,
        };
        let readable = self.single_snapshots()?;
        // A store that gives nothing just now has lost nothing.
        let told = !readable.all.is_empty() || readable.lost.iter().all(|lost| lost.damaged);
        if told && !readable.lost.is_empty() { Ok(readable) } else { Err(error) }
    }

    /// The snapshots one by one, past the library and its cache.
    pub(super) fn single_snapshots(&self) -> Result<Readable> {
        let mut readable = Readable::default();
        for Found { id, .. } in self.listed(Kind::Snapshot)? {
            match self.single_snapshot(&id)? {
                Ok(snapshot) => readable.all.push(snapshot),
                Err(lost) => readable.lost.push(lost),
            }
        }
        readable.all.sort_by(|a, b| a.time.cmp(&b.time).then_with(|| a.id.cmp(&b.id)));
        Ok(readable)
    }

    /// One snapshot, past the library and its cache; or why it cannot be read.
    ///
    /// # Errors
    /// The vault gives nothing now: nobody knows more of it.
    pub(super) fn single_snapshot(&self, id: &Id) -> Result<std::result::Result<SnapshotFile, Lost>> {
        let lose = |why, damaged| Lost { id: *id, why, damaged };
        let raw = match self.looked_for(Kind::Snapshot, id) {
            Err(error) => return Ok(Err(lose(unless_away(error)?.one_line(), false))),
            Ok(raw) => raw,
        };
        let json = match self.opened(id, &raw) {
            Err(why) => return Ok(Err(lose(why, true))),
            Ok(json) => json,
        };
        Ok(match serde_json::from_slice::<SnapshotFile>(&json) {
            Err(error) => Err(lose(format!("it is none: {error}"), true)),
            Ok(mut snapshot) => {
                snapshot.id = SnapshotId::from(theirs(id));
                Ok(snapshot)
            }
        })
    }
}

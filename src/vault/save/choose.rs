//! Which earlier snapshots a new one builds on: pure.

use std::path::PathBuf;

use jiff::Timestamp;
use rustic_core::repofile::SnapshotFile;

use crate::vault::adapter::ours;
use crate::vault::snapshot::is_ahead;
use crate::vault::store::Id;

/// The tag of a snapshot that holds only a part of its sources.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// What of a snapshot counts here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Earlier {
    pub id: Id,
    pub time: Timestamp,
    pub host: String,
    pub label: String,
    pub paths: Vec<String>,
    pub checkpoint: bool,
}

impl From<&SnapshotFile> for Earlier {
    fn from(snapshot: &SnapshotFile) -> Self {
        Self {
            id: ours(&snapshot.id),
            time: snapshot.time.timestamp(),
            host: snapshot.hostname.clone(),
            label: snapshot.label.clone(),
            paths: snapshot.paths.iter().cloned().collect(),
            checkpoint: snapshot.tags.contains(CHECKPOINT),
        }
    }
}

/// What a new snapshot builds on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Base {
    /// The last whole snapshot.
    pub whole: Option<Id>,
    /// The newest checkpoint, if it is newer than that.
    pub checkpoint: Option<Id>,
    /// All checkpoints of this profile: they are forgotten once there is a whole one.
    pub leftover: Vec<Id>,
}

impl Base {
    /// Whether `id` is the last whole snapshot, and nothing was stored since.
    pub fn is_last_whole(&self, id: &Id) -> bool {
        self.checkpoint.is_none() && self.whole.as_ref() == Some(id)
    }
}

/// Chooses among all snapshots of a vault. The last whole one is of the same host: with the same paths, be it restic's;
/// else with the same label, when a profile got other sources.
///
/// One whose time is yet to come is taken only where there is no other: it would be the last one for years, and all that
/// changed since be read again in each run.
pub(super) fn choose(all: &[Earlier], host: &str, label: &str, paths: &[PathBuf], now: Timestamp) -> Base {
    let age = |snapshot: &Earlier| (!is_ahead(snapshot.time, now), snapshot.time);
    let paths: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
    let same_paths = |snapshot: &Earlier| {
        snapshot.paths.len() == paths.len()
            && paths.iter().all(|path| snapshot.paths.iter().any(|p| p == path))
    };
    let here = || all.iter().filter(|snapshot| snapshot.host == host);
    let newest = |wanted: &dyn Fn(&Earlier) -> bool| {
        here()
            .filter(|snapshot| !snapshot.checkpoint && wanted(snapshot))
            .max_by_key(|snapshot| age(snapshot))
    };
    let whole = newest(&same_paths).or_else(|| newest(&|snapshot| snapshot.label == label));
    let of_profile = || here().filter(|snapshot| snapshot.checkpoint && snapshot.label == label);
    let checkpoint = of_profile()
        .filter(|checkpoint| whole.is_none_or(|whole| age(checkpoint) > age(whole)))
        .max_by_key(|snapshot| age(snapshot));
    Base {
        whole: whole.map(|snapshot| snapshot.id),
        checkpoint: checkpoint.map(|snapshot| snapshot.id),
        leftover: of_profile().map(|snapshot| snapshot.id).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> Id {
        Id([n; 32])
    }

    fn snapshot(n: u8, host: &str, label: &str, paths: &[&str], checkpoint: bool) -> Earlier {
        let time = Timestamp::from_second(i64::from(n)).unwrap();
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Earlier { id: id(n), time, host: host.into(), label: label.into(), paths, checkpoint }
    }

    #[test]
    fn the_newest_of_the_same_host_and_paths_and_checkpoints_of_the_profile_alone() {
        let all = [
            snapshot(1, "nas", "docs", &["/a", "/b"], false),
            snapshot(2, "nas", "", &["/b", "/a"], false),
            snapshot(3, "nas", "docs", &["/a"], false),
            snapshot(4, "other", "docs", &["/a", "/b"], false),
            snapshot(5, "nas", "docs", &["/a", "/b"], true),
            snapshot(6, "nas", "docs", &["/a", "/b"], true),
            snapshot(7, "nas", "mail", &["/a", "/b"], true),
            snapshot(8, "other", "docs", &["/a", "/b"], true),
        ];
        let at = |all: &[Earlier], paths: &[&str], now: i64| {
            let paths: Vec<_> = paths.iter().map(PathBuf::from).collect();
            let Base { whole, checkpoint, leftover } =
                choose(all, "nas", "docs", &paths, Timestamp::from_second(now).unwrap());
            let n = |id: Id| id.0[0];
            (whole.map(n), checkpoint.map(n), leftover.into_iter().map(n).collect::<Vec<_>>())
        };
        let choose = |all: &[Earlier], paths: &[&str]| at(all, paths, 10);
        assert_eq!(choose(&all, &["/a", "/b"]), (Some(2), Some(6), vec![5, 6]));
        assert_eq!(choose(&all, &["/a"]), (Some(3), Some(6), vec![5, 6]));
        assert_eq!(choose(&all, &["/new"]), (Some(3), Some(6), vec![5, 6]));
        assert_eq!(choose(&all[3..4], &["/a"]), (None, None, vec![]));
        assert_eq!(choose(&all[4..], &["/a"]), (None, Some(6), vec![5, 6]));
        let done = [&all[..], &[snapshot(9, "nas", "docs", &["/a"], false)]].concat();
        assert_eq!(choose(&done, &["/a"]), (Some(9), None, vec![5, 6]), "an old checkpoint is a parent");
        // They lie more than an hour ahead of this clock: the others count first, and these only where they are alone.
        let late = |n: u8, checkpoint| Earlier {
            time: Timestamp::from_second(9_000).unwrap(),
            ..snapshot(n, "nas", "docs", &["/a"], checkpoint)
        };
        let wrong = [&all[..], &[late(10, false), late(11, true)]].concat();
        assert_eq!(at(&wrong, &["/a"], 10), (Some(3), Some(6), vec![5, 6, 11]));
        assert_eq!(at(&wrong, &["/a"], 9_000), (Some(10), None, vec![5, 6, 11]));
        assert_eq!(at(&[late(10, false)], &["/a"], 10), (Some(10), None, vec![]));
    }
}

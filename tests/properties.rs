//! Whatever happens to two folders between runs: a mirror makes them equal, takes nothing away for good, and has
//! nothing to do a second time.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use postkeep::journal::Forgetful;
use postkeep::profile::{FilterRules, MaxDelete, Mode, SyncJob};
use postkeep::progress::{Meter, Silent};
use postkeep::run::{Outcome, RootMarks, RunId, Status};
use postkeep::sync::Request;
use proptest::prelude::*;

use crate::common::{long, tree};

/// Something that happens to a folder. Paths are two levels of a few names, so that they often meet.
#[derive(Debug, Clone)]
enum Change {
    Write(String, u16),
    Remove(String),
    Folder(String),
    Symlink(String, String),
    HardLink(String, String),
    Mode(String, u32),
    Rename(String, String),
}

fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c", "é", "new\nline", "-x", "\u{202e}r"]);
    prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"))
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (path(), any::<u16>()).prop_map(|(p, n)| Change::Write(p, n)),
        2 => path().prop_map(Change::Remove),
        1 => path().prop_map(Change::Folder),
        1 => (path(), path()).prop_map(|(p, to)| Change::Symlink(p, to)),
        2 => (path(), path()).prop_map(|(p, to)| Change::HardLink(p, to)),
        1 => (path(), prop::sample::select(vec![0o600, 0o644, 0o755, 0o4711])).prop_map(|(p, m)| Change::Mode(p, m)),
        1 => (path(), path()).prop_map(|(p, to)| Change::Rename(p, to)),
    ]
}

fn remove(path: &Path) {
    if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        fs::remove_dir_all(path).unwrap();
    } else {
        let _ = fs::remove_file(path);
    }
}

/// Applies a change; one that makes no sense there does nothing.
fn apply(root: &Path, change: &Change) {
    let ready = |path: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).is_ok().then(|| {
            remove(&path);
            path
        })
    };
    match change {
        Change::Write(path, n) => {
            // Sometimes in place, sometimes anew: a new content has a new length or a new time.
            let path = root.join(path);
            if fs::create_dir_all(path.parent().unwrap()).is_ok() && !path.is_dir() {
                let _ = fs::write(path, vec![b'x'; usize::from(*n) % 3000]);
            }
        }
        Change::Remove(path) => remove(&root.join(path)),
        Change::Folder(path) => {
            let _ = fs::create_dir_all(root.join(path));
        }
        Change::Symlink(path, to) => {
            if let Some(path) = ready(path) {
                symlink(to, path).unwrap();
            }
        }
        Change::HardLink(path, to) => {
            let from = root.join(path);
            if from.symlink_metadata().is_ok_and(|meta| meta.is_file())
                && path != to
                && let Some(to) = ready(to)
            {
                let _ = fs::hard_link(from, to);
            }
        }
        Change::Mode(path, mode) => {
            let path = root.join(path);
            if path.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
                fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
            }
        }
        Change::Rename(path, to) => {
            let _ = fs::rename(root.join(path), root.join(to));
        }
    }
}

/// Which names belong together as hard links, below a folder.
fn links(root: &Path) -> BTreeSet<Vec<PathBuf>> {
    let mut groups = std::collections::BTreeMap::<u64, Vec<PathBuf>>::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(root).unwrap();
        let meta = entry.path().symlink_metadata().unwrap();
        if !meta.is_dir() && !path.starts_with(".postkeep-versions") {
            groups.entry(meta.ino()).or_default().push(path.to_owned());
        }
    }
    groups.into_values().filter(|names| names.len() > 1).collect()
}

/// Every content below a folder, as length and time of its files.
fn contents(root: &Path) -> BTreeSet<(u64, i64, i64)> {
    walkdir::WalkDir::new(root)
        .into_iter()
        .map(|entry| entry.unwrap().path().symlink_metadata().unwrap())
        .filter(fs::Metadata::is_file)
        .map(|meta| (meta.len(), meta.mtime(), meta.mtime_nsec()))
        .collect()
}

fn mirror(source: &Path, target: &Path, number: u128) -> Outcome {
    let job = SyncJob {
        source: source.into(),
        target: target.into(),
        mode: Mode::Mirror,
        filter: FilterRules::default(),
        one_file_system: true,
        create_target: true,
        check_roots: true,
        keep_versions: Some(jiff::SignedDuration::from_hours(24)),
        max_delete: MaxDelete { percent: 100, entries: u64::MAX },
        allow_empty_source: true,
        flush: false,
    };
    let now = Timestamp::now();
    let request = Request {
        profile: "p",
        job: &job,
        run: RunId::new(now, number),
        now,
        marks: &RootMarks::default(),
        approve: None,
        meter: &Meter::default(),
        listener: &Silent,
        journal: &Forgetful,
        state: None,
    };
    request.run().outcome
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if long() { 2_000 } else { 150 },
        max_shrink_iters: 2_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_mirror_makes_equal_and_loses_nothing(
        rounds in prop::collection::vec((prop::collection::vec(change(), 0..12), prop::collection::vec(change(), 0..4)), 1..4)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (source, target) = (dir.path().join("source"), dir.path().join("target"));
        fs::create_dir(&source).unwrap();
        fs::create_dir(&target).unwrap();
        for (number, (in_source, in_target)) in rounds.iter().enumerate() {
            in_source.iter().for_each(|change| apply(&source, change));
            in_target.iter().for_each(|change| apply(&target, change));
            let before = contents(&target);
            let outcome = mirror(&source, &target, number as u128);
            prop_assert!(matches!(outcome.status, Status::Ok | Status::Unchanged), "{outcome:?}");
            prop_assert_eq!(tree(&source), tree(&target));
            prop_assert_eq!(links(&source), links(&target));
            let after = contents(&target);
            let lost: Vec<_> = before.difference(&after).collect();
            prop_assert!(lost.is_empty(), "{lost:?}");
            let again = mirror(&source, &target, 1_000 + number as u128);
            prop_assert_eq!(again.status, Status::Unchanged, "{:?}", again);
        }
    }
}

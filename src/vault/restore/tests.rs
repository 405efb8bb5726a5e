//! Restores from vaults in memory.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rustic_core::repofile::{Node, NodeType, SnapshotFile};
use rustic_core::{BackupOptions, PathList, SnapshotOptions};
use sha2::{Digest, Sha256};

use super::*;
use crate::vault::crypt::Key;
use crate::vault::store::memory::{Call, Memory};
use crate::vault::store::{Id, Kind as Object, Store};
use crate::vault::verify::Depth;
use crate::vault::{Options, Vault};

/// A vault in memory.
struct Kept {
    heap: Arc<Memory>,
    vault: Vault,
    temp: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let heap = Arc::new(Memory::default());
        let store = || Arc::clone(&heap) as Arc<dyn Store>;
        let options = Options { compression: 3, host: "nas".into(), ..Options::default() };
        Vault::create(store(), "secret", &options).unwrap();
        let vault =
            Vault::open(store(), "secret", &temp.path().join("keys"), &temp.path().join("cache")).unwrap();
        Self { heap, vault, temp }
    }

    /// With one small file, and the folder that it is in.
    fn of_one() -> (Self, Node) {
        let kept = Self::new();
        let source = kept.temp.path().join("source");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("one"), [1; 3000]).unwrap();
        let snapshot = kept.save(&source);
        let node = kept.node(&snapshot, &source);
        (kept, node)
    }

    /// Saves a folder, by the library's own means.
    fn save(&self, folder: &Path) -> SnapshotFile {
        let repo = self.vault.repository().unwrap().to_indexed_ids().unwrap();
        let snapshot = SnapshotOptions::default().host("nas".to_owned()).to_snapshot().unwrap();
        let paths = PathList::from_iter([folder.to_owned()]);
        repo.backup(&BackupOptions::default(), &paths, snapshot).unwrap()
    }

    /// The folder that was saved, as a node.
    fn node(&self, snapshot: &SnapshotFile, path: &Path) -> Node {
        let repo = self.vault.indexed().unwrap();
        repo.node_from_path(snapshot.tree, path).unwrap()
    }

    fn restore(&self, node: &Node, target: &Path, merge: bool) -> Result<Restored> {
        let choice = Choice::default();
        let now = Timestamp::UNIX_EPOCH;
        let run = crate::run::RunId::new(now, 1);
        let order = Order { choice: &choice, merge, dress: true, dry: false, now, run };
        let vault = self.vault.read().unwrap();
        restore(&vault, node, target, &order, &Meter::default(), &mut |_| {})
    }
}

impl Kept {
    /// Puts a tree into the vault as whoever has the key could: with any names, unsorted, twice.
    fn plant(&self, nodes: &[Node]) -> Node {
        let key = Key::of(&self.vault.repository().unwrap().key()).unwrap();
        let plain = serde_json::to_vec(&serde_json::json!({ "nodes": nodes })).unwrap();
        let (id, pack) = (Id(Sha256::digest(&plain).into()), key.encrypt(&plain).unwrap());
        let pack_id = Id(Sha256::digest(&pack).into());
        let blob =
            serde_json::json!({ "id": id.to_string(), "type": "tree", "offset": 0, "length": pack.len() });
        let index = serde_json::json!({ "packs": [{ "id": pack_id.to_string(), "blobs": [blob] }] });
        let index = key.encrypt(&serde_json::to_vec(&index).unwrap()).unwrap();
        self.heap.write(Object::Pack, &pack_id, pack.into()).unwrap();
        self.heap.write(Object::Index, &Id(Sha256::digest(&index).into()), index.into()).unwrap();
        folder("root", &id)
    }
}

fn folder(name: &str, tree: &Id) -> Node {
    let json = serde_json::json!({ "name": name, "type": "dir", "subtree": tree.to_string() });
    serde_json::from_value(json).unwrap()
}

fn file(name: &str) -> Node {
    Node { name: name.into(), content: Some(Vec::new()), ..Node::default() }
}

fn link(name: &str, target: &Path) -> Node {
    Node { name: name.into(), node_type: NodeType::from_link(target), ..Node::default() }
}

/// Everything below a folder, with what a restore must keep of it.
fn tree(root: &Path) -> Vec<String> {
    let walk = walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name();
    let line = |entry: walkdir::DirEntry| {
        let meta = entry.path().symlink_metadata().unwrap();
        let what = if meta.is_symlink() {
            fs::read_link(entry.path()).unwrap().display().to_string()
        } else if meta.is_file() {
            format!("{} {}", blake3::hash(&fs::read(entry.path()).unwrap()), meta.nlink())
        } else {
            String::new()
        };
        let path = entry.path().strip_prefix(root).unwrap().display().to_string();
        format!("{path} {:o} {}.{} {what}", meta.mode(), meta.mtime(), meta.mtime_nsec())
    };
    walk.into_iter().map(|entry| line(entry.unwrap())).collect()
}

#[test]
fn what_was_saved_comes_back() {
    let kept = Kept::new();
    let source = kept.temp.path().join("source");
    fs::create_dir_all(source.join("deep/deeper")).unwrap();
    fs::create_dir(source.join("empty")).unwrap();
    fs::write(source.join("empty file"), "").unwrap();
    let noise: Vec<u8> =
        (0..5_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    fs::write(source.join("deep/large"), &noise).unwrap();
    let sparse = [vec![0; 24 << 20], b"end".to_vec()].concat();
    fs::write(source.join("deep/sparse"), &sparse).unwrap();
    for n in 0..300 {
        fs::write(source.join(format!("deep/deeper/{n}")), format!("number {n}")).unwrap();
    }
    fs::hard_link(source.join("deep/large"), source.join("again")).unwrap();
    fs::hard_link(source.join("deep/deeper/7"), source.join("deep/deeper/seven")).unwrap();
    symlink("/nowhere", source.join("link")).unwrap();
    fs::set_permissions(source.join("deep/deeper/8"), PermissionsExt::from_mode(0o4751)).unwrap();
    fs::set_permissions(source.join("deep/deeper"), PermissionsExt::from_mode(0o555)).unwrap();
    let snapshot = kept.save(&source);
    let node = kept.node(&snapshot, &source);
    let target = kept.temp.path().join("target");

    let restored = kept.restore(&node, &target, false).unwrap();
    assert!(restored.failures.list.is_empty(), "{:?}", restored.failures);
    assert_eq!(tree(&target), tree(&source));
    let counts = restored.counts;
    assert_eq!((counts.files, counts.folders, counts.others), (303, 3, 3), "{counts:?}");
    let blocks = fs::metadata(target.join("deep/sparse")).unwrap().blocks();
    assert!(blocks * 512 < 20 << 20, "{blocks} blocks for a file of zeros");

    let full = kept.restore(&node, &target, false).unwrap_err();
    assert_eq!(full.kind(), Kind::Usage);
    fs::write(target.join("deep/sparse"), "changed").unwrap();
    fs::remove_file(target.join("link")).unwrap();
    fs::write(target.join("extra"), "stays").unwrap();
    let again = kept.restore(&node, &target, true).unwrap();
    assert!(again.failures.list.is_empty(), "{:?}", again.failures);
    assert_eq!((again.counts.files, again.counts.others, again.counts.unchanged), (1, 1, 304));
    fs::remove_file(target.join("extra")).unwrap();
    let when = fs::metadata(&source).unwrap().modified().unwrap();
    fs::File::open(&target).unwrap().set_modified(when).unwrap();
    assert_eq!(tree(&target), tree(&source));
}

#[test]
fn names_from_a_snapshot_never_lead_out_of_the_target() {
    let kept = Kept::new();
    let outside = kept.temp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let inner = kept.plant(&[file("stolen")]);
    let inner = |name: &str| Node { name: name.into(), ..inner.clone() };
    let long = "n".repeat(300);
    let root = kept.plant(&[
        file("good"),
        file(".."),
        file(""),
        file("/etc/x"),
        file("../outside/x"),
        file("a\\x00b"),
        file("\\x2e\\x2e"),
        file(&long),
        inner(".."),
        inner("."),
        link("door", &outside),
        inner("door"),
        file("door"),
        link("good", &outside),
        inner("folder"),
        link("folder", &outside),
        inner("folder"),
        folder("nowhere", &Id([5; 32])),
        Node { content: None, meta: size(7), ..file("without content") },
        Node { content: Some(vec!["ab".repeat(32).parse().unwrap()]), ..file("without blob") },
    ]);
    for merge in [false, true] {
        let target = kept.temp.path().join(format!("target-{merge}"));
        let restored = kept.restore(&root, &target, merge).unwrap();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        let mut names: Vec<_> =
            fs::read_dir(&target).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["door", "folder", "good", "nowhere"]);
        assert!(target.join("folder/stolen").is_file());
        let said = format!("{:#?}", restored.failures.list);
        assert!(restored.failures.errors >= 14, "{said}");
        for part in
            ["lead out", "is not in the vault (tree 05050505)", "blob abababab", "what its content is"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

fn size(size: u64) -> rustic_core::repofile::Metadata {
    rustic_core::repofile::Metadata { size, ..Default::default() }
}

#[test]
fn what_is_damaged_is_named_and_the_rest_comes() {
    let kept = Kept::new();
    let source = kept.temp.path().join("source");
    fs::create_dir(&source).unwrap();
    for n in 0..4_u8 {
        fs::write(source.join(format!("f{n}")), [n; 3000]).unwrap();
    }
    let snapshot = kept.save(&source);
    let node = kept.node(&snapshot, &source);
    let vault = kept.vault.read().unwrap();
    let nodes = vault.tree(node.subtree.unwrap()).unwrap().nodes;
    let (pack, at) = vault.locate(&nodes[1].content.as_ref().unwrap()[0]).unwrap();
    let whole = kept.heap.read(Object::Pack, &pack).unwrap().to_vec();
    let mut bent = whole.clone();
    bent[at.offset as usize + 20] ^= 1;
    let last = (0..4).map(|n| vault.locate(&nodes[n].content.as_ref().unwrap()[0]).unwrap().1.offset).max();
    let cut = whole[..last.unwrap() as usize].to_vec();
    for (name, pack_now, missing) in [("bent", Some(bent), 1), ("cut", Some(cut), 1), ("gone", None, 4)] {
        kept.heap.remove(Object::Pack, &[pack]).unwrap();
        if let Some(now) = pack_now {
            kept.heap.write(Object::Pack, &pack, now.into()).unwrap();
        }
        let target = kept.temp.path().join(name);
        let restored = kept.restore(&node, &target, false).unwrap();
        assert_eq!(restored.failures.errors, missing, "{name}: {:?}", restored.failures);
        assert_eq!(restored.counts.files, 4 - missing, "{name}");
        assert_eq!(fs::read_dir(&target).unwrap().count() as u64, 4 - missing, "{name}");
        let cause = &restored.failures.list[0].cause;
        assert!(cause.contains(&pack.to_string()[..8]), "{cause}");
    }
}

#[test]
fn little_is_read_for_one_file_and_nothing_twice_for_all() {
    let kept = Kept::new();
    let source = kept.temp.path().join("source");
    fs::create_dir(&source).unwrap();
    let noise =
        |n: u32| (0..4000_u32).flat_map(move |k| (k * 97 + n).wrapping_mul(2_654_435_761).to_le_bytes());
    for n in 0..600 {
        fs::write(source.join(format!("{n}")), noise(n).collect::<Vec<_>>()).unwrap();
    }
    let snapshot = kept.save(&source);
    let folder = kept.node(&snapshot, &source);
    // The index and the trees are read once more, from the cache where there is one.
    let cost = |node: &Node, name: &str| {
        let before = kept.heap.traffic().down;
        let restored = kept.restore(node, &kept.temp.path().join(name), false).unwrap();
        assert!(restored.failures.list.is_empty(), "{:?}", restored.failures);
        kept.heap.traffic().down - before
    };
    let all: u64 = kept.heap.list(Object::Pack).unwrap().iter().map(|found| found.size).sum();
    let (first, again) = (cost(&folder, "first"), cost(&folder, "again"));
    assert!(first < all + all / 10 && again < all + all / 10, "{first} and {again} bytes of {all}");
    let one = cost(&kept.node(&snapshot, &source.join("300")), "one");
    assert!(one < 64 << 10, "{one} bytes of {all} for a file of 16 KB");
}

#[test]
fn what_a_snapshot_does_not_say_is_never_left_out_in_silence() {
    let kept = Kept::new();
    let mut lacking = file("lacking");
    (lacking.content, lacking.meta.size) = (None, 5);
    let size = |size| rustic_core::repofile::Metadata { size, ..Default::default() };
    let empty = Node { name: "empty".into(), meta: size(0), ..Node::default() };
    let bad = kept.plant(&[empty, file("../outside")]);
    let worse = kept.plant(&[lacking.clone()]);
    let vault = kept.vault.read().unwrap();

    let read = |node: &Node| crate::vault::content::Content::new(&vault, node).map(drop);
    assert!(read(&lacking).unwrap_err().contains("does not say"));
    let tar =
        |node: &Node| crate::vault::archive::tar(&vault, node, &mut Vec::new()).map_err(|e| e.to_string());
    assert!(tar(&bad).unwrap_err().contains("no file can have: ../outside"));
    assert!(tar(&worse).unwrap_err().contains("/lacking: the snapshot does not say"));
    let mut seen = Vec::new();
    let walked = crate::vault::tree::walk(&vault, &RelPath::root(), &bad, &mut |step| {
        seen.push(format!("{step:?}").split(['(', ' ']).next().unwrap_or_default().to_owned());
        Ok::<_, ()>(true)
    });
    assert_eq!((walked, seen.join(" ").as_str()), (Ok(()), "Broken Entry End"));
    let mut broken = 0;
    let none = kept.plant(&[]);
    let vault = kept.vault.read().unwrap();
    crate::vault::diff::diff(&vault, &none, &bad, &mut |line| {
        broken += u32::from(matches!(line, crate::vault::diff::Line::Broken(..)));
        Ok::<_, ()>(())
    })
    .unwrap();
    assert_eq!(broken, 1);

    let mut snapshot = SnapshotFile { tree: worse.subtree.unwrap(), ..SnapshotFile::default() };
    snapshot.hostname = "nas".into();
    kept.vault.repository().unwrap().save_snapshots(vec![snapshot]).unwrap();
    let verified = kept.vault.verify(crate::vault::verify::Depth::Structure, &Meter::default()).unwrap();
    assert!(verified.problems.iter().any(|one| one.what.contains("/lacking in snapshot")), "{verified:?}");
}

/// What a look at a vault reads.
const LOOKS: [(Object, Depth); 5] = [
    (Object::Pack, Depth::Structure),
    (Object::Pack, Depth::Data(100.0)),
    (Object::Index, Depth::Structure),
    (Object::Snapshot, Depth::Structure),
    (Object::Key, Depth::Structure),
];

#[test]
fn a_vault_that_is_away_has_lost_nothing() {
    let (kept, _) = Kept::of_one();
    // A server that does not answer; and a disk that was taken out, which has no file of all.
    for away in [true, false] {
        for (kind, depth) in LOOKS {
            kept.heap.faults(move |call| match call {
                Call::Read(of, _) if of == kind && away => Some(Error::other("it hung up").away()),
                Call::Read(of, _) if of == kind => Some(Error::other("no such file")),
                Call::Read(Object::Config, _) if !away => Some(Error::new(Kind::NoVault, "no vault")),
                _ => None,
            });
            let verified = kept.vault.verify(depth, &Meter::default()).unwrap();
            assert!(verified.stopped.is_some() && verified.problems.is_empty(), "{kind:?} {verified:?}");
        }
    }
    // Where only this is not there, it is lost.
    for (kind, depth) in LOOKS {
        kept.heap.faults(move |call| match call {
            Call::Read(of, _) if of == kind => Some(Error::other("no such file")),
            _ => None,
        });
        let verified = kept.vault.verify(depth, &Meter::default()).unwrap();
        assert!(verified.stopped.is_none() && verified.damaged > 0, "{kind:?} {verified:?}");
    }
}

#[test]
fn a_vault_that_goes_while_it_is_listed_is_not_an_empty_one() {
    for gone in [Object::Key, Object::Index, Object::Pack, Object::Snapshot] {
        let (kept, _) = Kept::of_one();
        let disk = kept.heap.reopened();
        kept.heap.faults(move |call| {
            if call == Call::List(gone) {
                for kind in Object::ALL {
                    disk.list(kind).unwrap().iter().for_each(|found| disk.remove(kind, &[found.id]).unwrap());
                }
            }
            None
        });
        let verified = kept.vault.verify(Depth::Data(100.0), &Meter::default()).unwrap();
        let why = verified.stopped.as_ref().map(Error::kind);
        assert!(why == Some(Kind::NoVault) && verified.problems.is_empty(), "{gone:?} {verified:?}");
    }
}

#[test]
fn what_nobody_gives_any_more_is_not_told_file_by_file() {
    let (kept, node) = Kept::of_one();
    // A password that was changed, and a disk that was taken out.
    for pack in [Kind::Login, Kind::Other] {
        kept.heap.faults(move |call| match call {
            Call::Read(Object::Pack, _) => Some(Error::new(pack, "no such file")),
            Call::Read(Object::Config, _) => Some(Error::new(Kind::NoVault, "no vault")),
            _ => None,
        });
        let restored = kept.restore(&node, &kept.temp.path().join("back"), false).unwrap();
        assert!(restored.away.is_some() && !restored.broken && restored.failures.errors == 0, "{restored:?}");
        fs::remove_dir_all(kept.temp.path().join("back")).unwrap();
    }
}

#[test]
fn a_vault_that_goes_away_ends_a_restore() {
    let kept = Kept::new();
    let source = kept.temp.path().join("source");
    fs::create_dir(&source).unwrap();
    for n in 0..300_u32 {
        let noise = (0..2000_u32).flat_map(|k| (k * 97 + n).wrapping_mul(2_654_435_761).to_le_bytes());
        fs::write(source.join(n.to_string()), noise.collect::<Vec<_>>()).unwrap();
    }
    let snapshot = kept.save(&source);
    let node = kept.node(&snapshot, &source);
    let reads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reads);
    kept.heap.faults(move |call| match call {
        Call::Read(Object::Pack, _) => {
            count.fetch_add(1, Relaxed);
            Some(Error::other("it hung up").away())
        }
        _ => None,
    });
    let restored = kept.restore(&node, &kept.temp.path().join("back"), false).unwrap();
    assert!(restored.away.is_some() && !restored.broken && restored.failures.errors == 0, "{restored:?}");
    assert!(restored.counts.files == 0 && reads.load(Relaxed) < 30, "{reads:?}");
    let left = fs::read_dir(kept.temp.path().join("back")).unwrap().count();
    assert_eq!(left, 0, "a file with pieces missing");
}

#[test]
fn what_a_budget_keeps_back_is_a_pause_and_no_damage() {
    use crate::vault::content::{Content, kind_of};
    let (kept, node) = Kept::of_one();
    let vault = kept.vault.read().unwrap();
    let file = vault.tree(node.subtree.unwrap()).unwrap().nodes.remove(0);
    let spent = |kind: Object| {
        kept.heap.faults(move |call| match call {
            Call::Read(of, _) if of == kind => Some(Error::new(Kind::Paused, "the budget is spent")),
            _ => None,
        });
    };

    spent(Object::Pack);
    let restored = kept.restore(&node, &kept.temp.path().join("back"), false).unwrap();
    assert!(restored.paused && !restored.broken && restored.failures.errors == 1, "{restored:?}");
    let mut stream = Content::new(&vault, &file).unwrap();
    assert_eq!(kind_of(&std::io::copy(&mut stream, &mut std::io::sink()).unwrap_err()), Kind::Paused);
    let tar = crate::vault::archive::tar(&vault, &node, &mut Vec::new()).unwrap_err();
    assert_eq!(kind_of(&tar), Kind::Paused, "{tar}");
    for (kind, depth) in LOOKS {
        spent(kind);
        let verified = kept.vault.verify(depth, &Meter::default()).unwrap();
        assert!(verified.stopped.is_some() && verified.problems.is_empty(), "{kind:?} {verified:?}");
    }

    // What is lost besides is told as such.
    kept.heap.faults(|_| None);
    for found in kept.heap.list(Object::Pack).unwrap() {
        kept.heap.remove(Object::Pack, &[found.id]).unwrap();
    }
    let restored = kept.restore(&node, &kept.temp.path().join("none"), false).unwrap();
    assert!(restored.broken && !restored.paused, "{restored:?}");
}

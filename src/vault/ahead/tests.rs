//! Files out of a vault in memory, one after the other.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use jiff::Timestamp;
use rustic_core::repofile::SnapshotFile;

use super::*;
use crate::entry::RelPath;
use crate::error::Kind;
use crate::journal::Forgetful;
use crate::progress::{Meter, Silent};
use crate::vault::add::{Addition, Content as Added, Item};
use crate::vault::content::kind_of;
use crate::vault::store::memory::{Call, Memory};
use crate::vault::store::{Kind as Object, Store};
use crate::vault::tree::{self, Step};
use crate::vault::{Options, Vault};

/// A vault in memory.
struct Kept {
    heap: Arc<Memory>,
    vault: Vault,
    temp: tempfile::TempDir,
}

impl Kept {
    /// With these files.
    fn new(files: &[Vec<u8>]) -> (Self, SnapshotFile) {
        let temp = tempfile::tempdir().unwrap();
        let heap = Arc::new(Memory::default());
        let store = || Arc::clone(&heap) as Arc<dyn Store>;
        Vault::create(store(), "x", &Options { compression: 3, host: "nas".into(), ..Options::default() })
            .unwrap();
        let vault = Vault::open(store(), "x", &temp.path().join("keys"), &temp.path().join("cache")).unwrap();
        let meter = Meter::default();
        let addition = Addition {
            profile: "mail",
            host: "nas",
            now: Timestamp::UNIX_EPOCH,
            roots: vec![PathBuf::from("/box")],
            meter: &meter,
            listener: &Silent,
            journal: &Forgetful,
        };
        let item = |(n, bytes): (usize, &Vec<u8>)| Item {
            path: Path::new("/box").join(format!("{n:06}")),
            mtime: Timestamp::UNIX_EPOCH,
            seen: Timestamp::UNIX_EPOCH,
            attributes: Vec::new(),
            content: Added::Held(bytes.clone()),
        };
        let mut adding = vault.add(addition).unwrap();
        adding.part(files.iter().enumerate().map(item).collect::<Vec<_>>().into_iter()).unwrap();
        adding.finish().unwrap();
        let snapshot = vault.last_snapshot("mail", None).unwrap().unwrap();
        (Self { heap, vault, temp }, snapshot)
    }
}

fn nodes(vault: &Indexed<'_>, snapshot: &SnapshotFile) -> Vec<Node> {
    let mut nodes = Vec::new();
    tree::walk(vault, &RelPath::root(), &tree::root(snapshot.tree), &mut |step| {
        if let Step::Entry(_, node) = step
            && node.is_file()
        {
            nodes.push(node.clone());
        }
        Ok::<_, Error>(true)
    })
    .unwrap();
    nodes
}

/// Bytes that do not compress.
fn noise(seed: usize, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn read(body: Result<Body<'_>>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    body?.read_to_end(&mut bytes).unwrap();
    Ok(bytes)
}

#[test]
fn many_small_files_come_with_few_questions_and_nothing_twice() {
    let mut files: Vec<_> = (0..3000).map(|n| noise(n, 2000 + n % 9000)).collect();
    files[7] = Vec::new();
    // It lies in several folders.
    files[2900] = files[3].clone();
    files[50] = noise(9, usize::try_from(LARGE).unwrap() + 5);
    let (kept, snapshot) = Kept::new(&files);
    let vault = kept.vault.read().unwrap();
    let nodes = nodes(&vault, &snapshot);
    let reads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reads);
    kept.heap.faults(move |call| {
        count.fetch_add(usize::from(matches!(call, Call::Read(Object::Pack, _))), Relaxed);
        None
    });
    let before = kept.heap.traffic().down;
    with(&vault, |ahead| {
        let tickets: Vec<_> = nodes.iter().map(|node| ahead.want(node).unwrap()).collect();
        for (n, (ticket, node)) in tickets.into_iter().zip(&nodes).enumerate() {
            // One in three is passed over.
            if n % 3 != 1 {
                assert!(read(ahead.take(ticket, node)).unwrap() == files[n], "{n}");
            }
        }
    });
    let (reads, bytes) = (reads.load(Relaxed), kept.heap.traffic().down - before);
    let size: usize = files.iter().map(Vec::len).sum();
    assert!(reads < 60 && bytes < size as u64 * 11 / 10, "{reads} reads of {bytes} bytes, for {size}");
}

#[test]
fn so_much_is_fetched_ahead_and_no_more() {
    let (kept, snapshot) = Kept::new(&[vec![0; 7 << 20]]);
    let vault = kept.vault.read().unwrap();
    let node = nodes(&vault, &snapshot).remove(0);
    with(&vault, |ahead| {
        let mut tickets = VecDeque::new();
        while !ahead.is_full() {
            tickets.push_back(ahead.want(&node).unwrap());
        }
        assert!(tickets.len() < 10 && ahead.held <= MOST + LARGE, "{} {}", tickets.len(), ahead.held);
        for ticket in tickets {
            assert!(read(ahead.take(ticket, &node)).unwrap() == vec![0; 7 << 20]);
            assert!(ahead.held <= MOST + LARGE);
        }
        assert_eq!((ahead.held, ahead.waiting), (0, 0));
        // Nobody waits for what was wanted in the end.
        ahead.want(&node).unwrap();
        ahead.forget();
        assert_eq!((ahead.held, ahead.waiting), (0, 0));
        ahead.want(&node).unwrap();
    });
}

#[test]
fn what_is_lost_takes_nothing_along() {
    let files: Vec<_> = (0..200).map(|n| noise(n, 200_000)).collect();
    let (kept, snapshot) = Kept::new(&files);
    let vault = kept.vault.read().unwrap();
    let nodes = nodes(&vault, &snapshot);
    let pack = |node: &Node| vault.pieces(node).unwrap().0[0].0;
    let bad = pack(&nodes[100]);
    kept.heap.faults(move |call| match call {
        Call::Read(Object::Pack, id) if id == bad => Some(Error::other("the disk is broken")),
        _ => None,
    });
    with(&vault, |ahead| {
        let tickets: Vec<_> = nodes.iter().map(|node| ahead.want(node).unwrap()).collect();
        for (n, (ticket, node)) in tickets.into_iter().zip(&nodes).enumerate() {
            match read(ahead.take(ticket, node)) {
                Ok(bytes) => assert!(bytes == files[n] && pack(node) != bad, "{n}"),
                Err(error) => {
                    assert!(pack(node) == bad && error.to_string().contains("the disk is broken"), "{error}");
                }
            }
        }
    });
}

/// What a store answers that cannot be reached, or that lost its packs; and how often it was asked.
fn failing(kept: &Kept, error: fn() -> Error) -> Arc<AtomicUsize> {
    let reads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reads);
    kept.heap.faults(move |call| {
        let pack = matches!(call, Call::Read(Object::Pack, _));
        count.fetch_add(usize::from(pack), Relaxed);
        // Not so fast that all is asked before anybody could hear of the first.
        std::thread::sleep(std::time::Duration::from_millis(pack.into()));
        pack.then(error)
    });
    reads
}

#[test]
fn a_store_that_is_away_is_asked_once_for_a_range_and_not_for_each_blob_in_it() {
    let files: Vec<_> = (0..3000).map(|n| noise(n, 2000)).collect();
    let (kept, snapshot) = Kept::new(&files);
    let vault = kept.vault.read().unwrap();
    let nodes = nodes(&vault, &snapshot);
    let reads = failing(&kept, || Error::other("it hung up").away());
    with(&vault, |ahead| {
        let ticket = nodes.iter().map(|node| ahead.want(node).unwrap()).next().unwrap();
        let error = ahead.take(ticket, &nodes[0]).unwrap_err();
        assert!(error.kind() == crate::error::Kind::Away && error.to_string().contains("now"), "{error}");
    });
    assert!(reads.load(Relaxed) < 30, "{reads:?}");
    // What nobody waits for any more is not looked for piece by piece either.
    let reads = failing(&kept, || Error::other("it is not there"));
    with(&vault, |ahead| {
        let ticket = nodes.iter().map(|node| ahead.want(node).unwrap()).next().unwrap();
        assert!(ahead.take(ticket, &nodes[0]).unwrap_err().to_string().contains("is lost"));
    });
    assert!(reads.load(Relaxed) < 1000, "{reads:?}");
}

#[test]
fn of_a_disk_that_was_taken_out_nothing_is_called_lost() {
    let (kept, snapshot) = Kept::new(&[noise(1, 2000)]);
    let vault = kept.vault.read().unwrap();
    let node = nodes(&vault, &snapshot).remove(0);
    // What was read before would still be known.
    let vault = kept.vault.read().unwrap();
    std::fs::remove_dir_all(kept.temp.path().join("cache")).unwrap();
    for gone in [true, false] {
        kept.heap.faults(move |call| match call {
            Call::Read(Object::Pack, _) => Some(Error::other("no such file")),
            Call::Read(Object::Config, _) if gone => Some(Error::new(Kind::NoVault, "there is no vault")),
            _ => None,
        });
        let ahead = with(&vault, |ahead| {
            let ticket = ahead.want(&node).unwrap();
            ahead.take(ticket, &node).unwrap_err().kind()
        });
        let mut stream = Content::new(&vault, &node).unwrap();
        let stream = kind_of(&io::copy(&mut stream, &mut io::sink()).unwrap_err());
        let tree = vault.tree(snapshot.tree).unwrap_err().kind();
        let expected = if gone { Kind::NoVault } else { Kind::Other };
        assert_eq!([ahead, stream, tree], [expected; 3]);
    }
}

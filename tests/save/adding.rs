//! Messages are added to an archive, part by part, with restic as the judge.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use postkeep::error::Error;
use postkeep::progress::Silent;
use postkeep::vault::add::{Adding, Addition, Content, Item};
use postkeep::vault::store::memory::{Call, Memory};
use postkeep::vault::store::{Id, Kind, Store};
use postkeep::vault::{Options, Vault};

use super::{Lab, PASSWORD, noise, tree};
use crate::common::long;

const SEEN: i64 = 1_700_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn item(path: impl AsRef<OsStr>, seen: i64, flags: &str, content: Content) -> Item {
    Item {
        path: PathBuf::from(path.as_ref()),
        mtime: at(1_600_000_000),
        seen: at(seen),
        attributes: vec![("user.postkeep.flags".into(), flags.into())],
        content,
    }
}

fn held(path: impl AsRef<OsStr>, content: &[u8]) -> Item {
    item(path, SEEN, "\\Seen", Content::Held(content.to_vec()))
}

fn begin<'a>(lab: &'a Lab, vault: &'a Vault, profile: &'a str, now: i64) -> Adding<'a> {
    let addition = Addition {
        profile,
        host: "nas",
        now: at(now),
        roots: vec!["/gmail".into()],
        meter: &lab.meter,
        listener: &Silent,
        journal: &postkeep::journal::Forgetful,
    };
    vault.add(addition).unwrap()
}

/// The files of a restored tree: their contents and flags.
fn files(root: &Path) -> BTreeMap<PathBuf, (Vec<u8>, String)> {
    let walk =
        walkdir::WalkDir::new(root).into_iter().map(Result::unwrap).filter(|e| e.file_type().is_file());
    walk.map(|entry| {
        let mut value = vec![0; 4096];
        let length = rustix::fs::lgetxattr(entry.path(), "user.postkeep.flags", value.as_mut_slice());
        let flags = length.map_or_else(
            |error| format!("none: {error}"),
            |length| String::from_utf8_lossy(&value[..length]).into_owned(),
        );
        let path = Path::new("/").join(entry.path().strip_prefix(root).unwrap());
        (path, (fs::read(entry.path()).unwrap(), flags))
    })
    .collect()
}

fn restored(lab: &Lab, snapshot: Id) -> BTreeMap<PathBuf, (Vec<u8>, String)> {
    let target = lab.path("restored");
    let _ = fs::remove_dir_all(&target);
    lab.restic_ok(&["restore", &snapshot.to_string(), "--target", target.to_str().unwrap()]);
    files(&target)
}

#[test]
fn an_archive_that_has_parts_of_seconds_is_added_to_by_who_knows_whole_ones() {
    let lab = Lab::new();
    lab.create();
    let vault = lab.open();
    let path = "/gmail/INBOX/2024/01/1.eml";
    let precise = jiff::SignedDuration::from_millis(999);
    let mut old = held(path, b"one");
    old.mtime += precise;
    let mut adding = begin(&lab, &vault, "mail", 1_000);
    let old = adding.part(vec![old].into_iter()).unwrap();
    let flagged = item(path, SEEN + 1, "\\Flagged", Content::Known(3));
    let part = adding.part(vec![flagged].into_iter()).unwrap();
    assert_eq!((part.new, part.changed, part.unknown), (0, 1, Vec::new()));
    assert_ne!(part.tree, old.tree);
    // Of another second it is not the one that is meant.
    let mut other = item(path, SEEN + 2, "", Content::Known(3));
    other.mtime += precise + precise;
    assert_eq!(adding.part(vec![other].into_iter()).unwrap().unknown, [PathBuf::from(path)]);
    adding.finish().unwrap();
}

#[test]
fn parts_come_to_what_is_there_and_restic_restores_all_of_it() {
    let Some(lab) = Lab::with_restic() else { return };
    lab.create();
    let vault = lab.open();
    let mut large = tempfile::tempfile().unwrap();
    let bytes = noise(7, 20 << 20);
    large.write_all(&bytes).unwrap();
    let odd = Path::new("/gmail").join(OsStr::from_bytes(b"b \xff \\ \"q\"\n")).join("1.eml");

    let mut adding = begin(&lab, &vault, "mail", 1_000);
    assert_eq!(adding.last(), None);
    assert_eq!(adding.part(std::iter::empty()).unwrap().snapshot, Id::NONE);
    let one = adding
        .part(
            vec![
                held("/gmail/INBOX/2024/01/1.eml", b"one"),
                held("/gmail/INBOX/2024/02/2.eml", b""),
                held("/gmail/Work/2024/01/1.eml", b"work"),
                held(&odd, b"odd"),
            ]
            .into_iter(),
        )
        .unwrap();
    assert_eq!((one.new, one.changed, one.bytes, one.unknown.len()), (4, 0, 10, 0), "{one:?}");
    let two = adding
        .part(
            vec![
                held("/gmail/INBOX/2024/01/0.eml", b"zero"),
                item("/gmail/INBOX/2024/01/1.eml", SEEN + 1, "\\Answered", Content::Known(3)),
                item("/gmail/INBOX/2025/01/3.eml", SEEN, "", Content::Spooled(large, bytes.len() as u64)),
                // A tie is the newer one's.
                item("/gmail/Work/2024/01/1.eml", SEEN, "\\Flagged", Content::Held(b"work".to_vec())),
                item(odd.with_file_name("2.eml"), SEEN, "", Content::Held(b"odd too".to_vec())),
                held(odd.with_file_name("2.eml"), b"a double"),
            ]
            .into_iter(),
        )
        .unwrap();
    assert_eq!((two.new, two.changed, two.bytes), (3, 2, 4 + 7 + (20 << 20)), "{two:?}");
    // Other tests at work may be heard as well.
    assert!(two.notes.contains(&"1 message came twice, and was added once".to_owned()), "{:?}", two.notes);
    assert_eq!(adding.last(), Some(two.snapshot));
    assert_eq!(adding.finish().unwrap(), <[String; 0]>::default());
    let all = vault.snapshots().unwrap();
    assert_eq!(all.len(), 1, "the snapshot of the first part is left: {all:?}");

    // The next run: older attributes, one that is there already, one that the vault does not have.
    let mut adding = begin(&lab, &vault, "mail", 2_000);
    assert_eq!(adding.last(), Some(two.snapshot));
    let same = || held("/gmail/INBOX/2024/01/0.eml", b"zero");
    let none = adding.part(vec![same()].into_iter()).unwrap();
    assert_eq!((none.snapshot, none.tree, none.new, none.changed), (two.snapshot, two.tree, 0, 0));
    let gone = "/gmail/INBOX/2024/01/9.eml";
    let nowhere = "/gmail/Nowhere/2024/01/9.eml";
    let three = adding
        .part(
            vec![
                same(),
                item("/gmail/INBOX/2024/01/1.eml", SEEN, "older", Content::Known(3)),
                item("/gmail/INBOX/2024/01/4.eml", SEEN, "new", Content::Held(b"four".to_vec())),
                item(gone, SEEN, "", Content::Known(5)),
                item("/gmail/INBOX/2024/02/2.eml", SEEN + 1, "", Content::Known(99)),
                item(nowhere, SEEN, "", Content::Known(5)),
            ]
            .into_iter(),
        )
        .unwrap();
    // What comes is the newer state, also by a clock that goes back.
    assert_eq!((three.new, three.changed, three.bytes), (1, 1, 4), "{three:?}");
    let unknown: Vec<_> = three.unknown.iter().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(unknown, [gone, "/gmail/INBOX/2024/02/2.eml", nowhere]);
    adding.finish().unwrap();
    let all = vault.snapshots().unwrap();
    assert_eq!(all.len(), 2, "an older run's snapshot is gone: {all:?}");
    let summary = all[1].summary.clone().unwrap();
    assert_eq!((summary.total_files_processed, summary.files_new, summary.files_unmodified), (8, 1, 6));
    assert_eq!(summary.total_bytes_processed, 3 + 4 + 3 + 4 + (20 << 20) + 4 + 7, "{summary:?}");
    assert_eq!(all[1].paths.iter().collect::<Vec<_>>(), ["/gmail"]);

    lab.restic_ok(&["check", "--read-data"]);
    let text = |flags: &str, bytes: &[u8]| (bytes.to_vec(), flags.to_owned());
    let expected: BTreeMap<_, _> = [
        ("/gmail/INBOX/2024/01/0.eml", text("\\Seen", b"zero")),
        ("/gmail/INBOX/2024/01/1.eml", text("older", b"one")),
        ("/gmail/INBOX/2024/01/4.eml", text("new", b"four")),
        ("/gmail/INBOX/2024/02/2.eml", text("\\Seen", b"")),
        ("/gmail/INBOX/2025/01/3.eml", text("", &bytes)),
        ("/gmail/Work/2024/01/1.eml", text("\\Flagged", b"work")),
    ]
    .into_iter()
    .map(|(path, content)| (PathBuf::from(path), content))
    .chain([(odd.clone(), text("\\Seen", b"odd")), (odd.with_file_name("2.eml"), text("", b"odd too"))])
    .collect();
    let found = restored(&lab, three.snapshot);
    assert!(found == expected, "{:?}", found.iter().map(|(p, c)| (p, c.0.len(), &c.1)).collect::<Vec<_>>());
    let modes = tree(&lab.path("restored/gmail/INBOX/2024/01"));
    assert!(modes[0].contains(" 40700 ") && modes[1].contains(" 100600 "), "{modes:?}");
    assert!(modes[1].contains("1600000000.000000000"), "{modes:?}");
}

#[test]
fn archives_in_one_vault_do_not_touch_each_other_and_a_new_machine_goes_on() {
    let lab = Lab::new();
    lab.create();
    let vault = lab.open();
    let add = |profile: &str, now, path: &str| {
        let mut adding = begin(&lab, &vault, profile, now);
        let part = adding.part(vec![held(path, path.as_bytes())].into_iter()).unwrap();
        adding.finish().unwrap();
        part
    };
    let files = |profile: &str, host: &str| {
        let last = vault.last_snapshot(profile, Some(host)).unwrap().unwrap();
        last.summary.unwrap().total_files_processed
    };
    add("mail", 1_000, "/gmail/a/1.eml");
    add("work", 1_001, "/gmail/a/2.eml");
    add("mail", 1_002, "/gmail/b/3.eml");
    // A clock that is behind: the newest one is that which was written last.
    add("mail", 500, "/gmail/b/4.eml");
    assert_eq!((files("mail", "nas"), files("work", "nas"), files("mail", "new")), (3, 1, 3));
    assert!(vault.last_snapshot("none", None).unwrap().is_none());
    assert_eq!(vault.snapshots().unwrap().len(), 4);
}

#[test]
fn runs_that_overlap_hide_nothing_from_each_other() {
    let lab = Lab::new();
    lab.create();
    let (vault, other) = (lab.open(), lab.open());
    let file = |path: &str| vec![held(path, path.as_bytes())].into_iter();
    let count = || {
        let last = vault.last_snapshot("mail", Some("nas")).unwrap().unwrap();
        (last.id, last.summary.unwrap().total_files_processed)
    };
    let mut one = begin(&lab, &vault, "mail", 1_000);
    one.part(file("/gmail/a/1.eml")).unwrap();
    // It begins later, and ends earlier.
    let mut two = begin(&lab, &other, "mail", 2_000);
    two.part(file("/gmail/a/2.eml")).unwrap();
    let three = one.part(file("/gmail/a/3.eml")).unwrap();
    assert!(three.notes.iter().any(|note| note.contains("another run of this profile")), "{:?}", three.notes);
    assert_eq!((three.new, count().1), (1, 3));
    two.part(file("/gmail/b/4.eml")).unwrap();
    assert_eq!(count().1, 4);
    let five = one.part(file("/gmail/b/5.eml")).unwrap();
    let (id, files) = count();
    assert!(files == 5 && five.snapshot.to_string().starts_with(&id.to_string()), "{files}");
    one.finish().unwrap();
    two.finish().unwrap();
    let mut next = begin(&lab, &vault, "mail", 500);
    assert_eq!(next.last(), Some(five.snapshot));
    let all = (1..6).map(|n| format!("/gmail/{}/{n}.eml", if n < 4 { "a" } else { "b" }));
    let again =
        next.part(all.map(|path| held(&path, path.as_bytes())).collect::<Vec<_>>().into_iter()).unwrap();
    assert_eq!((again.new, again.changed), (0, 0));
    next.finish().unwrap();
    // What was written for both is as restic writes it, also for who has nothing but the packs.
    if Lab::with_restic().is_some() {
        lab.restic_ok(&["check", "--read-data"]);
        let parts: Vec<_> = vault.store().list(Kind::Index).unwrap().iter().map(|found| found.id).collect();
        vault.store().remove(Kind::Index, &parts).unwrap();
        vault.repair().unwrap();
        lab.restic_ok(&["check", "--read-data"]);
    }
}

#[test]
fn a_run_that_is_cut_between_parts_loses_none_of_them() {
    let Some(lab) = Lab::with_restic() else { return };
    lab.create();
    let vault = lab.open();
    let mut adding = begin(&lab, &vault, "mail", 1_000);
    let path = |n: u32| format!("/gmail/INBOX/2024/01/{n:04}.eml");
    let range = move |from: u32, to: u32| (from..to).map(move |n| held(path(n), &n.to_le_bytes()));
    adding.part(range(0, 10)).unwrap();
    let two = adding.part(range(10, 20)).unwrap();
    // Killed: no mark is taken away, nothing is finished. The lock is released, as an exit does.
    drop(adding);
    let mut adding = begin(&lab, &vault, "mail", 1_000);
    assert_eq!(adding.last(), Some(two.snapshot));
    let three = adding.part(range(15, 30)).unwrap();
    assert_eq!((three.new, three.changed, three.bytes), (10, 0, 40), "{three:?}");
    // A caller's mistake: nothing is written, and the run may go on.
    let wrong = adding.part(vec![held(path(50), b"x"), held(path(40), b"y")].into_iter()).unwrap_err();
    assert!(wrong.to_string().contains("came after"), "{wrong:?}");
    let folder = adding.part(vec![held(path(5) + "/below", b"x")].into_iter()).unwrap_err();
    assert!(folder.to_string().contains("something else is at /gmail/INBOX/2024/01/0005.eml"), "{folder:?}");
    let both = vec![held("/gmail/new", b"x"), held("/gmail/new/below", b"x")];
    let both = adding.part(both.into_iter()).unwrap_err();
    assert!(both.to_string().contains("something else is at /gmail/new "), "{both:?}");
    let file = adding.part(vec![held("/gmail/INBOX/2024", b"x")].into_iter()).unwrap_err();
    assert!(file.to_string().contains("something else is at /gmail/INBOX/2024 "), "{file:?}");
    let short = item(path(60), SEEN, "", Content::Spooled(tempfile::tempfile().unwrap(), 5));
    let short = adding.part(vec![held(path(59), b"x"), short].into_iter()).unwrap_err().one_line();
    assert!(short.contains("0060.eml") && short.contains("shorter than it was said"), "{short}");
    assert_eq!(adding.last(), Some(three.snapshot));
    assert_eq!(adding.part(range(0, 31)).unwrap().new, 1);
    adding.finish().unwrap();
    lab.restic_ok(&["check", "--read-data"]);
}

#[test]
fn a_store_that_fails_leaves_the_archive_as_it_was() {
    let lab = Lab::new();
    let heap = Arc::new(Memory::default());
    let options = Options { compression: 3, host: "nas".into(), ..Options::default() };
    Vault::create(Arc::clone(&heap) as Arc<dyn Store>, PASSWORD, &options).unwrap();
    let vault = lab.open_on(Arc::clone(&heap) as Arc<dyn Store>);
    let mut adding = begin(&lab, &vault, "mail", 1_000);
    let first = adding.part(vec![held("/gmail/a/1.eml", b"one")].into_iter()).unwrap();
    adding.finish().unwrap();
    drop(vault);
    for kind in [Kind::Pack, Kind::Index, Kind::Snapshot] {
        let broken = Arc::new(heap.reopened());
        broken.faults(move |call| match call {
            Call::Write(of, ..) if of == kind => Some(Error::other("the disk is full")),
            _ => None,
        });
        let vault = lab.open_on(broken);
        let mut adding = begin(&lab, &vault, "mail", 1_001);
        let error = adding.part(vec![held("/gmail/a/2.eml", b"two")].into_iter()).unwrap_err();
        assert!(error.one_line().contains("the disk is full"), "{kind:?}: {error:?}");
        assert_eq!(adding.last(), Some(first.snapshot), "{kind:?}");
        drop(adding);
        let vault = lab.open_on(Arc::new(heap.reopened()));
        let last = vault.last_snapshot("mail", Some("nas")).unwrap().unwrap();
        assert_eq!(last.id.to_hex().to_string(), first.snapshot.to_string(), "{kind:?}");
    }
    let vault = lab.open_on(Arc::new(heap.reopened()));
    let mut adding = begin(&lab, &vault, "mail", 1_002);
    assert_eq!(adding.part(vec![held("/gmail/a/2.eml", b"two")].into_iter()).unwrap().new, 1);
}

#[test]
fn what_is_lost_of_the_vault_stays_named_and_comes_back_when_it_is_offered_again() {
    let Some(lab) = Lab::with_restic() else { return };
    lab.create();
    let vault = lab.open();
    let path = |n: u32| format!("/gmail/INBOX/2024/01/{n}.eml");
    let content = |n: u32| noise(n.into(), 300_000);
    let mut adding = begin(&lab, &vault, "mail", 1_000);
    adding.part((1..=2).map(move |n| held(path(n), &content(n)))).unwrap();
    let packs: Vec<_> = vault.store().list(Kind::Pack).unwrap().iter().map(|found| found.id).collect();
    adding.part((3..=3).map(move |n| held(path(n), &content(n)))).unwrap();
    adding.finish().unwrap();
    // The data of the first two is gone, and the index is told.
    let large =
        |id: &Id| vault.store().list(Kind::Pack).unwrap().iter().any(|f| f.id == *id && f.size > 100_000);
    let lost: Vec<_> = packs.into_iter().filter(large).collect();
    assert_eq!(lost.len(), 1);
    vault.store().remove(Kind::Pack, &lost).unwrap();
    vault.repair().unwrap();

    let vault = lab.open();
    let mut adding = begin(&lab, &vault, "mail", 1_001);
    let part = adding
        .part(
            vec![
                item(path(1), SEEN, "", Content::Known(300_000)),
                held(path(2), &content(2)),
                held(path(4), b"four"),
            ]
            .into_iter(),
        )
        .unwrap();
    assert_eq!((part.new, part.unknown), (1, vec![PathBuf::from(path(1))]));
    let read = vault.read().unwrap();
    let found = |n: u32| {
        let tree = rustic_core::TreeId::from(rustic_core::Id::new(part.tree.0));
        postkeep::vault::tree::at(&read, tree, path(n).as_bytes()).unwrap().1
    };
    let whole = |n: u32| postkeep::vault::content::Content::new(&read, &found(n)).is_ok();
    assert_eq!((whole(1), whole(2), whole(3), whole(4)), (false, true, true, true));
    assert!(found(1).content.is_some_and(|pieces| !pieces.is_empty()), "what is left of it is forgotten");
}

#[test]
fn a_folder_whose_list_is_lost_is_made_of_what_comes() {
    let lab = Lab::new();
    lab.create();
    let vault = lab.open();
    let mut adding = begin(&lab, &vault, "mail", 1_000);
    let all = || (1..=3).map(|n| held(format!("/gmail/INBOX/2024/01/{n}.eml"), b"x"));
    adding.part(all()).unwrap();
    let lists = vault.store().list(Kind::Pack).unwrap();
    // The last message's folder is in a pack of its own, with those above it.
    adding.part(vec![held("/gmail/INBOX/2024/02/9.eml", b"y")].into_iter()).unwrap();
    adding.finish().unwrap();
    let largest = lists.iter().max_by_key(|found| found.size).unwrap().id;
    vault.store().remove(Kind::Pack, &[largest]).unwrap();
    vault.repair().unwrap();

    let vault = lab.open();
    let mut adding = begin(&lab, &vault, "mail", 1_001);
    let part = adding.part(all().take(2)).unwrap();
    assert_eq!((part.new, part.lost), (2, vec![PathBuf::from("/gmail/INBOX/2024/01")]));
    assert!(
        part.notes.iter().any(|note| note.contains("had lost a folder's list of entries")),
        "{:?}",
        part.notes
    );
    let last = vault.last_snapshot("mail", None).unwrap().unwrap();
    assert_eq!(last.summary.unwrap().total_files_processed, 3);
    assert_eq!(adding.part(all()).unwrap().new, 1);
}

/// An archive that lost the list of what is in /gmail/A, and the content of /gmail/B/1.eml and 2.eml.
fn with_losses(lab: &Lab) -> Vault {
    lab.create();
    let vault = lab.open();
    let packs = || vault.store().list(Kind::Pack).unwrap();
    let mut adding = begin(lab, &vault, "mail", 1_000);
    adding.part((1..=3).map(|n| held(format!("/gmail/A/{n}.eml"), b"x"))).unwrap();
    let list = packs().into_iter().max_by_key(|found| found.size).unwrap();
    adding.part((1..=2).map(|n| held(format!("/gmail/B/{n}.eml"), &noise(n, 300_000)))).unwrap();
    let content = packs().into_iter().max_by_key(|found| found.size).unwrap();
    adding.part(vec![held("/gmail/B/4.eml", b"four"), held("/gmail/C/1.eml", b"x")].into_iter()).unwrap();
    adding.finish().unwrap();
    vault.store().remove(Kind::Pack, &[list.id, content.id]).unwrap();
    vault.repair().unwrap();
    lab.open()
}

/// The list of a folder, as the newest snapshot names it, and the names in it where the vault has it.
fn listed(vault: &Vault, path: &str) -> (rustic_core::TreeId, Option<Vec<String>>) {
    let tree = vault.last_snapshot("mail", None).unwrap().unwrap().tree;
    let read = vault.read().unwrap();
    let id = postkeep::vault::tree::at(&read, tree, path.as_bytes()).unwrap().1.subtree.unwrap();
    (id, read.tree(id).ok().map(|tree| tree.nodes.into_iter().map(|node| node.name).collect()))
}

#[test]
fn a_list_that_is_lost_elsewhere_holds_up_no_damaged_message() {
    let lab = Lab::new();
    let vault = with_losses(&lab);
    let lost = listed(&vault, "/gmail/A");
    assert_eq!(lost.1, None);
    let mut adding = begin(&lab, &vault, "mail", 1_001);
    let new = || vec![held("/gmail/B/2.eml", &noise(2, 300_000)), held("/gmail/B/3.eml", b"three")];
    let part = adding.part(new().into_iter()).unwrap();
    assert_eq!((part.new, part.unknown.len(), part.lost.len()), (1, 0, 0), "{part:?}");
    let all = ["1.eml", "2.eml", "3.eml", "4.eml"].map(str::to_owned);
    assert_eq!(listed(&vault, "/gmail/B").1.as_deref(), Some(&all[..]));
    // Its pack may come back from somewhere.
    assert_eq!(listed(&vault, "/gmail/A"), lost);
    assert_eq!(adding.part(new().into_iter()).unwrap().snapshot, part.snapshot);
    let again = |n: u32| item(format!("/gmail/A/{n}.eml"), SEEN + 1, "", Content::Held(b"x".to_vec()));
    let part = adding.part((1..=3).map(again)).unwrap();
    assert_eq!((part.new, part.lost), (3, vec![PathBuf::from("/gmail/A")]));
    assert_eq!(listed(&vault, "/gmail/A").1.as_deref(), Some(&all[..3]));
    adding.finish().unwrap();
}

#[test]
fn runs_that_overlap_hide_nothing_where_lists_are_lost() {
    let lab = Lab::new();
    let (vault, other) = (with_losses(&lab), lab.open());
    let lost = listed(&vault, "/gmail/A");
    let file = |path: &str| vec![held(path, path.as_bytes())].into_iter();
    let mut one = begin(&lab, &vault, "mail", 1_001);
    let mut two = begin(&lab, &other, "mail", 1_002);
    one.part(file("/gmail/C/2.eml")).unwrap();
    let part = two.part(file("/gmail/C/3.eml")).unwrap();
    assert!(part.notes.iter().any(|note| note.contains("another run of this profile")), "{:?}", part.notes);
    let names = |path: &str| listed(&vault, path).1.unwrap().concat();
    assert_eq!((names("/gmail/B"), names("/gmail/C")), ("1.eml2.eml4.eml".into(), "1.eml2.eml3.eml".into()));
    assert_eq!(listed(&vault, "/gmail/A"), lost);
    // One of them makes a list anew of what is lost.
    one.part(file("/gmail/A/9.eml")).unwrap();
    two.part(file("/gmail/C/4.eml")).unwrap();
    assert_eq!((names("/gmail/A"), names("/gmail/C")), ("9.eml".into(), "1.eml2.eml3.eml4.eml".into()));
    one.finish().unwrap();
    two.finish().unwrap();
}

#[test]
fn many_messages_are_added_and_one_more_is_little_work() {
    let Some(lab) = Lab::with_restic() else { return };
    lab.create();
    let vault = lab.open();
    let path = |n: u32| format!("/gmail/INBOX/{:04}/{:02}/{n:07}.eml", 1 + n / 1200, 1 + n / 100 % 12);
    let message = move |n: u32| held(path(n), format!("Subject: {n}\r\n\r\n{n}").as_bytes());
    let mut adding = begin(&lab, &vault, "mail", 1_000);
    let count = if long() { 1_000_000 } else { 20_000 };
    let begun = std::time::Instant::now();
    for from in (0..count).step_by(5_000) {
        assert_eq!(adding.part((from..from + 5_000).map(message)).unwrap().new, 5_000);
    }
    adding.finish().unwrap();
    println!("{count} in parts of 5,000: {:.1} s", begun.elapsed().as_secs_f64());
    let begun = std::time::Instant::now();
    let mut adding = begin(&lab, &vault, "mail", 2_000);
    let one = adding.part((count..=count).map(message)).unwrap();
    adding.finish().unwrap();
    println!("one more: {:.1} s, {} bytes", begun.elapsed().as_secs_f64(), one.stored);
    assert!(one.new == 1 && one.stored < 50_000 + u64::from(count) / 10, "{one:?}");
    lab.restic_ok(&["check", "--read-data"]);
    let latest = lab.restic_json(&["stats", &one.snapshot.to_string(), "--mode", "files-by-contents"]);
    let bytes: usize = (0..=count).map(|n| 13 + 2 * n.to_string().len()).sum();
    assert_eq!(latest["total_size"], bytes, "{latest}");
}

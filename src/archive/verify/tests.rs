use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::*;
use crate::archive::marks::Marks;
use crate::archive::path::{Place, path};
use crate::archive::read::choose;
use crate::archive::source::{Body, Folder, Listed, Listing, Mark, Refusal, Since, Source, Take};
use crate::journal::Forgetful;
use crate::progress::Silent;
use crate::vault::add::{Addition, Content, Item};
use crate::vault::snapshot::Scope;
use crate::vault::store::memory::{Call, Memory};
use crate::vault::store::{Kind as Object, Store};
use crate::vault::verify::Depth;
use crate::vault::{Options, Vault};

/// When all messages came.
const DATE: &str = "2026-03-04T05:06:07Z";

/// A server that gives for each UID what it is told, and may say when messages came. No folder is listed.
struct Given {
    given: Vec<(u32, Result<&'static [u8], Refusal>)>,
    dates: bool,
}

impl Given {
    fn of(given: Vec<(u32, Result<&'static [u8], Refusal>)>) -> Self {
        Self { given, dates: true }
    }
}

impl Source for Given {
    fn place(&self) -> String {
        "imap:box".into()
    }

    fn folders(&mut self) -> Result<Vec<Folder>> {
        let mark = Mark { validity: 7, next: 100, messages: 3, mod_seq: None };
        Ok(vec![Folder { path: "INBOX".into(), special: None, mark: Some(mark) }])
    }

    fn list(&mut self, _: &Folder, _: Since) -> Result<Listing> {
        Err(Error::other("all of a large folder"))
    }

    /// The third came later than what was archived as the third: its UID was given again.
    fn dates(&mut self, _: &Folder, uids: &[u32]) -> Result<Vec<Listed>> {
        if !self.dates {
            return Err(Error::other("it hung up"));
        }
        let listed = |(uid, _): &(u32, _)| Listed {
            key: format!("7.{uid}"),
            uid: *uid,
            date: Some(if *uid == 3 { Timestamp::now() } else { DATE.parse().unwrap() }),
            ..Listed::default()
        };
        Ok(self.given.iter().map(listed).filter(|listed| uids.contains(&listed.uid)).collect())
    }

    fn fetch(&mut self, _: &Folder, messages: &[Listed], take: &mut Take<'_>) -> Result<()> {
        for (at, listed) in messages.iter().enumerate() {
            let given = self.given.iter().find(|(uid, _)| *uid == listed.uid);
            let given = given.map_or(Err(Refusal::Gone), |(_, given)| given.clone());
            take(at, given.map(|bytes| Body::Held(bytes.to_vec())))?;
        }
        Ok(())
    }
}

fn item(key: &str, bytes: &[u8], sha256: [u8; 32]) -> Item {
    let date = DATE.parse().unwrap();
    Item {
        path: path(&Place { account: "box".into(), folder: "INBOX".into(), date, key: key.into() }),
        mtime: date,
        seen: Timestamp::UNIX_EPOCH,
        attributes: Marks { sha256, ..Marks::default() }.attributes(),
        content: Content::Held(bytes.to_vec()),
    }
}

/// Looks at an archive of five messages, of which the last is of another UIDVALIDITY. The second is not what its hash says
/// if it is `bent`.
fn look(bent: bool, read: bool, sample: usize, given: Given) -> Looked {
    looking(bent, read, sample, given, None)
}

/// The same, where packs cannot be read any more from the so many-th on, for this reason.
fn looking(
    bent: bool,
    read: bool,
    sample: usize,
    given: Given,
    fault: Option<(usize, fn() -> Error)>,
) -> Looked {
    let temp = tempfile::tempdir().unwrap();
    let heap = Arc::new(Memory::default());
    let store = Arc::clone(&heap) as Arc<dyn Store>;
    let options = Options { compression: 3, host: "nas".into(), ..Options::default() };
    Vault::create(Arc::clone(&store), "x", &options).unwrap();
    let vault = Vault::open(store, "x", &temp.path().join("keys"), &temp.path().join("cache")).unwrap();
    let hash = |bytes: &[u8]| <[u8; 32]>::from(Sha256::digest(bytes));
    let items = vec![
        item("6.1", b"old", hash(b"old")),
        item("7.1", b"one", hash(b"one")),
        item("7.2", b"two", hash(if bent { b"before" } else { b"two" })),
        item("7.3", b"three", hash(b"three")),
        item("7.4", b"four", hash(b"four")),
    ];
    let meter = Meter::default();
    let mut adding = vault
        .add(Addition {
            profile: "mail",
            host: "nas",
            now: Timestamp::now(),
            roots: vec![Path::new("/box").into()],
            meter: &meter,
            listener: &Silent,
            journal: &Forgetful,
        })
        .unwrap();
    adding.part(items.into_iter()).unwrap();
    adding.finish().unwrap();
    let snapshot =
        choose(&vault.readable_snapshots().unwrap(), "latest", &Scope::default(), &TimeZone::UTC).unwrap();
    let indexed = vault.read().unwrap();
    let mut servers = [Server::look("box".into(), Box::new(given)).unwrap()];
    let sound = match fault {
        None => vault.verify(Depth::Data(100.0), &meter).unwrap().sound,
        Some((from, error)) => {
            let reads = AtomicUsize::new(0);
            heap.faults(move |call| match call {
                Call::Read(Object::Pack, _) => (reads.fetch_add(1, Relaxed) >= from).then(error),
                _ => None,
            });
            HashSet::new()
        }
    };
    let before = heap.traffic().down;
    let look = Look { read, sound: &sound, sample, chance: [1; 32], meter: &Meter::default() };
    let looked = look.at(&Archive::of(&indexed, &snapshot), &mut servers).unwrap();
    // What was read with its pack is not read again.
    assert!(sample > 0 || fault.is_some() || (heap.traffic().down > before) == (read && bent));
    looked
}

fn told(looked: &Looked) -> Vec<(Weight, &str)> {
    looked.problems.iter().map(|problem| (problem.weight, problem.what.as_str())).collect()
}

#[test]
fn a_message_that_is_not_what_was_archived_is_named() {
    let looked = look(false, true, 0, Given::of(vec![]));
    assert_eq!((looked.read, looked.bytes, looked.damaged), (5, 18, 0), "{looked:?}");
    let looked = look(true, true, 0, Given::of(vec![]));
    assert_eq!((looked.read, looked.damaged), (4, 1));
    let [(Weight::Damage, what)] = told(&looked)[..] else { panic!("{looked:?}") };
    assert!(what.contains("7.2.eml") && what.contains("not those that were archived"), "{what}");
    assert_eq!(look(true, false, 0, Given::of(vec![])).damaged, 0, "nothing was to be read");
}

#[test]
fn what_the_server_gives_is_compared_with_what_was_archived() {
    let given = || {
        Given::of(vec![
            (1, Ok(b"one")),
            (2, Ok(b"twa")),
            (3, Err(Refusal::Refused("not today".into()))),
            // The fourth is gone, and whatever it gives for a void UID is another message.
        ])
    };
    for read in [true, false] {
        let looked = look(false, read, 10, given());
        assert_eq!((looked.compared, looked.damaged), (2, 1), "{looked:?}");
        let mut told = told(&looked);
        told.sort();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].0 == Weight::Note && told[0].1.contains("not today"), "{told:?}");
        assert!(told[1].0 == Weight::Damage && told[1].1.contains("7.2.eml"), "{told:?}");
    }
    assert_eq!(look(false, false, 0, given()).compared, 0);
    let all = || Given::of(vec![(1, Ok(b"one")), (2, Ok(b"two")), (3, Ok(b"three")), (4, Ok(b"four"))]);
    assert_eq!(look(false, false, 3, all()).compared, 3);
    // What cannot be read is told once.
    for read in [true, false] {
        let looked = look(true, read, 10, all());
        assert_eq!((looked.compared, looked.damaged), (3, 1), "{looked:?}");
    }
}

#[test]
fn a_vault_that_goes_away_makes_no_message_a_damaged_one() {
    let all = || Given::of(vec![(1, Ok(b"one")), (2, Ok(b"two")), (3, Ok(b"three")), (4, Ok(b"four"))]);
    let mut seen = HashSet::new();
    for (read, sample) in [(true, 0), (false, 10)] {
        for from in [0, 1, 2, 20] {
            let gone = || Error::other("it hung up").away();
            let looked = looking(false, read, sample, all(), Some((from, gone)));
            assert_eq!((looked.damaged, looked.problems.len()), (0, 0), "{from} {looked:?}");
            seen.insert((read, looked.stopped.is_some(), looked.read + looked.compared > 0));
            if looked.stopped.is_none() {
                assert_eq!(looked.read + looked.compared, if read { 5 } else { 4 });
            }
        }
        assert!(seen.contains(&(read, true, false)) && seen.contains(&(read, false, true)), "{seen:?}");
    }
    // What is lost in a vault that is there is damage.
    let lost = looking(false, true, 0, all(), Some((0, || Error::other("not there"))));
    assert!(lost.stopped.is_none() && lost.damaged > 0, "{lost:?}");
}

#[test]
fn another_message_with_the_same_uid_is_no_damage() {
    let given = || Given::of(vec![(1, Ok(b"one")), (2, Ok(b"twa")), (3, Ok(b"another"))]);
    let looked = look(false, false, 10, given());
    assert_eq!((looked.compared, looked.damaged), (2, 1), "{looked:?}");
    assert!(told(&looked)[0].1.contains("7.2.eml"), "{looked:?}");
    // Where nobody says which message it is, what differs is told all the same.
    let looked = look(false, false, 10, Given { dates: false, ..given() });
    assert_eq!((looked.compared, looked.damaged), (3, 2), "{looked:?}");
    assert!(told(&looked).iter().all(|(_, what)| what.contains("is not known: it hung up")), "{looked:?}");
}

//! The contract of a store, as `postkeep::vault::store::Store` words it, for any place.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Barrier};

use bytes::Bytes;
use postkeep::error::Error;
use postkeep::vault::store::{Found, Id, Kind, Store};
use postkeep::vault::{Options, Vault};

/// Ends what `open_broken` began.
pub type Mend = Box<dyn FnOnce()>;

/// One place, empty at first, that is opened as often as wanted.
pub trait Place: Sync {
    /// The store, as a new process opens it.
    fn open(&self) -> Arc<dyn Store>;

    /// A store that can store no pack until it is mended.
    fn open_broken(&self) -> (Arc<dyn Store>, Mend);

    /// Puts things beside the objects that are none, as close to them as it gets.
    fn litter(&self);
}

/// Runs all of it, each part in a new place.
pub fn check(new: &dyn Fn() -> Box<dyn Place>) {
    let parts: [fn(&dyn Place); 11] = [
        an_empty_place_has_nothing,
        what_was_written_is_there_for_everybody,
        ranges_are_exact,
        written_twice_is_there_once,
        a_config_takes_the_place_of_the_one_before,
        a_first_config_takes_nobodys_place,
        what_is_removed_is_gone_and_the_rest_stays,
        objects_may_be_huge,
        packs_are_stored_before_anything_else,
        threads_do_not_get_in_each_others_way,
        a_failure_is_told_until_the_end,
    ];
    for part in parts {
        part(&*new());
        let littered = new();
        littered.open().create().unwrap();
        littered.litter();
        part(&*littered);
    }
}

/// Bytes that differ with `seed`, in any place.
pub fn content(size: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let byte = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..size).map(byte).collect::<Vec<u8>>().into()
}

/// Writes an object and gives its name.
pub fn put(store: &dyn Store, kind: Kind, object: &Bytes) -> Id {
    let id = if kind == Kind::Config { Id::NONE } else { Id::of(object) };
    store.write(kind, &id, object.clone()).unwrap();
    id
}

fn listed(store: &dyn Store, kind: Kind) -> BTreeSet<(Id, u64)> {
    let list = store.list(kind).unwrap();
    let set: BTreeSet<_> = list.iter().map(|Found { id, size }| (*id, *size)).collect();
    assert_eq!(set.len(), list.len(), "an object is listed twice: {list:?}");
    set
}

fn an_empty_place_has_nothing(place: &dyn Place) {
    for made in [false, true, true] {
        let store = place.open();
        if made {
            store.create().unwrap();
        }
        for kind in Kind::ALL {
            assert_eq!(listed(&*store, kind), BTreeSet::new());
            assert!(store.read(kind, &Id([7; 32])).is_err());
            assert!(store.read_range(kind, &Id([7; 32]), 0..0).is_err());
            store.remove(kind, &[Id([7; 32])]).unwrap();
        }
        store.flush().unwrap();
        assert!(!store.place().is_empty());
    }
}

fn what_was_written_is_there_for_everybody(place: &dyn Place) {
    let store = place.open();
    store.create().unwrap();
    for kind in Kind::ALL {
        let mut all = BTreeSet::new();
        for (seed, size) in [0, 1, 2, 3, 56, 57, 58, 113, 114, 115, 5000].into_iter().enumerate() {
            let object = content(size, seed as u64 + 1);
            let id = put(&*store, kind, &object);
            if kind == Kind::Config {
                all.clear();
            }
            all.insert((id, size as u64));
            store.flush().unwrap();
            for store in [&store, &place.open()] {
                assert_eq!(store.read(kind, &id).unwrap(), object, "{kind:?} of {size} bytes");
                assert_eq!(listed(&**store, kind), all);
            }
        }
    }
    let traffic = store.traffic();
    assert!(traffic.up > 5000 * 6 && traffic.down > 5000 * 6, "{traffic:?}");
}

fn ranges_are_exact(place: &dyn Place) {
    let store = place.open();
    store.create().unwrap();
    let size = 12_345;
    let object = content(size, 3);
    let id = put(&*store, Kind::Pack, &object);
    store.flush().unwrap();
    let size = size as u64;
    let mut ranges: Vec<Range<u64>> = [0, 1, 2, 3, 55, 56, 57, 58, 59, 113, 114, 115, size - 1, size]
        .iter()
        .flat_map(|start| [0, 1, 2, 3, 4, 56, 57, 58, 1000].map(|length| *start..start + length))
        .collect();
    ranges.extend([
        0..size,
        0..size + 1,
        size..size + 1,
        size + 1..size + 1,
        0..u64::MAX,
        u64::MAX - 1..u64::MAX,
    ]);
    #[allow(clippy::reversed_empty_ranges)]
    ranges.push(5..4);
    for range in ranges {
        let read = store.read_range(Kind::Pack, &id, range.clone());
        if range.start <= range.end && range.end <= size {
            assert_eq!(read.unwrap(), object[range.start as usize..range.end as usize], "{range:?}");
        } else {
            assert!(read.is_err(), "{range:?}");
        }
    }
}

fn written_twice_is_there_once(place: &dyn Place) {
    let store = place.open();
    store.create().unwrap();
    for kind in Kind::ALL {
        let object = content(999, 5);
        let id = put(&*store, kind, &object);
        assert_eq!(put(&*store, kind, &object), id);
        assert_eq!(put(&*place.open(), kind, &object), id);
        store.flush().unwrap();
        assert_eq!(listed(&*place.open(), kind), BTreeSet::from([(id, 999)]));
        assert_eq!(place.open().read(kind, &id).unwrap(), object);
    }
}

fn a_config_takes_the_place_of_the_one_before(place: &dyn Place) {
    let store = place.open();
    store.create().unwrap();
    // The first one comes back at the end.
    for (seed, size) in [(1, 200), (2, 155), (3, 155), (1, 200)] {
        let object = content(size, seed);
        put(&*store, Kind::Config, &object);
        for store in [&store, &place.open()] {
            assert_eq!(store.read(Kind::Config, &Id::NONE).unwrap(), object);
            assert_eq!(store.read_range(Kind::Config, &Id::NONE, 10..20).unwrap(), object[10..20]);
            assert_eq!(listed(&**store, Kind::Config), BTreeSet::from([(Id::NONE, size as u64)]));
        }
    }
    store.remove(Kind::Config, &[Id::NONE]).unwrap();
    assert_eq!(listed(&*place.open(), Kind::Config), BTreeSet::new());
}

fn a_first_config_takes_nobodys_place(place: &dyn Place) {
    let (one, two) = (place.open(), place.open());
    one.create().unwrap();
    two.create().unwrap();
    let (first, second) = (content(200, 1), content(155, 2));
    one.write_first(first.clone()).unwrap();
    for store in [&one, &two, &place.open()] {
        let error = store.write_first(second.clone()).unwrap_err();
        assert!(error.to_string().contains("already"), "{error:?}");
        assert_eq!(store.read(Kind::Config, &Id::NONE).unwrap(), first);
    }
    put(&*two, Kind::Config, &second);
    assert_eq!(place.open().read(Kind::Config, &Id::NONE).unwrap(), second);
}

/// Several processes make a vault here at once.
pub fn of_many_who_make_a_vault_one_does(place: &dyn Place) {
    let options = Options { compression: 3, host: "nas".into(), ..Options::default() };
    let password = |n: usize| format!("password {n}");
    let start = Barrier::new(4);
    let made: Vec<_> = std::thread::scope(|scope| {
        let make = |n: usize| {
            let (start, options) = (&start, &options);
            scope.spawn(move || {
                start.wait();
                Vault::create(place.open(), &password(n), options)
            })
        };
        let threads: Vec<_> = (0..4).map(make).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let temp = tempfile::tempdir().unwrap();
    for (n, made) in made.iter().enumerate() {
        let opened = Vault::open(place.open(), &password(n), &temp.path().join("keys"), temp.path());
        assert_eq!(made.is_ok(), opened.is_ok(), "{made:?} {opened:?}");
        // Whoever comes while several others are at it sees the beginnings of all of theirs.
        let gave_way =
            |error: &Error| ["already", "several vaults"].iter().any(|w| error.to_string().contains(w));
        assert!(made.as_ref().err().is_none_or(gave_way), "{made:?}");
    }
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1, "{made:?}");
    assert_eq!(place.open().list(Kind::Key).unwrap().len(), 1);
}

fn what_is_removed_is_gone_and_the_rest_stays(place: &dyn Place) {
    let store = place.open();
    store.create().unwrap();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Config) {
        let ids: Vec<Id> = (0..6).map(|seed| put(&*store, kind, &content(300, 10 + seed))).collect();
        store.flush().unwrap();
        for _ in 0..2 {
            store.remove(kind, &[ids[0], Id([9; 32]), ids[2], ids[2]]).unwrap();
        }
        // Another process removes what this one still knows of.
        place.open().remove(kind, &[ids[4]]).unwrap();
        store.remove(kind, &[ids[4], ids[5]]).unwrap();
        store.remove(kind, &[]).unwrap();
        for store in [&store, &place.open()] {
            assert_eq!(listed(&**store, kind), BTreeSet::from([(ids[1], 300), (ids[3], 300)]));
            assert!(store.read(kind, &ids[0]).is_err());
            assert_eq!(store.read(kind, &ids[1]).unwrap(), content(300, 11));
        }
        // What was removed can be written again.
        put(&*store, kind, &content(300, 10));
        store.flush().unwrap();
        assert_eq!(place.open().read(kind, &ids[0]).unwrap(), content(300, 10));
    }
}

fn objects_may_be_huge(place: &dyn Place) {
    let store = place.open();
    store.create().unwrap();
    let size = 20_000_003;
    let object = content(size, 8);
    let id = put(&*store, Kind::Pack, &object);
    store.flush().unwrap();
    let store = place.open();
    assert_eq!(listed(&*store, Kind::Pack), BTreeSet::from([(id, size as u64)]));
    assert!(store.read(Kind::Pack, &id).unwrap() == object);
    for start in (0..size - 5000).step_by(1_234_567) {
        let range = start as u64..start as u64 + 5000;
        assert_eq!(store.read_range(Kind::Pack, &id, range).unwrap(), object[start..start + 5000]);
    }
}

fn packs_are_stored_before_anything_else(place: &dyn Place) {
    let store = place.open();
    store.create().unwrap();
    for (round, kind) in
        [Kind::Index, Kind::Snapshot, Kind::Lock, Kind::Key, Kind::Config].into_iter().enumerate()
    {
        let packs: Vec<Bytes> = (0..5).map(|seed| content(100_000, 100 * round as u64 + seed)).collect();
        let ids: Vec<Id> = packs.iter().map(|pack| put(&*store, Kind::Pack, pack)).collect();
        put(&*store, kind, &content(50, 9));
        let other = place.open();
        assert_eq!(other.list(kind).unwrap().len(), 1);
        for (id, pack) in ids.iter().zip(&packs) {
            assert!(other.read(Kind::Pack, id).unwrap() == *pack, "a pack is missing behind {kind:?}");
        }
    }
}

fn threads_do_not_get_in_each_others_way(place: &dyn Place) {
    let store = place.open();
    store.create().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let store = &store;
            scope.spawn(move || {
                let same = content(4000, 1);
                put(&**store, Kind::Pack, &same);
                for n in 0..6 {
                    let object = content(3000 + n, 1000 * (thread + 1) + n as u64);
                    let id = put(&**store, Kind::Pack, &object);
                    store.flush().unwrap();
                    assert_eq!(store.read(Kind::Pack, &id).unwrap(), object);
                    assert_eq!(store.read_range(Kind::Pack, &id, 100..2000).unwrap(), object[100..2000]);
                    assert_eq!(store.read(Kind::Pack, &Id::of(&same)).unwrap(), same);
                    assert!(listed(&**store, Kind::Pack).contains(&(id, 3000 + n as u64)));
                    put(&**store, Kind::Lock, &object);
                    store.remove(Kind::Lock, &[id]).unwrap();
                }
            });
        }
    });
    assert_eq!(listed(&*place.open(), Kind::Pack).len(), 8 * 6 + 1);
    assert_eq!(listed(&*place.open(), Kind::Lock), BTreeSet::new());
}

fn a_failure_is_told_until_the_end(place: &dyn Place) {
    place.open().create().unwrap();
    let (broken, mend) = place.open_broken();
    let object = content(700, 20);
    // It may fail now, or when it is waited for.
    let _ = broken.write(Kind::Pack, &Id::of(&object), object.clone());
    let error = broken.flush().unwrap_err();
    mend();
    assert_eq!(broken.flush().unwrap_err().to_string(), error.to_string());
    for kind in [Kind::Pack, Kind::Index] {
        assert!(broken.write(kind, &Id([1; 32]), content(10, 1)).is_err());
    }
    let store = place.open();
    assert_eq!(listed(&*store, Kind::Pack), BTreeSet::new());
    assert_eq!(listed(&*store, Kind::Index), BTreeSet::new());
    put(&*store, Kind::Pack, &object);
    store.flush().unwrap();
    assert_eq!(place.open().read(Kind::Pack, &Id::of(&object)).unwrap(), object);
}

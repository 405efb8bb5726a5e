//! Locks in a vault in memory.

use super::*;
use crate::vault::Options;
use crate::vault::store::memory::Memory;

fn vault(heap: &Arc<Memory>, temp: &tempfile::TempDir) -> Vault {
    let store = Arc::clone(heap) as Arc<dyn Store>;
    if count(heap, Kind::Config) == 0 {
        let options = Options { compression: 3, host: "nas".into(), ..Options::default() };
        Vault::create(Arc::clone(&store), "secret", &options).unwrap();
    }
    Vault::open(store, "secret", &temp.path().join("keys"), &temp.path().join("cache")).unwrap()
}

fn count(heap: &Memory, kind: Kind) -> usize {
    heap.list(kind).unwrap().len()
}

fn put(vault: &Vault, change: impl Fn(&mut Object)) -> Id {
    let mut object = own(Access::Shared);
    change(&mut object);
    let (id, sealed) = object.sealed(&vault.key).unwrap();
    vault.store.write(Kind::Lock, &id, sealed).unwrap();
    id
}

#[test]
fn shared_locks_go_together_and_an_exclusive_one_with_none() {
    use Access::{Exclusive, Shared};
    let (heap, temp) = (Arc::new(Memory::default()), tempfile::tempdir().unwrap());
    let (one, two) = (vault(&heap, &temp), vault(&heap, &temp));
    for (first, second, together) in [
        (Shared, Shared, true),
        (Shared, Exclusive, false),
        (Exclusive, Shared, false),
        (Exclusive, Exclusive, false),
    ] {
        let held = one.lock(first).unwrap();
        let tried = two.lock(second);
        assert_eq!(tried.is_ok(), together, "{first:?} {second:?}");
        if let Err(error) = &tried {
            assert_eq!(error.kind(), error::Kind::Locked, "{error:?}");
            assert!(error.to_string().contains("process"), "{error}");
        }
        drop(tried);
        assert_eq!(count(&heap, Kind::Lock), 1, "a refused lock is left");
        drop(held);
        assert_eq!(count(&heap, Kind::Lock), 0, "a lock is left");
    }
}

#[test]
fn stale_locks_do_not_hold_anybody_up_and_unlock_removes_them() {
    let (heap, temp) = (Arc::new(Memory::default()), tempfile::tempdir().unwrap());
    let vault = vault(&heap, &temp);
    // No process has this number: it is above what the kernel gives.
    let dead = |object: &mut Object| object.pid = i32::MAX;
    let elsewhere = |object: &mut Object| (object.hostname, object.exclusive) = ("other".into(), true);
    put(&vault, dead);
    drop(vault.lock(Access::Exclusive).unwrap());
    assert_eq!(count(&heap, Kind::Lock), 0, "the stale lock is left");

    put(&vault, dead);
    put(&vault, elsewhere);
    let unlocked = vault.unlock(false).unwrap();
    assert_eq!((unlocked.removed, unlocked.left.len()), (1, 1), "{unlocked:?}");
    assert!(unlocked.left[0].contains("other") && unlocked.left[0].contains("alone"), "{unlocked:?}");
    vault.lock(Access::Shared).unwrap_err();
    vault.store.write(Kind::Lock, &Id([9; 32]), b"no lock".as_slice().into()).unwrap();
    assert_eq!(vault.unlock(true).unwrap(), Unlocked { removed: 2, left: Vec::new() });
    vault.lock(Access::Shared).unwrap();
}

#[test]
fn another_machine_of_our_name_is_not_taken_for_dead() {
    let (heap, temp) = (Arc::new(Memory::default()), tempfile::tempdir().unwrap());
    let vault = vault(&heap, &temp);
    let ours = own(Access::Shared).mark;
    assert!(ours.is_some() && ours == own(Access::Shared).mark, "{ours:?}");
    put(&vault, |object| (object.pid, object.mark) = (i32::MAX, Some("another boot".into())));
    let error = vault.lock(Access::Exclusive).unwrap_err();
    assert_eq!(error.kind(), error::Kind::Locked, "{error:?}");
    assert_eq!(vault.unlock(false).unwrap().left.len(), 1);
    vault.unlock(true).unwrap();
    // restic's says no more than a name: only who asks for it has it removed.
    put(&vault, |object| (object.pid, object.mark) = (i32::MAX, None));
    vault.lock(Access::Exclusive).unwrap_err();
    assert_eq!(vault.unlock(false).unwrap().removed, 1);
    vault.lock(Access::Exclusive).unwrap();
}

#[test]
fn who_was_taken_for_dead_writes_nothing_more() {
    let (heap, temp) = (Arc::new(Memory::default()), tempfile::tempdir().unwrap());
    let vault = vault(&heap, &temp);
    let lock = vault.lock(Access::Shared).unwrap();
    lock.check().unwrap();
    let id = lock.keeper.id();
    lock.keeper.renew_now();
    assert_ne!(lock.keeper.id(), id, "it was not renewed");
    assert_eq!(count(&heap, Kind::Lock), 1);
    lock.check().unwrap();

    vault.unlock(true).unwrap();
    lock.keeper.renew_now();
    assert_eq!(lock.check().unwrap_err().kind(), error::Kind::Locked);
    let write = || {
        let keys = rustic_core::KeyOptions::default();
        vault
            .repository()?
            .add_key("more", &keys)
            .map_err(|error| super::super::guard::translated(&error, "no"))
    };
    assert!(write().unwrap_err().one_line().contains("nothing is written any more"));
    assert_eq!(count(&heap, Kind::Key), 1);
    drop(lock);
    assert_eq!(count(&heap, Kind::Lock), 0);
}

#[test]
fn who_came_at_the_same_time_is_seen_before_the_first_message_is_added() {
    use crate::vault::add::{Addition, Content, Item};
    let (heap, temp) = (Arc::new(Memory::default()), tempfile::tempdir().unwrap());
    let vault = vault(&heap, &temp);
    let meter = crate::progress::Meter::default();
    let addition = Addition {
        profile: "mail",
        host: "nas",
        now: jiff::Timestamp::UNIX_EPOCH,
        roots: vec!["/gmail".into()],
        meter: &meter,
        listener: &crate::progress::Silent,
        journal: &crate::journal::Forgetful,
    };
    let mut adding = vault.add(addition).unwrap();
    // Its owner looked before our lock was there.
    put(&vault, |object| (object.hostname, object.exclusive) = ("other".into(), true));
    let item = Item {
        path: "/gmail/1".into(),
        mtime: jiff::Timestamp::UNIX_EPOCH,
        seen: jiff::Timestamp::UNIX_EPOCH,
        attributes: Vec::new(),
        content: Content::Held(b"letter".to_vec()),
    };
    let error = adding.part(std::iter::once(item)).unwrap_err();
    assert_eq!(error.kind(), error::Kind::Locked, "{error:?}");
    drop(adding);
    let left = (count(&heap, Kind::Pack), count(&heap, Kind::Snapshot), count(&heap, Kind::Lock));
    assert_eq!(left, (0, 0, 1), "something was written, or a lock is left");
}

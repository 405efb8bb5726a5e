//! Connections that end, stall, and lie: what was claimed to be stored is there, and the next store heals the rest.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use postkeep::error::{Kind as Sort, Result};
use postkeep::mail::imap::{Item, Patience};
use postkeep::vault::store::mailbox::Mailbox;
use postkeep::vault::store::{Id, Kind, Store};

use super::place::InMailbox;

use crate::lab;
use crate::lab::proxy::{Fault, Proxy};
use crate::stores::contract::content;

/// What a backup writes, in its order.
fn objects() -> Vec<(Kind, Bytes)> {
    vec![
        (Kind::Pack, content(90_000, 1)),
        (Kind::Pack, content(50_000, 2)),
        (Kind::Pack, content(10, 3)),
        (Kind::Index, content(300, 4)),
        (Kind::Pack, content(40_000, 5)),
        (Kind::Lock, content(100, 6)),
        (Kind::Pack, content(70_000, 7)),
        (Kind::Index, content(400, 8)),
        (Kind::Config, content(150, 9)),
        (Kind::Snapshot, content(200, 10)),
    ]
}

fn id_of(kind: Kind, object: &Bytes) -> Id {
    if kind == Kind::Config { Id::NONE } else { Id::of(object) }
}

/// Writes everything, and gives how many objects, counted from the first, were claimed to be stored.
fn save(store: &dyn Store) -> (usize, Result<()>) {
    let mut claimed = 0;
    for (at, (kind, object)) in objects().into_iter().enumerate() {
        let done = store.write(kind, &id_of(kind, &object), object);
        if let Err(error) = done {
            return (claimed, Err(error));
        }
        if kind != Kind::Pack {
            claimed = at + 1;
        }
    }
    (claimed, store.flush())
}

/// Sees, as a stranger, that so many objects are there and right.
fn check(place: &InMailbox, claimed: usize, what: &str) {
    let mut options = place.options();
    options.cache = None;
    let store = Mailbox::new(options);
    for (kind, object) in objects().into_iter().take(claimed) {
        let read = store.read(kind, &id_of(kind, &object));
        assert!(read.as_ref().is_ok_and(|read| *read == object), "{what}: {kind:?} was claimed: {read:?}");
    }
    for kind in Kind::ALL {
        for found in store.list(kind).unwrap() {
            let object = store.read(kind, &found.id).unwrap();
            assert_eq!(object.len() as u64, found.size, "{what}");
            assert!(
                kind == Kind::Config || Id::of(&object) == found.id,
                "{what}: a damaged {kind:?} is listed"
            );
        }
    }
}

/// A new store on the same place writes what is missing.
fn heal(place: &InMailbox, what: &str) {
    let store = place.store();
    let (claimed, done) = save(&store);
    done.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert_eq!(claimed, objects().len());
    check(place, claimed, what);
    // What came twice goes.
    store.remove(Kind::Pack, &[]).unwrap();
    check(place, claimed, what);
    let ids: BTreeSet<String> = heads(place);
    assert_eq!(ids.len(), objects().len() + 1, "{what}: one message each, and the first: {ids:#?}");
}

/// The Message-IDs in the folder; none is there twice.
pub fn heads(place: &InMailbox) -> BTreeSet<String> {
    let mut ids = Vec::new();
    let take = |message: postkeep::mail::imap::Fetched| {
        ids.push(String::from_utf8(message.header.unwrap()).unwrap().trim().to_owned());
    };
    place.session().fetch_from(1, &[Item::Fields(&["MESSAGE-ID"])], take).unwrap();
    let set: BTreeSet<String> = ids.iter().cloned().collect();
    let packs = |ids: &mut dyn Iterator<Item = &String>| ids.filter(|id| id.contains("<pack.")).count();
    assert_eq!(packs(&mut ids.iter()), packs(&mut set.iter()), "a pack is there twice: {ids:#?}");
    set
}

pub fn through(place: &InMailbox, proxy: &Proxy, silence: Duration) -> Mailbox {
    let mut options = place.options();
    options.account.port = proxy.port;
    options.patience = Patience { connect: Duration::from_secs(5), silence };
    Mailbox::new(options)
}

pub const LONG: Duration = Duration::from_secs(20);

/// Has a fault come after so many bytes of a run that has so many in all, at `points` of it.
fn at_many_points(user: &str, fault: Fault, points: u64, silence: Duration) {
    let Some(lab) = lab::get() else { return };
    let whole = InMailbox::new(lab, user);
    let proxy = Proxy::new(whole.account.port, fault, u64::MAX);
    let store = through(&whole, &proxy, LONG);
    store.create().unwrap();
    save(&store).1.unwrap();
    let total = proxy.passed(u64::MAX);
    assert!(total > 300_000, "{total}");
    heal(&whole, "without a fault");
    for point in 0..points {
        // A few bytes more each time, so that it hits commands and answers and not just bodies.
        let after = total * point / points + point * 7;
        let place = InMailbox::new(lab, user);
        let what = format!("{fault:?} after {after} bytes");
        let proxy = Proxy::new(place.account.port, fault, after);
        let store = through(&place, &proxy, silence);
        let (claimed, done) = match store.create() {
            Ok(()) => save(&store),
            Err(error) => (0, Err(error)),
        };
        match &done {
            // Without a second connection it cannot go well, and with one it has to.
            Ok(()) => assert!(fault != Fault::Gone || !proxy.happened(), "{what}"),
            Err(error) => assert!(fault == Fault::Gone && proxy.happened(), "{what}: {error:?}"),
        }
        if done.is_err() {
            assert!(store.flush().is_err() || claimed == 0, "{what}: a failure has to be told again");
        }
        drop(store);
        check(&place, if done.is_ok() { objects().len() } else { claimed }, &what);
        place.store().create().unwrap();
        heal(&place, &what);
    }
}

#[test]
fn a_connection_that_is_cut_costs_nothing_but_time() {
    at_many_points("user20", Fault::Cut, 24, LONG);
}

#[test]
fn a_server_that_goes_for_good_leaves_what_was_claimed() {
    at_many_points("user21", Fault::Gone, 20, LONG);
}

#[test]
fn a_connection_that_stalls_is_given_up() {
    at_many_points("user22", Fault::Stall, 6, Duration::from_millis(400));
}

#[test]
fn what_a_dead_connection_does_not_bring_is_away_and_not_lost() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user22");
    let store = place.store();
    store.create().unwrap();
    save(&store).1.unwrap();
    let pack = Id::of(&objects()[0].1);
    let proxy = Proxy::new(place.account.port, Fault::Gone, 60_000);
    let store = through(&place, &proxy, LONG);
    let lost = store.read(Kind::Pack, &Id([7; 32])).unwrap_err();
    assert!(!proxy.happened() && !lost.kind().is_away(), "{lost:?}");
    let away = store.read(Kind::Pack, &pack).unwrap_err();
    assert!(proxy.happened() && away.kind() == Sort::Away, "{away:?}");
}

//! Lists that are not whole, or not true any more: what counts is what is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use jiff::Timestamp;
use postkeep::vault::store::letter::{self, Label, LineEnd};
use postkeep::vault::store::mailbox::Mailbox;
use postkeep::vault::store::{Id, Kind, Store};

use super::answers::{by_ann, foreign};
use super::faults::{LONG, through};
use super::place::InMailbox;
use crate::lab;
use crate::lab::proxy::{Proxy, Spoil};
use crate::stores::contract::{content, put};

/// A folder with the first message, one from Ann, and a pack, and a store that hears what `spoil` leaves.
fn with_a_pack(lab: &lab::Lab, spoil: Spoil) -> (InMailbox, Id, Proxy, Mailbox) {
    let place = InMailbox::new(lab, "user20");
    let store = place.store();
    store.create().unwrap();
    place.append([by_ann()]);
    let id = put(&store, Kind::Pack, &content(1_000, 1));
    store.flush().unwrap();
    let proxy = Proxy::spoiling(place.account.port, spoil);
    let store = through(&place, &proxy, LONG);
    (place, id, proxy, store)
}

/// What a server tells of the third message, with something else in its place, so many times.
fn instead_of_the_third(times: u32, instead: &'static str) -> (Spoil, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let own = Arc::clone(&count);
    let spoil = move |said: Vec<u8>| {
        let text = String::from_utf8_lossy(&said).into_owned();
        let Some((before, rest)) = text.split_once("* 3 FETCH (UID 3 RFC822.SIZE ") else {
            return Some(said);
        };
        if own.fetch_add(1, SeqCst) >= times {
            return Some(said);
        }
        let after = rest.split_once("\r\n)\r\n").unwrap().1;
        Some(format!("{before}{instead}{after}").into_bytes())
    };
    (Box::new(spoil), count)
}

const NIL: &str =
    "* 3 FETCH (UID 3 RFC822.SIZE 9 BODY[HEADER.FIELDS (MESSAGE-ID X-POSTKEEP-OBJECT)] NIL)\r\n";

#[test]
fn what_a_server_leaves_out_is_asked_for_again() {
    let Some(lab) = lab::get() else { return };
    for (times, instead) in [(1, ""), (2, ""), (1, NIL), (1, "* 3 FETCH (UID 3 RFC822.SIZE (\r\n")] {
        let (spoil, count) = instead_of_the_third(times, instead);
        let (_place, id, _proxy, store) = with_a_pack(lab, spoil);
        assert_eq!(store.list(Kind::Pack).unwrap().first().map(|found| found.id), Some(id), "{instead}");
        assert!(count.load(SeqCst) > times);
    }
    let (spoil, _) = instead_of_the_third(u32::MAX, "");
    let (_place, _, _proxy, store) = with_a_pack(lab, spoil);
    let error = store.list(Kind::Pack).unwrap_err();
    assert!(error.one_line().contains("does not tell what all messages"), "{error:?}");
}

#[test]
fn what_is_removed_is_looked_at_once_more() {
    let Some(lab) = lab::get() else { return };
    // For a while two messages change places.
    let swaps = Arc::new(AtomicBool::new(true));
    let own = Arc::clone(&swaps);
    let spoil = move |said: Vec<u8>| {
        if !own.load(SeqCst) {
            return Some(said);
        }
        let text = String::from_utf8_lossy(&said).replace("(UID 2 ", "(UID @ ");
        Some(text.replace("(UID 3 ", "(UID 2 ").replace("(UID @ ", "(UID 3 ").into_bytes())
    };
    let (place, id, _proxy, store) = with_a_pack(lab, Box::new(spoil));
    assert_eq!(store.list(Kind::Pack).unwrap().len(), 1);
    swaps.store(false, SeqCst);
    store.remove(Kind::Pack, &[id]).unwrap();
    assert_eq!(foreign(&place), [2]);
    let mut options = place.options();
    options.cache = None;
    assert_eq!(Mailbox::new(options).list(Kind::Pack).unwrap(), []);
}

#[test]
fn what_is_gone_is_noticed_even_if_something_else_came() {
    let Some(lab) = lab::get() else { return };
    // Its own pack is known to this store, and Ann's message before it is not.
    let place = InMailbox::new(lab, "user20");
    let store = place.store();
    store.create().unwrap();
    place.append([by_ann()]);
    let pack = content(1_000, 1);
    put(&store, Kind::Pack, &pack);
    store.flush().unwrap();
    place.session().expunge(&[3]).unwrap();
    assert_eq!(store.list(Kind::Pack).unwrap(), []);
    put(&store, Kind::Pack, &pack);
    store.flush().unwrap();
    assert_eq!(place.store().read(Kind::Pack, &Id::of(&pack)).unwrap(), pack);
}

#[test]
fn a_server_that_was_put_back_to_yesterday_is_looked_through_anew() {
    let Some(lab) = lab::get() else { return };
    let back = Arc::new(AtomicBool::new(false));
    let own = Arc::clone(&back);
    // The number of the pack is another message's now.
    let spoil = move |said: Vec<u8>| {
        if !own.load(SeqCst) {
            return Some(said);
        }
        let text = String::from_utf8_lossy(&said).replace("[UIDNEXT 4]", "[UIDNEXT 3]");
        Some(text.replace("X-Postkeep-Object: pack", "X-Somebody-Object: pack").into_bytes())
    };
    let (_place, _, _proxy, store) = with_a_pack(lab, Box::new(spoil));
    assert_eq!(store.list(Kind::Pack).unwrap().len(), 1);
    back.store(true, SeqCst);
    assert_eq!(store.list(Kind::Pack).unwrap(), []);
}

#[test]
fn a_size_that_a_server_guesses_is_no_size() {
    let Some(lab) = lab::get() else { return };
    let guess = |said: Vec<u8>| {
        let text = String::from_utf8_lossy(&said).into_owned();
        let lie = |part: &str| match part.split_once(' ') {
            Some((size, rest)) if !size.is_empty() => format!("{} {rest}", "0".repeat(size.len())),
            _ => part.to_owned(),
        };
        let mut parts = text.split("RFC822.SIZE ");
        let first = parts.next().unwrap_or_default().to_owned();
        Some(parts.fold(first, |text, part| format!("{text}RFC822.SIZE {}", lie(part))).into_bytes())
    };
    let (place, _, _proxy, store) = with_a_pack(lab, Box::new(guess));
    // One to which the server has added a line of its own.
    let (object, vault) = (content(700, 5), place.store().vault_id().unwrap().unwrap());
    let hash = Id::of(&object);
    let label = Label { vault, kind: Kind::Pack, hash, size: 700, part: 1, parts: 1, serial: 0 };
    let letter = letter::compose(&label, &object, Timestamp::UNIX_EPOCH, LineEnd::CrLf);
    place.append([[b"X-Added: by the server\r\n".as_slice(), &letter].concat()]);
    assert_eq!(store.list(Kind::Pack).unwrap().len(), 2);
    assert_eq!(store.read(Kind::Pack, &hash).unwrap(), object);
}

#[test]
fn what_is_remembered_of_a_vault_that_is_gone_hides_no_other() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user20");
    let store = place.store();
    store.create().unwrap();
    put(&store, Kind::Config, &content(90, 1));
    let first = store.vault_id().unwrap();
    drop(store);
    let mut uids = Vec::new();
    place.session().fetch_from(1, &[], |message| uids.extend(message.uid)).unwrap();
    place.session().expunge(&uids).unwrap();
    // Another machine makes a vault in the same folder.
    let mut options = place.options();
    options.cache = None;
    let other = Mailbox::new(options);
    other.create().unwrap();
    put(&other, Kind::Config, &content(90, 2));
    let store = place.store();
    assert_eq!(store.read(Kind::Config, &Id::NONE).unwrap(), content(90, 2));
    let second = store.vault_id().unwrap();
    assert!(second.is_some() && first != second && second == other.vault_id().unwrap());
}

//! A letter that the server does not give, and a server that gives nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use postkeep::error;
use postkeep::mail::imap::Item;
use postkeep::vault::store::{Id, Kind, Store};

use super::faults::{LONG, through};
use super::place::InMailbox;
use crate::lab;
use crate::lab::proxy::{Proxy, Spoil};
use crate::stores::contract::{content, put};

/// Cuts the connection where the server gives the body of one of these letters, and counts that.
fn hangs_up(at: Vec<u32>) -> (Spoil, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let own = Arc::clone(&count);
    let spoil = move |said: Vec<u8>| {
        let text = String::from_utf8_lossy(&said);
        let gives = |uid: &u32| {
            let body = |section: &str| text.contains(&format!("FETCH (UID {uid} BODY[{section}]"));
            body("") || body("TEXT")
        };
        if at.iter().any(gives) {
            own.fetch_add(1, SeqCst);
            return None;
        }
        Some(said)
    };
    (Box::new(spoil), count)
}

/// The UID of the letter that carries an object, by a word of its Message-ID.
fn uid(place: &InMailbox, word: &str) -> u32 {
    let mut found = None;
    let take = |message: postkeep::mail::imap::Fetched| {
        let header = String::from_utf8(message.header.unwrap()).unwrap();
        found = message.uid.filter(|_| header.contains(word)).or(found);
    };
    place.session().fetch_from(1, &[Item::Fields(&["MESSAGE-ID"])], take).unwrap();
    found.unwrap()
}

#[test]
fn a_letter_at_which_the_server_hangs_up_is_not_taken_for_a_server_that_is_away() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user20");
    let store = place.store();
    store.create().unwrap();
    let (bad, good, config) = (content(30_000, 1), content(20_000, 2), content(150, 3));
    put(&store, Kind::Pack, &bad);
    put(&store, Kind::Pack, &good);
    store.write(Kind::Config, &Id::NONE, config).unwrap();
    drop(store);
    let letter = uid(&place, &Id::of(&bad).to_string()[..16]);

    let (spoil, count) = hangs_up(vec![letter]);
    let proxy = Proxy::spoiling(place.account.port, spoil);
    let store = through(&place, &proxy, LONG);
    let error = store.read(Kind::Pack, &Id::of(&bad)).unwrap_err();
    assert_eq!(error.kind(), error::Kind::Other, "{error:?}");
    let asked = count.load(SeqCst);
    assert!((4..=9).contains(&asked), "{asked}");
    // Piece by piece it is not asked for again, and the others come.
    let error = store.read_range(Kind::Pack, &Id::of(&bad), 7..9).unwrap_err();
    assert!(error.kind() == error::Kind::Other && count.load(SeqCst) == asked, "{error:?}");
    assert_eq!(store.read(Kind::Pack, &Id::of(&good)).unwrap(), good);
    // Whoever is in a hurry tries once, and that says nothing.
    let store = through(&place, &proxy, LONG);
    store.hurry();
    let error = store.read(Kind::Pack, &Id::of(&bad)).unwrap_err();
    assert_eq!(error.kind(), error::Kind::Away, "{error:?}");

    // Where the config does not come either, nothing is known of the letter.
    let (spoil, _) = hangs_up((1..20).collect());
    let proxy = Proxy::spoiling(place.account.port, spoil);
    let store = through(&place, &proxy, LONG);
    for _ in 0..2 {
        let error = store.read(Kind::Pack, &Id::of(&bad)).unwrap_err();
        assert_eq!(error.kind(), error::Kind::Away, "{error:?}");
    }
}

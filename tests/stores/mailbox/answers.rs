//! What a server says, and what is not true: a real one, with words changed on their way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use postkeep::error;
use postkeep::vault::store::mailbox::Mailbox;
use postkeep::vault::store::{Id, Kind, Store};

use super::faults::{LONG, heads, through};
use super::place::InMailbox;
use crate::lab;
use crate::lab::proxy::{Proxy, Spoil};
use crate::stores::contract::{content, put};

/// Changes the first `times` answers to an APPEND.
fn answers(times: u32, change: impl Fn(&str) -> Option<String> + Send + 'static) -> (Spoil, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let own = Arc::clone(&count);
    let spoil = move |said: Vec<u8>| {
        let text = String::from_utf8_lossy(&said).into_owned();
        if !text.contains("[APPENDUID") || own.load(SeqCst) >= times {
            return Some(said);
        }
        own.fetch_add(1, SeqCst);
        change(&text).map(String::into_bytes)
    };
    (Box::new(spoil), count)
}

/// The answer with other words behind its tag.
fn instead(words: &'static str) -> impl Fn(&str) -> Option<String> + Send {
    move |said| {
        let lines = said.lines().map(|line| match line.split_once(" OK [APPENDUID") {
            Some((tag, _)) => format!("{tag} {words}\r\n"),
            None => format!("{line}\r\n"),
        });
        Some(lines.collect())
    }
}

/// A place that was made, and a store on it that hears what `spoil` leaves of what the server says.
fn spoilt(lab: &lab::Lab, spoil: Spoil) -> (InMailbox, Proxy, Mailbox) {
    let place = InMailbox::new(lab, "user20");
    place.store().create().unwrap();
    let proxy = Proxy::spoiling(place.account.port, spoil);
    let store = through(&place, &proxy, LONG);
    (place, proxy, store)
}

#[test]
fn after_a_lost_answer_nothing_is_sent_twice() {
    let Some(lab) = lab::get() else { return };
    let (spoil, count) = answers(2, |_| None);
    let (place, _proxy, store) = spoilt(lab, spoil);
    for seed in 0..3 {
        put(&store, Kind::Pack, &content(10_000, seed));
        store.flush().unwrap();
    }
    put(&store, Kind::Index, &content(500, 9));
    assert_eq!(count.load(SeqCst), 2);
    // It fails if a pack is there twice.
    assert_eq!(heads(&place).len(), 3 + 1 + 1);
    assert!(store.traffic().up < 70_000, "{:?}", store.traffic());
}

#[test]
fn a_no_for_now_is_tried_again_and_one_without_uids_is_no_no() {
    let Some(lab) = lab::get() else { return };
    for words in ["NO [UNAVAILABLE] try again", "NO hm", "BAD what?", "OK done", "OK [APPENDUID 1 1] done"] {
        let (spoil, count) = answers(3, instead(words));
        let (place, _proxy, store) = spoilt(lab, spoil);
        let (pack, index) = (content(10_000, 1), content(500, 9));
        put(&store, Kind::Pack, &pack);
        put(&store, Kind::Index, &index);
        assert!(count.load(SeqCst) >= 2, "{words}");
        assert_eq!(place.store().read(Kind::Pack, &Id::of(&pack)).unwrap(), pack, "{words}");
        assert_eq!(place.store().read(Kind::Index, &Id::of(&index)).unwrap(), index, "{words}");
    }
}

#[test]
fn a_no_for_good_ends_it_and_says_what_it_was() {
    let Some(lab) = lab::get() else { return };
    for (words, kind, says) in [
        ("NO [OVERQUOTA] Quota exceeded", error::Kind::Other, "Quota exceeded"),
        ("NO [TOOBIG] no", error::Kind::Other, "[TOOBIG] no"),
        ("NO [NOPERM] no", error::Kind::Other, "[NOPERM] no"),
        ("NO [THROTTLED] slow down", error::Kind::Paused, "goes on later"),
        ("NO [LIMIT] rate", error::Kind::Paused, "goes on later"),
        ("NO [OVERQUOTA] Account exceeded command or bandwidth limits.", error::Kind::Paused, "bandwidth"),
    ] {
        let (spoil, _) = answers(1, instead(words));
        let (_place, _proxy, store) = spoilt(lab, spoil);
        put(&store, Kind::Pack, &content(10_000, 1));
        let error = store.write(Kind::Index, &Id([1; 32]), content(500, 9)).unwrap_err();
        assert_eq!(error.kind(), kind, "{words}: {error:?}");
        assert!(error.one_line().contains(says), "{words}: {error:?}");
        assert!(store.flush().is_err() && store.write(Kind::Pack, &Id([2; 32]), content(9, 1)).is_err());
    }
}

#[test]
fn a_size_that_does_not_agree_is_looked_into() {
    let Some(lab) = lab::get() else { return };
    let spoil = |said: Vec<u8>| {
        let text = String::from_utf8_lossy(&said).into_owned();
        // Digits stay digits: nothing else of the answer moves.
        let lie = |(before, rest): (&str, &str)| format!("{before}RFC822.SIZE 9{}", &rest[1..]);
        Some(text.split_once("RFC822.SIZE ").map_or(said, |parts| lie(parts).into_bytes()))
    };
    let (place, _proxy, store) = spoilt(lab, Box::new(spoil));
    let pack = content(10_000, 1);
    put(&store, Kind::Pack, &pack);
    store.flush().unwrap();
    assert_eq!(heads(&place).len(), 1 + 1);
    assert!(store.traffic().down > 10_000, "the message was read back: {:?}", store.traffic());
    assert_eq!(place.store().read(Kind::Pack, &Id::of(&pack)).unwrap(), pack);
}

#[test]
fn a_server_that_keeps_nothing_is_not_believed() {
    let Some(lab) = lab::get() else { return };
    // It says yes with a UID that is nobody's, and no message in the folder is ours.
    let spoil = |said: Vec<u8>| {
        let text = String::from_utf8_lossy(&said).replace("X-Postkeep-Object", "X-Somebody-Object");
        let lie = |line: &str| match line.split_once(" OK [APPENDUID ") {
            Some((tag, rest)) => {
                let validity = rest.split(' ').next().unwrap_or_default();
                format!("{tag} OK [APPENDUID {validity} 99999] done\r\n")
            }
            None => line.to_owned(),
        };
        Some(text.split_inclusive('\n').map(lie).collect::<String>().into_bytes())
    };
    let (_place, _proxy, store) = spoilt(lab, Box::new(spoil));
    let pack = content(60, 1);
    let _ = store.write(Kind::Pack, &Id::of(&pack), pack);
    let error = store.flush().unwrap_err();
    assert!(error.one_line().contains("does not keep what it takes"), "{error:?}");
}

/// The UIDs of messages that are none of ours, which nobody may remove.
pub fn foreign(place: &InMailbox) -> Vec<u32> {
    place.session().search_header("Subject", "a letter from ann").unwrap()
}

pub fn by_ann() -> Vec<u8> {
    b"From: ann@example.org\r\nSubject: a letter from ann\r\n\r\nhello\r\n".to_vec()
}

#[test]
fn a_uid_of_another_message_is_not_believed_and_that_message_stays() {
    let Some(lab) = lab::get() else { return };
    let spoil = |said: Vec<u8>| {
        let text = String::from_utf8_lossy(&said).into_owned();
        let lie = |line: &str| match line.split_once(" OK [APPENDUID ") {
            Some((tag, rest)) => {
                let validity = rest.split(' ').next().unwrap_or_default();
                format!("{tag} OK [APPENDUID {validity} 2] done\r\n")
            }
            None => line.to_owned(),
        };
        Some(text.split_inclusive('\n').map(lie).collect::<String>().into_bytes())
    };
    let (place, _proxy, store) = spoilt(lab, Box::new(spoil));
    place.append([by_ann()]);
    assert_eq!(foreign(&place), [2]);
    for seed in 0..2 {
        let (pack, index) = (content(10_000, seed), content(500, 9 + seed));
        put(&store, Kind::Pack, &pack);
        put(&store, Kind::Index, &index);
        put(&store, Kind::Config, &content(90, 20 + seed));
        assert_eq!(foreign(&place), [2]);
        assert_eq!(place.store().read(Kind::Pack, &Id::of(&pack)).unwrap(), pack);
        assert_eq!(place.store().read(Kind::Index, &Id::of(&index)).unwrap(), index);
        assert_eq!(place.store().read(Kind::Config, &Id::NONE).unwrap(), content(90, 20 + seed));
    }
    assert_eq!(heads(&place).len(), 1 + 1 + 2 + 2 + 1);
}

#[test]
fn a_server_that_hangs_up_when_asked_for_its_room_is_asked_only_so_often() {
    let Some(lab) = lab::get() else { return };
    let count = Arc::new(AtomicU32::new(0));
    let own = Arc::clone(&count);
    let spoil = move |said: Vec<u8>| {
        // After so many it gives in, so that a store that never gives up ends too.
        let asked = String::from_utf8_lossy(&said).contains("* QUOTAROOT");
        (!asked || own.fetch_add(1, SeqCst) > 50).then_some(said)
    };
    let (_place, _proxy, store) = spoilt(lab, Box::new(spoil));
    put(&store, Kind::Pack, &content(10_000, 1));
    let error = store.flush().unwrap_err();
    assert!(error.one_line().contains("hung up"), "{error:?}");
    assert!((2..10).contains(&count.load(SeqCst)), "{count:?}");
}

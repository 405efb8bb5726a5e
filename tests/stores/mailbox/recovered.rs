//! The script of the first message, and servers that are not what they should be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use jiff::Timestamp;
use postkeep::profile::Tls;
use postkeep::vault::store::letter::{self, LineEnd};
use postkeep::vault::store::{Id, Kind, Store};

use super::place::InMailbox;
use crate::lab::proxy::Proxy;
use crate::lab::{self, PASSWORD};
use crate::stores::contract::{content, put};
use crate::stores::recovery::{recover, recover_trusting};

/// A folder with two packs, and the first message.
fn two_packs(lab: &lab::Lab, folder: &str) -> (InMailbox, [Id; 2], Vec<u8>) {
    let mut place = InMailbox::new(lab, "user20");
    place.folder = folder.into();
    let store = place.store();
    store.create().unwrap();
    let ids = [1, 2].map(|seed| put(&store, Kind::Pack, &content(500, seed)));
    store.flush().unwrap();
    let vault = store.vault_id().unwrap().unwrap();
    (place, ids, letter::read_me(vault, Timestamp::now(), LineEnd::CrLf))
}

#[test]
fn the_password_is_told_to_nobody_without_a_certificate() {
    let Some(lab) = lab::get() else { return };
    let (_place, ids, read_me) = two_packs(lab, "Unchecked");
    let temp = tempfile::tempdir().unwrap();
    let source = format!("imaps://user20@localhost:{}/Unchecked", lab.mailbox("user20", Tls::Implicit).port);
    let target = temp.path().join("refused");
    let (good, said) = recover(&read_me, &target, &source, PASSWORD);
    assert!(!good && said.contains("CERTIFICATE_VERIFY_FAILED") && !said.contains("Traceback"), "{said}");
    assert!(!target.exists() && !said.contains("Password"), "it must not even ask: {said}");
    let target = temp.path().join("taken");
    let (good, said) = recover_trusting(Some(&lab.ca_file()), &read_me, &target, &source, PASSWORD);
    assert!(good && target.join("data").join(&ids[0].to_string()[..2]).exists(), "{said}");
}

#[test]
fn a_message_that_the_server_does_not_give_costs_only_itself() {
    let Some(lab) = lab::get() else { return };
    let (place, ids, read_me) = two_packs(lab, "Given");
    let refused = Arc::new(AtomicBool::new(false));
    let own = Arc::clone(&refused);
    let spoil = move |said: Vec<u8>| {
        let text = String::from_utf8_lossy(&said).into_owned();
        if !text.starts_with("* 2 FETCH (UID 2 BODY[] ") {
            return Some(said);
        }
        own.store(true, SeqCst);
        let tag = text.lines().last().unwrap().split(' ').next().unwrap();
        Some(format!("* 1 FETCH (FLAGS (\\Seen))\r\n{tag} NO [SERVERBUG] it is broken\r\n").into_bytes())
    };
    let proxy = Proxy::spoiling(place.account.port, Box::new(spoil));
    let temp = tempfile::tempdir().unwrap();
    let target = temp.path().join("repository");
    let source = format!("imap://user20@127.0.0.1:{}/Given", proxy.port);
    let (good, said) = recover(&read_me, &target, &source, PASSWORD);
    assert!(refused.load(SeqCst) && !good && !said.contains("Traceback"), "{said}");
    assert!(said.contains("it is broken") && said.contains("damaged or incomplete: pack "), "{said}");
    assert!(said.contains(": 1 objects; now: restic"), "{said}");
    let there = ids.iter().filter(|id| target.join("data").join(&id.to_string()[..2]).exists());
    assert_eq!(there.count(), 1);
}

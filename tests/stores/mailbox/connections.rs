//! Several connections, and servers that do not want them.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use postkeep::vault::store::mailbox::Mailbox;
use postkeep::vault::store::{Kind, Store};

use super::faults::{LONG, through};
use super::place::InMailbox;
use crate::lab;
use crate::lab::proxy::Proxy;
use crate::stores::contract::{content, put};

#[test]
fn a_login_that_is_refused_beside_one_that_works_is_a_connection_too_many() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user20");
    place.store().create().unwrap();
    let (logins, refused) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (own, others) = (Arc::clone(&logins), Arc::clone(&refused));
    let spoil = move |said: Vec<u8>| {
        let text = String::from_utf8_lossy(&said).into_owned();
        let welcome = |line: &&str| line.ends_with("Logged in");
        let Some(tag) = text.lines().find(welcome).and_then(|line| line.split(' ').next()) else {
            return Some(said);
        };
        if own.fetch_add(1, SeqCst) == 0 {
            return Some(said);
        }
        others.fetch_add(1, SeqCst);
        Some(format!("{tag} NO LOGIN failed.\r\n").into_bytes())
    };
    let proxy = Proxy::spoiling(place.account.port, Box::new(spoil));
    let mut options = place.options();
    options.account.port = proxy.port;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&heard);
    options.heard = Box::new(move |_, why| own.lock().unwrap().push(why.map(ToString::to_string)));
    let store = Mailbox::new(options);
    let packs: Vec<_> = (0..12).map(|seed| content(3_000_000, seed)).collect();
    for pack in &packs {
        put(&store, Kind::Pack, pack);
    }
    store.flush().unwrap();
    assert_eq!(store.list(Kind::Pack).unwrap().len(), 12);
    assert!((1..=3).contains(&refused.load(SeqCst)), "{refused:?} of {logins:?}");
    assert_eq!(*heard.lock().unwrap(), [None], "the secret was not refused");
}

#[test]
fn connections_that_a_server_forgot_cost_one_try() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user21");
    place.store().create().unwrap();
    let (forgets, logins) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (own, count) = (Arc::clone(&forgets), Arc::clone(&logins));
    let cuts = Arc::new(AtomicU32::new(0));
    let counting = Arc::clone(&cuts);
    let spoil = move |said: Vec<u8>| {
        let text = String::from_utf8_lossy(&said);
        if text.starts_with("* OK [CAPABILITY") {
            count.fetch_add(1, SeqCst);
            // A new one works.
            own.store(false, SeqCst);
        }
        // The goodbye to a connection that nobody needs any more may come as late as now.
        if own.load(SeqCst) && !text.starts_with("* BYE") {
            counting.fetch_add(1, SeqCst);
            return None;
        }
        Some(said)
    };
    let proxy = Proxy::spoiling(place.account.port, Box::new(spoil));
    let store = through(&place, &proxy, LONG);
    // A busy connection is waited for before another one is opened, so a quick server may do with one for a while.
    let mut packs = 0;
    while logins.load(SeqCst) < 2 {
        assert!(packs < 80, "there are several connections");
        std::thread::scope(|scope| {
            for seed in packs..packs + 4 {
                let store = &store;
                scope.spawn(move || {
                    put(store, Kind::Pack, &content(4_000_000, seed));
                    store.list(Kind::Pack).unwrap();
                });
            }
        });
        store.flush().unwrap();
        packs += 4;
    }
    forgets.store(true, SeqCst);
    assert_eq!(store.list(Kind::Pack).unwrap().len() as u64, packs);
    assert_eq!(cuts.load(SeqCst), 1, "{logins:?}");
}

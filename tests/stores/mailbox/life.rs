//! What happens to a mailbox over the years: others delete, move, fill and limit it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use jiff::Timestamp;
use postkeep::error;
use postkeep::mail::imap::Item;
use postkeep::vault::store::letter::{self, Label, LineEnd};
use postkeep::vault::store::mailbox::{Budget, Mailbox, Spent};
use postkeep::vault::store::{Found, Id, Kind, Store, Traffic};

use super::faults::{LONG, heads, through};
use super::place::InMailbox;
use crate::lab;
use crate::lab::proxy::Proxy;
use crate::stores::contract::{self, Mend, Place, content, put};
use crate::stores::recovery;

/// The same folder with small messages.
struct InParts(InMailbox);

impl Place for InParts {
    fn open(&self) -> Arc<dyn Store> {
        let mut options = self.0.options();
        options.account.limits.message = Some(5_000_000);
        options.account.limits.connections = Some(1);
        Arc::new(Mailbox::new(options))
    }
    fn open_broken(&self) -> (Arc<dyn Store>, Mend) {
        self.0.open_broken()
    }
    fn litter(&self) {
        self.0.litter();
    }
}

#[test]
fn one_connection_and_small_messages_will_do() {
    let Some(lab) = lab::get() else { return };
    contract::check(&|| Box::new(InParts(InMailbox::new(lab, "user21"))));
}

#[test]
fn an_object_is_cut_into_messages_that_the_server_takes() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user20");
    let mut options = place.options();
    options.account.limits.message = Some(50_000);
    let store = Mailbox::new(options);
    store.create().unwrap();
    let object = content(200_000, 1);
    let id = put(&store, Kind::Pack, &object);
    store.flush().unwrap();
    let mut sizes = Vec::new();
    place.session().fetch_from(1, &[Item::Size], |message| sizes.extend(message.size)).unwrap();
    assert!(sizes.len() == 1 + 6 && sizes.iter().all(|size| *size <= 50_000), "{sizes:?}");
    assert_eq!(store.read(Kind::Pack, &id).unwrap(), object);
    let fresh = place.store();
    assert_eq!(fresh.read_range(Kind::Pack, &id, 30_000..150_000).unwrap(), object[30_000..150_000]);
    // A part is lost: the object is not there, and only that part is sent again.
    place.session().expunge(&[4]).unwrap();
    assert_eq!(place.store().list(Kind::Pack).unwrap(), []);
    let mut options = place.options();
    options.account.limits.message = Some(50_000);
    let store = Mailbox::new(options);
    put(&store, Kind::Pack, &object);
    store.flush().unwrap();
    assert!(store.traffic().up < 60_000, "{:?}", store.traffic());
    assert_eq!(place.store().read(Kind::Pack, &id).unwrap(), object);
}

#[test]
fn messages_count_as_read_and_the_first_one_explains() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user20");
    let store = place.store();
    store.create().unwrap();
    put(&store, Kind::Key, &content(100, 1));
    let mut flags = Vec::new();
    place.session().fetch_from(1, &[Item::Flags], |message| flags.push(message.flags.unwrap())).unwrap();
    assert!(flags.len() == 2 && flags.iter().all(|flags| flags.contains(&"\\Seen".to_owned())), "{flags:?}");
    let first = place.session().fetch_one(1, Item::Message, 1 << 20).unwrap().unwrap();
    let vault = store.vault_id().unwrap().unwrap();
    assert_eq!(letter::parse(&first), Some(letter::Head::ReadMe(vault)));
}

#[test]
fn a_listing_of_what_is_known_costs_next_to_nothing() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user20");
    let store = place.store();
    store.create().unwrap();
    let ids: Vec<Id> = (0..150).map(|seed| put(&store, Kind::Pack, &content(100, seed))).collect();
    store.flush().unwrap();
    drop(store);
    let cached = place.store();
    assert_eq!(cached.list(Kind::Pack).unwrap().len(), ids.len());
    assert!(cached.traffic().down < 4_000, "{:?}", cached.traffic());
    // The file is a help and nothing else: damaged or of another vault it is as good as none.
    for file in std::fs::read_dir(place.cache.path()).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(" pack ", " lock ")).unwrap();
    }
    assert_eq!(place.store().list(Kind::Pack).unwrap().len(), ids.len());
}

#[test]
fn what_others_removed_is_noticed() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user20");
    let store = place.store();
    store.create().unwrap();
    let objects: Vec<_> = (0..5).map(|seed| content(3_000, seed)).collect();
    let ids: Vec<Id> = objects.iter().map(|object| put(&store, Kind::Pack, object)).collect();
    store.flush().unwrap();
    // A double of the third, which then is the only one.
    let vault = store.vault_id().unwrap().unwrap();
    let label = Label { vault, kind: Kind::Pack, hash: ids[2], size: 3_000, part: 1, parts: 1, serial: 0 };
    place.append([letter::compose(&label, &objects[2], Timestamp::UNIX_EPOCH, LineEnd::CrLf)]);
    let mut session = place.session();
    for at in [1, 2] {
        let id = format!("<pack.{}.1of1@{vault}.postkeep.invalid>", ids[at]);
        let uids = session.search_header("Message-ID", &id).unwrap();
        assert_eq!(uids.len(), at);
        session.expunge(&uids[..1]).unwrap();
    }
    // A store that looked before, by its first read; and one by its cache.
    assert!(store.read_range(Kind::Pack, &ids[1], 0..10).unwrap_err().to_string().contains("is not in"));
    assert_eq!(store.read_range(Kind::Pack, &ids[2], 5..15).unwrap(), objects[2][5..15]);
    for store in [&store, &place.store()] {
        let list = store.list(Kind::Pack).unwrap();
        assert!(list.len() == 4 && !list.iter().any(|found| found.id == ids[1]), "{list:?}");
        assert_eq!(store.read(Kind::Pack, &ids[2]).unwrap(), objects[2]);
    }
    // What is not there any more is written again, whatever this store remembers.
    put(&store, Kind::Pack, &objects[1]);
    store.flush().unwrap();
    assert_eq!(place.store().read(Kind::Pack, &ids[1]).unwrap(), objects[1]);
}

#[test]
fn with_another_uidvalidity_everything_is_looked_at_anew() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user20");
    let store = place.store();
    store.create().unwrap();
    let objects: Vec<_> = (0..4).map(|seed| content(2_000, seed)).collect();
    let ids: Vec<Id> = objects.iter().map(|object| put(&store, Kind::Pack, object)).collect();
    put(&store, Kind::Config, &content(90, 9));
    let mut session = place.session();
    let count = heads(&place).len() as u32;
    let messages: Vec<Vec<u8>> =
        (1..=count).map(|uid| session.fetch_one(uid, Item::Message, 1 << 20).unwrap().unwrap()).collect();
    drop(session);
    // The folder as a program restores it: the same messages in another order, with new numbers.
    let mut session =
        postkeep::mail::imap::Dialer::new(place.account.clone(), super::place::secret()).open().unwrap();
    session.delete(&place.folder).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    // Sessions that had it open may put the folder back as they close: an empty one.
    while session.create(&place.folder).is_err() {
        session.delete(&place.folder).unwrap();
    }
    place.append(messages.into_iter().rev());
    for store in [&store, &place.store()] {
        for (id, object) in ids.iter().zip(&objects) {
            assert_eq!(store.read(Kind::Pack, id).unwrap(), *object);
        }
        assert_eq!(store.list(Kind::Pack).unwrap().len(), 4);
        assert_eq!(store.read(Kind::Config, &Id::NONE).unwrap(), content(90, 9));
    }
    let more = content(500, 77);
    put(&store, Kind::Pack, &more);
    put(&store, Kind::Index, &content(10, 5));
    assert_eq!(place.store().read(Kind::Pack, &Id::of(&more)).unwrap(), more);
}

#[test]
fn a_folder_that_is_not_there_has_nothing_and_takes_nothing() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user20");
    let store = place.store();
    assert_eq!(store.list(Kind::Config).unwrap(), []);
    assert_eq!(store.read(Kind::Config, &Id::NONE).unwrap_err().kind(), error::Kind::NoVault);
    let error = store.write(Kind::Pack, &Id([1; 32]), content(10, 1)).unwrap_err();
    assert!(error.to_string().contains("is not there"), "{error:?}");
}

#[test]
fn several_machines_share_a_mailbox() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user22");
    place.store().create().unwrap();
    std::thread::scope(|scope| {
        for machine in 0..3_u64 {
            let place = &place;
            scope.spawn(move || {
                let mut options = place.options();
                options.cache = None;
                let store = Mailbox::new(options);
                for n in 0..10 {
                    put(&store, Kind::Pack, &content(5_000, 100 * machine + n));
                    put(&store, Kind::Lock, &content(100, 100 * machine + n));
                    if n % 2 == 0 {
                        store.remove(Kind::Lock, &[Id::of(&content(100, 100 * machine + n))]).unwrap();
                    }
                    assert!(store.list(Kind::Pack).unwrap().len() as u64 > n);
                }
            });
        }
    });
    let store = place.store();
    assert_eq!(store.list(Kind::Pack).unwrap().len(), 30);
    assert_eq!(store.list(Kind::Lock).unwrap().len(), 15);
    for Found { id, .. } in store.list(Kind::Pack).unwrap() {
        assert_eq!(Id::of(&store.read(Kind::Pack, &id).unwrap()), id);
    }
}

#[derive(Debug)]
struct Purse {
    left: AtomicU64,
    used: AtomicU64,
}

impl Budget for Purse {
    fn may_send(&self, bytes: u64) -> Result<(), Spent> {
        let took = self.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(bytes));
        took.map(drop).map_err(|_| self.throttled())
    }
    fn may_fetch(&self, _: u64) -> Result<(), Spent> {
        Ok(())
    }
    fn used(&self, traffic: Traffic) {
        self.used.fetch_add(traffic.up + traffic.down, SeqCst);
    }
    fn throttled(&self) -> Spent {
        Spent { until: Timestamp::from_second(1_800_000_000).ok() }
    }
}

#[test]
fn a_spent_budget_pauses_and_the_next_run_goes_on_from_there() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user20");
    place.store().create().unwrap();
    let open = |left| {
        let purse = Arc::new(Purse { left: AtomicU64::new(left), used: AtomicU64::new(0) });
        let mut options = place.options();
        options.budget = Arc::clone(&purse) as Arc<dyn Budget>;
        (Mailbox::new(options), purse)
    };
    let packs: Vec<_> = (0..10).map(|seed| content(100_000, seed)).collect();
    let (store, purse) = open(600_000);
    let mut result = Ok(());
    for pack in &packs {
        result = result.and_then(|()| store.write(Kind::Pack, &Id::of(pack), pack.clone()));
    }
    let error = result.and_then(|()| store.flush()).unwrap_err();
    assert_eq!(error.kind(), error::Kind::Paused);
    assert!(error.to_string().ends_with("goes on at 2027-01-15 08:00 UTC"), "{error}");
    drop(store);
    assert!(purse.used.load(SeqCst) > 300_000, "{purse:?}");
    let there = place.store().list(Kind::Pack).unwrap().len();
    assert!((2..=4).contains(&there), "{there}");
    let (store, _) = open(u64::MAX);
    for pack in &packs {
        put(&store, Kind::Pack, pack);
    }
    store.flush().unwrap();
    assert!(store.traffic().up < (11 - there as u64) * 140_000, "{:?}", store.traffic());
    assert_eq!(place.store().list(Kind::Pack).unwrap().len(), 10);
}

#[test]
fn packs_leave_room_for_mail() {
    let Some(lab) = lab::get() else { return };
    // 48 MB.
    let place = InMailbox::new(lab, "user33");
    let store = place.store();
    store.create().unwrap();
    let room = store.room().unwrap().unwrap();
    assert_eq!(room.limit, 48 << 20);
    let mut stored = 0;
    let error = loop {
        let pack = content(4_000_000, stored);
        match store.write(Kind::Pack, &Id::of(&pack), pack).and_then(|()| store.flush()) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("is nearly full") && stored == 7, "{stored} packs, {error}");
    let store = place.store();
    for kind in [Kind::Lock, Kind::Index, Kind::Snapshot] {
        put(&store, kind, &content(3_000, 1));
    }
    assert!(store.room().unwrap().unwrap().used > 35 << 20);
    let ids: Vec<Id> = store.list(Kind::Pack).unwrap().iter().map(|found| found.id).collect();
    store.remove(Kind::Pack, &ids[..3]).unwrap();
    put(&place.store(), Kind::Pack, &content(1000, 5));
}

#[test]
fn at_gmail_what_is_removed_goes_through_the_trash() {
    let Some(lab) = lab::get() else { return };
    let place = InMailbox::new(lab, "user22");
    place.store().create().unwrap();
    let mut session = place.session();
    session.create("Bin").unwrap();
    let by_hand = b"From: ann@example.org\r\nSubject: thrown away\r\n\r\n".to_vec();
    let outgoing =
        |body| postkeep::mail::imap::Outgoing { body: Box::new(body), flags: &[], internal_date: None };
    assert!(session.append_all("Bin", vec![outgoing(by_hand)]).1.is_none());
    // Dovecot in Gmail's clothes.
    let clothes = |said: Vec<u8>| {
        let text = String::from_utf8_lossy(&said).replace("CAPABILITY IMAP4", "CAPABILITY X-GM-EXT-1 IMAP4");
        Some(text.replace("(\\HasNoChildren) \"/\" Bin", "(\\HasNoChildren \\Trash) \"/\" Bin").into_bytes())
    };
    let proxy = Proxy::spoiling(place.account.port, Box::new(clothes));
    let store = through(&place, &proxy, LONG);
    let ids: Vec<Id> = (0..4).map(|seed| put(&store, Kind::Pack, &content(900, seed))).collect();
    put(&store, Kind::Config, &content(90, 8));
    put(&store, Kind::Config, &content(90, 9));
    store.remove(Kind::Pack, &ids[1..3]).unwrap();
    assert_eq!(store.list(Kind::Pack).unwrap().len(), 2);
    assert_eq!(place.store().list(Kind::Pack).unwrap().len(), 2);
    assert_eq!(store.read(Kind::Pack, &ids[3]).unwrap(), content(900, 3));
    // Only what was there before; and of three messages each one went through it.
    let bin = session.status("Bin").unwrap();
    assert_eq!((bin.messages, bin.uid_next), (Some(1), Some(1 + 1 + 3)));
    session.delete("Bin").unwrap();
}

#[test]
fn a_mailbox_is_turned_back_into_a_repository_without_postkeep() {
    let Some(lab) = lab::get() else { return };
    let temp = tempfile::tempdir().unwrap();
    let Some(original) = recovery::repository(temp.path()) else { return };
    let mut place = InMailbox::new(lab, "user20");
    place.folder = "Recovered".into();
    let mut options = place.options();
    options.account.limits.message = Some(300_000);
    recovery::copy(&original, &Mailbox::new(options));
    place.litter();
    let first = place.session().fetch_one(1, Item::Message, 1 << 20).unwrap().unwrap();
    let target = temp.path().join("from-mailbox");
    let store = place.store();
    let vault = store.vault_id().unwrap().unwrap();
    // It stands on the recovery sheet.
    assert_eq!(store.letters(), Some(vault));
    let source = format!("imap://user20@127.0.0.1:{}/Recovered", place.account.port);
    let (_, said) = recovery::recover(&first, &target, &source, lab::PASSWORD);
    // Among the litter are letters of another vault.
    assert!(said.contains(&format!("vault {vault}: ")), "{said}");
    recovery::check(temp.path(), &target.join(vault.to_string()));
    // And through the store itself.
    let copy = postkeep::vault::store::folder::Folder::new(&temp.path().join("copy"), Timestamp::now());
    recovery::copy(&place.store(), &copy);
    recovery::check(temp.path(), &temp.path().join("copy"));
}

//! Runs against a scripted mailbox and a vault in memory.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use tempfile::TempDir;

use super::*;
use crate::archive::source::{Body, Listed, Listing, Mark, Part, Refusal, Since, Take, Unnamed};
use crate::journal::Forgetful;
use crate::mutex::lock;
use crate::profile::{Keeping, MessageRules, SecretSource};
use crate::progress::Silent;
use crate::run::Status;
use crate::vault::Options;
use crate::vault::snapshot::full;
use crate::vault::store::Kind;
use crate::vault::store::memory::Memory;

/// A mailbox with one folder.
#[derive(Default)]
struct Server {
    validity: u32,
    next: u32,
    /// Subjects by UID; a message came so many seconds after 2001.
    messages: BTreeMap<u32, (String, i64)>,
    refused: BTreeSet<u32>,
    /// Nobody knows when a message came.
    undated: bool,
    /// The folder is made anew before it is listed.
    anew: bool,
    /// Flags of all messages, and how often they were told.
    flags: Vec<String>,
    told: u32,
    /// From which UID on it was listed last.
    asked: u32,
    /// Folders that cannot be opened because of their names.
    unnamed: Vec<String>,
}

impl Server {
    fn mark(&self) -> Mark {
        let messages = u32::try_from(self.messages.len()).unwrap();
        Mark { validity: self.validity, next: self.next, messages, mod_seq: None }
    }

    fn append(&mut self, subject: &str, second: i64) {
        self.messages.insert(self.next, (subject.into(), second));
        self.next += 1;
    }

    fn make_anew(&mut self) {
        let messages = std::mem::take(&mut self.messages);
        (self.validity, self.next) = (self.validity + 1, 1);
        messages.into_values().for_each(|(subject, second)| self.append(&subject, second));
    }
}

fn bytes(subject: &str) -> Vec<u8> {
    // Some mails say nothing of themselves.
    let date = subject.strip_prefix("day ").map(|day| format!("Date: {day} Nov 2023 00:00:00 +0000\r\n"));
    let id = if subject.starts_with("bare") { String::new() } else { format!("Message-ID: <{subject}>\r\n") };
    let date = date.unwrap_or_default();
    format!("{id}{date}Subject: {subject}\r\n\r\n{}\r\n", "x".repeat(1000)).into_bytes()
}

struct Mailbox(Arc<Mutex<Server>>);

impl Source for Mailbox {
    fn place(&self) -> String {
        "imap:box".into()
    }

    fn folders(&mut self) -> Result<Vec<Folder>> {
        Ok(vec![Folder { path: "INBOX".into(), special: None, mark: Some(lock(&self.0).mark()) }])
    }

    fn unnamed(&mut self) -> Vec<Unnamed> {
        let unnamed =
            |folder| Unnamed { folder, message: None, cause: "has no name".into(), hint: "rename it" };
        lock(&self.0).unnamed.iter().cloned().map(unnamed).collect()
    }

    fn list(&mut self, _: &Folder, since: Since) -> Result<Listing> {
        let mut server = lock(&self.0);
        server.asked = since.uid;
        if std::mem::take(&mut server.anew) {
            server.make_anew();
        }
        let listed = |(uid, (subject, second)): (&u32, &(String, i64))| Listed {
            key: format!("{}.{uid}", server.validity),
            uid: *uid,
            size: if server.undated { 0 } else { bytes(subject).len() as u64 },
            date: (!server.undated).then(|| Timestamp::from_second(1_000_000_000 + second).unwrap()),
            flags: server.flags.clone(),
            message_id: (!subject.starts_with("bare")).then(|| format!("<{subject}>")),
            ..Listed::default()
        };
        let messages = server.messages.range(since.uid..).map(listed).collect();
        Ok(Listing { mark: server.mark(), messages, ..Listing::default() })
    }

    fn flags(&mut self, _: &Folder, before: u32, take: &mut Part<'_>) -> Result<bool> {
        let (messages, tells) = {
            let mut server = lock(&self.0);
            server.told += 1;
            let flags = |uid: &u32| {
                let (key, flags) = (format!("{}.{uid}", server.validity), server.flags.clone());
                Listed { key, uid: *uid, flags, ..Listed::default() }
            };
            let messages = server.messages.range(..before).map(|(uid, _)| flags(uid)).collect::<Vec<_>>();
            (messages, !server.refused.contains(&0))
        };
        if tells {
            messages.chunks(2).try_for_each(|some| take(some.to_vec()))?;
        }
        Ok(tells)
    }

    fn fetch(&mut self, _: &Folder, messages: &[Listed], take: &mut Take<'_>) -> Result<()> {
        for (at, message) in messages.iter().enumerate() {
            let body = {
                let server = lock(&self.0);
                match server.messages.get(&message.uid) {
                    None => Err(Refusal::Gone),
                    Some(_) if server.refused.contains(&message.uid) => Err(Refusal::Refused("no".into())),
                    Some((subject, _)) => Ok(Body::Held(bytes(subject))),
                }
            };
            take(at, body)?;
        }
        Ok(())
    }
}

struct Lab {
    temp: TempDir,
    host: &'static str,
    server: Arc<Mutex<Server>>,
    store: RefCell<Arc<dyn Store>>,
    only: MessageRules,
    /// What time it is.
    now: Cell<Timestamp>,
}

impl Lab {
    fn new() -> Self {
        let server = Server { validity: 7, next: 1, ..Server::default() };
        let lab = Self {
            temp: tempfile::tempdir().unwrap(),
            host: "nas",
            server: Arc::new(Mutex::new(server)),
            store: RefCell::new(Arc::new(Memory::default())),
            only: MessageRules::default(),
            now: Cell::new(Timestamp::from_second(1_700_000_000).unwrap()),
        };
        lab.new_vault();
        lab
    }

    /// Another machine with the same mailbox and vault.
    fn other(&self) -> Self {
        let (temp, server) = (tempfile::tempdir().unwrap(), Arc::clone(&self.server));
        let (only, now) = (self.only.clone(), self.now.clone());
        Self { temp, host: "pi", server, store: self.store.clone(), only, now }
    }

    fn new_vault(&self) {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let options = Options { compression: 3, host: "nas".into(), ..Options::default() };
        Vault::create(Arc::clone(&store), "x", &options).unwrap();
        *self.store.borrow_mut() = store;
    }

    fn server(&self, change: impl FnOnce(&mut Server)) {
        change(&mut lock(&self.server));
    }

    fn wait_for_days(&self, days: i64) {
        self.now.set(self.now.get() + SignedDuration::from_hours(24 * days));
    }

    fn opened(&self) -> Vault {
        self.vault(self.store(&VaultPlace::Folder("/v".into())).unwrap()).unwrap()
    }

    /// How many messages can be read in the newest snapshot of this machine.
    fn readable(&self) -> u64 {
        let vault = self.opened();
        let last = vault.last_snapshot("mail", Some(self.host)).unwrap().unwrap();
        let (index, mut whole) = (vault.read().unwrap(), 0);
        let archive = crate::archive::read::Archive::of(&index, &last);
        let walked = archive.walk(&crate::archive::wanted::Wanted::default(), &mut |message| {
            whole += u64::from(archive.bytes(&message, 1 << 20).is_ok());
            Ok(true)
        });
        walked.unwrap();
        whole
    }

    fn known(&self) -> Catalogue {
        Catalogue::open(&self.temp.path().join("state"), "mail", &"ab".repeat(32)).unwrap()
    }

    /// Runs. Status, messages that are new, messages in the archive.
    fn run(&self) -> (Status, u64, u64) {
        let job = ArchiveJob {
            sources: vec![MailPlace::Imap("box".into())],
            folders: vec!["*".into()],
            only: self.only.clone(),
            labels: true,
            gmail_query: None,
            keeping: Keeping {
                vaults: vec![VaultPlace::Folder("/v".into())],
                password: SecretSource::Keyring { account: "x".into() },
                keep: None,
                checkpoint: 1 << 20,
                compression: 3,
            },
        };
        let request = Request {
            profile: "mail",
            job: &job,
            host: self.host,
            now: self.now.get(),
            meter: &Meter::default(),
            listener: &Silent,
            journal: &Forgetful,
            places: self,
        };
        let outcome = request.run();
        assert_eq!(outcome.error, None);
        (outcome.status, outcome.counts.created, outcome.counts.files)
    }
}

impl Places for Lab {
    fn store(&self, _: &VaultPlace) -> Result<Arc<dyn Store>> {
        Ok(Arc::clone(&self.store.borrow()) as _)
    }

    fn vault(&self, store: Arc<dyn Store>) -> Result<Vault> {
        let path = |name: &str| self.temp.path().join(name);
        Vault::open(store, "x", &path("keys"), &path("cache"))
    }

    fn source(&self, _: &MailPlace) -> Result<Box<dyn Source>> {
        Ok(Box::new(Mailbox(Arc::clone(&self.server))))
    }

    fn catalogue(&self, _: &VaultPlace) -> Result<Catalogue> {
        Ok(self.known())
    }

    fn budget(&self, _: &VaultPlace) -> Option<(u64, u64)> {
        None
    }

    fn pause(&self, _: &str) -> Option<Pause> {
        None
    }
}

#[test]
fn what_cannot_be_asked_for_is_told_by_each_run() {
    let lab = Lab::new();
    lab.server(|server| {
        server.append("a", 1);
        server.unnamed.push("l f".into());
    });
    assert_eq!(lab.run(), (Status::Warning, 1, 1));
    // Also where there is nothing new.
    assert_eq!(lab.run(), (Status::Warning, 0, 1));
    lab.server(|server| server.unnamed.clear());
    assert_eq!(lab.run(), (Status::Unchanged, 0, 1));
}

#[test]
fn what_was_refused_is_waited_for_as_long_as_it_is_there() {
    let lab = Lab::new();
    lab.server(|server| {
        (0..4).for_each(|n| server.append(&n.to_string(), n));
        server.refused = [2, 3].into();
    });
    assert_eq!(lab.run(), (Status::Warning, 2, 2));
    assert_eq!(lab.run(), (Status::Warning, 0, 2));
    lab.server(|server| {
        server.refused.remove(&2);
        server.messages.remove(&3);
    });
    assert_eq!(lab.run(), (Status::Ok, 1, 3));
    assert_eq!(lab.known().quarantine(None).unwrap(), []);
    assert_eq!(lab.run(), (Status::Unchanged, 0, 3));
}

#[test]
fn a_folder_that_is_made_anew_between_two_questions_is_listed_whole() {
    let lab = Lab::new();
    lab.server(|server| (0..5).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 5, 5));
    lab.server(|server| {
        // Its UID will be below those that were seen.
        server.messages.remove(&1);
        server.messages.insert(1, ("other".into(), 9));
        server.append("news", 10);
        server.anew = true;
    });
    assert_eq!(lab.run(), (Status::Ok, 2, 7));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 7));
}

#[test]
fn uids_that_are_given_once_more_hide_no_message() {
    let lab = Lab::new();
    lab.server(|server| (0..5).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 5, 5));
    lab.server(|server| {
        server.messages.clear();
        server.next = 1;
        server.append("0", 0);
        server.append("new", 100);
    });
    assert_eq!(lab.run().0, Status::Ok);
    let vault = lab.opened();
    let last = vault.last_snapshot("mail", Some("nas")).unwrap().unwrap();
    assert_eq!(last.summary.unwrap().total_files_processed, 6);
    assert_eq!(lab.run().0, Status::Unchanged);
}

#[test]
fn messages_without_a_date_come_in_as_many_slices_as_memory_wants() {
    let lab = Lab::new();
    lab.server(|server| {
        server.undated = true;
        (0..300).for_each(|n| server.append(&n.to_string(), n));
    });
    assert_eq!(lab.run(), (Status::Ok, 300, 300));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 300));
}

#[test]
fn messages_without_a_date_are_known_again_by_their_content() {
    let lab = Lab::new();
    lab.server(|server| {
        server.undated = true;
        // Each is there twice. They come in several slices.
        (0..200).for_each(|n| server.append(&format!("{}{}", ["", "bare "][n % 2], n / 4), 0));
    });
    assert_eq!(lab.run(), (Status::Ok, 200, 200));
    lab.server(Server::make_anew);
    assert_eq!(lab.run(), (Status::Unchanged, 0, 200));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 200));
    // The catalogue is lost, and one of two that are equal is gone. Of another one there are three now, and of the new
    // ones two are equal, in different slices.
    Catalogue::clear_all(&lab.temp.path().join("state"), &"ab".repeat(32)).unwrap();
    lab.server(|server| {
        server.messages.insert(1, ("bare new".into(), 0));
        server.append("bare 7", 0);
        (0..200).for_each(|n| server.append(&format!("new {n}"), 0));
        server.append("bare new", 0);
        server.make_anew();
    });
    assert_eq!(lab.run(), (Status::Ok, 203, 403));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 403));
}

#[test]
fn messages_that_lost_their_dates_are_known_again_by_their_content() {
    let lab = Lab::new();
    lab.server(|server| (0..40).for_each(|n| server.append(&format!("bare {n}"), n)));
    assert_eq!(lab.run(), (Status::Ok, 40, 40));
    lab.server(|server| {
        server.messages.values_mut().for_each(|(_, second)| *second = 1000);
        server.append("0", 1000);
        server.make_anew();
    });
    assert_eq!(lab.run(), (Status::Ok, 1, 41));
}

#[test]
fn what_is_too_young_is_taken_when_it_is_old_enough() {
    for undated in [false, true] {
        let mut lab = Lab::new();
        lab.only.newer_than = Some(SignedDuration::from_hours(24 * 10));
        let append = |server: &mut Server, day: i64| {
            server.append(&format!("day {day}"), 698_796_800 + (day - 1) * 86_400);
        };
        lab.server(|server| {
            server.undated = undated;
            [1, 10, 12].iter().for_each(|day| append(server, *day));
        });
        // It is the fourteenth.
        assert_eq!(lab.run(), (Status::Ok, 1, 1));
        assert_eq!(lab.run(), (Status::Unchanged, 0, 1));
        assert_eq!(lock(&lab.server).asked, 2, "what was seen before them is not listed again");
        lab.server(|server| append(server, 2));
        assert_eq!(lab.run(), (Status::Ok, 1, 2));
        for (days, files) in [(7, 3), (1, 4)] {
            lab.wait_for_days(days);
            assert_eq!(lab.run(), (Status::Ok, 1, files));
        }
        lab.server(|server| server.asked = 77);
        assert_eq!(lab.run(), (Status::Unchanged, 0, 4));
        assert_eq!(lock(&lab.server).asked, 77, "nobody looks any more");
    }
}

#[test]
fn flags_are_followed_where_nothing_tells_that_they_changed() {
    let lab = Lab::new();
    lab.server(|server| (0..5).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 5, 5));
    let mark = |flag: &str| lab.server(|server| server.flags = vec![flag.into()]);
    // How many have this flag, and how often all flags were told.
    let flagged = |flag: &str| {
        let known = lab.known();
        let keys: Vec<_> = (1..9).map(|uid| format!("7.{uid}")).collect();
        let inbox = known.folders().unwrap()[0].id;
        let all = known.known(inbox, keys.iter().map(String::as_str)).unwrap().into_iter().flatten();
        (all.filter(|message| message.facts.flags == [flag]).count(), lock(&lab.server).told)
    };
    // Without other news it costs nothing until the next day.
    mark("a");
    assert_eq!((lab.run(), flagged("a")), ((Status::Unchanged, 0, 5), (0, 0)));
    lab.wait_for_days(1);
    assert_eq!((lab.run(), flagged("a")), ((Status::Ok, 0, 5), (5, 1)));
    mark("b");
    assert_eq!((lab.run(), flagged("b")), ((Status::Unchanged, 0, 5), (0, 1)));
    // With other news it is known at once. A server that does not tell hides nothing that is new.
    lab.server(|server| {
        server.append("new", 9);
        server.refused.insert(0);
    });
    assert_eq!((lab.run(), flagged("b")), ((Status::Ok, 1, 6), (1, 2)));
    lab.server(|server| {
        server.append("newer", 9);
        server.refused.clear();
    });
    assert_eq!((lab.run(), flagged("b")), ((Status::Ok, 1, 7), (7, 3)));
    lab.wait_for_days(1);
    assert_eq!((lab.run(), flagged("b")), ((Status::Unchanged, 0, 7), (7, 4)));
    assert_eq!((lab.run(), flagged("b")), ((Status::Unchanged, 0, 7), (7, 4)));
}

#[test]
fn a_vault_that_was_made_anew_is_no_archive() {
    let lab = Lab::new();
    lab.server(|server| (0..3).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 3, 3));
    lab.new_vault();
    assert_eq!(lab.run(), (Status::Failed, 3, 3));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 3));
}

#[test]
fn what_a_vault_lost_is_taken_again_after_a_repair() {
    let lab = Lab::new();
    lab.server(|server| (0..3).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 3, 3));
    let store = Arc::clone(&lab.store.borrow());
    let packs: Vec<_> = store.list(Kind::Pack).unwrap();
    // The smaller one has the contents, or the trees: once each.
    for pack in packs {
        store.remove(Kind::Pack, &[pack.id]).unwrap();
        assert_eq!(lab.opened().repair().unwrap().lost.len(), 1);
        Catalogue::clear_all(&lab.temp.path().join("state"), &"ab".repeat(32)).unwrap();
        assert_eq!(lab.run(), (Status::Warning, 3, 3));
        assert_eq!(lab.run(), (Status::Unchanged, 0, 3));
        assert_eq!(lab.readable(), 3);
    }
}

#[test]
fn what_another_machine_repaired_is_told_and_taken_again() {
    let lab = Lab::new();
    lab.server(|server| (0..3).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 3, 3));
    let other = lab.other();
    // It has no snapshot of its own yet.
    assert_eq!(other.run(), (Status::Unchanged, 0, 3));
    lab.server(|server| server.append("3", 3));
    assert_eq!(other.run(), (Status::Ok, 1, 4));
    let store = Arc::clone(&lab.store.borrow());
    let mut lost = Vec::new();
    for pack in store.list(Kind::Pack).unwrap() {
        store.remove(Kind::Pack, &[pack.id]).unwrap();
        assert_eq!(lab.opened().repair().unwrap().lost.len(), 1);
        lost.push(4 - other.readable());
        let status = if lost.last() == Some(&0) { Status::Unchanged } else { Status::Failed };
        assert_eq!(other.run(), (status, lost[lost.len() - 1], 4));
        assert_eq!((other.readable(), other.run()), (4, (Status::Unchanged, 0, 4)));
    }
    lost.sort_unstable();
    assert_eq!(lost, [0, 1, 3, 4], "trees of the first alone, contents, and trees");
}

#[test]
fn a_snapshot_that_is_gone_is_told_if_it_took_messages_along() {
    let lab = Lab::new();
    lab.server(|server| (0..3).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 3, 3));
    let store = Arc::clone(&lab.store.borrow());
    let before = store.list(Kind::Snapshot).unwrap();
    lab.server(|server| server.append("3", 3));
    assert_eq!(lab.run(), (Status::Ok, 1, 4));
    // The one before is there alone: what came after it is not in the archive.
    let all = store.list(Kind::Snapshot).unwrap();
    let last: Vec<_> = all.iter().filter(|one| !before.contains(one)).map(|one| one.id).collect();
    store.remove(Kind::Snapshot, &last).unwrap();
    assert_eq!(lab.run(), (Status::Failed, 1, 4));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 4));
    // One of another machine has as much.
    let other = lab.other();
    assert_eq!(other.run(), (Status::Unchanged, 0, 4));
    lab.server(|server| server.append("4", 4));
    assert_eq!(lab.run(), (Status::Ok, 1, 5));
    let newest = lab.opened().last_snapshot("mail", Some("nas")).unwrap().unwrap();
    let gone: Vec<_> = store.list(Kind::Snapshot).unwrap().into_iter().map(|one| one.id).collect();
    let gone: Vec<_> = gone.into_iter().filter(|id| id.to_string() != full(&newest.id)).collect();
    store.remove(Kind::Snapshot, &gone).unwrap();
    assert_eq!(other.run().0, Status::Unchanged);
}

//! A scripted mailbox, and a vault in memory.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use crate::archive::run::{Places, Request};
use crate::archive::source::{
    Body, Folder, Listed, Listing, Mark, Part, Refusal, Since, Source, Take, Unnamed,
};
use crate::error::{Error, Result};
use crate::journal::Forgetful;
use crate::mutex::lock;
use crate::profile::{ArchiveJob, Keeping, MailPlace, MessageRules, SecretSource, VaultPlace};
use crate::progress::{Meter, Silent};
use crate::run::{Outcome, Status};
use crate::state::catalogue::Catalogue;
use crate::vault::ledger::Pause;
use crate::vault::store::Store;
use crate::vault::store::memory::Memory;
use crate::vault::{Options, Vault};

/// A mailbox with one folder.
#[derive(Default)]
pub struct Server {
    pub validity: u32,
    pub next: u32,
    pub mod_seq: Option<u64>,
    /// Subjects by UID; a message came so many seconds after 2001.
    pub messages: BTreeMap<u32, (String, i64)>,
    pub refused: BTreeSet<u32>,
    /// What is listed and not given.
    pub withheld: BTreeSet<u32>,
    /// Nothing of the folder can be fetched, and how often that was tried.
    pub broken: bool,
    pub tried: u32,
    /// How many messages were given.
    pub given: u32,
    /// Large ones of which less comes than there should be.
    pub shrunk: BTreeSet<u32>,
    /// Nobody knows when a message came.
    pub undated: bool,
    /// UIDs of which only that is told.
    pub mute: BTreeSet<u32>,
    /// The folder is made anew before it is listed.
    pub anew: bool,
    /// Flags of all messages, and how often they were told.
    pub flags: Vec<String>,
    pub told: u32,
    /// The connection breaks when flags are asked for.
    pub breaks: bool,
    /// From which UID on it was listed last.
    pub asked: u32,
    /// Folders that cannot be opened because of their names.
    pub unnamed: Vec<String>,
}

impl Server {
    pub fn mark(&self) -> Mark {
        let messages = u32::try_from(self.messages.len()).unwrap();
        Mark { validity: self.validity, next: self.next, messages, mod_seq: self.mod_seq }
    }

    pub fn append(&mut self, subject: &str, second: i64) {
        self.messages.insert(self.next, (subject.into(), second));
        self.next += 1;
    }

    pub fn make_anew(&mut self) {
        let messages = std::mem::take(&mut self.messages);
        (self.validity, self.next) = (self.validity + 1, 1);
        messages.into_values().for_each(|(subject, second)| self.append(&subject, second));
    }
}

fn bytes(subject: &str) -> Vec<u8> {
    // Some mails say nothing of themselves.
    let date = subject.strip_prefix("day ").map(|day| format!("Date: {day} Nov 2023 00:00:00 +0000\r\n"));
    let ours = if subject.starts_with("ours") { "X-Postkeep-File: x\r\n" } else { "" };
    let id = if subject.starts_with("bare") { String::new() } else { format!("Message-ID: <{subject}>\r\n") };
    let date = date.unwrap_or_default();
    format!("{ours}{id}{date}Subject: {subject}\r\n\r\n{}\r\n", "x".repeat(1000)).into_bytes()
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
        let mute = |uid: u32| Listed { key: format!("{}.{uid}", server.validity), uid, ..Listed::default() };
        let told = |one: (&u32, &_)| if server.mute.contains(one.0) { mute(*one.0) } else { listed(one) };
        let messages = server.messages.range(since.uid..).map(told).collect();
        Ok(Listing { mark: server.mark(), messages, ..Listing::default() })
    }

    fn flags(&mut self, _: &Folder, before: u32, take: &mut Part<'_>) -> Result<bool> {
        let (messages, tells) = {
            let mut server = lock(&self.0);
            server.told += 1;
            if server.breaks {
                return Err(Error::other("the server hung up"));
            }
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
        lock(&self.0).tried += 1;
        if lock(&self.0).broken {
            return Err(Error::other("it is broken"));
        }
        for (at, message) in messages.iter().enumerate() {
            let body = {
                let mut server = lock(&self.0);
                let body = match server.messages.get(&message.uid) {
                    None => Err(Refusal::Gone),
                    Some(_) if server.withheld.contains(&message.uid) => Err(Refusal::Gone),
                    Some(_) if server.refused.contains(&message.uid) => Err(Refusal::Refused("no".into())),
                    Some((subject, _)) if server.shrunk.contains(&message.uid) => {
                        let (mut file, bytes) = (tempfile::tempfile().unwrap(), bytes(subject));
                        file.write_all(&bytes).unwrap();
                        Ok(Body::Spooled(file, bytes.len() as u64 + 1))
                    }
                    Some((subject, _)) => Ok(Body::Held(bytes(subject))),
                };
                server.given += u32::from(body.is_ok());
                body
            };
            take(at, body)?;
        }
        Ok(())
    }
}

pub struct Lab {
    pub temp: TempDir,
    pub host: &'static str,
    pub server: Arc<Mutex<Server>>,
    pub store: RefCell<Arc<dyn Store>>,
    pub only: MessageRules,
    /// What time it is.
    pub now: Cell<Timestamp>,
}

impl Lab {
    pub fn new() -> Self {
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
    pub fn other(&self) -> Self {
        let (temp, server) = (tempfile::tempdir().unwrap(), Arc::clone(&self.server));
        let (only, now) = (self.only.clone(), self.now.clone());
        Self { temp, host: "pi", server, store: self.store.clone(), only, now }
    }

    pub fn new_vault(&self) {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let options = Options { compression: 3, host: "nas".into(), ..Options::default() };
        Vault::create(Arc::clone(&store), "x", &options).unwrap();
        *self.store.borrow_mut() = store;
    }

    pub fn server(&self, change: impl FnOnce(&mut Server)) {
        change(&mut lock(&self.server));
    }

    pub fn wait_for_days(&self, days: i64) {
        self.now.set(self.now.get() + SignedDuration::from_hours(24 * days));
    }

    pub fn opened(&self) -> Vault {
        self.vault(self.store(&VaultPlace::Folder("/v".into())).unwrap()).unwrap()
    }

    /// How many messages can be read in the newest snapshot of this machine.
    pub fn readable(&self) -> u64 {
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

    pub fn known(&self) -> Catalogue {
        Catalogue::open(&self.temp.path().join("state"), "mail", &"ab".repeat(32)).unwrap()
    }

    /// How many of the first messages have this flag and no other.
    pub fn flagged(&self, validity: u32, flag: &str) -> usize {
        let known = self.known();
        let keys: Vec<_> = (1..10).map(|uid| format!("{validity}.{uid}")).collect();
        let inbox = known.folders().unwrap()[0].id;
        let all = known.known(inbox, keys.iter().map(String::as_str)).unwrap().into_iter().flatten();
        all.filter(|message| message.facts.flags == [flag]).count()
    }

    /// Runs. Status, messages that are new, messages in the archive.
    pub fn run(&self) -> (Status, u64, u64) {
        let outcome = self.outcome();
        assert_eq!(outcome.error, None);
        (outcome.status, outcome.counts.created, outcome.counts.files)
    }

    /// Runs.
    pub fn outcome(&self) -> Outcome {
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
        request.run()
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

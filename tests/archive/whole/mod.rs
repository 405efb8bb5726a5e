//! Archives as a whole, from outside: the binary, a real server, and restic as the judge.

mod faults;
mod flags;
mod killed;
mod large;
mod life;
mod lost;
mod mails;
mod on_mail;
mod out;
mod played;
mod pop3;
mod several;
mod shared;
mod verify;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use jiff::Timestamp;
use postkeep::mail::imap::{Appended, Dialer, Item, Outgoing, Selected, Session};
use postkeep::mail::secret;
use postkeep::profile::{Imap, SecretSource, Tls};
use serde_json::Value;

use crate::common::{Ran, Sandbox, left_out};
use crate::lab::{Lab, PASSWORD};

/// The vaults' password.
const VAULT_PASSWORD: &str = "correct horse";

/// A sandbox with a profile `mail` that archives a user's mailbox into `vault`.
struct Archive {
    sandbox: Sandbox,
    account: Imap,
}

impl Archive {
    /// Of a mailbox in which there is nothing yet.
    fn new(lab: &Lab, user: &str, more: &str) -> Self {
        let account = lab.mailbox(user, Tls::None);
        let archive = Self { sandbox: Sandbox::new(), account };
        archive.secret("secret", PASSWORD);
        archive.secret("vault-password", VAULT_PASSWORD);
        archive.through(archive.account.port);
        let mut session = archive.session();
        let folders = session.folders(false).unwrap();
        for folder in folders.iter().filter(|folder| folder.path != "INBOX") {
            session.delete(&folder.path).unwrap();
        }
        archive.empty("INBOX");
        archive.profile("imap:box", more);
        archive.run(&["vault", "init", "mail"]).expect(0);
        archive
    }

    /// Writes the account `box`, reached through a port.
    fn through(&self, port: u16) {
        let (user, secret) = (&self.account.login.user, self.sandbox.path("secret"));
        self.sandbox.write(
            "config/postkeep.toml",
            &format!(
                "[accounts.box]\nuser = {user:?}\npassword-file = {secret:?}\n\
                 imap = {{ host = \"127.0.0.1\", port = {port}, tls = \"none\" }}\n\
                 [report]\nto = [\"ann@example.org\"]\non = [\"success\", \"warning\", \"failure\"]\n"
            ),
        );
    }

    fn profile(&self, source: &str, more: &str) {
        let (vault, password) = (self.sandbox.path("vault"), self.sandbox.path("vault-password"));
        self.sandbox.write(
            "config/profiles/mail.toml",
            &format!(
                "kind = \"archive\"\nsource = {source:?}\nvault = {vault:?}\nvault-password-file = {password:?}\n{more}\n"
            ),
        );
    }

    fn secret(&self, path: &str, secret: &str) {
        self.sandbox.write(path, &format!("{secret}\n"));
        fs::set_permissions(self.sandbox.path(path), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn session(&self) -> Session {
        let secret = secret::fetch(&SecretSource::File(self.sandbox.path("secret"))).unwrap();
        Dialer::new(self.account.clone(), secret).open().unwrap()
    }

    /// Takes everything out of a folder.
    fn empty(&self, folder: &str) {
        let mut session = self.session();
        let selected = session.select(folder).unwrap();
        let all = uids(&mut session, selected);
        if !all.is_empty() {
            session.expunge(&all).unwrap();
        }
    }

    /// Puts messages into a folder, which is made if it is not there; each came a minute after the one before.
    fn append(&self, folder: &str, from: i64, messages: &[Vec<u8>]) {
        let mut session = self.session();
        if folder != "INBOX" && !session.folders(false).unwrap().iter().any(|one| one.path == folder) {
            session.create(folder).unwrap();
        }
        let outgoing = messages.iter().zip(from..).map(|(message, minute)| Outgoing {
            body: Box::new(message.clone()),
            flags: &["\\Seen"],
            internal_date: Some(Timestamp::from_second(1_700_000_000 + 60 * minute).unwrap()),
        });
        let (results, failed) = session.append_all(folder, outgoing.collect());
        assert!(failed.is_none(), "{failed:?}");
        assert!(results.iter().all(|result| matches!(result, Appended::Stored(_))), "{results:?}");
    }

    /// The bytes of all messages of a folder, as the server gives them, by UID.
    fn messages(&self, folder: &str) -> BTreeMap<u32, Vec<u8>> {
        let mut session = self.session();
        let selected = session.examine(folder).unwrap();
        let uids = uids(&mut session, selected);
        let fetch = |uid: &u32| (*uid, session.fetch_one(*uid, Item::Message, 64 << 20).unwrap().unwrap());
        uids.iter().map(fetch).collect()
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.sandbox.run(args)
    }

    /// What a verb prints for programs.
    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat()).expect(0);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
    }

    /// Runs the profile; the outcome, and the exit code.
    fn pull(&self) -> (i32, Value) {
        let ran = self.run(&["run", "mail", "--json"]);
        let runs: Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", ran.stdout, ran.stderr));
        // A run that was killed before is told first.
        let is_ours = |run: &&Value| run["run"]["profile"] == "mail";
        let last = runs.as_array().and_then(|runs| runs.iter().rfind(is_ours)).cloned().unwrap_or_default();
        assert!(last["run"]["outcome"].is_object(), "{} {}", ran.stdout, ran.stderr);
        (ran.code, last["run"]["outcome"].clone())
    }

    /// Runs the profile, which is to end so, with so many new messages.
    #[track_caller]
    fn pulled(&self, status: &str, new: u64) -> Value {
        let (_, outcome) = self.pull();
        let created = outcome["counts"]["created"].as_u64().unwrap_or_default();
        assert_eq!((outcome["status"].as_str(), created), (Some(status), new), "{outcome:#}");
        outcome
    }

    /// All messages of the newest snapshot as restic restores them: path below the archive's root, and bytes.
    fn restored(&self) -> Option<BTreeMap<PathBuf, Vec<u8>>> {
        let target = self.sandbox.path("restored");
        let _ = fs::remove_dir_all(&target);
        self.restic(&["restore", "latest", "--target", target.to_str().unwrap()])?;
        let files = walkdir::WalkDir::new(&target).into_iter().map(Result::unwrap);
        let files = files.filter(|file| file.file_type().is_file());
        let read = |file: walkdir::DirEntry| {
            let path = file.path().strip_prefix(&target).unwrap().to_owned();
            (path, fs::read(file.path()).unwrap())
        };
        Some(files.map(read).collect())
    }

    fn restic(&self, args: &[&str]) -> Option<String> {
        let mut command = Command::new("restic");
        command.args(["-r", self.sandbox.path("vault").to_str().unwrap(), "--no-cache"]).args(args);
        command.env("RESTIC_PASSWORD", VAULT_PASSWORD);
        match command.output() {
            Ok(ran) => {
                assert!(ran.status.success(), "{args:?} {}", String::from_utf8_lossy(&ran.stderr));
                Some(String::from_utf8_lossy(&ran.stdout).into_owned())
            }
            Err(_) => {
                left_out("restic is not installed");
                None
            }
        }
    }
}

/// The UIDs in the folder that is open.
fn uids(session: &mut Session, selected: Selected) -> Vec<u32> {
    let all: Vec<u32> = (1..selected.uid_next.unwrap()).collect();
    let found = session.fetch_all(&all, &[Item::Size]).unwrap();
    found.iter().filter_map(|message| message.uid).collect()
}

/// All messages are there, each once.
fn whole(archive: &Archive, expected: &[Vec<u8>]) {
    let Some(restored) = archive.restored() else { return };
    let (mut there, mut expected): (Vec<_>, _) = (restored.into_values().collect(), expected.to_vec());
    there.sort();
    expected.sort();
    assert_eq!(there.len(), expected.len());
    assert!(there == expected, "other messages are there");
    archive.restic(&["check"]);
}

/// A message that is none of the others.
fn letter(number: u64) -> Vec<u8> {
    let line =
        format!("This is the text of message {number}. ").repeat(usize::try_from(number % 50).unwrap() + 1);
    format!(
        "From: Ann <ann{number}@example.org>\r\nTo: me@example.org\r\nSubject: letter {number}\r\n\
         Message-ID: <{number}@example.org>\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n\r\n{line}\r\n"
    )
    .into_bytes()
}

fn letters(numbers: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    numbers.map(letter).collect()
}

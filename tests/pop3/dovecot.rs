//! Against a real server.

use std::collections::BTreeMap;
use std::path::Path;

use postkeep::error::Result;
use postkeep::mail::imap::{self, Appended, Fetched, Item, Outgoing, Request, Section};
use postkeep::mail::pop3::{Dialer, Failed, Session, Sink, Stat, look};
use postkeep::mail::secret::{self, Secret};
use postkeep::mail::{Fault, FaultKind};
use postkeep::profile::{SecretSource, Tls};

use crate::common::Sandbox;
use crate::lab::{self, Lab, PASSWORD};

fn secret(text: &str) -> Secret {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    secret::fetch(&SecretSource::File(path)).unwrap()
}

/// A session; None where there is no server.
fn open(lab: &Lab, user: &str) -> Option<std::result::Result<Session, Fault>> {
    Some(Dialer::new(lab.maildrop(user, Tls::Implicit)?, secret(PASSWORD)).open())
}

/// Puts messages into a user's INBOX by IMAP; the UIDs of those that are taken.
fn fill(lab: &Lab, user: &str, messages: Vec<Vec<u8>>) -> (imap::Session, Vec<u32>) {
    let mut session = imap::Dialer::new(lab.mailbox(user, Tls::Implicit), secret(PASSWORD)).open().unwrap();
    let outgoing = |body| Outgoing { body: Box::new(body), flags: &[], internal_date: None };
    let (results, failed) = session.append_all("INBOX", messages.into_iter().map(outgoing).collect());
    assert!(failed.is_none(), "{failed:?}");
    let uids = results.into_iter().filter_map(|result| match result {
        Appended::Stored(uid) => Some(uid.unwrap().1),
        Appended::Refused { .. } => None,
        other => panic!("{other:?}"),
    });
    (session, uids.collect())
}

/// Holds messages by number or UID.
#[derive(Default)]
struct Held {
    now: Vec<u8>,
    all: BTreeMap<u32, Vec<u8>>,
}

impl Sink for Held {
    fn begin(&mut self, _: u32) -> Result<()> {
        self.now.clear();
        Ok(())
    }
    fn bytes(&mut self, part: &[u8]) -> Result<()> {
        self.now.extend_from_slice(part);
        Ok(())
    }
    fn end(&mut self, number: u32, _: u64) -> Result<()> {
        self.all.insert(number, std::mem::take(&mut self.now));
        Ok(())
    }
}

impl imap::Sink for Held {
    fn begin(&mut self, _: &Fetched, _: Section, _: u64) -> Result<()> {
        self.now.clear();
        Ok(())
    }
    fn bytes(&mut self, part: &[u8]) -> Result<()> {
        self.now.extend_from_slice(part);
        Ok(())
    }
    fn end(&mut self, message: Fetched) -> Result<()> {
        self.all.insert(message.uid.unwrap(), std::mem::take(&mut self.now));
        Ok(())
    }
}

/// All messages by IMAP and by POP3, each in the mailbox's order.
fn both(lab: &Lab, user: &str, sent: Vec<Vec<u8>>) -> Option<[Vec<Vec<u8>>; 2]> {
    lab.maildrop(user, Tls::Implicit)?;
    let (mut session, uids) = fill(lab, user, sent);
    session.select("INBOX").unwrap();
    let requests = uids.chunks(100).map(|uids| Request {
        uids: uids.to_vec(),
        items: vec![Item::Message],
        expected: 1 << 20,
    });
    let mut by_imap = Held::default();
    assert!(session.fetch(requests, &mut by_imap).unwrap().is_empty());
    session.logout();

    let mut session = open(lab, user)?.unwrap();
    let stat = session.stat().unwrap();
    assert_eq!(stat.messages as usize, uids.len());
    let ids = session.uidl().unwrap().known;
    let sizes = session.list().unwrap();
    assert_eq!((ids.len(), sizes.len()), (uids.len(), uids.len()));
    let mut by_pop3 = Held::default();
    assert!(session.offers().has("PIPELINING"));
    assert!(session.fetch(1..=stat.messages, &mut by_pop3).unwrap().is_empty());
    session.quit();

    // Nothing is gone, and what is new gets an id that none has.
    let (_, _) = fill(lab, user, vec![b"Subject: new\r\n\r\n".to_vec()]);
    let mut session = open(lab, user)?.unwrap();
    let later = session.uidl().unwrap().known;
    assert_eq!((&later[..ids.len()], later.len()), (&ids[..], ids.len() + 1));
    assert!(ids.iter().all(|(_, id)| *id != later[ids.len()].1));
    session.quit();
    Some([by_imap, by_pop3].map(|held| held.all.into_values().collect()))
}

/// That POP3 gives what IMAP gives. Each has one thing that it cannot say: POP3 that a message does not end with a line's
/// end, for the end of its answer has a line of its own (RFC 1939, 3); IMAP a NUL (RFC 9051, 9), for which Dovecot says
/// 0x80.
fn same([by_imap, by_pop3]: &[Vec<Vec<u8>>; 2]) {
    assert_eq!(by_imap.len(), by_pop3.len());
    for (number, (imap, pop3)) in by_imap.iter().zip(by_pop3).enumerate() {
        let pop3: Vec<u8> = pop3.iter().map(|byte| if *byte == 0 { 0x80 } else { *byte }).collect();
        let whole = if imap.ends_with(b"\r\n") { &b""[..] } else { b"\r\n" };
        if pop3.strip_prefix(imap.as_slice()) == Some(whole) {
            continue;
        }
        let at = imap.iter().zip(&pop3).take_while(|(one, other)| one == other).count();
        let around = |bytes: &[u8]| {
            let part = &bytes[at.saturating_sub(40)..bytes.len().min(at + 40)];
            String::from_utf8_lossy(part).into_owned()
        };
        panic!("message {number} differs at {at}: {:?}, by POP3 {:?}", around(imap), around(&pop3));
    }
}

#[test]
fn messages_come_as_they_come_by_imap() {
    let Some(lab) = lab::get() else { return };
    let large = format!("Subject: large\r\n\r\n{}", "..dots\r\n.\r\n....\r\n".repeat(200_000)).into_bytes();
    let sent = [
        &b"Subject: one\r\n\r\n.\r\n..\r\n.x\r\nthe end\r\n"[..],
        b"Subject: no end\r\n\r\nwithout an end of a line",
        b"Subject: 8-bit \xff\xfe\r\n\r\n\x80\x81 \r\n\r\n\r\n",
        b"Subject: bare\r\n\r\nbare\rCR and tabs\t\r\n+OK\r\n-ERR\r\n",
        b"\r\n",
        &large,
    ];
    let Some(held) = both(lab, "user36", sent.map(<[u8]>::to_vec).to_vec()) else { return };
    same(&held);
    let sound = |at: usize| held[1][at] == sent[at];
    assert!(sound(0) && sound(2) && sound(5));
}

#[test]
fn real_mails_come_as_they_come_by_imap() {
    let Some(lab) = lab::get() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/mail");
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("left out: the collection of real mails is not beside this checkout");
        return;
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    paths.sort();
    let sent: Vec<_> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let count = sent.len();
    let Some(held) = both(lab, "user37", sent) else { return };
    assert!(count > 100 && held[1].len() == count, "{} of {count} were taken", held[1].len());
    same(&held);
    eprintln!("{count} mails are the same by POP3 and by IMAP");
}

#[test]
fn each_way_to_a_session_and_each_no_is_known() {
    let Some(lab) = lab::get() else { return };
    for tls in [Tls::Implicit, Tls::Starttls, Tls::None] {
        let Some(account) = lab.maildrop("user38", tls) else { return };
        let steps = look(&account, &secret(PASSWORD), Default::default());
        let names: Vec<_> = steps.iter().map(|step| step.name).collect();
        let tls: &[_] = if tls == Tls::None { &[] } else { &["tls"] };
        let expected = [&["resolve", "connect"], tls, &["login", "mailbox", "offers"]].concat();
        assert_eq!(names, expected, "{steps:?}");
        assert!(steps.iter().all(|step| step.result.is_ok()), "{steps:?}");
    }
    let Some(account) = lab.maildrop("user38", Tls::Implicit) else { return };
    let fault = Dialer::new(account.clone(), secret("wrong")).open().unwrap_err();
    assert_eq!(fault.kind, FaultKind::Login, "{:?}", fault.error);
    assert!(fault.error.one_line().contains("[AUTH]"), "{:?}", fault.error);

    let mut untrusted = account.clone();
    untrusted.ca_file = None;
    let fault = Dialer::new(untrusted, secret(PASSWORD)).open().unwrap_err();
    assert_eq!(fault.kind, FaultKind::Down);
    assert!(fault.error.one_line().contains("does not trust"), "{:?}", fault.error);

    let mut session = Dialer::new(account, secret(PASSWORD)).open().unwrap();
    assert_eq!(session.stat().unwrap(), Stat { messages: 0, bytes: 0 });
    assert!(session.uidl().unwrap().known.is_empty() && session.list().unwrap().is_empty());
    let failed = session.retr(1, &mut |_| Ok(())).unwrap_err();
    assert!(matches!(failed, Failed::No(_)), "{failed:?}");
    session.noop().unwrap();
    session.quit();

    fill(lab, "user38", vec![b"Subject: x\r\n\r\na\r\nb\r\nc\r\n".to_vec()]);
    let mut session = open(lab, "user38").unwrap().unwrap();
    let mut top = Vec::new();
    let mut sink = |part: &[u8]| {
        top.extend_from_slice(part);
        Ok(())
    };
    session.top(1, 1, &mut sink).unwrap();
    assert_eq!(top, b"Subject: x\r\n\r\na\r\n");
}

#[test]
fn an_account_is_tested_by_pop3_too() {
    let Some(lab) = lab::get() else { return };
    let Some(maildrop) = lab.maildrop("user39", Tls::Starttls) else { return };
    fill(lab, "user39", vec![b"Subject: x\r\n\r\n".to_vec()]);
    let sandbox = Sandbox::new();
    // Writes the secret.
    lab.account("implicit", &sandbox.path("secret"));
    let (secret, ca, port) = (sandbox.path("secret"), lab.ca_file(), maildrop.port);
    let text = format!(
        "[accounts.box]\nuser = \"user39\"\npassword-file = {secret:?}\n\
         pop3 = {{ host = \"localhost\", port = {port}, tls = \"starttls\", ca-file = {ca:?} }}\n"
    );
    sandbox.write("config/postkeep.toml", &text);
    let tested = sandbox.run(&["account", "test", "box"]).expect(0).stdout;
    for part in [
        "issued by postkeep's lab",
        "login    user39 (PLAIN)",
        "mailbox  1 message, ",
        "offers   UIDL, TOP, PIPELINING",
    ] {
        assert!(tested.contains(part), "{part} in {tested}");
    }
    let full = sandbox.run(&["account", "test", "box", "--full"]).expect(0).stdout;
    assert!(full.contains("kind     pop3, own server") && !full.contains("localhost"), "{full}");
    assert!(!full.contains("user39"), "{full}");
    let json = sandbox.run(&["account", "list", "--json"]).expect(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["accounts"][0]["kind"], "pop3");
    assert_eq!(json["accounts"][0]["where"], format!("localhost:{port}"));

    std::fs::write(sandbox.path("secret"), "wrong\n").unwrap();
    let tested = sandbox.run(&["account", "test", "box", "--json"]).expect(1).stdout;
    let json: serde_json::Value = serde_json::from_str(&tested).unwrap();
    let last = json["pop3"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["step"], &last["ok"]), (&"login".into(), &false.into()), "{json}");
}

//! Against a real server.

use std::collections::HashMap;

use postkeep::error::Result;
use postkeep::mail::FaultKind;
use postkeep::mail::imap::{
    Appended, Dialer, Fetched, Item, Meaning, Outgoing, Request, Section, Session, Sink, look,
};
use postkeep::mail::secret::{self, Secret};
use postkeep::profile::{SecretSource, Tls};

use crate::lab::{self, Lab, PASSWORD};

fn secret(text: &str) -> Secret {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    secret::fetch(&SecretSource::File(path)).unwrap()
}

fn open(lab: &Lab, user: &str) -> Session {
    Dialer::new(lab.mailbox(user, Tls::Implicit), secret(PASSWORD)).open().unwrap()
}

/// A message of some size that no other is equal to.
fn message(number: usize, size: usize) -> Vec<u8> {
    let mut text = format!("Message-ID: <{number}@x.test>\r\nSubject: {number}\r\n\r\n").into_bytes();
    while text.len() < size {
        text.extend_from_slice(
            format!("line {} of message {number}, * BYE {{5}}\r\n", text.len()).as_bytes(),
        );
    }
    text
}

fn outgoing(body: Vec<u8>) -> Outgoing {
    Outgoing { body: Box::new(body), flags: &["\\Seen"], internal_date: "2020-02-29T12:00:00Z".parse().ok() }
}

/// Holds everything, by UID.
#[derive(Default)]
struct Held {
    body: Vec<u8>,
    all: HashMap<u32, (Fetched, Vec<u8>)>,
}

impl Sink for Held {
    fn begin(&mut self, _: &Fetched, _: Section, _: u64) -> Result<()> {
        self.body.clear();
        Ok(())
    }
    fn bytes(&mut self, part: &[u8]) -> Result<()> {
        self.body.extend_from_slice(part);
        Ok(())
    }
    fn end(&mut self, message: Fetched) -> Result<()> {
        self.all.insert(message.uid.unwrap(), (message, std::mem::take(&mut self.body)));
        Ok(())
    }
}

#[test]
fn messages_go_there_and_come_back_byte_by_byte() {
    let Some(lab) = lab::get() else { return };
    let mut session = open(lab, "user30");
    let folder = "Backups/Büro & \"Co\"";
    session.create(folder).unwrap();
    let sizes = [200, 5000, 70_000, 300];
    let sent: Vec<Vec<u8>> =
        (0..200).map(|n| message(n, sizes[n % 4])).chain([message(200, 6 << 20)]).collect();
    let (results, failed) = session.append_all(folder, sent.iter().cloned().map(outgoing).collect());
    assert!(failed.is_none(), "{failed:?}");
    let selected = session.select(folder).unwrap();
    assert_eq!((selected.messages, selected.read_only), (201, false));
    let uids: Vec<u32> = results
        .iter()
        .map(|result| match result {
            Appended::Stored(Some((validity, uid))) if *validity == selected.uid_validity => *uid,
            other => panic!("{other:?}"),
        })
        .collect();

    let items = vec![Item::Size, Item::Flags, Item::InternalDate, Item::Message];
    let requests =
        uids.chunks(7).map(|uids| Request { uids: uids.to_vec(), items: items.clone(), expected: 1 << 20 });
    let mut held = Held::default();
    assert!(session.fetch(requests, &mut held).unwrap().is_empty());
    assert_eq!(held.all.len(), 201);
    for (uid, sent) in uids.iter().zip(&sent) {
        let (fetched, body) = &held.all[uid];
        assert!(body == sent, "message {uid} came back different");
        assert_eq!(fetched.size, Some(sent.len() as u64));
        assert!(fetched.flags.iter().flatten().any(|flag| flag == "\\Seen"));
        assert_eq!(fetched.internal_date.unwrap().to_string(), "2020-02-29T12:00:00Z");
    }

    let text_at = sent[200].windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let part = session.fetch_one(uids[200], Item::TextRange(1_000_000, 5000), 5000).unwrap().unwrap();
    assert!(part == sent[200][text_at + 1_000_000..text_at + 1_005_000]);
    assert_eq!(session.fetch_one(99_999, Item::Message, 100).unwrap(), None);

    assert_eq!(session.search_header("Message-ID", "<17@x.test>").unwrap(), [uids[17]]);
    session.expunge(&uids[10..20]).unwrap();
    assert!(session.search_header("Message-ID", "<17@x.test>").unwrap().is_empty());
    let mut left = Vec::new();
    session.fetch_from(uids[5], &[Item::Fields(&["MESSAGE-ID"])], |message| left.push(message)).unwrap();
    assert_eq!(left.len(), 201 - 5 - 10);
    assert_eq!(left[0].header.as_deref(), Some(&b"Message-ID: <5@x.test>\r\n\r\n"[..]));

    session.create("Trash").unwrap();
    session.move_to(&uids[5..6], "Trash").unwrap();
    assert_eq!(session.status("Trash").unwrap().messages, Some(1));
    let folders = session.folders(true).unwrap();
    let found = folders.iter().find(|found| found.path == folder).unwrap();
    assert_eq!(found.status.unwrap().messages, Some(190));
    assert_eq!(session.status(folder).unwrap().uid_validity, Some(selected.uid_validity));
    assert!(session.meter().traffic().up > 6 << 20 && session.meter().traffic().down > 6 << 20);
    session.logout();
}

#[test]
fn each_way_to_a_session_and_each_no_is_known() {
    let Some(lab) = lab::get() else { return };
    for tls in [Tls::Implicit, Tls::Starttls, Tls::None] {
        let steps = look(&lab.mailbox("user31", tls), &secret(PASSWORD), Default::default());
        let names: Vec<_> = steps.iter().map(|step| step.name).collect();
        let tls: &[_] = if tls == Tls::None { &[] } else { &["tls"] };
        assert_eq!(
            names,
            [&["resolve", "connect"], tls, &["login", "limits", "offers"]].concat(),
            "{steps:?}"
        );
        assert!(steps.iter().all(|step| step.result.is_ok()), "{steps:?}");
    }

    let fault = Dialer::new(lab.mailbox("user31", Tls::Implicit), secret("wrong")).open().unwrap_err();
    assert_eq!(fault.kind, FaultKind::Login, "{:?}", fault.error);
    assert!(fault.error.one_line().contains("AUTHENTICATIONFAILED"), "{:?}", fault.error);

    let mut untrusted = lab.mailbox("user31", Tls::Implicit);
    untrusted.ca_file = None;
    let fault = Dialer::new(untrusted, secret(PASSWORD)).open().unwrap_err();
    assert_eq!(fault.kind, FaultKind::Down);
    assert!(fault.error.one_line().contains("does not trust"), "{:?}", fault.error);

    let mut session = open(lab, "user31");
    assert_eq!(session.select("None").unwrap_err().meaning(), Meaning::Missing);
    let (results, failed) =
        session.append_all("None", vec![outgoing(message(1, 100)), outgoing(message(2, 9))]);
    assert!(failed.is_none());
    for result in results {
        let Appended::Refused { no, .. } = result else { panic!("{result:?}") };
        assert_eq!(no.meaning(), Meaning::Missing);
    }
    assert!(!session.is_broken());
    session.create("Some").unwrap();
    assert!(session.create("Some").is_err());
    session.noop().unwrap();
}

#[test]
fn a_full_mailbox_says_so() {
    let Some(lab) = lab::get() else { return };
    let mut session = open(lab, "user32");
    let before = session.quota("INBOX").unwrap().unwrap();
    assert_eq!((before.used, before.limit), (0, 48 << 20));
    let large = || outgoing(message(1, 10 << 20));
    let (results, failed) = session.append_all("INBOX", (0..6).map(|_| large()).collect());
    assert!(failed.is_none(), "{failed:?}");
    for (number, result) in results.iter().enumerate() {
        match result {
            Appended::Stored(Some(_)) if number < 4 => {}
            Appended::Refused { no, together: 1 } if number >= 4 => {
                assert_eq!(no.meaning(), Meaning::OverQuota, "{no}");
            }
            other => panic!("{number}: {other:?}"),
        }
    }
    let after = session.quota("INBOX").unwrap().unwrap();
    // The server keeps line ends as one byte.
    assert!(after.used >= 36 << 20 && after.used <= after.limit, "{after:?}");
}

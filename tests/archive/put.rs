//! Messages back to a server: all of them, once, as they were.

mod refused;

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postkeep::archive::marks::Marks;
use postkeep::archive::path::Place;
use postkeep::archive::put::{Done, Putting, Rivals, Target};
use postkeep::archive::stored::Stored;
use postkeep::error::{Error, Kind, Result};
use postkeep::mail::imap::{Change, Dialer, Fetched, Item, Request, Section, Session, Sink};
use postkeep::mail::secret::{self, Secret};
use postkeep::profile::{Imap, SecretSource, Tls};
use postkeep::progress::Meter;
use sha2::{Digest, Sha256};

use crate::imap::script;
use crate::lab::proxy::{Fault, Proxy};
use crate::lab::{self, Lab, PASSWORD};

/// Messages as they lie in an archive.
#[derive(Default)]
struct Archive {
    messages: Vec<Stored>,
    bytes: HashMap<String, Vec<u8>>,
}

impl Archive {
    fn add(&mut self, folder: &str, message_id: Option<&str>, flags: &str, date: Timestamp, bytes: Vec<u8>) {
        let key = self.messages.len().to_string();
        let flags = flags.split_whitespace().map(str::to_owned).collect();
        let (sha256, message_id) = (Sha256::digest(&bytes).into(), message_id.map(str::to_owned));
        let marks = Marks { flags, sha256, message_id, subject: format!("mail {key}"), ..Marks::default() };
        let place = Place { account: "old".into(), folder: folder.into(), date, key: key.clone() };
        self.messages.push(Stored { place, marks, size: bytes.len() as u64 });
        self.bytes.insert(key, bytes);
    }

    /// Messages of all sorts: without a Message-ID, with one that nobody looked at, with line ends of Unix, twice.
    fn of_all_sorts(folders: &[&str], count: usize) -> Self {
        let mut archive = Self::default();
        let start: Timestamp = "2001-02-03T04:05:06Z".parse().unwrap();
        for n in 0..count {
            // One that is there twice.
            let n = if n == 13 { 13 - folders.len() } else { n };
            let mut text = format!("From: ann@example.org\r\nSubject: mail {n}\r\n");
            let id = format!("<{n}@x.test>");
            if n % 10 != 0 {
                text.push_str(&format!("Message-ID: {id}\r\n"));
            }
            text.push_str("\r\n");
            (0..1 + n * 37 % 100)
                .for_each(|line| text.push_str(&format!("line {line} of {n}, {{5}} * BYE\r\n")));
            if n % 25 == 1 || n % 50 == 20 {
                text = text.replace('\r', "");
            }
            let flags = ["", "\\Seen", "\\Seen \\Answered $Label1", "\\Flagged", "\\Draft no(keyword"][n % 5];
            let known = Some(id.as_str()).filter(|_| n % 10 != 0 && n % 10 != 5);
            let date = start + SignedDuration::from_hours(i64::try_from(n).unwrap());
            archive.add(folders[n % folders.len()], known, flags, date, text.into_bytes());
        }
        archive
    }

    fn put(&self, target: Target) -> (Result<()>, Done) {
        self.put_some(target, |_| true)
    }

    /// Puts those messages that are wanted.
    fn put_some(&self, target: Target, wanted: impl Fn(&Stored) -> bool) -> (Result<()>, Done) {
        let meter = Meter::default();
        let mut putting = Putting::new(target, &meter);
        let rivals = self.rivals(&mut putting, &wanted);
        let mut read = |message: &Stored| {
            self.bytes.get(&message.place.key).cloned().ok_or_else(|| Error::other("it is gone"))
        };
        let some: Vec<_> = self.messages.iter().filter(|message| wanted(message)).cloned().collect();
        let put = |rivals| some.chunks(170).try_for_each(|some| putting.put(some, &rivals, &mut read));
        let result = rivals.and_then(put);
        let done = putting.finish();
        let snapshot = meter.snapshot();
        assert_eq!((snapshot.files_done, snapshot.bytes_done), (done.put, done.bytes));
        (result, done)
    }

    fn rivals(&self, putting: &mut Putting<'_>, wanted: impl Fn(&Stored) -> bool) -> Result<Rivals> {
        let mut survey = putting.survey()?;
        self.messages.iter().for_each(|message| survey.add(message, wanted(message)));
        Ok(survey.rivals())
    }

    /// What a folder is to have of it.
    fn expected(&self, folder: &str) -> Vec<Held> {
        let messages = self.messages.iter().filter(|message| message.place.folder == folder);
        let mut all: Vec<Held> = messages
            .map(|message| {
                let text = String::from_utf8(self.bytes[&message.place.key].clone()).unwrap();
                let bytes = text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes();
                let mut flags = message.marks.flags.clone();
                flags.retain(|flag| !flag.contains('('));
                flags.sort();
                (bytes, flags, Some(message.place.date))
            })
            .collect();
        all.sort();
        all
    }
}

/// Bytes, flags, date.
type Held = (Vec<u8>, Vec<String>, Option<Timestamp>);

fn secret() -> Secret {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), PASSWORD).unwrap();
    secret::fetch(&SecretSource::File(file.path().to_owned())).unwrap()
}

fn target(account: Imap, secret: Secret, under: Option<&str>) -> Target {
    let retries = [5, 20, 50, 100].map(Duration::from_millis).to_vec();
    let dialer = Dialer::new(account, secret).patience(script::patience());
    Target { retries, settling: Duration::from_millis(100), ..Target::new(dialer, under.map(str::to_owned)) }
}

fn open(lab: &Lab, user: &str) -> Session {
    Dialer::new(lab.mailbox(user, Tls::Implicit), secret()).open().unwrap()
}

/// All that is in a folder.
fn held(session: &mut Session, folder: &str) -> Vec<Held> {
    #[derive(Default)]
    struct All(Vec<u8>, Vec<Held>);
    impl Sink for All {
        fn begin(&mut self, _: &Fetched, _: Section, _: u64) -> Result<()> {
            self.0.clear();
            Ok(())
        }
        fn bytes(&mut self, part: &[u8]) -> Result<()> {
            self.0.extend_from_slice(part);
            Ok(())
        }
        fn end(&mut self, message: Fetched) -> Result<()> {
            let mut flags = message.flags.unwrap_or_default();
            flags.retain(|flag| flag != "\\Recent");
            flags.sort();
            self.1.push((std::mem::take(&mut self.0), flags, message.internal_date));
            Ok(())
        }
    }
    session.select(folder).unwrap();
    let mut uids = Vec::new();
    session.fetch_from(1, &[Item::Size], |message| uids.extend(message.uid)).unwrap();
    let items = vec![Item::Flags, Item::InternalDate, Item::Message];
    let requests =
        uids.chunks(100).map(|uids| Request { uids: uids.to_vec(), items: items.clone(), expected: 1 << 20 });
    let mut all = All::default();
    assert!(session.fetch(requests, &mut all).unwrap().is_empty());
    all.1.sort();
    all.1
}

#[test]
fn five_hundred_messages_are_there_once_however_often_they_are_put() {
    let Some(lab) = lab::get() else { return };
    put_again_and_again(&lab.mailbox("user29", Tls::Implicit), "Büro/2024 & \"mehr\"");
}

#[test]
fn cyrus_gets_them_once_as_well() {
    let Some(cyrus) = lab::cyrus::get() else { return };
    let account = script::account(cyrus.port);
    put_again_and_again(&account, "Büro/2024, mehr");
    // Cyrus has few signs in names.
    let archive = Archive::of_all_sorts(&["a.b/\"x\" & *"], 3);
    for put in [3, 0] {
        let (result, done) = archive.put(target(account.clone(), secret(), None));
        result.unwrap();
        assert_eq!((done.put, done.failures.errors), (put, 0), "{:?}", done.failures.list.first());
    }
}

fn put_again_and_again(account: &Imap, more: &str) {
    let folders = ["INBOX", more, "Alt"];
    let archive = Archive::of_all_sorts(&folders, 500);
    let to = || target(account.clone(), secret(), Some("Zurück"));
    let meter = Meter::default();
    let plan = Putting::new(to(), &meter).plan(&archive.messages).unwrap();
    let sums: Vec<_> = plan.values().map(|planned| (planned.put, planned.present, planned.exists)).collect();
    assert_eq!(sums, [(166, 0, false), (167, 0, false), (167, 0, false)], "{plan:?}");

    let (result, done) = archive.put(to());
    result.unwrap();
    assert_eq!(
        (done.put, done.present, done.failures.errors),
        (500, 0, 0),
        "{:?}",
        done.failures.list.first()
    );
    assert_eq!((done.made.len(), done.dropped), (3, 100), "{done:?}");
    let mut session = Dialer::new(account.clone(), secret()).open().unwrap();
    for folder in folders {
        let (there, expected) = (held(&mut session, &format!("Zurück/{folder}")), archive.expected(folder));
        assert!(there == expected, "{folder}: {} of {}", there.len(), expected.len());
    }

    let (result, again) = archive.put(to());
    result.unwrap();
    assert_eq!(
        (again.put, again.present, again.failures.errors),
        (0, 500, 0),
        "{:?}",
        again.failures.list.first()
    );
    let plan = Putting::new(to(), &meter).plan(&archive.messages).unwrap();
    assert!(plan.values().all(|planned| planned.put == 0 && planned.exists), "{plan:?}");
    // One that somebody deleted comes again, and that one alone.
    session.select("Zurück/Alt").unwrap();
    session.expunge(&[1]).unwrap();
    assert_eq!(archive.put(to()).1.put, 1);
    assert!(held(&mut session, "Zurück/Alt") == archive.expected("Alt"));
}

#[test]
fn a_message_stands_for_no_other_one_whatever_its_message_id_says() {
    let Some(lab) = lab::get() else { return };
    let mail = |text: &str| format!("Message-ID: <same@x>\r\n\r\n{text}\r\n").into_bytes();
    let (day, other): (Timestamp, Timestamp) =
        ("2026-11-01T00:00:00Z".parse().unwrap(), "2026-11-05T00:00:00Z".parse().unwrap());
    // Of one size; of one second; of both; and of both with one that no server takes.
    for (case, [first, second], [date, later], refused) in [
        (1, ["original", "ATTACKER"], [day, other], 0),
        (2, ["original", "the ATTACKER"], [day, day], 0),
        (3, ["original", "ATTACKER"], [day, day], 0),
        (4, ["origina\0", "ATTACKER"], [day, day], 1),
        (5, ["origina\0", "ATTACKER"], [day, other], 1),
    ] {
        let folder = format!("Gleich{case}");
        let mut archive = Archive::default();
        archive.add(&folder, Some("<same@x>"), "", date, mail(first));
        archive.add(&folder, Some("<same@x>"), "", later, mail(second));
        let mut one = Archive { messages: archive.messages[1..].to_vec(), bytes: archive.bytes.clone() };
        let to = || target(lab.mailbox("user29", Tls::Implicit), secret(), None);
        assert_eq!(one.put(to()).1.put, 1);
        for (put, present) in [(1 - refused, 1), (0, 2 - refused)] {
            let (result, done) = archive.put(to());
            result.unwrap();
            assert_eq!((done.put, done.present, done.failures.errors), (put, present, refused), "{case}");
        }
        let there = held(&mut open(lab, "user29"), &folder);
        if refused == 0 {
            std::mem::swap(&mut one.messages, &mut archive.messages);
            one.bytes = archive.bytes;
        }
        assert!(there == one.expected(&folder), "{case}: {there:?}");
    }
}

#[test]
fn messages_that_pass_for_each_other_are_told_apart_however_few_are_put_at_once() {
    let Some(lab) = lab::get() else { return };
    let mail = |text: &str| format!("Message-ID: <same@x>\r\n\r\n{text}\r\n").into_bytes();
    let other = |n: i64| format!("Message-ID: <{n}@x>\r\n\r\n").into_bytes();
    let mut archive = Archive::default();
    let at = |second| Timestamp::from_second(1_700_000_000 + second).unwrap();
    // One that no server takes, and in another call one of the same Message-ID and second.
    archive.add("Apart", Some("<same@x>"), "", at(0), mail("a\0"));
    (1..200).for_each(|n| archive.add("Apart", Some(&format!("<{n}@x>")), "", at(n), other(n)));
    archive.add("Apart", Some("<same@x>"), "", at(0), mail("the other"));
    let to = || target(lab.mailbox("user29", Tls::Implicit), secret(), None);
    for (put, present) in [(200, 0), (0, 200)] {
        let (result, done) = archive.put(to());
        result.unwrap();
        assert_eq!((done.put, done.present, done.failures.errors), (put, present, 1), "{done:?}");
    }
    // One letter to two accounts, of which one is put after the other.
    let mut archive = Archive::default();
    archive.add("Two", Some("<same@x>"), "", at(0), mail("to Ann"));
    archive.add("Two", Some("<same@x>"), "", at(0), mail("to Bob"));
    archive.messages[1].place.account = "other".into();
    for (account, put) in [("old", 1), ("old", 0), ("other", 1), ("other", 0), ("old", 0)] {
        let (result, done) = archive.put_some(to(), |message| message.place.account == account);
        result.unwrap();
        assert_eq!((done.put, done.present), (put, 1 - put), "{account}");
    }
    assert!(held(&mut open(lab, "user29"), "Two") == archive.expected("Two"));
    // One that had line ends of Unix is as large at the server as the other one.
    let mut archive = Archive::default();
    let unix = String::from_utf8(mail("original")).unwrap().replace('\r', "");
    archive.add("Unix", Some("<same@x>"), "", at(0), unix.into_bytes());
    archive.add("Unix", Some("<same@x>"), "", at(0), mail("ATTACKER"));
    for (keys, put, present) in [("0", 1, 0), ("01", 1, 1), ("01", 0, 2)] {
        let (result, done) = archive.put_some(to(), |message| keys.contains(&message.place.key));
        result.unwrap();
        assert_eq!((done.put, done.present, done.failures.errors), (put, present, 0), "{keys}");
    }
    let there = held(&mut open(lab, "user29"), "Unix");
    assert!(there == archive.expected("Unix"), "{there:?}");
}

#[test]
fn what_is_marked_as_deleted_there_is_put_again() {
    let Some(lab) = lab::get() else { return };
    let mut archive = Archive::default();
    for (n, flags) in ["\\Seen", "", "\\Deleted"].into_iter().enumerate() {
        // With a Message-ID and without.
        let id = format!("<{n}@marked>");
        let text = if n == 1 { "no id\r\n".into() } else { format!("Message-ID: {id}\r\n\r\n") };
        archive.add(
            "Marked",
            Some(id.as_str()).filter(|_| n != 1),
            flags,
            Timestamp::UNIX_EPOCH,
            text.into(),
        );
    }
    let to = || target(lab.mailbox("user29", Tls::Implicit), secret(), None);
    for (put, present) in [(3, 0), (0, 3)] {
        let done = archive.put(to()).1;
        assert_eq!((done.put, done.present, done.failures.errors), (put, present, 0));
    }
    let mut session = open(lab, "user29");
    // The one without a Message-ID was looked for first, and so it was put last.
    session.select("Marked").unwrap();
    session.store(&[1, 3], Change::Add, &["\\Deleted"]).unwrap();
    for (put, present) in [(2, 1), (0, 3)] {
        let done = archive.put(to()).1;
        assert_eq!((done.put, done.present, done.failures.errors), (put, present, 0));
    }
    // As any program may do.
    session.expunge(&[1, 3]).unwrap();
    assert!(held(&mut session, "Marked") == archive.expected("Marked"));
}

#[test]
fn what_was_read_for_one_message_is_compared_with_the_others_too() {
    let Some(lab) = lab::get() else { return };
    let mut archive = Archive::default();
    // A device that gives all its messages one Message-ID; two pairs are of one second and one size. What is read for
    // the first pair is read when the second one comes, in another call.
    for n in 0..200 {
        let second = if n % 170 == 11 { n - 1 } else { n };
        let text = format!("Message-ID: <same@device>\r\n\r\nreading {n:03}\r\n").into_bytes();
        archive.add(
            "Device",
            Some("<same@device>"),
            "",
            Timestamp::from_second(1_700_000_000 + second).unwrap(),
            text,
        );
    }
    for (put, present) in [(200, 0), (0, 200), (0, 200)] {
        let (result, done) = archive.put(target(lab.mailbox("user29", Tls::Implicit), secret(), None));
        result.unwrap();
        assert_eq!((done.put, done.present, done.failures.errors), (put, present, 0));
    }
    assert!(held(&mut open(lab, "user29"), "Device") == archive.expected("Device"));
}

#[test]
fn a_connection_that_breaks_anywhere_costs_and_doubles_nothing() {
    let Some(lab) = lab::get() else { return };
    let archive = Archive::of_all_sorts(&["Box"], 120);
    let size: u64 = archive.messages.iter().map(|message| message.size).sum();
    let mut session = open(lab, "user29");
    let direct = || lab.mailbox("user29", Tls::None);
    let mut happened = 0;
    for number in 0..16 {
        let (fault, gone) = if number % 4 == 3 { (Fault::Gone, true) } else { (Fault::Cut, false) };
        let proxy = Proxy::new(direct().port, fault, 600 + number * (size + 4000) / 16);
        let under = format!("Cut{number}");
        let account = Imap { port: proxy.port, ..direct() };
        let (result, done) = archive.put(target(account, secret(), Some(&under)));
        happened += usize::from(proxy.happened());
        assert_eq!(result.is_err(), gone && proxy.happened(), "{number}: {result:?}");
        assert_eq!(done.failures.errors, 0, "{number}: {:?}", done.failures.list);
        let (result, again) = archive.put(target(direct(), secret(), Some(&under)));
        result.unwrap();
        assert_eq!(again.put + again.present, 120, "{number}: {again:?}");
        if !gone {
            assert_eq!((done.put + done.present, again.put), (120, 0), "{number}: {done:?}");
        }
        let there = held(&mut session, &format!("{under}/Box"));
        assert!(there == archive.expected("Box"), "{number}: {} messages", there.len());
    }
    assert!(happened >= 14, "only {happened} of 16 connections broke");
}

#[test]
fn a_full_mailbox_ends_it_and_says_so() {
    let Some(lab) = lab::get() else { return };
    let mut archive = Archive::default();
    for n in 0..6 {
        let mut text = format!("Message-ID: <{n}@full>\r\n\r\n").into_bytes();
        text.extend(std::iter::repeat_n(*b"0123456789012345678901234567890123456789\r\n", 240_000).flatten());
        archive.add("INBOX", Some(&format!("<{n}@full>")), "", Timestamp::UNIX_EPOCH, text);
    }
    let (result, done) = archive.put(target(lab.mailbox("user19", Tls::Implicit), secret(), None));
    let error = result.unwrap_err();
    assert!(error.hints().iter().any(|hint| hint.contains("make room")), "{error:?}");
    assert!((3..6).contains(&done.put) && done.failures.errors == 0, "{done:?}");
}

#[test]
fn an_archive_that_gives_no_more_today_ends_it_and_fails_no_message() {
    let Some(lab) = lab::get() else { return };
    let archive = Archive::of_all_sorts(&["Paused"], 9);
    let meter = Meter::default();
    let mut putting = Putting::new(target(lab.mailbox("user29", Tls::Implicit), secret(), None), &meter);
    let mut left = 5;
    let mut read = |message: &Stored| {
        left -= 1;
        match left {
            0 => Err(Error::new(Kind::Paused, "no more today")),
            _ => Ok(archive.bytes[&message.place.key].clone()),
        }
    };
    let rivals = archive.rivals(&mut putting, |_| true).unwrap();
    let error = putting.put(&archive.messages, &rivals, &mut read).unwrap_err();
    let done = putting.finish();
    assert_eq!((error.kind(), done.failures.errors), (Kind::Paused, 0), "{error:?} {:?}", done.failures.list);
    let (result, again) = archive.put(target(lab.mailbox("user29", Tls::Implicit), secret(), None));
    result.unwrap();
    assert_eq!((again.put + done.put, again.present), (9, done.put));
}

#[test]
fn a_name_that_the_server_refuses_becomes_another_one() {
    let Some(lab) = lab::get() else { return };
    // The lab's Dovecot has no dots in names: they are its delimiter on the disk.
    let archive = Archive::of_all_sorts(&["v1.2/a*b", "plain", "bad\nname"], 9);
    let to = || target(lab.mailbox("user29", Tls::Implicit), secret(), Some("Namen"));
    for put in [9, 0] {
        let (result, done) = archive.put(to());
        result.unwrap();
        assert_eq!((done.put, done.failures.errors), (put, 0), "{:?}", done.failures.list.first());
    }
    let mut session = open(lab, "user29");
    assert_eq!(held(&mut session, "Namen/v1_2/a_b").len(), 3);
    assert_eq!(held(&mut session, "Namen/bad_name").len(), 3);
}

#[test]
fn real_mails_go_there_and_stay_as_they_are() {
    let Some(lab) = lab::get() else { return };
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/mail");
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("left out: the collection of real mails is not beside this checkout");
        return;
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    paths.sort();
    let (mut archive, mut with_nul, mut expected) = (Archive::default(), 0, Vec::new());
    for path in paths {
        let bytes = std::fs::read(path).unwrap();
        if bytes.contains(&0) {
            with_nul += 1;
        } else {
            // Dovecot takes CRs before a line end, and one that ends a message, for none.
            let mut made: Vec<u8> = Vec::with_capacity(bytes.len());
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |at| at + 1);
                made.extend_from_slice(&line[..end]);
                made.extend_from_slice(if line.ends_with(b"\n") { b"\r\n" } else { b"" });
            }
            expected.push(made);
        }
        archive.add("Real", None, "\\Seen", Timestamp::UNIX_EPOCH, bytes);
    }
    let to = || target(lab.mailbox("user29", Tls::Implicit), secret(), None);
    let count = expected.len() as u64;
    for (put, present) in [(count, 0), (0, count)] {
        let (result, done) = archive.put(to());
        result.unwrap();
        assert_eq!(
            (done.put, done.present, done.failures.errors),
            (put, present, with_nul),
            "{:?}",
            done.failures.list
        );
    }
    let mut session = open(lab, "user29");
    let there: Vec<Vec<u8>> = held(&mut session, "Real").into_iter().map(|(bytes, ..)| bytes).collect();
    expected.sort();
    let other = there.iter().zip(&expected).find(|(there, sent)| there != sent).map(|(there, sent)| {
        let at = there.iter().zip(sent).take_while(|(a, b)| a == b).count();
        let around = |text: &[u8]| {
            String::from_utf8_lossy(&text[at.saturating_sub(60)..(at + 60).min(text.len())]).into_owned()
        };
        format!("{at}: {:?} was {:?}", around(there), around(sent))
    });
    assert!(there == expected, "{} of {count} mails are there: {other:?}", there.len());
    eprintln!("{count} mails were put and are as they were; {with_nul} have NUL bytes");
}

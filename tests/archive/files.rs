//! Maildirs and mbox files as Python writes them, with all real mails.

use std::path::Path;
use std::process::Command;

use postkeep::archive::maildir::Maildir;
use postkeep::archive::mbox::Mbox;
use postkeep::archive::source::Source;
use postkeep::mail::imap::{Appended, Dialer, Outgoing};
use postkeep::profile::Tls;

use super::{fetch, lab_secret, list, real_mails};
use crate::common::left_out;
use crate::lab;

/// Writes all mails of a list of files into a mailbox.
const WRITE: &str = r#"
import mailbox, sys
kind, path, paths = sys.argv[1], sys.argv[2], sys.stdin.read().splitlines()
box = mailbox.Maildir(path) if kind == "maildir" else mailbox.mbox(path)
for name in paths:
    with open(name, "rb") as file:
        box.add(file.read())
box.close()
"#;

/// False: Python is not here.
fn write(kind: &str, to: &Path, files: &[std::path::PathBuf]) -> bool {
    use std::io::Write;
    let mut command = Command::new("python3");
    command.arg("-c").arg(WRITE).arg(kind).arg(to).stdin(std::process::Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        left_out("python3 is missing");
        return false;
    };
    let names: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
    child.stdin.take().unwrap().write_all(names.join("\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    true
}

#[test]
fn real_mails_come_out_of_a_maildir_as_they_are() {
    let Some(files) = real_mails() else { return };
    let temp = tempfile::tempdir().unwrap();
    if !write("maildir", &temp.path().join("Mail"), &files) {
        return;
    }
    let mut source = Maildir::new(&temp.path().join("Mail"));
    assert_eq!(source.folders().unwrap().len(), 1);
    let listing = list(&mut source, "INBOX").unwrap();
    assert_eq!(listing.messages.len(), files.len());
    let mut found = Vec::new();
    for (listed, body) in listing.messages.iter().zip(fetch(&mut source, "INBOX", &listing.messages)) {
        let body = body.unwrap();
        assert_eq!(listed.size, body.len() as u64);
        assert!(listed.date.is_some() && listed.key.len() <= 120);
        found.push(body);
    }
    let mut sent: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    found.sort();
    sent.sort();
    assert!(found == sent);
}

#[test]
fn real_mails_come_out_of_an_mbox_as_far_as_it_can_carry_them() {
    let Some(files) = real_mails() else { return };
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("old.mbox");
    if !write("mbox", &path, &files) {
        return;
    }
    let mut source = Mbox::new(&path, temp.path());
    let listing = list(&mut source, "old").unwrap();
    let found = fetch(&mut source, "old", &listing.messages);
    assert_eq!(found.len(), files.len());
    let mut same = 0;
    for ((file, listed), body) in files.iter().zip(&listing.messages).zip(found) {
        let (sent, body) = (std::fs::read(file).unwrap(), body.unwrap());
        assert_eq!((listed.size, listed.date.is_some()), (body.len() as u64, true));
        same += usize::from(sent == body);
        assert!(carried(&sent) == body, "{}", file.display());
    }
    eprintln!("{same} of {} mails are the same; the others are as the format has them", files.len());
    assert!(same > files.len() / 2);
    let keys: std::collections::HashSet<_> = listing.messages.iter().map(|listed| &listed.key).collect();
    assert_eq!(keys.len(), files.len());
}

/// What an mbox of Python's makes of a mail. Python takes a first line `From ` for the mbox's own, ends the last line, and
/// puts `>` before `From ` but not before `>From `, so that nobody can tell the two apart afterwards.
fn carried(mail: &[u8]) -> Vec<u8> {
    let first = mail.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    let mail = if first.starts_with(b"From ") { &mail[first.len()..] } else { mail };
    let mut out = Vec::new();
    for line in mail.split_inclusive(|byte| *byte == b'\n') {
        let marks = line.iter().take_while(|byte| **byte == b'>').count();
        let quoted = marks > 0 && line[marks..].starts_with(b"From ");
        out.extend_from_slice(&line[usize::from(quoted)..]);
    }
    if !out.ends_with(b"\n") {
        out.push(b'\n');
    }
    out
}

#[test]
fn a_maildir_of_dovecots_has_its_folders_flags_and_dates() {
    let Some(lab) = lab::get() else { return };
    let mut session = Dialer::new(lab.mailbox("emil", Tls::Implicit), lab_secret()).open().unwrap();
    session.create("Entwürfe/2025").unwrap();
    let (flags, date) = (&["\\Seen", "\\Flagged", "$Work", "Reise"], "2011-12-13T14:15:16Z".parse().unwrap());
    let mail = b"Subject: one\r\n\r\none\r\n".to_vec();
    let one = Outgoing { body: Box::new(mail.clone()), flags, internal_date: Some(date) };
    let (results, _) = session.append_all("Entwürfe/2025", vec![one]);
    assert!(matches!(&results[..], [Appended::Stored(_)]), "{results:?}");

    let mut source = Maildir::new(&lab.maildir("emil"));
    let folders: Vec<_> = source.folders().unwrap().into_iter().map(|folder| folder.path).collect();
    assert_eq!(folders, ["Entwürfe/2025", "INBOX"]);
    let listing = list(&mut source, "Entwürfe/2025").unwrap();
    let [listed] = &listing.messages[..] else { panic!("{listing:?}") };
    assert_eq!(
        (listed.date, &listed.flags[..]),
        (Some(date), &["\\Flagged", "\\Seen", "$Work", "Reise"].map(String::from)[..])
    );

    // Another program marks it as answered: the file has another name then.
    session.select("Entwürfe/2025").unwrap();
    session.store(&[1], postkeep::mail::imap::Change::Add, &["\\Answered"]).unwrap();
    let bodies = fetch(&mut source, "Entwürfe/2025", &listing.messages);
    let bare: Vec<u8> = mail.into_iter().filter(|byte| *byte != b'\r').collect();
    assert_eq!(bodies, [Ok(bare)]);
    let again = list(&mut source, "Entwürfe/2025").unwrap();
    assert_eq!(again.messages[0].key, listed.key);
    assert!(again.messages[0].flags.contains(&"\\Answered".to_owned()));
    session.logout();
}

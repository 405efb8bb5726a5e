//! Maildirs and mbox files as Python writes them, with all real mails.

use std::path::Path;
use std::process::Command;

use postkeep::archive::maildir::Maildir;
use postkeep::archive::mbox::Mbox;
use postkeep::archive::source::Source;

use super::{fetch, list, real_mails};
use crate::common::left_out;

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

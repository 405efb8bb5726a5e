//! Exports as other programs read them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use jiff::Timestamp;

use sha2::{Digest, Sha256};

use super::*;
use crate::archive::marks::Marks;
use crate::archive::path::Place;
use crate::error::Kind;

pub(super) fn stored(folder: &str, key: &str, subject: &str, bytes: &[u8]) -> Stored {
    let date: Timestamp = "2024-02-29T12:00:00Z".parse().unwrap();
    let place = Place { account: "gmail".into(), folder: folder.into(), date, key: key.into() };
    let flags = ["\\Seen", "\\Flagged", "$x"].map(str::to_owned).to_vec();
    let sha256 = Sha256::digest(bytes).into();
    let marks = Marks { subject: subject.into(), flags, sha256, ..Marks::default() };
    Stored { place, marks, size: bytes.len() as u64 }
}

fn messages() -> Vec<(Stored, Vec<u8>)> {
    let text = |n: usize| {
        let body = if n == 2 { "From here\r\n>From there\r\n\r\n".into() } else { format!("body {n}\r\n") };
        format!("Return-Path: <a{n}@example.org>\r\nSubject: mail {n}\r\nStatus: RO\r\n\r\n{body}")
            .into_bytes()
    };
    let folders = ["INBOX", "INBOX", "Büro/2024", "Büro/2024", "a.b", "../up"];
    let mut all: Vec<_> =
        folders.iter().enumerate().map(|(n, folder)| (*folder, n.to_string(), text(n))).collect();
    // The same message twice in a folder is two messages.
    all.push(("INBOX", "again".into(), text(0)));
    let large =
        [b"Subject: large\r\n\r\n".to_vec(), [0; 300_000].to_vec(), b"\xff\r\nFrom x".to_vec()].concat();
    all.push(("INBOX", "large".into(), large));
    all.into_iter()
        .map(|(folder, key, text)| (stored(folder, &key, &format!("mail {key}"), &text), text))
        .collect()
}

fn run() -> RunId {
    RunId::new(Timestamp::UNIX_EPOCH, 1)
}

fn export(path: &Path, format: Format) -> Exported {
    let mut export = Export::open(path, format, false, run()).unwrap();
    for (message, text) in messages() {
        export.add(&message, Ok(&mut text.as_slice())).unwrap();
    }
    export.finish().unwrap()
}

fn files(path: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(path).sort_by_file_name().into_iter().map(|entry| entry.unwrap());
    let files = files.filter(|entry| {
        entry.file_type().is_file() && !entry.file_name().as_encoded_bytes().starts_with(b".postkeep")
    });
    files.map(|entry| entry.path().strip_prefix(path).unwrap().to_owned()).collect()
}

/// What a script of Python's prints; None: there is no Python here.
fn python(script: &str, path: &Path) -> Option<String> {
    let Ok(output) = Command::new("python3").arg("-c").arg(script).arg(path).output() else {
        eprintln!("left out: python3 is missing");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn eml_files_are_the_messages_and_a_second_export_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let first = export(&path, Format::Eml);
    assert_eq!((first.written, first.present, first.failures.errors), (8, 0, 0), "{:?}", first.failures);
    let all = files(&path);
    assert_eq!(all.len(), 8);
    let mut found: Vec<_> = all.iter().map(|file| fs::read(path.join(file)).unwrap()).collect();
    let mut sent: Vec<_> = messages().into_iter().map(|(_, text)| text).collect();
    found.sort();
    sent.sort();
    assert!(found == sent);
    let file = all.iter().find(|file| file.starts_with("Büro/2024")).unwrap();
    let meta = fs::metadata(path.join(file)).unwrap();
    assert_eq!((meta.mtime(), meta.mode() & 0o777), (1_709_208_000, 0o600));
    assert!(!dir.path().join("up").exists());

    let other = Export::open(&path, Format::Maildir, false, run()).err().unwrap();
    assert!(other.to_string().contains("an export as eml"), "{other}");

    // Nothing of a message that is there is read.
    let mut again = Export::open(&path, Format::Eml, false, run()).unwrap();
    assert!(messages().iter().all(|(message, _)| !again.wants(message)));
    assert!(
        again.wants(&stored("INBOX", "new", "mail", b"x")) && again.wants(&stored("New", "0", "mail", b"x"))
    );
    messages().iter().for_each(|(message, _)| again.add(message, Ok(&mut &b""[..])).unwrap());
    let again = again.finish().unwrap();
    assert_eq!((again.written, again.present, again.failures.errors), (0, 8, 0));
    assert_eq!(files(&path), all);
    // One that somebody changed is left alone, and told.
    fs::write(path.join(&all[0]), "mine").unwrap();
    let again = export(&path, Format::Eml);
    assert_eq!((again.written, again.present, again.failures.errors), (0, 7, 1));
    assert_eq!(fs::read(path.join(&all[0])).unwrap(), b"mine");

    for (format, path) in [(Format::Maildir, path.as_path()), (Format::Eml, dir.path())] {
        assert!(Export::open(path, format, false, run()).is_err());
    }
}

#[test]
fn what_is_not_what_was_archived_is_a_failure_and_not_a_file() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the pack is gone"))
        }
    }
    for format in [Format::Eml, Format::Mbox, Format::Maildir] {
        let dir = tempfile::tempdir().unwrap();
        let mut export = Export::open(dir.path(), format, true, run()).unwrap();
        let text = b"Subject: x\r\n\r\nbody\r\n";
        let bad = stored("INBOX", "1", "bad", text);
        export.add(&bad, Ok(&mut &b"Subject: x\r\n\r\nbodY\r\n"[..])).unwrap();
        export.add(&bad, Ok(&mut &b"Subject"[..])).unwrap();
        let mut broken = (&b"Subject: much longer than it should be"[..]).chain(Broken);
        export.add(&bad, Ok(&mut broken)).unwrap();
        // That there is no more today is no message's failure.
        let paused = export.add(&bad, Err(Error::new(Kind::Paused, "no more today"))).unwrap_err();
        assert_eq!(paused.kind(), Kind::Paused);
        let away = export.add(&bad, Err(Error::other("it hung up").away())).unwrap_err();
        assert_eq!(away.kind(), Kind::Away);
        export.add(&stored("INBOX", "2", "good", text), Ok(&mut &text[..])).unwrap();
        let done = export.finish().unwrap();
        assert_eq!((done.written, done.failures.errors), (1, 1), "one message: {:?}", done.failures.list);
        assert!(done.failures.list[0].path.starts_with("gmail/INBOX/1 (bad)"));
        let files: Vec<_> = files(dir.path())
            .into_iter()
            .filter(|file| file.file_name().unwrap() != "maildirfolder")
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let there = String::from_utf8(fs::read(dir.path().join(&files[0])).unwrap()).unwrap();
        assert_eq!(there.matches("Subject").count(), 1, "{there}");
    }
}

#[test]
fn python_reads_the_mbox_files() {
    let dir = tempfile::tempdir().unwrap();
    let done = export(dir.path(), Format::Mbox);
    assert_eq!((done.written, done.failures.errors), (8, 0), "{:?}", done.failures);
    let names: Vec<_> = files(dir.path()).iter().map(|path| path.to_str().unwrap().to_owned()).collect();
    let up = format!("{}/up.mbox", names::folder(".."));
    let mut expected = ["Büro/2024.mbox", "INBOX.mbox", &up, "a.b.mbox"];
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert!(Export::open(dir.path(), Format::Mbox, false, run()).is_err());
    // Half of a file, of an export that was killed, is none.
    let killed = dir.path().join("killed");
    let mut half = Export::open(&killed, Format::Mbox, true, run()).unwrap();
    half.add(&stored("a/b", "1", "half", b"x"), Ok(&mut &b"x"[..])).unwrap();
    std::mem::forget(half);
    assert!(Export::open(&killed, Format::Mbox, true, run()).is_ok());
    assert_eq!(files(&killed), Vec::<PathBuf>::new());
    let script = "import mailbox, sys\n\
                  box = mailbox.mbox(sys.argv[1], create=False)\n\
                  for m in box: print(m.get_from(), m['Subject'], m['Status'], len(m.get_payload()))\n";
    let Some(told) = python(script, &dir.path().join("INBOX.mbox")) else { return };
    let date = "Thu Feb 29 12:00:00 2024";
    let lines = [
        format!("a0@example.org {date} mail 0 RO 7"),
        format!("a1@example.org {date} mail 1 RO 7"),
        format!("a0@example.org {date} mail 0 RO 7"),
    ];
    assert!(
        told.starts_with(&format!("{}\nMAILER-DAEMON {date} large None 3000", lines.join("\n"))),
        "{told}"
    );
    assert_eq!(told.lines().count(), 4);
    let quoted = fs::read_to_string(dir.path().join("Büro/2024.mbox")).unwrap();
    assert!(quoted.contains("\n>From here\n>>From there\n\n\nFrom a3@"), "{quoted}");
    assert!(!quoted.contains('\r'));
}

#[test]
fn each_folder_has_an_mbox_file_of_its_own_and_what_has_none_is_not_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut export = Export::open(dir.path(), Format::Mbox, false, run()).unwrap();
    let hashed = format!("_.x~{}", names::hash(".x"));
    for folder in ["a", "a.mbox/b", ".x", &hashed, "taken"] {
        export.add(&stored(folder, "1", "x", b"x"), Ok(&mut &b"x"[..])).unwrap();
    }
    fs::write(dir.path().join("taken.mbox"), "mine").unwrap();
    let done = export.finish().unwrap();
    assert_eq!((done.written, done.bytes, done.failures.errors), (4, 4, 1), "{:?}", done.failures.list);
    let names: Vec<_> = files(dir.path()).iter().map(|path| path.to_str().unwrap().to_owned()).collect();
    let (inner, numbered) =
        (format!("a.mbox~{}/b.mbox", names::hash("a.mbox")), format!("{}.mbox", names::numbered(&hashed, 2)));
    let mut expected = ["a.mbox", &inner, &format!("{hashed}.mbox"), &numbered, "taken.mbox"];
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[test]
fn of_many_mbox_files_few_are_held_open() {
    let dir = tempfile::tempdir().unwrap();
    let mut export = Export::open(dir.path(), Format::Mbox, true, run()).unwrap();
    let text = |n: usize| format!("Subject: {n}\r\n\r\nbody {n}\r\n").into_bytes();
    // Folders in folders, and each of them comes again.
    let folder = |n: usize| format!("Lists {}/{}", n % 3, n % 300);
    for n in 0..600 {
        let text = text(n);
        export.add(&stored(&folder(n), &n.to_string(), "x", &text), Ok(&mut text.as_slice())).unwrap();
    }
    let here = fs::canonicalize(dir.path()).unwrap();
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten().flat_map(|fd| fs::read_link(fd.path()));
    let held = links.filter(|path| path.starts_with(&here)).count();
    assert!(held < 100, "{held} of 300");
    let done = export.finish().unwrap();
    assert_eq!((done.written, done.failures.errors), (600, 0), "{:?}", done.failures);
    let all = files(dir.path());
    assert_eq!(all.len(), 300);
    for n in 0..300 {
        let path = dir.path().join("gmail").join(format!("{}.mbox", folder(n)));
        let text = fs::read_to_string(path).unwrap();
        let of = |n: usize| text.matches(&format!("\nSubject: {n}\n\nbody {n}\n")).count();
        assert_eq!((of(n), of(n + 300), text.matches("Subject").count()), (1, 1, 2), "{text}");
    }
}

#[test]
fn python_reads_the_maildir_and_a_second_export_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let done = export(dir.path(), Format::Maildir);
    assert_eq!((done.written, done.failures.errors), (8, 0), "{:?}", done.failures);
    let all = files(dir.path());
    // A mail program changed the flags of one.
    let one = all.iter().find(|path| path.starts_with("cur")).unwrap();
    fs::rename(dir.path().join(one), dir.path().join(one.to_str().unwrap().replace(":2,FS", ":2,S")))
        .unwrap();
    let again = export(dir.path(), Format::Maildir);
    assert_eq!((again.written, again.present, again.failures.errors), (0, 8, 0), "{:?}", again.failures);
    assert_eq!(files(dir.path()).len(), all.len());
    let script = "import mailbox, sys\n\
                  root = mailbox.Maildir(sys.argv[1], create=False)\n\
                  print(sorted(root.list_folders()))\n\
                  for box in [root] + [root.get_folder(f) for f in sorted(root.list_folders())]:\n\
                  \x20 print(sorted((str(m['Subject']), m.get_flags(), m.get_subdir(), m.get_date()) for m in box))\n";
    let accounts = tempfile::tempdir().unwrap();
    let mut export = Export::open(accounts.path(), Format::Maildir, true, run()).unwrap();
    export.add(&stored("INBOX", "1", "x", b"x"), Ok(&mut &b"x"[..])).unwrap();
    export.finish().unwrap();
    let Some(told) = python(script, accounts.path()) else { return };
    assert_eq!(told.lines().nth(1), Some("[]"), "{told}");
    let Some(told) = python(script, dir.path()) else { return };
    let lines: Vec<&str> = told.lines().collect();
    let (ab, up) = (maildir::folder("a.b").unwrap(), maildir::folder("../up").unwrap());
    assert_eq!(lines[0], format!("['B&APw-ro.2024', '{}', '{}']", &up[1..], &ab[1..]));
    assert_eq!(lines.len(), 5);
    assert_eq!(
        lines[1].matches("('mail 0', 'FS', 'cur', 1709208000.0)").count()
            + lines[1].matches("'S', 'cur'").count(),
        3
    );
    assert!(lines[4].contains("('mail 4', 'FS', 'cur', 1709208000.0)"), "{told}");
}

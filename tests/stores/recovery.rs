//! The way back without postkeep: the script of the first message, and a real restic.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use jiff::Timestamp;
use mail_parser::{MessageParser, MimeHeaders};
use postkeep::clock::System;
use postkeep::vault::store::folder::Folder;
use postkeep::vault::store::letter::{self, Label, LineEnd};
use postkeep::vault::store::maildir::Maildir;
use postkeep::vault::store::{Id, Kind, Store};

use crate::common::left_out;

const PASSWORD: &str = "correct horse";

/// Runs restic on a repository; None: it is not installed.
fn restic(repository: &Path, args: &[&str]) -> Option<String> {
    if Command::new("restic").arg("version").output().is_err() {
        left_out("what restic says of a vault: restic is missing");
        return None;
    }
    let mut command = Command::new("restic");
    command.arg("-r").arg(repository).args(["--no-cache"]).args(args);
    let output = command.env("RESTIC_PASSWORD", PASSWORD).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
    Some(said)
}

/// A repository made by restic, with some files in it, and what it holds; None: restic is not installed.
pub fn repository(dir: &Path) -> Option<Folder> {
    let (files, repository) = (dir.join("files"), dir.join("repository"));
    fs::create_dir_all(files.join("deep")).unwrap();
    for n in 0..40 {
        let file = super::contract::content(n * n * n * 20, n as u64);
        fs::write(files.join("deep").join(format!("file {n}")), &file).unwrap();
    }
    restic(&repository, &["init"])?;
    for round in ["first", "second"] {
        fs::write(files.join("note"), round).unwrap();
        restic(&repository, &["backup", files.to_str().unwrap()])?;
    }
    Some(Folder::new(&repository, Timestamp::now()))
}

/// Copies all objects.
pub fn copy(from: &dyn Store, to: &dyn Store) {
    to.create().unwrap();
    for kind in Kind::ALL.into_iter().rev() {
        for found in from.list(kind).unwrap() {
            to.write(kind, &found.id, from.read(kind, &found.id).unwrap()).unwrap();
        }
    }
    to.flush().unwrap();
}

/// Runs the script as it is in the first message, and gives what it says.
pub fn recover(read_me: &[u8], target: &Path, source: &str, password: &str) -> (bool, String) {
    recover_trusting(None, read_me, target, source, password)
}

/// The same, with authorities of certificates that are trusted.
pub fn recover_trusting(
    ca: Option<&Path>,
    read_me: &[u8],
    target: &Path,
    source: &str,
    password: &str,
) -> (bool, String) {
    let mail = MessageParser::default().parse(read_me).unwrap();
    let script = mail.attachment(0).unwrap();
    assert_eq!(script.attachment_name(), Some("recover.py"));
    let path = target.with_extension("py");
    fs::write(&path, script.contents()).unwrap();
    // Without a terminal it reads the password from its standard input.
    let mut command = Command::new("setsid");
    command.arg("python3").arg(&path).arg(target).arg(source);
    command.envs(ca.map(|ca| ("SSL_CERT_FILE", ca)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may not ask.
    let _ = writeln!(child.stdin.take().unwrap(), "{password}");
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Has restic look at every byte, and compares what it restores.
pub fn check(dir: &Path, repository: &Path) {
    let said = restic(repository, &["check", "--read-data"]).unwrap();
    assert!(said.contains("no errors were found"), "{said}");
    let restored = repository.with_extension("restored");
    restic(repository, &["restore", "latest", "--target", restored.to_str().unwrap()]).unwrap();
    let files = dir.join("files");
    let restored = restored.join(files.strip_prefix("/").unwrap());
    let same = Command::new("diff").arg("-r").arg(&files).arg(&restored).output().unwrap();
    assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
}

#[test]
fn a_maildir_is_turned_back_into_a_repository_without_postkeep() {
    let temp = tempfile::tempdir().unwrap();
    let Some(original) = repository(temp.path()) else { return };
    let path = temp.path().join("maildir");
    let maildir = Maildir::new(&path, None, Arc::new(System));
    copy(&original, &maildir);
    let vault = maildir.vault_id().unwrap().unwrap();
    let read_me = letter::read_me(vault, Timestamp::now(), LineEnd::CrLf);
    let target = temp.path().join("from-maildir");
    let (good, said) = recover(&read_me, &target, path.to_str().unwrap(), "");
    assert!(good, "{said}");
    check(temp.path(), &target);
    // Once more into the same folder: that is said before anything is fetched.
    let (good, said) = recover(&read_me, &target, path.to_str().unwrap(), "");
    assert!(!good && said.contains("is there already") && !said.contains("Traceback"), "{said}");

    // The same messages as an mbox file, and as it is after somebody deleted one.
    let mbox = temp.path().join("mbox");
    let mut file = fs::File::create(&mbox).unwrap();
    let messages: Vec<_> =
        fs::read_dir(path.join("cur")).unwrap().map(|entry| entry.unwrap().path()).collect();
    for message in &messages {
        file.write_all(b"From postkeep Thu Jan  1 00:00:00 1970\n").unwrap();
        file.write_all(&fs::read(message).unwrap()).unwrap();
        file.write_all(b"\n").unwrap();
    }
    let target = temp.path().join("from-mbox");
    let (good, said) = recover(&read_me, &target, mbox.to_str().unwrap(), "");
    assert!(good, "{said}");
    check(temp.path(), &target);
    let pack =
        messages.iter().find(|path| fs::read_to_string(path).unwrap().contains("X-Postkeep-Object: pack"));
    let text = fs::read(pack.unwrap()).unwrap();
    fs::write(pack.unwrap(), &text[..text.len() - 200]).unwrap();
    let (good, said) = recover(&read_me, &temp.path().join("damaged"), path.to_str().unwrap(), "");
    assert!(!good && said.contains("damaged or incomplete: pack "), "{said}");
}

#[test]
fn what_restic_wrote_is_read_through_every_store_and_back() {
    let temp = tempfile::tempdir().unwrap();
    let Some(original) = repository(temp.path()) else { return };
    let memory = postkeep::vault::store::memory::Memory::default();
    let maildir = Maildir::new(&temp.path().join("maildir"), None, Arc::new(System));
    let folder = Folder::new(&temp.path().join("folder"), Timestamp::now());
    let stores: [&dyn Store; 4] = [&original, &memory, &maildir, &folder];
    stores.windows(2).for_each(|pair| copy(pair[0], pair[1]));
    check(temp.path(), &temp.path().join("folder"));
    let said = restic(&temp.path().join("folder"), &["unlock"]);
    assert!(said.is_some());
}

#[test]
fn strangers_among_the_messages_do_not_stop_the_script() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("maildir");
    let maildir = Maildir::new(&path, None, Arc::new(System));
    maildir.create().unwrap();
    let vault = maildir.vault_id().unwrap().unwrap();
    let config = |content: &'static [u8], name: &str| {
        let hash = Id::of(content);
        let label = Label {
            vault,
            kind: Kind::Config,
            hash,
            size: content.len() as u64,
            part: 1,
            parts: 1,
            serial: 7,
        };
        let letter = letter::compose(&label, content, Timestamp::now(), LineEnd::Lf);
        fs::write(path.join("cur").join(name), letter).unwrap();
    };
    // Of two configs with one number the first counts.
    config(b"the one that counts", "1");
    config(b"another one", "2");
    let letter = fs::read_to_string(path.join("cur/1")).unwrap();
    let digits = "9".repeat(5000);
    let hostile = [
        letter.replace("size=19", &format!("size={digits}")),
        letter.replace("serial=7", &format!("serial={digits}")),
        letter.replace("part=1/1", "part=1/999999999").replace(".1of1@", ".1of999999999@"),
        letter.replace("config/", "../../config/"),
        letter.replace("Subject: ", "Content-Type: multipart/mixed\nSubject: ").replace("config", "lock"),
        String::new(),
    ];
    for (n, text) in hostile.iter().enumerate() {
        fs::write(path.join("cur").join(format!("hostile{n}")), text).unwrap();
    }
    std::os::unix::fs::symlink("nowhere", path.join("cur/link")).unwrap();
    let made = Command::new("mkfifo").arg(path.join("cur/pipe")).status().unwrap();
    assert!(made.success());
    let read_me = letter::read_me(vault, Timestamp::now(), LineEnd::CrLf);
    let target = temp.path().join("repository");
    let (_, said) = recover(&read_me, &target, path.to_str().unwrap(), "");
    assert!(!said.contains("Traceback") && said.contains("objects; now: restic"), "{said}");
    assert_eq!(fs::read(target.join("config")).unwrap(), b"the one that counts", "{said}");
}

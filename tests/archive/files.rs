//! Maildirs and mbox files as Python writes them, with all real mails.

use std::path::Path;
use std::process::Command;

use postkeep::archive::maildir::Maildir;
use postkeep::archive::mbox::Mbox;
use postkeep::archive::source::Source;
use postkeep::mail::imap::{Appended, Dialer, Outgoing};
use postkeep::profile::Tls;

use super::{fetch, lab_secret, list, real_mails};
use crate::common::{Sandbox, left_out};
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

/// Locks a file as Python and other programs do, says so, and unlocks it when it is told to.
const LOCK: &str = r#"
import fcntl, sys
file = open(sys.argv[1], "rb+")
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"#;

#[test]
fn an_mbox_that_another_program_writes_into_is_waited_for() {
    use std::process::Stdio;
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("box");
    std::fs::write(&path, "From a@b Mon Nov 29 22:54:33 2026\nS: x\n\none\n\n").unwrap();
    let mut command = Command::new("python3");
    let command = command.arg("-c").arg(LOCK).arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else { return left_out("python3 is missing") };
    let mut said = [0; 7];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
    let (start, wait) = (std::time::Instant::now(), std::time::Duration::from_millis(300));
    std::thread::scope(|scope| {
        let input = child.stdin.take();
        scope.spawn(move || {
            std::thread::sleep(wait);
            drop(input);
        });
        let mut source = Mbox::new(&path, temp.path());
        assert_eq!(list(&mut source, "box").unwrap().messages.len(), 1);
    });
    assert!(start.elapsed() >= wait);
    assert!(child.wait().unwrap().success());
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

/// An archive of what lies on a disk.
struct Disk(Sandbox);

impl Disk {
    fn new(kind: &str) -> Self {
        let sandbox = Sandbox::new();
        let (mail, vault, password) = (sandbox.path("Mail"), sandbox.path("vault"), sandbox.path("password"));
        sandbox.write("password", "correct horse\n");
        let only_mine = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&password, only_mine).unwrap();
        sandbox.write("config/postkeep.toml", "");
        let source = format!("{kind}:{}", mail.display());
        sandbox.write(
            "config/profiles/mail.toml",
            &format!(
                "kind = \"archive\"\nsource = {source:?}\nvault = {vault:?}\nvault-password-file = {password:?}\n"
            ),
        );
        std::fs::create_dir(mail).unwrap();
        sandbox.run(&["vault", "init", "mail"]).expect(0);
        Self(sandbox)
    }

    fn write(&self, name: &str, content: &str) {
        self.0.write(&format!("Mail/{name}"), content);
    }

    /// Runs, which is to end so, with so many new messages; what it says.
    #[track_caller]
    fn run(&self, code: i32, new: u64) -> String {
        let ran = self.0.run(&["run", "mail", "--json"]).expect(code);
        let runs: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let outcome = &runs[0]["run"]["outcome"];
        assert_eq!(outcome["counts"]["created"].as_u64().unwrap_or_default(), new, "{outcome:#}");
        outcome.to_string()
    }
}

#[test]
fn what_is_changed_in_an_mbox_is_archived_or_told() {
    const FROM: &str = "From a@b Mon Nov 24 10:00:00 2025\n";
    let disk = Disk::new("mbox");
    let message = |text: &str| format!("{FROM}Message-ID: <1@x>\nSubject: one\n\n{text}\n\n");
    disk.write("a", &message("body AAAA"));
    disk.write("b", &message("body of b"));
    disk.run(0, 2);
    disk.run(0, 0);
    // Another message that has the same Message-ID, date and size.
    disk.write("a", &message("body BBBB"));
    disk.run(0, 1);
    // One that is still written.
    disk.write("a", &(message("body BBBB") + FROM + "Subject: two\n\nfirst ha"));
    assert!(disk.run(3, 0).contains("it may not be whole yet"));
    disk.write("a", &(message("body BBBB") + FROM + "Subject: two\n\nfirst half, second half\n\n"));
    disk.run(0, 1);
    disk.run(0, 0);
    // What was an mbox is none any more.
    disk.write("b", "\0\0\0\0");
    disk.write("notes", "From me to you");
    assert!(disk.run(1, 0).contains("the file of b in mbox:"));
}

#[test]
fn two_files_of_a_maildir_with_one_name_are_two_messages() {
    let disk = Disk::new("maildir");
    disk.write("cur/1700000001.M1.h:2,S", "Subject: a\n\na\n");
    disk.run(0, 1);
    disk.write("cur/1700000001.M1.h:2,RS", "Subject: b\n\nbb\n");
    disk.write("new/1700000001.M1.h", "Subject: c\n\nccc\n");
    disk.run(0, 2);
    disk.run(0, 0);
    // Somebody flags one, and another one goes.
    let path = |name: &str| disk.0.path(&format!("Mail/cur/1700000001.M1.h:2,{name}"));
    std::fs::rename(path("RS"), path("FRS")).unwrap();
    disk.run(0, 0);
    std::fs::remove_file(path("S")).unwrap();
    disk.run(0, 0);
}

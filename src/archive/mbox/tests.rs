use std::fs;
use std::io::{Read, Write};

use rustix::fs::{FlockOperation, flock};

use super::*;
use crate::archive::spool::HELD;

const FROM: &str = "From a@b Mon Nov 29 22:54:33 2026\n";

fn mbox(temp: &tempfile::TempDir, name: &str) -> Mbox {
    Mbox::new(&temp.path().join(name), temp.path())
}

fn folder(path: &str) -> Folder {
    Folder { path: path.into(), special: None, mark: None }
}

fn listed(mbox: &mut Mbox, path: &str) -> Vec<Listed> {
    mbox.list(&folder(path), Since::default()).unwrap().messages
}

fn fetched(mbox: &mut Mbox, path: &str, messages: &[Listed]) -> Vec<std::result::Result<Vec<u8>, Refusal>> {
    let mut all = Vec::new();
    let mut take = |at: usize, result: std::result::Result<Body, Refusal>| {
        assert_eq!(at, all.len());
        all.push(result.map(|body| match body {
            Body::Held(bytes) => bytes,
            Body::Spooled(mut file, _) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).unwrap();
                bytes
            }
        }));
        Ok(())
    };
    mbox.fetch(&folder(path), messages, &mut take).unwrap();
    all
}

#[test]
fn one_file_is_one_folder() {
    let temp = tempfile::tempdir().unwrap();
    let large = "x".repeat(2 * HELD);
    let two = format!("Message-ID: <2@b>\nFrom: ann\nX-Postkeep-File: y\nStatus: RO\n\n{large}\n");
    let text = format!("{FROM}S: x\n\none\n\nFrom \n{two}\n{FROM}S: x\n\none\n\n");
    fs::write(temp.path().join("old.mbox"), text).unwrap();
    let mut mbox = mbox(&temp, "old.mbox");
    assert_eq!(mbox.folders().unwrap(), [folder("old")]);
    let all = listed(&mut mbox, "old");
    let told: Vec<_> = all.iter().map(|one| (one.uid, one.size, one.date.is_some(), one.ours)).collect();
    assert_eq!(told, [(1, 10, true, false), (2, two.len() as u64, false, true), (3, 10, true, false)]);
    assert_eq!(
        // Nobody is to take it for another one by its Message-ID.
        (all[1].message_id.as_deref(), &all[1].flags[..]),
        (None, &["\\Seen".to_owned()][..])
    );
    assert_eq!(all[0].key.len(), 16);
    assert_eq!(all[2].key, format!("{}%+2", all[0].key));
    let one = || Ok(b"S: x\n\none\n".to_vec());
    assert_eq!(fetched(&mut mbox, "old", &all), [one(), Ok(two.into_bytes()), one()]);
}

#[test]
fn a_file_that_is_written_anew_gives_the_same_messages_or_none() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("box");
    let message = |text: &str| format!("{FROM}S: {text}\n\n{text}\n\n");
    fs::write(&path, message("one") + &message("two") + &message("three")).unwrap();
    let mut mbox = mbox(&temp, "box");
    let all = listed(&mut mbox, "box");
    fs::write(&path, message("zero") + &message("three") + &message("one") + &message("four")).unwrap();
    let body = |text: &str| Ok(format!("S: {text}\n\n{text}\n").into_bytes());
    assert_eq!(fetched(&mut mbox, "box", &all), [body("one"), Err(Refusal::Gone), body("three")]);
    let again = listed(&mut mbox, "box");
    let keys = |all: &[Listed], at: usize| all[at].key.clone();
    assert_eq!((keys(&again, 1), keys(&again, 2)), (keys(&all, 2), keys(&all, 0)));

    // It changes while it is read, and nothing tells.
    let span = Span { start: 0, end: 5, bare: u64::MAX };
    mbox.seen[0].spans.insert(keys(&all, 2), span);
    assert_eq!(fetched(&mut mbox, "box", &all[2..]), [body("three")]);
    fs::write(&path, "no mbox\n").unwrap();
    let error = mbox.list(&folder("box"), Since::default()).unwrap_err();
    assert!(error.to_string().contains("is no mbox"), "{error}");
    fs::remove_file(&path).unwrap();
    assert!(mbox.list(&folder("box"), Since::default()).is_err());
}

#[test]
fn a_message_keeps_its_name_when_it_is_read() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("box");
    let two =
        |status: &str| format!("{FROM}S: x\n{status}\none\n\n{FROM}S: y\nX-Mozilla-Status: 0000\n\ntwo\n\n");
    fs::write(&path, two("")).unwrap();
    let mut mbox = mbox(&temp, "box");
    let before = listed(&mut mbox, "box");
    fs::write(&path, two("Status: RO\n").replace("0000", "0001")).unwrap();
    // It is found where it is now, with what is noted in it.
    let bodies = fetched(&mut mbox, "box", &before);
    assert_eq!(bodies[0], Ok(b"S: x\nStatus: RO\n\none\n".to_vec()));
    let after = listed(&mut mbox, "box");
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(
            (&before.key, &before.flags[..], &after.flags[..]),
            (&after.key, &[][..], &["\\Seen".to_owned()][..])
        );
    }
}

#[test]
fn a_folder_of_files_is_a_tree_of_folders() {
    let temp = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("Inbox", FROM),
        ("Inbox.msf", "// <!-- <mdb:mork"),
        ("Inbox.sbd/Work", FROM),
        ("Sent.mbox/mbox", "\n\nFrom x\n"),
        ("notes.txt", "From: nobody\n"),
        ("empty", ""),
    ] {
        let path = temp.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    std::os::unix::fs::symlink(temp.path().join("Inbox"), temp.path().join("Link")).unwrap();
    let mut mbox = mbox(&temp, ".");
    let names: Vec<_> = mbox.folders().unwrap().into_iter().map(|folder| folder.path).collect();
    assert_eq!(names, ["Inbox", "Inbox/Work", "Sent"]);
    assert_eq!(listed(&mut mbox, "Inbox/Work").len(), 1);
    assert!(mbox.list(&folder("Link"), Since::default()).unwrap_err().to_string().contains("not in"));
    let none = tempfile::tempdir().unwrap();
    let error = Mbox::new(none.path(), none.path()).folders().unwrap_err();
    assert!(error.to_string().contains("no mbox file"), "{error}");
}

#[test]
fn a_last_message_without_an_end_waits_for_it() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("box");
    let one = format!("{FROM}S: x\n\none\n\n");
    let later = || Refusal::Refused(UNFINISHED.into());
    let taken = |text: &str| {
        fs::write(&path, text).unwrap();
        let mut mbox = mbox(&temp, "box");
        let all = listed(&mut mbox, "box");
        (fetched(&mut mbox, "box", &all).pop().unwrap(), mbox, all)
    };
    for (half, rest) in [
        ("S: y", "y\n\ntwo\n\n"),
        ("S: y\n\n", "two\n\n"),
        ("S: y\n\ntw", "o\n\n"),
        ("S: y\n\ntwo\n", "\n"),
        ("S: y\nContent-Length: 8\n\ntwo\n", "two\n"),
    ] {
        let (got, mut mbox, all) = taken(&format!("{one}{FROM}{half}"));
        assert_eq!((got, all.len()), (Err(later()), 2), "{half:?}");
        // The rest comes between two looks, and then to a new one.
        File::options().append(true).open(&path).unwrap().write_all(rest.as_bytes()).unwrap();
        let whole = format!("{half}{rest}");
        let whole = whole.strip_suffix("\n\n").map_or(whole.clone(), |text| format!("{text}\n"));
        let got = fetched(&mut mbox, "box", &all).pop().unwrap();
        assert!(got == Err(Refusal::Gone) || got == Ok(whole.clone().into_bytes()), "{got:?}");
        let all = listed(&mut mbox, "box");
        assert_eq!(fetched(&mut mbox, "box", &all)[1], Ok(whole.into_bytes()));
    }
    // Nothing more comes to a file that is left alone, or to a message that says where it ends.
    let (_, mut mbox, all) = taken(&format!("{one}{FROM}S: y\n\ntwo"));
    let old = std::time::SystemTime::now() - 2 * FRESH;
    File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    assert_eq!(fetched(&mut mbox, "box", &all)[1], Ok(b"S: y\n\ntwo".to_vec()));
    let text = "S: y\nContent-Length: 4\n\ntwo\n";
    assert_eq!(taken(&format!("{one}{FROM}{text}")).0, Ok(text.into()));
}

#[test]
fn locks_are_waited_for_and_respected() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("box");
    fs::write(&path, format!("{FROM}S: x\n\none\n\n")).unwrap();
    let (mut mbox, other) = (mbox(&temp, "box"), File::open(&path).unwrap());
    let why =
        |mbox: &mut Mbox| mbox.list(&folder("box"), Since::default()).map_err(|error| error.to_string());
    flock(&other, FlockOperation::LockExclusive).unwrap();
    assert!(why(&mut mbox).unwrap_err().ends_with("another program holds a lock on it"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(60));
            flock(&other, FlockOperation::Unlock).unwrap();
        });
        assert_eq!(listed(&mut mbox, "box").len(), 1);
    });
    // Nothing is locked afterwards.
    flock(&other, FlockOperation::NonBlockingLockExclusive).unwrap();
    flock(&other, FlockOperation::Unlock).unwrap();

    let beside = temp.path().join("box.lock");
    let lock = File::create(&beside).unwrap();
    assert!(why(&mut mbox).unwrap_err().contains("box.lock says that another program writes"));
    // Whoever left it there is gone.
    lock.set_modified(std::time::SystemTime::now() - Duration::from_secs(3600)).unwrap();
    assert_eq!(listed(&mut mbox, "box").len(), 1);
    assert!(beside.exists());
}

#[test]
fn a_file_that_was_an_mbox_is_not_passed_over() {
    let temp = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(temp.path().join(name), text).unwrap();
    let text = format!("{FROM}S: x\n\none\n\n");
    write("a", &text);
    write("b", &format!("\0\0\n{text}"));
    write("c.mbox", "what is this?");
    write("known", "what is this?");
    write("notes", "what is this?");
    // Of two that have one name the good one is meant.
    write("a.mbx", "what is this?");
    let mut mbox = mbox(&temp, ".");
    mbox.expect(["a", "known", "gone"].map(String::from).into());
    let names: Vec<_> = mbox.folders().unwrap().into_iter().map(|folder| folder.path).collect();
    assert_eq!(names, ["a", "b", "c", "known"]);
    for name in ["b", "c", "known"] {
        let error = mbox.list(&folder(name), Since::default()).unwrap_err();
        assert!(error.to_string().contains(&format!("the file of {name} in")), "{error}");
    }
}

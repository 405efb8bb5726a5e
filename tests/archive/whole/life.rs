//! The life of an archive: first run, nothing new, a little new, what goes away, what is called otherwise.

use std::fs;

use super::{Archive, letters};
use crate::lab;

#[test]
fn each_message_comes_once_and_stays() {
    let Some(lab) = lab::get() else { return };
    let archive = Archive::new(lab, "user50", "");
    archive.append("INBOX", 0, &letters(0..40));
    archive.append("Work/Büro 1", 40, &letters(40..50));
    let outcome = archive.pulled("ok", 50);
    assert_eq!(outcome["counts"]["files"], 50);
    let snapshot = outcome["vaults"][0]["snapshot"].as_str().unwrap().to_owned();

    // Without news the vault is not even opened. But it has to be there.
    let away = archive.sandbox.path("away");
    for (part, status) in [("vault/keys", "unchanged"), ("vault", "failed")] {
        fs::rename(archive.sandbox.path(part), &away).unwrap();
        archive.pulled(status, 0);
        fs::rename(&away, archive.sandbox.path(part)).unwrap();
    }

    archive.append("INBOX", 50, &letters(50..53));
    let outcome = archive.pulled("ok", 3);
    assert_eq!(outcome["counts"]["files"], 53);
    assert_ne!(outcome["vaults"][0]["snapshot"].as_str().unwrap(), snapshot);

    // What goes away on the server stays.
    let held = archive.messages("INBOX");
    archive.session().delete("Work/Büro 1").unwrap();
    let mut session = archive.session();
    session.select("INBOX").unwrap();
    session.expunge(&[1, 2, 3]).unwrap();
    archive.pulled("unchanged", 0);
    let Some(restored) = archive.restored() else { return };
    assert_eq!(restored.len(), 53);
    for (uid, bytes) in &held {
        let end = format!(".{uid}.eml");
        let found = restored.iter().find(|(path, content)| {
            path.to_string_lossy().ends_with(&end) && path.starts_with("box/INBOX") && *content == bytes
        });
        assert!(found.is_some(), "UID {uid} is not there as the server gave it");
    }
    assert!(restored.keys().any(|path| path.starts_with("box/Work/Büro 1/2023/11")), "{restored:?}");
    archive.restic(&["check", "--read-data"]);
}

#[test]
fn flags_are_followed_without_another_fetch() {
    let Some(lab) = lab::get() else { return };
    let archive = Archive::new(lab, "user51", "");
    archive.append("INBOX", 0, &letters(0..5));
    archive.pulled("ok", 5);
    let mut session = archive.session();
    session.select("INBOX").unwrap();
    session.store(&[2], postkeep::mail::imap::Change::Add, &["\\Flagged"]).unwrap();
    let outcome = archive.pulled("ok", 0);
    assert_eq!((&outcome["counts"]["updated"], &outcome["counts"]["copied-bytes"]), (&1.into(), &0.into()));
    archive.pulled("unchanged", 0);
    let listed = archive.run(&["archive", "ls", "mail", "--flag", "flagged", "--json"]).expect(0);
    let message: serde_json::Value = serde_json::from_str(listed.stdout.trim()).unwrap();
    assert_eq!(
        (&message["subject"], &message["from"]),
        (&"letter 1".into(), &"Ann <ann1@example.org>".into())
    );
}

#[test]
fn void_uids_and_a_lost_catalogue_archive_nothing_twice() {
    let Some(lab) = lab::get() else { return };
    let archive = Archive::new(lab, "user52", "");
    // Two are equal in all that is told of them.
    let mut messages = letters(0..30);
    messages.push(messages[29].clone());
    // And one has no Message-ID.
    messages.push(b"Subject: bare\r\n\r\nwithout\r\n".to_vec());
    archive.append("Kept", 0, &messages);
    archive.pulled("ok", 32);

    for path in fs::read_dir(archive.sandbox.path("state/archive")).unwrap() {
        fs::remove_file(path.unwrap().path()).unwrap();
    }
    let outcome = archive.pulled("unchanged", 0);
    assert_eq!(outcome["counts"]["files"], 32);

    archive.session().delete("Kept").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    archive.append("Kept", 0, &messages);
    archive.append("Kept", 32, &letters(32..34));
    let outcome = archive.pulled("ok", 2);
    assert_eq!(outcome["counts"]["files"], 34);
    archive.pulled("unchanged", 0);
}

#[test]
fn folders_and_senders_are_left_out_and_taken_in_later() {
    let Some(lab) = lab::get() else { return };
    let archive = Archive::new(lab, "user53", "folders = [\"*\", \"!Junk\"]\nexclude-from = \"ann1@*\"");
    archive.append("INBOX", 0, &letters(0..3));
    archive.append("Junk", 3, &letters(3..5));
    let outcome = archive.pulled("ok", 2);
    assert_eq!(outcome["counts"]["excluded"], 1);
    archive.pulled("unchanged", 0);
    // Other rules mean another look at what was left out.
    archive.profile("imap:box", "");
    archive.pulled("ok", 3);
}

//! A vault that is lost is told in each run, also where no new mail comes.

use std::fs;

use super::{Archive, letters};
use crate::lab;

/// An archive in this vault with five messages.
fn filled(user: &str, vault: &str) -> Option<Archive> {
    let archive = Archive::new(lab::get()?, user, "");
    let vault = vault.replace('~', archive.sandbox.path("").to_str().unwrap());
    let password = archive.sandbox.path("vault-password");
    let profile = format!(
        "kind = \"archive\"\nsource = \"imap:box\"\nfolders = \"INBOX\"\nvault = {vault:?}\n\
         vault-password-file = {password:?}\n"
    );
    archive.sandbox.write("config/profiles/mail.toml", &profile);
    archive.run(&["vault", "init", "mail"]).expect(0);
    archive.append("INBOX", 0, &letters(0..5));
    archive.pulled("ok", 5);
    archive.pulled("unchanged", 0);
    Some(archive)
}

/// A run says that the vault is not there: with its outcome, what to do, the exit code and a report.
#[track_caller]
fn told(archive: &Archive, words: &str) {
    let (code, outcome) = archive.pull();
    assert_eq!((code, outcome["status"].as_str()), (1, Some("failed")), "{outcome:#}");
    assert!(outcome["error"]["text"].as_str().unwrap().contains(words), "{outcome:#}");
    assert!(!outcome["error"]["hints"].as_array().unwrap().is_empty(), "{outcome:#}");
    let letters = archive.sandbox.letters();
    let report = String::from_utf8_lossy(letters.last().unwrap()).into_owned();
    assert!(report.contains("[FAILED"), "{report}");
}

#[test]
fn a_vault_in_a_mailbox_that_is_emptied_or_deleted_is_told() {
    let Some(archive) = filled("user67", "imap:box/Vault") else { return };
    let copy: Vec<_> = archive.messages("Vault").into_values().collect();
    archive.empty("Vault");
    (0..2).for_each(|_| told(&archive, "there is no vault"));
    archive.append("Vault", 0, &copy);
    archive.pulled("unchanged", 0);
    archive.session().delete("Vault").unwrap();
    (0..2).for_each(|_| told(&archive, "is not there"));
}

#[test]
fn a_vault_in_a_mailbox_that_lost_its_snapshot_is_told_and_filled_again() {
    let Some(archive) = filled("user68", "imap:box/Vault") else { return };
    let of_snapshot = |bytes: &[u8]| memchr::memmem::find(bytes, b"X-Postkeep-Object: snapshot/").is_some();
    let all = archive.messages("Vault").into_iter();
    let lost: Vec<_> = all.filter(|(_, bytes)| of_snapshot(bytes)).map(|(uid, _)| uid).collect();
    let mut session = archive.session();
    session.select("Vault").unwrap();
    session.expunge(&lost).unwrap();
    let outcome = archive.pulled("failed", 5);
    assert_eq!(outcome["failures"][0]["path"], "box/INBOX", "{outcome:#}");
    assert!(outcome["failures"][0]["hint"].as_str().unwrap().contains("copy of the vault"), "{outcome:#}");
    archive.pulled("unchanged", 0);
}

#[test]
fn a_vault_in_a_maildir_that_is_away_or_emptied_is_told() {
    let Some(archive) = filled("user69", "maildir:~/kept") else { return };
    let (kept, away) = (archive.sandbox.path("kept"), archive.sandbox.path("away"));
    fs::rename(&kept, &away).unwrap();
    (0..2).for_each(|_| told(&archive, "there is no vault"));
    fs::rename(&away, &kept).unwrap();
    archive.pulled("unchanged", 0);
    fs::remove_dir_all(kept.join("cur")).unwrap();
    fs::create_dir(kept.join("cur")).unwrap();
    (0..2).for_each(|_| told(&archive, "there is no vault"));
}

//! The way back without postkeep: the first message in the mailbox, Python, and restic.

use std::fs;

use super::{Backup, has_restic, port, restic_agrees};
use crate::lab::{self, PASSWORD};
use crate::stores::recovery::recover;

/// A profile that was saved twice into one vault.
fn saved(vault: &str, account: Option<(&str, u16)>) -> Backup {
    let backup = Backup::new();
    if let Some((user, port)) = account {
        backup.account(user, port, "");
    }
    backup.profile(&[vault], "");
    backup.fill("large", 3, 5 << 20);
    (0..50).for_each(|n| backup.write(&format!("small/{n}"), format!("file {n}\n").repeat(n)));
    backup.run(&["vault", "init", "docs"]).expect(0);
    backup.save().expect(0, "ok");
    backup.write("small/49", "changed");
    backup.save().expect(0, "ok");
    backup
}

#[test]
fn the_first_message_of_a_mailbox_leads_back_to_the_files() {
    let Some(lab) = lab::get() else { return };
    if !has_restic() {
        return;
    }
    let backup = saved("imap:box/Backups/laptop", Some(("user26", port(lab))));
    let first = lab.first_in("user26", "Backups/laptop");
    let target = backup.path("repository");
    let place = format!("imap://user26@127.0.0.1:{}/Backups/laptop", port(lab));
    let (good, said) = recover(&first, &target, &(place.clone() + "-2"), PASSWORD);
    assert!(!good && said.contains("The folders are:\n") && said.contains("\n  Backups/laptop\n"), "{said}");
    let (good, said) = recover(&first, &target, &place, "guessed");
    assert!(!good && said.contains("app password"), "{said}");
    let (good, said) = recover(&first, &target, &place, PASSWORD);
    assert!(good, "{said}");
    restic_agrees(&backup, &target);
}

#[test]
fn a_maildir_serves_as_well_and_leads_back_too() {
    if !has_restic() {
        return;
    }
    let folder = Backup::new().path("").with_extension("maildir");
    let vault = format!("maildir:{}", folder.display());
    let backup = saved(&vault, None);
    backup.comes_back("1");
    backup.is_sound("1");
    // The oldest of the messages is the first.
    let messages =
        fs::read_dir(folder.join("cur")).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let first = messages.into_iter().find(|message| String::from_utf8_lossy(message).contains("recover.py"));
    let target = backup.path("repository");
    let (good, said) = recover(&first.unwrap(), &target, folder.to_str().unwrap(), "");
    assert!(good, "{said}");
    restic_agrees(&backup, &target);
    backup.run(&["forget", "docs", "--keep-last", "1", "--prune"]).expect(0);
    backup.comes_back("1");
    fs::remove_dir_all(folder).unwrap();
}

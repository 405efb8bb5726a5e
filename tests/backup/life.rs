//! A vault's whole life in a mailbox, by the verbs that a person has.

use std::fs;
use std::process::Command;

use mail_parser::{MessageParser, MimeHeaders};
use serde_json::Value;

use super::{Backup, Told, told};
use crate::common::{Ran, left_out};
use crate::lab::{self, Lab};
use crate::save::noise;

/// Forty megabytes, of which much is small.
fn fill(backup: &Backup) {
    backup.fill("large", 6, 4 << 20);
    backup.fill("middle", 40, 300_000);
    for n in 0..400_u64 {
        backup.write(&format!("small/{}/{n}.txt", n % 10), format!("file {n}\n").repeat(40));
    }
    backup.write("small/empty", "");
}

/// The account with TLS from the start.
fn secured(lab: &Lab, backup: &Backup, user: &str) {
    let account = lab.mailbox(user, postkeep::profile::Tls::Implicit);
    backup.account(user, account.port, "");
    let text = backup.sandbox.read("config/postkeep.toml");
    let tls = format!("tls = \"implicit\", ca-file = {:?}", lab.ca_file());
    let text = text.replace("tls = \"none\"", &tls).replace("127.0.0.1", "localhost");
    backup.sandbox.write("config/postkeep.toml", &text);
}

/// The last letter and its `report.json`.
fn letter(backup: &Backup) -> (String, Value) {
    let letters = backup.sandbox.letters();
    let letter = MessageParser::default().parse(letters.last().unwrap()).unwrap();
    let json = letter.attachments().find(|part| part.attachment_name() == Some("report.json")).unwrap();
    (letter.body_text(0).unwrap().into_owned(), serde_json::from_slice(json.contents()).unwrap())
}

#[test]
fn a_mailbox_serves_for_everything_that_a_vault_is_for() {
    let Some(lab) = lab::get() else { return };
    let backup = Backup::new();
    secured(lab, &backup, "user23");
    let first = whole_life(&backup);
    let room = &first.outcome["vaults"][0]["room"];
    assert!(room[0].as_u64().unwrap() > 40_000_000 && room[1].as_u64() == Some(2 << 30), "{first:#?}");
}

#[test]
fn a_mailbox_of_cyrus_serves_as_well() {
    let Some(cyrus) = lab::cyrus::get() else { return };
    let backup = Backup::new();
    backup.account("ann", cyrus.port, "");
    whole_life(&backup);
}

/// Everything that can be done with a vault, and what its first run told.
fn whole_life(backup: &Backup) -> Told {
    backup.profile(&["imap:box/Backups/Büro & Co"], "");
    fill(backup);
    let none = backup.save();
    assert_eq!((none.code, none.status()), (1, "failed"), "{none:#?}");
    assert!(none.outcome["error"]["hints"].to_string().contains("postkeep vault init"), "{none:#?}");
    backup.run(&["vault", "init", "docs"]).expect(0);

    let first = backup.save().expect(0, "ok");
    let id = first.snapshot(0).unwrap().to_owned();
    let (text, json) = letter(backup);
    assert!(text.contains(&id[..8]), "{id}: {text}");
    let kept = &json["vaults"][0];
    assert_eq!(
        (&kept["snapshot"], &kept["vault"]),
        (&id.clone().into(), &"imap:box/Backups/Büro & Co".into())
    );
    let stored = kept["stored"].as_u64().unwrap();
    assert!(stored > 36_000_000 && stored < 41_000_000, "{json:#}");

    let second = backup.save().expect(0, "unchanged");
    assert!(second.outcome["vaults"][0]["stored"].as_u64().unwrap() < 10_000, "{second:#?}");
    // One in a hundred.
    for n in 0..4 {
        backup.write(&format!("small/{n}/{n}.txt"), format!("changed {n}"));
    }
    backup.write("middle/7", noise(4_711, 300_000));
    fs::remove_file(backup.path("source/middle/8")).unwrap();
    let third = backup.save().expect(0, "ok");
    let stored = third.outcome["vaults"][0]["stored"].as_u64().unwrap();
    assert!((300_000..400_000).contains(&stored), "{third:#?}");
    assert_eq!(third.outcome["vaults"][0]["parent"].as_str(), second.snapshot(0), "{third:#?}");

    looks(backup, &id);
    comes_back_in_parts(backup);
    backup.is_sound("1");
    tends(backup);
    keys(backup);
    backup.comes_back("1");
    first
}

fn looks(backup: &Backup, first: &str) {
    let snapshots = backup.json(&["snapshots", "docs"]);
    assert_eq!(snapshots.as_array().unwrap().len(), 3, "{snapshots:#}");
    assert_eq!(snapshots[0]["id"], first);
    let small = backup.text("source/small/3");
    let listed = backup.run(&["ls", "docs", &format!("latest:{small}")]).expect(0).stdout;
    assert_eq!(listed.lines().filter(|line| line.contains(".txt")).count(), 40, "{listed}");
    let found = backup.run(&["find", "docs", "3.txt"]).expect(0).stdout;
    assert!(found.contains("small/3/3.txt") && !found.contains("13.txt"), "{found}");
    let diff = backup.run(&["diff", "docs", "latest~1", "latest"]).expect(0).stdout;
    for part in ["small/0/0.txt", "middle/7", "- ", "middle/8"] {
        assert!(diff.contains(part), "{part}: {diff}");
    }
    assert!(!diff.contains("large") && !diff.contains("middle/9"), "{diff}");
    let dumped = backup.run(&["dump", "docs", &format!("latest:{small}/3.txt")]).expect(0).stdout;
    assert_eq!(dumped, "changed 3");
    let older = backup.run(&["dump", "docs", &format!("{}:{small}/3.txt", &first[..10])]).expect(0).stdout;
    assert_eq!(older, "file 3\n".repeat(40));
}

fn comes_back_in_parts(backup: &Backup) {
    backup.comes_back("1");
    let target = backup.text("part");
    let path = format!("latest~1:{}", backup.text("source/middle/8"));
    backup.run(&["restore", "docs", &path, "-t", &target]).expect(0);
    assert_eq!(fs::read(backup.path("part/8")).unwrap(), noise(8 << 8 | 1, 300_000));
}

fn tends(backup: &Backup) {
    backup.run(&["forget", "docs", "--keep-last", "1"]).expect(0);
    assert_eq!(backup.json(&["snapshots", "docs"]).as_array().unwrap().len(), 1);
    let pruned = backup.json(&["prune", "docs", "--max-unused", "0"]);
    assert!(pruned["marked-bytes"].as_u64().unwrap() > 0, "{pruned}");
    backup.is_sound("1");
    backup.save().expect(0, "unchanged");
}

fn keys(backup: &Backup) {
    backup.secret("other-password", "battery staple");
    backup.run(&["key", "add", "docs", "--new-password-file", &backup.text("other-password")]).expect(0);
    let listed = backup.json(&["key", "list", "docs"]);
    let other = listed.as_array().unwrap().iter().find(|key| key["own"] == false).unwrap()["id"].clone();
    let bare =
        ["--vault", "imap:box/Backups/Büro & Co", "--vault-password-file", &backup.text("other-password")];
    backup.run(&[&["snapshots"], &bare[..]].concat()).expect(0);
    backup.run(&["key", "remove", "docs", &other.as_str().unwrap()[..8]]).expect(0);
    // A sealed key opens nothing whose key is gone.
    backup.run(&[&["snapshots"], &bare[..]].concat()).expect(12);
    backup.run(&["snapshots", "docs"]).expect(0);
}

#[test]
fn a_second_machine_saves_into_the_same_mailbox() {
    let Some(lab) = lab::get() else { return };
    let backup = Backup::new();
    backup.account("user24", super::port(lab), "");
    backup.profile(&["imap:box/Shared"], "keep-last = 1");
    backup.fill("both", 5, 200_000);
    backup.run(&["vault", "init", "docs"]).expect(0);
    let first = backup.save().expect(0, "ok");

    // Another host's name, another state, another cache.
    let as_other = |args: &[&str]| -> Option<Ran> {
        let plain = backup.sandbox.command(args);
        let mut command = Command::new("unshare");
        command.args(["--uts", "sh", "-c", "hostname elsewhere && exec \"$@\"", "sh"]);
        command.arg(plain.get_program()).args(plain.get_args()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("POSTKEEP_STATE", backup.path("other-state")).env("HOME", backup.path("other-home"));
        let ran = Ran::from(command.output().unwrap());
        if ran.stderr.contains("unshare") {
            left_out("a second machine: this one's name cannot be changed for a process");
            return None;
        }
        Some(ran)
    };
    backup.write("own", noise(99, 100_000));
    let Some(ran) = as_other(&["run", "docs", "--json"]) else { return };
    let other = told(ran).expect(0, "ok");
    let stored = other.outcome["vaults"][0]["stored"].as_u64().unwrap();
    assert!((100_000..120_000).contains(&stored), "what both have is there once: {other:#?}");
    assert_eq!(other.outcome["vaults"][0]["parent"], Value::Null, "{other:#?}");

    // Each forgets its own by the same profile's rules, and sees all.
    backup.write("own", noise(98, 100_000));
    let third = backup.save().expect(0, "ok");
    assert_eq!(third.outcome["vaults"][0]["forgotten"], 1, "{third:#?}");
    assert_eq!(third.outcome["vaults"][0]["parent"].as_str(), first.snapshot(0), "{third:#?}");
    let all = backup.json(&["snapshots", "docs", "--all"]);
    let hosts: Vec<_> = all.as_array().unwrap().iter().map(|one| one["host"].as_str().unwrap()).collect();
    assert!(hosts.len() == 2 && hosts.contains(&"elsewhere"), "{all:#}");
    assert_eq!(backup.json(&["snapshots", "docs"]).as_array().unwrap().len(), 1);
    backup.comes_back("1");
    backup.is_sound("1");
    let seen = as_other(&["verify", "docs", "--read-data"]).unwrap();
    seen.expect(0);
}

//! What servers, folders and vaults do to an archive: the run ends, the rest is archived, the report names what is not.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::played::Played;
use super::{Archive, letter, letters, whole};
use crate::common::{left_out, long};
use crate::lab;
use crate::lab::proxy::{Fault, Proxy};

/// The paths and causes of an outcome's failures.
fn failures(outcome: &Value) -> Vec<(String, String)> {
    let text = |failure: &Value, key: &str| failure[key].as_str().unwrap().to_owned();
    let all = outcome["failures"].as_array().unwrap();
    all.iter().map(|failure| (text(failure, "path"), text(failure, "cause"))).collect()
}

#[test]
fn connections_that_are_cut_anywhere_lose_and_double_nothing() {
    let Some(lab) = lab::get() else { return };
    let archive = Archive::new(lab, "user57", "checkpoint = '20kB'");
    let mut faults: Vec<_> = [900, 2500, 6000, 15_000, 30_000].map(|at| (Fault::Cut, at)).into();
    if long() {
        faults.extend([(Fault::Stall, 15_000), (Fault::Gone, 2500), (Fault::Gone, 15_000)]);
    }
    let mut sent = 0;
    for (n, (fault, at)) in faults.into_iter().enumerate() {
        let (from, to) = (sent, sent + 30);
        archive.append(&format!("F{n}"), i64::try_from(from).unwrap(), &letters(from..to));
        sent = to;
        let proxy = Proxy::new(archive.account.port, fault, at);
        archive.through(proxy.port);
        let (code, outcome) = archive.pull();
        assert!(proxy.happened(), "{fault:?} at {at}");
        if fault == Fault::Cut {
            assert_eq!(code, 0, "{fault:?} at {at}: {outcome:#}");
        }
    }
    archive.through(archive.account.port);
    let (code, outcome) = archive.pull();
    assert_eq!((code, outcome["counts"]["files"].as_u64()), (0, Some(sent)), "{outcome:#}");
    whole(&archive, &letters(0..sent));
}

#[test]
fn a_message_that_is_refused_is_named_until_it_comes_or_goes() {
    let server = Played::new();
    server.mailbox().fill("INBOX", 7, letters(0..6)).refused = [3, 5].into();
    let archive = server.archive("");
    let outcome = archive.pulled("warning", 4);
    let named = failures(&outcome);
    assert_eq!(named.len(), 2, "{outcome:#}");
    assert!(named[0].0 == "box/INBOX/7.3" && named[0].1.contains("this one is broken"), "{named:?}");
    // It is asked for again, with nothing else new.
    archive.pulled("warning", 0);
    server.mailbox().folders.get_mut("INBOX").unwrap().refused = [5].into();
    assert_eq!(failures(&archive.pulled("warning", 1)).len(), 1);
    // What went away is not waited for.
    server.mailbox().folders.get_mut("INBOX").unwrap().messages.remove(&5);
    archive.pulled("unchanged", 0);
    archive.pulled("unchanged", 0);
    whole(&archive, &[0, 1, 2, 3, 5].map(letter));
}

#[test]
fn a_mailbox_of_which_nothing_is_given_makes_no_snapshot() {
    let server = Played::new();
    server.mailbox().fill("INBOX", 7, letters(0..1)).refused = [1].into();
    let archive = server.archive("");
    for _ in 0..2 {
        let outcome = archive.pulled("warning", 0);
        assert_eq!(outcome["vaults"][0]["snapshot"], Value::Null, "{outcome:#}");
    }
    server.mailbox().folders.get_mut("INBOX").unwrap().refused.clear();
    archive.pulled("ok", 1);
}

#[test]
fn uids_that_become_void_half_way_stop_one_folder_and_double_nothing() {
    let server = Played::new();
    server.mailbox().fill("A", 7, letters(0..30));
    server.mailbox().fill("B", 7, letters(30..40));
    server.mailbox().turn =
        Some((10, Box::new(|mailbox| mailbox.folders.get_mut("A").unwrap().validity = 8)));
    let archive = server.archive("");
    let (code, outcome) = archive.pull();
    let named = failures(&outcome);
    assert_eq!((code, named.len()), (1, 1), "{outcome:#}");
    assert!(named[0].0 == "box/A" && named[0].1.contains("UIDVALIDITY was 7 and is 8"), "{named:?}");
    assert_eq!(outcome["counts"]["created"], 20, "the other folder is archived: {outcome:#}");
    let outcome = archive.pulled("ok", 20);
    assert_eq!(outcome["counts"]["files"], 40);
    archive.pulled("unchanged", 0);
    whole(&archive, &letters(0..40));
}

#[test]
fn uids_that_become_void_behind_the_list_of_folders_hide_nothing() {
    let server = Played::new();
    server.mailbox().fill("A", 7, letters(0..5));
    let archive = server.archive("");
    archive.pulled("ok", 5);
    {
        let mut mailbox = server.mailbox();
        mailbox.fill("A", 7, letters(0..6));
        // What is new has UIDs that were seen under the old UIDVALIDITY.
        mailbox.listed = Some(Box::new(|mailbox| {
            mailbox.fill("A", 8, letters(0..8).into_iter().rev().collect());
        }));
    }
    archive.pulled("ok", 3);
    whole(&archive, &letters(0..8));
}

#[test]
fn what_a_server_leaves_out_of_a_list_comes_all_the_same() {
    let server = Played::new();
    server.mailbox().fill("A", 7, letters(0..5)).refused = [2].into();
    let archive = server.archive("");
    assert_eq!(archive.pull().0, 3);
    server.mailbox().fill("A", 7, letters(0..8)).refused = [2].into();
    server.mailbox().mute = [2, 7].into();
    let (code, outcome) = archive.pull();
    let created = outcome["counts"]["created"].as_u64();
    assert_eq!((code, created, failures(&outcome).len()), (3, Some(3), 1), "{outcome:#}");
    server.mailbox().folders.get_mut("A").unwrap().refused.clear();
    archive.pulled("ok", 1);
    whole(&archive, &letters(0..8));
}

#[test]
fn messages_that_another_connection_does_not_see_are_asked_for_again() {
    let server = Played::new();
    server.mailbox().fill("A", 7, letters(0..6));
    // It breaks, and the next server does not have the last messages yet.
    server.mailbox().turn = Some((
        2,
        Box::new(|mailbox| {
            mailbox.fill("A", 7, letters(0..4));
        }),
    ));
    let archive = server.archive("");
    archive.pulled("ok", 4);
    server.mailbox().fill("A", 7, letters(0..6));
    archive.pulled("ok", 2);
    archive.pulled("unchanged", 0);
    whole(&archive, &letters(0..6));
}

#[test]
fn folders_that_nobody_may_open_keep_nobody_from_the_others() {
    let server = Played::new();
    for (at, folder) in (0..).zip(["A", "B", "C", "D", "INBOX", "Z"]) {
        server.mailbox().fill(folder, 7, letters(10 * at..10 * at + 2));
    }
    server.mailbox().closed = ["A", "B", "C", "D"].map(String::from).into();
    let archive = server.archive("");
    let (code, outcome) = archive.pull();
    let named: Vec<_> = failures(&outcome).into_iter().map(|(path, _)| path).collect();
    assert_eq!((code, outcome["counts"]["created"].as_u64()), (1, Some(4)), "{outcome:#}");
    assert_eq!(named, ["box/A", "box/B", "box/C", "box/D"]);
}

#[test]
fn messages_that_say_that_they_are_ours_are_left_out_and_counted() {
    let server = Played::new();
    let mut all = letters(0..3);
    all[1].splice(0..0, *b"X-Postkeep-Object: says anybody\r\n");
    server.mailbox().fill("A", 7, all);
    let archive = server.archive("");
    let outcome = archive.pulled("ok", 2);
    let note = outcome["notes"][0].as_str().unwrap_or_default();
    assert!(note.contains("1 message says by X-Postkeep-Object"), "{outcome:#}");
}

#[test]
fn folders_that_are_renamed_or_deleted_stay_in_the_archive() {
    let server = Played::new();
    for (folder, from) in [("A", 0), ("B", 5), ("C", 10)] {
        server.mailbox().fill(folder, 7, letters(from..from + 5));
    }
    // One goes while it is fetched.
    server.mailbox().turn = Some((7, Box::new(|mailbox| drop(mailbox.folders.remove("B")))));
    let archive = server.archive("");
    let (code, outcome) = archive.pull();
    let named = failures(&outcome);
    assert_eq!((code, named.len(), named[0].0.as_str()), (1, 1, "box/B"), "{outcome:#}");
    assert_eq!(outcome["counts"]["created"], 12, "{outcome:#}");
    let folder = server.mailbox().folders.remove("A").unwrap();
    server.mailbox().folders.insert("Renamed".into(), folder);
    server.mailbox().folders.remove("C");
    let outcome = archive.pulled("ok", 5);
    assert_eq!(outcome["counts"]["files"], 17, "under both names: {outcome:#}");
    let stored = &outcome["vaults"][0]["stored"];
    assert!(stored.as_u64().is_some_and(|bytes| bytes < 20_000), "content is stored once: {outcome:#}");
    archive.pulled("unchanged", 0);
}

#[test]
fn a_gmail_gives_each_message_once_and_pauses() {
    let server = Played::new();
    {
        let mut mailbox = server.mailbox();
        (mailbox.gmail, mailbox.expires, mailbox.budget) = (true, Some(7), Some(25));
        let all = mailbox.fill("[Gmail]/All Mail", 7, letters(0..40));
        all.special = "\\All";
        all.labels = [(1, "\"\\\\Inbox\" Work"), (2, "Work"), (3, "\"\\\\Sent\"")].into();
        mailbox.fill("Work", 9, letters(0..2));
        mailbox.fill("INBOX", 9, letters(0..1));
        mailbox.fill("[Gmail]/Spam", 7, letters(40..43)).special = "\\Junk";
    }
    let archive = server.archive("");
    let (code, outcome) = archive.pull();
    assert_eq!((code, outcome["status"].as_str()), (3, Some("paused")), "{outcome:#}");
    let first = outcome["counts"]["created"].as_u64().unwrap();
    assert!((15..=25).contains(&first), "what came is archived: {outcome:#}");
    // Tomorrow.
    server.mailbox().budget = None;
    let outcome = archive.pulled("ok", 43 - first);
    assert_eq!(outcome["counts"]["files"], 43, "{outcome:#}");
    assert!(
        server.mailbox().given <= 43 + 15,
        "hardly anything is fetched twice: {}",
        server.mailbox().given
    );
    archive.pulled("unchanged", 0);
    whole(&archive, &letters(0..43));
    let listed = archive.run(&["archive", "ls", "mail", "--label", "Work", "--json"]).expect(0).stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");
}

#[test]
fn what_is_larger_than_a_days_budget_comes_all_the_same() {
    let server = Played::new();
    let mut large = letter(0);
    large.extend_from_slice("all of it\r\n".repeat(300_000).as_bytes());
    server.mailbox().fill("INBOX", 7, [vec![large], letters(1..4)].concat());
    let archive = server.archive("");
    let config = archive.sandbox.path("config/postkeep.toml");
    let limited = fs::read_to_string(&config).unwrap().replace(" }", ", download-per-day = \"2MB\" }");
    fs::write(&config, limited).unwrap();
    archive.pulled("ok", 4);
    archive.pulled("unchanged", 0);
    // It is on the account: what comes after it waits.
    server.mailbox().folders.get_mut("INBOX").unwrap().messages.insert(5, letter(5));
    archive.pulled("paused", 0);
}

#[test]
fn a_source_that_only_pauses_for_days_is_told_as_a_failure() {
    let server = Played::new();
    server.mailbox().budget = Some(2);
    server.mailbox().fill("INBOX", 7, letters(0..4));
    let archive = server.archive("");
    archive.pulled("paused", 2);
    let wait = |hours: u64| {
        let passed = hours * 3_600_000_000;
        let sql = format!("UPDATE run SET started = started - {passed}, ended = ended - {passed}");
        archive.sandbox.sql(&sql);
    };
    for _ in 0..3 {
        wait(24);
        archive.pulled("paused", 0);
    }
    wait(24);
    let outcome = archive.pulled("failed", 0);
    let error = outcome["error"]["text"].as_str().unwrap();
    assert!(error.contains("nothing came for 3 d") && error.contains("imap:box"), "{outcome:#}");
    assert!(outcome["paused"]["until"].is_string(), "it goes on all the same: {outcome:#}");
    archive.pulled("failed", 0);
    server.mailbox().budget = Some(3);
    archive.pulled("paused", 1);
    server.mailbox().budget = None;
    archive.pulled("ok", 1);
}

#[test]
fn a_vault_that_fails_keeps_nothing_from_the_other() {
    let server = Played::new();
    server.mailbox().fill("INBOX", 7, letters(0..10));
    let archive = server.archive("");
    let (one, two) = (archive.sandbox.path("vault"), archive.sandbox.path("second"));
    let password = archive.sandbox.path("vault-password");
    archive.sandbox.write(
        "config/profiles/mail.toml",
        &format!("kind = \"archive\"\nsource = \"imap:box\"\nvault = [{one:?}, {two:?}]\nvault-password-file = {password:?}\n"),
    );
    archive.run(&["vault", "init", "mail", "--vault", "2"]).expect(0);
    archive.pulled("ok", 10);
    fs::rename(&one, archive.sandbox.path("unplugged")).unwrap();
    server.mailbox().fill("INBOX", 7, letters(0..12));
    let (code, outcome) = archive.pull();
    assert_eq!((code, &outcome["status"], &outcome["counts"]["created"]), (1, &"failed".into(), &2.into()));
    assert!(!one.exists(), "a vault that is gone is not made anew");
    fs::rename(archive.sandbox.path("unplugged"), &one).unwrap();
    archive.pulled("ok", 2);
    archive.pulled("unchanged", 0);
    whole(&archive, &letters(0..12));

    // Without its password a vault is not opened, and the run says so.
    fs::remove_dir_all(archive.sandbox.path("state")).unwrap();
    archive.secret("vault-password", "wrong");
    let (code, outcome) = archive.pull();
    assert_eq!((code, outcome["status"].as_str()), (1, Some("failed")), "{outcome:#}");
    assert!(outcome["error"]["text"].as_str().unwrap().contains("password"), "{outcome:#}");
}

#[test]
fn a_full_disk_is_no_success_and_the_next_run_heals() {
    if !rustix::process::geteuid().is_root() {
        return left_out("a full disk: only the superuser can mount a small one");
    }
    let server = Played::new();
    let archive = server.archive("checkpoint = '2 MB'");
    let large =
        |n: u64| [letter(n), crate::save::noise(n, 1 << 20).into_iter().map(|b| b | 1).collect()].concat();
    server.mailbox().fill("INBOX", 7, (0..10).map(large).collect());
    fs::remove_dir_all(archive.sandbox.path("vault")).unwrap();
    fs::create_dir(archive.sandbox.path("vault")).unwrap();
    // The small disk is in a name space of its own, and gone with it.
    let script = r#"
        set -eu
        cd "$1"
        mount -t tmpfs -o size=16m none vault
        echo mounted
        "$2" vault init mail >&2
        dd if=/dev/zero of=vault/filler bs=64k count=128 2>/dev/null
        code=0; "$2" run mail || code=$?
        echo "full: exit code $code"
        code=0; "$2" verify mail || code=$?
        echo "full: verify $code"
        rm vault/filler
        "$2" run mail
        "$2" verify mail --read-data
        "$2" archive ls mail
    "#;
    let plain = archive.sandbox.command(&[]);
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(archive.sandbox.path("")).arg(plain.get_program());
    command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if !said.contains("mounted") {
        return left_out("a full disk: nothing can be mounted here");
    }
    for part in ["full: exit code 1", "No space left", "full: verify 0", "\n10 messages,", "10 compared"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(output.status.success(), "{said}");
}

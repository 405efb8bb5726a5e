//! Real mails, many of them broken, into a vault and out again.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Archive;
use crate::archive::real_mails;
use crate::lab;

/// An archive of all real mails that a mailbox can hold, and how many they are.
fn filled(user: &str) -> Option<(Archive, u64)> {
    let (lab, paths) = (lab::get()?, real_mails()?);
    let mails = paths.iter().map(|path| fs::read(path).unwrap());
    // NUL has no place in a mailbox (RFC 9051, 9).
    let mails: Vec<_> = mails.filter(|mail| !mail.contains(&0) && !mail.is_empty()).collect();
    let archive = Archive::new(lab, user, "checkpoint = '2MB'");
    archive.append("Real", 0, &mails);
    archive.pulled("ok", mails.len() as u64);
    Some((archive, mails.len() as u64))
}

/// The UID in the name of a message of an archive.
fn uid(path: &Path) -> u32 {
    let name = path.file_stem().unwrap().to_str().unwrap();
    name.rsplit('.').next().unwrap().parse().unwrap()
}

#[test]
fn real_mails_are_archived_byte_for_byte() {
    let Some((archive, count)) = filled("user54") else { return };
    let held = archive.messages("Real");
    assert_eq!(held.len() as u64, count);
    let Some(restored) = archive.restored() else { return };
    assert_eq!(restored.len() as u64, count);
    for (path, bytes) in &restored {
        assert!(held.get(&uid(path)) == Some(bytes), "{} is not what the server gave", path.display());
    }
    // One snapshot for all slices.
    assert_eq!(archive.json(&["snapshots", "mail"]).as_array().unwrap().len(), 1);
    let listed = archive.run(&["archive", "ls", "mail", "--json"]).expect(0);
    assert_eq!(listed.stdout.lines().count() as u64, count);
    archive.pulled("unchanged", 0);
}

/// Whether a line of the header is none: without a name, or with one of signs that a name has not (RFC 5322, 3.6.8).
/// `strict`: not even with spaces behind it, as once was allowed.
fn has_bad_header(mail: &[u8], strict: bool) -> bool {
    let lines = mail.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let header = lines.take_while(|line| !line.is_empty());
    header.filter(|line| !line.starts_with(b" ") && !line.starts_with(b"\t")).any(|line| {
        let name = line.iter().position(|byte| *byte == b':').map(|at| &line[..at]);
        let name = name.map(|name| if strict { name } else { name.trim_ascii_end() });
        name.is_none_or(|name| name.is_empty() || !name.iter().all(u8::is_ascii_graphic))
    })
}

#[test]
fn real_mails_go_to_cyrus_and_come_back() {
    let Some(cyrus) = lab::cyrus::get() else { return };
    let Some((archive, count)) = filled("user64") else { return };
    let mut held = archive.messages("Real");
    let (main, secret) = (archive.sandbox.read("config/postkeep.toml"), archive.sandbox.path("secret"));
    archive.sandbox.write(
        "config/postkeep.toml",
        &format!(
            "{main}\n[accounts.cyrus]\nuser = \"mails\"\npassword-file = {secret:?}\n\
             imap = {{ host = \"127.0.0.1\", port = {}, tls = \"none\" }}\n",
            cyrus.port
        ),
    );
    let put = || -> Value {
        let ran = archive.run(&["archive", "restore", "mail", "--to", "imap:cyrus", "--json"]).expect(1);
        serde_json::from_str(&ran.stdout).unwrap()
    };
    // What Cyrus refuses is named, with its reason; that is no fault of ours if the header has such a line.
    let told = put();
    let mut refused = 0;
    for failure in told["failures"].as_array().unwrap() {
        let (path, cause) = (failure["path"].as_str().unwrap(), failure["cause"].as_str().unwrap());
        assert_eq!(cause, "the server refuses it: Message contains invalid header", "{path}");
        let key = path.strip_prefix("box/Real/").unwrap().split(' ').next().unwrap();
        let mail = held.remove(&key.split_once('.').unwrap().1.parse().unwrap()).unwrap();
        assert!(has_bad_header(&mail, true), "{path} is refused without a reason");
        refused += 1;
    }
    for (uid, mail) in &held {
        assert!(!has_bad_header(mail, false), "{uid} was taken with a bad header");
    }
    let kept = held.len() as u64;
    assert_eq!((&told["put"], &told["errors"], kept + refused), (&kept.into(), &refused.into(), count));
    eprintln!("{kept} of {count} mails were put into Cyrus, which refuses {refused}");
    let told = put();
    assert_eq!((&told["put"], &told["present"]), (&0.into(), &kept.into()), "{told:#}");

    // The archive of what is there is that of what was there.
    archive.profile("imap:cyrus", "");
    archive.pulled("ok", kept);
    let Some(restored) = archive.restored() else { return };
    let there = restored.into_iter().filter(|(path, _)| path.starts_with("cyrus/Real"));
    let (mut there, mut held): (Vec<_>, Vec<_>) =
        (there.map(|(_, mail)| mail).collect(), held.into_values().collect());
    there.sort();
    held.sort();
    assert_eq!(there.len(), held.len());
    let other = there.iter().zip(&held).find(|(there, held)| there != held);
    let show = |mail: &[u8]| String::from_utf8_lossy(mail).into_owned();
    assert!(other.is_none(), "{:?}", other.map(|(there, held)| (show(there), show(held))));
}

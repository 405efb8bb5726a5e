//! Folders of many messages, large messages, and messages of many parts.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use super::played::Played;
use super::{Archive, letter, letters, whole};
use crate::common::long;

/// Runs the profile; the most memory that it held at a time, in bytes.
fn peak(archive: &Archive) -> u64 {
    let mut command = archive.sandbox.command(&["run", "mail", "--quiet"]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        peak = kib.unwrap_or(0).max(peak);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(child.wait().unwrap().success());
    peak << 10
}

#[test]
fn a_large_folder_and_a_large_message_take_little_memory() {
    let (messages, bytes) = if long() { (100_000, 200 << 20) } else { (3000, 20 << 20) };
    let server = Played::new();
    server.mailbox().fill("Many", 7, letters(0..messages));
    let line = [&[b'x'; 76][..], b"\r\n"].concat();
    let large = [letter(messages), line.repeat(bytes / line.len())].concat();
    server.mailbox().fill("Large", 7, vec![large.clone()]);
    let archive = server.archive("");
    let most = peak(&archive);
    let bound = if long() { 400 << 20 } else { 250 << 20 };
    assert!(most < bound, "{most} bytes of memory");
    eprintln!("{messages} messages and a large one took {} MiB of memory", most >> 20);
    let outcome = archive.pulled("unchanged", 0);
    assert_eq!(outcome["counts"]["files"], messages + 1);
    let id = archive.run(&["archive", "ls", "mail", "--folder", "Large", "--json"]).expect(0).stdout;
    let id = serde_json::from_str::<Value>(id.trim()).unwrap()["id"].as_str().unwrap().to_owned();
    let raw = archive.run(&["archive", "show", "mail", &id, "--raw"]).expect(0);
    assert!(raw.stdout.into_bytes() == large, "the large one is another one");
}

#[test]
fn messages_of_many_parts_and_levels_are_archived_and_shown() {
    let head = "From: Eve <eve@example.org>\r\nSubject: monster\r\nMIME-Version: 1.0\r\n";
    let mut wide = format!("{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    (0..10_000).for_each(|n| wide.push_str(&format!("--b\r\nContent-Type: text/plain\r\n\r\npart {n}\r\n")));
    wide.push_str("--b--\r\n");
    let mut deep = head.to_owned();
    for n in 0..1000 {
        deep.push_str(&format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"));
    }
    deep.push_str("Content-Type: text/plain\r\n\r\nthe bottom\r\n");
    let server = Played::new();
    let all = vec![wide.into_bytes(), deep.into_bytes(), letter(1)];
    server.mailbox().fill("INBOX", 7, all.clone());
    let archive = server.archive("");
    archive.pulled("ok", 3);
    let listed = archive.run(&["archive", "ls", "mail", "--subject", "monster", "--json"]).expect(0).stdout;
    assert_eq!(listed.lines().count(), 2);
    for line in listed.lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let shown = archive.run(&["archive", "show", "mail", message["id"].as_str().unwrap()]).expect(0);
        assert!(shown.stdout.contains("monster"), "{}", shown.stdout);
    }
    whole(&archive, &all);
}

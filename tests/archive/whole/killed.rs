//! Killed at any moment, an archive loses a slice at most, and no message is in it twice.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Archive, letter};
use crate::lab;

#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_is_double() {
    let Some(lab) = lab::get() else { return };
    let times: u64 = if std::env::var_os("POSTKEEP_TEST_LONG").is_some() { 200 } else { 8 };
    let archive = Archive::new(lab, "user55", "checkpoint = '60kB'");
    let mut sent = 0;
    for round in 0..times {
        let more: Vec<_> = (sent..sent + 60).map(letter).collect();
        archive.append(if round % 2 == 0 { "INBOX" } else { "Other" }, i64::try_from(sent).unwrap(), &more);
        sent += 60;
        let mut child = archive.sandbox.command(&["run", "mail", "--quiet"]).spawn().unwrap();
        // Times that are spread over a run, and repeat in no rhythm.
        std::thread::sleep(Duration::from_millis(20 + (round * 137) % 900));
        let _ = child.kill();
        child.wait().unwrap();
    }
    let (_, outcome) = archive.pull();
    assert!(matches!(outcome["status"].as_str(), Some("ok" | "unchanged")), "{outcome:#}");
    assert_eq!(outcome["counts"]["files"].as_u64(), Some(sent), "{outcome:#}");
    let Some(restored) = archive.restored() else { return };
    let mut by_content: BTreeMap<&[u8], u64> = BTreeMap::new();
    restored.values().for_each(|bytes| *by_content.entry(bytes).or_default() += 1);
    assert_eq!(restored.len() as u64, sent);
    assert!(by_content.values().all(|count| *count == 1), "a message is there twice");
    archive.restic(&["check"]);
}

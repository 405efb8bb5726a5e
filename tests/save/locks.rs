//! Our locks and restic's respect each other.

use std::io::Write;
use std::process::{Command, Stdio};

use postkeep::error::Kind;
use postkeep::vault::Access;

use super::{Lab, PASSWORD};

#[test]
fn restic_respects_our_locks() {
    let Some(lab) = Lab::with_restic() else { return };
    lab.write("file", "content");
    lab.create();
    lab.save();
    let vault = lab.open();
    let source = lab.path("source");
    let backup = ["backup", source.to_str().unwrap()];

    let shared = vault.lock(Access::Shared).unwrap();
    let listed = lab.restic_ok(&["list", "locks", "--no-lock"]);
    assert_eq!(listed.lines().count(), 1, "{listed}");
    let lock = lab.restic_json(&["cat", "lock", listed.trim(), "--no-lock"]);
    assert_eq!((&lock["exclusive"], &lock["pid"]), (&false.into(), &std::process::id().into()), "{lock}");
    lab.restic_ok(&backup);
    let refused = lab.restic(&["prune"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("already locked"), "{said}");
    // restic takes a living process of this machine for what it is.
    lab.restic_ok(&["unlock"]);
    shared_is_there(&lab, 1);
    drop(shared);
    shared_is_there(&lab, 0);

    let exclusive = vault.lock(Access::Exclusive).unwrap();
    let refused = lab.restic(&backup);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("locked exclusively"), "{said}");
    drop(exclusive);
    lab.restic_ok(&["prune"]);
}

#[track_caller]
fn shared_is_there(lab: &Lab, count: usize) {
    assert_eq!(lab.restic_ok(&["list", "locks", "--no-lock"]).lines().count(), count);
}

#[test]
fn we_respect_restics_locks() {
    let Some(lab) = Lab::with_restic() else { return };
    lab.write("file", "content");
    lab.create();
    lab.save();
    // It holds its lock while it waits for its standard input.
    let mut restic = Command::new("restic")
        .arg("-r")
        .arg(lab.path("vault"))
        .args(["--no-cache", "backup", "--stdin"])
        .env("RESTIC_PASSWORD", PASSWORD)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while lab.restic_ok(&["list", "locks", "--no-lock"]).is_empty() {
        assert!(restic.try_wait().unwrap().is_none(), "restic ended");
    }
    let vault = lab.open();
    let refused = vault.lock(Access::Exclusive).unwrap_err();
    assert_eq!(refused.kind(), Kind::Locked);
    assert!(refused.to_string().contains(&format!("process {}", restic.id())), "{refused}");
    assert_eq!(vault.unlock(false).unwrap().left.len(), 1);
    lab.save();

    // Who killed it can say so; by itself a name and a number do not prove it.
    restic.kill().unwrap();
    restic.wait().unwrap();
    shared_is_there(&lab, 1);
    assert_eq!(vault.lock(Access::Exclusive).unwrap_err().kind(), Kind::Locked);
    assert_eq!(vault.unlock(false).unwrap().removed, 1);
    drop(vault.lock(Access::Exclusive).unwrap());
    shared_is_there(&lab, 0);
    let _ = restic.stdin.take().map(|mut stdin| stdin.write_all(b""));
}

//! Looking through snapshots.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::Vaulted;

fn vaulted() -> Option<Vaulted> {
    let vaulted = Vaulted::new()?;
    for (name, text) in
        [("a", "a"), ("b", "b"), ("c", "c"), ("d", "d"), ("sub/x\u{1b}[31my", "x"), ("was", "f")]
    {
        vaulted.sandbox.write(&format!("source/{name}"), text);
    }
    vaulted.save();
    vaulted.sandbox.write("source/b", "changed");
    fs::set_permissions(vaulted.source("c"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(vaulted.source("d")).unwrap();
    fs::remove_file(vaulted.source("was")).unwrap();
    vaulted.sandbox.write("source/was/inner", "now a folder");
    vaulted.sandbox.write("source/new/e", "e");
    vaulted.save();
    Some(vaulted)
}

#[test]
fn snapshots_are_listed_and_compared() {
    let Some(vaulted) = vaulted() else { return };
    let ran = vaulted.run(&["snapshots"]).expect(0);
    assert_eq!(ran.stdout.matches("nas").count(), 2, "{}", ran.stdout);
    assert!(ran.stdout.ends_with("2 snapshots\n"), "{}", ran.stdout);
    let ran = vaulted.run(&["snapshots", "--tag", "none"]).expect(0);
    assert_eq!(ran.stdout, "0 snapshots\n");
    let ran = vaulted.run(&["snapshots", "--json"]).expect(0);
    let list: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["host"]), (2, &"nas".into()));

    let both = [vaulted.latest("").replace("latest", "latest~1"), vaulted.latest("")];
    let ran = vaulted.run(&["diff", &both[0], &both[1]]).expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    let expected = ["M b", "U c", "- d", "+ new", "+ new/e", "T was", "+ was/inner"].map(|line| {
        line.replacen(
            ' ',
            &format!(" {}/", vaulted.source("").display().to_string().trim_end_matches('/')),
            1,
        )
    });
    assert_eq!(lines[..lines.len() - 1], expected, "{}", ran.stdout);
    assert_eq!(
        lines.last(),
        Some(&"3 added (13 bytes), 1 removed (1 byte), 2 modified, 1 with other metadata")
    );
    let ran = vaulted.run(&["diff", "--json", "--no-metadata"]).expect(0);
    assert!(ran.stdout.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert!(!ran.stdout.contains("\"U\""), "{}", ran.stdout);
    vaulted.run(&["diff", "latest"]).expect(2);
    vaulted.run(&["diff", &vaulted.latest("a"), "latest"]).expect(2);
}

#[test]
fn folders_are_listed_and_names_are_harmless() {
    let Some(vaulted) = vaulted() else { return };
    let ran = vaulted.run(&["ls", &vaulted.latest("")]).expect(0);
    let names: Vec<_> = ran.stdout.lines().filter_map(|line| line.rsplit('/').next()).collect();
    assert_eq!(names, ["a", "b", "c", "new", "sub", "was"], "{}", ran.stdout);
    assert!(ran.stdout.lines().any(|line| line.starts_with("-rw-------") && line.ends_with("/c")));
    let ran = vaulted.run(&["ls", &vaulted.latest(""), "--recursive"]).expect(0);
    assert!(ran.stdout.contains("sub/x\\u{1b}[31my") && !ran.stdout.contains('\u{1b}'), "{:?}", ran.stdout);
    let ran = vaulted.run(&["ls", &vaulted.latest("a"), "--json"]).expect(0);
    let entry: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&entry["kind"], &entry["bytes"]), (&"file".into(), &1.into()));
}

#[test]
fn files_are_found_in_all_snapshots() {
    let Some(vaulted) = vaulted() else { return };
    let found = |pattern: &str, code| vaulted.run(&["find", pattern]).expect(code).stdout;
    let b = found("b", 0);
    assert_eq!(b.lines().count(), 2, "two versions: {b}");
    assert!(found("a", 0).contains("and 1 older one"), "{}", found("a", 0));
    assert_eq!(found("d", 0).lines().count(), 1);
    assert!(found("none", 1).contains("nothing found in 2 snapshots"));
    let below = format!("{}/new/**", vaulted.source("").display()).replace("//", "/");
    assert_eq!(found(&below, 0).lines().count(), 1);
    let ran = vaulted.run(&["find", "d", "--snapshot", "latest"]).expect(1);
    assert!(ran.stdout.contains("nothing found in 1 snapshot"), "{}", ran.stdout);
    let ran = vaulted.run(&["find", "B", "--ignore-case", "--json"]).expect(0);
    let first: serde_json::Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["snapshots"].as_array().unwrap().len(), 1);
    vaulted.run(&["find"]).expect(2);
    // What would silently fit nothing is a mistake, as it is in a profile.
    for pattern in ["[a", "#notes", ""] {
        vaulted.run(&["find", pattern]).expect(2);
    }
}

#[test]
fn a_file_and_a_folder_are_dumped() {
    let Some(vaulted) = vaulted() else { return };
    let noise: String = (0..400_000_u32).map(|n| format!("{:08x}", n.wrapping_mul(2_654_435_761))).collect();
    vaulted.sandbox.write("source/sub/large", &noise);
    std::os::unix::fs::symlink("b", vaulted.source("sub/link")).unwrap();
    vaulted.save();
    assert_eq!(vaulted.run(&["dump", &vaulted.latest("b")]).expect(0).stdout, "changed");
    assert!(vaulted.run(&["dump", &vaulted.latest("sub/large")]).expect(0).stdout == noise);
    let (vault, password) = (vaulted.sandbox.path("vault"), vaulted.sandbox.path("password"));
    let latest = vaulted.latest("sub");
    let args = ["dump", &latest, "--vault", vault.to_str().unwrap(), "--vault-password-file"];
    let tar = vaulted.sandbox.command(&[&args[..], &[password.to_str().unwrap()]].concat()).output().unwrap();
    assert!(tar.status.success());
    let into = vaulted.sandbox.path("untarred");
    fs::create_dir(&into).unwrap();
    fs::write(vaulted.sandbox.path("x.tar"), &tar.stdout).unwrap();
    let ran = Command::new("tar").arg("-xf").arg(vaulted.sandbox.path("x.tar")).arg("-C").arg(&into).status();
    assert!(ran.unwrap().success());
    assert!(fs::read_to_string(into.join("large")).unwrap() == noise);
    assert_eq!(fs::read_link(into.join("link")).unwrap().to_str(), Some("b"));
    vaulted.run(&["dump", "latest"]).expect(2);
    vaulted.run(&["dump", &vaulted.latest("sub/link")]).expect(1);
}

#[test]
fn a_snapshot_from_the_future_is_told_where_it_counts_as_the_latest() {
    let Some(vaulted) = vaulted() else { return };
    let warned = |verb: &[&str]| vaulted.run(verb).expect(0).stderr.contains("is yet to come (2096-01-01");
    assert!(!warned(&["snapshots"]));
    vaulted.sandbox.write("source/b", "of a wrong clock");
    let (source, time) = (vaulted.source(""), "2096-01-01 12:00:00");
    vaulted.restic(&["backup", "--time", time, "--host", "nas", source.to_str().unwrap()]).expect(0);
    assert!(warned(&["snapshots"]));
    let restore = |which: &str, to: &str| {
        let target = vaulted.sandbox.path(to);
        let path = vaulted.latest("").replace("latest", which);
        let warned = warned(&["restore", &path, "-t", target.to_str().unwrap()]);
        (warned, vaulted.sandbox.read(&format!("{to}/b")))
    };
    assert_eq!(restore("latest", "last"), (true, "of a wrong clock".into()));
    assert_eq!(restore("latest~1", "before"), (false, "changed".into()));
    assert_eq!(restore("2095-12-31", "dated"), (false, "changed".into()));
}

//! Files come back.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::Vaulted;
use crate::common::{Ran, judge, tree};

#[test]
fn a_tree_of_hard_cases_comes_back_from_a_vault_of_restic() {
    let (Some(zoo), Some(verify)) = (judge("tree_zoo.py"), judge("verify_zoo.py")) else { return };
    let Some(vaulted) = Vaulted::new() else { return };
    let root = rustix::process::geteuid().is_root();
    let source = vaulted.sandbox.path("source");
    let python = |script: &std::path::Path, args: &[&str]| {
        Ran::from(Command::new("/usr/bin/python3").arg(script).args(args).output().unwrap())
    };
    python(&zoo, &["--profile", "full", source.to_str().unwrap()]).expect(0);
    let saved = vaulted.restic(&["backup", source.to_str().unwrap()]);
    assert!([0, 3].contains(&saved.code), "{saved:?}");
    let target = vaulted.sandbox.path("back");
    let ran = vaulted.run(&["restore", &vaulted.latest(""), "--target", target.to_str().unwrap()]);
    if !root {
        // What only the superuser may make is named.
        return assert!([1, 3].contains(&ran.code), "{ran:?}");
    }
    ran.expect(0);
    // restic itself keeps neither sockets nor the bytes of a link's target that is not UTF-8.
    fs::remove_file(source.join("special/socket")).unwrap();
    for root in [&source, &target] {
        let links = fs::read_dir(root.join("links")).unwrap();
        let odd = links.map(|entry| entry.unwrap().path()).filter(|path| path.ends_with("nonutf8-target"));
        odd.for_each(|path| fs::remove_file(path).unwrap());
    }
    let ignore =
        ["--owner", "--ignore", "dirmtime,sparse", source.to_str().unwrap(), target.to_str().unwrap()];
    python(&verify, &ignore).expect(0);
}

#[test]
fn a_path_a_glob_and_an_older_snapshot() {
    let Some(vaulted) = Vaulted::new() else { return };
    let sandbox = &vaulted.sandbox;
    sandbox.write("source/a.txt", "first");
    sandbox.write("source/sub/b.txt", "b");
    sandbox.write("source/sub/c.bin", "c");
    vaulted.save();
    sandbox.write("source/a.txt", "second, longer");
    vaulted.save();
    let back = |args: &[&str], code| {
        let _ = fs::remove_dir_all(sandbox.path("back"));
        let target = sandbox.path("back");
        let ran = vaulted.run(&[&["restore"], args, &["-t", target.to_str().unwrap()]].concat()).expect(code);
        let names = if target.exists() { tree(&target) } else { Vec::new() };
        (names.iter().filter(|line| line.contains('"')).count(), ran)
    };
    assert_eq!(back(&[&vaulted.latest("sub")], 0).0, 2);
    assert!(sandbox.path("back/b.txt").exists());
    assert_eq!(back(&[&vaulted.latest(""), "--include", "*.txt"], 0).0, 2);
    let (_, none) = back(&[&vaulted.latest(""), "--include", "*.odt", "--quiet"], 1);
    assert!(none.stderr.contains("nothing in the snapshot matches"), "{}", none.stderr);
    assert_eq!(back(&[&vaulted.latest(""), "--exclude", "sub/"], 0).0, 1);
    assert_eq!(sandbox.read("back/a.txt"), "second, longer");
    assert_eq!(back(&[&vaulted.latest("a.txt")], 0).0, 1);
    let older = vaulted.latest("a.txt").replace("latest:", "latest~1:");
    back(&[&older], 0);
    assert_eq!(sandbox.read("back/a.txt"), "first");
    assert_eq!(back(&[], 0).0, 3);
    let whole = format!("back{}/sub/b.txt", vaulted.source("").display());
    assert_eq!(sandbox.read(whole.trim_start_matches('/')), "b");

    let (_, dry) = back(&[&vaulted.latest(""), "-n"], 0);
    assert!(!sandbox.path("back").exists(), "a dry run made something");
    assert!(dry.stdout.contains("new") && dry.stdout.contains("would restore 3 files"), "{}", dry.stdout);
    for (args, said) in [
        (["latest~2:/", "-n"], "there are only 2 snapshots"),
        (["latest:/nowhere", "-n"], "the snapshot has no /nowhere"),
        (["ffffffff", "-n"], "no snapshot's id begins with"),
    ] {
        let (_, ran) = back(&args, 2);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    sandbox.write("full/x", "");
    let full = sandbox.path("full");
    let ran = vaulted.run(&["restore", "--target", full.to_str().unwrap()]).expect(2);
    assert!(ran.stderr.contains("is not empty"), "{}", ran.stderr);
    let ran =
        vaulted.run(&["restore", "--json", "--target", sandbox.path("json").to_str().unwrap()]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&json["targets"][0]["files"], &json["targets"][0]["errors"]), (&3.into(), &0.into()));
}

#[test]
fn in_place_overwrites_what_differs_and_follows_no_link() {
    let Some(vaulted) = Vaulted::new() else { return };
    let sandbox = &vaulted.sandbox;
    for name in ["same", "changed", "gone", "linked", "sub/inner"] {
        sandbox.write(&format!("source/{name}"), &format!("content of {name}"));
    }
    vaulted.save();
    let before = tree(&sandbox.path("source"));
    sandbox.write("source/changed", "something else");
    sandbox.write("source/extra", "stays");
    fs::remove_file(vaulted.source("gone")).unwrap();
    sandbox.write("outside/file", "untouched");
    fs::remove_file(vaulted.source("linked")).unwrap();
    symlink(sandbox.path("outside/file"), vaulted.source("linked")).unwrap();
    let dry = vaulted.run(&["restore", "--in-place", "-n"]).expect(0);
    assert!(dry.stdout.starts_with(&format!("in {}:\n", sandbox.path("source").display())), "{}", dry.stdout);
    for part in ["replace", "changed", "new", "gone", "2 entries are as before"] {
        assert!(dry.stdout.contains(part), "{part}: {}", dry.stdout);
    }
    assert!(!dry.stdout.contains("same"), "only what would change is listed: {}", dry.stdout);
    assert_eq!(sandbox.read("source/changed"), "something else");
    let ran = vaulted.run(&["restore", "--in-place"]).expect(0);
    assert!(ran.stdout.contains("restored 3 files"), "{}", ran.stdout);
    assert_eq!(sandbox.read("outside/file"), "untouched");
    assert_eq!(sandbox.read("source/extra"), "stays");
    fs::remove_file(vaulted.source("extra")).unwrap();
    assert_eq!(tree(&sandbox.path("source")), before);

    // A link in place of a folder is in the way: nothing is written through it.
    fs::rename(vaulted.source("sub"), sandbox.path("moved")).unwrap();
    symlink(sandbox.path("outside"), vaulted.source("sub")).unwrap();
    let ran = vaulted.run(&["restore", "--in-place"]).expect(1);
    assert!(ran.stderr.contains("sub: cannot restore it: a symbolic link is in its place"), "{}", ran.stderr);
    assert!(!sandbox.path("outside/inner").exists());
    // And one in place of the folder of what was saved leads where the user let it lead.
    fs::remove_file(vaulted.source("sub")).unwrap();
    vaulted.run(&["restore", &vaulted.latest("sub/inner"), "--in-place"]).expect(0);
    assert_eq!(sandbox.read("source/sub/inner"), "content of sub/inner");
}

//! Copy and mirror, seen from outside: what arrives, what stays, what stops.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use crate::common::{Sandbox, tree};

/// The one set of old versions that a sandbox has.
fn versions(sandbox: &Sandbox) -> std::path::PathBuf {
    let sets: Vec<_> = fs::read_dir(sandbox.path("target/.postkeep-versions")).unwrap().collect();
    assert_eq!(sets.len(), 1, "one run, one set");
    sets.into_iter().next().unwrap().unwrap().path()
}

#[test]
fn a_mirror_follows_its_source_and_keeps_what_it_takes_away() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/stays", "a");
    sandbox.write("source/changes", "old");
    sandbox.write("source/goes/deep/file", "gone");
    sandbox.write("source/becomes-folder", "file");
    sandbox.write("source/becomes-file/inner", "inner");
    sandbox.run(&["run", "docs"]).expect(0);

    sandbox.write("source/changes", "new content");
    fs::remove_dir_all(sandbox.path("source/goes")).unwrap();
    fs::remove_file(sandbox.path("source/becomes-folder")).unwrap();
    sandbox.write("source/becomes-folder/inner", "now in a folder");
    fs::remove_dir_all(sandbox.path("source/becomes-file")).unwrap();
    sandbox.write("source/becomes-file", "now a file");
    sandbox.write("source/new", "hello");
    sandbox.run(&["run", "docs"]).expect(0);

    assert_eq!(tree(&sandbox.path("target")), tree(&sandbox.path("source")));
    let kept = versions(&sandbox);
    for (path, content) in [
        ("changes", "old"),
        ("goes/deep/file", "gone"),
        ("becomes-folder", "file"),
        ("becomes-file/inner", "inner"),
    ] {
        assert_eq!(fs::read_to_string(kept.join(path)).unwrap(), content, "{path}");
    }
    assert!(!kept.join("stays").exists());
    assert_eq!(sandbox.path("target/.postkeep-versions").metadata().unwrap().mode() & 0o777, 0o700);
}

#[test]
fn a_copy_never_deletes() {
    let sandbox = Sandbox::new();
    sandbox.profile("docs", "mode = \"copy\"");
    sandbox.write("source/a", "1");
    sandbox.write("source/sub/b", "2");
    sandbox.run(&["run", "docs"]).expect(0);
    fs::remove_dir_all(sandbox.path("source/sub")).unwrap();
    sandbox.write("source/a", "1 changed");
    sandbox.write("target/own", "of the target");
    // A folder in the target does not make way for a file.
    fs::create_dir(sandbox.path("target/clash")).unwrap();
    sandbox.write("source/clash", "file");
    let ran = sandbox.run(&["run", "docs"]).expect(1);
    assert!(
        ran.stdout.contains("clash: the target has a folder where the source has a file"),
        "{}",
        ran.stdout
    );
    assert_eq!(sandbox.read("target/a"), "1 changed");
    assert_eq!(sandbox.read("target/sub/b"), "2");
    assert_eq!(sandbox.read("target/own"), "of the target");
    assert!(!sandbox.path("target/.postkeep-versions").exists(), "a copy keeps versions only when asked");
}

#[test]
fn what_is_excluded_is_neither_copied_nor_deleted() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("source")).unwrap();
    sandbox.profile(
        "docs",
        r#"mode = "mirror"
           exclude = ["*.tmp", "/build/", "!keep.tmp", "deep/**/cache"]
           exclude-if-present = ".nobackup"
           exclude-larger-than = "100""#,
    );
    for path in [
        "a",
        "a.tmp",
        "keep.tmp",
        "build/x",
        "sub/build/x",
        "deep/1/2/cache/c",
        "marked/.nobackup",
        "marked/x",
    ] {
        sandbox.write(&format!("source/{path}"), "x");
    }
    sandbox.write("source/large", &"x".repeat(101));
    for path in
        ["gone/x.tmp", "gone/y", "build/own", "large", "marked/own", "gone2/.nobackup", "gone2/x", "gone2/y"]
    {
        sandbox.write(&format!("target/{path}"), "own");
    }
    sandbox.run(&["run", "docs"]).expect(0);
    let paths: Vec<_> = tree(&sandbox.path("target"))
        .into_iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .filter(|path| sandbox.path("target").join(path).is_file())
        .collect();
    assert_eq!(
        paths,
        [
            "a",
            "build/own",
            "gone/x.tmp",
            "gone2/.nobackup",
            "gone2/x",
            "gone2/y",
            "keep.tmp",
            "large",
            "marked/own",
            "sub/build/x",
        ]
    );
    assert_eq!(sandbox.read("target/large"), "own");
}

#[test]
fn hard_links_stay_links() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "one");
    sandbox.write("source/sub/x", "other");
    fs::hard_link(sandbox.path("source/a"), sandbox.path("source/sub/b")).unwrap();
    sandbox.run(&["run", "docs"]).expect(0);
    let inode = |path: &str| sandbox.path(path).metadata().unwrap().ino();
    assert_eq!(inode("target/a"), inode("target/sub/b"));

    // The names part, and another pair forms.
    fs::remove_file(sandbox.path("source/sub/b")).unwrap();
    sandbox.write("source/sub/b", "one");
    let time = sandbox.path("source/a").metadata().unwrap().modified().unwrap();
    fs::File::options().write(true).open(sandbox.path("source/sub/b")).unwrap().set_modified(time).unwrap();
    fs::hard_link(sandbox.path("source/sub/x"), sandbox.path("source/y")).unwrap();
    sandbox.run(&["run", "docs"]).expect(0);
    assert_ne!(inode("target/a"), inode("target/sub/b"));
    assert_eq!(inode("target/y"), inode("target/sub/x"));

    // An attribute that came later is an attribute of all names.
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(sandbox.path("source/y"), "user.comment", b"hi", flags).unwrap();
    sandbox.run(&["run", "docs"]).expect(0);
    assert_eq!(rustix::fs::getxattr(sandbox.path("target/sub/x"), "user.comment", &mut [0; 8]), Ok(2));
    sandbox.run(&["run", "docs"]).expect(0).stdout.contains("unchanged").then_some(()).unwrap();
}

#[test]
fn metadata_alone_is_carried_over_without_a_copy() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/script", "#!/bin/sh\n");
    sandbox.write("source/sub/inner", "x");
    sandbox.run(&["run", "docs"]).expect(0);
    let inode = sandbox.path("target/script").metadata().unwrap().ino();
    let mode = |path: &str| sandbox.path(path).metadata().unwrap().mode() & 0o7777;
    fs::set_permissions(sandbox.path("source/script"), fs::Permissions::from_mode(0o751)).unwrap();
    fs::set_permissions(sandbox.path("source/sub"), fs::Permissions::from_mode(0o700)).unwrap();
    rustix::fs::setxattr(
        sandbox.path("source/sub/inner"),
        "user.comment",
        b"hi",
        rustix::fs::XattrFlags::empty(),
    )
    .unwrap();
    let ran = sandbox.run(&["run", "docs"]).expect(0);
    assert!(ran.stdout.contains("3 updated;"), "{}", ran.stdout);
    assert_eq!((mode("target/script"), mode("target/sub")), (0o751, 0o700));
    assert_eq!(sandbox.path("target/script").metadata().unwrap().ino(), inode, "it was not copied again");
    let mut value = [0; 8];
    let n = rustix::fs::getxattr(sandbox.path("target/sub/inner"), "user.comment", &mut value).unwrap();
    assert_eq!(&value[..n], b"hi");
}

#[test]
fn an_emptied_source_stops_before_anything_is_deleted() {
    let sandbox = Sandbox::with_mirror();
    for n in 0..5 {
        sandbox.write(&format!("source/{n}"), "x");
    }
    sandbox.run(&["run", "docs"]).expect(0);
    fs::remove_dir_all(sandbox.path("source")).unwrap();
    let ran = sandbox.run(&["run", "docs"]).expect(1);
    assert!(ran.stdout.contains("cannot open the source"), "{}", ran.stdout);
    fs::create_dir(sandbox.path("source")).unwrap();
    let ran = sandbox.run(&["run", "docs"]).expect(4);
    assert!(ran.stdout.contains("is empty; the last run saw 5 entries there"), "{}", ran.stdout);
    assert_eq!(fs::read_dir(sandbox.path("target")).unwrap().count(), 5);
    let subjects: Vec<_> = sandbox.letters().iter().map(|letter| subject(letter)).collect();
    assert!(
        subjects[1].starts_with("[FAILED] docs") && subjects[2].starts_with("[STOPPED] docs"),
        "{subjects:?}"
    );
}

fn subject(letter: &[u8]) -> String {
    mail_parser::MessageParser::default().parse(letter).unwrap().subject().unwrap().to_owned()
}

#[test]
fn too_many_deletions_wait_for_an_approval_of_exactly_that_plan() {
    let sandbox = Sandbox::with_mirror();
    for n in 0..120 {
        sandbox.write(&format!("source/{n}"), "x");
    }
    sandbox.run(&["run", "docs"]).expect(0);
    for n in 0..60 {
        fs::remove_file(sandbox.path(&format!("source/{n}"))).unwrap();
    }
    let ran = sandbox.run(&["run", "docs"]).expect(4);
    assert!(ran.stdout.contains("it would delete 60 of the target's 120 entries (50 %)"), "{}", ran.stdout);
    let token =
        |text: &str| text.split("--approve ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let first = token(&ran.stdout);
    assert_eq!(
        token(&sandbox.run(&["plan", "docs"]).expect(4).stdout),
        first,
        "the plan shows the same token"
    );

    // Another deletion: what was approved is not what would be done.
    fs::remove_file(sandbox.path("source/60")).unwrap();
    let ran = sandbox.run(&["run", "docs", "--approve", &first]).expect(4);
    assert!(ran.stdout.contains("not this plan's"), "{}", ran.stdout);
    let second = token(&ran.stdout);
    assert_ne!(first, second);
    // A new file takes nothing away: the approval holds.
    sandbox.write("source/new", "x");
    sandbox.run(&["run", "docs", "--approve", &second]).expect(0);
    assert_eq!(tree(&sandbox.path("target")), tree(&sandbox.path("source")));
    assert_eq!(fs::read_dir(versions(&sandbox)).unwrap().count(), 61);
}

#[test]
fn a_target_that_vanished_is_not_made_anew() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    sandbox.run(&["run", "docs"]).expect(0);
    fs::rename(sandbox.path("target"), sandbox.path("unplugged")).unwrap();
    let ran = sandbox.run(&["run", "docs"]).expect(1);
    assert!(ran.stdout.contains("does not exist") && ran.stdout.contains("mounted"), "{}", ran.stdout);
    assert!(!sandbox.path("target").exists());
}

#[test]
fn what_cannot_be_read_is_named_and_not_deleted() {
    let sandbox = Sandbox::with_mirror();
    let run = || sandbox.run_as_user(&["run", "docs"]);
    let deny =
        |path: &str, mode| fs::set_permissions(sandbox.path(path), fs::Permissions::from_mode(mode)).unwrap();
    for path in ["open", "secret", "locked/inner", "listed/inner"] {
        sandbox.write(&format!("source/{path}"), "x");
    }
    let Some(ran) = run() else { return };
    ran.expect(0);
    sandbox.write("source/secret", "changed");
    sandbox.write("source/open", "changed");
    deny("source/secret", 0o000);
    deny("source/locked", 0o000);
    deny("source/listed", 0o600);
    let ran = run().unwrap().expect(1);
    for path in
        ["secret: cannot read: Permission denied", "locked: cannot open the folder: Permission denied"]
    {
        assert!(ran.stdout.contains(path), "{path}: {}", ran.stdout);
    }
    assert!(ran.stdout.contains("listed/inner: cannot read: Permission denied"), "{}", ran.stdout);
    assert_eq!(sandbox.read("target/open"), "changed", "the rest is done");
    for path in ["target/secret", "target/locked/inner"] {
        assert_eq!(sandbox.read(path), "x");
    }
    deny("target/listed", 0o700);
    assert_eq!(sandbox.read("target/listed/inner"), "x");
    // The same failures again are not news; the report tells them apart.
    run().unwrap().expect(1);
    let letters = sandbox.letters();
    let letter = mail_parser::MessageParser::default().parse(letters.last().unwrap()).unwrap();
    assert!(letter.body_text(0).unwrap().contains("as in the last run"), "{}", letter.body_text(0).unwrap());
    for (path, mode) in [("source/locked", 0o700), ("source/listed", 0o700)] {
        deny(path, mode);
    }
}

#[test]
fn old_versions_go_when_they_are_old_enough() {
    let sandbox = Sandbox::new();
    sandbox.profile("docs", "mode = \"mirror\"\nkeep-versions = \"10d\"");
    sandbox.write("source/a", "x");
    let stamp = |age: i64| {
        (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * age)).strftime("%Y%m%dT%H%M%SZ")
    };
    let set = |age: i64| format!("target/.postkeep-versions/{}-AAAAAA", stamp(age));
    sandbox.write(&format!("{}/old/file", set(11)), "12345");
    sandbox.write(&format!("{}/young", set(9)), "x");
    sandbox.write("target/.postkeep-versions/notes", "mine");
    let ran = sandbox.run(&["run", "docs", "--json"]).expect(0);
    let runs: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(runs[0]["run"]["outcome"]["versions"]["removed-bytes"], 5, "{runs}");
    let left = fs::read_dir(sandbox.path("target/.postkeep-versions")).unwrap().count();
    assert_eq!(left, 2);
}

#[test]
fn links_are_copied_as_links() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("outside/secret", "s");
    sandbox.write("source/a", "x");
    symlink(sandbox.path("outside"), sandbox.path("source/to-folder")).unwrap();
    symlink("nowhere", sandbox.path("source/dangling")).unwrap();
    sandbox.run(&["run", "docs"]).expect(0);
    assert_eq!(tree(&sandbox.path("target")), tree(&sandbox.path("source")));
    // A folder takes the place of the link, and nothing is written through it.
    fs::remove_file(sandbox.path("source/to-folder")).unwrap();
    sandbox.write("source/to-folder/file", "inside");
    sandbox.run(&["run", "docs"]).expect(0);
    assert_eq!(tree(&sandbox.path("target")), tree(&sandbox.path("source")));
    assert_eq!(fs::read_dir(sandbox.path("outside")).unwrap().count(), 1);
}

#[test]
fn two_runs_do_not_meet_in_one_folder() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    let state = postkeep::state::State::open(&sandbox.path("state")).unwrap();
    let held = state.locks().profile("docs").unwrap().unwrap();
    let ran = sandbox.run(&["run", "docs"]).expect(11);
    assert!(ran.stderr.contains("running already"), "{}", ran.stderr);
    drop(held);
    sandbox.run(&["run", "docs"]).expect(0);
}

#[test]
fn our_own_state_is_no_part_of_a_sync() {
    let sandbox = Sandbox::with_mirror();
    // As a person's home holds it.
    std::fs::create_dir(sandbox.path("source/.local")).unwrap();
    sandbox.write("source/a", "x");
    let state = sandbox.path("source/.local/postkeep");
    let args = ["--state", state.to_str().unwrap(), "run", "docs"];
    let ran = sandbox.run(&args).expect(0);
    assert!(ran.stdout.contains("postkeep's own state: .local/postkeep"), "{}", ran.stdout);
    let ran = sandbox.run(&args).expect(0);
    assert!(ran.stdout.contains("docs: unchanged"), "{}", ran.stdout);
    assert!(sandbox.path("target/a").exists() && !sandbox.path("target/.local/postkeep").exists());
}

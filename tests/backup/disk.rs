//! What a machine does to a backup: files that nobody may read, a vault that is not there, a disk that is full.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::{Backup, port, told};
use crate::common::{Ran, left_out};
use crate::lab;

#[test]
fn an_unreadable_file_is_named_and_holds_the_forgetting_back() {
    let backup = Backup::new();
    let vault = backup.text("vault");
    backup.profile(&[&vault], "keep-last = 1");
    backup.write("good", "one");
    backup.write("secret", "x");
    backup.write("closed/inside", "y");
    let user = |args: &[&str]| backup.sandbox.run_as_user(args);
    let Some(init) = user(&["vault", "init", "docs"]) else { return };
    init.expect(0);
    let save = || told(user(&["run", "docs", "--json"]).unwrap());
    save().expect(0, "ok");
    let mode = |path: &str, mode| {
        fs::set_permissions(backup.path("source").join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("secret", 0);
    mode("closed", 0);
    backup.write("good", "two");
    let saved = save().expect(1, "failed");
    let named = saved.outcome["failures"].as_array().unwrap();
    let named: Vec<_> = named.iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(named, [backup.text("source/closed"), backup.text("source/secret")], "{saved:#?}");
    assert!(saved.snapshot(0).is_some(), "what can be read is saved: {saved:#?}");
    let snapshots = user(&["snapshots", "docs"]).unwrap().expect(0).stdout;
    assert!(snapshots.contains("\n2 snapshots"), "the good copy stays: {snapshots}");
    let older = format!("latest~1:{}", backup.text("source/secret"));
    assert_eq!(user(&["dump", "docs", &older]).unwrap().expect(0).stdout, "x");
    let newer = format!("latest:{}", backup.text("source/good"));
    assert_eq!(user(&["dump", "docs", &newer]).unwrap().expect(0).stdout, "two");
    mode("closed", 0o755);
    mode("secret", 0o644);
    let mended = save();
    assert_eq!((mended.code, &mended.outcome["vaults"][0]["forgotten"]), (0, &2.into()), "{mended:#?}");
    let back = format!("latest:{}", backup.text("source/closed"));
    user(&["restore", "docs", &back, "-t", &backup.text("back")]).unwrap().expect(0);
    assert_eq!(backup.sandbox.read("back/inside"), "y");
}

#[test]
fn a_vault_that_is_gone_is_named_and_the_other_has_its_snapshot() {
    let Some(lab) = lab::get() else { return };
    let backup = Backup::new();
    backup.account("user23", port(lab), "");
    let folder = backup.text("vault");
    backup.profile(&[&folder, "imap:box/Second"], "");
    backup.fill("files", 3, 100_000);
    backup.run(&["vault", "init", "docs"]).expect(0);
    backup.run(&["vault", "init", "docs", "--vault", "2"]).expect(0);
    let both = backup.save().expect(0, "ok");
    assert!(both.snapshot(0).is_some() && both.snapshot(1).is_some(), "{both:#?}");

    fs::rename(backup.path("vault"), backup.path("unplugged")).unwrap();
    backup.write("files/0", "changed");
    let one = backup.save().expect(1, "failed");
    assert!(one.error().contains("1 of 2 vaults") && one.error().contains(&folder), "{one:#?}");
    assert!(one.snapshot(0).is_none() && one.snapshot(1).is_some(), "{one:#?}");
    backup.comes_back("2");
    assert!(!backup.path("vault").exists(), "a vault that is gone is not made anew");

    fs::rename(backup.path("unplugged"), backup.path("vault")).unwrap();
    backup.secret("secret", "wrong");
    backup.write("files/1", "changed");
    let other = backup.save().expect(1, "failed");
    assert!(other.error().contains("1 of 2 vaults") && other.error().contains("user23"), "{other:#?}");
    assert!(other.snapshot(0).is_some() && other.snapshot(1).is_none(), "{other:#?}");
    backup.comes_back("1");

    backup.account("user23", port(lab), "");
    backup.write("files/2", "changed");
    let healed = backup.save().expect(0, "ok");
    assert!(healed.snapshot(0).is_some() && healed.snapshot(1).is_some(), "{healed:#?}");
    backup.comes_back("1");
    backup.comes_back("2");
}

#[test]
fn a_full_disk_is_no_success_and_the_next_run_heals() {
    if !rustix::process::geteuid().is_root() {
        return left_out("a full disk: only the superuser can mount a small one");
    }
    let backup = Backup::new();
    let vault = backup.text("vault");
    backup.profile(&[&vault], "keep-last = 1\ncheckpoint = \"2 MB\"");
    backup.write("small", "x");
    fs::create_dir(backup.path("vault")).unwrap();
    let more = backup.path("more");
    fs::create_dir(&more).unwrap();
    for n in 0..10 {
        fs::write(more.join(format!("{n}")), crate::save::noise(n, 1 << 20)).unwrap();
    }
    // The small disk is in a name space of its own, and gone with it.
    let script = r#"
        set -eu
        cd "$1"
        mount -t tmpfs -o size=16m none vault
        echo mounted
        "$2" vault init docs >&2
        "$2" run docs >&2
        mv more/* source/
        dd if=/dev/zero of=vault/filler bs=64k count=128 2>/dev/null
        code=0; "$2" run docs || code=$?
        echo "full: exit code $code"
        code=0; "$2" verify docs || code=$?
        echo "full: verify $code"
        rm vault/filler
        "$2" run docs
        "$2" verify docs --read-data
        "$2" restore docs "latest:$1/source" -t back
        diff -r source back && echo "all came back"
        "$2" snapshots docs
        mount -o remount,ro vault
        "$2" verify docs --read-data
        code=0; "$2" run docs || code=$?
        echo "read-only: exit code $code"
    "#;
    let plain = backup.sandbox.command(&[]);
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(backup.path("")).arg(plain.get_program()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if !said.contains("mounted") {
        return left_out("a full disk: nothing can be mounted here");
    }
    for part in [
        "full: exit code 1",
        "No space left",
        "full: verify 0",
        "all came back",
        "1 snapshot\n",
        "no lock can be written",
        "read-only: exit code 1",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(output.status.success(), "{said}");
}

#[test]
fn folders_deep_inside_each_other_are_saved_where_few_files_may_be_open() {
    let backup = Backup::new();
    backup.profile(&[&backup.text("vault")], "");
    let deep: String = (0..300).map(|_| "d/").collect();
    backup.write(&format!("{deep}bottom"), "here");
    backup.run(&["vault", "init", "docs"]).expect(0);
    for verb in [&["run", "docs"][..], &["plan", "docs"]] {
        let plain = backup.sandbox.command(verb);
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -S -n 100 && exec \"$@\"", "sh"]).arg(plain.get_program());
        command.args(plain.get_args()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran = Ran::from(command.output().unwrap()).expect(0);
        assert!(!ran.stdout.contains("cannot open"), "{}", ran.stdout);
    }
    let path = format!("latest:{}", backup.text(&format!("source/{deep}bottom")));
    assert_eq!(backup.run(&["dump", "docs", &path]).expect(0).stdout, "here");
}

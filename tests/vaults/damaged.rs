//! Damage is found, named by the files that it costs, and never told as ok.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Vaulted;

/// A vault with a large file and some small ones, in packs of their own.
fn vaulted() -> Option<Vaulted> {
    let vaulted = Vaulted::new()?;
    vaulted.sandbox.write("source/small", "small");
    vaulted.save();
    let noise: String = (0..200_000_u32).map(|n| format!("{:08x}", n.wrapping_mul(2_654_435_761))).collect();
    vaulted.sandbox.write("source/deep/large", &noise);
    vaulted.save();
    vaulted.run(&["verify", "--read-data"]).expect(0);
    Some(vaulted)
}

/// Changes a file that restic made read-only.
fn bend(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(path, bytes).unwrap();
}

fn largest(vaulted: &Vaulted) -> std::path::PathBuf {
    let size = |path: &std::path::PathBuf| fs::metadata(path).unwrap().len();
    vaulted.objects("data").into_iter().max_by_key(size).unwrap()
}

#[test]
fn what_is_damaged_is_named_by_what_it_costs() {
    let Some(vaulted) = vaulted() else { return };
    let pack = largest(&vaulted);
    let name = pack.file_name().unwrap().to_str().unwrap()[..8].to_owned();
    let whole = fs::read(&pack).unwrap();
    let large = format!("{} in snapshot", vaulted.source("deep/large").display());
    let restored = || {
        let _ = fs::remove_dir_all(vaulted.sandbox.path("back"));
        let target = vaulted.sandbox.path("back");
        let ran = vaulted.run(&["restore", &vaulted.latest(""), "-t", target.to_str().unwrap()]).expect(1);
        assert_eq!(vaulted.sandbox.read("back/small"), "small");
        assert!(!target.join("deep/large").exists());
        assert!(ran.stderr.contains("deep/large: a piece of its content is lost"), "{}", ran.stderr);
        assert!(ran.stdout.contains("1 entry NOT restored"), "{}", ran.stdout);
    };

    bend(&pack, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    vaulted.run(&["verify"]).expect(0);
    let ran = vaulted.run(&["verify", "--read-data"]).expect(1);
    for part in [&format!("pack {name} is damaged"), &large, "is damaged", "hint:", "DAMAGED: 2 problems"] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    restored();

    bend(&pack, |bytes| bytes.truncate(bytes.len() / 2));
    let ran = vaulted.run(&["check"]).expect(1);
    assert!(ran.stdout.contains(&format!("pack {name} is cut off")), "{}", ran.stdout);
    assert!(ran.stdout.contains(&large), "{}", ran.stdout);
    restored();

    fs::remove_file(&pack).unwrap();
    let ran = vaulted.run(&["verify", "--json"]).expect(1);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&json["ok"], &json["damaged"]), (&false.into(), &2.into()), "{json}");
    restored();

    fs::write(&pack, whole).unwrap();
    vaulted.run(&["verify", "--read-data"]).expect(0);
    let share = vaulted.run(&["verify", "--read-data=1%"]).expect(0);
    assert!(share.stdout.contains("read: all is well"), "{}", share.stdout);
    vaulted.run(&["verify", "--read-data=101%"]).expect(2);
}

#[test]
fn a_lost_index_and_a_lost_snapshot_are_named() {
    let Some(vaulted) = vaulted() else { return };
    let snapshot = vaulted.objects("snapshots").remove(0);
    let sound = fs::read(&snapshot).unwrap();
    bend(&snapshot, |bytes| bytes[40] ^= 1);
    let ran = vaulted.run(&["verify"]).expect(1);
    let name = snapshot.file_name().unwrap().to_str().unwrap()[..8].to_owned();
    assert!(ran.stdout.contains(&format!("snapshot {name} is lost")), "{}", ran.stdout);
    let hint = format!(
        "postkeep forget --vault {} --vault-password-file FILE {name}",
        vaulted.sandbox.path("vault").display()
    );
    assert!(ran.stdout.contains(&hint), "{}", ran.stdout);
    fs::write(&snapshot, sound).unwrap();

    let index = vaulted.objects("index").remove(0);
    bend(&index, |bytes| bytes.truncate(60));
    let ran = vaulted.run(&["verify"]).expect(1);
    let name = index.file_name().unwrap().to_str().unwrap()[..8].to_owned();
    assert!(ran.stdout.contains(&format!("a part of the index ({name}) is lost")), "{}", ran.stdout);
    assert!(ran.stdout.contains("vault repair"), "{}", ran.stdout);
    // What the hint says helps, and restic is content with it.
    vaulted.run(&["vault", "repair"]).expect(0);
    vaulted.run(&["verify", "--read-data"]).expect(0);
    vaulted.restic(&["check"]).expect(0);
}

#[test]
fn no_vault_and_a_wrong_password_have_codes_of_their_own() {
    let Some(vaulted) = Vaulted::new() else { return };
    vaulted.secret("password", "wrong");
    let ran = vaulted.run(&["snapshots"]).expect(12);
    assert!(ran.stderr.contains("the password does not open the vault"), "{}", ran.stderr);
    fs::rename(vaulted.sandbox.path("vault"), vaulted.sandbox.path("elsewhere")).unwrap();
    let ran = vaulted.run(&["snapshots"]).expect(10);
    assert!(ran.stderr.contains("there is no vault in"), "{}", ran.stderr);
}

#[test]
fn a_damaged_config_is_told_with_its_place_and_what_to_do() {
    let Some(vaulted) = Vaulted::new() else { return };
    let config = vaulted.sandbox.path("vault/config");
    let sound = fs::read(&config).unwrap();
    // With the password, and with the sealed key.
    for change in [|bytes: &mut Vec<u8>| bytes[40] ^= 1, |bytes: &mut Vec<u8>| bytes.truncate(5), Vec::clear]
    {
        bend(&config, change);
        for verb in [&["snapshots"][..], &["verify"], &["vault", "repair"]] {
            let said = vaulted.run(verb).expect(1).stderr;
            for part in [
                config.parent().unwrap().to_str().unwrap(),
                "its config is damaged",
                "hint: bring the config",
            ] {
                assert!(said.contains(part), "{part}: {said}");
            }
            assert!(said.lines().count() < 5 && !said.contains("rustic_core"), "{said}");
        }
        fs::write(&config, &sound).unwrap();
        vaulted.run(&["snapshots"]).expect(0);
    }
}

#[test]
fn a_damaged_key_is_named_and_keeps_no_other_password_out() {
    let Some(vaulted) = Vaulted::new() else { return };
    vaulted.secret("second", "another password");
    let second = vaulted.sandbox.path("second");
    let ran = vaulted.run(&["key", "add", "--new-password-file", second.to_str().unwrap()]).expect(0);
    let other = ran.stdout.trim().rsplit(' ').next().unwrap().to_owned();
    let forget = || {
        let _ = fs::remove_dir_all(vaulted.sandbox.path("state/keys"));
    };
    // In whichever order they are listed.
    for key in vaulted.objects("keys") {
        let name = key.file_name().unwrap().to_str().unwrap()[..8].to_owned();
        let own = name != other;
        let sound = fs::read(&key).unwrap();
        vaulted.run(&["snapshots"]).expect(0);
        bend(&key, |bytes| bytes[40] ^= 1);
        let ran = vaulted.run(&["verify"]).expect(1);
        assert!(
            ran.stdout.contains(&format!("the password of key {name} opens the vault no more")),
            "{}",
            ran.stdout
        );
        let remedy = if own { "key passwd --vault" } else { "key remove --vault" };
        assert!(ran.stdout.contains(remedy), "{}", ran.stdout);
        let listed = vaulted.run(&["key", "list"]).expect(0).stdout;
        assert_eq!(listed.matches("damaged").count(), 1, "{listed}");
        if own {
            // The other one may be the last that opens the vault.
            vaulted.run(&["key", "remove", &other]).expect(1);
            assert_eq!(vaulted.objects("keys").len(), 2);
        }
        forget();
        let (open, lost) =
            if own { ("another password", "open sesame") } else { ("open sesame", "another password") };
        vaulted.secret("password", lost);
        let ran = vaulted.run(&["snapshots"]).expect(1);
        assert!(
            ran.stderr.contains(&format!("the key {name}")) && ran.stderr.contains("is damaged"),
            "{}",
            ran.stderr
        );
        vaulted.secret("password", open);
        vaulted.run(&["snapshots"]).expect(0);
        forget();
        vaulted.secret("password", "open sesame");
        fs::write(&key, sound).unwrap();
        vaulted.run(&["verify"]).expect(0);
    }
    for key in vaulted.objects("keys") {
        fs::remove_file(key).unwrap();
    }
    let ran = vaulted.run(&["snapshots"]).expect(12);
    assert!(ran.stderr.contains("has no key"), "{}", ran.stderr);
}

#[test]
fn a_damaged_snapshot_hides_no_other_and_can_be_let_go() {
    let Some(vaulted) = vaulted() else { return };
    let snapshots = vaulted.objects("snapshots");
    let name = |n: usize| snapshots[n].file_name().unwrap().to_str().unwrap()[..8].to_owned();
    let (sound, bad) = (name(0), name(1));
    bend(&snapshots[1], |bytes| bytes.truncate(50));
    let _ = fs::remove_dir_all(vaulted.sandbox.path("home/.cache"));
    let ran = vaulted.run(&["snapshots"]).expect(1);
    assert!(ran.stdout.contains(&sound) && ran.stderr.contains(&bad), "{} {}", ran.stdout, ran.stderr);
    let ran = vaulted.run(&["find", "small"]).expect(1);
    assert!(
        ran.stdout.contains("source/small") && ran.stderr.contains(&bad),
        "{} {}",
        ran.stdout,
        ran.stderr
    );
    let target = vaulted.sandbox.path("back");
    let target = target.to_str().unwrap();
    // The lost one may be the latest.
    for meant in ["latest", "2026-11-01", &bad] {
        let ran = vaulted.run(&["restore", meant, "-t", target]).expect(1);
        assert!(ran.stderr.contains(&format!("the snapshot {bad} cannot be read")), "{}", ran.stderr);
    }
    let path = format!("{sound}:{}", vaulted.source("").display());
    vaulted.run(&["restore", &path, "-t", target]).expect(0);
    assert_eq!(vaulted.sandbox.read("back/small"), "small");
    vaulted.run(&["ls", &sound]).expect(0);

    // A backup goes on, and says so each time.
    vaulted.profile("keep-last = 1");
    let ran = vaulted.sandbox.run(&["run", "docs"]).expect(3);
    assert!(ran.stdout.contains(&format!("the snapshot {bad} cannot be read")), "{}", ran.stdout);
    // What only it needs is not known: nothing is freed, and no rule judges the others.
    vaulted.run(&["prune"]).expect(1);
    vaulted.run(&["forget", "--keep-last", "1"]).expect(1);
    assert_eq!(vaulted.objects("snapshots").len(), 3);
    vaulted.run(&["forget", &bad, "-n"]).expect(0);
    vaulted.run(&["forget", &bad]).expect(0);
    vaulted.run(&["verify"]).expect(0);
    vaulted.sandbox.run(&["run", "docs"]).expect(0);
    vaulted.run(&["prune"]).expect(0);

    // Were it the only one, the next run makes a new one all the same.
    for snapshot in vaulted.objects("snapshots") {
        bend(&snapshot, |bytes| bytes.truncate(50));
    }
    let _ = fs::remove_dir_all(vaulted.sandbox.path("home/.cache"));
    vaulted.sandbox.run(&["run", "docs"]).expect(3);
}

#[test]
fn a_prune_that_misses_folders_says_so_and_nothing_else() {
    let Some(vaulted) = vaulted() else { return };
    for index in vaulted.objects("index") {
        fs::remove_file(index).unwrap();
    }
    for _ in 0..8 {
        let ran = vaulted.run(&["prune"]).expect(1);
        assert!(ran.stderr.contains("list of entries is lost"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
    vaulted.run(&["vault", "repair"]).expect(0);
    vaulted.run(&["verify", "--read-data"]).expect(0);
}

#[test]
fn hints_name_the_profile_that_was_asked_for() {
    let Some(vaulted) = vaulted() else { return };
    vaulted.profile("");
    let hinted = |verb: &[&str], code: i32, hint: &str| {
        let ran = vaulted.sandbox.run(verb).expect(code);
        let said = ran.stdout + &ran.stderr;
        assert!(said.contains(hint) && !said.contains("PROFILE"), "{hint}: {said}");
    };
    hinted(&["ls", "docs", "latest:/nowhere"], 2, "`postkeep ls docs`");
    hinted(&["diff", "docs", "latest", "ffffffff"], 2, "`postkeep snapshots docs`");
    hinted(&["key", "remove", "docs", "ffff"], 2, "`postkeep key list docs`");
    bend(&vaulted.objects("snapshots")[0], |bytes| bytes.truncate(50));
    let _ = fs::remove_dir_all(vaulted.sandbox.path("home/.cache"));
    hinted(&["verify", "docs"], 1, "`postkeep forget docs ");
    hinted(&["run", "docs", "--json"], 3, "postkeep verify docs");
    hinted(&["prune", "docs"], 1, "postkeep verify docs");
}

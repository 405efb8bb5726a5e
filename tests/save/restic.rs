//! What we save restic checks and restores; what restic made we extend, and the other way round.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use rustix::fs::{Mode, Timespec, Timestamps, UTIME_OMIT, XattrFlags};

use super::{Lab, PASSWORD, noise, tree};
use crate::common::judge;

/// A tree with something of everything that restic restores.
fn zoo(lab: &Lab) {
    lab.write("a file.txt", "hello");
    lab.write("large", noise(1, 9 << 20));
    lab.write("twice/large", noise(1, 9 << 20));
    lab.write("empty", "");
    lab.write("deep/er/and/deeper/still", "x");
    lab.write("a/sorted", "before a-b");
    lab.write("a-b", "between");
    let source = lab.path("source");
    fs::write(source.join(OsStr::from_bytes(b"not \xff utf-8 \\ \"quoted\"\n")), "name").unwrap();
    fs::create_dir(source.join("empty folder")).unwrap();
    symlink("no/where", source.join("link")).unwrap();
    fs::hard_link(source.join("a file.txt"), source.join("deep/linked")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, source.join("pipe"), rustix::fs::FileType::Fifo, Mode::RUSR, 0)
        .unwrap();
    // Not every file system has user attributes; where they are, they must come back.
    let _ = rustix::fs::setxattr(source.join("empty"), "user.note", b"\0\xffbytes", XattrFlags::empty());
    let mode =
        |name: &str, mode| fs::set_permissions(source.join(name), fs::Permissions::from_mode(mode)).unwrap();
    mode("a-b", 0o4751);
    mode("twice", 0o2770);
    mode("empty folder", 0o1777);
    mode("empty", 0o400);
    let time = |name: &str, tv_sec| {
        let last_modification = Timespec { tv_sec, tv_nsec: 123_456_789 };
        let times =
            Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification };
        rustix::fs::utimensat(
            rustix::fs::CWD,
            source.join(name),
            &times,
            rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
        )
        .unwrap();
    };
    time("empty", -1_000_000_000);
    time("link", 1_000_000_000);
    time("a/sorted", 4_000_000_000);
    time("deep/er", 1_500_000_000);
    time("", 1_600_000_000);
}

#[test]
fn restic_checks_and_restores_what_we_save() {
    let Some(lab) = Lab::with_restic() else { return };
    zoo(&lab);
    lab.create();
    let saved = lab.save();
    assert_eq!((saved.failures.errors, saved.failures.warnings), (0, 0), "{saved:?}");
    assert_eq!((saved.parent, saved.new, saved.changed, saved.unmodified), (None, 11, 0, 0), "{saved:?}");
    assert_eq!(saved.notes, <[String; 0]>::default());
    assert!(saved.stored > 9 << 20, "{saved:?}");
    lab.restic_ok(&["check", "--read-data"]);
    assert_eq!(tree(&lab.restored()), tree(&lab.path("source")));

    let snapshots = lab.restic_json(&["snapshots"]);
    assert_eq!(snapshots.as_array().unwrap().len(), 1);
    let snapshot = &snapshots[0];
    assert_eq!(snapshot["id"], saved.snapshot.to_string());
    assert_eq!(snapshot["tree"], saved.tree.to_string());
    assert_eq!(
        (&snapshot["hostname"], &snapshot["paths"][0]),
        (&"nas".into(), &lab.path("source").to_str().into())
    );
    assert!(lab.restic_ok(&["list", "locks", "--no-lock"]).is_empty(), "a lock is left");
}

#[test]
fn what_is_there_is_not_stored_again() {
    let lab = Lab::new();
    lab.create();
    // Both fit into one pack: of two files that end in different packs and are read at once, each may be stored.
    lab.write("one", noise(1, 3 << 20));
    lab.write("two", noise(1, 3 << 20));
    let first = lab.save();
    assert!((3 << 20..4 << 20).contains(&first.stored), "{first:?}");
    lab.write("three", noise(1, 3 << 20));
    lab.write("four", noise(2, 1 << 20));
    let second = lab.save();
    assert_eq!((second.new, second.unmodified), (2, 2), "{second:?}");
    assert!((1 << 20..2 << 20).contains(&second.stored), "{second:?}");
}

#[test]
fn the_judge_finds_nothing_missing() {
    let (Some(lab), Some(maker), Some(judge)) =
        (Lab::with_restic(), judge("tree_zoo.py"), judge("verify_zoo.py"))
    else {
        return;
    };
    let made = Command::new("python3").arg(maker).arg(lab.path("source")).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    lab.create();
    let saved = lab.save();
    assert_eq!((saved.failures.errors, saved.failures.warnings), (0, 0), "{saved:?}");
    lab.restic_ok(&["check", "--read-data"]);
    // What restic 0.14 itself does not restore: links of links, holes, sockets, targets that are no UTF-8, times beyond
    // 2262.
    let restored = lab.restored();
    let verified = Command::new("python3")
        .arg(judge)
        .args(["--owner", "--ignore", "links,sparse"])
        .args([&lab.path("source"), &restored])
        .output()
        .unwrap();
    let differences = String::from_utf8(verified.stdout).unwrap();
    let known = ["links/nonutf8-target", "special/socket", "times/2446-ext4-end", "times/9999"];
    let unknown: Vec<_> = differences
        .lines()
        .filter(|line| line.starts_with("DIFF") && !known.iter().any(|known| line.contains(known)))
        .collect();
    assert_eq!(unknown, <[&str; 0]>::default());
    assert!(differences.contains("unreadable 0"), "{differences}");
}

#[test]
fn a_second_run_reads_only_what_changed() {
    let Some(lab) = Lab::with_restic() else { return };
    zoo(&lab);
    lab.create();
    let first = lab.save();
    let second = lab.save();
    assert_eq!(
        (second.parent, second.new, second.changed, second.unmodified),
        (Some(first.snapshot), 0, 0, 11)
    );
    assert_eq!((second.read, second.stored, second.bytes), (0, 0, first.bytes), "{second:?}");
    assert_eq!((second.tree, second.folders), (first.tree, first.folders), "{second:?}");

    // A detail of one folder, the removal of the last entry, and one that takes its place.
    let mode = fs::Permissions::from_mode(0o711);
    fs::set_permissions(lab.path("source/deep/er/and"), mode).unwrap();
    let detail = lab.save();
    assert_ne!(detail.tree, second.tree);
    assert_eq!((detail.new, detail.changed, detail.unmodified), (0, 0, 11), "{detail:?}");
    fs::rename(lab.path("source/twice"), lab.path("source/zzz")).unwrap();
    let moved = lab.save();
    assert_eq!((moved.new, moved.changed, moved.unmodified), (1, 0, 10), "{moved:?}");
    fs::rename(lab.path("source/zzz"), lab.path("source/twice")).unwrap();
    let second = lab.save();

    lab.write("new", "new");
    lab.write("a-b", "changed");
    fs::remove_file(lab.path("source/pipe")).unwrap();
    let third = lab.save();
    assert_eq!((third.parent, third.new, third.changed, third.unmodified), (Some(second.snapshot), 1, 1, 9));
    assert_eq!(third.read, 10, "{third:?}");
    assert!(third.stored < 20_000, "{third:?}");
    lab.restic_ok(&["check", "--read-data"]);
    assert_eq!(tree(&lab.restored()), tree(&lab.path("source")));
}

#[test]
fn we_cut_files_where_restic_does() {
    let Some(lab) = Lab::with_restic() else { return };
    // Around the smallest blob, 512 KiB; and files of several blobs, which end where their content says.
    for (seed, length) in
        (0..).zip([1, (512 << 10) - 1, 512 << 10, (512 << 10) + 1, 5 << 20, 9 << 20, 20 << 20])
    {
        lab.write(&format!("{length}"), noise(seed, length));
    }
    lab.write("zeros", vec![0; 20 << 20]);
    lab.restic_ok(&["init"]);
    lab.restic_ok(&["backup", "--host", "other", lab.path("source").to_str().unwrap()]);
    // Another host: all is read again, and found to be there.
    let saved = lab.save();
    assert_eq!((saved.parent, saved.new, saved.read), (None, 8, saved.bytes), "{saved:?}");
    assert!(saved.stored < 20_000, "{saved:?}");
}

#[test]
fn we_extend_what_restic_made_and_it_what_we_made() {
    let Some(lab) = Lab::with_restic() else { return };
    zoo(&lab);
    let source = lab.path("source");
    let source = source.to_str().unwrap();
    lab.restic_ok(&["init"]);
    lab.restic_ok(&["backup", "--host", "nas", source]);
    let theirs = lab.restic_json(&["snapshots"])[0]["id"].as_str().unwrap().to_owned();
    let saved = lab.save();
    assert_eq!(saved.parent.unwrap().to_string(), theirs);
    assert_eq!((saved.new, saved.changed, saved.read), (0, 0, 0), "{saved:?}");
    assert!(saved.stored < 20_000, "{saved:?}");

    lab.write("new", "new");
    lab.restic_ok(&["backup", "--host", "nas", source]);
    let snapshots = lab.restic_json(&["snapshots"]);
    assert_eq!(snapshots[2]["parent"], saved.snapshot.to_string(), "restic did not build on ours");
    let again = lab.save();
    assert_eq!((again.new, again.changed), (0, 0), "{again:?}");
    lab.restic_ok(&["forget", "--keep-last", "1", "--prune"]);
    lab.restic_ok(&["check", "--read-data"]);
    assert_eq!(tree(&lab.restored()), tree(&lab.path("source")));
    // A password that restic adds opens the vault, too.
    fs::write(lab.path("second"), "battery staple").unwrap();
    lab.restic_ok(&["key", "add", "--new-password-file", lab.path("second").to_str().unwrap()]);
    let open =
        |password| postkeep::vault::Vault::open(lab.store(), password, &lab.path("keys"), &lab.path("cache"));
    assert_eq!(open("battery staple").unwrap().id(), open(PASSWORD).unwrap().id());
}

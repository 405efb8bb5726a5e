//! Edges of file systems: mounts, read-only folders, access lists, files that change while they are copied.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use postkeep::journal::{Journal, LogLine, Op};
use postkeep::profile::{FilterRules, MaxDelete, Mode, SyncJob};
use postkeep::progress::{Meter, Silent};
use postkeep::run::{RootMarks, RunId, Status};
use postkeep::sync::Request;
use rustix::fs::XattrFlags;

use crate::common::{Ran, Sandbox, left_out, tree};

#[test]
fn a_file_with_two_names_pushes_no_folder_aside() {
    let sandbox = Sandbox::new();
    sandbox.profile("docs", "mode = \"mirror\"\nkeep-versions = false\nexclude = [\"*.own\"]");
    sandbox.write("source/a", "x");
    fs::hard_link(sandbox.path("source/a"), sandbox.path("source/b")).unwrap();
    for n in 0..60 {
        sandbox.write(&format!("target/b/{n}"), "x");
    }
    let ran = sandbox.run(&["run", "docs"]).expect(4);
    assert!(ran.stdout.contains("delete 61 of the target's 61"), "{}", ran.stdout);
    // What is excluded holds its folder in place.
    sandbox.write("target/b/sub/my.own", "mine");
    let ran = sandbox.run(&["run", "docs"]).expect(1);
    assert!(ran.stdout.contains("b: the target has a folder in its place"), "{}", ran.stdout);
    assert_eq!(sandbox.read("target/b/sub/my.own"), "mine");
    assert_eq!(sandbox.read("target/a"), "x");
    fs::remove_dir_all(sandbox.path("target/b")).unwrap();
    sandbox.run(&["run", "docs"]).expect(0);
    assert_eq!(sandbox.path("target/b").metadata().unwrap().nlink(), 2);
}

/// Runs `docs` in a mount table of its own, between `before` and `after` (shell, in the sandbox). None: not here.
fn run_mounted(sandbox: &Sandbox, before: &str, after: &str) -> Option<Ran> {
    let plain = sandbox.command(&["run", "docs"]);
    let script = format!("cd \"$PLACE\"; {{ {before}; }} || exit 99; \"$@\"; code=$?; {after}; exit $code");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script, "sh"]).arg(plain.get_program());
    command.args(plain.get_args()).envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = command.env("PLACE", sandbox.path("")).output().ok().map(Ran::from);
    let ran = ran.filter(|ran| ran.code != 99 && !ran.stderr.starts_with("unshare:"));
    if ran.is_none() {
        left_out("nothing can be mounted here");
    }
    ran
}

#[test]
fn what_is_mounted_in_the_target_is_never_deleted() {
    for keep in ["false", "\"10d\""] {
        let sandbox = Sandbox::new();
        sandbox.profile("docs", &format!("mode = \"mirror\"\nkeep-versions = {keep}"));
        sandbox.write("source/a", "x");
        sandbox.write("target/gone/file", "x");
        fs::create_dir_all(sandbox.path("target/gone/disk")).unwrap();
        fs::create_dir_all(sandbox.path("target/other")).unwrap();
        let before = "for at in target/gone/disk target/other; do \
            mount -t tmpfs none $at && echo precious > $at/file || exit 99; done";
        let Some(ran) = run_mounted(&sandbox, before, "cat target/gone/disk/file target/other/file") else {
            return;
        };
        let ran = ran.expect(0);
        assert!(ran.stdout.contains("mounted there: gone/disk, other"), "{}", ran.stdout);
        assert_eq!(ran.stdout.matches("precious").count(), 2, "{}", ran.stdout);
        assert!(!sandbox.path("target/gone/file").exists(), "the rest goes");
    }
}

#[test]
fn folders_that_lie_in_each_other_by_a_bind_mount_are_told_apart() {
    for (bind, says) in [
        ("source/sub target", "the source and the target lie in each other, by way of sub"),
        (
            "target/data/inner source",
            "data/inner: cannot look through a folder to be deleted: it is the source",
        ),
        ("source target", "the source and the target are one folder by two paths"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.profile("docs", "mode = \"mirror\"\nkeep-versions = false\nmax-delete = false");
        for path in ["source/a", "source/sub/file", "target/data/inner/file"] {
            sandbox.write(path, "x");
        }
        let Some(ran) = run_mounted(&sandbox, &format!("mount --bind {bind}"), "true") else { return };
        let ran = ran.expect(1);
        assert!(ran.stdout.contains(says), "{bind}: {}", ran.stdout);
        for path in ["source/a", "source/sub/file", "target/data/inner/file"] {
            assert!(sandbox.path(path).exists(), "{bind}: {path}");
        }
        assert!(!sandbox.path("source/sub/sub").exists(), "{bind}");
    }
}

#[test]
fn read_only_folders_are_kept_up_to_date() {
    let sandbox = Sandbox::with_mirror();
    let modes = |side: &str, mode| {
        for path in ["", "/ro", "/gone/sub", "/gone"] {
            let path = sandbox.path(&format!("{side}{path}"));
            if path.exists() {
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    };
    for path in ["ro/changes", "ro/goes", "ro/name", "gone/sub/file"] {
        sandbox.write(&format!("source/{path}"), "old");
    }
    fs::hard_link(sandbox.path("source/ro/name"), sandbox.path("source/ro/other-name")).unwrap();
    modes("source", 0o555);
    // The target is there, and its user's.
    fs::create_dir(sandbox.path("target")).unwrap();
    let Some(ran) = sandbox.run_as_user(&["run", "docs"]) else { return };
    ran.expect(0);
    assert_eq!(tree(&sandbox.path("target")), tree(&sandbox.path("source")));

    modes("source", 0o755);
    sandbox.write("source/ro/changes", "new content");
    sandbox.write("source/ro/new", "new");
    fs::remove_file(sandbox.path("source/ro/goes")).unwrap();
    fs::hard_link(sandbox.path("source/ro/name"), sandbox.path("source/ro/third-name")).unwrap();
    fs::remove_dir_all(sandbox.path("source/gone")).unwrap();
    modes("source", 0o555);
    sandbox.run_as_user(&["run", "docs"]).unwrap().expect(0);
    assert_eq!(tree(&sandbox.path("target")), tree(&sandbox.path("source")));
    assert_eq!(sandbox.path("target").metadata().unwrap().mode() & 0o777, 0o555);
    let set =
        fs::read_dir(sandbox.path("target/.postkeep-versions")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(set.join("gone").metadata().unwrap().mode() & 0o777, 0o555, "a version keeps its mode");
    assert_eq!(fs::read_to_string(set.join("gone/sub/file")).unwrap(), "old");
    let ran = sandbox.run_as_user(&["run", "docs"]).unwrap().expect(0);
    assert!(ran.stdout.contains("unchanged"), "{}", ran.stdout);
    // The sandbox is to be removed by whoever made it.
    modes("source", 0o755);
    modes("target", 0o755);
    for path in [set.join("gone"), set.join("gone/sub")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_default_access_list_of_the_target_gives_nobody_more_than_the_source_does() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    fs::create_dir(sandbox.path("target")).unwrap();
    // Version 2; then tag, permissions, id: the owner and user 777 may do everything, the group and others nothing.
    let entries: [(u16, u16, u32); 5] =
        [(1, 7, u32::MAX), (2, 7, 777), (4, 0, u32::MAX), (0x10, 7, u32::MAX), (0x20, 0, u32::MAX)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, may, id) in entries {
        list.extend([tag.to_le_bytes(), may.to_le_bytes()].concat());
        list.extend(id.to_le_bytes());
    }
    let name = "system.posix_acl_default";
    if rustix::fs::setxattr(sandbox.path("target"), name, &list, XattrFlags::empty()).is_err() {
        return left_out("no access lists here");
    }
    sandbox.run(&["run", "docs"]).expect(0);
    let found = rustix::fs::getxattr(sandbox.path("target/a"), "system.posix_acl_access", &mut [0; 256]);
    assert_eq!(found, Err(rustix::io::Errno::NODATA));
}

/// Does something to the source once the run has made `path`.
struct Once<'a> {
    path: &'a str,
    act: &'a (dyn Fn() + Sync),
}

impl Journal for Once<'_> {
    fn line(&self, line: &LogLine<'_>) {
        if line.op == Op::Created && line.path == self.path {
            (self.act)();
        }
    }
}

/// Mirrors `source` to `target`, and does `act` once the run has made `path`.
fn mirror_while(sandbox: &Sandbox, path: &str, act: &(dyn Fn() + Sync)) -> Status {
    let job = SyncJob {
        source: sandbox.path("source"),
        target: sandbox.path("target"),
        mode: Mode::Mirror,
        filter: FilterRules::default(),
        one_file_system: true,
        create_target: true,
        check_roots: true,
        keep_versions: None,
        max_delete: MaxDelete::default(),
        allow_empty_source: false,
        flush: false,
    };
    let now = jiff::Timestamp::now();
    let request = Request {
        profile: "docs",
        job: &job,
        run: RunId::new(now, 1),
        now,
        marks: &RootMarks::default(),
        approve: None,
        meter: &Meter::default(),
        listener: &Silent,
        journal: &Once { path, act },
        state: None,
    };
    request.run().outcome.status
}

#[test]
fn the_names_of_a_file_arrive_whatever_becomes_of_the_first() {
    let names = |sandbox: &Sandbox| {
        sandbox.write("source/1-alone", "x");
        sandbox.write("source/a", "shared");
        for name in ["b", "c"] {
            fs::hard_link(sandbox.path("source/a"), sandbox.path(&format!("source/{name}"))).unwrap();
        }
    };
    let inode = |path: &Path| path.metadata().unwrap().ino();
    let gone = Sandbox::with_mirror();
    names(&gone);
    let status = mirror_while(&gone, "1-alone", &|| fs::remove_file(gone.path("source/a")).unwrap());
    assert_eq!(status, Status::Ok);
    assert_eq!((gone.read("target/b"), gone.read("target/c")), ("shared".into(), "shared".into()));
    assert_eq!(inode(&gone.path("target/b")), inode(&gone.path("target/c")));

    // An editor writes a new file and gives it the first name: the others keep the content they have.
    let other = Sandbox::with_mirror();
    names(&other);
    other.write("edited", "edited");
    let status = mirror_while(&other, "1-alone", &|| {
        fs::rename(other.path("edited"), other.path("source/a")).unwrap();
    });
    assert_eq!(status, Status::Ok);
    assert_eq!(tree(&other.path("target")), tree(&other.path("source")));
    assert_eq!(inode(&other.path("target/b")), inode(&other.path("target/c")));
}

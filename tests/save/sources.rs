//! What is offered, and what is said about what is not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use postkeep::error::Kind;
use postkeep::run::Severity;
use postkeep::vault::{Estimate, Request, Saved};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use super::Lab;

/// Works as somebody whom modes hold up, be it root who runs the tests.
fn without_privileges<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let mut sets = capabilities(None).unwrap();
            sets.effective.remove(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
            set_capabilities(None, sets).unwrap();
            work()
        });
        worker.join().unwrap()
    })
}

fn failures(saved: &Saved) -> Vec<(Severity, String, String)> {
    let all = saved.failures.list.iter();
    all.map(|failure| (failure.severity, failure.path.clone(), failure.cause.clone())).collect()
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_saved() {
    let lab = Lab::new();
    for name in ["file", "closed/inner", "folder/secret", "folder/open"] {
        lab.write(name, name);
    }
    lab.create();
    let lock = |name: &str, mode| {
        fs::set_permissions(lab.path("source").join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    lock("closed", 0o000);
    lock("folder/secret", 0o000);
    let saved = without_privileges(|| lab.save());
    let path = |name: &str| lab.path("source").join(name).to_str().unwrap().to_owned();
    assert_eq!(
        failures(&saved),
        [
            (Severity::Error, path("closed"), "cannot open the folder: Permission denied".into()),
            (Severity::Error, path("folder/secret"), "cannot read: Permission denied".into()),
        ]
    );
    assert!(saved.failures.list.iter().all(|failure| failure.hint.is_some()));
    assert_eq!((saved.new, saved.folders), (2, 3), "{saved:?}");
    assert_eq!(saved.notes, <[String; 0]>::default(), "the library's warning is told twice");
    // It is tried again, and found when it can be read.
    lock("closed", 0o700);
    lock("folder/secret", 0o600);
    let saved = without_privileges(|| lab.save());
    assert_eq!((failures(&saved).len(), saved.new, saved.unmodified), (0, 2, 2), "{saved:?}");
    if Lab::with_restic().is_some() {
        lab.restic_ok(&["check", "--read-data"]);
        assert_eq!(super::tree(&lab.restored()), super::tree(&lab.path("source")));
    }
}

#[test]
fn several_sources_keep_their_paths_and_filters_are_those_of_a_sync() {
    let mut lab = Lab::new();
    for name in [
        "home/ann/keep.txt",
        "home/ann/skip.tmp",
        "home/ann/cache/TAG",
        "home/ann/cache/big",
        "home-2/x",
        "one",
    ] {
        lab.write(name, name);
    }
    lab.write("home/ann/.postkeep-tmp-1", "ours");
    lab.write("home/ann/.postkeep-versions/old", "the only copy there may be");
    symlink(lab.path("source/home"), lab.path("source/way")).unwrap();
    lab.filter.exclude = vec!["*.tmp".into()];
    lab.filter.exclude_if_present = vec!["TAG".into()];
    lab.create();
    // In no order, one through a link, one a single file, one a folder beside another of which it is a prefix.
    let sources: Vec<PathBuf> =
        ["source/one", "source/home-2", "source/way/ann"].map(|name| lab.path(name)).into();
    let saved = lab.request(&sources, |request| lab.open().save(request)).unwrap();
    assert_eq!((saved.new, saved.excluded), (4, 3), "{saved:?}");
    let again = lab.request(&sources, |request| lab.open().save(request)).unwrap();
    assert_eq!((again.new, again.changed, again.unmodified), (0, 0, 4), "{again:?}");
    let Some(_) = Lab::with_restic() else { return };
    let listed = lab.restic_ok(&["ls", "latest"]);
    let root = lab.path("source");
    let mut below: Vec<_> =
        listed.lines().filter_map(|line| line.strip_prefix(root.to_str().unwrap())).collect();
    below.sort_unstable();
    assert_eq!(
        below,
        [
            "",
            "/home-2",
            "/home-2/x",
            "/one",
            "/way",
            "/way/ann",
            "/way/ann/.postkeep-versions",
            "/way/ann/.postkeep-versions/old",
            "/way/ann/cache",
            "/way/ann/keep.txt"
        ]
    );
    lab.restic_ok(&["check", "--read-data"]);
}

#[test]
fn an_empty_or_missing_source_is_an_unmounted_disk() {
    let mut lab = Lab::new();
    lab.create();
    let vault = lab.open();
    let error = lab.try_save_on(&vault).unwrap_err();
    assert_eq!(error.kind(), Kind::Stopped, "{error:?}");
    lab.allow_empty = true;
    assert_eq!(lab.try_save_on(&vault).unwrap().new, 0);
    fs::remove_dir(lab.path("source")).unwrap();
    let error = lab.try_save_on(&vault).unwrap_err();
    assert!(error.to_string().contains("cannot open the source"), "{error}");
}

#[test]
fn an_estimate_counts_what_would_be_saved() {
    let mut lab = Lab::new();
    lab.write("a/b", "12345");
    lab.write("c", "123");
    lab.write("d.tmp", "1");
    lab.filter.exclude = vec!["*.tmp".into()];
    assert_eq!(lab.estimate(), Estimate { files: 2, folders: 2, bytes: 8 });
}

#[test]
fn a_snapshot_from_the_future_is_told_and_stands_in_nobodys_way() {
    let lab = Lab::new();
    lab.write("file", "first");
    lab.create();
    let now = jiff::Timestamp::now();
    let save = |days: i64| {
        let now = now + jiff::SignedDuration::from_hours(24 * days);
        lab.request(&[lab.path("source")], |request| lab.open().save(&Request { now, ..*request }).unwrap())
    };
    let told = |saved: &Saved| saved.notes.iter().any(|note| note.contains("is yet to come"));
    let wrong = save(9000);
    assert!(!told(&wrong), "{wrong:?}");
    lab.write("file", "second");
    let second = save(0);
    assert!(told(&second) && second.parent == Some(wrong.snapshot), "{second:?}");
    // It was read once and is known: the next run compares with that, and not with the wrong one again.
    let third = save(1);
    assert!(told(&third) && third.parent == Some(second.snapshot), "{third:?}");
    assert_eq!((third.read, third.unmodified), (0, 1), "{third:?}");
}

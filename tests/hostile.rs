//! Somebody who can write into the target tries to make us write elsewhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::common::{Sandbox, long, tree};

#[test]
fn a_link_planted_in_the_target_is_replaced_not_followed() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/sub/file", "x");
    fs::create_dir_all(sandbox.path("outside")).unwrap();
    fs::create_dir_all(sandbox.path("target")).unwrap();
    symlink(sandbox.path("outside"), sandbox.path("target/sub")).unwrap();
    sandbox.run(&["run", "docs"]).expect(0);
    assert_eq!(tree(&sandbox.path("target")), tree(&sandbox.path("source")));
    assert_eq!(fs::read_dir(sandbox.path("outside")).unwrap().count(), 0);
}

#[test]
fn a_link_planted_in_place_of_the_versions_is_refused() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/file", "new");
    sandbox.write("target/file", "old content");
    fs::create_dir_all(sandbox.path("outside")).unwrap();
    symlink(sandbox.path("outside"), sandbox.path("target/.postkeep-versions")).unwrap();
    let ran = sandbox.run(&["run", "docs"]).expect(1);
    assert!(ran.stdout.contains("file: cannot copy to the target"), "{}", ran.stdout);
    assert_eq!(sandbox.read("target/file"), "old content");
    assert_eq!(fs::read_dir(sandbox.path("outside")).unwrap().count(), 0);
}

#[test]
fn a_folder_that_flips_to_a_link_gains_nothing() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("source")).unwrap();
    sandbox.profile("docs", "mode = \"mirror\"\nkeep-versions = false\nmax-delete = false");
    for n in 0..40 {
        sandbox.write(&format!("source/sub/{n}"), "x");
    }
    fs::create_dir_all(sandbox.path("target/sub")).unwrap();
    fs::create_dir_all(sandbox.path("outside")).unwrap();
    symlink(sandbox.path("outside"), sandbox.path("target/link")).unwrap();
    let stop = AtomicBool::new(false);
    let mut runs = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (sub, link) = (sandbox.path("target/sub"), sandbox.path("target/link"));
            while !stop.load(Relaxed) {
                // The mirror removes what is not in the source: put the link back whenever it is gone.
                if renameat_with(CWD, &sub, CWD, &link, RenameFlags::EXCHANGE).is_err() {
                    let _ = symlink(sandbox.path("outside"), &link);
                }
            }
        });
        let end = Instant::now() + Duration::from_secs(if long() { 60 } else { 3 });
        while Instant::now() < end {
            // Whatever a run says here, it may not write, and not delete, outside.
            sandbox.run(&["run", "docs", "--quiet"]);
            runs += 1;
            for n in 0..40 {
                let path = sandbox.path(&format!("source/sub/{n}"));
                fs::write(&path, format!("{runs}")).unwrap();
            }
            assert_eq!(fs::read_dir(sandbox.path("outside")).unwrap().count(), 0, "after {runs} runs");
        }
        stop.store(true, Relaxed);
    });
    assert!(runs > 3, "only {runs} runs");
}

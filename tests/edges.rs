//! Edges of file systems: mounts, read-only folders, access lists, files that change while they are copied.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::common::{Ran, Sandbox, left_out};

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

#[test]
fn what_is_mounted_in_the_target_is_never_deleted() {
    for keep in ["false", "\"10d\""] {
        let sandbox = Sandbox::new();
        sandbox.profile("docs", &format!("mode = \"mirror\"\nkeep-versions = {keep}"));
        sandbox.write("source/a", "x");
        sandbox.write("target/gone/file", "x");
        fs::create_dir_all(sandbox.path("target/gone/disk")).unwrap();
        fs::create_dir_all(sandbox.path("target/other")).unwrap();
        let script = r#"
            cd "$TARGET" && for at in gone/disk other; do mount -t tmpfs none $at && echo precious > $at/file || exit 99; done
            "$@"; code=$?
            cat gone/disk/file other/file; exit $code"#;
        let plain = sandbox.command(&["run", "docs"]);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]).arg(plain.get_program());
        command
            .args(plain.get_args())
            .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let Ok(output) = command.env("TARGET", sandbox.path("target")).output() else {
            return left_out("unshare is missing");
        };
        let ran = Ran::from(output);
        if ran.code == 99 || ran.stderr.starts_with("unshare:") {
            return left_out("nothing can be mounted here");
        }
        let ran = ran.expect(0);
        assert!(ran.stdout.contains("mounted there: gone/disk, other"), "{}", ran.stdout);
        assert_eq!(ran.stdout.matches("precious").count(), 2, "{}", ran.stdout);
        assert!(!sandbox.path("target/gone/file").exists(), "the rest goes");
    }
}

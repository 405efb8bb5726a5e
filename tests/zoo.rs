//! Hostile trees from an outside generator, compared by an outside judge.

use std::process::Command;

use crate::common::{Ran, Sandbox, judge, left_out};

/// The system's own: another user may not be able to reach one in the tester's home.
const PYTHON: &str = "/usr/bin/python3";

fn python(script: &std::path::Path, args: &[&std::ffi::OsStr]) -> Ran {
    Ran::from(Command::new(PYTHON).arg(script).args(args).output().unwrap())
}

#[test]
fn a_tree_of_hard_cases_arrives_exactly() {
    let (Some(zoo), Some(verify)) = (judge("tree_zoo.py"), judge("verify_zoo.py")) else { return };
    let root = rustix::process::geteuid().is_root();
    let sandbox = Sandbox::with_mirror();
    let source = sandbox.path("source");
    python(&zoo, &["--profile".as_ref(), "full".as_ref(), "--deep".as_ref(), source.as_ref()]).expect(0);
    let ran = sandbox.run(&["run", "docs"]);
    if root {
        ran.expect(0);
        python(&verify, &["--owner".as_ref(), source.as_ref(), sandbox.path("target").as_ref()]).expect(0);
    } else {
        // What only the superuser may read is named.
        ran.expect(1);
    }
    let ran = sandbox.run(&["run", "docs"]);
    let nothing = ran.stdout.contains("docs: unchanged");
    assert!(nothing, "a second run has nothing to do: {}", ran.stdout);
    // The tree's paths cannot be removed by their names: some are longer than the system takes.
    assert!(
        Command::new("rm")
            .arg("-rf")
            .arg(sandbox.path("source"))
            .arg(sandbox.path("target"))
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn another_user_loses_only_what_is_named() {
    let (Some(zoo), Some(verify)) = (judge("tree_zoo.py"), judge("verify_zoo.py")) else { return };
    if !rustix::process::geteuid().is_root() {
        return;
    }
    if Command::new("setpriv").arg("--version").output().is_err() {
        return left_out("setpriv is missing");
    }
    let sandbox = Sandbox::with_mirror();
    let mut chown = Command::new("chown");
    assert!(chown.args(["-R", "12345:12345"]).arg(sandbox.path("")).status().unwrap().success());
    let as_user = |program: &std::ffi::OsStr, args: Vec<std::ffi::OsString>, plain: Option<&Command>| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=12345", "--regid=12345", "--clear-groups"]).arg(program).args(args);
        if let Some(plain) = plain {
            command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        }
        Ran::from(command.output().unwrap())
    };
    let source = sandbox.path("source");
    // The judges lie where only the superuser may look: the other user gets copies.
    let tools = sandbox.path("tools");
    std::fs::create_dir(&tools).unwrap();
    for tool in [&zoo, &verify] {
        std::fs::copy(tool, tools.join(tool.file_name().unwrap())).unwrap();
    }
    use std::os::unix::fs::PermissionsExt;
    for entry in walkdir::WalkDir::new(&tools) {
        std::fs::set_permissions(entry.unwrap().path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let zoo = tools.join("tree_zoo.py");
    as_user(
        PYTHON.as_ref(),
        vec![zoo.into(), "--profile".into(), "full".into(), source.clone().into()],
        None,
    )
    .expect(0);
    let plain = sandbox.command(&["run", "docs", "--json"]);
    let args = plain.get_args().map(Into::into).collect();
    let ran = as_user(plain.get_program(), args, Some(&plain)).expect(1);
    let runs: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let named: Vec<_> = runs[0]["run"]["outcome"]["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["path"].as_str().unwrap().to_owned())
        .collect();
    // The superuser looks at the result: every difference must be a path that was named, or lie in one.
    let verify_args: [&std::ffi::OsStr; 4] =
        ["--json".as_ref(), "--owner".as_ref(), source.as_ref(), &sandbox.path("target").into_os_string()];
    let compared = python(&verify, &verify_args);
    let compared: serde_json::Value = serde_json::from_str(&compared.stdout).unwrap();
    let differences = compared["differences"].as_array().unwrap();
    assert!(!differences.is_empty(), "a tree with unreadable files cannot arrive whole");
    for difference in differences {
        let path = difference[0].as_str().unwrap();
        let is_named = named.iter().any(|name| path == name || path.starts_with(&format!("{name}/")));
        assert!(is_named, "{difference} is not named among {named:?}");
    }
}

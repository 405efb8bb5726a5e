//! New vaults and their passwords.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::Vaulted;
use crate::common::{Ran, Sandbox};

/// Runs the binary with lines that somebody types.
fn typed(sandbox: &Sandbox, args: &[&str], lines: &str) -> Ran {
    let mut command = sandbox.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

/// A profile with a vault that is not there yet.
fn profile(sandbox: &Sandbox) {
    let path = |name: &str| sandbox.path(name).to_str().unwrap().to_owned();
    let text = format!(
        "kind = \"backup\"\nsource = {:?}\nvault = [{:?}, {:?}]\nvault-password-file = {:?}\nkeep-last = 2\n",
        path("source"),
        path("vault"),
        path("second"),
        path("secrets/vault")
    );
    sandbox.write("config/profiles/docs.toml", &text);
    fs::create_dir_all(sandbox.path("source")).unwrap();
}

/// Presses Ctrl-C on a terminal at the first question, and says the exit code and whether the terminal shows again what
/// is typed.
const INTERRUPTED: &str = r#"
import os, pty, sys, termios
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
shows = lambda: bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
seen = b""
while not seen.endswith(b"> ") or shows():
    seen += os.read(terminal, 1000) if not seen.endswith(b"> ") else b""
os.write(terminal, b"\x03")
print(os.WEXITSTATUS(os.waitpid(child, 0)[1]), shows())
"#;

#[test]
fn a_ctrl_c_at_a_password_leaves_no_silent_terminal() {
    let sandbox = Sandbox::new();
    profile(&sandbox);
    let command = sandbox.command(&["vault", "init", "docs"]);
    let mut python = Command::new("timeout");
    python.args(["60", "python3", "-c", INTERRUPTED]).arg(command.get_program()).args(command.get_args());
    python.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert_eq!(Ran::from(python.output().unwrap()).expect(0).stdout, "130 True\n");
    assert!(!sandbox.path("secrets/vault").exists());
}

#[test]
fn a_new_vault_asks_for_its_password_twice_and_warns() {
    let sandbox = Sandbox::new();
    profile(&sandbox);
    sandbox.run(&["snapshots", "docs"]).expect(1);
    let ran = typed(&sandbox, &["vault", "init", "docs"], "correct horse\nanother horse\n");
    ran.expect(2);
    assert!(!sandbox.path("secrets/vault").exists() && !sandbox.path("vault/config").exists());
    let ran = typed(&sandbox, &["vault", "init", "docs"], "correct horse\ncorrect horse\n").expect(0);
    for part in
        ["WITHOUT ITS PASSWORD EVERYTHING IN IT IS LOST", "postkeep vault sheet docs", "only you can read"]
    {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    assert!(!(ran.stdout + &ran.stderr).contains("horse"));
    assert_eq!(sandbox.read("secrets/vault"), "correct horse\n");
    let mode = fs::metadata(sandbox.path("secrets/vault")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = sandbox.run(&["vault", "init", "docs"]).expect(1);
    assert!(again.stderr.contains("there is a vault"), "{}", again.stderr);
    sandbox.run(&["vault", "init", "docs", "--vault", "2"]).expect(0);
    sandbox.run(&["vault", "init", "docs", "--vault", "3"]).expect(2);
    let ran = sandbox.run(&["snapshots", "docs"]).expect(0);
    assert_eq!(ran.stdout, "0 snapshots\n");
    sandbox.run(&["verify", "docs", "--vault", sandbox.path("second").to_str().unwrap()]).expect(0);

    let sheet = sandbox.run(&["vault", "sheet", "docs"]).expect(0).stdout;
    for part in ["RECOVERY SHEET", "restic -r", "postkeep restore", "by hand"] {
        assert!(sheet.contains(part), "{part}: {sheet}");
    }
    assert!(!sheet.contains("horse"), "{sheet}");
    let with = sandbox.run(&["vault", "sheet", "docs", "--with-password"]).expect(0).stdout;
    assert!(with.contains("correct horse"), "{with}");
}

#[test]
fn keys_are_added_changed_and_removed() {
    let Some(vaulted) = Vaulted::new() else { return };
    let ids = || -> Vec<(String, bool)> {
        let ran = vaulted.run(&["key", "list", "--json"]).expect(0);
        let list: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let key = |key: &serde_json::Value| (key["id"].as_str().unwrap().to_owned(), key["own"] == true);
        list.as_array().unwrap().iter().map(key).collect()
    };
    let first = ids();
    assert!(first.len() == 1 && first[0].1, "{first:?}");
    let ran = vaulted.run(&["key", "remove", &first[0].0[..8]]).expect(2);
    assert!(ran.stderr.contains("the one that your password opens"), "{}", ran.stderr);
    vaulted.secret("other", "another password");
    let other = vaulted.sandbox.path("other");
    vaulted.run(&["key", "add", "--new-password-file", other.to_str().unwrap()]).expect(0);
    let both = ids();
    assert_eq!(both.len(), 2);
    let added = both.iter().find(|(_, own)| !own).unwrap();
    // restic opens it with the new one, too.
    fs::copy(&other, vaulted.sandbox.path("password")).unwrap();
    vaulted.restic(&["snapshots"]).expect(0);
    assert_eq!(ids().iter().find(|(_, own)| *own).unwrap().0, added.0, "the other one is ours now");
    vaulted.run(&["key", "remove", &first[0].0[..8]]).expect(0);
    assert_eq!(ids().len(), 1);
    vaulted.run(&["key", "remove", "f0f0f0f0f0"]).expect(2);

    vaulted.secret("third", "a third password");
    let third = vaulted.sandbox.path("third");
    let ran = vaulted.run(&["key", "passwd", "--new-password-file", third.to_str().unwrap()]).expect(0);
    assert!(ran.stderr.contains("write the new password into"), "{}", ran.stderr);
    vaulted.run(&["snapshots"]).expect(12);
    fs::copy(&third, vaulted.sandbox.path("password")).unwrap();
    assert_eq!(ids().len(), 1);
    vaulted.restic(&["snapshots"]).expect(0);
}

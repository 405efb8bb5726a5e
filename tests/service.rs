//! The agent as a service: its units, with a `systemctl` that only notes what it was asked; and its log.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::common::{Ran, Sandbox, left_out};
use crate::verbs::golden::golden;

const UNITS: [&str; 3] = ["postkeep.service", "postkeep-overdue.service", "postkeep-overdue.timer"];
const BINARY: &str = env!("CARGO_BIN_EXE_postkeep");

/// A sandbox with a profile, and with a `systemctl` that goes well unless a file `broken` says why not.
fn with_systemctl() -> Sandbox {
    let sandbox = Sandbox::with_mirror();
    let (calls, broken) = (sandbox.path("calls"), sandbox.path("broken"));
    sandbox.write(
        "bin/systemctl",
        &format!(
            "#!/bin/sh\necho \"$@\" >>{calls:?}\n[ ! -e {broken:?} ] || {{ cat {broken:?} >&2; exit 1; }}\n"
        ),
    );
    fs::set_permissions(sandbox.path("bin/systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox
}

/// The binary with that `systemctl`; how it ended, and what `systemctl` was asked.
fn agent(sandbox: &Sandbox, args: &[&str]) -> (Ran, Vec<String>) {
    let _ = fs::remove_file(sandbox.path("calls"));
    let path = format!("{}:/usr/bin:/bin", sandbox.path("bin").display());
    let ran = Ran::from(sandbox.command(&[&["agent"], args].concat()).env("PATH", path).output().unwrap());
    let calls = fs::read_to_string(sandbox.path("calls")).unwrap_or_default();
    (ran, calls.lines().map(str::to_owned).collect())
}

fn unit(name: &str) -> String {
    format!("home/.config/systemd/user/{name}")
}

/// The text with a name for the binary that is the same everywhere.
fn settled(text: &str) -> String {
    text.replace(BINARY, "/BIN/postkeep")
}

#[test]
fn units_of_a_user_and_of_the_system() {
    let sandbox = with_systemctl();
    let ran = agent(&sandbox, &["install", "--dry-run"]).0.expect(0);
    golden("agent-install", &sandbox, &settled(&ran.stdout));
    let ran = agent(&sandbox, &["install", "-n", "--system", "--no-timer"]).0.expect(0);
    golden("agent-install-system", &sandbox, &settled(&ran.stdout));
    sandbox.write("config/postkeep.toml", "[accounts.m]\nsendmail = '/usr/sbin/sendmail'\n");
    let ran =
        agent(&sandbox, &["install", "-n", "--system", "--user-name", "daemon", "--no-timer"]).0.expect(0);
    golden("agent-install-sendmail", &sandbox, &settled(&ran.stdout));
    let (ran, calls) = agent(&sandbox, &["install", "-n", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&ran.expect(0).stdout).unwrap();
    assert!(shown["units"].as_array().unwrap().len() == 3 && calls.is_empty(), "{shown}");
    assert!(!sandbox.path(&unit(UNITS[0])).exists());

    agent(&sandbox, &["install", "--user-name", "daemon"]).0.expect(2);
    for name in ["nobody-of-this-name", "0", "--help", "a b", ""] {
        let user = format!("--user-name={name}");
        let ran = agent(&sandbox, &["install", "-n", "--system", &user]).0.expect(2);
        assert!(ran.stderr.contains("there is no user"), "{}", ran.stderr);
    }
}

#[test]
fn installed_again_changed_and_removed() {
    let sandbox = with_systemctl();
    let (ran, calls) = agent(&sandbox, &["install"]);
    let ran = ran.expect(0);
    let enable = "--user enable --now postkeep.service postkeep-overdue.timer";
    assert_eq!(calls, ["--user daemon-reload", enable]);
    assert!(
        ran.stdout.contains("Written:") && ran.stdout.contains("loginctl enable-linger"),
        "{}",
        ran.stdout
    );
    // The binary of the tests lies where nothing stays.
    assert!(
        ran.stderr.contains("warning: the service starts ") && ran.stderr.contains("hint: "),
        "{}",
        ran.stderr
    );
    for name in UNITS {
        assert!(ran.stdout.contains(&format!("{name}\n")));
        let mode = fs::metadata(sandbox.path(&unit(name))).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o644, "{name}");
    }
    assert_eq!(fs::read_dir(sandbox.path(&unit(""))).unwrap().count(), 3, "no leftovers");

    let (ran, calls) = agent(&sandbox, &["install"]);
    assert!(ran.expect(0).stdout.starts_with("Nothing changed"));
    assert_eq!(calls, ["--user daemon-reload", enable]);

    sandbox.profile("docs", "mode = \"mirror\"\nrun-before = \"true\"");
    let (ran, calls) = agent(&sandbox, &["install", "--no-timer"]);
    let ran = ran.expect(0);
    assert!(ran.stdout.contains("Changed:") && ran.stdout.contains("Removed:"), "{}", ran.stdout);
    assert_eq!(
        calls,
        [
            "--user disable --now postkeep-overdue.timer",
            "--user daemon-reload",
            "--user try-restart postkeep.service",
            "--user enable --now postkeep.service",
        ]
    );
    assert!(!sandbox.path(&unit(UNITS[1])).exists() && !sandbox.path(&unit(UNITS[2])).exists());

    sandbox.write(&unit("postkeep.service.d/own.conf"), "[Service]\n");
    let (ran, calls) = agent(&sandbox, &["uninstall"]);
    let ran = ran.expect(0);
    assert_eq!(calls, ["--user disable --now postkeep.service", "--user daemon-reload"]);
    assert!(ran.stdout.contains("Left as they are:"), "{}", ran.stdout);
    assert!(!sandbox.path(&unit(UNITS[0])).exists() && sandbox.path("config/postkeep.toml").exists());
    assert!(sandbox.path(&unit("postkeep.service.d/own.conf")).exists());
    let (ran, calls) = agent(&sandbox, &["uninstall"]);
    assert!(ran.expect(0).stdout.starts_with("No agent is installed") && calls.is_empty());
}

#[test]
fn what_is_not_ours_or_not_sound_is_refused() {
    let sandbox = with_systemctl();
    for name in UNITS {
        sandbox.write(&unit(name), "[Service]\nExecStart=postkeep run --all\n");
        for verb in ["install", "uninstall"] {
            let (ran, calls) = agent(&sandbox, &[verb]);
            let ran = ran.expect(1);
            assert!(
                ran.stderr.contains(name) && ran.stderr.contains("not a unit that postkeep made"),
                "{}",
                ran.stderr
            );
            assert!(ran.stderr.contains("hint: ") && calls.is_empty());
        }
        assert_eq!(fs::read_dir(sandbox.path(&unit(""))).unwrap().count(), 1);
        fs::remove_file(sandbox.path(&unit(name))).unwrap();
    }
    sandbox.write("config/profiles/broken.toml", "flsh = 1");
    let (ran, calls) = agent(&sandbox, &["install"]);
    assert!(ran.expect(1).stderr.contains("config check") && calls.is_empty());
    assert_eq!(fs::read_dir(sandbox.path(&unit(""))).unwrap().count(), 0);

    fs::remove_file(sandbox.path("config/profiles/broken.toml")).unwrap();
    let Some(ran) = sandbox.run_as_user(&["agent", "install", "--system"]) else { return };
    let ran = ran.expect(1);
    assert!(ran.stderr.contains("for root") && ran.stderr.contains("hint: sudo"), "{}", ran.stderr);
}

#[test]
fn without_systemd_the_files_are_there_and_what_to_do_is_said() {
    let sandbox = with_systemctl();
    sandbox.write("broken", "Failed to connect to bus: \u{1b}[1mNo medium found\n");
    let (ran, calls) = agent(&sandbox, &["install"]);
    let ran = ran.expect(1);
    assert_eq!(calls, ["--user daemon-reload"], "nothing after what failed");
    assert!(ran.stdout.contains("Written:") && !ran.stdout.contains("The agent runs"), "{}", ran.stdout);
    assert!(ran.stderr.contains("Failed to connect to bus: \\u{1b}[1mNo medium found"), "{}", ran.stderr);
    assert!(ran.stderr.contains("systemctl --user daemon-reload && "), "{}", ran.stderr);
    let ran = agent(&sandbox, &["uninstall"]).0.expect(1);
    assert!(ran.stderr.contains("may still run") && ran.stdout.contains("Removed:"), "{ran:?}");
    assert!(!sandbox.path(&unit(UNITS[0])).exists());

    let mut command = sandbox.command(&["agent", "install"]);
    let ran = Ran::from(command.env("PATH", sandbox.path("none")).output().unwrap()).expect(1);
    assert!(ran.stderr.contains("this machine has no systemctl"), "{}", ran.stderr);
    assert!(sandbox.path(&unit(UNITS[2])).exists());
}

#[test]
fn systemd_understands_the_units() {
    let sandbox = with_systemctl();
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return left_out("systemd-analyze (Debian package systemd) is missing");
    }
    // Folders with what means something to systemd in their names.
    let odd = sandbox.path("odd $HOME 100% \"a\\b'");
    fs::rename(sandbox.path("config"), &odd).unwrap();
    let odd = odd.to_str().unwrap();
    let sendmail = "[accounts.m]\nsendmail = '/usr/sbin/sendmail'\n";
    for (main, more) in [
        ("", vec![]),
        ("", vec!["--system"]),
        (sendmail, vec![]),
        (sendmail, vec!["--system", "--user-name", "daemon"]),
    ] {
        fs::write(format!("{odd}/postkeep.toml"), main).unwrap();
        let args = [&["install", "-n", "--json", "--config", odd], more.as_slice()].concat();
        let shown: serde_json::Value =
            serde_json::from_str(&agent(&sandbox, &args).0.expect(0).stdout).unwrap();
        let mut command = Command::new("systemd-analyze");
        command.args(["verify", "--man=no", "--recursive-errors=no"]);
        command.args((!more.contains(&"--system")).then_some("--user"));
        command.env("XDG_RUNTIME_DIR", sandbox.path(""));
        for (unit, name) in shown["units"].as_array().unwrap().iter().zip(UNITS) {
            sandbox.write(&format!("units/{name}"), unit["text"].as_str().unwrap());
            command.arg(sandbox.path(&format!("units/{name}")));
        }
        let output = command.output().unwrap();
        // What it says of other units of this machine is not about ours.
        let said = String::from_utf8_lossy(&output.stderr);
        let about_ours: Vec<_> = said.lines().filter(|line| line.contains("postkeep")).collect();
        assert!(about_ours.is_empty(), "{args:?}: {about_ours:#?}");
    }
}

#[test]
fn logs_are_shown_and_followed() {
    let sandbox = Sandbox::with_mirror();
    let ran = sandbox.run(&["agent", "logs"]).expect(1);
    assert!(ran.stderr.contains("no agent ever ran") && ran.stderr.contains("hint: "), "{}", ran.stderr);
    let line = |n: u32| format!("2026-11-23T02:14:{n:02}+01:00 line {n}\n");
    let lines = |range: std::ops::Range<u32>| range.map(line).collect::<String>();
    sandbox.write("state/agent.log.1", &lines(0..30));
    sandbox.write("state/agent.log", &lines(30..58));
    assert_eq!(sandbox.run(&["agent", "logs"]).expect(0).stdout, lines(8..58), "50, out of both files");
    assert_eq!(sandbox.run(&["agent", "logs", "-n", "2"]).expect(0).stdout, lines(56..58));
    assert_eq!(sandbox.run(&["agent", "logs", "-n", "0"]).expect(0).stdout, "");
    let ran = sandbox.run(&["agent", "logs", "--lines", "1", "--json"]).expect(0);
    assert_eq!(ran.stdout, "{\"text\":\"line 57\",\"time\":\"2026-11-23T02:14:57+01:00\"}\n");

    let mut child =
        sandbox.command(&["agent", "logs", "-f", "-n", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut heard = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(heard.next().unwrap() + "\n", line(57));
    // Another file takes the place of this one, as at a megabyte.
    fs::rename(sandbox.path("state/agent.log"), sandbox.path("state/agent.log.1")).unwrap();
    sandbox.write("state/agent.log", &line(58));
    assert_eq!(heard.next().unwrap() + "\n", line(58));
    child.kill().unwrap();
    child.wait().unwrap();
}

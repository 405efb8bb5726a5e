//! Letters that do not get through at once: other ways for them, a person's word about them, and a full disk.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::common::{Sandbox, left_out, web};
use crate::lab;

/// A profile whose reports go to an account that cannot be reached, with `more` under [report].
fn unreachable(accounts: &str, more: &str) -> Sandbox {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    sandbox.write(
        "config/postkeep.toml",
        &format!(
            "[accounts.mail]\nsmtp = {{ host = \"localhost\", port = {port}, tls = \"none\" }}\n{accounts}\
             [report]\naccount = \"mail\"\nto = [\"ann@example.org\"]\n{more}\n"
        ),
    );
    sandbox
}

/// Two hours go by since the account was seen down.
fn two_hours_later(sandbox: &Sandbox) {
    sandbox.sql("UPDATE account SET down_since = down_since - 7200000000");
}

#[test]
fn another_account_carries_a_letter_when_its_own_is_down_for_an_hour() {
    let sandbox = unreachable("[accounts.local]\nmaildir = \"../spare\"\n", "fallback = [\"local\"]");
    let ran = sandbox.run(&["run", "docs"]).expect(3);
    assert!(ran.stderr.contains("could not be delivered yet"), "{}", ran.stderr);
    assert!(!sandbox.path("spare").exists(), "an hour has not gone by");
    two_hours_later(&sandbox);
    let ran = sandbox.run(&["outbox", "flush"]).expect(0);
    assert!(ran.stdout.contains("/spare/new/"), "{}", ran.stdout);
    let id = sandbox.history()[0]["id"].as_str().unwrap().to_owned();
    let shown = sandbox.run(&["outbox", "show", &id]).expect(0).stdout;
    assert!(shown.contains("ann@example.org: sent") && shown.contains("by local"), "{shown}");
    assert!(sandbox.run(&["status"]).expect(0).stdout.contains("the account mail takes no letters since"));
}

#[test]
fn a_webhook_tells_of_a_letter_that_goes_on_waiting() {
    let (port, heard) = web(&["204 No Content"]);
    let report = format!("fallback = [\"webhook\"]\nwebhook = \"http://127.0.0.1:{port}/hook?token=s3cret\"");
    let sandbox = unreachable("", &report);
    sandbox.run(&["run", "docs"]).expect(3);
    two_hours_later(&sandbox);
    let ran = sandbox.run(&["outbox", "flush"]).expect(3);
    assert!(ran.stderr.contains(&format!("the webhook at 127.0.0.1:{port} was told")), "{}", ran.stderr);
    let request = heard.join().unwrap().remove(0);
    assert!(request.starts_with("POST /hook?token=s3cret HTTP/1.1\r\n"), "{request}");
    let json: serde_json::Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((&json["profile"], &json["status"]), (&"docs".into(), &"ok".into()), "{json}");
    // It is told once; nobody listens there any more.
    let ran = sandbox.run(&["outbox", "flush"]).expect(3);
    assert!(ran.stderr.contains("was told"), "{}", ran.stderr);
    let listed = sandbox.run(&["outbox"]).expect(0).stdout;
    assert!(listed.contains("waits after 3 tries"), "{listed}");
    for said in [ran.stderr, listed, sandbox.run(&["config", "show"]).expect(0).stdout] {
        assert!(!said.contains("s3cret"), "{said}");
    }

    let (port, heard) = web(&["302 Found\r\nlocation: http://127.0.0.1:1/"]);
    let report = format!("fallback = [\"webhook\"]\nwebhook = \"http://127.0.0.1:{port}/?token=s3cret\"");
    let sandbox = unreachable("", &report);
    sandbox.run(&["run", "docs"]).expect(3);
    two_hours_later(&sandbox);
    let ran = sandbox.run(&["outbox", "flush"]).expect(3);
    assert!(!ran.stderr.contains("was told") && !ran.stderr.contains("s3cret"), "{}", ran.stderr);
    heard.join().unwrap();
}

#[test]
fn sendmail_is_handed_the_letter() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    sandbox.write("sendmail", "#!/bin/sh\nprintf '%s ' \"$@\" > \"$0.args\"; cat > \"$0.mail\"\n");
    fs::set_permissions(sandbox.path("sendmail"), fs::Permissions::from_mode(0o700)).unwrap();
    let program = sandbox.path("sendmail");
    sandbox.write(
        "config/postkeep.toml",
        &format!(
            "[accounts.machine]\nsendmail = {program:?}\n[report]\naccount = \"machine\"\n\
             to = [\"Ann <ann@example.org>\"]\nfrom = \"box@example.org\"\n"
        ),
    );
    let ran = sandbox.run(&["run", "docs"]).expect(0);
    assert!(ran.stdout.contains("sent to ann@example.org by machine"), "{}", ran.stdout);
    assert_eq!(sandbox.read("sendmail.args"), "-i -f box@example.org -- ann@example.org ");
    let raw = sandbox.run(&["report", "docs", "--raw"]).expect(0).stdout;
    assert_eq!(sandbox.read("sendmail.mail"), raw.replace("\r\n", "\n"));
    sandbox.run(&["account", "test", "machine"]).expect(0);
    fs::remove_file(&program).unwrap();
    let ran = sandbox.run(&["account", "test", "machine"]).expect(1);
    assert!(ran.stderr.contains("is a mail system installed?"), "{}", ran.stderr);
}

#[test]
fn known_failures_are_silent_until_they_change() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    sandbox.run(&["run", "docs"]).expect(0);
    let Some(_) = deny(&sandbox, "source/denied") else { return };
    let letters = || sandbox.letters().len();
    let before = letters();
    let denied = |code| sandbox.run_as_user(&["run", "docs"]).map(|ran| ran.expect(code));
    if denied(1).is_none() {
        return;
    }
    assert_eq!(letters(), before + 1);
    let ack = |args: &[&str]| sandbox.run_as_user(args).unwrap();
    assert!(ack(&["ack", "docs"]).expect(0).stdout.contains("exactly these 1 failure"));
    denied(1);
    assert_eq!(letters(), before + 1, "what is known is not mailed");
    assert!(ack(&["status"]).expect(0).stdout.contains("its failures are acknowledged"));
    deny(&sandbox, "source/denied too");
    denied(1);
    assert_eq!(letters(), before + 2, "there is a new one");
    assert!(!ack(&["status"]).expect(0).stdout.contains("acknowledged"));
    denied(1);
    assert_eq!(letters(), before + 3, "what was said is forgotten");
    // Only the last run's failures can be known.
    let history: serde_json::Value = serde_json::from_str(&ack(&["history", "--json"]).stdout).unwrap();
    let old = history[2]["id"].as_str().unwrap().to_owned();
    assert!(ack(&["ack", &old]).expect(1).stderr.contains("is not the last run of docs"));
    ack(&["ack", "docs"]).expect(0);
    ack(&["ack", "docs", "--undo"]).expect(0);
    denied(1);
    assert_eq!(letters(), before + 4);
}

/// A file that only the superuser can read.
fn deny(sandbox: &Sandbox, path: &str) -> Option<()> {
    sandbox.write(path, "x");
    fs::set_permissions(sandbox.path(path), fs::Permissions::from_mode(0o000)).ok()
}

#[test]
fn on_a_full_disk_the_reserve_records_the_run_else_it_is_told_from_memory() {
    if !rustix::process::geteuid().is_root() {
        return left_out("a full disk: only the superuser can mount a small one");
    }
    let Some(lab) = lab::get() else { return };
    let sandbox = Sandbox::with_mirror();
    let account = lab.account("none", &sandbox.path("secret"));
    sandbox.write(
        "config/postkeep.toml",
        &format!("{account}[report]\naccount = \"lab\"\nto = [\"user11@localhost\"]\n"),
    );
    sandbox.write("source/a", "x");
    fs::create_dir(sandbox.path("state")).unwrap();
    // The small disk is in a name space of its own, and gone with it.
    let script = r#"
        set -eu
        mount -t tmpfs -o size=24m,mode=700 none "$1"
        "$2" run docs
        [ -s "$1/reserve" ]
        dd if=/dev/zero of="$1/filler" bs=64k 2>/dev/null || true
        echo more > "$3/b"
        "$2" run docs
        [ ! -e "$1/reserve" ] && echo "the reserve was given up"
        dd if=/dev/zero of="$1/filler2" bs=1k 2>/dev/null || true
        echo still more > "$3/c"
        code=0; "$2" run docs || code=$?
        echo "without room: exit code $code"
    "#;
    let plain = sandbox.command(&[]);
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(sandbox.path("state")).arg(plain.get_program());
    command.arg(sandbox.path("source")).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    if !output.status.success() && output.stdout.is_empty() {
        return left_out("a full disk: nothing can be mounted here");
    }
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("the reserve was given up"), "{said}");
    assert!(said.contains("without room: exit code 1") && said.contains("sent from memory"), "{said}");
    // All three were told, the last one with the reason.
    let mut letters = Vec::new();
    for _ in 0..100 {
        letters = lab.inbox("user11");
        if letters.len() >= 3 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(letters.len(), 3, "{said}");
    let last = mail_parser::MessageParser::default().parse(&letters[2]).unwrap();
    assert!(last.body_text(0).unwrap().contains("postkeep could not record this run"), "{said}");
}

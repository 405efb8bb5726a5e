//! What a person sees of each verb: the words on the terminal, held to the files in `tests/golden`; the JSON; the exit
//! codes.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use postkeep::run::{RunId, Trigger};
use postkeep::state::{Begun, State};
use serde_json::Value;

use crate::common::{Ran, Sandbox, left_out, tree};

pub mod golden;
use golden::golden;

const VERBS: [&str; 31] = [
    "init",
    "config",
    "account",
    "plan",
    "run",
    "status",
    "next",
    "overdue",
    "history",
    "log",
    "report",
    "outbox",
    "digest",
    "ack",
    "pause",
    "resume",
    "cancel",
    "agent",
    "snapshots",
    "ls",
    "find",
    "diff",
    "restore",
    "dump",
    "forget",
    "prune",
    "verify",
    "key",
    "vault",
    "archive",
    "completions",
];

/// A sandbox with a profile `docs` that ran, and the id of that run.
fn ran_once() -> (Sandbox, String) {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "hello");
    sandbox.write("source/sub/b", "x");
    sandbox.run(&["run", "docs"]).expect(0);
    let id = newest(&sandbox);
    (sandbox, id)
}

/// The id of the newest run.
fn newest(sandbox: &Sandbox) -> String {
    sandbox.history()[0]["id"].as_str().unwrap().to_owned()
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

/// Panics unless `value` is an object with exactly these keys, given in alphabetical order.
#[track_caller]
fn has_keys(value: &Value, keys: &[&str]) {
    let found: Vec<_> = value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().collect();
    assert_eq!(found, keys);
}

#[test]
fn the_help_of_every_verb() {
    let sandbox = Sandbox::new();
    let mut all = sandbox.run(&["--help"]).expect(0).stdout;
    let below = [
        ["config", "check"],
        ["config", "show"],
        ["config", "schema"],
        ["account", "list"],
        ["account", "test"],
        ["outbox", "list"],
        ["outbox", "show"],
        ["outbox", "flush"],
        ["outbox", "drop"],
        ["agent", "install"],
        ["agent", "uninstall"],
        ["agent", "logs"],
        ["agent", "status"],
        ["key", "list"],
        ["key", "add"],
        ["key", "remove"],
        ["key", "passwd"],
        ["vault", "init"],
        ["vault", "sheet"],
        ["vault", "unlock"],
        ["archive", "ls"],
        ["archive", "show"],
        ["archive", "export"],
        ["archive", "restore"],
    ];
    for verb in VERBS.iter().map(std::slice::from_ref).chain(below.iter().map(|words| words.as_slice())) {
        let ran = sandbox.run(&[verb, &["--help"]].concat()).expect(0);
        all.push_str(&format!("\n==== {}\n{}", verb.join(" "), ran.stdout));
    }
    let named = sandbox.run(&["--help"]).stdout;
    let listed = named.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|l| !l.is_empty());
    let listed: Vec<_> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(listed, VERBS, "a new verb needs its golden help");
    golden("help", &sandbox, &all);
}

#[test]
fn runs_that_went_well() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "hello");
    sandbox.write("source/sub/b", "x");
    let first = sandbox.run(&["run", "docs"]).expect(0);
    let second = sandbox.run(&["run", "docs"]).expect(0);
    sandbox.write("source/a", "hello again");
    fs::remove_file(sandbox.path("source/sub/b")).unwrap();
    fs::set_permissions(sandbox.path("source/sub"), fs::Permissions::from_mode(0o700)).unwrap();
    let third = sandbox.run(&["run", "docs"]).expect(0);
    let all = [first, second, third].map(|ran| ran.stdout + &ran.stderr).join("----\n");
    golden("run-ok", &sandbox, &all);
    sandbox.write("source/a", "hello once more");
    let quiet = sandbox.run(&["run", "docs", "--quiet"]).expect(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

/// In a copy a folder does not make way for a file: such failures need no other user, and no chance.
fn with_clashes(count: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.profile("docs", "mode = \"copy\"");
    for n in 0..count {
        sandbox.write(&format!("source/{n}"), "file");
        fs::create_dir_all(sandbox.path(&format!("target/{n}"))).unwrap();
    }
    sandbox.write("source/odd\u{202e}\nname", "file");
    fs::create_dir_all(sandbox.path("target/odd\u{202e}\nname")).unwrap();
    // The folders themselves differ in nothing.
    for folder in ["source", "target"] {
        let time = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        fs::File::open(sandbox.path(folder)).unwrap().set_modified(time).unwrap();
    }
    sandbox
}

#[test]
fn a_run_that_failed_names_a_few() {
    let sandbox = with_clashes(7);
    golden("run-failed", &sandbox, &sandbox.run(&["run", "docs"]).expect(1).stdout);
    let quiet = sandbox.run(&["run", "docs", "--quiet"]).expect(1);
    assert!(quiet.stdout.contains("docs: failed,") && !quiet.stdout.contains("report: "), "{}", quiet.stdout);
    golden("plan-failed", &sandbox, &sandbox.run(&["plan", "docs"]).expect(1).stdout);

    fs::remove_dir_all(sandbox.path("source")).unwrap();
    golden("run-no-source", &sandbox, &sandbox.run(&["run", "docs"]).expect(1).stdout);
    let ran = sandbox.run(&["plan", "docs"]).expect(1);
    assert!(
        ran.stderr.contains("cannot open the source") && ran.stderr.contains("mounted"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_run_with_a_file_that_changes_under_it() {
    let sandbox = Sandbox::with_mirror();
    let ended = AtomicBool::new(false);
    let path = sandbox.path("source/busy.log");
    fs::write(&path, vec![b'x'; 16 << 20]).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut time = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            while !ended.load(Relaxed) {
                time += Duration::from_micros(1);
                file.set_modified(time).unwrap();
            }
        });
        // On a busy machine a copy may slip through between two changes: then once more.
        let runs = (0..20).map(|_| sandbox.run(&["run", "docs"]));
        let found = runs.into_iter().find(|ran| ran.code == 3);
        ended.store(true, Relaxed);
        found.expect("a run that met a change")
    });
    golden("run-warning", &sandbox, &ran.stdout);
}

#[test]
fn a_brake_stops_a_run_and_an_approval_releases_it() {
    let sandbox = Sandbox::with_mirror();
    for n in 0..60 {
        sandbox.write(&format!("source/{n}"), "x");
    }
    sandbox.run(&["run", "docs"]).expect(0);
    for n in 0..59 {
        fs::remove_file(sandbox.path(&format!("source/{n}"))).unwrap();
    }
    let ran = sandbox.run(&["run", "docs"]).expect(4);
    golden("run-stopped", &sandbox, &ran.stdout);
    let plan = sandbox.run(&["plan", "docs"]).expect(4).stdout;
    let (lines, end) = plan.split_once("\n\n").unwrap();
    assert_eq!(lines.lines().count(), 60, "the deletions, and the folder's own time");
    golden("plan-stopped", &sandbox, end);
    let stop = &json(&sandbox.run(&["plan", "docs", "--json"]).expect(4))["stop"];
    has_keys(stop, &["hint", "reason", "token"]);
    let token = stop["token"].as_str().unwrap();

    // Misuse writes nothing.
    sandbox.profile("other", "mode = \"copy\"");
    for args in [
        vec!["run", "--all", "--approve", token],
        vec!["run", "docs", "other", "--approve", token],
        vec!["run", "--approve", token],
        vec!["run", "docs", "--approve"],
    ] {
        sandbox.run(&args).expect(2);
    }
    fs::remove_file(sandbox.path("config/profiles/other.toml")).unwrap();
    let ran = sandbox.run(&["run", "docs", "--approve", "0000000000"]).expect(4);
    assert!(ran.stdout.contains("the token given is not this plan's"), "{}", ran.stdout);
    sandbox.run(&["run", "docs", "--approve", token]).expect(0);
    assert_eq!(fs::read_dir(sandbox.path("source")).unwrap().count(), 1);
}

#[test]
fn a_run_that_finds_its_profile_or_folder_in_use() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    let state = State::open(&sandbox.path("state")).unwrap();
    let held = state.locks().profile("docs").unwrap().unwrap();
    let profile = sandbox.run(&["run", "docs"]).expect(11);
    let as_json = sandbox.run(&["run", "docs", "--json"]).expect(11);
    has_keys(&json(&as_json)[0], &["error", "hints", "profile"]);
    drop(held);
    let root =
        postkeep::state::Root { path: sandbox.path("target/deep"), access: postkeep::state::Access::Read };
    let held = state.locks().roots(&[root], "profile photos").unwrap();
    let folder = sandbox.run(&["run", "docs"]).expect(11);
    drop(held);
    golden("run-locked", &sandbox, &(profile.stderr + &folder.stderr));
    assert!(sandbox.history().is_empty(), "nothing is recorded of what did not run");
}

#[test]
fn a_run_that_cannot_be_recorded_did_run_all_the_same() {
    let (sandbox, _) = ran_once();
    let db = rusqlite::Connection::open(sandbox.path("state/state.db")).unwrap();
    db.execute_batch(
        "CREATE TRIGGER full BEFORE UPDATE ON run BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    )
    .unwrap();
    sandbox.write("source/new", "x");
    let ran = sandbox.run(&["run", "docs"]).expect(1);
    assert!(ran.stderr.starts_with("docs: cannot record the end of a run in "), "{}", ran.stderr);
    assert!(ran.stderr.contains("the disk is full") && !ran.stderr.contains("did not run"), "{}", ran.stderr);
    assert_eq!(sandbox.read("target/new"), "x");
    db.execute_batch("DROP TRIGGER full").unwrap();
    let ran = sandbox.run(&["run", "docs"]).expect(0);
    let statuses: Vec<_> = sandbox.history().iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, ["unchanged", "interrupted", "ok"], "{}", ran.stderr);
}

#[test]
fn a_plan_says_what_would_happen_to_each_path() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/same", "same");
    sandbox.write("source/replaced", "old");
    sandbox.write("source/updated", "x");
    sandbox.write("source/deleted/inner", "12345");
    sandbox.run(&["run", "docs"]).expect(0);
    golden("plan-nothing", &sandbox, &sandbox.run(&["plan", "docs"]).expect(0).stdout);

    sandbox.write("source/replaced", &"n".repeat(5000));
    fs::set_permissions(sandbox.path("source/updated"), fs::Permissions::from_mode(0o751)).unwrap();
    fs::remove_dir_all(sandbox.path("source/deleted")).unwrap();
    sandbox.write("source/new/写真/\u{1f600}.jpg", "smile");
    sandbox.write("source/new/two\nlines\t\u{1b}[31m", "x");
    sandbox.write("source/new/rtl\u{202e}gpj.exe", "x");
    sandbox.write("source/new/back\\slash", "x");
    fs::hard_link(sandbox.path("source/new/back\\slash"), sandbox.path("source/new/linked")).unwrap();
    symlink("nowhere", sandbox.path("source/to")).unwrap();
    let bytes: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"not\xffutf8");
    fs::write(sandbox.path("source/new").join(bytes), "x").unwrap();

    let before = ["source", "target", "config"].map(|folder| tree(&sandbox.path(folder)));
    let plan = sandbox.run(&["plan", "docs"]).expect(0);
    assert_eq!(sandbox.run(&["run", "docs", "-n"]).expect(0).stdout, plan.stdout);
    golden("plan", &sandbox, &plan.stdout);
    let as_json = json(&sandbox.run(&["plan", "docs", "--json"]).expect(0));
    let after = ["source", "target", "config"].map(|folder| tree(&sandbox.path(folder)));
    assert!(before == after && sandbox.history().len() == 1, "a plan writes nothing");
    has_keys(
        &as_json,
        &[
            "copied-bytes",
            "deleted",
            "failures",
            "lines",
            "lines-omitted",
            "new",
            "profile",
            "replaced",
            "stop",
            "updated",
        ],
    );
    has_keys(&as_json["lines"][0], &["act", "bytes", "path"]);
    assert_eq!(as_json["lines"].as_array().unwrap().len(), plan.stdout.lines().count() - 2);

    // What the plan said is what the run does, and the log says it in the same words.
    sandbox.run(&["run", "docs"]).expect(0);
    let log = sandbox.run(&["log", &newest(&sandbox)]).expect(0).stdout;
    let mut lines: Vec<_> = log.lines().collect();
    lines.sort_unstable();
    golden("log", &sandbox, &lines.join("\n"));
    let as_json = sandbox.run(&["log", &newest(&sandbox), "--json"]).expect(0).stdout;
    assert_eq!(as_json.lines().count(), lines.len());
    for line in as_json.lines() {
        has_keys(&serde_json::from_str(line).unwrap(), &["bytes", "note", "op", "path"]);
    }
}

/// Leaves a run of `profile` in the history that began and never ended.
fn begun(state: &State, profile: &str, millisecond: i64) -> RunId {
    let started = jiff::Timestamp::from_millisecond(millisecond).unwrap();
    let id = RunId::new(started, 7);
    let profile = profile.to_owned();
    let begun =
        Begun { id, profile, trigger: Trigger::Manual, started, fingerprint: "x".into(), serves: None };
    state.history().begin(&begun).unwrap();
    id
}

#[test]
fn the_status_of_every_kind() {
    let sandbox = Sandbox::new();
    golden("status-empty", &sandbox, &sandbox.run(&["status"]).expect(0).stdout);
    for name in ["cut", "fine", "never", "waits", "works"] {
        let target = sandbox.path(&format!("targets/{name}"));
        let text = format!("kind = \"sync\"\nsource = {:?}\ntarget = {target:?}\n", sandbox.path("source"));
        sandbox.write(&format!("config/profiles/{name}.toml"), &(text + "mode = \"copy\"\n"));
    }
    sandbox.write("source/a", "x");
    fs::create_dir(sandbox.path("targets")).unwrap();
    sandbox.write("config/profiles/bad.toml", "kind = \"sync\"\nsurce = \"x\"\n");
    golden("status-never", &sandbox, &sandbox.run(&["status"]).expect(0).stdout);
    sandbox.run(&["run", "fine"]).expect(0);
    fs::create_dir_all(sandbox.path("targets/waits/a")).unwrap();
    // A file in the place of the Maildir: the letter waits.
    fs::remove_dir_all(sandbox.path("state/mail")).unwrap();
    sandbox.write("state/mail", "");
    sandbox.run(&["run", "waits"]).expect(1);
    let state = State::open(&sandbox.path("state")).unwrap();
    let _held = state.locks().profile("works").unwrap().unwrap();
    begun(&state, "works", 1_763_852_400_000);
    begun(&state, "cut", 1_763_852_400_001);
    let ran = sandbox.run(&["status"]).expect(0);
    golden("status", &sandbox, &ran.stdout);
    assert!(!ran.stdout.contains('\x1b'), "no colours in a pipe");
    let as_json = json(&sandbox.run(&["status", "--json"]).expect(0));
    has_keys(
        &as_json,
        &["accounts", "agent", "next-digest", "paused", "profiles", "reports-refused", "reports-waiting"],
    );
    assert_eq!(as_json["reports-waiting"], 1);
    let row = |name: &str| {
        let rows = as_json["profiles"].as_array().unwrap();
        rows.iter().find(|row| row["profile"] == name).unwrap().clone()
    };
    let keys = [
        "acknowledged",
        "at-work",
        "broken",
        "kept",
        "last-run",
        "last-success",
        "next",
        "on-change",
        "on-start",
        "overdue",
        "paused",
        "polled",
        "profile",
        "progress",
        "skipped",
        "status",
        "waits",
    ];
    has_keys(&row("fine"), &keys);
    let keys = ["ended", "id", "outcome", "profile", "started", "status", "trigger"];
    has_keys(&row("fine")["last-run"], &keys);
    for (name, status) in [("fine", "ok"), ("waits", "failed"), ("works", "running"), ("cut", "interrupted")]
    {
        assert_eq!(row(name)["status"], status);
    }
    assert_eq!((&row("never")["last-run"], &row("bad")["broken"]), (&Value::Null, &Value::Bool(true)));
}

#[test]
fn the_history_pages_and_filters() {
    let sandbox = Sandbox::with_mirror();
    golden("history-empty", &sandbox, &sandbox.run(&["history"]).expect(0).stdout);
    sandbox.write("source/a", &"x".repeat(2048));
    sandbox.run(&["run", "docs"]).expect(0);
    sandbox.run(&["run", "docs"]).expect(0);
    fs::remove_dir_all(sandbox.path("source")).unwrap();
    sandbox.run(&["run", "docs"]).expect(1);
    golden("history", &sandbox, &sandbox.run(&["history", "docs"]).expect(0).stdout);
    let nobody = sandbox.run(&["history", "dcos"]).expect(0).stdout;
    assert_eq!(nobody, "no runs yet of \"dcos\"\n");

    let rows = sandbox.history();
    let keys = ["ended", "id", "outcome", "profile", "started", "status", "trigger"];
    rows.iter().for_each(|row| has_keys(row, &keys));
    let page = |before: &Value| {
        json(&sandbox.run(&["history", "--json", "-l", "1", "--before", before.as_str().unwrap()]).expect(0))
    };
    assert_eq!(page(&rows[0]["id"])[0]["id"], rows[1]["id"]);
    assert_eq!(page(&rows[2]["id"]), Value::Array(Vec::new()));
    sandbox.run(&["history", "--before", "ZZZ"]).expect(2);
}

#[test]
fn a_report_in_all_its_forms() {
    let (sandbox, id) = ran_once();
    let text = sandbox.run(&["report", &id]).expect(0).stdout;
    golden("report", &sandbox, &text);
    let html = sandbox.run(&["report", &id, "--html", "-"]).expect(0).stdout;
    assert!(html.to_lowercase().starts_with("<!doctype html>") && html.contains("</html>"), "{html}");
    let file = sandbox.path("report.html");
    let ran = sandbox.run(&["report", &id, "--html", file.to_str().unwrap()]).expect(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), html);
    assert_eq!(ran.stdout, format!("written to {}\n", file.display()));
    assert_eq!(sandbox.run(&["report", &id, "-q", "--html", file.to_str().unwrap()]).expect(0).stdout, "");
    let nowhere = sandbox.path("no/such/folder/x.html");
    let ran = sandbox.run(&["report", &id, "--html", nowhere.to_str().unwrap()]).expect(1);
    assert!(ran.stderr.contains(nowhere.to_str().unwrap()), "{}", ran.stderr);
    sandbox.run(&["report", &id, "--html", "-", "--raw"]).expect(2);

    let ran = sandbox.run(&["report", &id, "--json"]).expect(0);
    let as_json = json(&ran);
    assert!(ran.stdout.ends_with("}\n") && !(ran.stdout + &html).contains('\r'));
    assert_eq!((&as_json["schema"], &as_json["run"]), (&Value::from(1), &Value::from(id.as_str())));
    let raw = sandbox.run(&["report", &id[..13], "--raw"]).expect(0).stdout;
    assert!(!raw.replace("\r\n", "").contains(['\r', '\n']), "every line ends with CRLF");
    let delivered = String::from_utf8(sandbox.letters().remove(0)).unwrap();
    assert_eq!(raw.replace("\r\n", "\n"), delivered, "what is shown is what was mailed");
}

#[test]
fn the_configuration_is_checked_in_one_pass() {
    let sandbox = Sandbox::with_mirror();
    sandbox.run(&["config", "check"]).expect(0);
    let shown = sandbox.run(&["config", "show", "docs"]).expect(0).stdout;
    golden("config-show", &sandbox, &golden::squeezed(&shown));
    sandbox.write(
        "config/profiles/typos.toml",
        "kind = \"sync\"\nsurce = \"/a\"\ntarget = \"nas:/x\"\nmode = \"mirrr\"\n",
    );
    sandbox.write("config/profiles/no-toml.toml", "kind = \n= sync");
    sandbox.profile("pattern", "mode = \"mirror\"\nexclude = [\"[\"]");
    sandbox.profile("same-target", "mode = \"mirror\"");
    let ran = sandbox.run(&["config", "check"]).expect(1);
    golden("config-check", &sandbox, &ran.stdout);
    assert_eq!(ran.stderr, "");
    let as_json = json(&sandbox.run(&["config", "check", "--json"]).expect(1));
    has_keys(&as_json, &["errors", "problems", "profiles", "warnings"]);
    let problems = as_json["problems"].as_array().unwrap();
    assert_eq!(as_json["errors"], problems.iter().filter(|p| p["severity"] == "error").count());
    fs::remove_file(sandbox.path("config/profiles/same-target.toml")).unwrap();
    let shown = json(&sandbox.run(&["config", "show", "docs", "--json"]).expect(0));
    has_keys(&shown["profiles"][0], &["fingerprint", "name", "values"]);
    for schema in [&["config", "schema"][..], &["config", "schema", "--main"]] {
        assert!(json(&sandbox.run(schema).expect(0))["properties"].is_object());
    }
}

#[test]
fn a_broken_profile_does_not_stop_the_others() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    sandbox.write("config/profiles/bad.toml", "kind = \"sync\"\nsurce = \"x\"\n");
    let ran = sandbox.run(&["run", "--all"]).expect(1);
    assert!(ran.stdout.starts_with("docs: ok, 1 new"), "{}", ran.stdout);
    assert!(ran.stderr.contains("profiles/bad.toml:2:1: error"), "{}", ran.stderr);
    let ran = sandbox.run(&["run", "docs"]).expect(0);
    assert_eq!(ran.stderr, "", "it does not concern this one");
    sandbox.run(&["run", "bad"]).expect(1);
    sandbox.run(&["plan", "bad"]).expect(1);
    assert_eq!(sandbox.history().len(), 2);
}

#[test]
fn what_does_not_exist_is_a_usage_error() {
    let (sandbox, _) = ran_once();
    let mut seen = String::new();
    for args in [
        &["frobnicate"][..],
        &["run"],
        &["run", "dosc"],
        &["run", "docs", "nobody"],
        &["plan", "no/body"],
        &["config", "show", "nobody"],
        &["log", "zz"],
        &["report", "01J\u{e9}"],
        &["log", "0"],
    ] {
        let ran = sandbox.run(args);
        seen.push_str(&format!("$ postkeep {}\n{}{}", args.join(" "), ran.stdout, ran.stderr));
        // One run begins with 0: it is found.
        assert_eq!(ran.code, if *args == ["log", "0"] { 0 } else { 2 }, "{args:?}: {ran:?}");
    }
    golden("usage", &sandbox, &seen);
    sandbox.run(&["run", "docs"]).expect(0);
    let ran = sandbox.run(&["log", "0"]).expect(2);
    assert!(
        ran.stderr.contains("several runs") && ran.stderr.contains("give more of the id"),
        "{}",
        ran.stderr
    );
    let listed = sandbox.run(&["run", "--json"]).expect(2);
    assert_eq!(json(&listed)["profiles"][0], "docs");
}

#[test]
fn completions_are_a_script_that_needs_no_home() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let mut command = sandbox.command(&["completions", shell]);
        command.env_remove("HOME").env_remove("POSTKEEP_CONFIG").env_remove("POSTKEEP_STATE");
        let ran = Ran::from(command.output().unwrap()).expect(0);
        assert!(ran.stdout.contains("postkeep"), "{shell}");
        if shell != "bash" {
            continue;
        }
        sandbox.write("completion", &ran.stdout);
        match Command::new("bash").arg("-n").arg(sandbox.path("completion")).output() {
            Ok(checked) => assert!(checked.status.success(), "{checked:?}"),
            Err(_) => left_out("bash is missing"),
        }
    }
}

/// Runs the binary with its output going to `to`.
fn run_into(sandbox: &Sandbox, args: &[&str], to: Stdio) -> (Option<i32>, String) {
    let child = sandbox.command(args).stdout(to).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// A pipe that nobody reads any more.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Stdio::from(writer)
}

#[test]
fn a_closed_pipe_ends_quietly_and_a_run_goes_on() {
    let (sandbox, id) = ran_once();
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["history"],
        &["history", "--json"],
        &["history", "nobody"],
        &["log", &id],
        &["log", &id, "--json"],
        &["report", &id],
        &["report", &id, "--raw"],
        &["report", &id, "--json"],
        &["report", &id, "--html", "-"],
        &["plan", "docs"],
        &["plan", "docs", "--json"],
        &["config", "check"],
        &["config", "show"],
        &["config", "schema"],
        &["completions", "bash"],
        &["run", "--help"],
        &["--version"],
    ] {
        assert_eq!(run_into(&sandbox, args, closed_pipe()), (Some(0), String::new()), "{args:?}");
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let (code, said) = run_into(&sandbox, args, full.into());
        assert!(!said.contains("panicked"), "{args:?}: {said}");
        // What clap prints by itself it does not vouch for.
        let by_clap = args.iter().any(|arg| ["--help", "--version"].contains(arg));
        assert!(by_clap || (code == Some(1) && said.contains("No space left")), "{args:?} {code:?}: {said}");
    }
    // Nobody hears it: neither on standard output nor on standard error.
    for more in [None, Some("--json")] {
        sandbox.write("source/a", &format!("changed {more:?}"));
        let args: Vec<_> = ["run", "docs"].into_iter().chain(more).collect();
        let mut child = sandbox.command(&args).stdout(closed_pipe()).stderr(closed_pipe()).spawn().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!(sandbox.read("target/a"), format!("changed {more:?}"));
    }
    fs::remove_dir_all(sandbox.path("source")).unwrap();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    assert_eq!(run_into(&sandbox, &["run", "docs"], full.into()), (Some(1), String::new()));
    let statuses: Vec<_> = sandbox.history().iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, ["failed", "ok", "ok", "ok"]);
    assert_eq!(sandbox.letters().len(), 4, "every run was reported");
}

#[test]
fn a_long_log_into_a_reader_that_stops_early() {
    let sandbox = Sandbox::with_mirror();
    for n in 0..3000 {
        sandbox.write(&format!("source/{n:0100}"), "");
    }
    sandbox.run(&["run", "docs"]).expect(0);
    let mut child = sandbox
        .command(&["log", &newest(&sandbox)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Less than a pipe holds: the writer is still at it.
    let mut some = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn a_state_folder_that_cannot_be_used_is_named() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    sandbox.write("file", "");
    for state in ["file", "file/below"] {
        let path = sandbox.path(state);
        for args in [&["run", "docs"][..], &["status"], &["history"], &["log", "01"], &["plan", "docs"]] {
            let ran = sandbox.run(&[args, &["--state", path.to_str().unwrap()]].concat()).expect(1);
            assert!(ran.stderr.contains(path.to_str().unwrap()), "{args:?}: {}", ran.stderr);
            assert!(
                ran.stderr.contains("hint: ") && ran.stderr.contains("--state"),
                "{args:?}: {}",
                ran.stderr
            );
        }
    }
    assert!(!sandbox.path("target").exists());
    let mut command = sandbox.command(&["run", "docs"]);
    command.env_remove("HOME").env_remove("POSTKEEP_STATE");
    let ran = Ran::from(command.output().unwrap()).expect(2);
    assert_eq!(ran.stderr, "postkeep: HOME is not set\n  hint: name the folders: --config DIR --state DIR\n");
    let missing = sandbox.path("missing");
    let ran = sandbox.run(&["log", "01", "--state", missing.to_str().unwrap()]).expect(1);
    assert!(ran.stderr.contains("nothing was ever run") && ran.stderr.contains("hint: "), "{}", ran.stderr);
}

#[test]
fn a_state_folder_that_may_not_be_written_is_named() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    sandbox.run(&["run", "docs"]).expect(0);
    let Some(run) = as_somebody_else(&sandbox) else { return left_out("setpriv is missing") };
    let close = |mode| {
        for folder in ["state", "state/locks", "state/spool"] {
            fs::set_permissions(sandbox.path(folder), fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    close(0o500);
    let ran = run(&["run", "docs"]).expect(1);
    let status = run(&["status"]);
    close(0o700);
    let state = sandbox.path("state");
    assert!(ran.stderr.contains(state.to_str().unwrap()) && ran.stderr.contains("hint: "), "{}", ran.stderr);
    assert!(
        status.code == 0
            || (status.stderr.contains(state.to_str().unwrap()) && status.stderr.contains("hint: ")),
        "{status:?}"
    );
    run(&["run", "docs"]).expect(0);
    let history = json(&run(&["history", "--json"]).expect(0));
    assert_eq!(history.as_array().unwrap().len(), 2, "{history}");
}

/// Runs the binary as a user whom rights of files concern, and gives the sandbox to that user.
fn as_somebody_else(sandbox: &Sandbox) -> Option<impl Fn(&[&str]) -> Ran> {
    const USER: &str = "12345";
    let root = rustix::process::geteuid().is_root();
    if root {
        Command::new("setpriv").arg("--version").output().ok()?;
        let mut chown = Command::new("chown");
        assert!(chown.args(["-R", USER]).arg(sandbox.path("")).status().unwrap().success());
    }
    Some(move |args: &[&str]| {
        let plain = sandbox.command(args);
        if !root {
            return sandbox.run(args);
        }
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={USER}"), "--clear-groups".into()]).arg(plain.get_program());
        command.args(plain.get_args()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Ran::from(command.output().unwrap())
    })
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let (sandbox, _) = ran_once();
    if Command::new("script").arg("--version").output().is_err() {
        return left_out("script (util-linux) is missing");
    }
    let on_terminal = |env: &[(&str, &str)]| {
        let plain = sandbox.command(&["status"]);
        let mut command = Command::new("script");
        let line = format!("'{}' status", Path::new(plain.get_program()).display());
        command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
        command.envs(env.iter().copied());
        Ran::from(command.output().unwrap()).expect(0).stdout
    };
    assert!(on_terminal(&[]).contains("\x1b[32mok\x1b[0m"), "{:?}", on_terminal(&[]));
    for env in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let seen = on_terminal(&[env]);
        assert!(seen.contains("ok") && !seen.contains("\x1b[3"), "{env:?}: {seen:?}");
    }
}

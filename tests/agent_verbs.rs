//! The verbs about the agent where there is none: what comes next, pauses, silence, the digest, groups.

use std::process::Stdio;
use std::time::Duration;

use postkeep::run::{RunId, Trigger};
use postkeep::state::{Begun, State};
use serde_json::Value;

use crate::common::{Ran, Sandbox, left_out};
use crate::verbs::golden::golden;

/// Profiles of one source, each with a target of its own.
fn with(profiles: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("source/a", "x");
    std::fs::create_dir(sandbox.path("targets")).unwrap();
    for (name, more) in profiles {
        let (source, target) = (sandbox.path("source"), sandbox.path(&format!("targets/{name}")));
        let text =
            format!("kind = \"sync\"\nsource = {source:?}\ntarget = {target:?}\nmode = \"copy\"\n{more}\n");
        sandbox.write(&format!("config/profiles/{name}.toml"), &text);
    }
    sandbox
}

fn json(ran: Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

/// So many minutes ago, as the database has it.
fn ago(minutes: i64) -> i64 {
    jiff::Timestamp::now().as_microsecond() - minutes * 60_000_000
}

/// A profile that was seen by an agent, long ago.
fn served(sandbox: &Sandbox, profile: &str, rhythm: &str, minutes: i64) {
    drop(State::open(&sandbox.path("state")).unwrap());
    sandbox.sql(&format!(
        "INSERT OR REPLACE INTO schedule (profile, served, rhythm) VALUES ('{profile}', {}, '{rhythm}')",
        ago(minutes)
    ));
}

/// Whether the machine has been on for long enough: before that nothing is overdue.
fn awake() -> bool {
    let up = std::fs::read_to_string("/proc/uptime").unwrap();
    let seconds: f64 = up.split(' ').next().unwrap().parse().unwrap();
    if seconds < 900.0 {
        left_out("the machine started less than a quarter of an hour ago");
    }
    seconds >= 900.0
}

#[test]
fn the_next_runs_in_order_of_time() {
    // What is caught up waits for a while after a start.
    if !awake() {
        return;
    }
    let sandbox = Sandbox::new();
    assert!(sandbox.run(&["next"]).expect(0).stdout.starts_with("no profiles yet"));
    let sandbox = with(&[
        ("changing", "on-change = \"2s\""),
        ("failed", "every = \"30h\"\nretry = { times = 2 }"),
        ("hand", ""),
        ("late", "every = \"40h\""),
        ("off", "every = \"1h\""),
        ("often", "every = \"10h\""),
        ("skipped", "every = \"20h\"\nonly-if = { mounted = \"/mnt/nas\" }"),
        ("starts", "on-start = true"),
    ]);
    // Nothing is recorded by a look.
    sandbox.run(&["next"]).expect(0);
    assert!(!sandbox.path("state").exists());
    served(&sandbox, "failed", "every PT30H", 60);
    served(&sandbox, "late", "every PT40H", 4_000);
    served(&sandbox, "skipped", "every PT20H", 2 * 1_200 + 1);
    sandbox.run(&["pause", "off"]).expect(0);
    let run = RunId::new(jiff::Timestamp::now(), 1);
    sandbox.sql(&format!(
        "UPDATE schedule SET retry_number = 2, retry_at = {}, retry_run = '{run}' WHERE profile = 'failed';
         UPDATE schedule SET skipped_since = {}, skipped_reason = 'nothing is mounted at /mnt/nas'
         WHERE profile = 'skipped'",
        ago(-90),
        ago(1_201)
    ));
    golden("next", &sandbox, &sandbox.run(&["next", "-n", "6"]).expect(0).stdout);
    let found = json(sandbox.run(&["next", "often", "-n", "3", "--json"]).expect(0));
    assert_eq!((found["runs"].as_array().unwrap().len(), &found["agent"]), (3, &Value::Bool(false)));
    assert_eq!((&found["runs"][0]["why"], &found["runs"][2]["profile"]), (&"every".into(), &"often".into()));
    let ran = sandbox.run(&["next", "oftn"]).expect(2);
    assert!(ran.stderr.contains("did you mean \"often\"?"), "{}", ran.stderr);
    sandbox.run(&["next", "-n", "0"]).expect(2);

    sandbox.write("config/postkeep.toml", "[report]\ndigest = \"0 7 * * *\"\n");
    let found = json(sandbox.run(&["next", "--json"]).expect(0));
    assert!(found["runs"].as_array().unwrap().iter().any(|run| run["profile"].is_null()), "{found}");
    let shown = sandbox.run(&["next"]).expect(0).stdout;
    assert!(shown.contains("(digest)  schedule"), "{shown}");
}

#[test]
fn a_zone_of_its_own_is_told() {
    let sandbox = with(&[("far", "schedule = \"30 2 * * *\"\ntime-zone = \"America/New_York\"")]);
    let shown = sandbox.run(&["next", "-n", "1"]).expect(0).stdout;
    assert!(shown.contains("far      schedule  02:30 in America/New_York"), "{shown}");
}

#[test]
fn a_pause_is_kept_told_and_taken_back() {
    let sandbox = with(&[("docs", "every = \"1h\""), ("music", "every = \"2h\""), ("hand", "")]);
    for args in [&["pause", "docs", "--for", "soon"][..], &["pause", "dosc"], &["resume", "dosc"]] {
        sandbox.run(args).expect(2);
    }
    assert!(!sandbox.path("state").exists());
    let ran = sandbox.run(&["pause", "docs", "--for", "2d"]).expect(0);
    assert!(ran.stdout.starts_with("docs is paused until "), "{}", ran.stdout);
    let next = |name: &str| {
        let all = json(sandbox.run(&["status", "--json"]).expect(0));
        let rows = all["profiles"].as_array().unwrap();
        rows.iter().find(|row| row["profile"] == name).unwrap()["paused"].clone()
    };
    assert!(next("docs")["until"].is_string() && next("music").is_null());
    let shown = sandbox.run(&["status"]).expect(0).stdout;
    assert!(shown.contains("(postkeep resume docs)") && shown.contains("  paused\n"), "{shown}");
    let ran = sandbox.run(&["pause"]).expect(0);
    assert!(ran.stdout.starts_with("all profiles are paused until `postkeep resume`"), "{}", ran.stdout);
    assert!(next("music")["until"].is_null() && next("music")["since"].is_string());
    let digest = sandbox.run(&["digest"]).expect(0).stdout;
    assert!(digest.starts_with("PAUSED: all profiles, since"), "{digest}");
    // A person may still run it.
    sandbox.run(&["run", "music"]).expect(0);
    let shown = sandbox.run(&["next"]).expect(0).stdout;
    assert!(shown.contains("all profiles are paused since") && !shown.contains("WHEN"), "{shown}");

    let ran = sandbox.run(&["resume"]).expect(0);
    assert_eq!(
        ran.stdout,
        "the profiles run by themselves again\ndocs stays paused (postkeep resume docs)\n"
    );
    assert_eq!(sandbox.run(&["resume", "docs"]).expect(0).stdout, "docs runs by itself again\n");
    let again = json(sandbox.run(&["resume", "docs", "--json"]).expect(0));
    assert_eq!((&again["paused"], &again["was-paused"]), (&false.into(), &false.into()));
    assert!(next("docs").is_null() && next("music").is_null());
    // A pause whose time is over is none.
    sandbox.run(&["pause", "docs", "--for", "1h"]).expect(0);
    sandbox.sql(&format!("UPDATE schedule SET paused_since = {0}, paused_until = {0} + 1", ago(5)));
    assert!(next("docs").is_null());
    // One whose file is broken can be paused too.
    sandbox.write("config/profiles/docs.toml", "kind = 1\n");
    sandbox.run(&["pause", "docs"]).expect(0);
}

#[test]
fn what_did_not_run_is_told_once_where_no_agent_is() {
    let sandbox = with(&[("docs", "every = \"20m\""), ("hand", "")]);
    // The first look keeps from when on due times count.
    sandbox.run(&["overdue", "--mail"]).expect(0);
    sandbox.run(&["run", "docs"]).expect(0);
    if !awake() {
        return;
    }
    assert_eq!(sandbox.run(&["overdue"]).expect(0).stdout, "nothing is overdue\n");
    assert_eq!(sandbox.run(&["overdue", "--quiet"]).expect(0).stdout, "");
    let letters = sandbox.letters().len();
    let late =
        format!("UPDATE run SET started = {0}, ended = {0}; UPDATE schedule SET served = {0}", ago(125));
    sandbox.sql(&late);
    golden("overdue", &sandbox, &sandbox.run(&["overdue"]).expect(3).stdout);
    golden("status-overdue", &sandbox, &sandbox.run(&["status"]).expect(0).stdout);
    assert_eq!(sandbox.letters().len(), letters);
    let found = json(sandbox.run(&["overdue", "--mail", "--json"]).expect(3));
    assert_eq!((&found["overdue"][0]["profile"], &found["agent"]), (&"docs".into(), &false.into()));
    let mail = String::from_utf8(sandbox.letters().pop().unwrap()).unwrap();
    assert!(mail.contains("no agent is running") && sandbox.letters().len() == letters + 1, "{mail}");
    // It was told; three days later it is told again.
    sandbox.run(&["overdue", "--mail", "--quiet"]).expect(3);
    assert_eq!(sandbox.letters().len(), letters + 1);
    sandbox.sql(&format!(
        "UPDATE run SET started = {0}, ended = {0}; UPDATE schedule SET served = {0}, alarm_told = {1},
         alarm_due = {0} + 1200000000",
        ago(5 * 1_440),
        ago(4 * 1_440)
    ));
    sandbox.run(&["overdue", "--mail", "--quiet"]).expect(3);
    assert_eq!(sandbox.letters().len(), letters + 2);
    // A pause is no silence, and who is at work is on his way.
    sandbox.run(&["pause", "docs"]).expect(0);
    sandbox.run(&["overdue"]).expect(0);
    sandbox.run(&["resume", "docs"]).expect(0);
    let state = State::open(&sandbox.path("state")).unwrap();
    let held = state.locks().profile("docs").unwrap();
    let started = jiff::Timestamp::now();
    let id = RunId::new(started, 7);
    let (profile, trigger) = ("docs".to_owned(), Trigger::Manual);
    state
        .history()
        .begin(&Begun { id, profile, trigger, started, fingerprint: "x".into(), serves: None })
        .unwrap();
    sandbox.run(&["overdue"]).expect(0);
    // It was killed: that is recorded and mailed.
    drop(held);
    let ran = sandbox.run(&["overdue", "--mail"]).expect(0);
    assert!(ran.stderr.contains("ended without a word"), "{}", ran.stderr);
    assert_eq!(sandbox.history()[0]["status"], "interrupted");
    assert_eq!(sandbox.letters().len(), letters + 3);
}

#[test]
fn without_a_rhythm_nothing_is_overdue() {
    let sandbox = with(&[("hand", "")]);
    let ran = sandbox.run(&["overdue", "--mail"]).expect(0);
    assert!(ran.stdout.contains("nothing can be overdue"), "{}", ran.stdout);
    if awake() {
        let sandbox = with(&[("hand", "overdue-after = \"3d\"\ngrace = \"1m\"")]);
        sandbox.run(&["run", "hand"]).expect(0);
        sandbox.run(&["overdue"]).expect(0);
        sandbox.sql(&format!("UPDATE run SET started = {0}, ended = {0}", ago(4 * 1_440)));
        sandbox.run(&["overdue", "--mail"]).expect(3);
        let letters = sandbox.letters().len();
        sandbox.run(&["overdue", "--mail"]).expect(3);
        assert_eq!(sandbox.letters().len(), letters, "it was told");
    }
}

#[test]
fn a_digest_is_shown_and_sent() {
    let sandbox = with(&[("docs", "every = \"1h\"")]);
    sandbox.run(&["run", "docs"]).expect(0);
    sandbox.write("config/profiles/broken.toml", "knd = \"sync\"\n");
    let text = sandbox.run(&["digest"]).expect(0).stdout;
    assert!(text.contains("docs") && text.contains("broken"), "{text}");
    let shown = json(sandbox.run(&["digest", "--json"]).expect(0));
    assert_eq!(shown["kind"], "digest", "{shown}");
    let page = sandbox.path("digest.html");
    sandbox.run(&["digest", "--html", page.to_str().unwrap()]).expect(0);
    assert!(sandbox.read("digest.html").contains("</html>"));
    assert!(sandbox.run(&["digest", "--html", "-"]).expect(0).stdout.contains("</html>"));
    assert_eq!(sandbox.letters().len(), 1, "nothing was sent so far");
    let ran = sandbox.run(&["digest", "--send"]).expect(0);
    assert!(ran.stdout.contains("report: ") && sandbox.letters().len() == 2, "{}", ran.stdout);
    sandbox.run(&["digest", "--send", "--html", "x"]).expect(2);
}

#[test]
fn a_run_elsewhere_is_not_cancelled_from_here() {
    let sandbox = with(&[("docs", ""), ("music", "")]);
    sandbox.run(&["run", "docs"]).expect(0);
    let ended = sandbox.history()[0]["id"].as_str().unwrap().to_owned();
    let state = State::open(&sandbox.path("state")).unwrap();
    let _held = state.locks().profile("music").unwrap();
    let started = jiff::Timestamp::now();
    let id = RunId::new(started, 7);
    let (profile, trigger) = ("music".to_owned(), Trigger::Manual);
    state
        .history()
        .begin(&Begun { id, profile, trigger, started, fingerprint: "x".into(), serves: None })
        .unwrap();
    for (asked, code, said) in [
        ("music", 1, "press Ctrl-C there"),
        (id.to_string().as_str(), 1, "press Ctrl-C there"),
        ("docs", 1, "no run of docs is at work"),
        (&ended, 1, "has ended: ok"),
        ("docz", 2, "did you mean \"docs\"?"),
        ("01ZZ", 2, "01ZZ"),
    ] {
        let ran = sandbox.run(&["cancel", asked]).expect(code);
        assert!(ran.stderr.contains(said), "{asked}: {}", ran.stderr);
    }
    let shown = sandbox.run(&["status"]).expect(0).stdout;
    assert!(shown.contains("music: at work in a process of its own since"), "{shown}");
}

#[test]
fn a_group_runs_in_its_order() {
    let sandbox = with(&[("a", ""), ("b", ""), ("c", "")]);
    let report = "[report]\nto = \"ann@example.org\"\n";
    let groups = "[groups.night]\nprofiles = [\"c\", \"a\"]\n[groups.all]\nprofiles = [\"a\", \"b\"]\n";
    sandbox.write("config/postkeep.toml", &format!("{report}{groups}"));
    let plan = sandbox.run(&["plan", "night"]).expect(0).stdout;
    assert!(plan.find("\nc: ").unwrap() < plan.find("\na: ").unwrap() && !plan.contains("\nb: "), "{plan}");
    sandbox.run(&["run", "night", "-n"]).expect(0);
    assert!(sandbox.history().is_empty());
    let names = |sandbox: &Sandbox| -> Vec<String> {
        sandbox.history().iter().rev().map(|row| row["profile"].as_str().unwrap().to_owned()).collect()
    };
    sandbox.run(&["run", "night", "all"]).expect(0);
    assert_eq!(names(&sandbox), ["c", "a", "b"]);
    for (asked, said) in [("nigth", "did you mean \"night\"?"), ("zzzzzz", "there is no profile or group")] {
        let ran = sandbox.run(&["run", asked]).expect(2);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    // Those that can be used do run; alone it is refused.
    sandbox.write("config/profiles/c.toml", "kind = 1\n");
    let ran = sandbox.run(&["run", "night"]).expect(1);
    assert!(ran.stderr.contains("profiles/c.toml") && names(&sandbox).len() == 4, "{}", ran.stderr);
    sandbox.run(&["run", "c"]).expect(1);
    sandbox.run(&["run", "night", "--approve", "0123456789"]).expect(2);
}

#[test]
fn what_needs_an_agent_says_so() {
    let sandbox = with(&[("docs", "every = \"1h\"")]);
    let ran = sandbox.run(&["run", "docs", "--via-agent"]).expect(1);
    assert!(ran.stderr.contains("no agent is running") && ran.stderr.contains("hint: "), "{}", ran.stderr);
    assert!(sandbox.history().is_empty());
    for args in [
        &["run", "docs", "--no-wait"][..],
        &["run", "docs", "--via-agent", "-n"],
        &["run", "docs", "--via-agent", "--approve", "0123456789"],
    ] {
        sandbox.run(args).expect(2);
    }
    let ran = sandbox.run(&["agent", "status"]).expect(3);
    assert!(ran.stdout.contains("no agent is running"), "{}", ran.stdout);
    assert!(json(sandbox.run(&["agent", "status", "--json"]).expect(3))["agent"].is_null());
}

#[test]
fn a_status_that_goes_on_ends_in_good_order() {
    let sandbox = with(&[("docs", "every = \"1h\"")]);
    let mut command = sandbox.command(&["status", "--watch"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap()).expect(0);
    assert!(
        ran.stdout.starts_with("PROFILE ") && ran.stdout.matches("PROFILE").count() == 1,
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains('\x1b'), "{}", ran.stdout);
}

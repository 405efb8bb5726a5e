//! The way of a report, from the run to its reader: what it says, when it is mailed, where it goes, and that it gets
//! there once.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mail_parser::{Message, MessageParser, MimeHeaders};
use postkeep::entry::show;
use postkeep::profile::{AttachLog, Level, Mode, ReportRules};
use postkeep::report::{Facts, Rendered};
use postkeep::run::{
    Counts, Failure, Message as Said, Outcome, Run, RunId, Severity, Status, Stop, Trigger, Versions,
};
use postkeep::state::{Begun, Guard, State};
use serde_json::Value;

use crate::common::{Sandbox, judge};

fn parsed(letter: &[u8]) -> Message<'_> {
    MessageParser::default().parse(letter).unwrap()
}

fn subject(letter: &[u8]) -> String {
    parsed(letter).subject().unwrap().to_owned()
}

fn text(letter: &[u8]) -> String {
    parsed(letter).body_text(0).unwrap().replace("\r\n", "\n")
}

/// The subjects of all letters in the state folder's Maildir, without the host.
fn subjects(sandbox: &Sandbox) -> Vec<String> {
    let before_host = |subject: String| subject.rsplit_once(" on ").unwrap().0.to_owned();
    sandbox.letters().iter().map(|letter| before_host(subject(letter))).collect()
}

/// How a run comes out next: three ways, by what is in the source.
fn make_fail(sandbox: &Sandbox, name: &str) {
    sandbox.write(&format!("source/{name}"), "file");
    fs::create_dir_all(sandbox.path(&format!("target/{name}"))).unwrap();
}

fn heal(sandbox: &Sandbox, name: &str) {
    fs::remove_file(sandbox.path(&format!("source/{name}"))).unwrap();
}

/// A copy: there a folder does not make way for a file, so a failure needs neither another user nor chance.
fn with_copy(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.profile("docs", &format!("mode = \"copy\"\n{more}"));
    sandbox.write("source/a", "x");
    sandbox
}

// --- What it says ---------------------------------------------------------------------------------------------------

/// Names as somebody makes them who means harm, or has an odd taste.
fn odd_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        "\u{1f600}\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}.jpg",
        "two\nlines\r\nBcc: eve@example.org",
        "=?utf-8?B?SGVsbG8=?= =?utf-8?q?x?=",
        "\u{202e}gpj.exe \u{5e9}\u{5dc}\u{5d5}\u{5dd}",
        "<script>alert(1)</script> & \"quotes\" 'n",
        "{{ 7 * 7 }} {% raw %} %s $HOME",
        "..",
        "...",
        " leading and trailing ",
        ".",
        "From me",
        "-- ",
        "tab\tand bell\u{7}and escape\u{1b}]0;x\u{7}",
    ]
    .iter()
    .map(|name| name.as_bytes().to_vec())
    .collect();
    names.push(b"not \xff\xfe utf-8 \xc3".to_vec());
    names.push("\u{5199}".repeat(85).into_bytes());
    names.push([b'x'; 255].to_vec());
    names
}

fn at(second: i64) -> Timestamp {
    // The judge wants a date of these days.
    Timestamp::from_second(Timestamp::now().as_second() + second).unwrap()
}

fn outcome(status: Status) -> Outcome {
    Outcome {
        counts: Counts { files: 12_481, folders: 7, created: 3, copied_bytes: 1 << 31, ..Counts::default() },
        free_bytes: Some(1 << 40),
        versions: Some(Versions { kept: 2, kept_bytes: 5, removed: 1, removed_bytes: 7 }),
        ..Outcome::new(status)
    }
}

fn failures(severity: Severity, paths: impl Iterator<Item = String>, causes: usize) -> Vec<Failure> {
    let failure = |(n, path)| Failure {
        severity,
        path,
        cause: format!("cannot read: cause {}", n % causes),
        hint: Some(format!("hint {}", n % causes)),
        known: n % 3 == 0,
    };
    paths.enumerate().map(failure).collect()
}

/// Every kind of outcome, with the worst there is to say about it.
fn outcomes() -> Vec<(String, Outcome)> {
    let odd = || odd_names().into_iter().map(|name| show(&name));
    let many = |n: usize| (0..n).map(|n| format!("folder {}/a file with a name of some length {n}", n % 100));
    let mut all: Vec<(String, Outcome)> =
        [Status::Ok, Status::Unchanged, Status::Interrupted, Status::Cancelled]
            .map(|status| (status.word().to_owned(), outcome(status)))
            .into();
    let failed =
        |list: Vec<Failure>| Outcome { errors: list.len() as u64, failures: list, ..outcome(Status::Failed) };
    let warned = failures(Severity::Warning, odd(), 3);
    let warned = Outcome { warnings: warned.len() as u64, failures: warned, ..outcome(Status::Warning) };
    all.push(("warning".into(), warned));
    all.push(("failed".into(), failed(failures(Severity::Error, odd(), 2))));
    all.push(("failed-10000".into(), failed(failures(Severity::Error, many(10_000), 1))));
    all.push(("failed-10000-causes".into(), failed(failures(Severity::Error, many(10_000), 10_000))));
    let wide = odd_names().into_iter().cycle().take(5_000).map(|name| show(&name.repeat(15)));
    all.push(("failed-long".into(), failed(failures(Severity::Error, wide, 7))));
    let error = Said {
        text: format!("cannot open {}", odd().collect::<Vec<_>>().join("/")),
        hints: odd_names().iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
    };
    all.push(("failed-whole".into(), Outcome { error: Some(error), ..Outcome::new(Status::Failed) }));
    let stop = Stop {
        reason: format!("it would delete {}", odd().collect::<Vec<_>>().join(", ")),
        hint: "look\r\n.\r\nQUIT".into(),
        token: Some("0123456789".into()),
    };
    all.push(("stopped".into(), Outcome { stop: Some(stop), ..outcome(Status::Stopped) }));
    let names: Vec<_> = odd_names().iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let notes = names.iter().cloned().cycle();
    all.push(("notes".into(), Outcome { notes: notes.take(500).collect(), ..outcome(Status::Ok) }));
    all
}

fn rendered(outcome: Outcome, recovered: bool, host: &str, log: &[u8]) -> Rendered {
    let success = outcome.status.is_success();
    let run = Run {
        id: RunId::new(at(-100), 7),
        profile: "documents-of-the-whole-family".into(),
        trigger: Trigger::Manual,
        started: at(-100),
        ended: at(-10),
        outcome,
    };
    let rules = ReportRules {
        account: None,
        to: vec!["Ann M\u{fc}ller <ann@example.org>".into(), "bob@b\u{fc}cher.example".into()],
        from: None,
        fallback: Vec::new(),
        webhook: None,
        digest: None,
        on: vec![Level::Success],
        attach_log: AttachLog::Always,
        attach_log_max: 1 << 16,
        time_zone: None,
    };
    let source = show(&odd_names().concat());
    let log = log.to_vec();
    postkeep::report::render(&Facts {
        run: &run,
        source: &source,
        target: "/mnt/nas/Documents",
        mode: Some(Mode::Mirror),
        history: &[],
        last_success: Some(at(-86_400)),
        failing_since: (!success).then(|| (at(-7_200), 4)),
        recovered_after: (success && recovered).then_some(3),
        still: None,
        next: None,
        origin: postkeep::report::Origin {
            own_address: None,
            host,
            install_id: "0123456789ab",
            version: "0.1.0",
            zone: &TimeZone::get("Europe/Berlin").unwrap(),
            rules: &rules,
        },
        log: Some(&log),
    })
    .unwrap()
}

#[test]
fn whatever_is_in_it_a_letter_is_a_letter() {
    let temp = tempfile::tempdir().unwrap();
    let log = odd_names().iter().map(|name| format!("created\t1\t{}\n", show(name))).collect::<String>();
    let mut files = Vec::new();
    let mut keep = |name: &str, mail: &[u8]| {
        let file = temp.path().join(format!("{name}.eml"));
        fs::write(&file, mail).unwrap();
        files.push(file);
    };
    for (name, outcome) in outcomes() {
        for (host, log) in
            [("nas1", log.as_bytes()), ("B\u{fc}ro =?utf-8?q?x?=\r\nBcc: e@x.org", b"\xff\x00\n")]
        {
            for recovered in [false, true] {
                let report = rendered(outcome.clone(), recovered, host, log);
                assert!(report.text.len() + report.html.len() <= 100 << 10, "{name} is cut by mail services");
                assert!(!report.html.contains("<script"), "{name}: {}", report.html);
                let letter = parsed(&report.mail);
                assert_eq!(letter.subject(), Some(report.subject.as_str()), "{name}");
                assert_eq!(letter.body_text(0).unwrap().replace("\r\n", "\n"), report.text, "{name}");
                assert!(letter.bcc().is_none() && letter.to().unwrap().iter().count() == 2, "{name}");
                assert!(report.text.lines().all(|line| !line.contains(char::is_control)), "{name}");
                let json = letter.attachments().find(|p| p.attachment_name() == Some("report.json")).unwrap();
                assert_eq!(serde_json::from_slice::<Value>(json.contents()).unwrap(), report.json);
                // As it is printed; in a mail a line ends with two bytes.
                let printed = json.contents().iter().filter(|byte| **byte != b'\r').count();
                assert!(printed <= 64 << 10, "{name}: {printed}");
                keep(&format!("{name}-{}-{recovered}", host.len()), &report.mail);
            }
        }
    }
    // And those of real runs.
    let sandbox = with_copy("");
    sandbox.write("config/postkeep.toml", "[report]\nto = [\"ann@example.org\"]\non = [\"success\", \"unchanged\", \"warning\", \"failure\", \"recovery\"]\n");
    let run = |code| drop(sandbox.run(&["run", "docs"]).expect(code));
    run(0);
    run(0);
    let names = odd_names();
    let is_name = |name: &&Vec<u8>| !name.contains(&b'/') && !matches!(name.as_slice(), b"." | b"..");
    for name in names.iter().filter(is_name).map(|name| std::ffi::OsStr::from_bytes(name)) {
        fs::write(sandbox.path("source").join(name), "x").unwrap();
        fs::create_dir(sandbox.path("target").join(name)).unwrap();
    }
    run(1);
    fs::remove_dir_all(sandbox.path("target")).unwrap();
    fs::create_dir(sandbox.path("target")).unwrap();
    run(0);
    fs::remove_dir_all(sandbox.path("source")).unwrap();
    run(1);
    for row in sandbox.history() {
        let raw = sandbox.run(&["report", row["id"].as_str().unwrap(), "--raw"]).expect(0).stdout;
        let id = row["id"].as_str().unwrap();
        keep(id, raw.as_bytes());
        let run = id.parse().unwrap();
        keep(&format!("{id}-late"), &postkeep::report::late(raw.as_bytes(), run));
        if let Some(slim) = postkeep::report::slim(raw.as_bytes(), run) {
            keep(&format!("{id}-slim"), &postkeep::report::late(&slim, run));
        }
    }
    let now = jiff::Timestamp::now();
    let test = postkeep::report::TestLetter {
        id: postkeep::run::RunId::new(now, 1),
        account: "b\u{fc}ro",
        host: "nas1",
        install_id: "7k3m9q2x5v",
        own_address: Some("me@b\u{fc}ro.example"),
        from: None,
        to: &["Ann <ann@example.org>".to_owned()],
        now,
        zone: &jiff::tz::TimeZone::UTC,
    };
    keep("test", &test.render().unwrap().1);
    assert_eq!(
        subjects(&sandbox),
        [
            "[OK] docs",
            "[OK nothing to do] docs",
            "[FAILED 13 errors] docs",
            "[OK recovered after 1 run] docs",
            "[FAILED] docs"
        ]
    );
    let Some(judge) = judge("mailcheck.py") else { return };
    let judged = Command::new("python3").arg(judge).args(&files).output().unwrap();
    let said = String::from_utf8_lossy(&judged.stdout);
    let verdicts = said.lines().filter(|line| line.contains("\tok\t0 errors 0 warnings")).count();
    assert_eq!(verdicts, files.len(), "{said}");
}

// --- When it is mailed ----------------------------------------------------------------------------------------------

#[test]
fn the_levels_decide_what_is_mailed() {
    let sandbox = with_copy("[report]\non = [\"failure\"]");
    let run = |code| drop(sandbox.run(&["run", "docs"]).expect(code));
    // A first success is mailed though nobody asked for successes: it proves that letters arrive.
    run(0);
    assert_eq!(subjects(&sandbox), ["[OK] docs"]);
    sandbox.write("source/b", "x");
    run(0);
    run(0);
    assert_eq!(sandbox.letters().len(), 1, "neither a success nor that nothing changed");
    // After an edit the first success is mailed again, even one that had nothing to do; a comment is no edit.
    sandbox.profile("docs", "mode = \"copy\" # as before\n[report]\non = [\"failure\"]");
    run(0);
    assert_eq!(sandbox.letters().len(), 1);
    sandbox.profile("docs", "mode = \"copy\"\nexclude = [\"*.tmp\"]\n[report]\non = [\"failure\"]");
    run(0);
    run(0);
    assert_eq!(subjects(&sandbox), ["[OK] docs", "[OK nothing to do] docs"]);
    // A failure is mailed each time; a recovery only where it is wanted.
    make_fail(&sandbox, "bad");
    run(1);
    run(1);
    heal(&sandbox, "bad");
    run(0);
    assert_eq!(subjects(&sandbox)[2..], ["[FAILED 1 error] docs", "[FAILED 1 error] docs"]);
    assert!(text(&sandbox.letters()[3]).contains("the 2nd run in a row without success"));

    // The main file's levels are for those that have none of their own.
    let all = "on = [\"success\", \"unchanged\", \"warning\", \"failure\", \"recovery\"]\n";
    sandbox.write("config/postkeep.toml", &(sandbox.read("config/postkeep.toml") + all));
    sandbox.write("source/c", "x");
    run(0);
    assert_eq!(sandbox.letters().len(), 4, "the profile has its own");
    sandbox.profile("docs", "mode = \"copy\"\nexclude = [\"*.tmp\"]");
    make_fail(&sandbox, "bad");
    run(1);
    heal(&sandbox, "bad");
    run(0);
    run(0);
    let told = ["[FAILED 1 error] docs", "[OK recovered after 1 run] docs", "[OK nothing to do] docs"];
    assert_eq!(subjects(&sandbox)[4..], told);
    assert!(text(&sandbox.letters()[5]).contains("recovered after 1 failed run"));
    // Mailed or not: every run's report can be read.
    for row in sandbox.history() {
        sandbox.run(&["report", row["id"].as_str().unwrap()]).expect(0);
    }
}

#[test]
fn what_failed_last_time_too_is_told_apart() {
    let sandbox = with_copy("");
    let run = |code| {
        sandbox.run(&["run", "docs"]).expect(code);
        text(sandbox.letters().last().unwrap())
    };
    make_fail(&sandbox, "first");
    let one = run(1);
    assert!(one.contains("\nProblems: 1\n") && !one.contains("as in the last run"), "{one}");
    make_fail(&sandbox, "second");
    let two = run(1);
    let (new, known) = two.split_once("\nProblems, as in the last run: 1\n").expect(&two);
    let (_, new) = new.split_once("\nProblems, new: 1\n").expect(&two);
    assert!(new.contains("      second\n") && !new.contains("first"), "{two}");
    assert!(known.contains("      first\n") && !known.contains("second"), "{two}");
    heal(&sandbox, "first");
    let three = run(1);
    assert!(three.contains("\nProblems, as in the last run: 1\n"), "{three}");
    assert!(!three.contains("Problems, new") && !three.contains("first\n"), "{three}");
    // Gone for one run, back in the next: that is news again.
    make_fail(&sandbox, "first");
    let four = run(1);
    assert!(four.contains("Problems, new: 1") && four.contains("as in the last run: 1"), "{four}");
}

// --- Where it goes --------------------------------------------------------------------------------------------------

/// The files in a Maildir's `new`.
fn filed(maildir: &Path) -> Vec<PathBuf> {
    let Ok(folder) = fs::read_dir(maildir.join("new")) else { return Vec::new() };
    folder.map(|file| file.unwrap().path()).collect()
}

/// A main file with the accounts `one` and `two`; reports go to `one`.
fn with_accounts(sandbox: &Sandbox) {
    let (one, two) = (sandbox.path("mail/one"), sandbox.path("mail/two"));
    let main = format!(
        "[accounts.one]\nmaildir = {one:?}\n[accounts.two]\nmaildir = {two:?}\n[report]\naccount = \"one\"\n"
    );
    sandbox.write("config/postkeep.toml", &main);
}

#[test]
fn each_report_goes_to_its_account() {
    let sandbox = with_copy("");
    with_accounts(&sandbox);
    let own = format!(
        "kind = \"sync\"\nmode = \"copy\"\nsource = {:?}\ntarget = {:?}\n[report]\naccount = \"two\"\nto = \"bob@example.org\"\n",
        sandbox.path("source"),
        sandbox.path("other")
    );
    sandbox.write("config/profiles/own.toml", &own);
    sandbox.run(&["run", "--all"]).expect(0);
    let (one, two) = (filed(&sandbox.path("mail/one")), filed(&sandbox.path("mail/two")));
    assert_eq!((one.len(), two.len(), sandbox.letters().len()), (1, 1, 0));
    assert!(subject(&fs::read(&one[0]).unwrap()).starts_with("[OK] docs on "));
    let letter = fs::read(&two[0]).unwrap();
    assert!(subject(&letter).starts_with("[OK] own on "));
    assert_eq!(parsed(&letter).to().unwrap().first().unwrap().address(), Some("bob@example.org"));
}

#[test]
fn a_letter_waits_for_its_account_and_the_next_run_brings_it() {
    let sandbox = with_copy("");
    with_accounts(&sandbox);
    sandbox.write("mail/one", "a file where the Maildir should be");
    let ran = sandbox.run(&["run", "docs"]).expect(3);
    assert!(ran.stdout.contains("docs: ok,"), "{}", ran.stdout);
    let one = sandbox.path("mail/one");
    assert!(
        ran.stderr.contains("could not be delivered yet") && ran.stderr.contains(one.to_str().unwrap()),
        "{}",
        ran.stderr
    );
    assert_eq!(sandbox.history()[0]["status"], "ok", "the run's own status is recorded");
    make_fail(&sandbox, "bad");
    let ran = sandbox.run(&["run", "docs", "--json"]).expect(1);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    let waits = told.as_array().unwrap().iter().filter(|what| what["waits"].is_string()).count();
    assert_eq!(waits, 2, "{told}");
    let status = sandbox.run(&["status"]).expect(0).stdout;
    assert!(
        status
            .contains("\n2 reports could not be delivered yet; the next run tries again (postkeep outbox)\n"),
        "{status}"
    );

    fs::remove_file(&one).unwrap();
    heal(&sandbox, "bad");
    let ran = sandbox.run(&["run", "docs"]).expect(0);
    let order: Vec<_> = ran.stdout.lines().filter_map(|line| line.strip_prefix("report: ")).collect();
    let subjects: Vec<_> = order.iter().map(|file| subject(&fs::read(file).unwrap())).collect();
    let heads: Vec<_> = subjects.iter().map(|subject| subject.split(']').next().unwrap()).collect();
    assert_eq!(heads, ["[OK", "[FAILED 1 error", "[OK recovered after 1 run"], "{}", ran.stdout);
    assert_eq!(filed(&one).len(), 3);
    assert!(!sandbox.run(&["status"]).expect(0).stdout.contains("delivered"));
    sandbox.run(&["run", "docs"]).expect(0);
    assert_eq!(filed(&one).len(), 3, "each comes once");
}

#[test]
fn letters_of_an_account_that_is_gone_go_where_reports_go_now() {
    let sandbox = with_copy("");
    with_accounts(&sandbox);
    sandbox.write("mail/one", "a file where the Maildir should be");
    sandbox.run(&["run", "docs"]).expect(3);
    let two = sandbox.path("mail/two");
    let main = format!("[accounts.two]\nmaildir = {two:?}\n[report]\naccount = \"two\"\n");
    sandbox.write("config/postkeep.toml", &main);
    sandbox.run(&["run", "docs"]).expect(0);
    let heads = |files: Vec<PathBuf>| files.len();
    assert_eq!(heads(filed(&two)), 2, "what waited, and the first success after the edit");

    // With no account at all it is the Maildir in the state folder.
    with_accounts(&sandbox);
    sandbox.write("source/b", "x");
    sandbox.run(&["run", "docs"]).expect(3);
    sandbox.write("config/postkeep.toml", "[report]\non = [\"failure\"]\n");
    sandbox.run(&["run", "docs"]).expect(0);
    assert!(!sandbox.letters().is_empty() && filed(&two).len() == 2);
    let status: Value = serde_json::from_str(&sandbox.run(&["status", "--json"]).expect(0).stdout).unwrap();
    assert_eq!(status["reports-waiting"], 0);
}

#[test]
fn two_runs_at_the_same_time_are_both_told_once() {
    let sandbox = Sandbox::new();
    for name in ["a", "b", "c", "d"] {
        let folders = [format!("sources/{name}"), format!("targets/{name}")].map(|path| sandbox.path(&path));
        let text = format!(
            "kind = \"sync\"\nmode = \"copy\"\nsource = {:?}\ntarget = {:?}\n",
            folders[0], folders[1]
        );
        sandbox.write(&format!("config/profiles/{name}.toml"), &text);
        fs::create_dir_all(sandbox.path("targets")).unwrap();
    }
    for round in 1..=3 {
        for name in ["a", "b", "c", "d"] {
            sandbox.write(&format!("sources/{name}/{round}"), "x");
        }
        let start =
            |name| sandbox.command(&["run", name]).stdout(std::process::Stdio::null()).spawn().unwrap();
        let children: Vec<_> = ["a", "b", "c", "d"].into_iter().map(start).collect();
        for mut child in children {
            assert_eq!(child.wait().unwrap().code(), Some(0));
        }
        let mut subjects = subjects(&sandbox);
        subjects.sort();
        let expected: Vec<_> =
            ["a", "b", "c", "d"].iter().flat_map(|name| vec![format!("[OK] {name}"); round]).collect();
        assert_eq!(subjects, expected, "round {round}");
    }
    assert_eq!(sandbox.history().len(), 12);
}

// --- What was interrupted -------------------------------------------------------------------------------------------

/// Leaves behind what a run leaves that is killed: a row that says it runs, and its log so far. The lock is what a
/// run at work holds.
fn killed(sandbox: &Sandbox, profile: &str, lines: &[&str]) -> (RunId, State, Guard) {
    let state = State::open(&sandbox.path("state")).unwrap();
    let lock = state.locks().profile(profile).unwrap().unwrap();
    let started = Timestamp::now() - SignedDuration::from_hours(1);
    let id = RunId::new(started, 7);
    let (profile, fingerprint) = (profile.to_owned(), "x".to_owned());
    state
        .history()
        .begin(&Begun { id, profile, trigger: Trigger::Manual, started, fingerprint, serves: None })
        .unwrap();
    let mut spool = state.history().spool(id, started).unwrap();
    lines.iter().for_each(|line| spool.line(line).unwrap());
    spool.flush(started).unwrap();
    (id, state, lock)
}

#[test]
fn an_interrupted_run_is_told_once_with_what_its_log_shows() {
    let sandbox = with_copy("");
    sandbox.profile(
        "other",
        "mode = \"copy\"\n[report]\nto = \"bob@example.org\"\non = [\"success\", \"failure\"]",
    );
    let other = sandbox.read("config/profiles/other.toml").replace("/target", "/elsewhere");
    sandbox.write("config/profiles/other.toml", &other);
    let lines = ["created\t10\tphotos/one.jpg", "replaced\t5\ttwo.txt", "deleted\t7\tthree.txt"];
    let (id, _state, lock) = killed(&sandbox, "other", &lines);
    sandbox.run(&["run", "docs"]).expect(0);
    assert_eq!(subjects(&sandbox), ["[OK] docs"], "it is at work as long as its lock is held");

    drop(lock);
    // A run of another profile notices it, and tells it as its own profile says.
    let ran = sandbox.run(&["run", "docs"]).expect(0);
    assert!(
        ran.stderr.contains("other: the run of") && ran.stderr.contains("ended without a word"),
        "{}",
        ran.stderr
    );
    let letter = &sandbox.letters()[0];
    assert!(subject(letter).starts_with("[INTERRUPTED] other on "), "{}", subject(letter));
    assert_eq!(parsed(letter).to().unwrap().first().unwrap().address(), Some("bob@example.org"));
    let told = text(letter);
    for part in
        ["1 new, 1 replaced, 1 deleted", "created 10 photos/one.jpg", "deleted 7 three.txt", "/elsewhere"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    let log = sandbox.run(&["log", &id.to_string()]).expect(0).stdout;
    assert_eq!(log.lines().count(), 3, "{log}");
    for args in [&["run", "docs"][..], &["run", "other"], &["run", "--all"]] {
        let ran = sandbox.run(args).expect(0);
        assert!(!ran.stderr.contains("without a word"), "{}", ran.stderr);
    }
    let interrupted = subjects(&sandbox).iter().filter(|s| s.starts_with("[INTERRUPTED]")).count();
    assert_eq!(interrupted, 1, "it is told once");
    assert_eq!(fs::read_dir(sandbox.path("state/spool")).unwrap().count(), 0);
}

#[test]
fn an_interrupted_run_of_a_profile_that_is_gone_is_told_all_the_same() {
    let sandbox = with_copy("");
    let (_, _state, lock) = killed(&sandbox, "gone", &["created\t10\ta"]);
    drop(lock);
    sandbox.run(&["run", "docs"]).expect(0);
    let letters = sandbox.letters();
    assert_eq!(subjects(&sandbox), ["[INTERRUPTED] gone", "[OK] docs"]);
    let told = text(&letters[0]);
    assert!(told.contains("(the profile is gone or cannot be read)") && !told.contains("  Mode "), "{told}");
}

// --- What comes with it ---------------------------------------------------------------------------------------------

/// The log in a letter, unpacked.
fn attached(letter: &[u8]) -> Option<String> {
    let letter = parsed(letter);
    let part = letter.attachments().find(|part| part.attachment_name() == Some("docs.log.gz"))?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(part.contents()).read_to_string(&mut text).unwrap();
    Some(text)
}

#[test]
fn the_log_comes_with_the_letter_when_it_is_wanted() {
    for (when, with_success, with_failure) in
        [("always", true, true), ("on-failure", false, true), ("never", false, false)]
    {
        let sandbox = with_copy(&format!("[report]\nattach-log = \"{when}\""));
        sandbox.write("source/two\nlines", "hello");
        sandbox.run(&["run", "docs"]).expect(0);
        make_fail(&sandbox, "bad");
        sandbox.run(&["run", "docs"]).expect(1);
        let letters = sandbox.letters();
        let found = [attached(&letters[0]), attached(&letters[1])];
        assert_eq!([found[0].is_some(), found[1].is_some()], [with_success, with_failure], "{when}");
        let history = sandbox.history();
        for (log, run) in found.iter().zip(history.iter().rev()) {
            let Some(log) = log else { continue };
            let shown = sandbox.run(&["log", run["id"].as_str().unwrap(), "--json"]).expect(0).stdout;
            let shown: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let field = |line: &str, n: usize| line.splitn(4, '\t').nth(n).unwrap_or_default().to_owned();
            let expected = log.lines().map(|line| [0, 1, 2, 3].map(|n| field(line, n)));
            let shown = shown.iter().map(|line| {
                ["op", "bytes", "path", "note"].map(|key| match &line[key] {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                })
            });
            assert!(shown.eq(expected) && !log.is_empty(), "{when}: {log}");
        }
        // The report that is shown later is the letter that was mailed, attachment and all.
        let id = history[0]["id"].as_str().unwrap();
        let raw = sandbox.run(&["report", id, "--raw"]).expect(0).stdout;
        assert_eq!(attached(raw.as_bytes()), found[1]);
    }
}

#[test]
fn times_are_told_in_the_zone_of_the_reader() {
    let sandbox = with_copy("");
    for (zone, name, offset) in [("Asia/Kathmandu", "+0545", 20_700), ("UTC", "UTC", 0)] {
        sandbox.write("config/postkeep.toml", &format!("[report]\ntime-zone = \"{zone}\"\n"));
        sandbox.profile("docs", &format!("mode = \"copy\"\nexclude = [\"{offset}\"]"));
        sandbox.run(&["run", "docs"]).expect(0);
        let letters = sandbox.letters();
        let letter = parsed(letters.last().unwrap());
        let date = letter.date().unwrap();
        let seconds = i64::from(date.tz_hour) * 3600 + i64::from(date.tz_minute) * 60;
        assert_eq!(seconds, offset, "{zone}");
        let started: Timestamp = sandbox.history()[0]["started"].as_str().unwrap().parse().unwrap();
        let shown =
            started.to_zoned(TimeZone::get(zone).unwrap()).strftime("%a %-d %b %Y %H:%M %Z").to_string();
        assert!(shown.ends_with(name), "{shown}");
        assert!(text(letters.last().unwrap()).contains(&format!("Started  {shown}\n")), "{shown}");
    }
}

//! The user's commands around a run, its timeout, and the address that hears of its beginning and end.

use std::path::Path;
use std::time::{Duration, Instant};

use postkeep::agent::{Agent, Order};
use postkeep::clock::System;
use postkeep::profile::{Env, load};
use postkeep::progress::{Meter, Reason, Silent};
use postkeep::run::{Status, Trigger};
use rustix::process::{Pid, Signal, kill_process};

use crate::common::{Ran, Sandbox, web};

/// A sandbox whose profile `docs` has a file to copy, and these lines more. `OUT` in them is a file of the sandbox.
fn with(more: &str) -> Sandbox {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "hello");
    let out = sandbox.path("out").display().to_string();
    sandbox.profile("docs", &format!("mode = \"mirror\"\n{}", more.replace("OUT", &out)));
    sandbox
}

/// The newest run's log, its report, and what `history` says of it.
fn told(sandbox: &Sandbox) -> (String, String, serde_json::Value) {
    let row = sandbox.history().remove(0);
    let id = row["id"].as_str().unwrap().to_owned();
    let text = |args: &[&str]| sandbox.run(args).expect(0).stdout;
    (text(&["log", &id]), text(&["report", &id]), row)
}

/// A command that adds its environment to OUT, the names that matter, after a word.
fn environment(word: &str) -> String {
    format!("echo {word} >> OUT; env | grep -E '^(PROFILE|ERROR|POSTKEEP)_?' | sort >> OUT")
}

/// A line of a log: the word, the command's kind, what it said.
#[track_caller]
fn has_line(log: &str, op: &str, kind: &str, said: &str) {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = words(&format!("{op} ({kind}) ({said})"));
    assert!(log.lines().any(|line| words(line) == wanted), "{wanted:?} is not in\n{log}");
}

#[test]
fn commands_go_in_order_and_know_the_run() {
    let sandbox = with(&format!(
        "run-before = [\"test ! -e '{target}'; echo one >> OUT\", \"{two}\"]\n\
         run-after = \"cat '{target}/a' >> OUT; echo >> OUT; {after}\"\n\
         run-failed = \"echo never >> OUT\"\nrun-finally = \"echo finally >> OUT; echo over >&2\"",
        target = "TARGET",
        two = environment("two"),
        after = environment("after"),
    ));
    let target = sandbox.path("target").display().to_string();
    let profile = sandbox.read("config/profiles/docs.toml").replace("TARGET", &target);
    sandbox.write("config/profiles/docs.toml", &profile);
    // postkeep may itself be run by such a command of another program.
    let mut command = sandbox.command(&["run", "docs"]);
    command.env("ERROR_MESSAGE", "of another").env("POSTKEEP_STATUS", "failed");
    Ran::from(command.output().unwrap()).expect(0);
    let (log, _, row) = told(&sandbox);
    let of_run = |status: &str| {
        format!(
            "POSTKEEP_CONFIG={}\nPOSTKEEP_RUN={}\nPOSTKEEP_SOURCE={}\nPOSTKEEP_STATE={}\n{status}\
             POSTKEEP_TARGET={target}\nPOSTKEEP_TRIGGER=manual\nPROFILE_COMMAND=run\nPROFILE_NAME=docs\n",
            sandbox.path("config").display(),
            row["id"].as_str().unwrap(),
            sandbox.path("source").display(),
            sandbox.path("state").display(),
        )
    };
    let expected =
        format!("one\ntwo\n{}hello\nafter\n{}finally\n", of_run(""), of_run("POSTKEEP_STATUS=ok\n"));
    assert_eq!(sandbox.read("out"), expected);
    has_line(&log, "hook", "run-finally", "over");
    has_line(
        &log,
        "hook",
        "run-finally",
        "$ echo finally >> OUT; echo over >&2"
            .replace("OUT", &sandbox.path("out").display().to_string())
            .as_str(),
    );
    assert!(log.find("(run-before)").unwrap() < log.find("created").unwrap(), "{log}");
}

#[test]
fn one_that_fails_before_keeps_the_run_from_working() {
    let sandbox = with(&format!(
        "run-before = [\"echo 'no\\tdisk here'; echo really >&2; exit 7\", \"echo never >> OUT\"]\n\
         run-after = \"echo never >> OUT\"\nrun-failed = \"{}\"\nrun-finally = \"{}\"",
        environment("failed"),
        environment("finally")
    ));
    let ran = sandbox.run(&["run", "docs"]).expect(1);
    let said = "run-before failed: exit status 7: no\\tdisk here / really";
    assert!(ran.stdout.contains(said), "{}", ran.stdout);
    assert!(ran.stdout.contains("hint: look at the command of run-before: echo 'no"), "{}", ran.stdout);
    assert!(!sandbox.path("target").exists());
    let out = sandbox.read("out");
    assert!(out.starts_with("failed\n") && out.contains("\nfinally\n") && !out.contains("never"), "{out}");
    for line in [
        format!("ERROR={said}"),
        format!("ERROR_MESSAGE={said}"),
        "ERROR_EXIT_CODE=1".into(),
        "ERROR_COMMANDLINE=echo 'no\tdisk here'; echo really >&2; exit 7".into(),
        "ERROR_STDERR=no\\tdisk here / really".into(),
        "POSTKEEP_STATUS=failed".into(),
    ] {
        assert_eq!(out.lines().filter(|found| **found == line).count(), 2, "{line}\n{out}");
    }
    let (log, report, row) = told(&sandbox);
    assert_eq!(row["status"], "failed");
    has_line(&log, "hook", "run-before", "no\\tdisk here");
    has_line(&log, "failed", "run-before", "exit status 7: no\\tdisk here / really");
    assert!(report.contains("run-before failed: exit status 7"), "{report}");
    // Neither is a command that cannot be found, nor one that was killed, a success.
    for (command, said) in [("/nonexistent/x", "exit status 127"), ("kill -9 $$", "killed by signal 9")] {
        let sandbox = with(&format!("run-before = \"{command}\""));
        let ran = sandbox.run(&["run", "docs"]).expect(1);
        assert!(ran.stdout.contains(&format!("run-before failed: {said}")), "{}", ran.stdout);
    }
}

#[test]
fn one_that_fails_afterwards_is_a_warning() {
    let sandbox = with(&format!(
        "run-after = [\"echo oh no; exit 3\", \"echo never >> OUT\"]\nrun-failed = \"echo never >> OUT\"\n\
         run-finally = [\"false\", \"{}\"]",
        environment("finally")
    ));
    let ran = sandbox.run(&["run", "docs"]).expect(3);
    assert!(ran.stdout.contains("(run-after): the command failed: exit status 3: oh no"), "{}", ran.stdout);
    assert_eq!(sandbox.read("target/a"), "hello");
    let out = sandbox.read("out");
    assert!(out.starts_with("finally\n") && !out.contains("never"), "{out}");
    for line in ["ERROR_MESSAGE=run-after failed: exit status 3: oh no", "ERROR_EXIT_CODE=3"] {
        assert!(out.lines().any(|found| found == line), "{line}\n{out}");
    }
    let (log, report, row) = told(&sandbox);
    assert_eq!((&row["status"], &row["outcome"]["warnings"]), (&"warning".into(), &2.into()), "{row}");
    has_line(&log, "warning", "run-after", "exit status 3: oh no");
    has_line(&log, "warning", "run-finally", "exit status 1");
    assert!(report.contains("the command failed: exit status 3: oh no"), "{report}");
}

#[test]
fn a_failure_stays_one_whatever_its_commands_do() {
    let sandbox =
        with(&format!("run-failed = \"{}; exit 1\"\nrun-finally = \"exit 1\"", environment("failed")));
    sandbox.run(&["run", "docs"]).expect(3);
    std::fs::remove_file(sandbox.path("source/a")).unwrap();
    let ran = sandbox.run(&["run", "docs"]).expect(4);
    assert!(ran.stdout.contains("(run-failed): the command failed: exit status 1"), "{}", ran.stdout);
    let out = sandbox.read("out");
    for line in ["ERROR_EXIT_CODE=4", "ERROR_COMMANDLINE=postkeep run docs", "POSTKEEP_STATUS=stopped"] {
        assert!(out.lines().any(|found| found == line), "{line}\n{out}");
    }
    assert!(
        out.contains("is empty; the last run saw 1 entry there\n") && !out.contains("ERROR_STDERR"),
        "{out}"
    );
}

#[test]
fn a_run_ends_when_its_timeout_has_passed_and_the_next_one_runs() {
    let sandbox = with("timeout = \"1s\"\nrun-before = \"sleep 61\"\nrun-finally = \"echo $ERROR > OUT\"");
    sandbox.write("other/source/b", "x");
    sandbox.write(
        "config/profiles/later.toml",
        "kind = \"sync\"\nmode = \"copy\"\nsource = \"../other/source\"\ntarget = \"../other/target\"\n",
    );
    let started = Instant::now();
    let ran = sandbox.run(&["run", "--all"]).expect(1);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert!(ran.stdout.contains("docs: failed"), "{}", ran.stdout);
    assert!(ran.stdout.contains("the run was stopped after its timeout of 1s"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("hint: raise `timeout`") && ran.stdout.contains("sleep 61"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("later: ok"), "{}", ran.stdout);
    assert_eq!(sandbox.read("out"), "the run was stopped after its timeout of 1s\n");
    assert!(!sandbox.path("target").exists());
}

#[test]
fn a_command_after_the_work_that_hangs_leaves_a_warning() {
    let sandbox =
        with("timeout = \"1s\"\nrun-after = \"echo wait; sleep 61\"\nrun-finally = \"echo end >> OUT\"");
    let ran = sandbox.run(&["run", "docs"]).expect(3);
    assert!(ran.stdout.contains("it was stopped when the run's timeout had passed: wait"), "{}", ran.stdout);
    assert_eq!((sandbox.read("target/a").as_str(), sandbox.read("out").as_str()), ("hello", "end\n"));
}

#[test]
fn what_a_command_leaves_behind_holds_nothing_up() {
    let sandbox = with("run-before = \"sleep 62 & echo $! > OUT; echo started\"");
    let started = Instant::now();
    sandbox.run(&["run", "docs"]).expect(0);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    has_line(&told(&sandbox).0, "hook", "run-before", "started");
    let pid = sandbox.read("out").trim().to_owned();
    assert!(Path::new("/proc").join(&pid).exists(), "it was told to stay");
    kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
}

/// Runs `docs`, and asks it to stop as soon as the file `out` is there.
fn interrupted(sandbox: &Sandbox) -> (Ran, Duration) {
    let mut command = sandbox.command(&["run", "docs"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    while !sandbox.path("out").exists() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(10));
    }
    let asked = Instant::now();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    (ran, asked.elapsed())
}

#[test]
fn a_person_stops_a_run_at_its_first_command() {
    let sandbox = with(
        "run-before = \"trap 'echo tidied >> OUT; exit' TERM; echo > OUT; while :; do sleep 0.1; done\"\n\
         run-failed = \"echo failed $ERROR_EXIT_CODE >> OUT\"\nrun-finally = \"echo finally >> OUT\"",
    );
    let (ran, took) = interrupted(&sandbox);
    let ran = ran.expect(130);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(sandbox.read("out"), "\ntidied\nfailed 130\nfinally\n");
    assert!(ran.stdout.contains("docs: cancelled"), "{}", ran.stdout);
    assert!(!sandbox.path("target").exists());
    let (_, report, row) = told(&sandbox);
    assert!(row["status"] == "cancelled" && report.contains("stopped by hand"), "{report}");
}

#[test]
fn commands_that_will_not_end_hold_a_stop_up_for_less_than_ten_seconds() {
    let stubborn = "trap '' TERM; while :; do sleep 0.1; done";
    let sandbox = with(&format!(
        "run-before = \"echo > OUT; {stubborn}\"\nrun-failed = \"echo failed >> OUT; {stubborn}\"\n\
         run-finally = \"echo finally >> OUT; {stubborn}\""
    ));
    let (ran, took) = interrupted(&sandbox);
    let ran = ran.expect(130);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(sandbox.read("out"), "\nfailed\nfinally\n");
    assert!(
        ran.stdout.contains("(run-failed): the command failed: it was stopped by hand"),
        "{}",
        ran.stdout
    );
}

#[test]
fn the_end_of_the_agent_interrupts_a_run_and_says_so() {
    let sandbox = with(
        "run-before = \"echo > OUT; sleep 61\"\nrun-failed = \"echo $POSTKEEP_TRIGGER $ERROR >> OUT\"\n\
         run-finally = \"echo $POSTKEEP_STATUS >> OUT\"",
    );
    let var = |_: &str| None;
    let env = Env { home: None, cwd: sandbox.path(""), var: &var };
    let config = load(&sandbox.path("config"), &env).config;
    let agent = Agent::open(&sandbox.path("state"), &config, &System).unwrap();
    let meter = Meter::default();
    let run = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !sandbox.path("out").exists() {
                std::thread::sleep(Duration::from_millis(10));
            }
            meter.cancel(Reason::Shutdown);
        });
        agent.run(&config.profiles[0], Trigger::Schedule, &Order::default(), &meter, &Silent).unwrap().run
    });
    let error = run.outcome.error.unwrap();
    assert_eq!((run.outcome.status, error.text.as_str()), (Status::Interrupted, "the agent was stopped"));
    assert_eq!(error.hints, ["it runs again when the agent is back"]);
    assert_eq!(sandbox.read("out"), "\nschedule the agent was stopped\ninterrupted\n");
    let report = told(&sandbox).1;
    assert!(report.contains(": the agent was stopped.") && !report.contains("Run it again"), "{report}");
    assert!(!report.contains("without a word"), "{report}");
}

/// The requests to an address, as `METHOD PATH?QUERY` without the run's id, and what they carried.
fn requests(heard: Vec<String>) -> Vec<(String, String)> {
    let one = |request: String| {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
        let (line, id) = line.split_once("rid=").unwrap();
        assert_eq!((id.len(), id.matches('-').count()), (36, 4), "{id}");
        (line.to_owned(), body.to_owned())
    };
    heard.into_iter().map(one).collect()
}

#[test]
fn an_address_hears_of_the_beginning_and_the_end() {
    let (port, heard) = web(&["200 OK"; 4]);
    let ping = format!("ping = \"http://127.0.0.1:{port}/s3cret?a=b\"");
    let sandbox = with(&ping);
    sandbox.run(&["run", "docs"]).expect(0);
    std::fs::remove_dir_all(sandbox.path("source")).unwrap();
    let ran = sandbox.run(&["run", "docs"]).expect(1);
    assert_eq!(ran.stderr, "");
    let heard = requests(heard.join().unwrap());
    let lines: Vec<_> = heard.iter().map(|(line, _)| line.as_str()).collect();
    let (start, end, fail) = ("POST /s3cret/start?a=b&", "POST /s3cret?a=b&", "POST /s3cret/fail?a=b&");
    assert_eq!(lines, [start, end, start, fail]);
    assert!(heard[0].1.is_empty() && heard[2].1.is_empty(), "{heard:?}");
    assert!(heard[1].1.starts_with("[OK] docs on ") && heard[1].1.contains("OK after"), "{}", heard[1].1);
    assert!(heard[1].1.lines().count() < 6, "{}", heard[1].1);
    assert!(heard[3].1.starts_with("FAILED after") && heard[3].1.contains("What to do"), "{}", heard[3].1);
}

#[test]
fn an_address_that_fails_is_asked_again_and_changes_no_run() {
    let (port, heard) = web(&["200 OK", "500 Oh", "503 No", "200 OK"]);
    let sandbox = with(&format!("ping = \"http://127.0.0.1:{port}/s3cret\""));
    assert_eq!(sandbox.run(&["run", "docs"]).expect(0).stderr, "");
    let heard = requests(heard.join().unwrap());
    let end = "POST /s3cret?";
    assert_eq!(heard.iter().map(|(line, _)| line.as_str()).collect::<Vec<_>>()[1..], [end; 3]);

    // What will not change is not asked twice.
    let (port, heard) = web(&["404 Not Found", "404 Not Found"]);
    let sandbox = with(&format!("ping = \"http://127.0.0.1:{port}/s3cret\""));
    let ran = sandbox.run(&["run", "docs"]).expect(0);
    let host = format!("127.0.0.1:{port}");
    let said = format!("docs: {host} was not told of the end of the run: it answered with HTTP status 404\n");
    assert_eq!(ran.stderr, said);
    heard.join().unwrap();
    // Nobody listens there any more.
    let ran = sandbox.run(&["run", "docs"]).expect(0);
    assert!(ran.stderr.contains("it cannot be reached") && !ran.stderr.contains("s3cret"), "{}", ran.stderr);
}

//! What the agent does while all is well.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::{Agent, runs, status_of, subject, subjects, text, until};
use crate::common::{Sandbox, judge, web};

#[test]
fn what_is_due_runs_each_time_once_and_a_second_agent_is_refused() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    sandbox.profile("docs", "mode = \"mirror\"\nschedule = \"* * * * *\"");
    let agent = Agent::start(&sandbox, 120);
    until("five runs", || runs(&sandbox).len() >= 5);
    let refused = sandbox.run(&["agent"]).expect(11);
    assert!(refused.stderr.contains("an agent is at work already"), "{}", refused.stderr);
    let (status, _) = agent.stop();
    assert_eq!(status.code(), Some(0));
    let minutes: Vec<_> =
        runs(&sandbox).iter().map(|run| run["started"].as_str().unwrap()[..16].to_owned()).collect();
    assert!(minutes.windows(2).all(|pair| pair[0] < pair[1]), "{minutes:?}");
    assert!(runs(&sandbox).iter().all(|run| run["trigger"] == "schedule"));
    // The first did something, the others found nothing to do: that is no news.
    let told = subjects(&sandbox);
    assert_eq!(told.iter().filter(|subject| !subject.contains("INTERRUPTED")).count(), 1, "{told:?}");
    let report = text(&sandbox.letters()[0]);
    assert!(report.contains("Started by") && report.contains("its schedule"), "{report}");
    assert!(report.contains("Next run"), "{report}");
    assert!(!sandbox.path("state/agent.sock").exists());
}

#[test]
fn what_was_missed_is_caught_up_by_one_run() {
    let sandbox = Sandbox::with_mirror();
    sandbox.profile("docs", "mode = \"mirror\"\nschedule = \"0 * * * *\"\ngrace = \"1s\"");
    let agent = Agent::start(&sandbox, 3_600);
    until("a run", || !runs(&sandbox).is_empty());
    agent.stop();
    let before = runs(&sandbox).len();
    // More than five hours of its time pass.
    std::thread::sleep(std::time::Duration::from_secs(6));
    let agent = Agent::start(&sandbox, 3_600);
    until("the run that catches up", || runs(&sandbox).len() > before);
    agent.stop();
    let runs = runs(&sandbox);
    // The first that catches up: it may have been a due time's turn first.
    let caught_up =
        runs[before..].iter().find(|run| run["outcome"]["notes"][0].is_string()).unwrap_or(&runs[before]);
    assert_eq!(status_of(caught_up), ("catch-up", "unchanged"));
    let note = caught_up["outcome"]["notes"][0].as_str().unwrap();
    assert!(note.starts_with("this run stands for ") && note.contains("due times"), "{note}");
}

#[test]
fn edits_are_taken_up_and_a_broken_one_is_mailed_and_changes_nothing() {
    let sandbox = Sandbox::with_mirror();
    sandbox.profile("docs", "mode = \"mirror\"\nschedule = \"* * * * *\"");
    let agent = Agent::start(&sandbox, 60);
    sandbox.profile("docs", "mode = \"mirror\"\nschdule = \"* * * * *\"");
    until("the problem is known", || agent.status()["problems"].as_array().unwrap().len() == 1);
    assert_eq!(agent.status()["kept"], json!(["docs"]));
    let before = runs(&sandbox).len();
    until("it goes on with the last good version", || runs(&sandbox).len() > before + 1);
    until("the letter", || {
        subjects(&sandbox).iter().any(|subject| subject.starts_with("[CONFIG 1 problem]"))
    });
    let letters = sandbox.letters();
    let letter = letters.iter().find(|letter| subject(letter).starts_with("[CONFIG")).unwrap();
    assert!(text(letter).contains("did you mean \"schedule\"?"), "{}", text(letter));
    // Another profile is added, and the broken one mended: SIGHUP is enough.
    sandbox.profile("more", "mode = \"copy\"\nevery = \"1m\"");
    let more = sandbox.read("config/profiles/more.toml").replace("/target", "/more");
    sandbox.write("config/profiles/more.toml", &more);
    sandbox.profile("docs", "mode = \"mirror\"\nschedule = \"* * * * *\"");
    agent.signal(rustix::process::Signal::HUP);
    until("the new profile runs", || runs(&sandbox).iter().any(|run| run["profile"] == "more"));
    assert_eq!(agent.status()["problems"], json!([]));
    agent.stop();
    let told = subjects(&sandbox).iter().filter(|subject| subject.starts_with("[CONFIG")).count();
    assert_eq!(told, 1, "the same problem is told once");
}

#[test]
fn a_failure_is_tried_again_and_told_once() {
    let sandbox = Sandbox::with_mirror();
    fs::remove_dir(sandbox.path("source")).unwrap();
    sandbox
        .profile("docs", "mode = \"mirror\"\nschedule = \"0 * * * *\"\nretry = { times = 2, wait = \"2m\" }");
    let agent = Agent::start(&sandbox, 1_200);
    until("three tries", || runs(&sandbox).len() >= 3);
    until("the letter", || !sandbox.letters().is_empty());
    agent.stop();
    let tries: Vec<_> =
        runs(&sandbox).iter().take(3).map(|run| run["trigger"].as_str().unwrap().to_owned()).collect();
    assert_eq!(tries, ["schedule", "retry", "retry"]);
    let letters = sandbox.letters();
    assert_eq!(letters.len(), 1, "{:?}", subjects(&sandbox));
    assert!(text(&letters[0]).contains("this was try 3; those before it failed"), "{}", text(&letters[0]));
    // It is the failure of one run, tried three times.
    assert!(!text(&letters[0]).contains("in a row"), "{}", text(&letters[0]));
}

#[test]
fn a_condition_that_is_not_met_skips_quietly() {
    let sandbox = Sandbox::with_mirror();
    let mounted = sandbox.path("target");
    let keys =
        format!("mode = \"mirror\"\nschedule = \"*/5 * * * *\"\nonly-if = {{ mounted = {mounted:?} }}");
    sandbox.profile("docs", &keys);
    let agent = Agent::start(&sandbox, 3_600);
    let skipped = || {
        let sql = "SELECT skipped_reason FROM schedule";
        let conn = rusqlite::Connection::open(sandbox.path("state/state.db")).unwrap();
        conn.query_row(sql, [], |row| row.get::<_, Option<String>>(0)).unwrap()
    };
    until("it is skipped", || skipped().is_some());
    assert!(skipped().unwrap().starts_with("nothing is mounted at "));
    // Hours of its time: nobody is bothered.
    std::thread::sleep(std::time::Duration::from_secs(3));
    agent.ask(&json!({ "run": ["docs"] })).unwrap();
    until("a person's wish goes anyway", || runs(&sandbox).len() == 1);
    agent.stop();
    assert_eq!(status_of(&runs(&sandbox)[0]).0, "manual");
    assert!(
        subjects(&sandbox).iter().all(|subject| !subject.contains("OVERDUE")),
        "{:?}",
        subjects(&sandbox)
    );
}

#[test]
fn successes_wait_for_the_digest() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write(
        "config/postkeep.toml",
        "[report]\nto = \"ann@example.org\"\ndigest = \"*/30 * * * *\"\ntime-zone = \"Europe/Berlin\"\n",
    );
    sandbox.profile("docs", "mode = \"mirror\"\nschedule = \"*/5 * * * *\"");
    let agent = Agent::start(&sandbox, 1_200);
    let digests = || subjects(&sandbox).iter().filter(|subject| subject.contains("backup digest")).count();
    until("two digests", || {
        sandbox.write("source/a", &format!("{:?}", std::time::Instant::now()));
        digests() >= 2
    });
    agent.stop();
    let letters = sandbox.letters();
    let digest = letters.iter().rfind(|letter| subject(letter).contains("backup digest")).unwrap();
    assert!(subject(digest).starts_with("[1 OK] backup digest of "), "{}", subject(digest));
    assert!(text(digest).contains("docs"), "{}", text(digest));
    // The first success of a profile is always told, the others wait.
    // And the end of the agent may have cut one short.
    let others = subjects(&sandbox);
    let others =
        others.iter().filter(|subject| !subject.contains("digest") && !subject.contains("INTERRUPTED"));
    assert_eq!(others.count(), 1, "{:?}", subjects(&sandbox));
    if let Some(judge) = judge("mailcheck.py") {
        for (number, letter) in letters.iter().enumerate() {
            let file = sandbox.path(&format!("{number}.eml"));
            // A Maildir has bare lines; on the wire they end as the standard says.
            fs::write(&file, String::from_utf8(letter.clone()).unwrap().replace('\n', "\r\n")).unwrap();
            let checked = std::process::Command::new("python3").arg(&judge).arg(&file).output().unwrap();
            let said = String::from_utf8_lossy(&checked.stdout).into_owned();
            assert!(checked.status.success(), "{}: {said}", subject(letter));
        }
    }
}

#[test]
fn monitors_and_a_webhook_beside_the_mail_hear_of_it() {
    let (port, heard) = web(&["503 Try later", "200 OK"]);
    let sandbox = Sandbox::with_mirror();
    let (prometheus, status) = (sandbox.path("metrics.prom"), sandbox.path("status.json"));
    sandbox.write(
        "config/postkeep.toml",
        &format!(
            "[report]\nto = \"ann@example.org\"\nwebhook = \"http://127.0.0.1:{port}/t0ken\"\n\
             [agent]\nprometheus-file = {prometheus:?}\nstatus-file = {status:?}\n"
        ),
    );
    sandbox.write("source/a", "x");
    sandbox.profile("docs", "mode = \"mirror\"\non-start = true");
    let agent = Agent::start(&sandbox, 60);
    // The mail does not wait for the webhook, which is tried again.
    until("the letter", || subjects(&sandbox).len() == 1);
    let heard = heard.join().unwrap();
    let body: serde_json::Value = serde_json::from_str(heard[1].split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((body["profile"].as_str(), body["status"].as_str()), (Some("docs"), Some("ok")));
    until("the outbox is empty", || sandbox.run(&["outbox"]).stdout == "the outbox is empty\n");
    let metric = |name: &str| {
        let text = fs::read_to_string(&prometheus).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| line.rsplit(' ').next().map(str::to_owned))
    };
    until("the run is in the metrics", || {
        metric("postkeep_profile_last_run_status{profile=\"docs\",status=\"ok\"}").as_deref() == Some("1")
    });
    assert_eq!(metric("postkeep_profile_last_run_errors{profile=\"docs\"}").as_deref(), Some("0"));
    assert_eq!(metric("postkeep_profile_overdue{profile=\"docs\"}").as_deref(), Some("0"));
    until("the run is in the status", || {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let status: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        status["profiles"][0]["last-run"]["status"] == "ok"
    });
    for file in [&prometheus, &status] {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o644);
    }
    agent.stop();
    assert!(!sandbox.read("agent.out").contains("t0ken"));
}

#[test]
fn a_new_version_is_taken_up_when_nothing_runs() {
    let sandbox = Sandbox::with_mirror();
    sandbox.profile("docs", "mode = \"mirror\"\nschedule = \"*/5 * * * *\"");
    let program = sandbox.path("postkeep");
    fs::copy(env!("CARGO_BIN_EXE_postkeep"), &program).unwrap();
    let words = Agent::words(&sandbox, 60);
    let plain = sandbox.command(&[]);
    let mut command = std::process::Command::new(&program);
    command.args(words).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let agent = Agent::of(&sandbox, command);
    let replace = |with: &dyn Fn(&std::path::Path)| {
        let new = sandbox.path("postkeep.new");
        with(&new);
        fs::rename(&new, &program).unwrap();
    };
    // What is no postkeep is not taken up.
    replace(&|new| {
        fs::write(new, "#!/bin/sh\necho something else\n").unwrap();
        fs::set_permissions(new, fs::Permissions::from_mode(0o755)).unwrap();
    });
    until("it is refused", || sandbox.read("agent.out").contains("by something that is no postkeep"));
    replace(&|new| {
        fs::copy(env!("CARGO_BIN_EXE_postkeep"), new).unwrap();
    });
    let starts =
        || sandbox.read("state/agent.log").matches(&format!("starts, pid {}", agent.child.id())).count();
    until("it starts anew", || starts() == 2);
    until("it answers", || agent.ask(&json!("status")).is_some());
    let (status, _) = agent.stop();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_run_longer_than_its_period_is_no_silence_and_the_next_follows_at_once() {
    let sandbox = Sandbox::with_mirror();
    // Half a minute of real time is an hour and a half of the agent's.
    sandbox.profile(
        "docs",
        "mode = \"mirror\"\nschedule = \"* * * * *\"\nrun-before = \"sleep 3\"\ntimeout = false",
    );
    let agent = Agent::start(&sandbox, 120);
    until("three runs", || runs(&sandbox).len() >= 3);
    agent.stop();
    assert!(
        subjects(&sandbox).iter().all(|subject| !subject.contains("OVERDUE")),
        "{:?}",
        subjects(&sandbox)
    );
    let runs = runs(&sandbox);
    let time =
        |run: &serde_json::Value, key: &str| run[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    for pair in runs.windows(2) {
        let between = time(&pair[1], "started").duration_since(time(&pair[0], "ended"));
        assert!(between < jiff::SignedDuration::from_mins(1), "{between:?}");
    }
}

#[test]
fn a_digest_whose_hour_the_machine_was_off_comes_when_it_is_on_again() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("config/postkeep.toml", "[report]\nto = \"ann@example.org\"\ndigest = \"0 */12 * * *\"\n");
    sandbox.profile("docs", "mode = \"mirror\"\nevery = \"1h\"");
    // A minute of its time and it is off, for more than half a day.
    Agent::start(&sandbox, 3_600).stop();
    std::thread::sleep(std::time::Duration::from_secs(13));
    let agent = Agent::start(&sandbox, 3_600);
    until("the digest", || subjects(&sandbox).iter().any(|subject| subject.contains("backup digest")));
    agent.stop();
}

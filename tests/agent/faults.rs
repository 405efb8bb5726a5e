//! Ends, kills and silence.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use super::{Agent, runs, status_of, subject, subjects, text, until};
use crate::common::Sandbox;

fn busy() -> Sandbox {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    // The first run takes long, the others do not.
    let flag = sandbox.path("second");
    let hook = format!("test -e {0} || {{ touch {0}; sleep 300; }}", flag.display());
    sandbox.profile("docs", &format!("mode = \"mirror\"\nschedule = \"* * * * *\"\nrun-before = {hook:?}"));
    sandbox
}

#[test]
fn the_end_of_the_agent_ends_runs_in_good_order_and_they_are_made_up_for() {
    let sandbox = busy();
    let agent = Agent::start(&sandbox, 600);
    until("a run is at work", || agent.status()["at-work"][0]["profile"] == "docs");
    until("its command is at work", || sandbox.path("second").exists());
    let (status, took) = agent.stop();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(status_of(&runs(&sandbox)[0]), ("schedule", "interrupted"));
    // The letter went out before the end.
    let letter = &sandbox.letters()[0];
    assert!(subject(letter).starts_with("[INTERRUPTED] docs on "), "{}", subject(letter));
    assert!(text(letter).contains("the agent was stopped"), "{}", text(letter));
    // Yearly now: only that it was cut short makes it run soon.
    let yearly = sandbox.read("config/profiles/docs.toml").replace("* * * * *", "0 0 1 1 *");
    sandbox.write("config/profiles/docs.toml", &yearly);
    let agent = Agent::start(&sandbox, 600);
    until("the recovery is told", || subjects(&sandbox).len() == 2);
    agent.stop();
    assert_eq!(status_of(&runs(&sandbox)[1]), ("catch-up", "ok"));
    assert!(subjects(&sandbox)[1].starts_with("[OK recovered after 1 run] docs"), "{:?}", subjects(&sandbox));
}

#[test]
fn a_run_that_is_killed_with_the_agent_is_told_and_run_again() {
    let sandbox = busy();
    let agent = Agent::start(&sandbox, 600);
    until("its command is at work", || sandbox.path("second").exists());
    agent.kill();
    assert_eq!(sandbox.history()[0]["status"], "interrupted");
    // Yearly now: only that it was cut off makes it run soon.
    let text = sandbox.read("config/profiles/docs.toml");
    sandbox.write("config/profiles/docs.toml", &text.replace("* * * * *", "0 0 1 1 *"));
    let agent = Agent::start(&sandbox, 600);
    until("it is run again", || runs(&sandbox).len() == 2);
    agent.stop();
    assert_eq!(status_of(&runs(&sandbox)[1]), ("catch-up", "ok"));
    assert!(subjects(&sandbox)[0].starts_with("[INTERRUPTED]"), "{:?}", subjects(&sandbox));
}

#[test]
fn silence_is_told_with_its_reason_and_its_end_too() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    sandbox.profile("docs", "mode = \"mirror\"\nschedule = \"*/10 * * * *\"\ngrace = \"2m\"");
    // A run by hand that writes into the source, for hours.
    let feed = format!(
        "kind = \"sync\"\nsource = {:?}\ntarget = {:?}\nmode = \"copy\"\nrun-before = \"touch {}; sleep 300\"\n",
        sandbox.path("feed"),
        sandbox.path("source"),
        sandbox.path("begun").display()
    );
    sandbox.write("config/profiles/feed.toml", &feed);
    fs::create_dir(sandbox.path("feed")).unwrap();
    let mut holder = sandbox.command(&["run", "feed"]);
    let mut holder = holder.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("it is at work", || sandbox.path("begun").exists());
    let agent = Agent::start(&sandbox, 600);
    until("the alarm", || !sandbox.letters().is_empty());
    let letter = &sandbox.letters()[0];
    assert!(subject(letter).starts_with("[OVERDUE] docs on "), "{}", subject(letter));
    assert!(text(letter).contains("is in use: profile feed writes"), "{}", text(letter));
    assert_eq!(agent.status()["waiting"][0]["profile"], "docs");
    // An hour of its time: told once.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(subjects(&sandbox).len(), 1);
    // Ctrl-C, so that the command that it runs ends too.
    let pid = rustix::process::Pid::from_raw(holder.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    holder.wait().unwrap();
    let again = || subjects(&sandbox).iter().any(|subject| subject.starts_with("[OK runs again] docs on "));
    until("it runs again", again);
    agent.stop();
}

#[test]
fn a_run_that_takes_too_long_is_stopped_and_others_go_on() {
    let sandbox = Sandbox::with_mirror();
    sandbox
        .profile("docs", "mode = \"mirror\"\non-start = true\nrun-before = \"sleep 300\"\ntimeout = \"2s\"");
    let agent = Agent::start(&sandbox, 1);
    until("it has failed", || runs(&sandbox).len() == 1);
    agent.stop();
    let run = &runs(&sandbox)[0];
    assert_eq!(status_of(run), ("start", "failed"));
}

#[test]
fn what_others_do_beside_the_agent_is_seen() {
    let sandbox = Sandbox::with_mirror();
    sandbox.profile("docs", "mode = \"mirror\"\nschedule = \"0 0 1 1 *\"");
    let agent = Agent::start(&sandbox, 60);
    // A run by hand that is killed is noticed by the agent, without another run.
    let mut run = sandbox.command(&["run", "docs"]);
    let text = sandbox.read("config/profiles/docs.toml");
    sandbox.write(
        "config/profiles/docs.toml",
        &format!("{text}run-before = \"touch {0}/begun; sleep 300\"\n", sandbox.path("").display()),
    );
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("it is at work", || sandbox.path("begun").exists());
    run.kill().unwrap();
    run.wait().unwrap();
    until("it is told", || subjects(&sandbox).iter().any(|subject| subject.starts_with("[INTERRUPTED]")));
    assert_eq!(
        agent.ask(&json!({ "run": ["dcs"] })).unwrap()["refused"],
        "the agent knows no profile \"dcs\" (did you mean \"docs\"?)"
    );
    agent.stop();
}

#[test]
fn a_series_of_failures_is_told_on_its_first_and_third_day_and_when_it_is_over() {
    let sandbox = Sandbox::with_mirror();
    fs::remove_dir(sandbox.path("source")).unwrap();
    sandbox.profile("docs", "mode = \"mirror\"\nschedule = \"0 */6 * * *\"");
    // A day is five seconds.
    let agent = Agent::start(&sandbox, 17_280);
    until("the third day", || subjects(&sandbox).len() == 2);
    let before = runs(&sandbox).len();
    assert!(before > 9, "{before} runs");
    until("some more", || runs(&sandbox).len() > before + 3);
    assert_eq!(subjects(&sandbox).len(), 2);
    fs::create_dir(sandbox.path("source")).unwrap();
    until("the recovery", || subjects(&sandbox).len() == 3);
    agent.stop();
    let subjects = subjects(&sandbox);
    for (subject, expected) in
        subjects.iter().zip(["[FAILED] docs", "[FAILED, day 3] docs", "[OK recovered after "])
    {
        assert!(subject.starts_with(expected), "{subjects:?}");
    }
}

#[test]
fn a_failure_that_waits_for_its_next_try_is_told_when_the_profile_goes() {
    let sandbox = Sandbox::with_mirror();
    fs::remove_dir(sandbox.path("source")).unwrap();
    sandbox.profile("docs", "mode = \"mirror\"\non-start = true\nretry = { times = 3, wait = \"10h\" }");
    let agent = Agent::start(&sandbox, 60);
    until("it has failed", || runs(&sandbox).len() == 1);
    agent.kill();
    assert!(sandbox.letters().is_empty());
    fs::remove_file(sandbox.path("config/profiles/docs.toml")).unwrap();
    let agent = Agent::start(&sandbox, 60);
    until("it is told", || !sandbox.letters().is_empty());
    agent.stop();
    assert!(subjects(&sandbox)[0].starts_with("[FAILED] docs on "), "{:?}", subjects(&sandbox));
}

#[test]
fn a_webhook_that_does_not_answer_holds_no_mail_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let sandbox = Sandbox::with_mirror();
    let port = silent.local_addr().unwrap().port();
    sandbox.write(
        "config/postkeep.toml",
        &format!(
            "[report]\nto = \"ann@example.org\"\non = [\"unchanged\", \"success\", \"failure\"]\n\
             webhook = \"http://127.0.0.1:{port}/\"\n"
        ),
    );
    sandbox.profile("docs", "mode = \"mirror\"\nschedule = \"* * * * *\"");
    let agent = Agent::start(&sandbox, 60);
    let begun = std::time::Instant::now();
    until("the first letter", || !sandbox.letters().is_empty());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    agent.kill();
}

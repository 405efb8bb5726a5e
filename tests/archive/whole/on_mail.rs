//! New mail that starts a run by itself, with a real server and a real agent.

use std::time::Duration;

use serde_json::Value;

use super::{Archive, PASSWORD, letter, letters};
use crate::agent::{Agent, runs, status_of, until};
use crate::lab::proxy::{Fault, Proxy};
use crate::lab::{self, Lab};

/// So much faster passes an agent's time: six hours, when it would run anyway, are longer than any of these tests.
const PACE: u32 = 20;

/// An archive of an empty mailbox that waits for mail, reached through a proxy.
fn waiting(lab: &Lab, user: &str) -> (Archive, Proxy) {
    let archive = Archive::new(lab, user, "on-mail = true");
    let proxy = Proxy::new(archive.account.port, Fault::Cut, u64::MAX);
    archive.through(proxy.port);
    (archive, proxy)
}

/// Why new mail is not heard of at once; null if it is.
fn polled(agent: &Agent<'_>) -> Value {
    agent.status()["watched"][0]["polled"].clone()
}

/// How many messages were archived.
fn archived(archive: &Archive) -> u64 {
    runs(&archive.sandbox).iter().map(|run| run["outcome"]["counts"]["created"].as_u64().unwrap()).sum()
}

/// Waits until it listens, and until what that brings about is over.
fn until_it_listens(archive: &Archive, agent: &Agent<'_>) {
    until("it listens", || polled(agent).is_null());
    until("the first run", || !runs(&archive.sandbox).is_empty());
    // Twenty seconds of its time: nothing waits to be run.
    std::thread::sleep(Duration::from_secs(1));
    until("nothing runs", || agent.status()["at-work"] == Value::Array(Vec::new()));
}

#[test]
fn mail_is_archived_as_it_comes_also_after_the_connection_broke() {
    let Some(lab) = lab::get() else { return };
    let (archive, proxy) = waiting(lab, "user58");
    archive.append("INBOX", 0, &letters(0..2));
    let agent = Agent::start(&archive.sandbox, PACE);
    until("what was there", || archived(&archive) == 2);
    until_it_listens(&archive, &agent);

    archive.append("INBOX", 2, &[letter(2)]);
    until("what comes", || archived(&archive) == 3);

    proxy.cut();
    archive.append("INBOX", 3, &[letter(3)]);
    until("what came while nobody listened", || archived(&archive) == 4);
    until_it_listens(&archive, &agent);
    archive.append("INBOX", 4, &[letter(4)]);
    until("what comes over the new connection", || archived(&archive) == 5);
    assert!(runs(&archive.sandbox).iter().all(|run| status_of(run).0 == "new-mail"));

    // Another word in the profile, and nobody listens any more.
    let listens = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", agent.child.id())).unwrap();
        let name = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.unwrap().path().join("comm"))
        };
        tasks.filter_map(|task| name(task).ok()).any(|name| name.trim() == "mail box")
    };
    assert!(listens());
    archive.profile("imap:box", "every = \"1d\"");
    until("nobody listens", || !listens());
    assert_eq!(agent.status()["watched"], Value::Array(Vec::new()));
    assert_eq!(agent.stop().0.code(), Some(0));
}

#[test]
fn a_refused_login_is_tried_again_with_another_secret_only() {
    let Some(lab) = lab::get() else { return };
    let (archive, _proxy) = waiting(lab, "user59");
    let before = lab.refused_logins("user59");
    archive.secret("secret", "wrong");
    let agent = Agent::start(&archive.sandbox, PACE);
    until("it is refused", || polled(&agent).as_str().is_some_and(|why| why.contains("another one")));
    // A minute of its time, in which it would be tried some times.
    std::thread::sleep(Duration::from_secs(3));
    // The run, too, may have been on its way.
    let refused = lab.refused_logins("user59") - before;
    assert!((1..=2).contains(&refused), "{refused}");
    archive.secret("secret", PASSWORD);
    until_it_listens(&archive, &agent);
    archive.append("INBOX", 0, &[letter(0)]);
    until("what comes", || archived(&archive) == 1);
    assert_eq!(agent.stop().0.code(), Some(0));
}

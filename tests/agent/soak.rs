//! An hour and more of runs every minute, in a minute: the mail server goes and comes, and the agent is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use mail_parser::MessageParser;

use super::{Agent, runs, until};
use crate::common::{Sandbox, long};
use crate::lab;

/// Hands connections on to a port, as long as it is open.
fn gate(to: u16) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let open = Arc::new(AtomicBool::new(true));
    let is_open = Arc::clone(&open);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if !is_open.load(Relaxed) {
                continue;
            }
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
            for (mut from, mut to) in
                [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
            {
                let is_open = Arc::clone(&is_open);
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(n @ 1..) = from.read(&mut bytes) {
                        // In the middle of whatever is said.
                        if !is_open.load(Relaxed) || to.write_all(&bytes[..n]).is_err() {
                            break;
                        }
                    }
                    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                });
            }
        }
    });
    (port, open)
}

/// A profile whose every run is mailed to `reader`, over a gate.
fn mailed(lab: &lab::Lab, reader: &str, schedule: &str) -> (Sandbox, Arc<AtomicBool>) {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    let (port, open) = gate(lab.implicit);
    let account = lab.account("implicit", &sandbox.path("secret"));
    let account = account.replace(&format!("port = {}", lab.implicit), &format!("port = {port}"));
    let on = "on = [\"success\", \"unchanged\", \"warning\", \"failure\", \"recovery\"]";
    sandbox.write(
        "config/postkeep.toml",
        &format!("{account}[report]\naccount = \"lab\"\nto = [\"{reader}@localhost\"]\n{on}\n"),
    );
    sandbox.profile("docs", &format!("mode = \"mirror\"\nschedule = \"{schedule}\""));
    (sandbox, open)
}

#[test]
fn after_days_without_a_net_everything_arrives_in_order_and_says_that_it_is_late() {
    let Some(lab) = lab::get() else { return };
    let (sandbox, open) = mailed(lab, "user22", "0 */3 * * *");
    open.store(false, Relaxed);
    // Three days are fifteen seconds.
    let agent = Agent::start(&sandbox, 17_280);
    until("three days of runs", || runs(&sandbox).len() >= 24);
    assert!(lab.inbox("user22").is_empty());
    open.store(true, Relaxed);
    until("everything has arrived", || lab.inbox("user22").len() >= 24);
    agent.stop();
    let letters = lab.inbox("user22");
    let parsed: Vec<_> =
        letters.iter().map(|letter| MessageParser::default().parse(letter).unwrap()).collect();
    let ids: Vec<_> = parsed.iter().map(|letter| letter.message_id().unwrap().to_owned()).collect();
    let mut sorted = ids.clone();
    sorted.sort();
    assert_eq!(ids, sorted, "in the order of the runs");
    let late = parsed.iter().filter(|letter| letter.header("X-Postkeep-Delayed").is_some()).count();
    assert!(late >= 20, "{late} of {} say that they are late", parsed.len());
}

#[test]
fn every_run_has_its_report_whatever_happens_to_the_server_and_the_agent() {
    let Some(lab) = lab::get() else { return };
    let (sandbox, open) = mailed(lab, "user21", "* * * * *");
    let (rounds, pace) = if long() { (60, 60) } else { (10, 90) };
    let mut agent = Agent::start(&sandbox, pace);
    for round in 0..rounds {
        std::thread::sleep(Duration::from_millis(1_500 + 137 * (round % 7)));
        match round % 5 {
            1 => open.store(false, Relaxed),
            3 => open.store(true, Relaxed),
            4 => {
                agent.kill();
                agent = Agent::start(&sandbox, pace);
            }
            _ => {}
        }
    }
    open.store(true, Relaxed);
    // No more runs; what waits goes out by itself.
    let text = sandbox.read("config/profiles/docs.toml");
    sandbox.write("config/profiles/docs.toml", &text.replace("* * * * *", "0 0 1 1 *"));
    let begun = Instant::now();
    until("the outbox is empty", || sandbox.run(&["outbox"]).stdout == "the outbox is empty\n");
    let took = begun.elapsed();
    agent.stop();

    let runs = runs(&sandbox);
    let known: BTreeSet<&str> = runs.iter().map(|run| run["id"].as_str().unwrap()).collect();
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        told.clear();
        for letter in lab.inbox("user21") {
            let id = MessageParser::default().parse(&letter).unwrap().message_id().unwrap().to_owned();
            *told.entry(id.split('.').next().unwrap().to_owned()).or_default() += 1;
        }
        if told.len() >= known.len() || Instant::now() > patience {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let missing: Vec<_> = known.iter().filter(|id| !told.contains_key(**id)).collect();
    assert!(missing.is_empty(), "{} of {} runs are not told: {missing:?}", missing.len(), known.len());
    assert!(runs.len() as u64 >= rounds, "{} runs", runs.len());
    // A line that is cut after the server's yes makes a double, of the same letter.
    let doubles: u64 = told.values().map(|count| count - 1).sum();
    assert!(doubles * 4 <= runs.len() as u64, "{doubles} doubles of {}", runs.len());
    eprintln!(
        "{} runs, {} letters, {doubles} doubles; empty {took:?} after the server was back",
        runs.len(),
        told.len()
    );
}

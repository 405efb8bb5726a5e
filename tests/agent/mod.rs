//! The agent, as a process of its own: what it runs, what it tells, and what it survives.

mod faults;
mod soak;
mod storms;
mod work;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use mail_parser::MessageParser;
use serde_json::{Value, json};

use crate::common::Sandbox;

/// An agent at work; killed when it is dropped.
pub struct Agent<'s> {
    pub child: Child,
    sandbox: &'s Sandbox,
}

impl<'s> Agent<'s> {
    /// One whose time passes `pace` times as fast, since a moment that is the same for all agents of a test.
    pub fn start(sandbox: &'s Sandbox, pace: u32) -> Self {
        let words = Self::words(sandbox, pace);
        Self::of(sandbox, sandbox.command(&words.iter().map(String::as_str).collect::<Vec<_>>()))
    }

    /// The arguments of an agent.
    pub fn words(sandbox: &Sandbox, pace: u32) -> Vec<String> {
        let since = sandbox.path("since");
        if !since.exists() {
            sandbox.write("since", &jiff::Timestamp::now().to_string());
        }
        let since = sandbox.read("since");
        ["agent", "--pace", &pace.to_string(), "--pace-since", &since].map(str::to_owned).to_vec()
    }

    /// The one that this command makes.
    pub fn of(sandbox: &'s Sandbox, mut command: Command) -> Self {
        let log = std::fs::File::create(sandbox.path("agent.out")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut agent = Self { child, sandbox };
        let patience = Instant::now() + Duration::from_secs(20);
        while agent.ask(&json!("status")).is_none() {
            let ended = agent.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < patience, "{ended:?}: {}", sandbox.read("agent.out"));
            std::thread::sleep(Duration::from_millis(20));
        }
        agent
    }

    /// Asks it something.
    pub fn ask(&self, ask: &Value) -> Option<Value> {
        let stream = UnixStream::connect(self.sandbox.path("state/agent.sock")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        (&stream).write_all(format!("{}\n", json!({ "protocol": 1, "ask": ask })).as_bytes()).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    pub fn status(&self) -> Value {
        self.ask(&json!("status")).unwrap()["status"].clone()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Ends it in good order; how, and how long that took.
    pub fn stop(mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        self.signal(rustix::process::Signal::TERM);
        (self.child.wait().unwrap(), begun.elapsed())
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the agent said:\n{}", self.sandbox.read("agent.out"));
        }
    }
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < patience, "it never was so: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// The subjects of the letters in the sandbox's Maildir, by the order of their ids.
pub fn subjects(sandbox: &Sandbox) -> Vec<String> {
    sandbox.letters().iter().map(|letter| subject(letter)).collect()
}

pub fn subject(letter: &[u8]) -> String {
    MessageParser::default().parse(letter).unwrap().subject().unwrap().to_owned()
}

pub fn text(letter: &[u8]) -> String {
    MessageParser::default().parse(letter).unwrap().body_text(0).unwrap().replace("\r\n", "\n")
}

/// The runs of the history that have ended, oldest first.
pub fn runs(sandbox: &Sandbox) -> Vec<Value> {
    let mut runs = sandbox.history();
    runs.retain(|run| !run["ended"].is_null());
    runs.reverse();
    runs
}

pub fn status_of(run: &Value) -> (&str, &str) {
    (run["trigger"].as_str().unwrap(), run["status"].as_str().unwrap())
}

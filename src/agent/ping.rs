//! Heartbeats: an address that hears of the beginning and the end of each run, as healthchecks.io and its like want it.
//! It is they who notice when nothing is heard any more. No run waits for them, and none fails because of them.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Agent;
use crate::error::{Error, Result};
use crate::mail::webhook::{self, Body, Refusal};
use crate::mutex::lock;
use crate::profile::{Ping, Profile};
use crate::run::{Run, RunId, Status};

/// The most bytes of a report that go along; healthchecks.io keeps ten times as many.
const MOST: usize = 10_000;

/// How patient we are.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// How long one try may take.
    deadline: Duration,
    /// How many there are, if a later one may help.
    tries: u32,
    /// How long we wait between them.
    pause: Duration,
}

const USUAL: Patience =
    Patience { deadline: Duration::from_secs(10), tries: 3, pause: Duration::from_secs(1) };

/// The machine may be shutting down.
const HURRY: Patience = Patience { deadline: Duration::from_secs(2), tries: 1, pause: Duration::ZERO };

/// The heartbeats that are on their way.
#[derive(Default)]
pub(super) struct Pings(Mutex<Vec<Begun>>);

/// The heartbeat of a run's beginning.
struct Begun {
    run: RunId,
    /// No further try is worth it.
    over: Arc<AtomicBool>,
    /// Hears when the last try is over.
    told: Receiver<()>,
}

impl Agent<'_> {
    /// Tells that a run begins, in a thread of its own.
    pub(super) fn ping_start(&self, profile: &Profile, run: RunId) {
        let Some(ping) = profile.ping.clone() else { return };
        let over = Arc::new(AtomicBool::new(false));
        let (tell, told) = mpsc::channel::<()>();
        let stop = Arc::clone(&over);
        std::thread::spawn(move || {
            // If it does not get there, the one at the end will say why.
            let _ = send(&address(&ping, "/start", run), "", USUAL, &stop);
            drop(tell);
        });
        let mut begun = lock(&self.pings.0);
        begun.push(Begun { run, over, told });
    }

    /// Tells the profile's `ping` address how a run ended: a success with a line or two, anything else with the report's
    /// text. To be called when the run is recorded; it may take half a minute, and a few seconds after a run that was
    /// interrupted.
    ///
    /// # Errors
    /// The address could not be told, or the state not be read. The run is what it was.
    pub fn ping_end(&self, profile: &Profile, run: &Run) -> Result<()> {
        let Some(ping) = &profile.ping else { return Ok(()) };
        let patience = if run.outcome.status == Status::Interrupted { HURRY } else { USUAL };
        self.settle_start(run.id, patience);
        let report = self.tell(run, &profile.fingerprint, Some(profile), None)?.rendered;
        let (end, text) = if run.outcome.status.is_success() {
            let first = report.text.split("\n\n").next().unwrap_or_default();
            ("", format!("{}\n\n{first}\n", report.subject))
        } else {
            ("/fail", report.text)
        };
        let text = clipped(&text);
        send(&address(ping, end, run.id), text, patience, &AtomicBool::new(false)).map_err(|refusal| {
            Error::other(format!("{} was not told of the end of the run: it {}", ping.host(), refusal.what))
        })
    }

    /// Waits for the heartbeat of the beginning: it must not come after that of the end.
    fn settle_start(&self, run: RunId, patience: Patience) {
        let begun = {
            let mut all = lock(&self.pings.0);
            all.iter().position(|begun| begun.run == run).map(|at| all.swap_remove(at))
        };
        if let Some(begun) = begun {
            begun.over.store(true, Relaxed);
            let _ = begun.told.recv_timeout(patience.deadline + patience.pause);
        }
    }
}

fn send(url: &str, text: &str, patience: Patience, over: &AtomicBool) -> Result<(), Refusal> {
    let body = Body { kind: "text/plain; charset=utf-8", bytes: text.as_bytes() };
    let mut tries = 1;
    loop {
        match webhook::send(url, body, patience.deadline) {
            Err(refusal) if refusal.passes && tries < patience.tries && !over.load(Relaxed) => {
                tries += 1;
                std::thread::sleep(patience.pause);
            }
            result => return result,
        }
    }
}

/// The address of an event of a run. What follows a `?` stays behind the path.
fn address(ping: &Ping, end: &str, run: RunId) -> String {
    let url = ping.0.split('#').next().unwrap_or_default();
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let path = if end.is_empty() { path } else { path.trim_end_matches('/') };
    let query = query.filter(|query| !query.is_empty()).map(|query| format!("{query}&")).unwrap_or_default();
    format!("{path}{end}?{query}rid={}", run.uuid())
}

/// As much of a text as goes along.
fn clipped(text: &str) -> &str {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= MOST).last();
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_events() {
        let run: RunId = "01KA2Q7MZR3XB0000000000000".parse().unwrap();
        let rid = format!("rid={}", run.uuid());
        for (url, start, end) in [
            ("https://hc-ping.com/u-u", "https://hc-ping.com/u-u/start?", "https://hc-ping.com/u-u?"),
            ("https://hc-ping.com/u-u/", "https://hc-ping.com/u-u/start?", "https://hc-ping.com/u-u/?"),
            ("https://x/y?a=b", "https://x/y/start?a=b&", "https://x/y?a=b&"),
            ("https://x/y?#part", "https://x/y/start?", "https://x/y?"),
            ("https://x", "https://x/start?", "https://x?"),
        ] {
            let ping = crate::profile::Webhook(url.into());
            assert_eq!(address(&ping, "/start", run), format!("{start}{rid}"));
            assert_eq!(address(&ping, "", run), format!("{end}{rid}"));
        }
    }

    #[test]
    fn a_run_has_a_uuid() {
        let run: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        assert_eq!(run.uuid(), "01563e3a-b5d3-d676-4c61-efb99302bd5b");
    }

    #[test]
    fn texts_are_clipped_between_characters() {
        assert_eq!(clipped("short"), "short");
        assert_eq!(clipped(&format!("x{}", "ü".repeat(MOST))).len(), MOST - 1);
    }
}

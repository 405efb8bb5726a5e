//! A run at work in a thread of its own. Nothing that goes wrong in it ends the agent.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::mpsc::Sender;

use jiff::Timestamp;

use super::event::{Done, Event};
use super::journal::Journal;
use crate::agent::{self, Agent, Order, Ran};
use crate::clock::Clock;
use crate::error::{Error, Kind};
use crate::profile::{Config, Profile};
use crate::progress::{self, Listener, Meter, Phase};
use crate::run::Run;
use crate::scheduler::{Ended, Start};

/// What every run needs of the agent.
#[derive(Clone)]
pub(super) struct Shared {
    pub state_dir: PathBuf,
    pub config: Arc<Config>,
    pub clock: Arc<dyn Clock>,
    pub journal: Arc<Journal>,
    pub events: Sender<Event>,
}

/// A run at work, as the loop sees it.
pub(super) struct Work {
    pub meter: Arc<Meter>,
    pub phase: Arc<AtomicU8>,
    pub since: Timestamp,
    /// It has ended; only its last heartbeat is on its way.
    pub over: bool,
}

impl Work {
    /// What it does, in a word.
    pub fn phase(&self) -> &'static str {
        match self.phase.load(Relaxed) {
            0 => "starting",
            1 => "comparing",
            2 => "working",
            _ => "flushing",
        }
    }
}

/// Keeps the phase of a run for whoever asks.
struct Phases(Arc<AtomicU8>);

impl Listener for Phases {
    fn event(&self, event: &progress::Event) {
        if let progress::Event::Phase(phase) = event {
            let code = match phase {
                Phase::Comparing => 1,
                Phase::Working => 2,
                Phase::Flushing => 3,
            };
            self.0.store(code, Relaxed);
        }
    }
}

/// Starts a run of `profile`. Its end comes as an event.
pub(super) fn start(shared: &Shared, profile: &Profile, start: Start) -> std::io::Result<Work> {
    let work = Work {
        meter: Arc::new(Meter::default()),
        phase: Arc::new(AtomicU8::new(0)),
        since: shared.clock.now(),
        over: false,
    };
    let (meter, phase) = (Arc::clone(&work.meter), Phases(Arc::clone(&work.phase)));
    let (shared, profile) = (shared.clone(), profile.clone());
    let name = format!("run {}", profile.name);
    std::thread::Builder::new().name(name).spawn(move || {
        let job = Job { shared: &shared, profile: &profile, start: &start };
        // What panics outside the work itself was not recorded.
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| job.run(&meter, &phase)));
        if done.is_err() {
            job.ended(Ended::Lost("postkeep itself failed; see its log".into()), None);
        }
        let _ = shared.events.send(Event::Idle(profile.name.clone()));
    })?;
    Ok(work)
}

struct Job<'a> {
    shared: &'a Shared,
    profile: &'a Profile,
    start: &'a Start,
}

impl Job<'_> {
    fn run(&self, meter: &Meter, phase: &Phases) {
        let Shared { state_dir, config, clock, journal, .. } = self.shared;
        let agent = match Agent::open(state_dir, config, &**clock) {
            Ok(agent) => agent,
            Err(error) => {
                let error = agent::tell_without_state(state_dir, config, &**clock, self.profile, error);
                return self.ended(Ended::Lost(in_words(&error)), None);
            }
        };
        let order = Order {
            approve: None,
            serves: self.start.due,
            missed: self.start.missed,
            number: self.start.number,
        };
        match agent.run(self.profile, self.start.trigger, &order, meter, phase) {
            Ok(Ran { run, retry }) => {
                let success = run.outcome.status.is_success();
                let resume = run.resumes();
                self.ended(Ended::Ran { began: run.started, success, retry, resume }, Some(run.clone()));
                if retry.is_some() {
                    return;
                }
                if let Err(error) = agent.ping_end(self.profile, &run) {
                    journal.say(clock.now(), &format!("{}: {}", self.profile.name, error.one_line()));
                }
            }
            Err(error) if error.kind() == Kind::Locked => {
                let reason = error.one_line();
                // A run of its own in another process is no silence; one in its folders may be.
                let elsewhere = agent.state().locks().is_held(&self.profile.name).unwrap_or(false);
                self.ended(if elsewhere { Ended::Elsewhere(reason) } else { Ended::Locked(reason) }, None);
            }
            Err(error) => self.ended(Ended::Lost(in_words(&error)), None),
        }
    }

    fn ended(&self, ended: Ended, run: Option<Run>) {
        let done = Done { profile: self.profile.name.clone(), ended, run };
        let _ = self.shared.events.send(Event::Ended(Box::new(done)));
    }
}

fn in_words(error: &Error) -> String {
    std::iter::once(error.one_line()).chain(error.hints().iter().cloned()).collect::<Vec<_>>().join("; ")
}

//! `postkeep run --via-agent`: asks the agent for runs, and waits for their ends.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::Session;
use crate::agent;
use crate::cli::at_work::{phase, snapshot};
use crate::cli::progress::Shown;
use crate::cli::{Context, out};
use crate::clock::{Clock, System};
use crate::daemon::client;
use crate::daemon::protocol::{Ask, AtWork, Status};
use crate::entry::show;
use crate::error::{Context as _, Error, Result};
use crate::profile::Profile;
use crate::progress::{Event, Listener, Phase};
use crate::run::{Run, RunId, Trigger};
use crate::state::{Query, State};

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(250);

pub(super) fn run(profiles: &[Profile], no_wait: bool, mut session: Session<'_>) -> Result<ExitCode> {
    let ctx = session.ctx;
    let none = || {
        Error::other("no agent is running")
            .hint("`postkeep agent install` starts one; without --via-agent the run is at work here")
    };
    // What is there before it is asked tells the new run from those before it.
    let state = agent::look(&ctx.state_dir)?;
    let before = profiles
        .iter()
        .map(|profile| Ok(state.as_ref().map(|state| newest(state, profile)).transpose()?.flatten()))
        .collect::<Result<Vec<_>>>()?;
    let asked = System.now();
    let stopped = Arc::new(AtomicBool::new(false));
    if !no_wait {
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stopped))
                .context(|| "cannot listen for signals".into())?;
        }
    }
    let names = profiles.iter().map(|profile| profile.name.clone()).collect();
    client::ask(&ctx.state_dir, Ask::Run(names))?.ok_or_else(none)?;
    if no_wait {
        for profile in profiles {
            if ctx.json {
                session.runs.push(json!({ "profile": profile.name, "asked": true }));
            } else if !ctx.quiet {
                out::say(&format!("{}: the agent runs it as soon as there is room", profile.name));
            }
        }
        return session.finish();
    }
    // It has made one by now.
    let state = agent::look(&ctx.state_dir)?.ok_or_else(none)?;
    for (profile, before) in profiles.iter().zip(before) {
        let mut watch = Watch { ctx, state: &state, profile, before, asked, said: None, shown: None };
        match watch.wait(&stopped)? {
            Some(run) => session.ended(&run, profile),
            None => {
                out::warn(&format!(
                    "{0}: no longer waited for; the agent runs it all the same (postkeep cancel {0})",
                    profile.name
                ));
                session.worst.note(130);
                break;
            }
        }
    }
    session.finish()
}

/// The newest run of a profile.
fn newest(state: &State, profile: &Profile) -> Result<Option<RunId>> {
    let query = Query { profile: Some(&profile.name), limit: 1, before: None };
    Ok(state.history().runs(&query)?.pop().map(|row| row.id))
}

/// Somebody who waits for the end of a run.
struct Watch<'a> {
    ctx: &'a Context,
    state: &'a State,
    profile: &'a Profile,
    /// The run before it.
    before: Option<RunId>,
    asked: Timestamp,
    /// What was said last about waiting.
    said: Option<String>,
    shown: Option<(Shown, Option<Phase>)>,
}

impl Watch<'_> {
    /// The run, when it has ended; None if somebody presses Ctrl-C.
    fn wait(&mut self, stopped: &AtomicBool) -> Result<Option<Run>> {
        loop {
            if let Some(run) = self.ended()? {
                self.clear();
                return Ok(Some(run));
            }
            if stopped.load(Relaxed) {
                self.clear();
                return Ok(None);
            }
            match client::status(&self.ctx.state_dir) {
                Ok(Some(status)) => self.show(&status),
                Ok(None) => return self.left(None),
                Err(error) => return self.left(Some(error)),
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The agent is gone, or does not answer. It may have ended the run before that.
    fn left(&mut self, error: Option<Error>) -> Result<Option<Run>> {
        self.clear();
        if let Some(run) = self.ended()? {
            return Ok(Some(run));
        }
        Err(error.unwrap_or_else(|| {
            Error::other(format!("the agent has ended before the run of {}", self.profile.name))
                .hint("`postkeep history` tells what became of it, and `postkeep agent logs` why")
        }))
    }

    /// The run that was asked for, if it has ended.
    fn ended(&self) -> Result<Option<Run>> {
        let history = self.state.history();
        // Between two looks several may have ended.
        let query = Query { profile: Some(&self.profile.name), limit: 20, before: None };
        let mut rows = history.runs(&query)?;
        rows.retain(|row| Some(row.id) > self.before && row.trigger == Trigger::Manual);
        let Some(row) = rows.pop().filter(|row| row.ended.is_some()) else { return Ok(None) };
        let row = history.find(&row.id.to_string())?;
        let (Some(ended), Some(outcome)) = (row.ended, row.outcome) else { return Ok(None) };
        let (id, profile, trigger, started) = (row.id, row.profile, row.trigger, row.started);
        Ok(Some(Run { id, profile, trigger, started, ended, outcome }))
    }

    fn show(&mut self, status: &Status) {
        let name = &self.profile.name;
        let work = status.at_work.iter().find(|work| work.profile == *name);
        let waits = status.waiting.iter().find(|waits| waits.profile == *name);
        match (work, waits) {
            // One that had begun before is not the one that was asked for.
            (Some(work), _) if work.since < self.asked => {
                self.say("a run of it is at work already; the next one begins when that has ended");
            }
            (Some(work), _) => self.progress(work),
            (None, Some(waits)) => self.say(&waits.reason),
            (None, None) => {}
        }
    }

    fn progress(&mut self, work: &AtWork) {
        let (shown, last) = self.shown.get_or_insert_with(|| {
            let shown = Shown::new(self.ctx);
            shown.event(&Event::Started { profile: self.profile.name.clone() });
            (shown, None)
        });
        let now = phase(work);
        if *last != Some(now) {
            shown.event(&Event::Phase(now));
            *last = Some(now);
        }
        shown.event(&Event::Tick(snapshot(work)));
    }

    fn say(&mut self, reason: &str) {
        if self.ctx.quiet || self.ctx.json || self.said.as_deref() == Some(reason) {
            return;
        }
        out::warn(&format!("{}: waits: {}", self.profile.name, show(reason.as_bytes())));
        self.said = Some(reason.to_owned());
    }

    fn clear(&mut self) {
        if let Some((shown, _)) = self.shown.take() {
            shown.clear();
        }
    }
}

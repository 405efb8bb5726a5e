//! How everything stands at one moment: each profile, the letters, the agent.

mod json;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use self::json::run as run_json;
use crate::agent::EMBEDDED;
use crate::daemon::protocol::{self, AtWork};
use crate::error::Result;
use crate::profile::{Config, FULL_LOOK, Problem, Profile, Rhythm, Severity};
use crate::run::Status;
use crate::scheduler::{Pause, Scheduler, View};
use crate::state::{Health, Query, RecipientState, RunRow, Side, State};

/// More letters than this are not counted.
const MOST_LETTERS: u32 = 1_000;

/// How everything stands.
#[derive(Debug, Clone)]
pub struct Standings {
    /// The profiles, by name.
    pub profiles: Vec<Standing>,
    /// All of them are paused.
    pub paused: Option<Pause>,
    /// When the next digest comes.
    pub next_digest: Option<Timestamp>,
    /// The letters, and what carries them.
    pub post: Post,
    /// The agent, if there is one that answers.
    pub agent: Option<protocol::Status>,
}

/// How one profile stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its name.
    pub profile: String,
    /// Its last run, be it at work.
    pub last: Option<RunRow>,
    /// Its last success.
    pub success: Option<RunRow>,
    /// A run of it is at work, in whatever process.
    pub at_work: bool,
    /// A person knows of its failures, so they are not mailed.
    pub acknowledged: bool,
    /// Its file cannot be used as it is written: unless it is kept it does not run.
    pub broken: bool,
    /// The agent goes on with the last good version of its file.
    pub kept: bool,
    /// When that runs next by the clock.
    pub next_of_kept: Option<Timestamp>,
    /// By what it runs.
    pub runs: Runs,
    /// What the scheduler knows; None for one that is broken.
    pub view: Option<View>,
    /// How far its run is, where the agent tells.
    pub progress: Option<AtWork>,
    /// Why it waits although it should run.
    pub waits: Option<String>,
    /// Why what is new in a source is not heard of at once.
    pub polled: Option<String>,
}

/// By what a profile runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Runs {
    /// Times of the clock and the calendar, or a rhythm, that were asked for.
    pub clock: bool,
    /// Changes in its source.
    pub changes: bool,
    /// The start of the agent.
    pub start: bool,
}

impl Runs {
    /// By what this profile runs.
    pub fn of(profile: &Profile) -> Self {
        let timing = &profile.timing;
        // A full look now and then is no rhythm of its own.
        let own = timing.settle().is_none() || timing.rhythm != Rhythm::Every(FULL_LOOK);
        Self {
            clock: timing.rhythm != Rhythm::None && own,
            changes: timing.settle().is_some(),
            start: timing.on_start,
        }
    }

    /// Whether nothing but a person starts it.
    pub fn by_hand(self) -> bool {
        self == Self::default()
    }
}

/// The letters that wait, and what cannot carry them.
#[derive(Debug, Clone, Default)]
pub struct Post {
    /// Letters that wait.
    pub queued: u64,
    /// Those of them that could not be delivered so far. The others are on their way, if an agent is there.
    pub tried: u64,
    /// Letters that were refused.
    pub refused: u64,
    /// Accounts that take nothing.
    pub unwell: Vec<Health>,
}

impl Standings {
    /// Looks at everything. `state` is None where nothing was ever recorded; `problems` are those of the
    /// configuration.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn look(
        state: Option<&State>,
        config: &Config,
        problems: &[Problem],
        scheduler: &Scheduler,
        agent: Option<&protocol::Status>,
        now: Timestamp,
    ) -> Result<Self> {
        let views = scheduler.views(now);
        let broken = broken(problems);
        let kept: &[String] = agent.map_or(&[], |agent| &agent.kept);
        let names = broken.iter().map(String::as_str).chain(kept.iter().map(String::as_str));
        let names: BTreeSet<&str> =
            names.chain(config.profiles.iter().map(|profile| profile.name.as_str())).collect();
        let mut profiles = Vec::new();
        for name in names {
            let profile = config.profiles.iter().find(|profile| profile.name == name);
            profiles.push(Standing {
                broken: broken.contains(name),
                kept: kept.iter().any(|kept| kept == name),
                next_of_kept: agent.and_then(|agent| agent.next_of_kept.get(name).copied()),
                runs: profile.map(Runs::of).unwrap_or_default(),
                view: views.get(name).cloned(),
                ..Standing::look(state, name, agent)?
            });
        }
        Ok(Self {
            profiles,
            paused: scheduler.paused().filter(|pause| pause.holds(now)),
            next_digest: scheduler.next_digest(now),
            post: Post::look(state, config)?,
            agent: agent.cloned(),
        })
    }

    /// Whether anything is meant to run by itself.
    pub fn is_automatic(&self) -> bool {
        self.next_digest.is_some() || self.profiles.iter().any(|standing| !standing.runs.by_hand())
    }
}

impl Standing {
    fn look(state: Option<&State>, profile: &str, agent: Option<&protocol::Status>) -> Result<Self> {
        let (mut last, mut success, mut acknowledged, mut at_work) = (None, None, false, false);
        if let Some(state) = state {
            let history = state.history();
            last = history.runs(&Query { profile: Some(profile), limit: 1, before: None })?.pop();
            success = match &last {
                Some(last) if last.status.is_success() => Some(last.clone()),
                Some(last) => history.last_success(profile, last.id)?,
                None => None,
            };
            acknowledged = history.ack(profile)?.is_some();
            if last.as_ref().is_some_and(|last| last.status == Status::Running) {
                at_work = state.locks().is_held(profile)?;
            }
        }
        let progress = agent.and_then(|agent| agent.at_work.iter().find(|work| work.profile == profile));
        let waits = agent.and_then(|agent| agent.waiting.iter().find(|one| one.profile == profile));
        let polled = agent.and_then(|agent| {
            // Of several sources one that is not heard is enough.
            let mut watched = agent.watched.iter().filter(|one| one.profile == profile);
            watched.find_map(|one| one.polled.clone())
        });
        Ok(Self {
            profile: profile.to_owned(),
            last,
            success,
            at_work: at_work || progress.is_some(),
            acknowledged,
            broken: false,
            kept: false,
            next_of_kept: None,
            runs: Runs::default(),
            view: None,
            progress: progress.cloned(),
            waits: waits.map(|one| one.reason.clone()),
            polled,
        })
    }

    /// The word for the last run: one that says it runs, while nobody holds its lock, was interrupted.
    pub fn status(&self) -> Option<Status> {
        let last = self.last.as_ref()?;
        Some(if last.status == Status::Running && !self.at_work { Status::Interrupted } else { last.status })
    }

    /// The due time that passed without a run. A run at work is on its way.
    pub fn overdue(&self) -> Option<Timestamp> {
        self.view.as_ref().and_then(|view| view.overdue).filter(|_| !self.at_work)
    }

    /// When it runs next by the clock.
    pub fn next(&self) -> Option<Timestamp> {
        self.view.as_ref().and_then(|view| view.next).or(self.next_of_kept)
    }
}

impl Post {
    fn look(state: Option<&State>, config: &Config) -> Result<Self> {
        let Some(state) = state else { return Ok(Self::default()) };
        let letters = state.outbox().pending(MOST_LETTERS)?;
        let queued = letters.iter().filter(|letter| letter.recipient.state == RecipientState::Queued);
        let tried = queued.clone().filter(|letter| letter.recipient.tries > 0).count();
        let queued = queued.count();
        let refused = letters.len() - queued;
        // What is said of an account that is gone helps nobody.
        let known = |health: &Health| match Side::read(&health.name) {
            Some((account, Side::Imap)) => config.mailboxes.contains_key(account),
            Some((account, Side::Pop3)) => config.maildrops.contains_key(account),
            None => health.name == EMBEDDED || config.accounts.contains_key(&health.name),
        };
        let unwell = state.accounts().all()?.into_iter().filter(known).collect();
        Ok(Self { queued: queued as u64, tried: tried as u64, refused: refused as u64, unwell })
    }
}

/// The profiles that a problem keeps from running. A template is none.
pub fn broken(problems: &[Problem]) -> BTreeSet<String> {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    let names = errors.filter_map(|problem| problem.profiles.as_ref()).flatten();
    names.filter(|name| !name.starts_with('_')).cloned().collect()
}

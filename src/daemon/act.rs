//! Carries out what the scheduler wants.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use super::event::Done;
use super::{Daemon, monitor, tell_systemd, work};
use crate::agent::{self, Outlook, condition};
use crate::error::{Error, Result};
use crate::profile::Seen;
use crate::run::{Run, Trigger};
use crate::scheduler::{self, Action, Ended, Late, Start};
use crate::state::Setting;

impl Daemon {
    /// Takes an event to the scheduler, and does what it says.
    pub(super) fn step(&mut self, event: scheduler::Event) {
        let actions = self.scheduler.step(self.now(), event);
        self.act(actions);
    }

    /// Does what the scheduler wants. A start that is refused at once is told to it, and what it wants then is done too.
    pub(super) fn act(&mut self, actions: Vec<Action>) {
        let mut todo = VecDeque::from(actions);
        while let Some(action) = todo.pop_front() {
            match action {
                Action::Start(start) => {
                    if let Some(event) = self.start(start) {
                        todo.extend(self.scheduler.step(self.now(), event));
                    }
                }
                Action::Save(mut save) => {
                    // A due time that was passed over stays passed over.
                    save.served |= self.unkept.saves.get(&save.profile).is_some_and(|older| older.served);
                    self.unkept.saves.insert(save.profile.clone(), *save);
                    self.keep();
                }
                Action::SavePause(pause) => {
                    self.unkept.pause = Some(pause);
                    self.keep();
                }
                Action::Alarm(late) => self.alarm(&late),
                Action::Tell(profile, pending) => {
                    self.say(&format!(
                        "{profile}: the failure of {} is told: no other try can come",
                        pending.run
                    ));
                    self.unkept.tells.push((profile, pending.run));
                    self.keep();
                }
                Action::Stuck(profile) => self.stuck(&profile),
                Action::Digest(due) => self.digest(due),
            }
        }
    }

    /// Keeps what is to be kept. What cannot be is tried again each minute.
    pub(super) fn keep(&mut self) {
        let mut unkept = std::mem::take(&mut self.unkept);
        let mut failed = None;
        let memories = self.state.memories();
        unkept.saves.retain(|_, save| memories.save(save).map_err(|error| failed = Some(error)).is_err());
        unkept.pause.take_if(|pause| memories.pause(*pause).map_err(|error| failed = Some(error)).is_ok());
        let tells = unkept.tells.len();
        unkept.tells.retain(|(profile, run)| {
            let told = self.agent(|agent| agent.tell_after_all(*run, profile));
            told.map_err(|error| failed = Some(error)).is_err()
        });
        if unkept.tells.len() < tells {
            self.ring();
        }
        self.unkept = unkept;
        match failed {
            Some(error) => self.say_trouble(&error),
            None => self.trouble = None,
        }
    }

    /// Starts a run. What keeps it from starting comes back as an event.
    fn start(&mut self, start: Start) -> Option<scheduler::Event> {
        let name = start.profile.clone();
        let refused =
            |reason: &str| Some(scheduler::Event::Ended(name.clone(), Ended::Locked(reason.to_owned())));
        if self.ending {
            return refused("the agent ends");
        }
        // One that is over may still be at its last heartbeat: that holds nobody up.
        if self.works.get(&name).is_some_and(|work| !work.over) {
            return refused("its last run is at work");
        }
        let config = Arc::clone(&self.settings.config);
        let profile = config.profiles.iter().find(|profile| profile.name == name);
        let Some(profile) = profile else { return refused("it is not in the configuration any more") };
        if start.trigger != Trigger::Manual
            && let Some(reason) = condition::unmet(&profile.timing.only_if, &condition::Machine)
        {
            let known = self.scheduler.memory(&name).and_then(|memory| memory.skipped.as_ref());
            if known.is_none_or(|known| known.reason != reason) {
                self.say(&format!("{name}: skipped: {reason}"));
            }
            return Some(scheduler::Event::Skipped(name, reason));
        }
        match work::start(&self.shared, profile, start) {
            Ok(work) => {
                self.works.insert(name, work);
                None
            }
            Err(error) => refused(&format!("no thread can be started: {error}")),
        }
    }

    /// A run came to its end, or could not begin.
    pub(super) fn ended(&mut self, done: Done) {
        let Done { profile, ended, run } = done;
        match (&run, &ended) {
            (Some(run), _) => self.say(&in_words(run)),
            (None, Ended::Locked(reason) | Ended::Elsewhere(reason)) => {
                let waits =
                    self.scheduler.views(self.now()).get(&profile).and_then(|view| view.waits.clone());
                if waits.as_ref() != Some(reason) {
                    self.say(&format!("{profile}: waits: {reason}"));
                }
            }
            (None, Ended::Lost(reason)) => {
                self.say(&format!("{profile}: its run could not be recorded: {reason}"))
            }
            (None, Ended::Ran { .. }) => {}
        }
        if run.is_some() {
            // Its thread may still be at its last heartbeat.
            self.works.entry(profile.clone()).and_modify(|work| work.over = true);
            self.ring();
        } else {
            self.works.remove(&profile);
        }
        let event = scheduler::Event::Ended(profile, ended);
        if self.ending {
            // What follows from it is for the next start: the database knows all that is needed.
            return;
        }
        self.step(event);
        self.write_monitors();
    }

    fn alarm(&mut self, late: &[Late]) {
        let views = self.scheduler.views(self.now());
        match self.agent(|agent| agent.tell_late(late, &|name| views.get(name).cloned())) {
            Ok(()) => {
                for one in late {
                    let why = one.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                    self.say(&format!("{}: overdue since {}{why}", one.profile, one.due));
                }
                self.ring();
            }
            Err(error) => {
                self.scheduler.untold(late);
                self.say_trouble(&error);
            }
        }
    }

    fn stuck(&mut self, profile: &str) {
        self.say(&format!("{profile}: its run does not react any more; others go on"));
        let profile = profile.to_owned();
        self.try_to(|daemon| {
            let begun = daemon.state.history().stale()?.into_iter().find(|begun| begun.profile == profile);
            match begun {
                Some(begun) => daemon.agent(|agent| agent.tell_stuck(&profile, begun.id, begun.started)),
                None => Ok(()),
            }
        });
        self.ring();
    }

    fn digest(&mut self, due: Timestamp) {
        let views = self.scheduler.views(self.now());
        let outlook = Outlook {
            views: &views,
            paused: self.scheduler.paused(),
            broken: &self.settings.stopped,
            next: self.scheduler.next_digest(self.now()),
        };
        match self.agent(|agent| agent.send_digest(&outlook)) {
            Ok(()) => {
                self.say("a digest was written");
                self.ring();
            }
            Err(error) => {
                // The next minute tries again: it is still due by what is kept.
                self.say_trouble(&error);
                let before = due.checked_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(due);
                if let Ok(digest @ Some(_)) = agent::digest_times(&self.state, &self.settings.config, before)
                {
                    self.scheduler.set_digest(digest);
                }
            }
        }
    }

    /// Reads the configuration again.
    pub(super) fn reload(&mut self) {
        self.reload_at = None;
        tell_systemd(&[sd_notify::NotifyState::Reloading]);
        let before = self.settings.problems.clone();
        self.settings.reload(self.now());
        self.shared.config = Arc::clone(&self.settings.config);
        self.follow();
        self.watch.set(&self.settings.config.profiles);
        self.listen();
        self.say("the configuration was read again");
        if before != self.settings.problems {
            self.say_problems();
        }
        self.tell_problems();
        tell_systemd(&[sd_notify::NotifyState::Ready]);
    }

    /// Lets the scheduler follow the configuration, and the machine's zone.
    pub(super) fn follow(&mut self) {
        let config = Arc::clone(&self.settings.config);
        let now = self.now();
        let mut actions = Vec::new();
        let gone: Vec<String> = self
            .scheduler
            .names()
            .filter(|name| !config.profiles.iter().any(|profile| profile.name == *name))
            .map(str::to_owned)
            .collect();
        gone.iter().for_each(|name| actions.extend(self.scheduler.remove(name)));
        for profile in &config.profiles {
            let put = || -> Result<_> {
                let memory = self.state.memories().get(&profile.name)?;
                let past = self.state.history().past(&profile.name)?;
                Ok((agent::schedule_rules(&self.state, profile)?, memory, past))
            };
            match put() {
                Ok((rules, memory, past)) => {
                    actions.extend(self.scheduler.put(now, &profile.name, rules, memory, past));
                }
                Err(error) => self.say_trouble(&error),
            }
        }
        self.scheduler.set_parallel(config.agent.parallel);
        self.anchor_digest();
        if let Ok(digest) = agent::digest_times(&self.state, &config, now) {
            self.scheduler.set_digest(digest);
        }
        self.act(actions);
    }

    /// Digests count from the moment at which they were asked for first, whatever starts come in between.
    pub(super) fn anchor_digest(&mut self) {
        if self.settings.config.report.digest.is_none() {
            return;
        }
        self.try_to(|daemon| {
            let memories = daemon.state.memories();
            match memories.time(Setting::Digest)? {
                Some(_) => Ok(()),
                None => memories.set_time(Setting::Digest, daemon.now()),
            }
        });
    }

    /// Mails what is wrong with the configuration, when it has been so for a minute.
    pub(super) fn tell_problems(&mut self) {
        if !self.settings.is_to_be_told(self.now()) {
            return;
        }
        let settings = &self.settings;
        match self.agent(|agent| agent.tell_problems(&settings.problems, &settings.kept, &settings.stopped)) {
            Ok(mailed) => {
                let now = self.now();
                self.settings.told(now);
                if mailed {
                    self.ring();
                }
            }
            Err(error) => self.say_trouble(&error),
        }
    }

    pub(super) fn say_problems(&self) {
        for problem in &self.settings.problems {
            problem.lines().filter(|line| !line.trim().is_empty()).for_each(|line| self.say(line));
        }
        if let Ok(made_for) = std::env::var(super::unit::VARIABLE) {
            let real = |path: &std::path::Path| match agent::look_in_time(path) {
                Seen::Folder(real) | Seen::Other(real) => real,
                Seen::Missing | Seen::Unknown => path.to_owned(),
            };
            let needs = super::unit::Needs::of(&self.settings.config, &self.options.state_dir, &real);
            for need in needs.beyond(&made_for) {
                self.say(&format!("{need}: install the service again (postkeep agent install)"));
            }
        }
    }

    /// Keeps the files for monitors up to date, where there are any.
    pub(super) fn write_monitors(&mut self) {
        let rules = self.settings.config.agent.clone();
        if let Some(path) = &rules.prometheus_file {
            let views = self.scheduler.views(self.now());
            let text = monitor::metrics(&self.state, &views, self.now());
            if let Err(error) = text.and_then(|text| monitor::replace(path, text.as_bytes())) {
                self.say_trouble(&error);
            }
        }
        if let Some(path) = &rules.status_file {
            monitor::write_status(&self.shared, path, &self.options.config_dir, &self.writer);
        }
    }

    /// Takes up a new version of postkeep, when nothing runs.
    pub(super) fn renew(&mut self) {
        let Some(program) = self.program.as_mut().filter(|_| self.works.is_empty()) else { return };
        match program.is_replaced() {
            Ok(false) => {}
            Ok(true) => {
                self.say("there is a new version of postkeep: the agent starts anew");
                tell_systemd(&[sd_notify::NotifyState::Reloading]);
                let error = self.program.as_ref().map(super::renew::Program::become_it);
                if let Some(error) = error {
                    self.say(&format!("the new version could not be started: {error}"));
                }
            }
            Err(reason) => self.say(&reason),
        }
    }

    fn try_to(&mut self, work: impl FnOnce(&Self) -> Result<()>) {
        match work(self) {
            Ok(()) => self.trouble = None,
            Err(error) => self.say_trouble(&error),
        }
    }

    /// Says what cannot be kept or told; not each minute anew.
    pub(super) fn say_trouble(&mut self, error: &Error) {
        let line = error.one_line();
        if self.trouble.as_ref() != Some(&line) {
            self.say(&line);
            self.trouble = Some(line);
        }
    }
}

/// A run that has ended, in one line.
fn in_words(run: &Run) -> String {
    use crate::figures::{count, duration, size};
    let (outcome, counts) = (&run.outcome, &run.outcome.counts);
    let mut line = format!("{}: {} after {}", run.profile, outcome.status.word(), duration(run.duration()));
    let changed = counts.created + counts.replaced + counts.updated + counts.deleted;
    if changed > 0 {
        let moved = counts.moved();
        line.push_str(&format!(", {} changed, {} {moved}", count(changed), size(counts.copied_bytes)));
    }
    let problem = outcome.error.as_ref().map(|error| error.text.clone());
    if let Some(problem) = problem.or_else(|| outcome.stop.as_ref().map(|stop| stop.reason.clone())) {
        line.push_str(&format!(": {problem}"));
    }
    format!("{line} ({}, {})", run.trigger.word(), run.id)
}

//! One step: an event comes in, what is to be done comes out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::slot::{AGAIN, CORRECTION, LOST, Slot, View, Wish, later};
use super::{Action, Alarm, Ended, Event, Follows, Late, Memory, Past, Pause, Rules, Save};
use crate::profile::{CatchUp, Schedule};
use crate::run::Trigger;

/// How long a digest waits after a start or a sleep: what is caught up comes into it.
const DIGEST_DELAY: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// The scheduler.
#[derive(Debug, Clone)]
pub struct Scheduler {
    slots: BTreeMap<String, Slot>,
    parallel: usize,
    paused: Option<Pause>,
    awake: Timestamp,
    /// When the last event came.
    last: Timestamp,
    digest: Option<Digest>,
}

#[derive(Debug, Clone)]
struct Digest {
    schedule: Schedule,
    zone: TimeZone,
    served: Timestamp,
}

impl Scheduler {
    /// One without profiles.
    pub fn new(now: Timestamp, parallel: usize, paused: Option<Pause>) -> Self {
        Self { slots: BTreeMap::new(), parallel, paused, awake: now, last: now, digest: None }
    }

    /// How many runs may be at work at once.
    pub fn set_parallel(&mut self, parallel: usize) {
        self.parallel = parallel;
    }

    /// When digests come; `served` is the last due time of one, or the moment from which they count.
    pub fn set_digest(&mut self, digest: Option<(Schedule, TimeZone, Timestamp)>) {
        self.digest = digest.map(|(schedule, zone, served)| Digest { schedule, zone, served });
    }

    /// A profile that is there from now on; one that was there goes on under these rules. `memory` is what was kept
    /// of it, None for one that is new. Says what is to be kept.
    pub fn put(
        &mut self,
        now: Timestamp,
        profile: &str,
        rules: Rules,
        memory: Option<Memory>,
        past: Past,
    ) -> Vec<Action> {
        let save = if let Some(slot) = self.slots.get_mut(profile) {
            slot.follow(rules, now)
        } else {
            let new = memory.is_none();
            let memory = memory.unwrap_or_else(|| Memory::new(now, rules.rhythm()));
            let mut slot = Slot::new(rules.clone(), memory, past, now);
            slot.look_first(now);
            let other = slot.follow(rules, now);
            self.slots.insert(profile.to_owned(), slot);
            new || other
        };
        if save { self.save(profile, true).into_iter().collect() } else { Vec::new() }
    }

    /// A profile that is gone. A failure that was kept back for a try of it is to be told.
    pub fn remove(&mut self, profile: &str) -> Vec<Action> {
        // Its run, if it is at work, goes on.
        let Some(slot) = self.slots.remove(profile) else { return Vec::new() };
        slot.memory.retry.map(|retry| Action::Tell(profile.to_owned(), retry)).into_iter().collect()
    }

    /// The names of the profiles.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.slots.keys().map(String::as_str)
    }

    /// Takes an event, and says what is to be done.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.take(now, event, &mut actions);
        self.last = now;
        self.advance(now, &mut actions);
        actions
    }

    fn take(&mut self, now: Timestamp, event: Event, actions: &mut Vec<Action>) {
        let name = match &event {
            Event::Changed(name) | Event::NewMail(name) | Event::Skipped(name, _) => Some(name.clone()),
            Event::Ended(name, _) => Some(name.clone()),
            _ => None,
        };
        let mut slot = name.as_ref().and_then(|name| self.slots.get_mut(name));
        match (event, &mut slot) {
            (Event::Woke, _) => {
                self.awake = now;
                let slept = now.duration_since(self.last);
                self.slots.values_mut().for_each(|slot| slot.wake(now, slept, false));
            }
            (Event::Changed(_), Some(slot)) => slot.changed(now, Trigger::Change),
            (Event::NewMail(_), Some(slot)) => slot.changed(now, Trigger::NewMail),
            (Event::Asked(names), _) => {
                for (at, name) in names.iter().enumerate() {
                    if let Some(slot) = self.slots.get_mut(name) {
                        slot.ask(names[..at].to_vec());
                    }
                }
            }
            (Event::Skipped(name, reason), Some(slot)) => {
                let passes = slot.rules.timing.catch_up == CatchUp::Skip;
                if slot.skip(reason, now) {
                    actions.extend(self.save(&name, passes));
                }
            }
            (Event::Ended(name, ended), Some(slot)) if slot.at_work.is_some() => {
                slot.ended(ended, now);
                actions.extend(self.save(&name, false));
            }
            // The profile was taken away meanwhile, or came back as another: nobody awaits its next try.
            (Event::Ended(name, Ended::Ran { retry: Some(retry), .. }), _) => {
                if let Some(slot) = slot {
                    slot.memory.retry = None;
                }
                actions.push(Action::Tell(name, retry));
            }
            (Event::Paused(None, pause), _) => {
                self.paused = Some(pause);
                actions.push(Action::SavePause(self.paused));
            }
            (Event::Paused(Some(name), pause), _) => {
                if let Some(slot) = self.slots.get_mut(&name) {
                    slot.memory.paused = Some(pause);
                    actions.extend(self.save(&name, false));
                }
            }
            (Event::Resumed(None), _) => {
                self.paused = None;
                self.slots.values_mut().for_each(|slot| slot.resumed(now));
                actions.push(Action::SavePause(None));
            }
            (Event::Resumed(Some(name)), _) => {
                if let Some(slot) = self.slots.get_mut(&name) {
                    slot.memory.paused = None;
                    slot.resumed(now);
                    actions.extend(self.save(&name, false));
                }
            }
            (Event::Tick | Event::Ended(..), _) | (_, None) => {}
        }
    }

    fn advance(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.paused.is_some_and(|pause| !pause.holds(now)) {
            self.paused = None;
            self.slots.values_mut().for_each(|slot| slot.resumed(now));
            actions.push(Action::SavePause(None));
        }
        let all = self.paused.is_some();
        let mut wishes: Vec<(String, Wish)> = Vec::new();
        // Whose memory is to be kept, and whether with the due time that was served.
        let mut saves: BTreeMap<String, bool> = BTreeMap::new();
        for (name, slot) in &mut self.slots {
            if slot.correct(now) {
                saves.insert(name.clone(), true);
            }
            if slot.memory.paused.is_some_and(|pause| !pause.holds(now)) {
                slot.memory.paused = None;
                slot.resumed(now);
                saves.entry(name.clone()).or_default();
            }
            let paused = all || slot.memory.paused.is_some();
            if slot.is_newly_stuck(now) {
                actions.push(Action::Stuck(name.clone()));
            }
            if let Some(retry) = slot.given_up(now, paused) {
                actions.push(Action::Tell(name.clone(), retry));
                saves.entry(name.clone()).or_default();
            }
            let mut passed = false;
            if let Some(wish) = slot.wish(now, paused, &mut passed) {
                wishes.push((name.clone(), wish));
            }
            if passed {
                saves.insert(name.clone(), true);
            }
        }
        actions.extend(saves.iter().filter_map(|(name, served)| self.save(name, *served)));
        let waiting = self.start(now, wishes, actions);
        let mut late = Vec::new();
        for (name, slot) in &mut self.slots {
            let paused = all || slot.memory.paused.is_some();
            let waits = waiting.contains(name);
            let Some(due) = slot.alarm(now, paused, waits) else { continue };
            let why = slot.refused.clone().or_else(|| waits.then(|| "it waits for other runs to end".into()));
            let one = slot.late(name, due, why);
            slot.memory.alarm = Some(Alarm { due, told: now, times: one.told + 1 });
            late.push(one);
        }
        if !late.is_empty() {
            actions.push(Action::Alarm(late));
        }
        actions.extend(self.due_digest(now).map(Action::Digest));
    }

    /// Starts what is wished, the oldest wish first, as far as there is room and nobody has to go before. The others
    /// wait for their turn.
    fn start(
        &mut self,
        now: Timestamp,
        mut wishes: Vec<(String, Wish)>,
        actions: &mut Vec<Action>,
    ) -> BTreeSet<String> {
        wishes.sort_by(|(a, first), (b, second)| (first.since, a).cmp(&(second.since, b)));
        let waiting: BTreeSet<String> = wishes.iter().map(|(name, _)| name.clone()).collect();
        let busy =
            self.slots.values().filter(|slot| slot.at_work.as_ref().is_some_and(|work| !work.stuck)).count();
        let mut room = self.parallel.saturating_sub(busy);
        let mut started: BTreeSet<String> = BTreeSet::new();
        // Those who go before others may be later in the list: as long as one starts, another may follow.
        loop {
            let next = wishes.iter().position(|(name, wish)| {
                let asked = wish.start.trigger == crate::run::Trigger::Manual;
                !started.contains(name) && self.may_go(name, asked, &waiting, &started)
            });
            let Some(at) = next.filter(|_| room > 0) else {
                return wishes.into_iter().map(|(name, _)| name).collect();
            };
            let (name, wish) = wishes.remove(at);
            let Some(slot) = self.slots.get_mut(&name) else { continue };
            let start = super::Start { profile: name.clone(), ..wish.start };
            slot.begin(start.clone(), now);
            actions.push(Action::Start(start));
            started.insert(name);
            room -= 1;
        }
    }

    /// Whether nobody has to go before it: those of its group, or of the wish that it was `asked` with, are neither at
    /// work nor about to be.
    fn may_go(
        &self,
        name: &str,
        asked: bool,
        waiting: &BTreeSet<String>,
        started: &BTreeSet<String>,
    ) -> bool {
        let Some(slot) = self.slots.get(name) else { return false };
        let manual = crate::run::Trigger::Manual;
        if let Some(before) = slot.asked.as_ref().filter(|_| asked) {
            // Only what was asked for goes before it: of other wishes the group says another order perhaps, and each
            // would wait for the other.
            return before
                .iter()
                .filter(|before| *before != name)
                .filter_map(|name| self.slots.get(name))
                .all(|slot| {
                    let runs = slot.at_work.as_ref().is_some_and(|work| work.start.trigger == manual);
                    slot.asked.is_none() && !runs
                });
        }
        slot.rules.timing.after.iter().all(|before| {
            let at_work = self
                .slots
                .get(before)
                .is_some_and(|slot| slot.at_work.is_some() || (slot.refused.is_some() && !slot.gave_up));
            !at_work && !waiting.contains(before) && !started.contains(before)
        })
    }

    fn due_digest(&mut self, now: Timestamp) -> Option<Timestamp> {
        let digest = self.digest.as_mut()?;
        if digest.served > later(now, CORRECTION) {
            digest.served = now;
        }
        let next = digest.schedule.next_after(digest.served, &digest.zone)?;
        if now < next || now < later(self.awake, DIGEST_DELAY) {
            return None;
        }
        // Of several that were missed one tells everything.
        digest.served = now;
        Some(next)
    }

    /// An alarm could not be told: it is as if it had not been raised.
    pub fn untold(&mut self, late: &[Late]) {
        for one in late {
            if let Some(slot) = self.slots.get_mut(&one.profile) {
                slot.memory.alarm = one.before;
            }
        }
    }

    /// The profiles of which nothing was heard although it should have been, and that are to be told: for whoever looks
    /// from outside, beside an agent that is not there.
    pub fn late(&self, now: Timestamp) -> Vec<Late> {
        let all = self.paused.is_some_and(|pause| pause.holds(now));
        let late = self.slots.iter().filter_map(|(name, slot)| {
            let paused = all || slot.memory.paused.is_some_and(|pause| pause.holds(now));
            let due = slot.alarm(now, paused, false)?;
            Some(slot.late(name, due, None))
        });
        late.collect()
    }

    /// The condition of this profile is met: that it was skipped once is no excuse.
    pub fn unskip(&mut self, profile: &str) {
        if let Some(slot) = self.slots.get_mut(profile) {
            slot.memory.skipped = None;
        }
    }

    /// The memory of a profile, to be kept.
    fn save(&self, name: &str, served: bool) -> Option<Action> {
        let memory = self.slots.get(name)?.memory.clone();
        Some(Action::Save(Box::new(Save { profile: name.to_owned(), memory, served })))
    }

    /// Since when this profile could run, as far as the machine goes.
    pub fn awake_since(&mut self, profile: &str, awake: Timestamp) {
        if let Some(slot) = self.slots.get_mut(profile) {
            slot.wake(awake, SignedDuration::ZERO, false);
        }
    }

    /// The last run of this profile was cut short when no agent was there: it is run again.
    pub fn interrupted(&mut self, profile: &str) {
        if let Some(slot) = self.slots.get_mut(profile) {
            slot.run_again();
        }
    }

    /// Says that the agent has just started: profiles that want to run then do.
    pub fn started(&mut self, now: Timestamp) {
        self.awake = now;
        self.slots.values_mut().for_each(|slot| slot.wake(now, SignedDuration::ZERO, true));
    }

    /// What the history says about a profile now, and what is kept of what follows: a run beside the agent may have ended.
    pub fn ran_elsewhere(&mut self, profile: &str, past: Past, follows: Follows) {
        let Some(slot) = self.slots.get_mut(profile).filter(|slot| slot.at_work.is_none()) else { return };
        if past.last_run > slot.past.last_run {
            if past.last_success > slot.past.last_success || slot.after().is_none() {
                slot.memory.alarm = None;
            }
            slot.past = past;
            slot.memory.retry = follows.retry;
            slot.memory.resume = follows.resume;
            slot.elsewhere = None;
            if follows.retry.is_none() {
                slot.refused = None;
            }
            slot.look_ahead();
        }
    }

    /// The next moment at which something may have to be done without an event.
    pub fn wakes(&self, now: Timestamp) -> Option<Timestamp> {
        let digest = self.digest.as_ref().and_then(|digest| digest.schedule.next_after(now, &digest.zone));
        self.slots.values().filter_map(|slot| slot.wakes(now)).chain(digest).min()
    }

    /// How each profile stands.
    pub fn views(&self, now: Timestamp) -> BTreeMap<String, View> {
        let all = self.paused.filter(|pause| pause.holds(now));
        let views = self.slots.iter().map(|(name, slot)| {
            let own = slot.memory.paused.filter(|pause| pause.holds(now));
            (name.clone(), slot.view(now, own.or(all)))
        });
        views.collect()
    }

    /// Whether all are paused.
    pub fn paused(&self) -> Option<Pause> {
        self.paused
    }

    /// When the next digest comes.
    pub fn next_digest(&self, now: Timestamp) -> Option<Timestamp> {
        let digest = self.digest.as_ref()?;
        digest.schedule.next_after(now, &digest.zone)
    }

    /// What is kept of a profile.
    pub fn memory(&self, profile: &str) -> Option<&Memory> {
        self.slots.get(profile).map(|slot| &slot.memory)
    }

    /// How many runs are at work.
    pub fn at_work(&self) -> usize {
        self.slots.values().filter(|slot| slot.at_work.is_some()).count()
    }
}

impl Slot {
    /// A run came to its end, or could not begin.
    fn ended(&mut self, ended: Ended, now: Timestamp) {
        let Some(work) = self.at_work.take() else { return };
        match ended {
            Ended::Ran { began, success, retry, resume } => {
                if let Some(due) = work.start.due {
                    self.serve(due);
                }
                self.refused = None;
                self.elsewhere = None;
                self.past.first_run = self.past.first_run.or(Some(began));
                self.past.last_run = self.past.last_run.max(Some(began));
                self.past.ended = Some(now);
                if success {
                    self.past.last_success = self.past.last_success.max(Some(began));
                }
                self.memory.retry = retry;
                self.memory.resume = resume;
                self.memory.skipped = None;
                // Where the age of the last success is what counts, a failure ends no alarm.
                if success || self.after().is_none() {
                    self.memory.alarm = None;
                }
                self.look_ahead();
            }
            Ended::Locked(reason) => {
                self.take_back(&work.start, now);
                self.elsewhere = None;
                self.refuse(reason, later(now, AGAIN));
            }
            Ended::Elsewhere(reason) => {
                self.take_back(&work.start, now);
                self.elsewhere = self.elsewhere.or(Some(now));
                self.refuse(reason, later(now, AGAIN));
            }
            // It was told. The due time stays open, and is tried again: the disk may have room by then.
            Ended::Lost(reason) => {
                self.take_back(&work.start, now);
                self.refuse(reason, later(now, LOST));
            }
        }
    }
}

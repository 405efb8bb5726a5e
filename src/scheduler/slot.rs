//! One profile as the scheduler sees it.

use jiff::{SignedDuration, Timestamp};

use super::late;
use super::{Late, Memory, Missed, Past, Pause, Rules, Skipped, Start};
use crate::profile::{CatchUp, OverdueAfter};
use crate::run::Trigger;

/// How long a source that never gets quiet may put its run off.
const MOST_UNREST: SignedDuration = SignedDuration::from_mins(1);

/// How long to wait before a start that was refused is tried again.
pub(super) const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// The same where it could not be recorded, which a letter told: one an hour is enough.
pub(super) const LOST: SignedDuration = SignedDuration::from_hours(1);

/// How much longer than its timeout a run may take to end.
const STUCK: SignedDuration = SignedDuration::from_mins(15);

/// How much longer silence is no alarm where a profile merely waits for others to end.
const QUEUE: SignedDuration = SignedDuration::from_hours(1);

/// How long a run in another process is no silence, where its profile has no timeout.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How much longer than a day a pause may last.
const GRACE: SignedDuration = SignedDuration::from_hours(2);

/// How long a try may be late before the failure is told without it.
pub const RETRY_PATIENCE: SignedDuration = SignedDuration::from_hours(1);

/// A clock that was put back by more than this was wrong before: due times count from now.
pub(super) const CORRECTION: SignedDuration = SignedDuration::from_hours(3);

/// `time` and `length`, at most the end of the calendar.
pub(super) fn later(time: Timestamp, length: SignedDuration) -> Timestamp {
    time.checked_add(length).unwrap_or(Timestamp::MAX)
}

/// A change in the source that no run has seen, or new mail.
#[derive(Debug, Clone, Copy)]
struct Unrest {
    first: Timestamp,
    last: Timestamp,
    /// What came last.
    trigger: Trigger,
}

/// A run at work.
#[derive(Debug, Clone)]
pub(super) struct AtWork {
    pub start: Start,
    pub since: Timestamp,
    /// It does not react any more; that was told.
    pub stuck: bool,
}

/// A profile.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub rules: Rules,
    pub memory: Memory,
    pub past: Past,
    pub at_work: Option<AtWork>,
    /// Why it could not begin, where it should have.
    pub refused: Option<String>,
    /// Its due time is too late to be made up for: it waits for the next one, and nobody waits for it.
    pub gave_up: bool,
    /// Since when a run of it is at work in another process, as far as that was met.
    pub elsewhere: Option<Timestamp>,
    /// Before this it is not tried again.
    not_before: Timestamp,
    /// Since when it could run.
    awake: Timestamp,
    /// A person wants it, after these of the same wish.
    pub asked: Option<Vec<String>>,
    on_start: bool,
    again: bool,
    unrest: Option<Unrest>,
    /// The next due time, and the due time and moment of the next alarm: a tick looks at nothing else.
    next: Option<Timestamp>,
    silence: Option<(Timestamp, Timestamp)>,
}

/// What a profile wants.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub start: Start,
    /// By what wishes are ordered.
    pub since: Timestamp,
}

impl Slot {
    pub(super) fn new(rules: Rules, memory: Memory, past: Past, now: Timestamp) -> Self {
        let mut slot = Self {
            rules,
            memory,
            past,
            at_work: None,
            refused: None,
            gave_up: false,
            elsewhere: None,
            not_before: Timestamp::MIN,
            awake: now,
            asked: None,
            on_start: false,
            again: false,
            unrest: None,
            next: None,
            silence: None,
        };
        slot.look_ahead();
        slot
    }

    /// Computes what hangs on the rules, the due time that was served last, and since when it could run.
    pub(super) fn look_ahead(&mut self) {
        let served = self.memory.served;
        self.next = self.rules.next(served, served).map(|due| later(due, self.rules.jitter(due)));
        self.silence = late::alarm(&self.rules, &self.memory, &self.past, self.ready());
    }

    /// Other rules for the same profile.
    pub(super) fn follow(&mut self, rules: Rules, now: Timestamp) -> bool {
        let rhythm = rules.rhythm();
        let other = rhythm != self.memory.rhythm;
        if other {
            // What was due under another rhythm was served by that.
            self.memory.rhythm = rhythm;
            self.memory.served = self.memory.served.max(now);
        }
        let watched = self.rules.timing.settle().is_some();
        self.rules = rules;
        self.look_ahead();
        if !watched {
            self.look_first(now);
        }
        other
    }

    /// A clock that was put back by hours was wrong: what it served is not waited for. Whether it was so.
    pub(super) fn correct(&mut self, now: Timestamp) -> bool {
        let end = later(now, CORRECTION);
        let ahead = |past: &Option<Timestamp>| past.is_some_and(|past| past > end);
        if ahead(&self.past.last_run) || ahead(&self.past.last_success) || ahead(&self.past.ended) {
            let Past { first_run, last_run, ended, last_success } = &mut self.past;
            for past in [first_run, last_run, ended, last_success] {
                *past = past.map(|past| past.min(now));
            }
            self.look_ahead();
        }
        if self.not_before > later(now, LOST) {
            self.not_before = now;
        }
        let wrong = self.memory.served > end;
        if wrong {
            self.memory.served = now;
            self.look_ahead();
        }
        wrong
    }

    /// The machine `slept` for so long, or its clock was set by that.
    pub(super) fn wake(&mut self, now: Timestamp, slept: SignedDuration, started: bool) {
        self.awake = now;
        // A run that slept along has as much of its time left as before.
        if let Some(work) = &mut self.at_work {
            work.since = later(work.since, slept).min(now);
        }
        self.on_start |= started && self.rules.timing.on_start;
        if started {
            self.look_first(now);
        }
        self.look_ahead();
    }

    /// Of what changed, or came, before the source was watched nobody heard: it counts as if it had happened now.
    pub(super) fn look_first(&mut self, now: Timestamp) {
        let timing = &self.rules.timing;
        if timing.on_change.is_some() {
            self.changed(now, Trigger::Change);
        } else if timing.on_mail {
            self.changed(now, Trigger::NewMail);
        }
    }

    pub(super) fn ask(&mut self, after: Vec<String>) {
        self.asked = Some(after);
        self.not_before = Timestamp::MIN;
    }

    pub(super) fn run_again(&mut self) {
        self.again = true;
    }

    pub(super) fn changed(&mut self, now: Timestamp, trigger: Trigger) {
        let first = self.unrest.map_or(now, |unrest| unrest.first.min(now));
        self.unrest = Some(Unrest { first, last: now, trigger });
    }

    /// A person lets it run again, or the time of the pause is over: what was missed is caught up at once.
    pub(super) fn resumed(&mut self, now: Timestamp) {
        self.awake = now.checked_sub(self.rules.delay()).unwrap_or(now);
        self.look_ahead();
    }

    pub(super) fn refuse(&mut self, reason: String, until: Timestamp) {
        self.refused = Some(reason);
        self.gave_up = false;
        self.not_before = until;
    }

    /// A condition is not met: the run comes as soon as it is, or not at all where nothing is caught up. Whether there
    /// is something to be kept of that.
    pub(super) fn skip(&mut self, reason: String, now: Timestamp) -> bool {
        let Some(work) = self.at_work.take() else { return false };
        self.refused = None;
        self.not_before = later(now, AGAIN);
        match self.rules.timing.catch_up {
            CatchUp::Once => self.take_back(&work.start, now),
            CatchUp::Skip => work.start.due.into_iter().for_each(|due| self.serve(due)),
        }
        let since = self.memory.skipped.as_ref().map_or(now, |skipped| skipped.since);
        let skipped = Skipped { since, reason };
        let news = self.memory.skipped.as_ref() != Some(&skipped);
        self.memory.skipped = Some(skipped);
        news || self.rules.timing.catch_up == CatchUp::Skip
    }

    /// A run begins for `start`: what was wished is fulfilled by it.
    pub(super) fn begin(&mut self, start: Start, now: Timestamp) {
        self.at_work = Some(AtWork { start, since: now, stuck: false });
        self.asked = None;
        self.on_start = false;
        self.again = false;
        // What changes from now on may come too late for this run.
        self.unrest = None;
    }

    pub(super) fn serve(&mut self, due: Timestamp) {
        self.refused = None;
        self.memory.served = self.memory.served.max(due);
        self.look_ahead();
    }

    /// The start that could not be, put back among the wishes.
    pub(super) fn take_back(&mut self, start: &Start, now: Timestamp) {
        match start.trigger {
            Trigger::Manual => self.asked = Some(Vec::new()),
            Trigger::Start => self.on_start = true,
            Trigger::CatchUp if start.due.is_none() => self.again = true,
            Trigger::Change | Trigger::NewMail => self.changed(now, start.trigger),
            Trigger::Schedule | Trigger::CatchUp | Trigger::Retry | Trigger::Resume => {}
        }
    }

    /// When what was missed may be caught up.
    pub(super) fn ready(&self) -> Timestamp {
        later(self.awake, self.rules.delay())
    }

    /// The due times that are open, jitter considered.
    fn due(&self, now: Timestamp) -> Option<Missed> {
        if self.next.is_none_or(|next| now < next) {
            return None;
        }
        let missed = self.rules.missed(self.memory.served, now)?;
        // The last one may still be put off, while those before it are open.
        if later(missed.latest, self.rules.jitter(missed.latest)) <= now {
            return Some(missed);
        }
        let before = missed.latest.checked_sub(SignedDuration::from_secs(1)).ok()?;
        self.rules.missed(self.memory.served, before)
    }

    /// What the profile wants now. Due times that are passed over are served on the way; `passed` says so.
    pub(super) fn wish(&mut self, now: Timestamp, paused: bool, passed: &mut bool) -> Option<Wish> {
        if self.at_work.is_some() || now < self.not_before {
            return None;
        }
        let start =
            |trigger, due, missed, number| Start { profile: String::new(), trigger, due, missed, number };
        if self.asked.is_some() {
            return Some(Wish { start: start(Trigger::Manual, None, 0, 1), since: Timestamp::MIN });
        }
        if paused {
            return None;
        }
        if let Some(retry) = self.memory.retry {
            // A try takes the place of what is due meanwhile.
            let due = self.due(now).map(|missed| missed.latest);
            // One that is further away than it ever was set by a clock that has been put back.
            let wait = self.rules.timing.retry.map_or(SignedDuration::ZERO, |retry| retry.wait);
            return (now >= retry.at || retry.at > later(now, wait))
                .then(|| Wish { start: start(Trigger::Retry, due, 0, retry.number), since: retry.at });
        }
        if let Some(at) = self.memory.resume {
            // It takes the place of what is due meanwhile. No provider's budget is of more than a day: what is further
            // away was set by a clock that has been put back.
            let due = self.due(now).map(|missed| missed.latest);
            return (now >= at || at > later(now, DAY + GRACE))
                .then(|| Wish { start: start(Trigger::Resume, due, 0, 1), since: at });
        }
        if let Some(missed) = self.due(now) {
            let due = missed.latest;
            let planned = later(due, self.rules.jitter(due));
            if now.duration_since(planned) <= self.rules.grace(due) {
                // Those before it, if any, were missed for as long as this one is not late.
                return Some(Wish {
                    start: start(Trigger::Schedule, Some(due), missed.times, 1),
                    since: planned,
                });
            }
            if self.rules.timing.catch_up == CatchUp::Skip {
                // What came and went while nothing could run is passed over. What could have run is told.
                self.gave_up = true;
                let free = self.ready().max(self.past.ended.unwrap_or(Timestamp::MIN));
                if later(planned, self.rules.grace(due)) <= free {
                    self.serve(due);
                    *passed = true;
                }
            } else if now >= self.ready() {
                return Some(Wish {
                    start: start(Trigger::CatchUp, Some(due), missed.times, 1),
                    since: planned,
                });
            }
        }
        if self.again && now >= self.ready() {
            return Some(Wish { start: start(Trigger::CatchUp, None, 0, 1), since: self.awake });
        }
        if self.on_start {
            return Some(Wish { start: start(Trigger::Start, None, 0, 1), since: self.awake });
        }
        let settle = self.rules.timing.settle()?;
        let unrest = self.unrest?;
        let quiet = later(unrest.last, settle).min(later(unrest.first, settle.max(MOST_UNREST)));
        // A clock that was put back must not hold a change up.
        (now >= quiet || now < unrest.first)
            .then(|| Wish { start: start(unrest.trigger, None, 0, 1), since: unrest.first })
    }

    /// The failure that was kept back for a try, if that try cannot come any more.
    pub(super) fn given_up(&mut self, now: Timestamp, paused: bool) -> Option<super::Pending> {
        let retry = self.memory.retry?;
        let late = now >= later(retry.at, RETRY_PATIENCE) && now >= later(self.ready(), RETRY_PATIENCE);
        let none = self.rules.timing.retry.is_none();
        if self.at_work.is_some() || !(late || paused || none) {
            return None;
        }
        self.memory.retry.take()
    }

    /// The due time that passed without a run, if that is to be told now. Who `waits` for his turn is given an hour.
    pub(super) fn alarm(&self, now: Timestamp, paused: bool, waits: bool) -> Option<Timestamp> {
        // One that does not react was told as that.
        let at_work = self.at_work.is_some();
        let excused = self.memory.skipped.is_some() && self.rules.timing.overdue == OverdueAfter::DueAndGrace;
        // A try that is long overdue comes no more.
        let retry = self.memory.retry.is_some_and(|retry| now < later(retry.at, RETRY_PATIENCE))
            || self.memory.resume.is_some_and(|at| now < later(at, RETRY_PATIENCE));
        let timeout = self.rules.timing.timeout.unwrap_or(DAY);
        let elsewhere = self.elsewhere.is_some_and(|since| now < later(since, timeout));
        if at_work || paused || excused || retry || elsewhere {
            return None;
        }
        let (due, at) = self.silence?;
        let at = if waits { later(at, QUEUE) } else { at };
        (now >= at && late::is_told(self.memory.alarm.as_ref(), due, now)).then_some(due)
    }

    /// What is told of it when nothing was heard since `due`.
    pub(super) fn late(&self, name: &str, due: Timestamp, why: Option<String>) -> Late {
        let before = self.memory.alarm;
        let told = before.filter(|alarm| alarm.due == due).map_or(0, |alarm| alarm.times);
        Late { profile: name.to_owned(), due, after: self.after(), told, why, before }
    }

    /// How long its last success may be ago, if an alarm is raised by that.
    pub(super) fn after(&self) -> Option<SignedDuration> {
        match self.rules.timing.overdue {
            OverdueAfter::Success(length) => Some(length),
            OverdueAfter::DueAndGrace | OverdueAfter::Never => None,
        }
    }

    /// Whether its run has just been found not to react.
    pub(super) fn is_newly_stuck(&mut self, now: Timestamp) -> bool {
        let Some(timeout) = self.rules.timing.timeout else { return false };
        let Some(work) = self.at_work.as_mut().filter(|work| !work.stuck) else { return false };
        work.stuck = now >= later(later(work.since, timeout), STUCK);
        work.stuck
    }

    /// The next moment at which something may have to be done, besides the minute's tick.
    pub(super) fn wakes(&self, now: Timestamp) -> Option<Timestamp> {
        let settle = self.rules.timing.settle().unwrap_or_default();
        let quiet = self.unrest.map(|unrest| later(unrest.last, settle));
        let retry = self.memory.retry.map(|retry| retry.at);
        let again = (self.not_before > now).then_some(self.not_before);
        [self.next, quiet, retry, self.memory.resume, again]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    /// How it stands.
    pub(super) fn view(&self, now: Timestamp, paused: Option<Pause>) -> View {
        let excused = paused.is_some() || self.memory.skipped.is_some();
        View {
            next: match self.rules.next_run(&self.memory, now) {
                next if self.again => next.into_iter().chain([self.ready().max(now)]).min(),
                next => next,
            },
            at_work: self.at_work.as_ref().map(|work| work.since),
            stuck: self.at_work.as_ref().is_some_and(|work| work.stuck),
            waits: self.refused.clone(),
            overdue: self
                .silence
                .filter(|(_, at)| now >= *at && !excused && self.at_work.is_none())
                .map(|(due, _)| due),
            after: self.after(),
            paused,
            skipped: self.memory.skipped.clone(),
        }
    }
}

/// How a profile stands, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// When it runs next by the clock.
    pub next: Option<Timestamp>,
    /// Since when it is at work.
    pub at_work: Option<Timestamp>,
    /// Its run does not react any more.
    pub stuck: bool,
    /// Why it waits although it should run.
    pub waits: Option<String>,
    /// The due time that passed without a run.
    pub overdue: Option<Timestamp>,
    /// It counts from the last success, and not by the schedule: so long is too long.
    pub after: Option<SignedDuration>,
    /// It is paused.
    pub paused: Option<Pause>,
    /// A condition is not met.
    pub skipped: Option<Skipped>,
}

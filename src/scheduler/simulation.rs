//! Years of machines that sleep, break and are switched off, in a moment.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::tests::timing;
use super::*;
use crate::run::Trigger;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Numbers by chance, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn minutes(&mut self, most: u64) -> SignedDuration {
        SignedDuration::from_mins(self.roll(most.max(1)).cast_signed())
    }
}

/// A run at work.
#[derive(Clone)]
struct Work {
    began: Timestamp,
    until: Timestamp,
}

/// A machine: what it keeps on its disk, and what is in its memory while it is on.
struct Machine {
    now: Timestamp,
    rules: BTreeMap<String, Rules>,
    /// On the disk.
    kept: BTreeMap<String, Memory>,
    past: BTreeMap<String, Past>,
    digest: Option<(crate::profile::Schedule, Timestamp)>,
    /// While it is on.
    scheduler: Scheduler,
    work: BTreeMap<String, Work>,
    /// What came of it.
    begun: Vec<(Timestamp, Start)>,
    alarms: Vec<(Timestamp, Late)>,
    letters: Vec<Timestamp>,
    /// How long runs take, and who holds the folders of which profile until when.
    duration: SignedDuration,
    locked: BTreeMap<String, Timestamp>,
    /// When they began to be held.
    held: Vec<Timestamp>,
}

impl Machine {
    fn new(profiles: &[(&str, &str)], zone: &str, now: &str, digest: Option<&str>) -> Self {
        let zone = TimeZone::get(zone).unwrap();
        let now: Timestamp = now.parse().unwrap();
        let rules = profiles
            .iter()
            .map(|(name, keys)| ((*name).to_owned(), Rules::new(name, &timing(keys), &zone, "machine")));
        let digest = digest.map(|line| (crate::profile::Schedule::parse(&[line.to_owned()]).unwrap(), now));
        let mut machine = Self {
            now,
            rules: rules.collect(),
            kept: BTreeMap::new(),
            past: BTreeMap::new(),
            digest,
            scheduler: Scheduler::new(now, 2, None),
            work: BTreeMap::new(),
            begun: Vec::new(),
            alarms: Vec::new(),
            letters: Vec::new(),
            duration: MINUTE * 7,
            locked: BTreeMap::new(),
            held: Vec::new(),
        };
        machine.boot();
        machine
    }

    /// The agent starts with nothing but what is on the disk. What was at work was cut off.
    fn boot(&mut self) {
        self.scheduler = Scheduler::new(self.now, 2, None);
        let zone = self.rules.values().next().map_or(TimeZone::UTC, |rules| rules.zone.clone());
        self.scheduler.set_digest(self.digest.clone().map(|(schedule, served)| (schedule, zone, served)));
        let mut saves = Vec::new();
        for (name, rules) in &self.rules {
            let past = self.past.get(name).copied().unwrap_or_default();
            saves.extend(self.scheduler.put(
                self.now,
                name,
                rules.clone(),
                self.kept.get(name).cloned(),
                past,
            ));
        }
        self.act(saves);
        self.scheduler.started(self.now);
        let cut: Vec<_> = std::mem::take(&mut self.work).into_iter().collect();
        for (name, work) in cut {
            // It is reported, so there was no silence.
            self.past.entry(name.clone()).or_default().last_run = Some(work.began);
            self.scheduler.ran_elsewhere(&name, self.past[&name], super::Follows::default());
            self.scheduler.interrupted(&name);
        }
        self.event(Event::Woke);
    }

    fn event(&mut self, event: Event) {
        let actions = self.scheduler.step(self.now, event);
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Start(start) => self.start(start),
                Action::Save(save) => {
                    let served =
                        self.kept.get(&save.profile).map(|kept| kept.served).filter(|_| !save.served);
                    let served = served.unwrap_or(save.memory.served);
                    self.kept.insert(save.profile, Memory { served, ..save.memory });
                }
                Action::Alarm(late) => {
                    self.letters.push(self.now);
                    self.alarms.extend(late.into_iter().map(|late| (self.now, late)));
                }
                Action::Digest(_) => {
                    self.digest.as_mut().unwrap().1 = self.now;
                    self.letters.push(self.now);
                }
                Action::SavePause(_) | Action::Tell(..) | Action::Stuck(_) => {}
            }
        }
    }

    fn start(&mut self, start: Start) {
        let name = start.profile.clone();
        if self.locked.get(&name).is_some_and(|until| self.now < *until) {
            self.event(Event::Ended(name, Ended::Locked("another run has it".into())));
            return;
        }
        // The run and the due time that it serves are recorded at once.
        if let (Some(due), Some(memory)) = (start.due, self.kept.get_mut(&name)) {
            memory.served = due;
        }
        self.begun.push((self.now, start));
        self.work.insert(name, Work { began: self.now, until: self.now + self.duration });
    }

    /// The agent is awake until `end`; `tick` is the longest time between two looks.
    fn awake_until(&mut self, end: Timestamp, tick: SignedDuration) {
        while self.now < end {
            let next = self.work.values().map(|work| work.until).chain(self.scheduler.wakes(self.now)).min();
            let next = next.unwrap_or(end).clamp(self.now + SignedDuration::from_secs(1), self.now + tick);
            self.now = next.min(end);
            let done: Vec<_> = self
                .work
                .iter()
                .filter(|(_, work)| work.until <= self.now)
                .map(|(name, _)| name.clone())
                .collect();
            for name in done {
                let work = self.work.remove(&name).unwrap();
                let began = Some(work.began);
                let past =
                    Past { first_run: began, last_run: began, ended: Some(self.now), last_success: began };
                self.past.insert(name.clone(), past);
                let ended = Ended::Ran { began: work.began, success: true, retry: None, resume: None };
                self.event(Event::Ended(name, ended));
            }
            self.event(Event::Tick);
        }
    }

    /// The machine sleeps: what is at work goes on afterwards.
    fn sleep(&mut self, length: SignedDuration) {
        self.now += length;
        self.event(Event::Woke);
    }

    /// The machine is off.
    fn off(&mut self, length: SignedDuration) {
        self.now += length;
        self.boot();
    }

    /// The due times that the begun runs of a profile served, in the order in which they began.
    fn served(&self, name: &str) -> Vec<Timestamp> {
        self.begun
            .iter()
            .filter(|(_, start)| start.profile == name)
            .filter_map(|(_, start)| start.due)
            .collect()
    }
}

/// Ten years of one profile on a machine that is treated badly.
fn ten_years(keys: &str, zone: &str, seed: u64, years: i64) {
    let mut dice = Dice(seed);
    let mut machine = Machine::new(&[("p", keys)], zone, "2026-01-01T00:00:00Z", None);
    let first = machine.now;
    let end = first + HOUR * i32::try_from(24 * 365 * years).unwrap();
    while machine.now < end {
        machine.duration = SignedDuration::from_secs(30) + dice.minutes(180);
        let awake = machine.now + dice.minutes(30 * 24 * 60);
        machine.awake_until(awake, HOUR * 5);
        match dice.roll(5) {
            0 => machine.sleep(dice.minutes(20 * 24 * 60)),
            1 => machine.off(dice.minutes(60 * 24 * 60)),
            2 => machine.off(SignedDuration::ZERO),
            // Killed as soon as the next run has begun, or before it is recorded.
            3 => {
                let begun = machine.begun.len();
                let patience = machine.now + HOUR * 24 * 40;
                while machine.begun.len() == begun && machine.now < patience {
                    machine.awake_until(machine.now + MINUTE * 5, MINUTE * 5);
                }
                machine.off(dice.minutes(600));
            }
            _ => {
                // The clock is put back a little.
                machine.now -= dice.minutes(170);
                machine.event(Event::Woke);
            }
        }
    }
    machine.duration = MINUTE;
    machine.awake_until(machine.now + HOUR * 24 * 3, HOUR);
    let served = machine.served("p");
    assert!(served.windows(2).all(|pair| pair[0] < pair[1]), "{keys} {seed}: a due time was served twice");
    assert!(served.len() as i64 > years * 4, "{keys} {seed}: {} runs", served.len());
    // Each due time is served by the first run whose due time is not before it; none may be after the last one.
    let rules = &machine.rules["p"];
    let mut due = first;
    let mut count = 0;
    let anchor = first;
    let mut all = std::collections::BTreeSet::new();
    while let Some(next) = rules.next(anchor, due).filter(|next| *next <= machine.now - HOUR * 24) {
        due = next;
        count += 1;
        all.insert(next);
    }
    let last = *served.last().unwrap();
    assert!(last >= due, "{keys} {seed}: due at {due}, served until {last}");
    assert!(served.iter().all(|due| all.contains(due) || *due > machine.now - HOUR * 24), "{keys} {seed}");
    assert!(count >= served.len() as i64 - 80);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("POSTKEEP_TEST_LONG").is_some() { 400 } else { 8 }))]
    #[test]
    fn no_due_time_is_lost_or_doubled_in_ten_years(which in 0..6_usize, zone in 0..3_usize, seed: u64) {
        let keys = [
            "schedule = '30 2 * * *'",
            "schedule = ['0 3 * * Mon-Fri', '30 0 1 * *']\njitter = '20m'",
            "schedule = '15 */6 * * *'\ngrace = '5m'",
            "every = '11h'",
            "schedule = '0 0 L * *'",
            "schedule = '@weekly'\njitter = '3h'",
        ][which];
        let zone = ["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe"][zone];
        ten_years(keys, zone, seed, 10);
    }
}

/// A year of an office laptop; `every_day` is told the day, and may treat the machine badly.
fn laptop_year(every_day: impl Fn(&mut Machine, i64)) -> Machine {
    let mut machine = Machine::new(
        &[
            ("documents", "schedule = '*/30 8-18 * * Mon-Fri'"),
            ("photos", "schedule = '0 12 * * *'\njitter = '10m'"),
            ("system", "every = '1d'"),
        ],
        "Europe/Berlin",
        "2026-01-05T07:00:00Z",
        Some("0 7 * * Mon"),
    );
    let mut dice = Dice(7);
    let first = machine.now;
    for day in 0..365 {
        let morning = first + HOUR * 24 * i32::try_from(day).unwrap();
        let weekend = day % 7 >= 5;
        let away = (200..214).contains(&day);
        if weekend && dice.roll(3) > 0 || away {
            continue;
        }
        let opened = morning + dice.minutes(120);
        let gone = opened.duration_since(machine.now);
        // Mostly the lid is opened, sometimes the machine is switched on.
        if dice.roll(4) == 0 {
            machine.off(gone)
        } else {
            machine.sleep(gone)
        }
        every_day(&mut machine, day);
        machine.duration = SignedDuration::from_secs(20) + dice.minutes(25);
        let noon = machine.now.max(morning + HOUR * 4 + dice.minutes(60));
        machine.awake_until(noon, MINUTE);
        machine.sleep(dice.minutes(90));
        // The lid is closed whenever it is, in the middle of runs too.
        let evening = machine.now + HOUR * 3 + dice.minutes(120);
        machine.awake_until(evening, MINUTE);
    }
    machine
}

#[test]
fn a_year_of_an_office_laptop_raises_no_false_alarm() {
    let machine = laptop_year(|_, _| {});
    assert_eq!(machine.alarms, [], "a free evening, weekend or holiday is no miss");
    // One digest a week, and nothing else.
    assert!((40..=53).contains(&machine.letters.len()), "{}", machine.letters.len());
    let weeks: std::collections::BTreeSet<_> = machine
        .letters
        .iter()
        .map(|letter| letter.to_zoned(TimeZone::UTC).date().iso_week_date())
        .map(|date| (date.year(), date.week()))
        .collect();
    assert_eq!(weeks.len(), machine.letters.len(), "two letters in one week");
    let triggers = |trigger| machine.begun.iter().filter(|(_, start)| start.trigger == trigger).count();
    assert!(triggers(Trigger::Schedule) > 2_000 && triggers(Trigger::CatchUp) > 100);
}

#[test]
fn every_true_miss_is_told_within_its_grace_and_a_minute() {
    let bad_days = [10, 57, 120, 301];
    let machine = laptop_year(|machine, day| {
        if bad_days.contains(&day) {
            // Somebody holds the folder all morning.
            machine.locked.insert("documents".into(), machine.now + HOUR * 3);
            machine.held.push(machine.now);
        }
    });
    assert_eq!(machine.alarms.len(), bad_days.len(), "{:?}", machine.alarms);
    for (told, late) in &machine.alarms {
        assert_eq!((late.profile.as_str(), late.told), ("documents", 0));
        assert_eq!(late.why.as_deref(), Some("another run has it"));
        // From the moment on at which it could have run: the lid was opened, and time was given to catch up.
        let rules = &machine.rules["documents"];
        let longest = rules.grace(late.due) + SignedDuration::from_mins(5);
        let held = machine.held.iter().rfind(|held| *held < told).unwrap();
        assert!(told.duration_since(late.due.max(*held)) <= longest + MINUTE, "{told} {held} {late:?}");
    }
}

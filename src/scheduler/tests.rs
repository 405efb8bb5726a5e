//! Tables: one profile, one event, what comes of it.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::profile::Timing;
use crate::run::{RunId, Trigger};

/// The timing that these keys make.
pub(super) fn timing(keys: &str) -> Timing {
    let text = format!("kind = 'sync'\nsource = '/a'\ntarget = '/b'\nmode = 'copy'\n{keys}\n");
    crate::profile::testing::one(&text).timing
}

fn rules(keys: &str) -> Rules {
    Rules { spread: 0, ..Rules::new("p", &timing(keys), &TimeZone::UTC, "m") }
}

/// Minutes after Monday, 5 January 2026, 00:00 UTC.
fn at(minutes: i64) -> Timestamp {
    "2026-01-05T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
}

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

fn one(keys: &str, now: Timestamp) -> Scheduler {
    let mut scheduler = Scheduler::new(now, 2, None);
    scheduler.put(now, "p", rules(keys), None, Past::default());
    scheduler
}

fn starts(actions: &[Action]) -> Vec<(Trigger, Option<Timestamp>, u64, u32)> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Start(start) => Some((start.trigger, start.due, start.missed, start.number)),
            _ => None,
        })
        .collect()
}

fn ran(began: Timestamp, success: bool) -> Event {
    Event::Ended("p".into(), Ended::Ran { began, success, retry: None, resume: None })
}

fn alarms(actions: &[Action]) -> Vec<Late> {
    actions
        .iter()
        .flat_map(|action| if let Action::Alarm(late) = action { late.clone() } else { vec![] })
        .collect()
}

#[test]
fn the_last_of_many_due_times_is_found_and_all_are_counted() {
    for (keys, minutes, latest, times) in [
        ("schedule = '0 * * * *'", 59, None, 0),
        ("schedule = '0 * * * *'", 60, Some(60), 1),
        ("schedule = '0 * * * *'", 5 * HOUR + 1, Some(5 * HOUR), 5),
        ("schedule = '*/30 8-9 * * Mon'", 6 * DAY, Some(9 * HOUR + 30), 4),
        ("schedule = '* * * * *'", 30 * DAY, Some(30 * DAY), 1_000),
        ("every = '7h'", 20 * HOUR, Some(14 * HOUR), 2),
        ("every = '1m'", 30 * DAY + 1, Some(30 * DAY + 1), 1_000),
        ("", DAY, None, 0),
    ] {
        let found = rules(keys).missed(at(0), at(minutes));
        let expected = latest.map(|latest| Missed { latest: at(latest), times });
        assert_eq!(found, expected, "{keys} {minutes}");
    }
}

#[test]
fn a_due_time_is_run_when_it_comes_and_caught_up_when_it_is_late() {
    let daily = "schedule = '0 3 * * *'";
    for (keys, woke, now, expected) in [
        (daily, 0, 3 * HOUR - 1, None),
        (daily, 0, 3 * HOUR, Some((Trigger::Schedule, 1))),
        (daily, 0, 4 * HOUR, Some((Trigger::Schedule, 1))),
        // Later than the grace of an hour: missed, and caught up once the machine had time to come back.
        (daily, 4 * HOUR + 1, 4 * HOUR + 2, None),
        (daily, 4 * HOUR + 1, 4 * HOUR + 3, Some((Trigger::CatchUp, 1))),
        (daily, 3 * DAY + 5 * HOUR, 3 * DAY + 6 * HOUR, Some((Trigger::CatchUp, 4))),
        ("schedule = '0 3 * * *'\ncatch-up = 'skip'", 0, 3 * DAY + 5 * HOUR, None),
        (
            "schedule = '0 3 * * *'\ncatch-up = 'skip'",
            0,
            3 * DAY + 3 * HOUR + 5,
            Some((Trigger::Schedule, 4)),
        ),
    ] {
        let mut scheduler = one(keys, at(0));
        scheduler.step(at(woke), Event::Woke);
        let found = starts(&scheduler.step(at(now), Event::Tick));
        let found = found.first().map(|(trigger, _, missed, _)| (*trigger, *missed));
        assert_eq!(found, expected, "{keys} {woke} {now}");
    }
}

#[test]
fn one_run_at_a_time_and_what_came_due_meanwhile_is_one_more() {
    let mut scheduler = one("every = '30m'", at(0));
    assert_eq!(starts(&scheduler.step(at(30), Event::Tick)), [(Trigger::Schedule, Some(at(30)), 1, 1)]);
    assert_eq!(starts(&scheduler.step(at(95), Event::Tick)), []);
    let after = scheduler.step(at(100), ran(at(30), true));
    assert_eq!(starts(&after), [(Trigger::Schedule, Some(at(90)), 2, 1)]);
    assert_eq!(starts(&scheduler.step(at(101), ran(at(100), true))), []);
    assert_eq!(scheduler.memory("p").unwrap().served, at(90));
}

#[test]
fn a_start_that_was_refused_serves_nothing_and_is_tried_again() {
    let mut scheduler = one("every = '1h'", at(0));
    scheduler.step(at(60), Event::Tick);
    let locked = Event::Ended("p".into(), Ended::Locked("music has it".into()));
    assert_eq!(starts(&scheduler.step(at(60), locked)), []);
    assert_eq!(scheduler.views(at(60))["p"].waits.as_deref(), Some("music has it"));
    assert_eq!(starts(&scheduler.step(at(61), Event::Tick)), [(Trigger::Schedule, Some(at(60)), 1, 1)]);
    // What could not be recorded was told: not again for an hour.
    scheduler.step(at(61), Event::Ended("p".into(), Ended::Lost("full".into())));
    assert_eq!(starts(&scheduler.step(at(119), Event::Tick)), []);
    assert_eq!(starts(&scheduler.step(at(121), Event::Tick)).len(), 1);
}

#[test]
fn a_condition_that_is_not_met_is_waited_for_quietly() {
    let keys = "schedule = '0 3 * * *'\nonly-if = { mounted = '/mnt' }";
    let mut scheduler = one(keys, at(0));
    let mut now = 3 * HOUR;
    for _ in 0..600 {
        if !starts(&scheduler.step(at(now), Event::Tick)).is_empty() {
            let actions =
                scheduler.step(at(now), Event::Skipped("p".into(), "nothing is mounted at /mnt".into()));
            assert_eq!(alarms(&actions), []);
        }
        now += 1;
    }
    let view = &scheduler.views(at(now))["p"];
    assert_eq!((view.skipped.as_ref().unwrap().since, view.overdue), (at(3 * HOUR), None));
    // It is there now: the run of the morning comes.
    scheduler.step(at(now), Event::Tick);
    scheduler.step(at(now + 1), ran(at(now), true));
    assert_eq!(scheduler.memory("p").unwrap().served, at(3 * HOUR));
    assert_eq!(scheduler.memory("p").unwrap().skipped, None);
    // Where nothing is caught up the due time is gone.
    let mut scheduler = one(&format!("{keys}\ncatch-up = 'skip'"), at(0));
    scheduler.step(at(3 * HOUR), Event::Tick);
    scheduler.step(at(3 * HOUR), Event::Skipped("p".into(), "x".into()));
    assert_eq!(starts(&scheduler.step(at(3 * HOUR + 5), Event::Tick)), []);
}

#[test]
fn changes_are_run_after_some_quiet_and_not_put_off_for_ever() {
    let mut scheduler = one("on-change = '10s'\nevery = '1d'", at(0));
    // What changed before it was watched is the first change.
    assert_eq!(starts(&scheduler.step(at(1), Event::Tick)), [(Trigger::Change, None, 0, 1)]);
    scheduler.step(at(2), ran(at(1), true));
    let second = |n: i64| at(10) + SignedDuration::from_secs(n);
    let change =
        |scheduler: &mut Scheduler, n| starts(&scheduler.step(second(n), Event::Changed("p".into())));
    assert_eq!(change(&mut scheduler, 0), []);
    assert_eq!(starts(&scheduler.step(second(9), Event::Tick)), []);
    assert_eq!(scheduler.wakes(second(9)), Some(second(10)));
    assert_eq!(starts(&scheduler.step(second(10), Event::Tick)), [(Trigger::Change, None, 0, 1)]);
    // What changes during a run is for the next.
    assert_eq!(change(&mut scheduler, 12), []);
    let after = scheduler.step(second(30), ran(second(10), true));
    assert_eq!(starts(&after), [(Trigger::Change, None, 0, 1)]);
    scheduler.step(second(31), ran(second(30), true));
    // No quiet at all.
    let run = (100..200).find(|n| !change(&mut scheduler, *n).is_empty());
    assert_eq!(run, Some(160));
}

#[test]
fn a_failure_is_tried_again_and_told_if_that_cannot_be() {
    let id = RunId::new(at(0), 1);
    let retry = |number, at| Some(Pending { number, at, run: id });
    let failed =
        |began, retry| Event::Ended("p".into(), Ended::Ran { began, success: false, retry, resume: None });
    let keys = "schedule = '0 3 * * *'\nretry = { times = 3, wait = '5m' }";
    let begun = || {
        let mut scheduler = one(keys, at(0));
        scheduler.step(at(180), Event::Tick);
        assert_eq!(starts(&scheduler.step(at(181), failed(at(180), retry(2, at(186))))), []);
        scheduler
    };
    let mut scheduler = begun();
    assert_eq!(starts(&scheduler.step(at(186), Event::Tick)), [(Trigger::Retry, None, 0, 2)]);
    scheduler.step(at(187), ran(at(186), true));
    assert_eq!(scheduler.memory("p").unwrap().retry, None);
    // Paused, gone, without the key, or too late.
    let told = |actions: &[Action]| {
        actions
            .iter()
            .any(|action| matches!(action, Action::Tell(name, pending) if name == "p" && pending.run == id))
    };
    let pause = Pause { since: at(182), until: None };
    assert!(told(&begun().step(at(182), Event::Paused(None, pause))));
    assert!(told(&begun().remove("p")));
    let mut edited = begun();
    edited.put(at(182), "p", rules("schedule = '0 3 * * *'"), None, Past::default());
    assert!(told(&edited.step(at(182), Event::Tick)));
    let mut locked = begun();
    for minute in 186..400 {
        let now = at(minute);
        let actions = locked.step(now, Event::Tick);
        if told(&actions) {
            assert_eq!(minute, 186 + 60);
            return;
        }
        if !starts(&actions).is_empty() {
            locked.step(now, Event::Ended("p".into(), Ended::Locked("x".into())));
        }
    }
    panic!("a failure was never told");
}

#[test]
fn a_pause_ends_by_itself_and_what_was_missed_is_caught_up_at_once() {
    for which in [None, Some("p".to_owned())] {
        let mut scheduler = one("schedule = '0 * * * *'", at(0));
        let pause = Pause { since: at(1), until: Some(at(300)) };
        let actions = scheduler.step(at(1), Event::Paused(which.clone(), pause));
        assert!(matches!(actions[0], Action::SavePause(Some(_)) | Action::Save(_)));
        for minute in (2..300).step_by(7) {
            let actions = scheduler.step(at(minute), Event::Tick);
            assert!(starts(&actions).is_empty() && alarms(&actions).is_empty(), "{minute}");
        }
        // A person may still ask.
        assert_eq!(starts(&scheduler.step(at(250), Event::Asked(vec!["p".into()]))).len(), 1);
        scheduler.step(at(251), ran(at(250), true));
        let actions = scheduler.step(at(300), Event::Tick);
        assert_eq!(starts(&actions), [(Trigger::Schedule, Some(at(300)), 5, 1)], "{which:?}");
    }
    let mut scheduler = one("schedule = '0 3 * * *'", at(0));
    scheduler.step(at(1), Event::Paused(None, Pause { since: at(1), until: None }));
    let actions = scheduler.step(at(10 * HOUR), Event::Resumed(None));
    assert_eq!(starts(&actions), [(Trigger::CatchUp, Some(at(3 * HOUR)), 1, 1)]);
}

#[test]
fn a_group_goes_in_order_and_two_at_a_time() {
    let daily = rules("schedule = '0 3 * * *'");
    let mut scheduler = Scheduler::new(at(0), 2, None);
    for (name, after) in [("a", vec!["z"]), ("m", vec![]), ("n", vec![]), ("z", vec![])] {
        let mut rules = daily.clone();
        rules.timing.after = after.into_iter().map(str::to_owned).collect();
        scheduler.put(at(0), name, rules, None, Past::default());
    }
    let names = |actions: &[Action]| -> Vec<String> {
        let start = |action: &Action| {
            if let Action::Start(start) = action { Some(start.profile.clone()) } else { None }
        };
        actions.iter().filter_map(start).collect()
    };
    let ended = |name: &str| {
        Event::Ended(name.into(), Ended::Ran { began: at(180), success: true, retry: None, resume: None })
    };
    assert_eq!(names(&scheduler.step(at(180), Event::Tick)), ["m", "n"]);
    assert_eq!(names(&scheduler.step(at(181), ended("m"))), ["z"]);
    assert_eq!(names(&scheduler.step(at(182), ended("n"))), Vec::<String>::new());
    assert_eq!(names(&scheduler.step(at(183), ended("z"))), ["a"]);
    scheduler.step(at(184), ended("a"));
    // A person's wish has an order too, whatever the group's.
    let wish = ["n", "a", "m"].map(str::to_owned).to_vec();
    assert_eq!(names(&scheduler.step(at(190), Event::Asked(wish))), ["n"]);
    assert_eq!(names(&scheduler.step(at(191), ended("n"))), ["a"]);
    assert_eq!(names(&scheduler.step(at(192), ended("a"))), ["m"]);
}

#[test]
fn another_schedule_counts_from_its_edit() {
    let mut scheduler = one("schedule = '0 3 * * *'", at(0));
    let saves = scheduler.put(at(5 * HOUR), "p", rules("schedule = '0 4 * * *'"), None, Past::default());
    assert_eq!(saves.len(), 1);
    assert_eq!(starts(&scheduler.step(at(5 * HOUR + 10), Event::Tick)), []);
    assert_eq!(scheduler.views(at(5 * HOUR))["p"].next, Some(at(DAY + 4 * HOUR)));
    // The same rhythm under another grace is the same.
    let same = scheduler.put(
        at(6 * HOUR),
        "p",
        rules("schedule = '0 4 * * *'\ngrace = '1m'"),
        None,
        Past::default(),
    );
    assert_eq!(same, []);
}

#[test]
fn a_clock_that_goes_back_doubles_nothing_and_a_wrong_one_is_corrected() {
    let mut scheduler = one("schedule = '0 * * * *'", at(0));
    scheduler.step(at(60), Event::Tick);
    scheduler.step(at(61), ran(at(60), true));
    scheduler.step(at(30), Event::Woke);
    assert_eq!(starts(&scheduler.step(at(60), Event::Tick)), []);
    assert_eq!(starts(&scheduler.step(at(120), Event::Tick)).len(), 1);
    scheduler.step(at(121), ran(at(120), true));
    // It was wrong by a month.
    let month = -30 * DAY;
    scheduler.step(at(month), Event::Woke);
    assert_eq!(starts(&scheduler.step(at(month + 60), Event::Tick)).len(), 1);
}

#[test]
fn silence_is_told_once_on_day_three_and_then_weekly() {
    let mut scheduler = one("schedule = '0 3 * * *'", at(0));
    let mut told = Vec::new();
    // Every start is refused: somebody holds the folders for weeks.
    for minute in 0..(18 * DAY) {
        let now = at(minute);
        let mut actions = scheduler.step(now, Event::Tick);
        if !starts(&actions).is_empty() {
            actions.extend(scheduler.step(now, Event::Ended("p".into(), Ended::Locked("x".into()))));
        }
        told.extend(alarms(&actions).iter().map(|late| (minute, late.told)));
    }
    let first = 4 * HOUR;
    assert_eq!(
        told,
        [(first, 0), (3 * DAY + 3 * HOUR, 1), (10 * DAY + 3 * HOUR, 2), (17 * DAY + 3 * HOUR, 3)]
    );
}

#[test]
fn when_an_alarm_is_raised() {
    let daily = "schedule = '0 3 * * *'";
    let ran_at = |minutes: i64| {
        let began = Some(at(minutes));
        Past { first_run: began, last_run: began, ended: began, last_success: began }
    };
    for (keys, past, ready, expected) in [
        // Never run: from the first sight.
        (daily, Past::default(), 0, Some((3 * HOUR, 4 * HOUR))),
        (daily, ran_at(3 * HOUR), 0, Some((DAY + 3 * HOUR, DAY + 4 * HOUR))),
        // A failure was told: silence begins after it.
        (daily, Past { last_success: None, ..ran_at(3 * HOUR) }, 0, Some((27 * HOUR, 28 * HOUR))),
        // A run that took longer than the period: what came due meanwhile has its chance after it.
        ("every = '20m'", Past { ended: Some(at(95)), ..ran_at(0) }, 0, Some((20, 105))),
        // Never a success, but failures that were told.
        (
            "schedule = '0 3 * * *'\noverdue-after = '2d'",
            Past { last_success: None, ..ran_at(60) },
            0,
            Some((2 * DAY + 60, 2 * DAY + 60)),
        ),
        // The machine slept until noon: what is caught up has its chance.
        (daily, Past::default(), 12 * HOUR, Some((3 * HOUR, 12 * HOUR + 15))),
        // A free weekend: after Friday comes Monday.
        (
            "schedule = '0 3 * * Mon-Fri'",
            ran_at(4 * DAY + 3 * HOUR),
            0,
            Some((7 * DAY + 3 * HOUR, 7 * DAY + 4 * HOUR)),
        ),
        ("schedule = '0 3 * * *'\ngrace = '5m'", Past::default(), 0, Some((180, 185))),
        ("every = '20m'", ran_at(0), 0, Some((20, 30))),
        ("schedule = '0 3 * * *'\noverdue-after = '2d'", ran_at(60), 0, Some((2 * DAY + 60, 2 * DAY + 60))),
        ("overdue-after = '2d'", Past::default(), 0, Some((2 * DAY, 2 * DAY))),
        ("schedule = '0 3 * * *'\noverdue-after = false", Past::default(), 0, None),
        ("", Past::default(), 0, None),
    ] {
        let rules = rules(keys);
        let memory = Memory::new(at(0), rules.rhythm());
        let found = alarm(&rules, &memory, &past, at(ready));
        assert_eq!(found, expected.map(|(due, at_)| (at(due), at(at_))), "{keys} {past:?}");
    }
}

#[test]
fn jitter_is_the_same_every_day_and_at_most_a_tenth_of_the_period() {
    let mut daily = rules("schedule = '0 3 * * *'\njitter = '10m'");
    daily.spread = 12_345;
    let first = daily.jitter(at(180));
    assert_eq!(daily.jitter(at(DAY + 180)), first);
    assert!(first <= SignedDuration::from_mins(10));
    let mut often = rules("schedule = '*/10 * * * *'\njitter = '10m'");
    for spread in 0..500 {
        often.spread = spread * 7_919;
        assert!(often.jitter(at(10)) <= SignedDuration::from_mins(1));
    }
    // Two profiles of one machine are put off by different times.
    let two =
        ["a", "b"].map(|name| Rules::new(name, &timing("schedule = '@daily'"), &TimeZone::UTC, "m").spread);
    assert_ne!(two[0], two[1]);
    let mut scheduler = Scheduler::new(at(0), 2, None);
    scheduler.put(at(0), "p", daily, None, Past::default());
    let run = (180..200).find(|minute| !starts(&scheduler.step(at(*minute), Event::Tick)).is_empty());
    assert_eq!(run, Some(180 + (first.as_secs() + 59) / 60));
}

#[test]
fn a_run_that_does_not_react_is_told_once_and_makes_room() {
    let mut scheduler = Scheduler::new(at(0), 1, None);
    for name in ["a", "b"] {
        scheduler.put(at(0), name, rules("every = '1h'\ntimeout = '2h'"), None, Past::default());
    }
    assert_eq!(starts(&scheduler.step(at(60), Event::Tick)).len(), 1);
    assert_eq!(starts(&scheduler.step(at(194), Event::Tick)), []);
    let actions = scheduler.step(at(195), Event::Tick);
    assert!(actions.contains(&Action::Stuck("a".into())), "{actions:?}");
    assert_eq!(starts(&actions).len(), 1, "the other one goes on");
    assert!(!scheduler.step(at(196), Event::Tick).contains(&Action::Stuck("a".into())));
}

#[test]
fn an_alarm_that_could_not_be_told_is_raised_again() {
    let mut scheduler = one("schedule = '0 3 * * *'\ngrace = '5m'", at(0));
    scheduler.step(at(180), Event::Tick);
    scheduler.step(at(180), Event::Ended("p".into(), Ended::Locked("x".into())));
    scheduler.step(at(184), Event::Tick);
    scheduler.step(at(184), Event::Ended("p".into(), Ended::Locked("x".into())));
    let late = alarms(&scheduler.step(at(185) - SignedDuration::from_secs(30), Event::Tick));
    assert_eq!(late, []);
    let starts_and_alarms = scheduler.step(at(186), Event::Tick);
    assert_eq!(alarms(&starts_and_alarms), [], "a run begins: it has its chance");
    let late = alarms(&scheduler.step(at(186), Event::Ended("p".into(), Ended::Locked("y".into()))));
    assert_eq!((late.len(), late[0].why.as_deref()), (1, Some("y")));
    scheduler.untold(&late);
    assert_eq!(alarms(&scheduler.step(at(186), Event::Tick)), late);
    assert_eq!(alarms(&scheduler.step(at(186), Event::Tick)), []);
}

#[test]
fn a_digest_comes_once_however_many_were_missed() {
    let mut scheduler = one("", at(0));
    let digest = crate::profile::Schedule::parse(&["0 7 * * Mon".into()]).unwrap();
    scheduler.set_digest(Some((digest, TimeZone::UTC, at(0))));
    let due = |actions: Vec<Action>| actions.iter().any(|action| matches!(action, Action::Digest(_)));
    assert!(!due(scheduler.step(at(6 * HOUR), Event::Tick)));
    assert!(due(scheduler.step(at(7 * HOUR), Event::Tick)));
    assert!(!due(scheduler.step(at(7 * HOUR + 1), Event::Tick)));
    // Three weeks asleep: what is caught up comes into it.
    let now = 22 * DAY;
    assert!(!due(scheduler.step(at(now), Event::Woke)));
    assert!(!due(scheduler.step(at(now + 14), Event::Tick)));
    assert!(due(scheduler.step(at(now + 15), Event::Tick)));
    assert!(!due(scheduler.step(at(now + 16), Event::Tick)));
}

/// Alarms in so many days of a profile whose starts are all refused, on a machine that is on for `on` minutes and then
/// sleeps for `asleep`.
fn refused_for(days: i64, keys: &str, on: i64, asleep: i64) -> usize {
    let mut scheduler = one(keys, at(0));
    let (mut now, mut told) = (0, 0);
    let mut step = |now: i64, event| {
        let mut actions = scheduler.step(at(now), event);
        if !starts(&actions).is_empty() {
            actions.extend(scheduler.step(at(now), Event::Ended("p".into(), Ended::Locked("x".into()))));
        }
        alarms(&actions).len()
    };
    while now < days * DAY {
        for _ in 0..on {
            told += step(now, Event::Tick);
            now += 1;
        }
        now += asleep;
        told += step(now, Event::Woke);
    }
    told
}

#[test]
fn silence_is_told_whatever_the_machine_does() {
    let daily = "schedule = '0 3 * * *'";
    for (keys, on, asleep) in [
        (daily.to_owned(), 7 * DAY, 1),
        // Nothing is caught up, but it never ran either.
        (format!("{daily}\ncatch-up = 'skip'"), 7 * DAY, 1),
        // Never on for a whole grace.
        (daily.to_owned(), 50, DAY - 50),
        (daily.to_owned(), 55, 1),
        ("overdue-after = '2d'".to_owned(), 50, DAY - 50),
    ] {
        let told = refused_for(12, &keys, on, asleep);
        assert!(told >= 2, "{keys} {on} {asleep}: {told}");
    }
    // Passed over while the machine was off: nobody wants to hear of it.
    let mut scheduler = one(&format!("{daily}\ncatch-up = 'skip'"), at(0));
    for day in 1..30 {
        let noon = day * DAY + 12 * HOUR;
        scheduler.step(at(noon), Event::Woke);
        for minute in 0..(6 * HOUR) {
            assert_eq!(
                scheduler
                    .step(at(noon + minute), Event::Tick)
                    .iter()
                    .filter(|a| matches!(a, Action::Alarm(_)))
                    .count(),
                0
            );
        }
    }
}

#[test]
fn what_a_wrong_clock_told_is_told_again() {
    assert!(retell(at(0), at(400 * DAY), at(DAY)));
    assert!(!retell(at(0), at(60), at(59)));
}

#[test]
fn the_failure_of_a_profile_that_is_gone_meanwhile_is_told() {
    let retry = Pending { number: 2, at: at(99), run: RunId::new(at(0), 1) };
    let failed = || {
        Event::Ended(
            "p".into(),
            Ended::Ran { began: at(60), success: false, retry: Some(retry), resume: None },
        )
    };
    let keys = "every = '1h'\nretry = { times = 1 }";
    let mut gone = one(keys, at(0));
    gone.step(at(60), Event::Tick);
    gone.remove("p");
    assert_eq!(gone.step(at(61), failed()), [Action::Tell("p".into(), retry)]);
    // It was away for a moment, as in a checkout.
    let mut back = one(keys, at(0));
    back.step(at(60), Event::Tick);
    back.remove("p");
    back.put(at(61), "p", rules(keys), None, Past::default());
    assert!(back.step(at(62), failed()).contains(&Action::Tell("p".into(), retry)));
}

#[test]
fn a_run_that_paused_goes_on_by_itself_and_is_no_silence() {
    let mut scheduler = one("schedule = '0 3 * * *'\ngrace = '5m'", at(0));
    assert_eq!(starts(&scheduler.step(at(180), Event::Tick)), [(Trigger::Schedule, Some(at(180)), 1, 1)]);
    let resume = at(180 + 20 * HOUR);
    let paused = Ended::Ran { began: at(180), success: false, retry: None, resume: Some(resume) };
    assert_eq!(starts(&scheduler.step(at(190), Event::Ended("p".into(), paused.clone()))), []);
    assert_eq!(scheduler.wakes(at(190)), Some(resume));
    for minute in 191..(180 + 20 * HOUR) {
        assert_eq!(scheduler.step(at(minute), Event::Tick), [], "{minute}");
    }
    assert_eq!(starts(&scheduler.step(resume, Event::Tick)), [(Trigger::Resume, None, 0, 1)]);
    scheduler.step(at(180 + 21 * HOUR), ran(resume, true));
    assert_eq!(scheduler.memory("p").unwrap().resume, None);
    // It stands for what comes due meanwhile, too; and a clock that is put back does not hold it up for weeks.
    let mut scheduler = one("schedule = '0 3 * * *'", at(0));
    scheduler.step(at(180), Event::Tick);
    let late = Ended::Ran { began: at(180), success: false, retry: None, resume: Some(at(180 + 25 * HOUR)) };
    scheduler.step(at(190), Event::Ended("p".into(), late));
    assert_eq!(starts(&scheduler.step(at(180 + DAY), Event::Tick)), []);
    let went_on = starts(&scheduler.step(at(180 + 25 * HOUR), Event::Tick));
    assert_eq!(went_on, [(Trigger::Resume, Some(at(180 + DAY)), 0, 1)]);
    let mut back = one("on-change = true", at(0));
    back.step(at(1), Event::Asked(vec!["p".into()]));
    let far = Ended::Ran { began: at(1), success: false, retry: None, resume: Some(at(40 * DAY)) };
    assert_eq!(starts(&back.step(at(2), Event::Ended("p".into(), far))), [(Trigger::Resume, None, 0, 1)]);
}

#[test]
fn a_run_that_slept_along_is_not_stuck_and_one_elsewhere_no_silence() {
    let mut scheduler = one("every = '1h'\ntimeout = '2h'", at(0));
    scheduler.step(at(60), Event::Tick);
    let woke = scheduler.step(at(3 * DAY), Event::Woke);
    assert!(!woke.contains(&Action::Stuck("p".into())));
    assert!(scheduler.step(at(3 * DAY + 136), Event::Tick).contains(&Action::Stuck("p".into())));
    // A run in a terminal: no alarm before it had the time that a run may take.
    let mut scheduler = one("every = '1h'\ntimeout = '5h'\ngrace = '5m'", at(0));
    let mut told = None;
    for minute in 60..(10 * HOUR) {
        let mut actions = scheduler.step(at(minute), Event::Tick);
        if !starts(&actions).is_empty() {
            let elsewhere = Ended::Elsewhere("p is running already".into());
            actions.extend(scheduler.step(at(minute), Event::Ended("p".into(), elsewhere)));
        }
        told = told.or((!alarms(&actions).is_empty()).then_some(minute));
    }
    assert_eq!(told, Some(6 * HOUR));
}

#[test]
fn who_is_passed_over_holds_his_group_up_no_more() {
    let mut scheduler = Scheduler::new(at(0), 2, None);
    scheduler.put(at(0), "a", rules("schedule = '0 3 * * *'\ncatch-up = 'skip'"), None, Past::default());
    let mut second = rules("schedule = '0 3 * * *'");
    second.timing.after = vec!["a".into()];
    scheduler.put(at(0), "b", second, None, Past::default());
    scheduler.step(at(180), Event::Tick);
    let held = scheduler.step(at(180), Event::Ended("a".into(), Ended::Locked("x".into())));
    assert_eq!(starts(&held), []);
    // Past its grace nobody waits for it.
    let late = (240..300).find(|minute| {
        let actions = scheduler.step(at(*minute), Event::Tick);
        let of =
            |action: &Action, name: &str| matches!(action, Action::Start(start) if start.profile == name);
        if actions.iter().any(|action| of(action, "a")) {
            scheduler.step(at(*minute), Event::Ended("a".into(), Ended::Locked("x".into())));
        }
        actions.iter().any(|action| of(action, "b"))
    });
    assert!(late.is_some());
}

#[test]
fn profiles_that_are_asked_for_against_the_order_of_their_group_do_not_wait_for_each_other() {
    let mut scheduler = Scheduler::new(at(0), 2, None);
    let mut grouped = rules("every = '30m'");
    grouped.timing.after = vec!["x".into()];
    scheduler.put(at(0), "x", rules(""), None, Past::default());
    scheduler.put(at(0), "y", grouped, None, Past::default());
    let asked = scheduler.step(at(1), Event::Asked(vec!["y".into(), "x".into()]));
    assert!(matches!(&asked[..], [Action::Start(start)] if start.profile == "y"), "{asked:?}");
    // While it runs its next due time comes.
    scheduler.step(at(40), Event::Tick);
    let success = |began| Ended::Ran { began: at(began), success: true, retry: None, resume: None };
    let after = scheduler.step(at(41), Event::Ended("y".into(), success(1)));
    let started = |actions: &[Action], name: &str| {
        actions.iter().any(|action| matches!(action, Action::Start(start) if start.profile == name))
    };
    assert!(started(&after, "x") && !started(&after, "y"), "{after:?}");
    let after = scheduler.step(at(42), Event::Ended("x".into(), success(41)));
    assert!(started(&after, "y"), "{after:?}");
}

#[test]
fn a_run_that_hangs_is_told_although_the_machine_sleeps_every_night() {
    let mut scheduler = one("every = '30m'\ntimeout = '2d'", at(0));
    scheduler.step(at(30), Event::Tick);
    let mut told = 0;
    for minute in 31..10 * DAY {
        let asleep = minute % DAY < 8 * HOUR;
        let woke = minute % DAY == 8 * HOUR;
        if !asleep {
            let actions = scheduler.step(at(minute), if woke { Event::Woke } else { Event::Tick });
            told += actions.iter().filter(|action| matches!(action, Action::Stuck(_))).count();
        }
    }
    assert_eq!(told, 1);
}

#[test]
fn failures_do_not_repeat_the_alarm_about_the_last_success() {
    let mut scheduler = one("every = '1h'\noverdue-after = '3h'", at(0));
    let mut told = 0;
    for minute in 1..DAY {
        let actions = scheduler.step(at(minute), Event::Tick);
        told += alarms(&actions).len();
        if !starts(&actions).is_empty() {
            told += alarms(&scheduler.step(at(minute), ran(at(minute), false))).len();
        }
    }
    assert_eq!(told, 1);
    scheduler.step(at(DAY), Event::Tick);
    scheduler.step(at(DAY), ran(at(DAY), true));
    assert_eq!(scheduler.memory("p").unwrap().alarm, None);
}

#[test]
fn what_came_due_during_a_long_run_of_its_own_is_passed_over_and_not_told() {
    let mut scheduler = one("schedule = '0 3 * * *'\ncatch-up = 'skip'", at(0));
    let asked = scheduler.step(at(2 * HOUR + 50), Event::Asked(vec!["p".into()]));
    assert_eq!(starts(&asked).len(), 1);
    scheduler.step(at(3 * HOUR), Event::Tick);
    scheduler.step(at(4 * HOUR + 1), ran(at(2 * HOUR + 50), true));
    let told: usize = (242..DAY).map(|minute| alarms(&scheduler.step(at(minute), Event::Tick)).len()).sum();
    assert_eq!(told, 0);
}

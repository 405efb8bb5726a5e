//! How long a run may take, and what its outcome is when something made it stop.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use jiff::SignedDuration;

use crate::profile::show_duration;
use crate::progress::{Meter, Reason};
use crate::run::{Message, Outcome, Status, Trigger};

/// Does `work`, and asks `meter` to stop it when it takes longer than `limit`. The time is that of a clock that nobody
/// sets; it rests while the machine sleeps.
pub(super) fn within<T>(limit: Option<SignedDuration>, meter: &Meter, work: impl FnOnce() -> T) -> T {
    let Some(limit) = limit.and_then(|limit| Duration::try_from(limit).ok()) else { return work() };
    let result = std::thread::scope(|scope| {
        let (working, ended) = mpsc::channel::<()>();
        scope.spawn(move || {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                meter.cancel(Reason::Timeout);
            }
        });
        // Gone with the work, however that ends: then the watcher goes too.
        let _working = working;
        work()
    });
    meter.forget_timeout();
    result
}

/// Says why a run was cut short, where it was not a person who wished it.
pub(super) fn explain(outcome: &mut Outcome, meter: &Meter, limit: Option<SignedDuration>, trigger: Trigger) {
    if outcome.status != Status::Cancelled {
        return;
    }
    let (status, text, hint) = match meter.reason() {
        Some(Reason::Timeout) => {
            let limit = limit.map(shown).unwrap_or_default();
            let text = format!("the run was stopped after its timeout of {limit}");
            (Status::Failed, text, "raise `timeout`, or look at the log for what took so long")
        }
        Some(Reason::Shutdown) => {
            let text = "the agent was stopped".to_owned();
            let hint = match trigger {
                Trigger::Manual => "run it again: what a person started the agent does not start anew",
                _ => "it runs again when the agent is back",
            };
            (Status::Interrupted, text, hint)
        }
        Some(Reason::Person) | None => return,
    };
    outcome.status = status;
    let mut hints = vec![hint.to_owned()];
    // What else went wrong is not lost.
    if let Some(before) = outcome.error.take() {
        outcome.notes.push(before.text);
        hints.extend(before.hints);
    }
    outcome.error = Some(Message { text, hints });
}

/// A limit as people write it: a day is rather told as 24 hours.
fn shown(limit: SignedDuration) -> String {
    let hours = limit.as_hours();
    if (1..72).contains(&hours) && limit == SignedDuration::from_hours(hours) {
        return format!("{hours}h");
    }
    show_duration(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_takes_too_long_is_asked_to_stop_and_the_next_is_not() {
        let meter = Meter::default();
        let stopped = || {
            while !meter.is_cancelled() {
                std::thread::sleep(Duration::from_millis(1));
            }
            meter.reason()
        };
        let limit = Some(SignedDuration::from_millis(20));
        assert_eq!(within(limit, &meter, stopped), Some(Reason::Timeout));
        assert_eq!(meter.reason(), None);
        let hour = Some(SignedDuration::from_hours(1));
        assert_eq!(within(hour, &meter, || meter.reason()), None);
        assert_eq!(within(None, &meter, || 7), 7);
        assert!(std::panic::catch_unwind(|| within(hour, &Meter::default(), || panic!("no"))).is_err());
        meter.cancel(Reason::Person);
        assert_eq!(within(limit, &meter, stopped), Some(Reason::Person));
    }

    #[test]
    fn limits_as_people_write_them() {
        for (seconds, text) in [(3, "3s"), (3600, "1h"), (5400, "1h30m"), (86_400, "24h"), (864_000, "10d")] {
            assert_eq!(shown(SignedDuration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn only_a_run_that_was_cut_short_is_explained() {
        let limit = Some(SignedDuration::from_hours(24));
        let explained = |status, reason, error: Option<&str>| {
            let meter = Meter::default();
            meter.cancel(reason);
            let mut outcome = Outcome::new(status);
            outcome.error = error.map(|text| Message { text: text.into(), hints: vec!["look".into()] });
            explain(&mut outcome, &meter, limit, Trigger::Schedule);
            outcome
        };
        let late = explained(Status::Cancelled, Reason::Timeout, Some("the disk is full"));
        let error = late.error.unwrap();
        assert_eq!(
            (late.status, error.text.as_str(), error.hints.len(), late.notes),
            (
                Status::Failed,
                "the run was stopped after its timeout of 24h",
                2,
                vec!["the disk is full".to_owned()]
            )
        );
        let stopped = explained(Status::Cancelled, Reason::Shutdown, None);
        assert_eq!(
            (stopped.status, stopped.error.unwrap().text.as_str()),
            (Status::Interrupted, "the agent was stopped")
        );
        let by_hand = Outcome::new(Status::Cancelled);
        assert_eq!(explained(Status::Cancelled, Reason::Person, None), by_hand);
        for reason in [Reason::Person, Reason::Timeout] {
            assert_eq!(explained(Status::Ok, reason, None), Outcome::new(Status::Ok));
        }
    }
}

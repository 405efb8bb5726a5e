//! The outbox, letter by letter.

use super::super::Finish;
use super::super::testing::{Fixture, at, begun, end, id, run};
use super::*;
use crate::run::Status;

const REPORT: Report<'static> =
    Report { message_id: "<1.test@x>", subject: "a test", mail: b"Subject: a test\r\n\r\n" };

fn letter(recipients: &[&str]) -> NewLetter {
    NewLetter {
        kind: "test".into(),
        account: "local".into(),
        sender: "postkeep@nas1".into(),
        recipients: recipients.iter().map(|r| (*r).into()).collect(),
        profile: None,
    }
}

#[test]
fn the_waits_grow_and_never_end() {
    let (new, old) = (SignedDuration::from_hours(1), SignedDuration::from_hours(120));
    let cases = [
        (1, new, 1),
        (2, new, 5),
        (3, new, 15),
        (4, new, 30),
        (5, new, 60),
        (100, SignedDuration::from_secs(120 * 3600 - 1), 60),
        (100, old, 24 * 60),
        (u32::MAX, SignedDuration::MAX, 24 * 60),
        // Put off for days, then refused for the first time: the short waits come first all the same.
        (1, old, 1),
        // A clock that was put back.
        (7, SignedDuration::from_hours(-9), 60),
    ];
    for (tries, age, minutes) in cases {
        assert_eq!(retry_wait(tries, age), SignedDuration::from_mins(minutes), "{tries} {age}");
    }
}

#[test]
fn each_recipient_is_settled_alone() {
    let fixture = Fixture::new();
    let outbox = fixture.state.outbox();
    outbox.put(id(1), &REPORT, &letter(&["a@x", "b@x", "c@x"]), at(0)).unwrap();
    assert_eq!(outbox.due(Which::Due(at(0))).unwrap(), [id(1)]);
    let found = outbox.letter(id(1), Which::Due(at(0))).unwrap().unwrap();
    assert_eq!((found.mail, found.message_id.as_str()), (REPORT.mail.to_vec(), "<1.test@x>"));
    assert_eq!(found.recipients.len(), 3);

    outbox.settle(id(1), "a@x", &Settled::Delivered, at(1)).unwrap();
    outbox.settle(id(1), "b@x", &Settled::Refused("550 no such user".into()), at(1)).unwrap();
    outbox.settle(id(1), "c@x", &Settled::Later("451 come back".into()), at(1)).unwrap();
    assert!(outbox.due(Which::Due(at(60))).unwrap().is_empty());
    assert_eq!(outbox.letter(id(1), Which::Due(at(60))).unwrap(), None);
    assert_eq!(outbox.due(Which::Due(at(61))).unwrap(), [id(1)]);
    assert_eq!(outbox.due(Which::All).unwrap(), [id(1)]);
    let again = outbox.letter(id(1), Which::Due(at(61))).unwrap().unwrap().recipients;
    let left = Recipient {
        address: "c@x".into(),
        state: RecipientState::Queued,
        tries: 1,
        next_try: at(61),
        last_error: Some("451 come back".into()),
        settled_at: None,
        via: None,
    };
    assert_eq!(again, [left]);

    // What is settled stays settled.
    outbox.settle(id(1), "a@x", &Settled::Later("late".into()), at(70)).unwrap();
    let pending = outbox.pending(10).unwrap();
    let states: Vec<_> = pending.iter().map(|w| (w.recipient.address.as_str(), w.recipient.state)).collect();
    assert_eq!(states, [("b@x", RecipientState::Refused), ("c@x", RecipientState::Queued)]);
    assert_eq!(pending[0].recipient.settled_at, Some(at(1)));
    assert_eq!(outbox.pending(1).unwrap().len(), 1);
}

#[test]
fn a_clock_that_was_wrong_does_not_keep_a_letter_for_ever() {
    let fixture = Fixture::new();
    let outbox = fixture.state.outbox();
    outbox.put(id(1), &REPORT, &letter(&["a@x"]), at(0)).unwrap();
    let far = at(900_000_000);
    outbox.settle(id(1), "a@x", &Settled::Later("no".into()), far).unwrap();
    assert_eq!(outbox.due(Which::Due(at(0))).unwrap(), [id(1)]);
    assert!(outbox.due(Which::Due(far)).unwrap().is_empty());
}

#[test]
fn a_letter_to_nobody_is_for_the_reader_of_the_account() {
    let fixture = Fixture::new();
    fixture.state.outbox().put(id(1), &REPORT, &letter(&[]), at(0)).unwrap();
    let found = fixture.state.outbox().letter(id(1), Which::All).unwrap().unwrap();
    assert_eq!(found.recipients[0].address, "local");
}

#[test]
fn what_is_discarded_is_gone_but_a_report_stays() {
    let fixture = Fixture::new();
    let (history, outbox) = (fixture.state.history(), fixture.state.outbox());
    history.begin(&begun("docs", 1)).unwrap();
    let run = run("docs", 1, Status::Ok);
    history.finish(&Finish { letter: Some(&letter(&["a@x", "b@x"])), ..end(&run, None) }).unwrap();
    outbox.put(id(2), &REPORT, &letter(&["a@x"]), at(0)).unwrap();
    outbox.settle(id(1), "a@x", &Settled::Delivered, at(1)).unwrap();

    assert!(outbox.discard(id(1)).unwrap() && outbox.discard(id(2)).unwrap());
    assert!(!outbox.discard(id(1)).unwrap());
    assert!(outbox.pending(10).unwrap().is_empty() && outbox.due(Which::All).unwrap().is_empty());
    assert!(history.report(id(1)).unwrap().is_some() && history.report(id(2)).unwrap().is_none());
    assert_eq!(fixture.number("SELECT count(*) FROM recipient"), 1);
}

#[test]
fn a_letter_is_sent_again_to_whoever_is_named_now() {
    let fixture = Fixture::new();
    let outbox = fixture.state.outbox();
    outbox.put(id(1), &REPORT, &letter(&["a@x", "b@x"]), at(0)).unwrap();
    outbox.settle(id(1), "a@x", &Settled::DeliveredBy("other".into()), at(1)).unwrap();
    outbox.settle(id(1), "b@x", &Settled::Refused("550".into()), at(1)).unwrap();
    let envelope = outbox.envelope(id(1)).unwrap().unwrap();
    assert_eq!(envelope.recipients[0].via.as_deref(), Some("other"));
    assert!(outbox.queue_refused(id(1), at(2)).unwrap() && !outbox.queue_refused(id(1), at(2)).unwrap());
    let waiting = outbox.letter(id(1), Which::Due(at(2))).unwrap().unwrap().recipients;
    assert_eq!(waiting.iter().map(|to| to.address.as_str()).collect::<Vec<_>>(), ["b@x"]);

    outbox.send_again(id(1), &letter(&["a@x", "c@x"]), false, at(3)).unwrap();
    let waiting = outbox.letter(id(1), Which::Due(at(3))).unwrap().unwrap().recipients;
    assert_eq!(waiting.iter().map(|to| to.address.as_str()).collect::<Vec<_>>(), ["a@x", "b@x", "c@x"]);
    assert!(outbox.send_again(id(9), &letter(&["a@x"]), false, at(3)).is_err(), "there is no such mail");
    assert_eq!(outbox.ids(&id(1).to_string()[..20], 9).unwrap(), [id(1)]);
    assert_eq!(outbox.envelope(id(9)).unwrap(), None);

    outbox.told(id(1), at(4)).unwrap();
    assert_eq!(outbox.letter(id(1), Which::All).unwrap().unwrap().told, Some(at(4)));
}

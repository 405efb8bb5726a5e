//! Waiting for new mail, at servers that tell of it in every way.

use std::time::Duration;

use postkeep::mail::imap::{Count, Failed};

use super::script::session;

/// Longer than a script's patience for a silence that was not agreed on.
const WITHIN: Duration = Duration::from_secs(2);

#[test]
fn what_comes_ends_the_wait_whenever_it_is_told() {
    for (told, messages, came) in [
        ("S: + idling\nC: DONE\nS: D OK done", 3, false),
        ("S: + idling\nS: * 4 EXISTS\nS: * 1 RECENT\nC: DONE\nS: D OK done", 4, true),
        // Before the wait begins, and after it ended.
        ("S: * 4 EXISTS\nS: + idling\nC: DONE\nS: D OK done", 4, true),
        ("S: + idling\nC: DONE\nS: * 4 EXISTS\nS: D OK done", 4, true),
        // One that is taken away, and one that comes: as many as before.
        ("S: + idling\nS: * 1 EXPUNGE\nS: * 3 EXISTS\nC: DONE\nS: D OK done", 3, true),
        // None of this is new mail.
        (
            "S: + idling\nS: * OK Still here\nS: * 2 FETCH (FLAGS (\\Seen))\nS: * 3 EXISTS\nS: * WHAT is this?
             C: DONE\nS: D OK done",
            3,
            false,
        ),
    ] {
        let (mut session, script) = session("IDLE", &format!("C: D IDLE\n{told}\nC: E NOOP\nS: E OK done"));
        assert!(session.can_idle());
        let mut count = Count::new(3);
        session.idle(&mut count, WITHIN).unwrap();
        assert_eq!((count.messages(), count.take_came(), count.take_came()), (messages, came, false), "{told}");
        session.poll(&mut count).unwrap();
        drop(session);
        script.end();
    }
}

#[test]
fn a_server_that_breaks_off_is_left_and_one_that_refuses_is_asked() {
    for (told, said) in [
        ("S: + idling\nS: * BYE Session expired\ncut", "Session expired"),
        ("S: + idling\ncut", "hung up"),
        ("S: + idling\nS: D OK enough", "ended IDLE by itself"),
        ("S: D OK enough", "before it began"),
        ("S: + idling\nC: DONE\nstall", "silent for too long"),
        ("stall", "silent for too long"),
        ("S: + idling\nxs 20000000\nstall", "cannot be understood"),
        ("S: + idling\nflood * 2 FETCH (FLAGS ())", "more than can be true"),
    ] {
        let (mut session, script) = session("IDLE", &format!("C: D IDLE\n{told}"));
        let failed = session.idle(&mut Count::new(3), WITHIN).unwrap_err();
        assert!(session.is_broken() && failed.to_string().contains(said), "{told}: {failed:?}");
        drop(session);
        script.end();
    }
    let (mut session, script) =
        session("IDLE", "C: D IDLE\nS: D NO not today\nC: E NOOP\nS: * 5 EXISTS\nS: E OK done");
    let mut count = Count::new(3);
    assert!(matches!(session.idle(&mut count, WITHIN), Err(Failed::No(_))));
    session.poll(&mut count).unwrap();
    assert!(count.take_came());
    drop(session);
    script.end();
}

//! Bodies: each once, in order, as it was sent, and whatever can be said of one alone is said of that one.

use postkeep::archive::source::{Since, Source};
use postkeep::error::{Error, Kind};
use postkeep::vault::store::Traffic;
use postkeep::vault::store::mailbox::{Budget, Spent};

use super::*;

#[test]
fn bodies_come_in_the_order_asked_whatever_the_server_does() {
    // Two batches. The first comes in another order, with a size that was not announced and a UID behind the body, and
    // with what nobody asked for; the second comes with bytes that are no text.
    let (mut it, script) = scripted(&format!(
        "{EXAMINE}
        C: A UID FETCH 2,4:5 (UID BODY.PEEK[])
        C: B UID FETCH 9 (UID BODY.PEEK[])
        S: * 3 FETCH (UID 5 BODY[] {{4}}
        S: five)
        S: * 9 FETCH (UID 77 BODY[] {{5}}
        S: other)
        S: * 1 FETCH (BODY[] {{3}}
        S: two UID 2)
        S: * 1 FETCH (UID 2 FLAGS (\\Seen))
        S: * 3 FETCH (UID 5 BODY[] {{4}}
        S: more)
        S: * 2 FETCH (UID 4 BODY[] {{2000}}
        xs 2000
        S: )
        S: A OK done
        S: * 4 FETCH (UID 9 BODY[] {{6}}
        S- \\r\\nab\\r\\n)\\r\\n
        S: B OK done"
    ));
    let (came, ended) = fetched(&mut it.imap, &listed(&[(5, 4_000_000), (2, 3), (4, 10), (9, 5_000_000)]));
    ended.unwrap();
    assert_eq!(came, ["five", "two", "in a file: 2000", "\r\nab\r\n"]);
    assert_eq!(std::fs::read_dir(it.spool.path()).unwrap().count(), 0);
    drop(it);
    script.end();
}

#[test]
fn what_does_not_come_is_gone_or_refused_and_the_others_come() {
    let (mut it, script) = scripted(&format!(
        "{EXAMINE}
        C: A UID FETCH 1:6 (UID BODY.PEEK[])
        S: * 1 FETCH (UID 1 BODY[] {{3}}
        S: one)
        S: * 5 FETCH (UID 5 BODY[] NIL)
        S: A NO [EXPUNGEISSUED] Some of them are gone
        C: B NOOP
        S: * 2 EXPUNGE
        S: B OK done
        C: C UID FETCH 2:6 (UID FLAGS)
        S: * 2 FETCH (UID 3 FLAGS ())
        S: * 3 FETCH (UID 4 FLAGS ())
        S: * 4 FETCH (UID 5 FLAGS ())
        S: * 5 FETCH (UID 6 FLAGS ())
        S: C OK done
        C: D UID FETCH 3 (UID BODY.PEEK[])
        C: E UID FETCH 4 (UID BODY.PEEK[])
        C: F UID FETCH 5 (UID BODY.PEEK[])
        C: G UID FETCH 6 (UID BODY.PEEK[])
        S: * 2 FETCH (UID 3 BODY[] {{5}}
        S: three)
        S: D OK done
        S: E NO [SERVERBUG] Server error - Please try again later
        S: * 4 FETCH (UID 5 BODY[] {{0}}
        S: )
        S: F OK done
        S: * 4 FETCH (UID 6 BODY[] \"six\")
        S: G OK done
        C: H NOOP
        S: H OK done
        C: I UID FETCH 4 (UID FLAGS)
        S: * 3 FETCH (UID 4 FLAGS ())
        S: I OK done
        C: J UID FETCH 4 (UID BODY.PEEK[])
        S: J NO [SERVERBUG] Server error - Please try again later"
    ));
    let messages: Vec<_> = (1..=6).map(|uid| (uid, 3)).collect();
    let (came, ended) = fetched(&mut it.imap, &listed(&messages));
    ended.unwrap();
    let expected = [
        "one",
        "gone",
        "three",
        "refused: [SERVERBUG] Server error - Please try again later",
        "refused: the server gives nothing for it",
        "six",
    ];
    assert_eq!(came, expected);
    // Once for a "later".
    assert_eq!(*it.rests.lock().unwrap(), Duration::from_secs(1));
    drop(it);
    script.end();
}

#[test]
fn messages_that_were_listed_for_another_validity_are_not_fetched() {
    let (mut it, script) = scripted(
        "C: E EXAMINE \"Box\"
        S: * OK [UIDVALIDITY 8] ok
        S: E OK done",
    );
    let (came, ended) = fetched(&mut it.imap, &listed(&[(1, 3)]));
    let said = words(ended);
    assert!(said.contains("Box in imap:box") && said.contains("was 7 and is 8"), "{said}");
    assert!(came.is_empty());
    let mut odd = listed(&[(1, 3), (2, 3)]);
    odd[1].key = "8.2".into();
    assert!(words(fetched(&mut it.imap, &odd).1).contains("not listed together"));
    drop(it);
    script.end();
}

#[test]
fn a_message_that_is_too_large_is_refused_unasked_or_when_it_begins() {
    let (mut it, script) = scripted(&format!(
        "{EXAMINE}
        C: A UID FETCH 2:3 (UID BODY.PEEK[])
        S: * 2 FETCH (UID 2 BODY[] {{2000000000}}
        stall
        next
        {EXAMINE}
        C: A UID FETCH 3 (UID BODY.PEEK[])
        S: * 3 FETCH (UID 3 BODY[] {{5}}
        S: three)
        S: A OK done"
    ));
    let (came, ended) = fetched(&mut it.imap, &listed(&[(1, 5 << 30), (2, 10), (3, 5)]));
    ended.unwrap();
    assert!(came[0].contains("it has 5368709120 bytes") && came[1].contains("2000000000"), "{came:?}");
    assert_eq!(came[2], "three");
    drop(it);
    script.end();
}

/// Lets so many bytes come.
#[derive(Debug)]
struct Few(Mutex<u64>);

impl Budget for Few {
    fn may_send(&self, _: u64) -> Result<(), Spent> {
        panic!("nothing is sent")
    }
    fn may_fetch(&self, bytes: u64) -> Result<(), Spent> {
        let mut left = self.0.lock().unwrap();
        *left = left.checked_sub(bytes).ok_or(Spent { until: None })?;
        Ok(())
    }
    fn used(&self, traffic: Traffic) {
        assert!(traffic.down < 10_000_000);
    }
    fn not_fetched(&self, bytes: u64) {
        *self.0.lock().unwrap() += bytes;
    }
    fn throttled(&self) -> Spent {
        Spent { until: Some("2030-01-01T00:00:00Z".parse().unwrap()) }
    }
}

#[test]
fn a_spent_budget_and_a_server_that_has_had_enough_make_a_pause() {
    // The second batch may not come any more; what was asked comes.
    let budget = Arc::new(Few(Mutex::new(5_000_000)));
    let few = |options: &mut Options| options.budget = Arc::clone(&budget) as _;
    let (mut it, script) = scripted_with(
        &format!(
            "{EXAMINE}
            C: A UID FETCH 1 (UID BODY.PEEK[])
            S: * 1 FETCH (UID 1 BODY[] {{3}}
            S: one)
            S: A OK done"
        ),
        few,
    );
    let (came, ended) = fetched(&mut it.imap, &listed(&[(1, 4_000_000), (2, 4_000_000)]));
    let error = ended.unwrap_err();
    assert_eq!((came, error.kind()), (vec!["one".to_owned()], Kind::Paused), "{error:?}");
    drop(it);
    script.end();
    // What was announced and did not come is free again.
    let left = *budget.0.lock().unwrap();
    assert!((4_990_000..5_000_000).contains(&left), "{left}");
    // What was announced too small counts as what it is.
    let (mut it, script) = scripted_with(
        &format!(
            "{EXAMINE}
            C: A UID FETCH 1 (UID BODY.PEEK[])
            S: * 1 FETCH (UID 1 BODY[] {{9000000}}
            stall"
        ),
        few,
    );
    assert_eq!(fetched(&mut it.imap, &listed(&[(1, 10)])).1.unwrap_err().kind(), Kind::Paused);
    drop(it);
    script.end();

    for said in [
        "S: A NO [THROTTLED] x",
        "S: A NO [OVERQUOTA] Account exceeded command or bandwidth limits.",
        "S: A NO [LIMIT] x",
        "S: * BYE Too many requests, bandwidth exceeded\ncut",
        // Without a code it is asked what else is refused.
        "S: A BAD Request is throttled. Suggested Backoff Time: 29947 milliseconds
            C: B NOOP
            S: B BAD Request is throttled. Suggested Backoff Time: 29947 milliseconds",
        "S: A NO Download bandwidth exceeded
            C: B NOOP
            S: B OK done
            C: C UID FETCH 2 (UID FLAGS)
            S: C NO Download bandwidth exceeded",
    ] {
        let (mut it, script) = scripted_with(
            &format!(
                "{EXAMINE}
                C: A UID FETCH 1:2 (UID BODY.PEEK[])
                S: * 1 FETCH (UID 1 BODY[] {{3}}
                S: one)
                {said}"
            ),
            |options| options.budget = Arc::new(Few(Mutex::new(u64::MAX))),
        );
        let (came, ended) = fetched(&mut it.imap, &listed(&[(1, 3), (2, 3)]));
        let error = ended.unwrap_err();
        assert_eq!((came.len(), error.kind()), (1, Kind::Paused), "{said}: {error:?}");
        assert!(error.one_line().contains("2030-01-01"), "{error:?}");
        drop(it);
        script.end();
    }
}

#[test]
fn words_about_one_message_spend_no_budget() {
    let no = "NO message has too many MIME parts";
    let (mut it, script) = scripted_with(
        &format!(
            "{EXAMINE}
            C: A UID FETCH 1:3 (UID BODY.PEEK[])
            S: * 1 FETCH (UID 1 BODY[] {{3}}
            S: one)
            S: A {no}
            C: B NOOP
            S: B OK done
            C: C UID FETCH 2:3 (UID FLAGS)
            S: * 2 FETCH (UID 2 FLAGS ())
            S: * 3 FETCH (UID 3 FLAGS ())
            S: C OK done
            C: D UID FETCH 2 (UID BODY.PEEK[])
            C: F UID FETCH 3 (UID BODY.PEEK[])
            S: D {no}
            S: * 3 FETCH (UID 3 BODY[] {{5}}
            S: three)
            S: F OK done
            C: G NOOP
            S: G OK done
            C: H UID FETCH 2 (UID FLAGS)
            S: * 2 FETCH (UID 2 FLAGS ())
            S: H OK done
            C: I UID FETCH 2 (UID BODY.PEEK[])
            S: I {no}
            C: J EXAMINE \"Box\"
            S: J NO Mailbox \"bandwidth\" is broken
            C: K NOOP
            S: K OK done
            C: L EXAMINE \"Box\"
            S: L NO Too many simultaneous connections
            C: M NOOP
            S: M NO Too many simultaneous connections"
        ),
        |options| options.retries.clear(),
    );
    let (came, ended) = fetched(&mut it.imap, &listed(&[(1, 3), (2, 3), (3, 5)]));
    ended.unwrap();
    assert_eq!(came, ["one", "refused: message has too many MIME parts", "three"]);
    // The same of a folder, in whose name the words may stand.
    for kind in [Kind::Other, Kind::Paused] {
        let error = it.imap.list(&folder(), Since::default()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
    }
    drop(it);
    script.end();
}

#[test]
fn whoever_takes_them_can_end_it() {
    let (mut it, script) = scripted(&format!(
        "{EXAMINE}
        C: A UID FETCH 1:2 (UID BODY.PEEK[])
        S: * 1 FETCH (UID 1 BODY[] {{3}}
        S: one)
        stall"
    ));
    let ended = it.imap.fetch(&folder(), &listed(&[(1, 3), (2, 3)]), &mut |_, _| {
        Err(Error::new(Kind::Stopped, "the vault is full"))
    });
    let error = ended.unwrap_err();
    assert_eq!((error.kind(), error.one_line()), (Kind::Stopped, "the vault is full".into()));
    drop(it);
    script.end();

    let stopped = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let own = Arc::clone(&stopped);
    let (mut it, script) = scripted_with(
        &format!(
            "{EXAMINE}
            C: A UID FETCH 1:2 (UID BODY.PEEK[])
            S: * 1 FETCH (UID 1 BODY[] {{3}}
            S: one)
            S: * 2 FETCH (UID 2 BODY[] {{3}}
            S: two)
            stall"
        ),
        |options| {
            options.is_cancelled = Arc::new(move || own.load(std::sync::atomic::Ordering::Relaxed));
        },
    );
    let ended = it.imap.fetch(&folder(), &listed(&[(1, 3), (2, 3)]), &mut |at, _| {
        assert_eq!(at, 0);
        stopped.store(true, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    });
    assert_eq!(ended.unwrap_err().kind(), Kind::Cancelled);
    drop(it);
    script.end();
}

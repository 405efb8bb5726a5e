//! APPEND: what is written ahead, and which answer belongs to which message.

use postkeep::mail::imap::{Appended, Failed, Meaning, Outgoing};

use super::script::session;

fn outgoing(text: &str) -> Outgoing {
    Outgoing { body: Box::new(text.as_bytes().to_vec()), flags: &["\\Seen"], internal_date: None }
}

/// In one letter a message: S stored, R refused, U unknown, N not sent. With the UIDs that are known.
fn appends(offers: &str, messages: &[&str], text: &str) -> (String, Vec<u32>, Option<Failed>) {
    let (mut session, script) = session(
        offers,
        &format!(
            "C: N LIST \"\" \"\"
        S: * LIST (\\Noselect) \"/\" \"\"
        S: N OK done
        {text}"
        ),
    );
    let (results, failed) = session.append_all("Box", messages.iter().map(|text| outgoing(text)).collect());
    assert_eq!(session.is_broken(), failed.is_some());
    drop(session);
    script.end();
    let letter = |result: &Appended| match result {
        Appended::Stored(_) => 'S',
        Appended::Refused { .. } => 'R',
        Appended::Unknown => 'U',
        Appended::Unsent => 'N',
    };
    let uid = |result: &Appended| match result {
        Appended::Stored(Some((7, uid))) => Some(*uid),
        _ => None,
    };
    (results.iter().map(letter).collect(), results.iter().filter_map(uid).collect(), failed)
}

#[test]
fn with_literal_plus_nothing_waits() {
    let (letters, uids, failed) = appends(
        "LITERAL+ UIDPLUS",
        &["one", "two", "three", "four"],
        "C: A APPEND \"Box\" (\\Seen) {3+}
        C: one
        C: B APPEND \"Box\" (\\Seen) {3+}
        C: two
        C: C APPEND \"Box\" (\\Seen) {5+}
        C: three
        C: D APPEND \"Box\" (\\Seen) {4+}
        C: four
        S: * 5 EXISTS
        S: C OK [APPENDUID 7 13] in another order
        S: A OK [APPENDUID 7 11] done
        S: * NAMESPACE NIL NIL (
        S: B NO [OVERQUOTA] Quota exceeded
        S: D OK done",
    );
    assert!(failed.is_none());
    assert_eq!((letters.as_str(), uids), ("SRSS", vec![11, 13]));
}

#[test]
fn without_it_leave_is_asked_while_answers_come() {
    let (letters, uids, failed) = appends(
        "UIDPLUS",
        &["one", "two", "three"],
        "C: A APPEND \"Box\" (\\Seen) {3}
        S: + go
        C: one
        C: B APPEND \"Box\" (\\Seen) {3}
        S: A OK [APPENDUID 7 11] done
        S: B NO [TOOBIG] not this one
        C: C APPEND \"Box\" (\\Seen) {5}
        S: * 3 EXISTS
        S: +
        C: three
        S: C OK [APPENDUID 7 12] done",
    );
    assert!(failed.is_none());
    assert_eq!((letters.as_str(), uids), ("SRS", vec![11, 12]));
}

#[test]
fn literal_minus_has_a_limit() {
    let (short, long) = ("x".repeat(4096), "y".repeat(4097));
    let (letters, _, failed) = appends(
        "LITERAL-",
        &[&short, &long],
        &format!(
            "C: A APPEND \"Box\" (\\Seen) {{4096+}}
            C: {short}
            C: B APPEND \"Box\" (\\Seen) {{4097}}
            S: A OK done
            S: + go
            C: {long}
            S: B OK done"
        ),
    );
    assert!(failed.is_none());
    assert_eq!(letters, "SS");
}

#[test]
fn a_batch_is_one_command_and_one_answer() {
    let batch = "C: A APPEND \"Box\" (\\Seen) {3+}
        C: one (\\Seen) {3+}
        C: two (\\Seen) {5+}
        C: three";
    for (answer, letters, uids) in [
        ("OK [APPENDUID 7 11:13] done", "SSS", vec![11, 12, 13]),
        ("OK [APPENDUID 7 11,20:21] done", "SSS", vec![11, 20, 21]),
        // UIDs that cannot be told apart are not known.
        ("OK [APPENDUID 7 11:12] done", "SSS", vec![]),
        ("OK done", "SSS", vec![]),
        ("NO [TOOBIG] one of them", "RRR", vec![]),
        ("BAD what", "RRR", vec![]),
    ] {
        let text = format!("{batch}\nS: A {answer}");
        let (got, known, failed) = appends("LITERAL+ MULTIAPPEND UIDPLUS", &["one", "two", "three"], &text);
        assert!(failed.is_none());
        assert_eq!((got.as_str(), known), (letters, uids), "{answer}");
    }
}

#[test]
fn what_is_larger_than_the_limit_is_not_sent() {
    let (letters, _, failed) = appends(
        "LITERAL+ MULTIAPPEND APPENDLIMIT=4",
        &["one", "three", "two", "seven"],
        "C: A APPEND \"Box\" (\\Seen) {3+}
        C: one
        C: B APPEND \"Box\" (\\Seen) {3+}
        C: two
        S: A OK done
        S: B OK done",
    );
    assert!(failed.is_none());
    assert_eq!(letters, "SRSR");
}

#[test]
fn a_lost_answer_is_no_answer() {
    let sent = "C: A APPEND \"Box\" (\\Seen) {3+}
        C: one
        C: B APPEND \"Box\" (\\Seen) {3+}
        C: two";
    for (end, letters, said) in [
        ("S: A OK done\ncut", "SU", "hung up"),
        ("cut", "UU", "hung up"),
        ("S: A OK done\nS: * BYE [UNAVAILABLE] Session expired\ncut", "SU", "Session expired"),
        ("S: A OK done\nstall", "SU", "silent"),
        ("S: B OK done\nS- A O\ncut", "US", "hung up"),
        ("S: Z OK done\nstall", "UU", "cannot be understood"),
        ("S: A MAYBE\nstall", "UU", "cannot be understood"),
        ("S: + go\nstall", "UU", "nobody promised"),
        ("S- * \nxs 5000000\nstall", "UU", "more than can be true"),
    ] {
        let (got, _, failed) = appends("LITERAL+", &["one", "two"], &format!("{sent}\n{end}"));
        let failed = failed.unwrap_or_else(|| panic!("{end}"));
        assert_eq!((got.as_str(), failed.meaning()), (letters, Meaning::Later), "{end}");
        assert!(failed.to_string().contains(said), "{end}: {failed}");
    }
    // What was never begun was never sent.
    let (got, _, failed) = appends("X", &["one", "two"], "C: A APPEND \"Box\" (\\Seen) {3}\ncut");
    assert!(failed.is_some());
    assert_eq!(got, "UN");
    // A yes before the message is no yes.
    let (got, _, failed) = appends("X", &["one"], "C: A APPEND \"Box\" (\\Seen) {3}\nS: A OK done\nstall");
    assert!(failed.is_some());
    assert_eq!(got, "U");
}

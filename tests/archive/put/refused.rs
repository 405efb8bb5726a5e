//! Against servers that refuse, break off and are late, as no real one does on request.

use jiff::Timestamp;
use postkeep::archive::put::Done;
use postkeep::error::{Kind, Result};

use super::{Archive, target};
use crate::imap::script::{self, Script};

/// What a server says until the first message comes; the folder is INBOX, and empty.
fn until_appended(offers: &str) -> String {
    script::login(&format!(
        "S: B OK welcome
        C: C CAPABILITY
        S: * CAPABILITY IMAP4rev1 {offers}
        S: C OK done
        C: D LIST \"\" \"*\"
        S: * LIST () \"/\" INBOX
        S: D OK done
        C: E LIST \"\" \"\"
        S: * LIST (\\Noselect) \"/\" \"\"
        S: E OK done
        C: F SELECT \"INBOX\"
        S: * 0 EXISTS
        S: * OK [UIDVALIDITY 7] valid
        S: * OK [UIDNEXT 1] next
        S: * OK [PERMANENTFLAGS (\\Seen)] flags
        S: F OK [READ-WRITE] open
"
    ))
}

fn against(offers: &str, count: usize, text: &str) -> (Result<()>, Done) {
    let mut archive = Archive::default();
    for n in 0..count {
        let text = format!("Message-ID: <{n}@x>\r\n\r\n");
        archive.add(
            "INBOX",
            Some(&format!("<{n}@x>")),
            "\\Seen \\Flagged $x",
            Timestamp::UNIX_EPOCH,
            text.into(),
        );
    }
    let script = Script::play(&format!("{}{text}", until_appended(offers)));
    let told = archive.put(target(script.account(), script::secret(), None));
    script.end();
    told
}

const APPEND: &str = "APPEND \"INBOX\" (\\Seen) \"01-Jan-1970 00:00:00 +0000\" {21+}";

#[test]
fn a_message_that_is_refused_is_a_failure_and_the_others_go_on() {
    let (result, done) = against(
        "LITERAL+",
        3,
        &format!(
            "C: A {APPEND}
            C: Message-ID: <0@x>
            C:
            C:
            C: B {APPEND}
            C: Message-ID: <1@x>
            C:
            C:
            C: C {APPEND}
            C: Message-ID: <2@x>
            C:
            C:
            S: A OK done
            S: B NO [TOOBIG] not this one
            S: C OK done
            C: D LOGOUT
            S: * BYE
            S: D OK done"
        ),
    );
    result.unwrap();
    assert_eq!((done.put, done.failures.errors, done.dropped), (2, 1, 6), "{done:?}");
    assert!(done.failures.list[0].cause.contains("not this one"));
    assert_eq!(done.dropped_flags.iter().collect::<Vec<_>>(), ["$x", "\\\\Flagged"]);
}

#[test]
fn a_folder_that_is_gone_meanwhile_is_the_failure_of_what_was_still_to_go_there() {
    let text = format!(
        "C: A {APPEND}\nC: Message-ID: <0@x>\nC:\nC:\nC: B {APPEND}\nC: Message-ID: <1@x>\nC:\nC:\n\
         S: A OK done\nS: B NO [TRYCREATE] no such folder\n\
         C: C CREATE \"INBOX\"\nS: C NO [NOPERM] not you\nC: D CREATE \"INBOX\"\nS: D NO [NOPERM] not you\n\
         C: E SELECT \"INBOX\"\nS: E NO gone\nC: Z LOGOUT\nS: Z OK done"
    );
    let (result, done) = against("LITERAL+", 2, &text);
    result.unwrap();
    assert_eq!((done.put, done.failures.errors), (1, 1), "{done:?}");
    assert!(done.failures.list[0].path.contains("/1 ") && done.failures.list[0].cause.contains("not you"));
}

#[test]
fn of_a_batch_that_is_refused_each_goes_alone() {
    let one =
        |n: usize, answer: &str| format!("C: A {APPEND}\nC: Message-ID: <{n}@x>\nC:\nC:\nS: A {answer}\n");
    let batch = format!(
        "C: A {APPEND}\nC: Message-ID: <0@x>\nC:\nC:  (\\Seen) \"01-Jan-1970 00:00:00 +0000\" {{21+}}\nC: Message-ID: <1@x>\nC:\nC:\n\
         S: A NO one of them\n{}{}C: Z LOGOUT\nS: Z OK done",
        one(0, "NO [NOPERM] this one"),
        one(1, "OK done"),
    );
    let (result, done) = against("LITERAL+ MULTIAPPEND", 2, &batch);
    result.unwrap();
    assert_eq!((done.put, done.failures.errors), (1, 1), "{done:?}");
}

#[test]
fn a_spent_budget_is_a_pause() {
    let text = format!(
        "C: A {APPEND}\nC: Message-ID: <0@x>\nC:\nC:\nS: A NO [OVERQUOTA] Account exceeded command or bandwidth limits.\n\
         C: Z LOGOUT\nS: Z OK done"
    );
    let (result, done) = against("LITERAL+", 1, &text);
    assert_eq!(result.unwrap_err().kind(), Kind::Paused);
    assert_eq!((done.put, done.failures.errors), (0, 0));
}

#[test]
fn what_a_server_stores_late_is_not_there_twice() {
    let again = until_appended("LITERAL+ UIDPLUS");
    let again: Vec<&str> = again.lines().collect();
    let list = again.iter().position(|line| line.contains("C: D LIST")).unwrap();
    let select = again[list + 6..].join("\n");
    let filled = select.replace("0 EXISTS", "2 EXISTS").replace("UIDNEXT 1", "UIDNEXT 3");
    // It writes messages anew, too: they have another size than what was sent.
    let fetched = |uid: u32| {
        format!(
            "S: * {uid} FETCH (UID {uid} RFC822.SIZE 55 INTERNALDATE \"01-Jan-1970 00:00:00 +0000\" \
             BODY[HEADER.FIELDS (MESSAGE-ID)] {{21}}\nS: Message-ID: <0@x>\nS:\nS: )"
        )
    };
    let sent = format!("C: A {APPEND}\nC: Message-ID: <0@x>\nC:\nC:\n");
    let text = format!(
        "{sent}cut
        next
        {}
        {select}
        {select}
        {sent}S: A OK [APPENDUID 7 2] done
        {filled}
        C: G UID FETCH 1:* (UID RFC822.SIZE INTERNALDATE FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])
        {}
        {}
        S: G OK done
        {filled}
        C: H UID STORE 2 +FLAGS.SILENT (\\Deleted)
        S: H OK done
        C: I UID EXPUNGE 2
        S: I OK done
        C: Z LOGOUT
        S: Z OK done",
        again[..list].join("\n"),
        fetched(1),
        fetched(2),
    );
    let (result, done) = against("LITERAL+ UIDPLUS", 1, &text);
    result.unwrap();
    assert_eq!((done.put, done.failures.errors), (1, 0), "{done:?}");
}

#[test]
fn what_a_server_wrote_anew_before_the_connection_broke_is_not_sent_again() {
    let again = until_appended("LITERAL+");
    let again: Vec<&str> = again.lines().collect();
    let list = again.iter().position(|line| line.contains("C: D LIST")).unwrap();
    let select =
        again[list + 6..].join("\n").replace("0 EXISTS", "1 EXISTS").replace("UIDNEXT 1", "UIDNEXT 2");
    let text = format!(
        "C: A {APPEND}\nC: Message-ID: <0@x>\nC:\nC:\ncut
        next
        {}
        {select}
        C: G UID FETCH 1:* (UID RFC822.SIZE INTERNALDATE FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])
        S: * 1 FETCH (UID 1 RFC822.SIZE 999 INTERNALDATE \"01-Jan-1970 00:00:00 +0000\" FLAGS (\\Seen) \
         BODY[HEADER.FIELDS (MESSAGE-ID)] {{21}}
        S: Message-ID: <0@x>
        S:
        S: )
        S: G OK done
        C: Z LOGOUT
        S: Z OK done",
        again[..list].join("\n"),
    );
    let (result, done) = against("LITERAL+", 1, &text);
    result.unwrap();
    assert_eq!((done.put, done.failures.errors), (1, 0), "{done:?}");
}

#[test]
fn of_two_that_pass_for_each_other_a_server_that_writes_them_anew_has_both_or_nobody_can_tell() {
    let mail = |text: &str| format!("Message-ID: <same@x>\r\n\r\n{text}\r\n").into_bytes();
    let mut archive = Archive::default();
    for text in ["one", "two"] {
        archive.add("INBOX", Some("<same@x>"), "", Timestamp::UNIX_EPOCH, mail(text));
    }
    // Both are to be put, or one: then the one that is there may be it, put by an earlier run.
    for (count, keys, there) in [(2, "01", (0, 2, 0, 0)), (1, "01", (0, 0, 2, 0)), (1, "0", (0, 0, 0, 1))] {
        let begin = until_appended("LITERAL+")
            .replace("0 EXISTS", &format!("{count} EXISTS"))
            .replace("UIDNEXT 1", &format!("UIDNEXT {}", count + 1));
        let select = &begin[begin.find("C: F SELECT").unwrap()..];
        let each = |line: &dyn Fn(u32) -> String| (1..=count).map(line).collect::<String>();
        let listed = each(&|uid| {
            format!(
                "S: * {uid} FETCH (UID {uid} RFC822.SIZE 39 INTERNALDATE \"01-Jan-1970 00:00:00 +0000\" FLAGS () \
                 BODY[HEADER.FIELDS (MESSAGE-ID)] {{24}}\nS: Message-ID: <same@x>\nS:\nS: )\n"
            )
        });
        let fetched = each(&|uid| {
            format!(
                "C: J UID FETCH {uid} (UID BODY.PEEK[])\nS: * {uid} FETCH (UID {uid} BODY[] {{39}}\n\
                 S: X-New: yes\nS: Message-ID: <same@x>\nS:\nS: {uid}\nS: )\nS: J OK done\n"
            )
        });
        let script = Script::play(&format!(
            "{begin}C: G UID FETCH 1:* (UID RFC822.SIZE INTERNALDATE FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])\n\
             {listed}S: G OK done\n{select}{fetched}C: Z LOGOUT\nS: Z OK done"
        ));
        let to = target(script.account(), script::secret(), None);
        let (result, done) = archive.put_some(to, |message| keys.contains(&message.place.key));
        script.end();
        result.unwrap();
        let failures = &done.failures;
        assert_eq!(
            (done.put, done.present, failures.errors, failures.warnings),
            there,
            "{:?}",
            failures.list
        );
    }
}

#[test]
fn of_two_that_pass_for_each_other_the_one_that_was_sent_is_there_after_the_connection_broke() {
    let mut archive = Archive::default();
    for text in ["one", "two"] {
        let text = format!("Message-ID: <same@x>\r\n\r\n{text}\r\n").into_bytes();
        archive.add("INBOX", Some("<same@x>"), "", Timestamp::UNIX_EPOCH, text);
    }
    let begin = until_appended("LITERAL+");
    let (list, select) = (begin.find("C: D LIST").unwrap(), begin.find("C: F SELECT").unwrap());
    let filled = begin[select..].replace("0 EXISTS", "1 EXISTS").replace("UIDNEXT 1", "UIDNEXT 2");
    let script = Script::play(&format!(
        "{begin}C: A APPEND \"INBOX\" () \"01-Jan-1970 00:00:00 +0000\" {{29+}}
        C: Message-ID: <same@x>\nC:\nC: one\nC:\ncut
        next
        {}{filled}
        C: G UID FETCH 1:* (UID RFC822.SIZE INTERNALDATE FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])
        S: * 1 FETCH (UID 1 RFC822.SIZE 39 INTERNALDATE \"01-Jan-1970 00:00:00 +0000\" FLAGS () \
         BODY[HEADER.FIELDS (MESSAGE-ID)] {{24}}\nS: Message-ID: <same@x>\nS:\nS: )
        S: G OK done
        {filled}
        C: J UID FETCH 1 (UID BODY.PEEK[])
        S: * 1 FETCH (UID 1 BODY[] {{39}}\nS: X-New: yes\nS: Message-ID: <same@x>\nS:\nS: 1\nS: )
        S: J OK done
        C: Z LOGOUT
        S: Z OK done",
        &begin[..list],
    ));
    let to = target(script.account(), script::secret(), None);
    let (result, done) = archive.put_some(to, |message| message.place.key == "0");
    script.end();
    result.unwrap();
    assert_eq!(
        (done.put, done.failures.errors, done.failures.warnings),
        (1, 0, 0),
        "{:?}",
        done.failures.list
    );
}

#[test]
fn a_message_that_breaks_the_connection_each_time_is_a_failure() {
    let sent = format!("C: A {APPEND}\nC: Message-ID: <0@x>\nC:\nC:\ncut\n");
    let again = until_appended("LITERAL+");
    // What is known is not asked again.
    let again: Vec<&str> = again.lines().collect();
    let list = again.iter().position(|line| line.contains("C: D LIST")).unwrap();
    // It is looked at twice, since the server may take its time.
    let again = [&again[..list], &again[list + 6..], &again[list + 6..]].concat().join("\n");
    let text = format!(
        "{sent}next\n{again}\n{sent}next\n{again}\n{sent}next\n{again}\n{sent}next\n{again}\nC: Z LOGOUT\nS: Z OK done"
    );
    let (result, done) = against("LITERAL+", 1, &text);
    result.unwrap();
    assert_eq!((done.put, done.failures.errors), (0, 1), "{done:?}");
    assert!(done.failures.list[0].cause.contains("breaks"), "{:?}", done.failures.list);
}

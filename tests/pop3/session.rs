//! What may be asked of a mailbox, and answers that cannot be true.

use std::path::Path;
use std::thread;

use postkeep::error::{Error, Result};
use postkeep::mail::pop3::{Expire, Failed, Meaning, Session, Sink, Stat};

use super::script::{Script, session};

/// What a server with everything offers.
const ALL: [&str; 4] = ["UIDL", "TOP", "PIPELINING", "EXPIRE 0"];

/// A message, with its size or how it was refused.
fn retr(session: &mut Session, number: u32) -> std::result::Result<(String, u64), Failed> {
    let mut held = Vec::new();
    let size = session.retr(number, &mut |part| {
        held.extend_from_slice(part);
        Ok(())
    })?;
    Ok((String::from_utf8(held).unwrap(), size))
}

#[test]
fn a_mailbox_is_read_from_the_first_to_the_last_word() {
    let (mut session, script) = session(
        &ALL,
        "C: STAT
        S: +OK 2 320 or so
        C: UIDL
        S: +OK
        S: 2 QhdPYR:00WBw1Ph7x7
        S: 1 whqtswO00WBw418f9t5JxYwZ
        S: .
        C: LIST
        S: +OK 2 messages (320 octets)
        S: 1 120
        S: 2 200 more words
        S: .
        C: RETR 1
        S: +OK 120 octets
        S: Subject: =?x?
        S:
        S: ..
        S: ...two
        S- bare\\n.\\n8-bit é NUL \u{0}\\r\\n.\\r\\n
        C: RETR 2
        S: +OK 9999999 octets
        S: .
        C: RETR 3
        S: -ERR no such message
        C: TOP 1 5
        S: +OK
        S: Subject: x
        S:
        S: .
        C: NOOP
        S: +OK
        C: QUIT
        S: +OK bye (2 messages left)",
    );
    assert_eq!(session.stat().unwrap(), Stat { messages: 2, bytes: 320 });
    let ids = session.uidl().unwrap().known;
    let ids: Vec<_> = ids.iter().map(|(number, id)| (*number, &**id)).collect();
    assert_eq!(ids, [(1, "whqtswO00WBw418f9t5JxYwZ"), (2, "QhdPYR:00WBw1Ph7x7")]);
    assert_eq!(session.list().unwrap(), [(1, 120), (2, 200)]);
    let text = "Subject: =?x?\r\n\r\n.\r\n..two\r\nbare\n.\n8-bit é NUL \0\r\n";
    assert_eq!(retr(&mut session, 1).unwrap(), (text.to_owned(), text.len() as u64));
    // What a server says of the size is not believed.
    assert_eq!(retr(&mut session, 2).unwrap(), (String::new(), 0));
    let no = retr(&mut session, 3).unwrap_err();
    assert!(matches!(&no, Failed::No(no) if no.text == "no such message"), "{no:?}");
    let mut header = Vec::new();
    let size = session.top(1, 5, &mut |part| {
        header.extend_from_slice(part);
        Ok(())
    });
    assert_eq!((size.unwrap(), header), (14, b"Subject: x\r\n\r\n".to_vec()));
    session.noop().unwrap();
    assert_eq!(session.offers().expire(), Some(Expire::WhenFetched));
    assert!(!session.is_broken() && session.meter().traffic().down > 100);
    session.quit();
    script.end();
}

/// Holds what ends; fails when it hears of message `fails`.
#[derive(Default)]
struct Held {
    now: Option<(u32, Vec<u8>)>,
    all: Vec<(u32, String)>,
    fails: u32,
}

impl Sink for Held {
    fn begin(&mut self, number: u32) -> Result<()> {
        if number == self.fails {
            return Err(Error::other("the disk is full"));
        }
        self.now = Some((number, Vec::new()));
        Ok(())
    }
    fn bytes(&mut self, part: &[u8]) -> Result<()> {
        self.now.as_mut().unwrap().1.extend_from_slice(part);
        Ok(())
    }
    fn end(&mut self, number: u32, size: u64) -> Result<()> {
        let (begun, bytes) = self.now.take().unwrap();
        assert_eq!((begun, bytes.len() as u64), (number, size));
        self.all.push((number, String::from_utf8(bytes).unwrap()));
        Ok(())
    }
}

#[test]
fn many_messages_are_asked_for_ahead_but_not_all_of_them() {
    let asks = |numbers: std::ops::RangeInclusive<u32>| -> String {
        numbers.map(|number| format!("C: RETR {number}\n")).collect()
    };
    let answers = |numbers: std::ops::RangeInclusive<u32>| -> String {
        let one = |number| match number {
            // A message that passes its text off as an answer.
            7 => "S: +OK\nS: 7\nS- x\\n.\\n+OK 8\\r\\n\nS: .\n".into(),
            8 => "S: -ERR [SYS/TEMP] cannot read it\n".into(),
            number => format!("S: +OK\nS: {number}\nS: .\n"),
        };
        numbers.map(one).collect()
    };
    // So many are under way at once, and when half of them have come, as many more are asked for.
    let text = [
        asks(1..=64),
        answers(1..=32),
        asks(65..=96),
        answers(33..=64),
        asks(97..=100),
        answers(65..=100),
        "C: NOOP\nS: +OK\n".into(),
    ];
    let (mut session, script) = session(&ALL, &text.concat());
    let mut held = Held::default();
    let refused = session.fetch(1..=100, &mut held).unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].number, refused[0].no.meaning()), (8, Meaning::Later));
    let expected: Vec<u32> = (1..=100).filter(|number| *number != 8).collect();
    assert_eq!(held.all.iter().map(|(number, _)| *number).collect::<Vec<_>>(), expected);
    assert!(held.all.iter().all(|(number, text)| text.starts_with(&format!("{number}\r\n"))));
    session.noop().unwrap();
    drop(session);
    script.end();
}

#[test]
fn what_ended_is_whole_when_the_connection_breaks_or_the_disk_is_full() {
    let one = "C: RETR 1\nS: +OK\nS: one\nS: .\n";
    for (offers, text, fails, said) in [
        (&["UIDL"][..], format!("{one}C: RETR 2\nS: +OK\nS: half\ncut"), 0, "hung up"),
        (
            &["UIDL"],
            format!("{one}C: RETR 2\nS: -ERR [SYS/TEMP] gone too far\ncut"),
            0,
            "hung up: [SYS/TEMP] gone",
        ),
        (&["UIDL"], format!("{one}C: RETR 2\nS: +OK\nS- two\nstall"), 0, "silent for too long"),
        (&["UIDL"], format!("{one}C: RETR 2\nS: +OK\ndrip"), 0, "goes on for ever"),
        (&["UIDL"], format!("{one}C: RETR 2\nS: two\nstall"), 0, "cannot be understood: two"),
        (&["UIDL"], format!("{one}C: RETR 2\nS- +OK\\r\\ntwo\\r\\n.\\r\\n\nstall"), 2, "disk is full"),
        (
            &["PIPELINING"],
            "C: RETR 1\nC: RETR 2\nC: RETR 3\nS: +OK\nS: one\nS: .\nS: + what?\nstall".into(),
            0,
            "nobody promised",
        ),
    ] {
        let (mut session, script) = session(offers, &text);
        let mut held = Held { fails, ..Held::default() };
        let failed = session.fetch(1..=3, &mut held).unwrap_err();
        assert!(failed.to_string().contains(said), "{said}: {failed}");
        assert_eq!(matches!(failed, Failed::Here(_)), fails == 2, "{said}");
        assert_eq!(held.all, [(1, "one\r\n".to_owned())], "{said}");
        assert!(session.is_broken() && session.noop().is_err());
        drop(session);
        script.end();
    }
}

#[test]
fn what_cannot_be_true_of_a_mailbox_ends_the_session() {
    type Asks = fn(&mut Session) -> std::result::Result<(), Failed>;
    let uidl: Asks = |session| session.uidl().map(drop);
    let list: Asks = |session| session.list().map(drop);
    let stat: Asks = |session| session.stat().map(drop);
    let retr: Asks = |session| retr(session, 1).map(drop);
    for (asks, text, said) in [
        (stat, "C: STAT\nS: +OK\nstall", "cannot be understood"),
        (stat, "C: STAT\nS: +OK 4294967296 1\nstall", "cannot be understood"),
        (stat, "C: STAT\nS: +OK 4000001 1\nstall", "cannot be understood"),
        (stat, "C: STAT\nS: +OK 1 -1\nstall", "cannot be understood"),
        (uidl, "C: UIDL\nS: +OK\nS: a\u{0}b\nstall", "cannot be understood: a\\u{0}b"),
        (uidl, "C: UIDL\nS: +OK\nS: 0 a\nstall", "cannot be understood"),
        (uidl, "C: UIDL\nS: +OK\nS: 99999999999 a\nstall", "cannot be understood"),
        (uidl, "C: UIDL\nS: +OK\nS: 2 a\nS: 1 b\nS: 2 c\nS: .\nstall", "lists message 2 twice"),
        (uidl, "C: UIDL\nS: +OK\nS- 1 \nxs 5000000\nstall", "more than can be true"),
        (uidl, "C: UIDL\nS: +OK\nS: 1 a\ncut", "hung up"),
        (list, "C: LIST\nS: +OK\nS: x 1\nstall", "cannot be understood"),
        (list, "C: LIST\nS: +OK\nstall", "silent for too long"),
        (list, "C: LIST\nS: +OK\ndrip", "goes on for ever"),
        (retr, "C: RETR 1\nxs 5000000\nstall", "more than can be true"),
        (retr, "C: RETR 1\nflood +", "nobody promised"),
    ] {
        let (mut session, script) = session(&ALL, text);
        let failed = asks(&mut session).unwrap_err();
        assert!(failed.to_string().contains(said), "{said}: {failed}");
        assert_eq!(failed.meaning(), Meaning::Later, "{said}");
        assert!(session.is_broken());
        drop(session);
        script.end();
    }
}

#[test]
fn a_message_without_an_id_is_no_fault_of_the_others() {
    let (mut session, script) = session(
        &ALL,
        "C: UIDL
        S: +OK
        S: 5
        S: 1 a\u{0}b
        S: 4 d
        S- 2 \u{20}
        xs 600
        S:
        S: 3 c
        S: .
        C: LIST
        S: +OK
        S: 1 x
        S: 2 99999999999999999999
        S: 3 7
        S: .",
    );
    let ids = session.uidl().unwrap();
    let known: Vec<_> = ids.known.iter().map(|(number, id)| (*number, &**id)).collect();
    assert_eq!((known, ids.odd), (vec![(3, "c"), (4, "d")], vec![5, 1, 2]));
    assert_eq!(session.list().unwrap(), [(3, 7)]);
    drop(session);
    script.end();
}

#[test]
fn a_server_without_ids_or_headers_alone_says_what_that_means() {
    let (mut session, script) = session(
        &["USER"],
        "C: UIDL
        S: -ERR unknown command
        C: UIDL
        S: -ERR [SYS/TEMP] not now
        C: NOOP
        S: +OK",
    );
    let failed = session.uidl().unwrap_err();
    let Failed::Here(error) = failed else { panic!("{failed:?}") };
    let words = format!("{} {}", error.one_line(), error.hints().join(" "));
    assert!(words.contains("no lasting ids") && words.contains("use the mailbox by imap"), "{words}");
    assert_eq!(session.uidl().unwrap_err().meaning(), Meaning::Later);
    let failed = session.top(1, 0, &mut |_| Ok(())).unwrap_err();
    assert!(failed.to_string().contains("has no TOP"), "{failed}");
    session.noop().unwrap();
    drop(session);
    script.end();
}

#[test]
fn a_no_says_what_to_do() {
    for (answer, hint) in [
        ("[IN-USE] x", "one program in at a time"),
        ("[LOGIN-DELAY] x", "goes on later"),
        ("[SYS/PERM] x", "operator must mend"),
    ] {
        let (mut session, script) = session(&ALL, &format!("C: RETR 1\nS: -ERR {answer}"));
        let error = retr(&mut session, 1).unwrap_err().error("cannot fetch message 1");
        assert!(error.hints().join(" ").contains(hint) && error.one_line().contains(answer), "{error:?}");
        drop(session);
        script.end();
    }
}

#[test]
fn a_wait_can_be_cut_by_another_thread() {
    let (mut session, script) = session(&ALL, "C: NOOP\nstall");
    let cutter = session.cutter().unwrap();
    let waits = thread::spawn(move || (session.noop(), session.is_broken()));
    cutter.cut();
    let (result, broken) = waits.join().unwrap();
    assert!(result.is_err() && broken);
    drop::<Script>(script);
}

#[test]
fn there_is_no_command_that_deletes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mail/pop3");
    let mut commands = 0;
    for file in walkdir::WalkDir::new(folder).into_iter().map(std::result::Result::unwrap) {
        if !file.file_type().is_file() {
            continue;
        }
        let text = std::fs::read_to_string(file.path()).unwrap();
        let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join("\n");
        let mut words = code.split(|c: char| !c.is_ascii_alphanumeric());
        assert!(!words.any(|word| word.eq_ignore_ascii_case("dele")), "{}", file.path().display());
        commands += code.matches("Command::Retr(").count();
    }
    assert!(commands >= 2, "the test looks in the wrong place");
}

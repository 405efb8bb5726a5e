//! FETCH: what comes is what was asked, and what breaks does not pass for it.

use std::time::Duration;

use postkeep::error::{Error, Result};
use postkeep::mail::imap::{Failed, Fetched, Item, Meaning, Patience, Request, Section, Sink};

use super::script::{patience, session, session_with};

/// Writes down what it is given.
#[derive(Default)]
struct Log {
    text: String,
    full: bool,
}

impl Sink for Log {
    fn begin(&mut self, message: &Fetched, section: Section, size: u64) -> Result<()> {
        self.text.push_str(&format!("[{:?} {section:?} {size}]", message.uid.unwrap_or(0)));
        if self.full { Err(Error::other("the disk is full")) } else { Ok(()) }
    }
    fn bytes(&mut self, part: &[u8]) -> Result<()> {
        self.text.push_str(&String::from_utf8_lossy(part));
        Ok(())
    }
    fn end(&mut self, message: Fetched) -> Result<()> {
        self.text.push_str(&format!("/{}", message.uid.unwrap_or(0)));
        Ok(())
    }
}

fn requests(uids: &[&[u32]]) -> Vec<Request> {
    let request = |uids: &&[u32]| Request { uids: uids.to_vec(), items: vec![Item::Message], expected: 1000 };
    uids.iter().map(request).collect()
}

#[test]
fn commands_are_written_ahead_and_bodies_stream() {
    let (mut session, script) = session(
        "X",
        "C: A UID FETCH 3:5,9 (UID BODY.PEEK[])
        C: B UID FETCH 12 (UID BODY.PEEK[])
        C: C UID FETCH 13 (UID BODY.PEEK[])
        S: * OK [ALERT] it costs {5}
        S: * 1 FETCH (UID 3 BODY[] {7}
        S- a\\r\\n* OK
        S:  FLAGS (\\Seen))
        S: * 7 EXISTS
        S: * 2 FETCH (BODY[] {2}
        S: bc UID 4)
        S: * ESEARCH (TAG {4}
        S: A OK) x
        S: * 3 FETCH (FLAGS ())
        S: * 4 FETCH (UID 5 BODY[] \"q\" ODD (({1}
        S: x)))
        S: * 5 FETCH (UID 9 BODY[] {1}
        S: z BODY[ODD
        S: * 6 FETCH (UID 9 BODY[] NIL)
        S: A OK done
        S: B NO [SERVERBUG] this one is ill
        S: * 8 FETCH (UID 13 BODY[]<0> {3}
        S: end)
        S: C OK done",
    );
    let mut log = Log::default();
    let refused = session.fetch(requests(&[&[3, 4, 5, 9], &[12], &[13]]), &mut log).unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].request, refused[0].no.meaning()), (1, Meaning::Later));
    assert_eq!(
        log.text,
        "[3 Message(0) 7]a\r\n* OK/3[0 Message(0) 2]bc/4[5 Message(0) 1]q/5[9 Message(0) 1]z[9 Message(0) 0]/9\
         [13 Message(0) 3]end/13"
    );
    drop(session);
    script.end();
}

#[test]
fn what_breaks_says_so() {
    for (end, said, meaning) in [
        ("S- * 1 FETCH (UID 3 BODY[] {5}\\r\\nabc\ncut", "hung up", Meaning::Later),
        ("S- * 1 FETCH (UID 3 BODY[] {5}\\r\\nabc\nstall", "silent", Meaning::Later),
        ("S: * BYE Session expired, please login again.", "Session expired", Meaning::Later),
        (
            "S: * BYE [OVERQUOTA] Account exceeded command or bandwidth limits.",
            "exceeded",
            Meaning::Throttled,
        ),
        ("S: * 1 FETCH (UID 3 BODY[] {99999999999}\nstall", "more than can be true", Meaning::Later),
        ("S: A BYE tagged", "tagged", Meaning::Later),
        ("S: X7 OK done\nstall", "cannot be understood", Meaning::Later),
        ("S:\nstall", "cannot be understood", Meaning::Later),
    ] {
        let (mut session, script) = session("X", &format!("C: A UID FETCH 3 (UID BODY.PEEK[])\n{end}"));
        let failed = session.fetch_one(3, Item::Message, 1000).unwrap_err();
        assert!(matches!(failed, Failed::Broken { .. }), "{end}: {failed:?}");
        assert!(failed.to_string().contains(said), "{end}: {failed}");
        assert_eq!(failed.meaning(), meaning, "{end}");
        assert!(session.is_broken() && session.noop().is_err());
        drop(session);
        script.end();
    }
}

#[test]
fn a_no_leaves_the_session_whole() {
    let (mut session, script) = session(
        "X",
        "C: A UID FETCH 3 (UID BODY.PEEK[TEXT]<10.5>)
        S: A NO UID FETCH Server error - Please try again later
        C: B UID FETCH 3 (UID BODY.PEEK[TEXT]<10.5>)
        S: * 1 FETCH (UID 2 BODY[TEXT]<10> {5}
        S: other)
        S: * 2 FETCH (UID 3 BODY[TEXT]<10> {5}
        S: these)
        S: * 2 FETCH (UID 3 FLAGS (\\Seen))
        S: B OK done
        C: C UID FETCH 4 (UID BODY.PEEK[])
        S: C OK done",
    );
    let failed = session.fetch_one(3, Item::TextRange(10, 5), 5).unwrap_err();
    assert_eq!(failed.meaning(), Meaning::Later);
    let error = failed.error("cannot read a message");
    assert_eq!(error.one_line(), "cannot read a message: UID FETCH Server error - Please try again later");
    assert_eq!(session.fetch_one(3, Item::TextRange(10, 5), 5).unwrap().unwrap(), b"these");
    assert_eq!(session.fetch_one(4, Item::Message, 5).unwrap(), None);
    drop(session);
    script.end();
}

#[test]
fn a_sink_that_cannot_go_on_ends_the_session() {
    let (mut session, script) = session(
        "X",
        "C: A UID FETCH 3 (UID BODY.PEEK[])
        S: * 1 FETCH (UID 3 BODY[] {5}
        stall",
    );
    let failed = session.fetch(requests(&[&[3]]), &mut Log { full: true, ..Log::default() }).unwrap_err();
    assert_eq!(failed.error("unused").one_line(), "the disk is full");
    assert!(session.is_broken());
    drop(session);
    script.end();
    let (mut session, script) = self::session(
        "X",
        "C: A UID FETCH 3 (UID BODY.PEEK[])
        S: * 1 FETCH (UID 3 BODY[] {6}
        stall",
    );
    assert!(session.fetch_one(3, Item::Message, 5).unwrap_err().to_string().contains("6 bytes"));
    drop(session);
    script.end();
}

#[test]
fn no_server_goes_on_for_ever() {
    let fails = |patience: Patience, end: &str, said: &str| {
        let text = format!("C: A UID FETCH 3 (UID BODY.PEEK[])\n{end}");
        let (mut session, script) = session_with(patience, "X", &text);
        let failed = session.fetch_one(3, Item::Message, 10_000).unwrap_err();
        assert!(failed.to_string().contains(said), "{end}: {failed}");
        drop(session);
        script.end();
    };
    for end in ["S- * \nxs 6000000\nstall", "S- * 1 FETCH (FLAGS (\nxs 6000000\nstall"] {
        fails(patience(), end, "more than can be true");
    }
    // Each letter is in time, and all of them are not: in a line, and in a body.
    let little = Patience { silence: Duration::from_millis(300), ..patience() };
    for end in ["S- * \ndrip", "S: * 1 FETCH (UID 3 BODY[] {9999}\ndrip"] {
        fails(little, end, "for ever");
    }
}

#[test]
fn a_message_that_is_told_of_in_pieces_is_one_and_what_nobody_asked_for_is_none() {
    let (mut session, script) = session(
        "X",
        "C: A UID FETCH 3:4 (UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE)])
        S: * 1 FETCH (UID 3 RFC822.SIZE 10)
        S: * 1 FETCH (UID 3 BODY[HEADER.FIELDS (DATE)] {4}
        S: a: b)
        S: * 9 FETCH (UID 99 RFC822.SIZE 5 FLAGS ())
        S: * 2 FETCH (UID 4 RFC822.SIZE 7 BODY[HEADER.FIELDS (DATE)] NIL)
        S: * 1 FETCH (UID 3 FLAGS (\\Seen))
        S: A OK done",
    );
    let items = [Item::Size, Item::Fields(&["DATE"])];
    let told = session.fetch_all(&[3, 4], &items).unwrap();
    let told: Vec<_> =
        told.iter().map(|message| (message.uid, message.size, message.header.as_deref())).collect();
    assert_eq!(told, [(Some(3), Some(10), Some(b"a: b".as_slice())), (Some(4), Some(7), None)]);
    drop(session);
    script.end();
}

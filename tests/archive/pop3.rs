//! A mailbox by POP3 as a source of messages.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use postkeep::archive::pop3::{Options, Pop3};
use postkeep::archive::source::{Listed, Refusal, Source};
use postkeep::error::Kind;
use postkeep::mail::imap::{self, Appended, Outgoing};
use postkeep::profile::Tls;

use super::{fetch, lab_secret, list, real_mails, try_fetch};
use crate::lab;
use crate::pop3::script::{Script, account, capabilities, login, patience, secret as script_secret};

/// A source that plays with a script, and how long it waited each time.
fn source(script: &Script) -> (Pop3, Arc<Mutex<Vec<Duration>>>) {
    let waits: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let heard = Arc::clone(&waits);
    let mut options =
        Options::new(account(script), "old", Box::new(|| Ok(script_secret())), std::env::temp_dir());
    options.patience = patience();
    options.retries = [0, 1, 1].map(Duration::from_secs).to_vec();
    options.sleep = Box::new(move |wait| heard.lock().unwrap().push(wait));
    (Pop3::new(options), waits)
}

/// A session up to its list of messages: ids and sizes.
fn begin(offers: &[&str], messages: &[(u32, &str, u64)]) -> String {
    let ids: String = messages.iter().map(|(number, id, _)| format!("S: {number} {id}\n")).collect();
    let sizes: String = messages.iter().map(|(number, _, size)| format!("S: {number} {size}\n")).collect();
    format!(
        "{}{}C: UIDL\nS: +OK\n{ids}S: .\nC: LIST\nS: +OK\n{sizes}S: .\n",
        login("+OK welcome"),
        capabilities(offers)
    )
}

fn retr(number: u32, text: &str) -> String {
    format!("C: RETR {number}\nS: +OK\nS: {text}\nS: .\n")
}

const PLAIN: [&str; 2] = ["UIDL", "TOP"];

#[test]
fn messages_are_named_for_ever_and_numbered_for_a_session() {
    // The first connection breaks while the second message comes; the third one is refused; the fourth one vanishes.
    let script = Script::play(&format!(
        "{}{}C: RETR 2\nS: +OK\nS: half\ncut\nnext\n{}{}C: RETR 2\nS: -ERR cannot open it\n{}",
        begin(&PLAIN, &[(1, "a", 10), (2, "b/1", 20), (3, "c", 30), (4, "d", 40), (5, "e", 50)]),
        retr(1, "one"),
        begin(&PLAIN, &[(1, "b/1", 20), (2, "c", 30), (3, "e", 50), (4, "f", 60)]),
        retr(1, "two"),
        retr(3, "five"),
    ));
    let (mut source, waits) = source(&script);
    assert_eq!((source.place().as_str(), source.folders().unwrap().len()), ("pop3:old", 1));
    let listing = list(&mut source, "INBOX").unwrap();
    let told: Vec<_> = listing.messages.iter().map(|one| (one.key.as_str(), one.uid, one.size)).collect();
    assert_eq!(told, [("a", 1, 10), ("b%2F1", 2, 20), ("c", 3, 30), ("d", 4, 40), ("e", 5, 50)]);
    let all = fetch(&mut source, "INBOX", &listing.messages);
    let body = |text: &str| Ok(format!("{text}\r\n").into_bytes());
    let refused = Err(Refusal::Refused("cannot open it".into()));
    assert_eq!(all, [body("one"), body("two"), refused, Err(Refusal::Gone), body("five")]);
    // The first try comes at once. And nobody says QUIT, or the script would not end.
    assert!(waits.lock().unwrap().is_empty());
    drop(source);
    script.end();
}

#[test]
fn goodbye_is_said_where_it_harms_nothing() {
    let one = [(1, "a", 10)];
    for (offers, text) in [
        (&["UIDL", "EXPIRE NEVER"][..], format!("{}C: QUIT\nS: +OK\n", retr(1, "one"))),
        (&["UIDL", "EXPIRE 0"][..], retr(1, "one")),
        (&["UIDL", "EXPIRE 31"][..], retr(1, "one")),
    ] {
        let script = Script::play(&format!("{}{text}", begin(offers, &one)));
        let (mut source, _) = source(&script);
        let listing = list(&mut source, "INBOX").unwrap();
        assert!(fetch(&mut source, "INBOX", &listing.messages)[0].is_ok());
        drop(source);
        script.end();
    }
    // Who only looked may say goodbye to anybody.
    let script = Script::play(&format!("{}C: QUIT\nS: +OK\n", begin(&["UIDL", "EXPIRE 0"], &one)));
    let (mut source, _) = source(&script);
    list(&mut source, "INBOX").unwrap();
    source.close();
    script.end();
}

#[test]
fn a_message_at_which_all_connections_break_is_left_out() {
    let two = [(1, "a", 10), (2, "b", 20)];
    let breaks = format!("{}C: RETR 1\nS: +OK\nS: half\ncut\nnext\n", begin(&PLAIN, &two));
    let script = Script::play(&format!("{}{}{}", breaks.repeat(3), begin(&PLAIN, &two), retr(2, "two")));
    let (mut source, waits) = source(&script);
    let listing = list(&mut source, "INBOX").unwrap();
    let all = fetch(&mut source, "INBOX", &listing.messages);
    assert!(matches!(&all[0], Err(Refusal::Refused(why)) if why.contains("cannot fetch")), "{all:?}");
    assert_eq!(all[1], Ok(b"two\r\n".to_vec()));
    assert_eq!(waits.lock().unwrap().iter().sum::<Duration>(), Duration::from_secs(1));
    assert!(source.is_up());
    drop(source);
    script.end();
}

#[test]
fn neighbours_at_which_connections_break_are_left_out_and_not_all_messages() {
    let ids: Vec<_> = (1..=15).map(|number| format!("m{number}")).collect();
    let all: Vec<_> = ids.iter().zip(1..).map(|(id, number)| (number, id.as_str(), 10)).collect();
    let begin = begin(&PLAIN, &all);
    let half = |number: u32| format!("C: RETR {number}\nS: +OK\nS: half\ncut\n");
    let breaks = |number: u32, times: usize| format!("{begin}{}next\n", half(number)).repeat(times);
    // Some do not hang up, and say "later" for ever.
    let later = format!("{begin}C: RETR 1\nS: -ERR [SYS/TEMP] try again later\nnext\n").repeat(3);
    let third = format!("{begin}{}{}next\n", retr(3, "three"), half(4));
    // A server at which they all break is no message's fault.
    let ten = breaks(4, 2) + &(5..=13).map(|number| breaks(number, 3)).collect::<String>();
    let last = format!("{}{begin}{}", breaks(14, 3), half(14));
    let script = Script::play(&[later, breaks(2, 3), third, ten, last].concat());
    let (mut source, waits) = source(&script);
    let listed = |key: &String| Listed { key: key.clone(), ..Listed::default() };
    let (came, done) = try_fetch(&mut source, "INBOX", &ids.iter().map(listed).collect::<Vec<_>>());
    assert!(came.len() == 13 && came[2] == Ok(b"three\r\n".to_vec()), "{came:?} {done:?}");
    assert_eq!(came.iter().filter(|one| matches!(one, Err(Refusal::Refused(_)))).count(), 12, "{came:?}");
    assert!(done.is_err() && !source.is_up(), "{done:?}");
    // A second for each that is left out.
    assert_eq!(waits.lock().unwrap().iter().sum::<Duration>(), Duration::from_secs(12 + 2));
    drop(source);
    script.end();
}

#[test]
fn an_answer_without_a_byte_is_no_message() {
    let nothing = "C: RETR 1\nS: +OK\nS: .\n";
    let two = [(1, "a", 10), (2, "b", 20)];
    let script = Script::play(&format!("{}{nothing}{}", begin(&PLAIN, &two), retr(2, "two")));
    let (mut source, _) = source(&script);
    let listing = list(&mut source, "INBOX").unwrap();
    let all = fetch(&mut source, "INBOX", &listing.messages);
    let refused = Err(Refusal::Refused("the server gives nothing for it".into()));
    assert_eq!(all, [refused, Ok(b"two\r\n".to_vec())]);
    drop(source);
    script.end();
}

#[test]
fn a_server_that_is_gone_is_not_up() {
    let script = Script::play(&format!("{}C: RETR 1\ncut\n", begin(&PLAIN, &[(1, "a", 10)])));
    let (mut source, _) = source(&script);
    assert!(!source.is_up());
    let listing = list(&mut source, "INBOX").unwrap();
    assert!(source.is_up());
    let (all, done) = std::thread::scope(|scope| {
        // It is gone when its only connection is over.
        scope.spawn(|| script.end());
        try_fetch(&mut source, "INBOX", &listing.messages)
    });
    assert!(all.is_empty() && done.is_err() && !source.is_up(), "{all:?} {done:?}");
}

#[test]
fn what_a_server_cannot_do_now_or_ever_is_said() {
    let ids = "C: UIDL\nS: -ERR unknown command\n";
    let script = Script::play(&format!("{}{}{ids}", login("+OK"), capabilities(&["TOP"])));
    let error = list(&mut source(&script).0, "INBOX").unwrap_err();
    assert!(error.to_string().contains("UIDL") && error.hints().concat().contains("imap"), "{error:?}");
    script.end();

    let full = "C: RETR 1\nS: -ERR Too many messages fetched today, bandwidth exceeded\n";
    let script = Script::play(&format!("{}{full}", begin(&PLAIN, &[(1, "a", 10)])));
    let (mut source, _) = source(&script);
    let listing = list(&mut source, "INBOX").unwrap();
    let (all, done) = try_fetch(&mut source, "INBOX", &listing.messages);
    assert_eq!((all.len(), done.unwrap_err().kind()), (0, Kind::Paused));
    drop(source);
    script.end();

    let script = Script::play(&login("-ERR [AUTH] no"));
    let error = list(&mut self::source(&script).0, "INBOX").unwrap_err();
    assert_eq!(error.kind(), Kind::Login);
    script.end();

    // Whoever takes the messages ends it.
    let script = Script::play(&format!("{}{}", begin(&PLAIN, &[(1, "a", 10), (2, "b", 10)]), retr(1, "one")));
    let (mut source, _) = self::source(&script);
    let listing = list(&mut source, "INBOX").unwrap();
    let full = || postkeep::error::Error::other("the disk is full");
    let done = source.fetch(&super::folder("INBOX"), &listing.messages, &mut |_, _| Err(full()));
    assert_eq!(done.unwrap_err().to_string(), "the disk is full");
    drop(source);
    script.end();
}

#[test]
fn messages_without_an_id_are_told_and_the_others_come() {
    let ids = "C: UIDL\nS: +OK\nS: 1 a\nS: 2 \nS: 3 c\nS: 4\nS: .\n";
    let sizes = "C: LIST\nS: +OK\nS: 1 10\nS: 2 10\nS: 3 no\nS: 4\nS: .\n";
    let begin = format!("{}{}{ids}{sizes}", login("+OK"), capabilities(&PLAIN));
    let script = Script::play(&format!("{begin}{}{}", retr(1, "one"), retr(3, "three")));
    let (mut source, waits) = source(&script);
    let listing = list(&mut source, "INBOX").unwrap();
    let told = |source: &mut Pop3| {
        let told = source.unnamed().into_iter();
        told.map(|one| format!("{}/{}", one.folder, one.message.unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut source), ["INBOX/message 2", "INBOX/message 4"]);
    assert!(told(&mut source).is_empty());
    let all = fetch(&mut source, "INBOX", &listing.messages);
    assert_eq!(all, [Ok(b"one\r\n".to_vec()), Ok(b"three\r\n".to_vec())]);
    assert!(waits.lock().unwrap().is_empty());
    drop(source);
    script.end();

    // A list that makes no sense is asked for twice: it hardly does so by accident.
    let odd = format!("{}{}C: UIDL\nS: +OK\nS: x\nstall\n", login("+OK"), capabilities(&PLAIN));
    let script = Script::play(&format!("{odd}next\n{odd}"));
    let (mut source, waits) = self::source(&script);
    let error = list(&mut source, "INBOX").unwrap_err();
    assert!(error.one_line().contains("cannot be understood: x"), "{error:?}");
    assert!(waits.lock().unwrap().is_empty());
    script.end();
}

#[test]
fn whoever_wants_it_to_stop_waits_for_no_server() {
    let one = [(1, "a", 10)];
    for end in ["stall", "drip", "flood x"] {
        let script = Script::play(&format!("{}C: RETR 1\nS: +OK\n{end}\n", begin(&PLAIN, &one)));
        let wish = Arc::<std::sync::atomic::AtomicBool>::default();
        let own = Arc::clone(&wish);
        let mut options =
            Options::new(account(&script), "old", Box::new(|| Ok(script_secret())), std::env::temp_dir());
        options.is_cancelled = Arc::new(move || own.load(std::sync::atomic::Ordering::Relaxed));
        let mut source = Pop3::new(options);
        let listing = list(&mut source, "INBOX").unwrap();
        super::imap::stop::stops(&wish, || {
            source.fetch(&super::folder("INBOX"), &listing.messages, &mut |_, told| {
                assert!(told.is_ok(), "it is not the message's fault: {told:?}");
                Ok(())
            })
        });
        drop(source);
        // One that floods may drown in what it says.
        if end != "flood x" {
            script.end();
        }
    }
}

#[test]
fn real_mails_come_from_a_real_server() {
    let Some(lab) = lab::get() else { return };
    let Some(account) = lab.maildrop("dora", Tls::Implicit) else { return };
    let Some(files) = real_mails() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut session = imap::Dialer::new(lab.mailbox("dora", Tls::Implicit), lab_secret()).open().unwrap();
    let large = [b"Subject: large\r\n\r\n".to_vec(), b"0123456789\r\n".repeat(300_000)].concat();
    let mut sent: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    sent.push(large);
    let outgoing =
        |body: &Vec<u8>| Outgoing { body: Box::new(body.clone()), flags: &[], internal_date: None };
    let (results, failed) = session.append_all("INBOX", sent.iter().map(outgoing).collect());
    assert!(failed.is_none(), "{failed:?}");
    session.logout();
    let taken = results.iter().filter(|result| matches!(result, Appended::Stored(_))).count();
    assert!(taken + 10 > sent.len(), "{taken} of {} were taken", sent.len());

    let mut source = Pop3::new(Options::new(account, "lab", Box::new(|| Ok(lab_secret())), dir.path()));
    let listing = list(&mut source, "INBOX").unwrap();
    let all = fetch(&mut source, "INBOX", &listing.messages);
    // As an independent reader of the same mailbox gets them by IMAP. That the last line has no end POP3 cannot say.
    let expected = lab.inbox("dora");
    assert_eq!((listing.messages.len(), expected.len()), (taken, taken));
    for ((mut mail, body), listed) in expected.into_iter().zip(all).zip(&listing.messages) {
        if !mail.ends_with(b"\r\n") {
            mail.extend_from_slice(b"\r\n");
        }
        // IMAP has no NUL (RFC 3501, 4.3), where Dovecot says 0x80; by POP3 it comes.
        let body: Vec<u8> = body.unwrap().iter().map(|byte| if *byte == 0 { 0x80 } else { *byte }).collect();
        assert!(body == mail, "{} came back different", listed.key);
    }
    // In another session, the other way round.
    source.close();
    let back: Vec<_> = listing.messages.iter().rev().take(3).cloned().collect();
    let again = fetch(&mut source, "INBOX", &back);
    assert!(again.iter().all(Result::is_ok) && again[0].as_ref().unwrap().len() > 3_000_000);
}

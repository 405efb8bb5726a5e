use proptest::prelude::*;

use super::*;
use crate::mail::imap::engine::Listen;
use crate::mail::imap::fetch::{Fetched, Section, Sink};

/// What is left when `read` took what it wanted, or Odd.
fn after<T>(text: &str, read: impl FnOnce(&mut Lexer<'_>) -> Result<T, Lex>) -> Option<(T, String)> {
    let mut from = text.as_bytes();
    match read(&mut Lexer::new(&mut from)) {
        Ok(value) => Some((value, String::from_utf8_lossy(from).into_owned())),
        Err(_) => None,
    }
}

#[test]
fn strings_have_three_forms() {
    for (text, string, rest) in [
        ("\"a \\\"b\\\\\" x\r\n", Some("a \"b\\"), " x\r\n"),
        ("\"\"\r\n", Some(""), "\r\n"),
        ("{5}\r\na\r\nb) x\r\n", Some("a\r\nb)"), " x\r\n"),
        ("{2+}\r\nabc\r\n", Some("ab"), "c\r\n"),
        ("~{2}\r\nabc\r\n", Some("ab"), "c\r\n"),
        ("{0}\r\n\r\n", Some(""), "\r\n"),
        ("atom[x) y\r\n", Some("atom[x"), ") y\r\n"),
        ("nil x\r\n", None, " x\r\n"),
        ("NILX x\r\n", Some("NILX"), " x\r\n"),
    ] {
        let (got, left) = after(text, |line| line.string()).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(got.map(|bytes| String::from_utf8(bytes).unwrap()).as_deref(), string, "{text}");
        assert_eq!(left, rest, "{text}");
    }
    for bad in [
        "\"open\r\n",
        "\"a\\\r\n",
        "(a)\r\n",
        "{5}x",
        "{}\r\n",
        "{x}\r\n",
        "{99999999999999999999}\r\n",
        "{5}\r\nabc",
        "",
    ] {
        assert!(after(bad, |line| line.string()).is_none(), "{bad}");
    }
    assert!(after(&format!("{{{}}}\r\n", LARGEST_STRING + 1), |line| line.string()).is_none());
}

#[test]
fn values_are_skipped_however_they_look() {
    let deep = format!("{}x{} y\r\n", "(".repeat(60), ")".repeat(60));
    for text in
        ["a y\r\n", "\"(\" y\r\n", "() y\r\n", "(a (b \"c)\" {3}\r\n)))) d) y\r\n", "((())) y\r\n", &deep]
    {
        assert_eq!(
            after(text, |line| line.skip_value()).map(|(_, rest)| rest).as_deref(),
            Some(" y\r\n"),
            "{text}"
        );
    }
    for bad in ["(a\r\n", ") y\r\n", &"(".repeat(100_000)] {
        assert!(after(bad, |line| line.skip_value()).is_none(), "{bad}");
    }
}

#[test]
fn a_response_ends_behind_its_literals() {
    for (text, rest) in [
        ("* X\r\nnext", "next"),
        ("* X {3}\r\na\r\n) {2+}\r\n\r\n)\r\nnext", "next"),
        ("* X {3\r\nnext", "next"),
        ("* X {}\r\nnext", "next"),
        ("* X 3}\r\nnext", "next"),
        ("\nnext", "next"),
    ] {
        assert_eq!(after(text, |line| line.finish()).map(|(_, rest)| rest).as_deref(), Some(rest), "{text}");
    }
    // In what people are told, nothing is a literal.
    assert_eq!(after("it costs {5}\r\nnext", |line| line.text()).unwrap().0, "it costs {5}");
    let endless = "x".repeat(MOST + 10);
    assert!(matches!(Lexer::new(&mut endless.as_bytes()).finish(), Err(Lex::Endless)));
    assert!(matches!(Lexer::new(&mut endless.as_bytes()).text(), Err(Lex::Endless)));
}

/// Takes whatever comes, and checks that what was announced is what comes.
#[derive(Default)]
struct Strict {
    announced: u64,
    got: u64,
    ended: Vec<Fetched>,
}

impl Sink for Strict {
    fn begin(&mut self, _: &Fetched, _: Section, size: u64) -> crate::error::Result<()> {
        (self.announced, self.got) = (size, 0);
        Ok(())
    }
    fn bytes(&mut self, part: &[u8]) -> crate::error::Result<()> {
        self.got += part.len() as u64;
        assert!(self.got <= self.announced);
        Ok(())
    }
    fn end(&mut self, message: Fetched) -> crate::error::Result<()> {
        assert_eq!(self.got, self.announced);
        self.ended.push(message);
        Ok(())
    }
}

fn fetched(text: &str) -> Option<Fetched> {
    let mut sink = Strict::default();
    let mut from = text.as_bytes();
    let mut ear = crate::mail::imap::fetch::Ear { sink: &mut sink };
    ear.hear(Some(1), "FETCH", &mut Lexer::new(&mut from)).ok()?;
    sink.ended.pop()
}

#[test]
fn messages_are_read_in_any_order_of_their_parts() {
    let message = fetched(
        "(X-GM-LABELS (\"\\\\Inbox\" a {2}\r\nb)) X-NEW (1 (2)) BODY[TEXT]<7> {3}\r\n)\r\n FLAGS (\\Seen $x) MODSEQ (12) \
         RFC822.SIZE 9 BODY[HEADER.FIELDS (\"X-A\")] {6}\r\nX-A: b EMAILID (M1) X-GM-MSGID 18446744073709551615 UID 7)\r\n",
    )
    .unwrap();
    assert_eq!((message.uid, message.size, message.mod_seq), (Some(7), Some(9), Some(12)));
    assert_eq!(message.flags.unwrap(), ["\\Seen", "$x"]);
    assert_eq!(message.gmail_labels.unwrap(), ["\\Inbox", "a", "b)"]);
    assert_eq!(message.gmail_message, Some(u64::MAX));
    assert_eq!(message.header.unwrap(), b"X-A: b");
    for (text, there) in [
        ("(UID 7 BODY[] NIL)\r\n", true),
        ("(UID 7 BODY[] \"short\")\r\n", true),
        ("(UID 7 BODY[] {0}\r\n)\r\n", true),
        ("(UID 7)\r\n", true),
        ("(UID 0)\r\n", false),
        ("(FLAGS ())\r\n", false),
        ("(UID 4294967296)\r\n", false),
        ("(UID 7 BODY[] (a))\r\n", false),
        ("(UID 7 BODY[] {3}\r\nab", false),
        ("(UID 7", false),
        ("UID 7\r\n", false),
        ("(UID 7 FLAGS \r\n", false),
    ] {
        assert_eq!(fetched(text).is_some(), there, "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_read_to_an_end(text in "[ ()\\[\\]{}0-9+~\"\\\\<>.a-zA-Z*\r\n]{0,200}") {
        // No panic, no endless loop; and what is not odd consumes something.
        fetched(&text);
        fetched(&format!("(UID 1 {text}"));
        fetched(&format!("(BODY[]{text}"));
        after(&text, |line| {
            while line.peek().is_ok() {
                line.skip_value().or_else(|_| line.finish())?;
                line.spaces()?;
            }
            Ok(())
        });
        after(&text, |line| line.words());
        after(&text, |line| line.finish());
        let answer = super::super::answer::Answer::of_line(text.as_bytes());
        answer.map(super::super::answer::Answer::yes);
        super::super::uids::read(&text);
        super::super::utf7::decode(&text);
    }

    #[test]
    fn bytes_of_any_sort_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut from = &bytes[..];
        let mut line = Lexer::new(&mut from);
        while line.string().is_ok() && line.spaces().is_ok() {}
        drop(line.finish());
    }

    #[test]
    fn every_name_comes_back_from_modified_utf_7(name in any::<String>()) {
        let coded = super::super::utf7::encode(&name);
        prop_assert!(coded.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        prop_assert_eq!(super::super::utf7::decode(&coded), Some(name));
    }
}

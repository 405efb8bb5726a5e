use std::io::Write;

use proptest::prelude::*;

use super::*;

const ONE: &str = "From a@b Mon Nov 29 22:54:33 2026\n";
const TWO: &str = "From - Tue Mar  3 10:00:02 2026\n";

/// The messages of a file, as they are found and as they are read. None: it is no mbox.
fn messages(text: &[u8]) -> Option<Vec<String>> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text).unwrap();
    let mut all = Vec::new();
    let is = scan(&file, &mut |found| all.push(found)).unwrap();
    let read = all.into_iter().map(|found| {
        let mut bytes = Vec::new();
        let stem = read::<io::Error>(&file, found.span, &mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        });
        assert_eq!((found.size, found.stem), (bytes.len() as u64, stem.unwrap()));
        assert!(bytes.starts_with(&found.head) || found.head.len() == header::MOST);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let read: Vec<_> = read.collect();
    is.then_some(read)
}

#[test]
fn messages_begin_behind_empty_lines_and_lose_one_quote() {
    for (text, expected) in [
        (String::new(), Some(&[][..])),
        ("\n\n".into(), Some(&[][..])),
        (ONE.into(), Some(&[""][..])),
        (ONE.trim_end().into(), Some(&[""][..])),
        ("Subject: x\n\nFrom here\n".into(), None),
        (
            format!("\n{ONE}S: x\n\none\n\n{TWO}S: y\n\ntwo\n\n"),
            Some(&["S: x\n\none\n", "S: y\n\ntwo\n"][..]),
        ),
        (format!("{ONE}S: x\n\none\n\n{TWO}S: y\n\ntwo"), Some(&["S: x\n\none\n", "S: y\n\ntwo"][..])),
        // Without an empty line before it, a line begins nothing.
        (
            format!("{ONE}S: x\n\none\n{TWO}more\n\n\n"),
            Some(&["S: x\n\none\nFrom - Tue Mar  3 10:00:02 2026\nmore\n\n"][..]),
        ),
        (
            format!("{ONE}S: x\n\n\nFrom now on\n>From a\n>>From b\n> From c\n>From: d\n"),
            Some(&["S: x\n\n\nFrom now on\nFrom a\n>From b\n> From c\n>From: d\n"][..]),
        ),
        // Nothing but a header; nothing at all.
        (format!("{ONE}S: x\n\n\n{ONE}\n{ONE}S: y\n\n{TWO}"), Some(&["S: x\n\n", "", "S: y\n", ""][..])),
        // CR LF.
        (
            format!("{ONE}S: x\n\none\n\n{TWO}S: y\n\n>From x\n\n").replace('\n', "\r\n"),
            Some(&["S: x\r\n\r\none\r\n", "S: y\r\n\r\nFrom x\r\n"][..]),
        ),
        // Thunderbird's line without anything.
        (
            "From \r\nS: x\r\n\r\none\r\n\r\nFrom \r\nS: y\r\n".into(),
            Some(&["S: x\r\n\r\none\r\n", "S: y\r\n"][..]),
        ),
        // The first line may say anything.
        ("From somebody\nS: x\n".into(), Some(&["S: x\n"][..])),
    ] {
        let found = messages(text.as_bytes());
        let found = found.as_ref().map(|all| all.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), expected, "{text:?}");
    }
}

#[test]
fn a_length_is_believed_if_a_message_ends_there() {
    let body = format!("one\n\n{TWO}>From x\n");
    let good = format!("{ONE}content-length: {}\n\n{body}\n{TWO}S: y\n\n>From z\n", body.len());
    let first = format!("content-length: {}\n\n{body}", body.len());
    assert_eq!(messages(good.as_bytes()).unwrap(), [&first, "S: y\n\nFrom z\n"]);
    // At the end of the file, with and without the empty line.
    for end in ["", "\n"] {
        let last = format!("{ONE}content-length: {}\n\n{body}{end}", body.len());
        assert_eq!(messages(last.as_bytes()).unwrap(), [&*first], "{end:?}");
    }
    // Where nothing stands in it that would need it, quotes are quotes.
    let quoted = format!("{ONE}Content-Length: 8\n\n>From x\n\n{TWO}S: y\n");
    assert_eq!(messages(quoted.as_bytes()).unwrap(), ["Content-Length: 8\n\nFrom x\n", "S: y\n"]);
    // A length that is wrong is nobody's.
    for length in ["0", "1", "7", "999999", "18446744073709551615", "-1", "x", ""] {
        let wrong = format!("{ONE}Content-Length: {length}\n\none\n\n{TWO}S: y\n\ntwo\n\n");
        let found = messages(wrong.as_bytes()).unwrap();
        assert_eq!(found[1..], ["S: y\n\ntwo\n"], "{length}");
    }
}

#[test]
fn long_lines_and_strange_bytes_pass_through() {
    let long = "x".repeat(3 * super::super::pieces::PIECE);
    let text = format!(
        "{ONE}S: {long}\n\n{long}\n>From {long}\n{}From x\n\n{TWO}S: y\n\n\0\u{1}\n",
        ">".repeat(70_000)
    );
    let found = messages(text.as_bytes()).unwrap();
    assert_eq!(found.len(), 2);
    assert!(found[0].ends_with(">From x\n") && found[0].contains(&format!("\nFrom {long}")));
    assert_eq!(found[1], "S: y\n\n\0\u{1}\n");
    let endless = [b"From ".to_vec(), vec![b'y'; 200_000], b"\nS: x\n".to_vec()].concat();
    assert_eq!(messages(&endless).unwrap(), ["S: x\n"]);
}

/// A message of lines, some of which look like others.
fn message() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just(String::new()),
        Just("\r".into()),
        Just("From a@b Mon Nov 29 22:54:33 2026".into()),
        Just("From now on".into()),
        Just(">From a@b Mon Nov 29 22:54:33 2026".into()),
        Just(">>>From ".into()),
        Just(">".into()),
        Just("S: x".into()),
        Just("Content-Length: 30".into()),
        "[ -~]{0,20}",
    ];
    proptest::collection::vec(line.prop_map(|line| format!("{line}\n")), 0..12)
        .prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn what_is_written_as_mboxrd_is_read_back(sent in proptest::collection::vec(message(), 0..6)) {
        let mut text = String::new();
        for message in &sent {
            text.push_str(ONE);
            for line in message.split_inclusive('\n') {
                let quoted = line.trim_start_matches('>').starts_with("From ");
                text.push_str(if quoted { ">" } else { "" });
                text.push_str(line);
            }
            text.push('\n');
        }
        prop_assert_eq!(messages(text.as_bytes()), Some(sent));
    }

    #[test]
    fn any_bytes_are_read(text in "(From |>|\n|\r|[a-z:]|Content-Length: [0-9]{1,2}\n|From a 10:00 2026\n){0,60}") {
        messages(text.as_bytes());
    }
}

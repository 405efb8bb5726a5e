//! What a message's header says that an archive wants to know; pure.
//!
//! The header of a mail is whatever its sender liked to write. All of it is bounded; what cannot be read is as if it
//! were not there.

use std::io;
use std::os::unix::fs::FileExt;
use std::panic::catch_unwind;

use jiff::Timestamp;
use mail_parser::{DateTime, HeaderName, HeaderValue, MessageParser};

use super::names::cut;
use super::source::Body;

/// How many bytes of a message are looked at.
pub const MOST: usize = 64 << 10;

/// The longest field that is kept raw: the longest line of a mail (RFC 5322, 2.1.1).
const LONGEST: usize = 998;

/// How many senders are told.
const SENDERS: usize = 5;

/// What a header says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The field Message-ID, as it is written, unfolded and bounded.
    pub message_id: Option<String>,
    /// The field From, raw, unfolded and bounded.
    pub from: Option<String>,
    /// Who sent it, decoded, on one line.
    pub sender: String,
    /// Its subject, decoded, on one line.
    pub subject: String,
    /// When it came, by the last server that it went through; else when it was written, by its sender's clock.
    pub date: Option<Timestamp>,
    /// Whether it is one of ours, which carry a vault: it has a field `X-Postkeep-Object` or `X-Postkeep-File`.
    pub ours: bool,
}

/// Reads the header of a message that was fetched. Where a file is read next does not change.
///
/// # Errors
/// It cannot be read.
pub fn of(body: &Body) -> io::Result<Facts> {
    let (file, size) = match body {
        Body::Held(bytes) => return Ok(facts(bytes)),
        Body::Spooled(file, size) => (file, size),
    };
    let most = usize::try_from(*size).unwrap_or(MOST).min(MOST);
    let mut start = vec![0; most];
    let mut read = 0;
    while let Some(room) = start.get_mut(read..).filter(|room| !room.is_empty()) {
        match file.read_at(room, read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(facts(start.get(..read).unwrap_or(&start)))
}

/// Reads the header at the beginning of a message. What lies behind the first [`MOST`] bytes is not looked at.
pub fn facts(message: &[u8]) -> Facts {
    let header = header(message);
    let first = |name: &str| {
        let mut fields = fields(header).filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
        fields.next().map(|(_, value)| unfolded(value))
    };
    let ours = fields(header).any(|(name, _)| {
        name.eq_ignore_ascii_case(b"X-Postkeep-Object") || name.eq_ignore_ascii_case(b"X-Postkeep-File")
    });
    // The library says that it never panics, and is asked about what anybody may send.
    let decoded = catch_unwind(|| match header.ends_with(b"\n") {
        true => decoded(header),
        // It takes a field that does not end for none.
        false => decoded(&[header, b"\n\n"].concat()),
    });
    let decoded = decoded.unwrap_or_default();
    let (message_id, from) = (first("Message-ID"), first("From"));
    Facts { message_id, from, ours, ..decoded }
}

/// The first field of this name in a header, decoded, on one line and bounded.
pub fn text(header: &[u8], name: &'static str) -> Option<String> {
    // Most messages have no such field, and are not read twice.
    fields(header).find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))?;
    let decoded = catch_unwind(|| {
        let ended = [header, b"\n\n"].concat();
        let message = MessageParser::new().header_text(name).default_header_ignore().parse_headers(&ended)?;
        message.header(name)?.as_text().map(on_one_line)
    });
    decoded.ok().flatten()
}

/// The header of a message: up to its first empty line, with that, and not more than [`MOST`] bytes.
pub fn header(message: &[u8]) -> &[u8] {
    let message = message.get(..MOST).unwrap_or(message);
    let mut at = 0;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            break;
        }
    }
    message.get(..at).unwrap_or(message)
}

/// The fields of a header: names, and values with their line ends.
pub fn fields(header: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = header;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            // A line that begins with a space goes on with the field before it (RFC 5322, 2.2.3).
            let mut end = 0;
            for line in rest.split_inclusive(|byte| *byte == b'\n') {
                if end > 0 && !matches!(line.first(), Some(b' ' | b'\t')) {
                    break;
                }
                end += line.len();
            }
            let (field, after) = rest.split_at(end);
            rest = after;
            if let Some(colon) = field.iter().position(|byte| *byte == b':') {
                let (name, value) = field.split_at(colon);
                return Some((name.trim_ascii(), value.get(1..).unwrap_or_default()));
            }
        }
        None
    })
}

/// A value on one line, bounded.
fn unfolded(value: &[u8]) -> String {
    let bare: Vec<u8> = value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    cut(&String::from_utf8_lossy(bare.trim_ascii()), LONGEST).to_owned()
}

/// Text on one line, bounded: line ends, tabs and other runs of space become one space.
fn on_one_line(text: &str) -> String {
    let start: String = text.chars().take(LONGEST).collect();
    let words: Vec<&str> = start.split_whitespace().collect();
    cut(&words.join(" "), LONGEST).to_owned()
}

fn decoded(header: &[u8]) -> Facts {
    let parser = MessageParser::new()
        .header_date(HeaderName::Date)
        .header_received(HeaderName::Received)
        .header_address(HeaderName::From)
        .header_text(HeaderName::Subject)
        .default_header_ignore();
    let Some(message) = parser.parse_headers(header) else { return Facts::default() };
    let mut arrived = message.header_values(HeaderName::Received).filter_map(|value| match value {
        HeaderValue::Received(received) => received.date().as_ref().and_then(timestamp),
        _ => None,
    });
    let date = arrived.next().or_else(|| message.date().and_then(timestamp));
    let senders = message.from().into_iter().flat_map(|from| from.iter()).take(SENDERS);
    let senders = senders.map(|sender| match (sender.name(), sender.address()) {
        (Some(name), Some(address)) => format!("{} <{}>", on_one_line(name), on_one_line(address)),
        (one, other) => on_one_line(one.or(other).unwrap_or_default()),
    });
    let senders: Vec<_> = senders.filter(|sender| !sender.is_empty()).collect();
    Facts {
        sender: cut(&senders.join(", "), LONGEST).to_owned(),
        subject: on_one_line(message.subject().unwrap_or_default()),
        date,
        ..Facts::default()
    }
}

/// A date that can be true: there was no mail before 1970.
fn timestamp(date: &DateTime) -> Option<Timestamp> {
    // A leap second is none to the calendar.
    let date = DateTime { second: date.second.min(59), ..*date };
    let second = date.is_valid().then(|| date.to_timestamp())?;
    Timestamp::from_second(second).ok().filter(|time| time.as_second() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_who_what_and_when() {
        let mail = "Return-Path: <x@example.org>\r\n\
            Received: from b by c; Tue, 3 Mar 2026 10:00:02 +0100 (CET)\r\n\
            Received: from a by b; Tue, 3 Mar 2026 09:59:00 +0100\r\n\
            message-id:\r\n <a.b@example.org>\r\n\
            Subject: =?UTF-8?Q?Gr=C3=BC?=\r\n\t=?UTF-8?Q?=C3=9Fe?= von\r\n der See\r\n\
            From: =?iso-8859-1?Q?J=F6rg?= <joerg@example.org>,\r\n Ann <ann@example.org>\r\n\
            Date: Mon, 2 Mar 2026 23:59:60 -0500\r\n\
            \r\nX-Postkeep-Object: no\r\nSubject: no\r\n";
        let all = facts(mail.as_bytes());
        assert_eq!(
            all,
            Facts {
                message_id: Some("<a.b@example.org>".into()),
                from: Some("=?iso-8859-1?Q?J=F6rg?= <joerg@example.org>, Ann <ann@example.org>".into()),
                sender: "Jörg <joerg@example.org>, Ann <ann@example.org>".into(),
                subject: "Grüße von der See".into(),
                date: Some("2026-03-03T09:00:02Z".parse().unwrap()),
                ours: false,
            }
        );
        assert_eq!(facts(mail.replace("\r\n", "\n").as_bytes()), all);
        let written = mail.replace("Received:", "X-Received:");
        assert_eq!(facts(written.as_bytes()).date, Some("2026-03-03T04:59:59Z".parse().unwrap()));
    }

    #[test]
    fn what_is_ours_is_known_by_its_fields() {
        for (header, ours) in [
            ("Subject: x\nX-POSTKEEP-OBJECT: pack\n\n", true),
            ("x-postkeep-file : a\n\n", true),
            ("X-Postkeep-Run: x\nX-Postkeep-Files: x\n\n", false),
            ("Subject: x\n X-Postkeep-File: folded\n\n", false),
        ] {
            assert_eq!(facts(header.as_bytes()).ours, ours, "{header}");
        }
    }

    #[test]
    fn whatever_anybody_writes_is_bounded() {
        let long = format!("Subject: {}\nMessage-ID: {}\n\n", "ü ".repeat(40_000), "x".repeat(5000));
        let long = facts(long.as_bytes());
        assert!(long.subject.len() <= LONGEST && long.subject.starts_with("ü ü"));
        // It lies behind what is looked at.
        assert_eq!(long.message_id, None);
        let senders = format!("From: {}\n\n", "a@b.c, ".repeat(9000));
        assert_eq!(facts(senders.as_bytes()).sender, ["a@b.c"; SENDERS].join(", "));
        for bad in [
            &b""[..],
            b"\n",
            b"\r\n\r\n",
            b":",
            b": x\n\n",
            b"no colon",
            b" begins with a space: x\n",
            b"Date: Thu, 99 Foo 9999 99:99:99 +9999\nReceived: ;\nFrom: <\nSubject: =?\n\n",
            b"Date: Thu, 1 Jan 1970 00:00:00 +0000\n\n",
            b"Subject: \xff\xfe\0\x1b[31m\nFrom: \xff <\xff>\n\n",
            b"Date: \nReceived: from from from from; ; ; 1\n\n",
        ] {
            assert_eq!(facts(bad).date, None, "{bad:?}");
        }
        // Some beginnings, and each single byte.
        let mail = b"Received: from a (b [1.2.3.4]) by c; Tue, 3 Mar 2026 10:00:02 +0100\nFrom: \"a\" (b) <c@d>, e: f@g;\nSubject: =?utf-8?B?w7w=?=\n\n";
        for end in 0..mail.len() {
            facts(&mail[..end]);
            for byte in [0, b'\n', b'"', b'(', b'=', 0xff] {
                let mut bent = mail.to_vec();
                bent[end] = byte;
                facts(&bent);
            }
        }
    }

    #[test]
    fn a_message_in_a_file_is_looked_at_where_it_lies() {
        use std::io::{Read, Write};
        let mut file = tempfile::tempfile().unwrap();
        let mail = format!("Subject: x\n\n{}", "y".repeat(2 * MOST));
        file.write_all(mail.as_bytes()).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let body = Body::Spooled(file, mail.len() as u64);
        assert_eq!(of(&body).unwrap(), of(&Body::Held(mail.clone().into_bytes())).unwrap());
        assert_eq!(of(&body).unwrap().subject, "x");
        let Body::Spooled(mut file, _) = body else { panic!() };
        let mut all = String::new();
        file.read_to_string(&mut all).unwrap();
        assert!(all == mail);
    }

    #[test]
    fn fields_are_split_where_a_line_begins_without_a_space() {
        let split: Vec<_> = fields(b"A: 1\r\nno colon\r\nB : 2\n\tmore\n: 3\nC:").collect();
        let expected: [(&[u8], &[u8]); 4] =
            [(b"A", b" 1\r\n"), (b"B", b" 2\n\tmore\n"), (b"", b" 3\n"), (b"C", b"")];
        assert_eq!(split, expected);
        assert_eq!(header(b"A: 1\r\n\r\nB: 2\r\n"), b"A: 1\r\n\r\n");
        assert_eq!(header(b"A: 1\nB: 2"), b"A: 1\nB: 2");
    }
}

//! A letter changed for its way: with a note above it, or without its log.
//!
//! Both work on the finished bytes and touch nothing else in them, so that what is left is the letter that the outbox
//! keeps. The notes become parts of their own, which mail programs show above the text.

use crate::run::RunId;

/// How wide a note is.
const WIDTH: usize = 72;

/// The letter of `id` with a note as its first part; as it is if it has no parts.
pub fn with_note(mail: &[u8], id: RunId, note: &str) -> Vec<u8> {
    let delimiter = delimiter(id);
    let Some(at) = find(mail, &delimiter) else { return mail.to_vec() };
    let mut changed = mail[..at].to_vec();
    changed.extend_from_slice(&delimiter);
    changed.extend_from_slice(b"\r\nContent-Type: text/plain; charset=utf-8\r\n");
    changed.extend_from_slice(b"Content-Transfer-Encoding: 7bit\r\nContent-Disposition: inline\r\n\r\n");
    changed.extend_from_slice(wrap(note).as_bytes());
    changed.extend_from_slice(&mail[at..]);
    changed
}

/// The letter of `id` without its log; None if there is none in it.
pub fn without_log(mail: &[u8], id: RunId) -> Option<Vec<u8>> {
    let delimiter = delimiter(id);
    let end = [delimiter.as_slice(), b"--"].concat();
    let part = [delimiter.as_slice(), b"\r\nContent-Type: application/gzip;"].concat();
    // The log is the last part: its delimiter is followed by that of the end.
    let from = find(mail, &part)?;
    let to = from + find(&mail[from..], &end)?;
    Some([&mail[..from], &mail[to..]].concat())
}

/// The note above a letter that comes late. It holds nothing that changes with the time of the try, so that two tries
/// send the same bytes.
pub fn late(mail: &[u8], id: RunId) -> Vec<u8> {
    let date = mail_date(mail).unwrap_or("the date above");
    let note = format!(
        "DELIVERED LATE. This report was written on {date}. It could not be sent then, and was kept until now."
    );
    let mut changed = b"X-Postkeep-Delayed: yes\r\n".to_vec();
    changed.extend(with_note(mail, id, &note));
    changed
}

/// The letter without its log, saying so; None if there is none in it.
pub fn slim(mail: &[u8], id: RunId) -> Option<Vec<u8>> {
    let note = format!(
        "The log that belongs to this report was left out: with it the letter is larger than the mail server takes.\n\
         To read it: postkeep log {id}"
    );
    Some(with_note(&without_log(mail, id)?, id, &note))
}

/// What the letter says in its Date.
fn mail_date(mail: &[u8]) -> Option<&str> {
    let headers = &mail[..find(mail, b"\r\n\r\n")?];
    let at = find(headers, b"\r\nDate: ")? + b"\r\nDate: ".len();
    std::str::from_utf8(headers[at..].split(|byte| *byte == b'\r').next()?).ok()
}

/// What stands before each part of a letter (RFC 2046, 5.1.1).
fn delimiter(id: RunId) -> Vec<u8> {
    format!("\r\n--{}", super::mail::boundary(&format!("{id}-all"))).into_bytes()
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, part)
}

/// ASCII in lines that fit a terminal; what has line ends keeps them.
fn wrap(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut column = 0;
        for word in line.split_whitespace() {
            let word: String = word.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
            // No line is longer than it may be (RFC 5322, 2.1.1), and nothing looks like the end of a part.
            let word = word[..word.len().min(900)].replace("=_", "=-");
            if column > 0 && column + 1 + word.len() > WIDTH {
                out.push_str("\r\n");
                column = 0;
            }
            if column > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(&word);
            column += word.len();
        }
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use mail_parser::{MessageParser, MimeHeaders};

    use super::super::{cases, render};
    use super::*;

    fn letters() -> Vec<(RunId, Vec<u8>)> {
        let cases = cases::all();
        cases.iter().map(|case| (case.run.id, render(&case.facts()).unwrap().mail)).collect()
    }

    fn kinds(mail: &[u8]) -> Vec<String> {
        let message = MessageParser::default().parse(mail).unwrap();
        let kind = |part: &mail_parser::MessagePart<'_>| {
            let kind =
                part.content_type().map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("")));
            kind.unwrap_or_default()
        };
        message.parts.iter().map(kind).collect()
    }

    #[test]
    fn a_late_letter_says_so_first_and_is_otherwise_the_same() {
        for (id, mail) in letters() {
            let late = late(&mail, id);
            let message = MessageParser::default().parse(&late).unwrap();
            let text = message.body_text(0).unwrap();
            assert!(
                text.starts_with("DELIVERED LATE. This report was written on Mon, 23 Nov 2026"),
                "{text}"
            );
            let mut expected = kinds(&mail);
            expected.insert(1, "text/plain".into());
            assert_eq!(kinds(&late), expected);
            // Without what was added it is the letter.
            let own = &late[late.len() - mail.len() + find(&mail, &delimiter(id)).unwrap()..];
            assert!(mail.ends_with(own));
            assert!(late.split(|byte| *byte == b'\n').all(|line| line.len() < 999));
        }
    }

    #[test]
    fn a_letter_without_its_log_has_all_else() {
        let mut slimmed = 0;
        for (id, mail) in letters() {
            let Some(slim) = slim(&mail, id) else {
                assert!(!kinds(&mail).iter().any(|kind| kind == "application/gzip"));
                continue;
            };
            slimmed += 1;
            let mut expected = kinds(&mail);
            assert_eq!(expected.pop().as_deref(), Some("application/gzip"));
            expected.insert(1, "text/plain".into());
            assert_eq!(kinds(&slim), expected);
            let message = MessageParser::default().parse(&slim).unwrap();
            assert!(message.body_text(0).unwrap().contains(&format!("postkeep log {id}")));
            assert_eq!(message.message_id(), MessageParser::default().parse(&mail).unwrap().message_id());
            assert_eq!(without_log(&slim, id), None);
        }
        assert!(slimmed > 2);
    }

    #[test]
    fn a_note_cannot_break_out_of_its_part() {
        let (id, mail) = letters().remove(0);
        let noted = with_note(
            &mail,
            id,
            &format!("a\r\n{}--\r\nb \u{e9} {}", String::from_utf8_lossy(&delimiter(id)), "y".repeat(5000)),
        );
        let message = MessageParser::default().parse(&noted).unwrap();
        assert!(message.body_text(0).unwrap().contains("\n--=-postkeep-"));
        assert_eq!(kinds(&noted).len(), kinds(&mail).len() + 1);
        assert!(noted.split(|byte| *byte == b'\n').all(|line| line.len() < 999));
        assert_eq!(with_note(b"Subject: x\r\n\r\nhello\r\n", id, "n"), b"Subject: x\r\n\r\nhello\r\n");
    }
}

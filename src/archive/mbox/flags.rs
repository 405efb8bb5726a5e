//! What programs write of a message into its own header when they keep it in an mbox; pure.
//!
//! The fields stay where they are: they are bytes of the message as it was found.

use super::scan::Found;
use crate::archive::header;
use crate::archive::source::Listed;

/// A message as it was found.
pub(super) fn listed(key: String, uid: u32, found: &Found) -> Listed {
    let facts = header::facts(&found.head);
    Listed {
        key,
        uid,
        size: found.size,
        date: found.date,
        flags: flags(&found.head),
        labels: header::text(&found.head, "X-Gmail-Labels").map_or_else(Vec::new, |text| labels(&text)),
        // Its key says what it is: one of the same Message-ID, date and size may be another one, such as one that was edited.
        message_id: None,
        from: facts.from,
        ours: facts.ours,
        ..Listed::default()
    }
}

/// The flags: Status and X-Status as mutt, Dovecot and others write them, X-Mozilla-Status as Thunderbird does.
fn flags(head: &[u8]) -> Vec<String> {
    let mut flags: Vec<&str> = Vec::new();
    let mut add = |is: bool, flag| {
        if is && !flags.contains(&flag) {
            flags.push(flag);
        }
    };
    for (name, value) in header::fields(head) {
        let has = |letter| value.contains(&letter);
        if name.eq_ignore_ascii_case(b"Status") {
            add(has(b'R'), "\\Seen");
        } else if name.eq_ignore_ascii_case(b"X-Status") {
            add(has(b'A'), "\\Answered");
            add(has(b'F'), "\\Flagged");
            add(has(b'D'), "\\Deleted");
            add(has(b'T'), "\\Draft");
        } else if name.eq_ignore_ascii_case(b"X-Mozilla-Status") {
            let text = String::from_utf8_lossy(value);
            let bits = u16::from_str_radix(text.trim(), 16).unwrap_or(0);
            add(bits & 0x0001 != 0, "\\Seen");
            add(bits & 0x0002 != 0, "\\Answered");
            add(bits & 0x0004 != 0, "\\Flagged");
            // It was deleted, and is in the file until that is compacted.
            add(bits & 0x0008 != 0, "\\Deleted");
            add(bits & 0x1000 != 0, "$Forwarded");
        }
    }
    flags.sort_unstable();
    flags.into_iter().map(str::to_owned).collect()
}

/// The labels that Gmail writes into the mails of an account when it hands out all of them (Takeout): separated by
/// commas; one with a comma in it is quoted.
fn labels(text: &str) -> Vec<String> {
    let (mut labels, mut quoted) = (vec![String::new()], false);
    for c in text.chars() {
        match (c, labels.last_mut()) {
            ('"', _) => quoted = !quoted,
            (',', _) if !quoted => labels.push(String::new()),
            (c, Some(label)) => label.push(c),
            (_, None) => {}
        }
    }
    labels.iter().map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_from_the_header() {
        for (head, expected) in [
            ("Subject: x\n", &[][..]),
            (
                "Status: RO\nX-Status: AFDT\n",
                &["\\Answered", "\\Deleted", "\\Draft", "\\Flagged", "\\Seen"][..],
            ),
            ("status: O\n", &[][..]),
            ("X-Mozilla-Status: 0001\nStatus: R\n", &["\\Seen"][..]),
            (
                "X-Mozilla-Status: 100f\n",
                &["$Forwarded", "\\Answered", "\\Deleted", "\\Flagged", "\\Seen"][..],
            ),
            ("X-Mozilla-Status: zzzzzz\nX-Mozilla-Status2: 00000001\n", &[][..]),
        ] {
            assert_eq!(flags(head.as_bytes()), expected, "{head}");
        }
    }

    #[test]
    fn labels_of_gmail_are_read_from_the_header() {
        for (text, expected) in [
            ("", &[][..]),
            ("Inbox,Unread", &["Inbox", "Unread"][..]),
            ("\"Reise, Büro\", Work ,,", &["Reise, Büro", "Work"][..]),
            ("\"open, a", &["open, a"][..]),
        ] {
            assert_eq!(labels(text), expected, "{text}");
        }
        let head = b"x-gmail-labels: =?UTF-8?Q?Posteingang,\"Reise,_B=C3=BCro\"?=,\r\n Work\r\n";
        assert_eq!(
            labels(&header::text(head, "X-Gmail-Labels").unwrap()),
            ["Posteingang", "Reise, Büro", "Work"]
        );
        assert_eq!(header::text(b"Subject: x\n", "X-Gmail-Labels"), None);
    }
}

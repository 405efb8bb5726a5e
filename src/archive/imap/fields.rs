//! The few header fields that a listing asks for; pure. They are anybody's bytes.

/// The fields that are asked for.
pub(super) const FIELDS: &[&str] = &["MESSAGE-ID", "FROM", "X-POSTKEEP-OBJECT", "X-POSTKEEP-FILE"];

/// The most bytes of a field that are kept: as long as a line may be (RFC 5322, 2.1.1).
pub(super) const LONGEST: usize = 998;

/// What a listing wants of a header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) message_id: Option<String>,
    pub(super) from: Option<String>,
    /// Whether a field of ours is there.
    pub(super) ours: bool,
}

/// Reads fields, of each the first one that says something: unfolded, cut where they are too long.
pub(super) fn read(header: &[u8]) -> Fields {
    let mut fields = Fields::default();
    let mut lines = header.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut next = lines.next();
    while let Some(line) = next {
        if line.is_empty() {
            break;
        }
        next = lines.next();
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let mut value = value.get(1..).unwrap_or_default().trim_ascii().to_vec();
        while let Some(more) = next.filter(|line| line.starts_with(b" ") || line.starts_with(b"\t")) {
            // What is cut off anyway need not be held.
            if value.len() <= LONGEST {
                value.push(b' ');
                value.extend_from_slice(more.trim_ascii());
            }
            next = lines.next();
        }
        let name = name.trim_ascii();
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        fields.ours |= is("X-Postkeep-Object") || is("X-Postkeep-File");
        let field = match () {
            () if is("Message-ID") => &mut fields.message_id,
            () if is("From") => &mut fields.from,
            () => continue,
        };
        let text = bounded(String::from_utf8_lossy(value.trim_ascii()).into_owned());
        if field.is_none() && !text.is_empty() {
            *field = Some(text);
        }
    }
    fields
}

/// The flags of a message that mean something beyond a session.
pub(super) fn lasting(flags: Vec<String>) -> Vec<String> {
    let lasting = flags.into_iter().filter(|flag| !flag.is_empty() && !flag.eq_ignore_ascii_case("\\Recent"));
    lasting.map(bounded).collect()
}

/// No more of a text than is kept.
pub(super) fn bounded(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.shrink_to_fit();
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_read_as_they_are_written() {
        for (header, id, from, ours) in [
            ("Message-ID: <a@b>\r\nFrom: Ann <a@b>\r\n\r\n", Some("<a@b>"), Some("Ann <a@b>"), false),
            ("message-id :\r\n <a@b>\r\n\r\n", Some("<a@b>"), None, false),
            ("From: =?utf-8?q?J=C3=B6rg?=\n\t<j@x>\n\n", None, Some("=?utf-8?q?J=C3=B6rg?= <j@x>"), false),
            ("X-Postkeep-Object: pack/1\r\n\r\n", None, None, true),
            ("x-postkeep-file:\r\n\r\n", None, None, true),
            ("From: one\r\nFrom: two\r\nMessage-ID:\r\n\r\n", None, Some("one"), false),
            ("From: a\r\n\r\nX-Postkeep-Object: in the body\r\n", None, Some("a"), false),
            ("no colon\r\n folded\r\nFrom: a", None, Some("a"), false),
            ("X-Postkeep-Objects: x\r\nSubject: X-Postkeep-File: y\r\n", None, None, false),
            ("", None, None, false),
        ] {
            let expected = Fields { message_id: id.map(str::to_owned), from: from.map(str::to_owned), ours };
            assert_eq!(read(header.as_bytes()), expected, "{header}");
        }
        assert_eq!(read(b"From: \xff\r\n").from.unwrap(), "\u{fffd}");
    }

    #[test]
    fn long_fields_are_cut_between_characters() {
        let header = format!("From: {}\r\n {}\r\n\r\n", "ü".repeat(600), "x".repeat(100_000));
        assert_eq!(read(header.as_bytes()).from.unwrap(), "ü".repeat(499));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(header in proptest::collection::vec(any::<u8>(), 0..300)) {
            let fields = read(&header);
            prop_assert!(fields.from.is_none_or(|from| from.len() <= LONGEST));
        }
    }
}

//! The head of a letter: written so that strict servers take it, read as from a stranger.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::label::{Label, VaultId};
use crate::vault::store::{Id, Kind};

/// The header that makes a message ours.
pub const HEADER: &str = "X-Postkeep-Object";

/// What stands behind a vault's id in its Message-IDs and addresses. No mail is ever sent there (RFC 2606).
const DOMAIN: &str = ".postkeep.invalid";

/// The most bytes of a head that are looked through.
pub const MOST: usize = 64 << 10;

/// What a message of ours is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// A part of an object.
    Object(Label),
    /// The one that says how to get at the objects without postkeep.
    ReadMe(VaultId),
}

impl Head {
    /// The vault that it belongs to.
    pub fn vault(&self) -> VaultId {
        match self {
            Self::Object(label) => label.vault,
            Self::ReadMe(vault) => *vault,
        }
    }
}

/// The head of an object's letter, with the empty line behind it.
pub(super) fn write(label: &Label, date: Timestamp, end: &str) -> String {
    let Label { vault, kind, hash, size, part, parts, serial } = label;
    let kind = kind.word();
    let serial = if *serial == 0 { String::new() } else { format!("; serial={serial}") };
    let subject = format!("[postkeep] {vault} {kind} {} {part}/{parts}", hash.short());
    let object = format!("{kind}/{hash}; part={part}/{parts}; size={size}; sha256={hash}{serial}");
    let lines = [
        common(*vault, &label.message_id(), &subject, &object, date, end),
        "Content-Type: application/octet-stream".to_owned(),
        "Content-Transfer-Encoding: base64".to_owned(),
        format!("Content-Disposition: attachment; filename=\"{kind}-{hash}.{part}of{parts}\""),
        end.to_owned(),
    ];
    lines.join(end)
}

/// The headers that every message of ours has; the last one is without its line end.
pub(super) fn common(
    vault: VaultId,
    message_id: &str,
    subject: &str,
    object: &str,
    date: Timestamp,
    end: &str,
) -> String {
    let date = date.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S +0000");
    [
        format!("From: postkeep <postkeep@{vault}{DOMAIN}>"),
        format!("To: postkeep <postkeep@{vault}{DOMAIN}>"),
        format!("Date: {date}"),
        format!("Message-ID: {message_id}"),
        format!("Subject: {subject}"),
        format!("{HEADER}: {object}"),
        "MIME-Version: 1.0".to_owned(),
    ]
    .join(end)
}

/// The Message-ID of the first message.
pub fn read_me_id(vault: VaultId) -> String {
    format!("<readme.1@{vault}{DOMAIN}>")
}

/// What a message is, by its head: all of it, or just the two lines that count. None: it is none of ours, or it
/// contradicts itself.
pub fn parse(head: &[u8]) -> Option<Head> {
    let head = head.get(..MOST).unwrap_or(head);
    let object = value(head, HEADER)?;
    let message_id = value(head, "Message-ID")?;
    let (_, domain) = message_id.strip_prefix('<')?.strip_suffix('>')?.rsplit_once('@')?;
    let vault: VaultId = domain.strip_suffix(DOMAIN)?.parse().ok()?;
    let head = match object.split(';').next() {
        Some("readme") => Head::ReadMe(vault),
        _ => Head::Object(label(&object, vault).filter(Label::is_sound)?),
    };
    let expected = match &head {
        Head::ReadMe(vault) => read_me_id(*vault),
        Head::Object(label) => label.message_id(),
    };
    (message_id == expected).then_some(head)
}

fn label(object: &str, vault: VaultId) -> Option<Label> {
    let mut words = object.split(';').map(str::trim);
    let (kind, hash) = words.next()?.split_once('/')?;
    let kind = Kind::ALL.into_iter().find(|known| known.word() == kind)?;
    let hash: Id = hash.parse().ok()?;
    let (mut part, mut size, mut sha256, mut serial) = (None, None, None, None);
    for (name, value) in words.filter_map(|word| word.split_once('=')) {
        let taken = match name {
            "part" => part.replace(value).is_some(),
            "size" => size.replace(number(value)?).is_some(),
            "sha256" => sha256.replace(value.parse::<Id>().ok()?).is_some(),
            "serial" => serial.replace(number(value)?).is_some(),
            // What later versions say besides.
            _ => false,
        };
        if taken {
            return None;
        }
    }
    let (part, parts) = part?.split_once('/')?;
    let (part, parts) = (number(part)?.try_into().ok()?, number(parts)?.try_into().ok()?);
    let serial = if kind == Kind::Config { serial.unwrap_or(0) } else { 0 };
    (sha256? == hash).then_some(Label { vault, kind, hash, size: size?, part, parts, serial })
}

/// Digits, and nothing else.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The value of a header, unfolded. None: it is missing, or there are several.
fn value(head: &[u8], name: &str) -> Option<String> {
    let mut found: Option<String> = None;
    let mut within = false;
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if line[0] == b' ' || line[0] == b'\t' {
            if within && let Some(value) = &mut found {
                value.push(' ');
                value.push_str(str::from_utf8(line).ok()?.trim());
            }
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        within = colon.is_some_and(|colon| line[..colon].trim_ascii().eq_ignore_ascii_case(name.as_bytes()));
        if within {
            if found.is_some() {
                return None;
            }
            found = Some(str::from_utf8(&line[colon? + 1..]).ok()?.trim().to_owned());
        }
    }
    found.map(|value| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "38fba67f000000000000000000000000000000000000000000000000000000ab";
    const VAULT: &str = "0123456789abcdef";

    fn label() -> Label {
        Label {
            vault: VAULT.parse().unwrap(),
            kind: Kind::Pack,
            hash: HASH.parse().unwrap(),
            size: 100,
            part: 1,
            parts: 2,
            serial: 0,
        }
    }

    #[test]
    fn a_head_is_as_format_1_has_it() {
        let date = Timestamp::from_second(1_750_000_000).unwrap();
        let expected = format!(
            "From: postkeep <postkeep@{VAULT}.postkeep.invalid>\r\n\
             To: postkeep <postkeep@{VAULT}.postkeep.invalid>\r\n\
             Date: Sun, 15 Jun 2025 15:06:40 +0000\r\n\
             Message-ID: <pack.{HASH}.1of2@{VAULT}.postkeep.invalid>\r\n\
             Subject: [postkeep] {VAULT} pack 38fba67f 1/2\r\n\
             X-Postkeep-Object: pack/{HASH}; part=1/2; size=100; sha256={HASH}\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: application/octet-stream\r\n\
             Content-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename=\"pack-{HASH}.1of2\"\r\n\r\n"
        );
        assert_eq!(write(&label(), date, "\r\n"), expected);
        for end in ["\n", "\r\n"] {
            for label in [label(), Label { kind: Kind::Config, serial: 7, ..label() }] {
                assert_eq!(parse(write(&label, date, end).as_bytes()), Some(Head::Object(label)));
            }
        }
    }

    #[test]
    fn only_what_agrees_with_itself_is_ours() {
        let id = format!("Message-ID: <pack.{HASH}.1of2@{VAULT}.postkeep.invalid>\r\n");
        let object = format!("X-Postkeep-Object: pack/{HASH}; part=1/2; size=100; sha256={HASH}\r\n");
        let good = [
            format!("{id}{object}"),
            format!("{object}{id}\r\nX-Postkeep-Object: in the body"),
            format!("{id}{}", object.replace("; ", ";\r\n ")),
            format!("{id}{}", object.replace("X-Postkeep-Object", "x-postkeep-OBJECT")),
            format!("{id}{}", object.replace("; size", "; more=of/this; size")),
            format!("{id}{}", object.replace("\r\n", "; serial=5\r\n")),
            format!("Subject: \u{fffd}\n{id}{object}"),
        ];
        for head in good {
            assert_eq!(parse(head.as_bytes()), Some(Head::Object(label())), "{head}");
        }
        let bad = [
            String::new(),
            object.clone(),
            id.clone(),
            format!("{id}\r\n{object}"),
            format!("{id}{object}{object}"),
            format!("{id}{id}{object}"),
            format!("{id}{}", object.replace("1/2", "2/2")),
            format!("{id}{}", object.replace("1/2", "+1/2")),
            format!("{id}{}", object.replace("1/2", "0/2")),
            format!("{id}{}", object.replace("pack", "tree")),
            format!("{id}{}", object.replace("pack", "key")),
            format!("{id}{}", object.replace("size=100", "size=-1")),
            format!("{id}{}", object.replace("size=100", "size=99999999999999999999")),
            format!("{id}{}", object.replace("size=100; ", "")),
            format!("{id}{}", object.replace("size=100", "size=57")),
            format!("{id}{}", object.replace("size=100", &format!("size={}", u64::MAX))),
            format!("{id}{}", object.replace("size=100", "size=100; size=100")),
            format!("{id}{}", object.replacen("38fb", "38fc", 1)),
            format!("{}{object}", id.replace("abcdef", "abcdeg")),
            format!("{}{object}", id.replace("postkeep", "example")),
            format!("{}{object}", id.replace('<', "")),
            format!("{id}X-Postkeep-Object: \u{fffd}/; part=\r\n"),
        ];
        for head in bad {
            assert_eq!(parse(head.as_bytes()), None, "{head}");
        }
        let config = write(&Label { kind: Kind::Config, serial: 7, ..label() }, Timestamp::UNIX_EPOCH, "\n");
        assert!(parse(config.as_bytes()).is_some());
        assert_eq!(parse(config.replace("serial=7", &format!("serial={}", u64::MAX)).as_bytes()), None);
        assert_eq!(parse(&[b"X-Postkeep-Object: \xff\n".as_slice(), id.as_bytes()].concat()), None);
    }
}

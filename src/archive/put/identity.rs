//! What tells a message from others; pure.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::archive::stored::Stored;

/// As much of a Message-ID counts: what is kept of it beside a message is bounded as well.
const MOST: usize = 1000;

/// What stands for a Message-ID: there may be a million of them.
pub(super) type Id = [u8; 16];

/// What tells a message from others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// Its Message-ID.
    pub(super) id: Option<Id>,
    /// Its size as the server counts it, as far as that is known.
    pub(super) size: u64,
    /// When it came.
    pub(super) date: Option<Timestamp>,
    /// Its [`content`], where somebody looked.
    pub(super) hash: Option<[u8; 32]>,
    /// Whether it is marked as deleted.
    pub(super) deleted: bool,
}

impl Identity {
    /// That of an archived message, as far as it is known without its bytes.
    pub(super) fn of(message: &Stored) -> Self {
        let id = message.marks.message_id.as_deref().and_then(|text| id(text.as_bytes()));
        let deleted = is_deleted(&message.marks.flags);
        Self { id, size: message.size, date: Some(message.place.date), hash: None, deleted }
    }
}

/// Whether a message is marked as deleted: the next EXPUNGE of any program takes it away.
pub(super) fn is_deleted(flags: &[String]) -> bool {
    flags.iter().any(|flag| flag.eq_ignore_ascii_case("\\Deleted"))
}

/// The SHA-256 of a message without its CRs, of which servers make more or fewer.
pub(super) fn content(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    bytes.split(|byte| *byte == b'\r').for_each(|piece| hash.update(piece));
    hash.finalize().into()
}

/// Reads a Message-ID, as it is written in a header field.
pub(super) fn id(text: &[u8]) -> Option<Id> {
    let bare: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let from = bare.iter().position(|byte| *byte == b'<').unwrap_or(0);
    let bare = bare.get(from..).unwrap_or_default();
    let end = bare.iter().position(|byte| *byte == b'>').map_or(bare.len(), |end| end + 1);
    let bare = bare.get(..end.min(MOST)).unwrap_or_default();
    if matches!(bare, b"" | b"<>") {
        return None;
    }
    let mut id = Id::default();
    id.copy_from_slice(blake3::hash(bare).as_bytes().get(..16)?);
    Some(id)
}

/// The Message-ID in a header, or in some of its fields.
pub(super) fn id_of_header(header: &[u8]) -> Option<Id> {
    let mut value: Option<Vec<u8>> = None;
    for line in header.split(|byte| *byte == b'\n') {
        if let Some(value) = &mut value {
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                break;
            }
            value.extend_from_slice(line);
            continue;
        }
        if line.trim_ascii().is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(0);
        let (name, rest) = line.split_at(colon);
        if name.trim_ascii_end().eq_ignore_ascii_case(b"Message-ID") {
            value = Some(rest.get(1..).unwrap_or_default().to_vec());
        }
    }
    id(&value?)
}

/// What a message of the folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Read {
    /// Its [`content`].
    pub(super) content: [u8; 32],
    /// The SHA-256 of its bytes.
    pub(super) sha256: [u8; 32],
}

impl Read {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { content: content(bytes), sha256: Sha256::digest(bytes).into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_the_same_however_it_is_written() {
        let plain = id(b"<a@b>").unwrap();
        for text in [" <a@b>", "<a@b> (comment)", "\r\n <a@\r\n\tb>", "x <a@b>"] {
            assert_eq!(id(text.as_bytes()), Some(plain), "{text}");
        }
        for header in ["Message-ID: <a@b>\r\n\r\n", "X: y\r\nmessage-id :\r\n <a@b>\r\nMessage-ID: <c>\r\n"] {
            assert_eq!(id_of_header(header.as_bytes()), Some(plain), "{header}");
        }
        for header in ["", "X: <a@b>\n", "\r\nMessage-ID: <a@b>\r\n", "Message-ID: <>\n", "Message-ID:\n"] {
            assert_eq!(id_of_header(header.as_bytes()), None, "{header}");
        }
        assert_ne!(id(b"<A@b>"), Some(plain));
    }
}

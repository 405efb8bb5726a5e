//! What a message of an mbox is named by: its bytes, without those fields of its header in which mail programs note what
//! became of it. So it keeps its name when somebody reads it.

use sha2::{Digest, Sha256};

use super::line;
use super::pieces::Piece;

/// The fields that mail programs write into a message that they keep, and change.
const NOTES: [&[u8]; 13] = [
    b"Status",
    b"X-Status",
    b"X-Keywords",
    b"X-UID",
    b"X-UIDL",
    b"X-IMAP",
    b"X-IMAPbase",
    b"X-Mozilla-Status",
    b"X-Mozilla-Status2",
    b"X-Mozilla-Keys",
    b"X-Evolution",
    b"Content-Length",
    b"Lines",
];

/// How many bytes of the hash name a message.
const BYTES: usize = 8;

/// Hears a message, part by part.
#[derive(Debug, Clone, Default)]
pub(super) struct Naming {
    hash: Sha256,
    body: bool,
    /// Whether this field is no part of the name.
    note: bool,
}

/// What names a message, but for the number of those that are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stem([u8; BYTES]);

impl Naming {
    /// A piece of the message, as it is without quotes.
    pub(super) fn add(&mut self, piece: &Piece<'_>, plain: &[u8]) {
        if !self.body && piece.first {
            self.body = line::is_empty(plain);
            // A line that begins with a space goes on with the field before it.
            if self.body || !plain.starts_with(b" ") && !plain.starts_with(b"\t") {
                let name = plain.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii_end();
                self.note = !self.body && NOTES.iter().any(|note| note.eq_ignore_ascii_case(name));
            }
        }
        if !self.note {
            self.hash.update(plain);
        }
    }

    pub(super) fn end(self) -> Stem {
        let (mut stem, hash) = ([0; BYTES], self.hash.finalize());
        stem.iter_mut().zip(hash.iter()).for_each(|(to, from)| *to = *from);
        Stem(stem)
    }
}

impl std::fmt::Display for Stem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::pieces::Pieces;
    use super::*;

    fn stem(text: &str) -> Stem {
        let (mut naming, mut pieces) = (Naming::default(), Pieces::new(text.as_bytes(), 0));
        while let Some(piece) = pieces.next().unwrap() {
            naming.add(&piece, piece.bytes);
        }
        naming.end()
    }

    #[test]
    fn what_programs_note_does_not_change_the_name() {
        let plain = "Subject: x\n y\nFrom: a\n\nStatus: RO\none\n";
        let name = stem(plain);
        assert_eq!(name.to_string().len(), 16);
        for same in [
            "Status: RO\nSubject: x\n y\nFrom: a\n\nStatus: RO\none\n",
            "Subject: x\n y\nx-mozilla-keys: a\n\tb\nFrom: a\nSTATUS :\n\nStatus: RO\none\n",
            "Subject: x\n y\nFrom: a\nContent-Length: 15\nLines: 2\n\nStatus: RO\none\n",
        ] {
            assert_eq!(stem(same), name, "{same}");
        }
        for other in [
            "Subject: x\n y\nFrom: a\n\nStatus: O\none\n",
            "Subject: x\nFrom: a\n\nStatus: RO\none\n",
            "Subject: x\n y\nFrom: a\nX-Statuses: 1\n\nStatus: RO\none\n",
            "Subject: x\n y\nFrom: a\n\nStatus: RO\none",
        ] {
            assert_ne!(stem(other), name, "{other}");
        }
    }
}

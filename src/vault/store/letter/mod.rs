//! Format 1: an object as one message, or as several. Everything in here is pure.
//!
//! A letter's head says what it carries ([`Label`]); its body is base64 in lines of 76 characters ([`body`]), so that
//! bytes in the middle of an object are found by arithmetic. `docs/` tells the format to those who read it by hand.

mod arriving;
pub mod body;
mod head;
mod label;
mod read_me;

pub use self::arriving::Arriving;
pub use self::body::LineEnd;
pub use self::head::{HEADER, Head, MOST as LARGEST_HEAD, parse, read_me_id};
pub use self::label::{Label, VaultId, parts};
pub use self::read_me::read_me;

use jiff::Timestamp;

/// The letter that carries one part of an object.
pub fn compose(label: &Label, object: &[u8], date: Timestamp, end: LineEnd) -> Vec<u8> {
    let range = label.range();
    let part = object.get(range.start as usize..range.end as usize).unwrap_or_default();
    let head = head::write(label, date, str::from_utf8(end.bytes()).unwrap_or_default());
    let mut letter = Vec::with_capacity(head.len() + end.length(part.len() as u64) as usize);
    letter.extend_from_slice(head.as_bytes());
    body::encode(part, end, &mut letter);
    letter
}

/// How many bytes a letter has on the wire; all dates are equally long.
pub fn size(label: &Label) -> u64 {
    let range = label.range();
    let head = head::write(label, Timestamp::UNIX_EPOCH, "\r\n");
    head.len() as u64 + LineEnd::CrLf.length(range.end - range.start)
}

/// Where the body of a message begins: behind the first empty line. None: it has no body.
pub fn body_offset(message: &[u8]) -> Option<usize> {
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', message) {
        if matches!(&message[start..end], b"" | b"\r") {
            return Some(end + 1);
        }
        start = end + 1;
    }
    None
}

/// What a message carries: its label, and the part's bytes. None: it is none of ours, or damaged.
pub fn read(message: &[u8]) -> Option<(Label, Vec<u8>)> {
    let start = body_offset(message)?;
    let Some(Head::Object(label)) = parse(&message[..start]) else { return None };
    let range = label.range();
    let part = body::decode(&message[start..], range.end - range.start, line_end(&message[start..]))?;
    Some((label, part))
}

/// How the lines of a body end, by its first one.
pub fn line_end(body: &[u8]) -> LineEnd {
    match memchr::memchr(b'\n', body) {
        Some(0) => LineEnd::Lf,
        Some(at) if body[at - 1] != b'\r' => LineEnd::Lf,
        _ => LineEnd::CrLf,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::store::{Id, Kind};

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_not() {
        let object: Vec<u8> = (0..40_000_u32).map(|n| (n / 3) as u8).collect();
        let hash = Id::of(&object);
        for end in [LineEnd::CrLf, LineEnd::Lf] {
            let parts = parts(object.len() as u64, Some(20_000)).unwrap();
            let mut joined = Vec::new();
            for part in 1..=parts {
                let label = Label {
                    vault: VaultId([1; 8]),
                    kind: Kind::Pack,
                    hash,
                    size: object.len() as u64,
                    part,
                    parts,
                    serial: 0,
                };
                let letter = compose(&label, &object, Timestamp::UNIX_EPOCH, end);
                assert!(letter.len() <= 20_000 && letter.is_ascii());
                assert!(end == LineEnd::Lf || letter.len() as u64 == size(&label));
                let (read_label, read_part) = read(&letter).unwrap();
                assert_eq!(read_label, label);
                joined.extend(read_part);
                for cut in [0, 1, 200, 700, letter.len() - 10] {
                    assert_eq!(read(&letter[..cut]), None, "cut after {cut}");
                }
            }
            assert_eq!(joined, object);
        }
    }
}

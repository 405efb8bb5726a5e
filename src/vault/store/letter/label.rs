//! What a letter says of itself: which part of which object of which vault it is.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::body::{LineEnd, RAW};
use crate::vault::store::{Id, Kind};

/// The most parts that an object is cut into.
const MOST_PARTS: u32 = 9999;

/// The largest number that a config is believed to have: there must be a next one.
const LARGEST_SERIAL: u64 = u32::MAX as u64;

/// What is left for the head of a letter when the size of its body is chosen; more than any head has.
const HEAD: u64 = 2048;

/// The smallest limit for a letter that is taken seriously.
const SMALLEST_LIMIT: u64 = 16 << 10;

/// Tells one vault's letters from another's: 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VaultId(pub [u8; 8]);

impl VaultId {
    /// One that no other vault has.
    pub fn random() -> Self {
        let mut id = [0; 8];
        // Linux gives so few bytes at once, always.
        let _ = rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty());
        Self(id)
    }
}

impl fmt::Display for VaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for VaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VaultId {
    type Err = ();

    /// Reads 16 lower-case hexadecimal digits, and nothing else.
    fn from_str(text: &str) -> Result<Self, ()> {
        let whole: Id = text.repeat(4).parse()?;
        let id = whole.0.first_chunk::<8>().ok_or(())?;
        (text.len() == 16).then_some(Self(*id)).ok_or(())
    }
}

/// Which part of which object a letter carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label {
    /// The vault.
    pub vault: VaultId,
    /// The object's kind.
    pub kind: Kind,
    /// The SHA-256 of the object's content; the config's too.
    pub hash: Id,
    /// The object's size in bytes.
    pub size: u64,
    /// Which part, from 1.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
    /// Of the config: the one with the highest number counts. Else 0.
    pub serial: u64,
}

impl Label {
    /// The object's name in a store.
    pub fn id(&self) -> Id {
        if self.kind == Kind::Config { Id::NONE } else { self.hash }
    }

    /// The bytes of the object that this letter carries. It follows from the size and the number of parts: all parts
    /// but the last are equally long, and made of whole lines.
    pub fn range(&self) -> Range<u64> {
        let length = part_length(self.size, self.parts);
        let start = u64::from(self.part - 1).saturating_mul(length).min(self.size);
        start..start.saturating_add(length).min(self.size)
    }

    /// Whether it can be: the parts are as many as they say, none is empty but that of an empty object, and the object
    /// is none that is larger than its kind gets. Everything that is reckoned from it stays within 64 bits then.
    pub(super) fn is_sound(&self) -> bool {
        let counted = (1..=self.parts).contains(&self.part) && self.parts <= MOST_PARTS;
        let believable = self.size <= self.kind.largest() && self.serial <= LARGEST_SERIAL;
        counted && believable && (self.parts == 1 || !Self { part: self.parts, ..*self }.range().is_empty())
    }

    /// The letter's Message-ID, with its angle brackets.
    pub fn message_id(&self) -> String {
        let Self { vault, kind, hash, part, parts, .. } = self;
        format!("<{}.{hash}.{part}of{parts}@{vault}.postkeep.invalid>", kind.word())
    }
}

/// How long all parts but the last are.
fn part_length(size: u64, parts: u32) -> u64 {
    size.div_ceil(u64::from(parts)).next_multiple_of(RAW).max(RAW)
}

/// How many parts an object has if no letter may be larger than `limit` bytes on the wire. None: too many.
pub fn parts(size: u64, limit: Option<u64>) -> Option<u32> {
    let Some(limit) = limit else { return Some(1) };
    let room = limit.max(SMALLEST_LIMIT) - HEAD;
    let fits = |parts: u32| LineEnd::CrLf.length(part_length(size, parts).min(size)) <= room;
    // As many as the whole body needs, or one more, since parts are made of whole lines.
    let least = LineEnd::CrLf.length(size).div_ceil(room).max(1);
    let least = u32::try_from(least).ok().filter(|parts| *parts <= MOST_PARTS)?;
    (least..=MOST_PARTS).find(|parts| fits(*parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(size: u64, part: u32, parts: u32) -> Label {
        let vault = VaultId([1; 8]);
        Label { vault, kind: Kind::Pack, hash: Id([2; 32]), size, part, parts, serial: 0 }
    }

    #[test]
    fn parts_cover_an_object_and_fit_the_limit() {
        for limit in [16 << 10, 100_000, 1_000_003, 25_000_000] {
            for size in [0, 1, 57, 9_000, 10_400, 10_500, 73_000, 1_000_000, 16_777_216, 40_000_000] {
                let parts = parts(size, Some(limit)).unwrap();
                let mut next = 0;
                for part in 1..=parts {
                    let label = label(size, part, parts);
                    assert!(label.is_sound(), "{label:?}");
                    let range = label.range();
                    assert_eq!(range.start, next);
                    assert!(LineEnd::CrLf.length(range.end - range.start) + HEAD <= limit);
                    next = range.end;
                }
                assert_eq!(next, size);
                assert!(
                    parts == 1 || LineEnd::CrLf.length(size) + HEAD > limit,
                    "{parts} for {size} of {limit}"
                );
            }
        }
        assert_eq!(parts(u64::MAX / 4, Some(25_000_000)), None);
        assert_eq!(parts(u64::MAX, None), Some(1));
    }

    #[test]
    fn labels_that_cannot_be_are_told() {
        for (size, part, of, sound) in [
            (100, 1, 1, true),
            (0, 1, 1, true),
            (0, 1, 2, false),
            (100, 0, 1, false),
            (100, 2, 1, false),
            (100, 1, 0, false),
            (57, 2, 2, false),
            (58, 2, 2, true),
            (u64::MAX, 1, MOST_PARTS + 1, false),
            (Kind::Pack.largest(), 7, 9000, true),
            (Kind::Pack.largest(), 1, 1, true),
            (Kind::Pack.largest() + 1, 1, 1, false),
            (u64::MAX, 1, 1, false),
            (u64::MAX, 7, 9000, false),
        ] {
            assert_eq!(label(size, part, of).is_sound(), sound, "{size} {part}/{of}");
        }
    }

    #[test]
    fn a_vault_id_is_16_digits() {
        let id = VaultId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_ne!(id, VaultId::random());
        for bad in ["", "ab", "0123456789abcdeF", "0123456789abcde", "0123456789abcdef0", &"0".repeat(64)] {
            assert_eq!(bad.parse::<VaultId>(), Err(()), "{bad}");
        }
    }
}

//! Which messages carry which objects. `K` names a message, and a lower one was there first.
//!
//! Of two letters with the same part the lower one counts; of two configs the one with the higher serial number.

use std::collections::BTreeMap;
use std::ops::Range;

use super::letter::{self, Label};
use super::{Found, Id, Kind};
use crate::error::{Error, Result};

/// A part of an object. The order is that in which the parts of an object are looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    kind: Kind,
    hash: Id,
    size: u64,
    parts: u32,
    part: u32,
}

impl Slot {
    fn of(label: &Label) -> Self {
        let Label { kind, hash, size, parts, part, .. } = *label;
        Self { kind, hash, size, parts, part }
    }

    /// What all parts of one object have in common, when it is cut in one way.
    fn whole(&self) -> (Id, u64, u32) {
        (self.hash, self.size, self.parts)
    }
}

/// The letters of one vault.
#[derive(Debug, Clone)]
pub(super) struct Catalogue<K> {
    letters: BTreeMap<K, Label>,
    /// The letters of each part, lowest first; none of the lists is empty.
    slots: BTreeMap<Slot, Vec<K>>,
}

/// An object with all its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object<K> {
    /// The label of its first part.
    pub(super) label: Label,
    /// Its letters, by part.
    pub(super) letters: Vec<K>,
}

impl<K> Object<K> {
    /// The letters that carry bytes of `range`, each with its label and which bytes of its part they are.
    pub(super) fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = (&K, Label, Range<u64>)> {
        self.letters.iter().zip(1..).filter_map(move |(letter, part)| {
            let label = Label { part, ..self.label };
            let Range { start, end } = label.range();
            let piece = range.start.clamp(start, end) - start..range.end.clamp(start, end) - start;
            (!piece.is_empty()).then_some((letter, label, piece))
        })
    }
}

/// The letters that an object becomes if none may have more than `limit` bytes.
///
/// # Errors
/// They would be too many.
pub(super) fn labels(whole: Label, limit: Option<u64>) -> Result<impl Iterator<Item = Label>> {
    let Some(parts) = letter::parts(whole.size, limit) else {
        let limit = crate::figures::size(limit.unwrap_or_default());
        return Err(Error::other(format!(
            "an object of {} bytes needs too many messages of {limit}",
            whole.size
        )));
    };
    Ok((1..=parts).map(move |part| Label { part, parts, ..whole }))
}

impl<K: Ord + Clone> Catalogue<K> {
    pub(super) fn new() -> Self {
        Self { letters: BTreeMap::new(), slots: BTreeMap::new() }
    }

    pub(super) fn insert(&mut self, key: K, label: Label) {
        self.remove(&key);
        let keys = self.slots.entry(Slot::of(&label)).or_default();
        let at = keys.partition_point(|other| *other < key);
        keys.insert(at, key.clone());
        self.letters.insert(key, label);
    }

    pub(super) fn remove(&mut self, key: &K) {
        let Some(label) = self.letters.remove(key) else { return };
        let slot = Slot::of(&label);
        if let Some(keys) = self.slots.get_mut(&slot) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.slots.remove(&slot);
            }
        }
    }

    /// All letters, lowest first.
    pub(super) fn letters(&self) -> impl Iterator<Item = (&K, &Label)> {
        self.letters.iter()
    }

    /// The objects of a kind that are complete.
    pub(super) fn list(&self, kind: Kind) -> Vec<Found> {
        if kind == Kind::Config {
            let config = self.find(kind, &Id::NONE);
            return config
                .map(|object| Found { id: Id::NONE, size: object.label.size })
                .into_iter()
                .collect();
        }
        let mut found: Vec<Found> = Vec::new();
        let (mut whole, mut count) = (None, 0);
        for slot in self.of_kind(kind).map(|(slot, _)| slot) {
            if whole != Some(slot.whole()) {
                (whole, count) = (Some(slot.whole()), 0);
            }
            // A part is a slot once only: as many as there are parts are all parts.
            count += 1;
            if count == slot.parts && found.last().is_none_or(|last| last.id != slot.hash) {
                found.push(Found { id: slot.hash, size: slot.size });
            }
        }
        found
    }

    /// An object that is complete.
    pub(super) fn find(&self, kind: Kind, id: &Id) -> Option<Object<K>> {
        if kind != Kind::Config {
            return self.complete(kind, id);
        }
        // The same content may be there with several numbers: it was replaced, and came back.
        let keys = self.of_kind(kind).flat_map(|(_, keys)| keys);
        let mut configs: Vec<_> = keys.filter_map(|key| Some((self.letters.get(key)?, key))).collect();
        // Of two that were written at the same time the first.
        configs.sort_by(|(a, a_key), (b, b_key)| b.serial.cmp(&a.serial).then(a_key.cmp(b_key)));
        configs.into_iter().find_map(|(label, _)| self.complete(kind, &label.hash))
    }

    fn complete(&self, kind: Kind, hash: &Id) -> Option<Object<K>> {
        let (mut whole, mut letters) = (None, Vec::new());
        for (slot, keys) in self.of_object(kind, hash) {
            if whole != Some(slot.whole()) {
                (whole, letters) = (Some(slot.whole()), Vec::new());
            }
            letters.extend(keys.first().cloned());
            if letters.len() == slot.parts as usize {
                let label = *self.letters.get(letters.first()?)?;
                return Some(Object { label, letters });
            }
        }
        None
    }

    /// What a letter carries.
    pub(super) fn label(&self, key: &K) -> Option<&Label> {
        self.letters.get(key)
    }

    /// The first letter with exactly this label: of configs with the same content the one of this serial number.
    pub(super) fn letter(&self, label: &Label) -> Option<&K> {
        self.slots.get(&Slot::of(label))?.iter().find(|key| self.label(key) == Some(label))
    }

    /// The letter of a part, be the object complete or not.
    pub(super) fn part(&self, label: &Label) -> Option<&K> {
        self.slots.get(&Slot::of(label))?.first()
    }

    /// All letters of an object, with doubles and parts without the others; of the config those of all configs.
    pub(super) fn all(&self, kind: Kind, id: &Id) -> Vec<K> {
        match kind {
            Kind::Config => self.of_kind(kind).flat_map(|(_, keys)| keys.clone()).collect(),
            _ => self.of_object(kind, id).flat_map(|(_, keys)| keys.clone()).collect(),
        }
    }

    /// Letters that are there once more: all but the first of each part. Configs are none: of them the last one counts.
    pub(super) fn doubles(&self) -> Vec<K> {
        let slots = self.slots.iter().filter(|(slot, _)| slot.kind != Kind::Config);
        slots.flat_map(|(_, keys)| keys[1..].iter().cloned()).collect()
    }

    /// The highest serial number of a config.
    pub(super) fn serial(&self) -> u64 {
        let keys = self.of_kind(Kind::Config).flat_map(|(_, keys)| keys);
        keys.filter_map(|key| self.letters.get(key)).map(|label| label.serial).max().unwrap_or(0)
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&Slot, &Vec<K>)> {
        self.between(kind, Id([0; 32]), Id([0xff; 32]))
    }

    fn of_object(&self, kind: Kind, hash: &Id) -> impl Iterator<Item = (&Slot, &Vec<K>)> {
        self.between(kind, *hash, *hash)
    }

    fn between(&self, kind: Kind, first: Id, last: Id) -> impl Iterator<Item = (&Slot, &Vec<K>)> {
        let first = Slot { kind, hash: first, size: 0, parts: 0, part: 0 };
        let last = Slot { kind, hash: last, size: u64::MAX, parts: u32::MAX, part: u32::MAX };
        self.slots.range(first..=last)
    }
}

#[cfg(test)]
mod tests {
    use super::super::letter::VaultId;
    use super::*;

    fn label(kind: Kind, hash: u8, size: u64, part: u32, parts: u32, serial: u64) -> Label {
        Label { vault: VaultId([1; 8]), kind, hash: Id([hash; 32]), size, part, parts, serial }
    }

    #[test]
    fn an_object_is_there_when_all_its_parts_are() {
        type Letters<'a> = &'a [(u32, u64, u32, u32)];
        // (message, size, part, parts) -> the messages that count
        let cases: [(Letters<'_>, Option<&[u32]>); 9] = [
            (&[], None),
            (&[(5, 100, 1, 1)], Some(&[5])),
            (&[(5, 100, 1, 1), (3, 100, 1, 1)], Some(&[3])),
            (&[(5, 300, 1, 3), (4, 300, 3, 3)], None),
            (&[(5, 300, 1, 3), (4, 300, 3, 3), (9, 300, 2, 3)], Some(&[5, 9, 4])),
            (&[(5, 300, 2, 2), (4, 300, 2, 3)], None),
            // Cut in two ways: only one of them is whole.
            (&[(5, 300, 1, 2), (6, 300, 1, 3), (7, 300, 2, 3), (8, 300, 3, 3)], Some(&[6, 7, 8])),
            (&[(5, 300, 1, 2), (6, 300, 2, 3), (7, 300, 3, 3)], None),
            (&[(5, 200, 1, 2), (6, 300, 2, 2)], None),
        ];
        for (letters, expected) in cases {
            let mut catalogue = Catalogue::new();
            for (key, size, part, parts) in letters {
                catalogue.insert(*key, label(Kind::Pack, 7, *size, *part, *parts, 0));
                // Beside others.
                catalogue.insert(*key + 100, label(Kind::Pack, 6, *size, *part, 4, 0));
                catalogue.insert(*key + 200, label(Kind::Key, 7, *size, *part, 4, 0));
            }
            let found = catalogue.find(Kind::Pack, &Id([7; 32])).map(|object| object.letters);
            assert_eq!(found.as_deref(), expected, "{letters:?}");
            assert_eq!(catalogue.list(Kind::Pack).len(), usize::from(expected.is_some()), "{letters:?}");
            assert_eq!(catalogue.all(Kind::Pack, &Id([7; 32])).len(), letters.len());
        }
    }

    #[test]
    fn a_range_is_found_in_the_letters_that_have_it() {
        // Parts of 114, 114 and 72 bytes.
        let object = Object { label: label(Kind::Pack, 7, 300, 1, 3, 0), letters: vec!['a', 'b', 'c'] };
        for (range, expected) in [
            (0..300, vec![('a', 0..114), ('b', 0..114), ('c', 0..72)]),
            (0..1, vec![('a', 0..1)]),
            (113..115, vec![('a', 113..114), ('b', 0..1)]),
            (114..228, vec![('b', 0..114)]),
            (299..300, vec![('c', 71..72)]),
            (100..100, vec![]),
            (300..300, vec![]),
        ] {
            let pieces = object.pieces(range.clone());
            let found: Vec<_> = pieces.map(|(letter, _, piece)| (*letter, piece)).collect();
            assert_eq!(found, expected, "{range:?}");
        }
    }

    #[test]
    fn what_is_removed_makes_way_for_the_next() {
        let mut catalogue = Catalogue::new();
        for key in [3, 1, 2] {
            catalogue.insert(key, label(Kind::Lock, 7, 10, 1, 1, 0));
        }
        assert_eq!(catalogue.doubles(), [2, 3]);
        catalogue.remove(&1);
        assert_eq!(catalogue.find(Kind::Lock, &Id([7; 32])).unwrap().letters, [2]);
        for key in 1..=3 {
            catalogue.remove(&key);
        }
        assert!(catalogue.list(Kind::Lock).is_empty() && catalogue.slots.is_empty());
    }

    #[test]
    fn of_configs_the_last_one_counts() {
        // (message, content, serial)
        for (configs, counts) in [
            (&[(1, 7, 1)][..], 1),
            (&[(1, 7, 1), (2, 3, 2)], 2),
            (&[(1, 7, 3), (2, 3, 2)], 1),
            (&[(1, 7, 2), (2, 3, 2)], 1),
            (&[(2, 7, 1), (1, 3, 0), (3, 7, 1)], 2),
            // The content of message 3, which is that of message 1.
            (&[(1, 7, 1), (2, 3, 2), (3, 7, 3)], 1),
        ] {
            let mut catalogue = Catalogue::new();
            for (key, hash, serial) in configs {
                catalogue.insert(*key, label(Kind::Config, *hash, 10, 1, 1, *serial));
            }
            let config = catalogue.find(Kind::Config, &Id::NONE).unwrap();
            assert_eq!(config.letters, [counts], "{configs:?}");
            assert!(catalogue.doubles().is_empty());
            // Each is found by its own label, and of equal ones the first.
            for (_, hash, serial) in configs {
                let first = configs.iter().find(|other| (other.1, other.2) == (*hash, *serial));
                let label = label(Kind::Config, *hash, 10, 1, 1, *serial);
                assert_eq!(catalogue.letter(&label), first.map(|first| &first.0), "{configs:?}");
            }
            assert_eq!(catalogue.all(Kind::Config, &Id::NONE).len(), configs.len());
            assert_eq!(catalogue.serial(), configs.iter().map(|config| config.2).max().unwrap());
        }
    }
}

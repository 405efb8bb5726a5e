//! What a folder has already: which of our messages is which of its; pure.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::identity::{Id, Identity, Read};

/// How much larger than what it is to be compared with a message may be, beside its line ends.
pub(super) const SLACK: u64 = 4096;

/// Whether one is too large to be the other: line ends make nothing more than twice as large.
pub(super) fn far(one: u64, other: u64) -> bool {
    one > other.saturating_mul(2).saturating_add(SLACK)
}

/// A message of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) uid: u32,
    pub(super) id: Option<Id>,
    pub(super) size: u64,
    pub(super) date: Option<Timestamp>,
    /// Whether it is marked as deleted.
    pub(super) deleted: bool,
}

impl Entry {
    /// Whether it can stand for ours: what is soon to go stands for none but one that is to be so.
    fn stays(&self, ours: &Identity) -> bool {
        !self.deleted || ours.deleted
    }

    fn is_of(&self, date: Option<Timestamp>) -> bool {
        // IMAP knows no more than seconds.
        let second = |date: Option<Timestamp>| date.map(Timestamp::as_second);
        self.date.is_some() && second(self.date) == second(date)
    }
}

/// The messages of a folder that are none of ours yet. Each of them is at most one of ours: what an archive has twice, a
/// folder is to have twice.
#[derive(Debug, Default)]
pub(super) struct There {
    entries: Vec<Option<Entry>>,
    by_id: HashMap<Id, Vec<usize>>,
    by_size: HashMap<u64, Vec<usize>>,
    /// Those without a Message-ID, by the second of their date.
    by_date: HashMap<i64, Vec<usize>>,
    /// Those that were read, by UID.
    read: HashMap<u32, Read>,
}

impl There {
    /// Takes a message of the folder.
    pub(super) fn add(&mut self, entry: Entry) {
        let at = self.entries.len();
        match (entry.id, entry.date) {
            (Some(id), _) => self.by_id.entry(id).or_default().push(at),
            (None, Some(date)) => self.by_date.entry(date.as_second()).or_default().push(at),
            (None, None) => {}
        }
        self.by_size.entry(entry.size).or_default().push(at);
        self.entries.push(Some(entry));
    }

    /// A message was read.
    pub(super) fn learn(&mut self, uid: u32, read: Read) {
        self.read.insert(uid, read);
    }

    /// Takes out a message of the same Message-ID, size and date; whether there is one.
    pub(super) fn take_exact(&mut self, ours: &Identity) -> bool {
        let found = self.named(ours).find(|(_, entry)| entry.size == ours.size && entry.is_of(ours.date));
        let found = found.map(|(at, _)| at);
        self.remove(found)
    }

    /// Takes out a message of the same Message-ID that came in the same second, whatever its size; whether there is one.
    pub(super) fn take_dated(&mut self, ours: &Identity) -> bool {
        let found = self.named(ours).find(|(_, entry)| entry.is_of(ours.date)).map(|(at, _)| at);
        self.remove(found)
    }

    /// Takes out a message that was read, of the same content; whether there is one.
    pub(super) fn take(&mut self, ours: &Identity) -> bool {
        let found = ours.hash.and_then(|hash| {
            let same = |entry: &Entry| self.read.get(&entry.uid).is_some_and(|read| read.content == hash);
            self.like(ours).find(|(_, entry)| same(entry)).map(|(at, _)| at)
        });
        self.remove(found)
    }

    /// Messages of the same Message-ID and second that can be ours by their size, and what they hold, as far as they were
    /// read: to be judged, and to be taken out by what is told first of each.
    pub(super) fn dated(&self, ours: &Identity) -> Vec<(usize, Option<Read>)> {
        let of_size = |entry: &Entry| !far(entry.size, ours.size) && !far(ours.size, entry.size);
        let dated = self.named(ours).filter(|(_, entry)| entry.is_of(ours.date) && of_size(entry));
        dated.map(|(at, entry)| (at, self.read.get(&entry.uid).copied())).collect()
    }

    /// Takes out this one.
    pub(super) fn take_at(&mut self, at: usize) -> bool {
        self.remove(Some(at))
    }

    /// Takes out the message that comes nearest, where nothing is read: for a plan, and for what we put ourselves. The
    /// newest is taken. Some servers write line ends anew: then the date tells.
    pub(super) fn take_alike(&mut self, ours: &Identity) -> bool {
        let dated = |entry: &Entry| entry.is_of(ours.date);
        let named = || self.named(ours).filter(|(_, entry)| dated(entry) || entry.size == ours.size);
        let alike = |entry: &Entry| dated(entry) && (entry.size == ours.size || ours.id.is_none());
        let near = named().max_by_key(|(at, entry)| (dated(entry), entry.size == ours.size, *at));
        let found =
            near.or_else(|| self.like(ours).filter(|(_, entry)| alike(entry)).max_by_key(|(at, _)| *at));
        let found = found.map(|(at, _)| at);
        self.remove(found)
    }

    /// Whether a message of the folder can be ours, be it read or not: one that was read for another of ours is
    /// compared with this one all the same.
    pub(super) fn has_alike(&self, ours: &Identity) -> bool {
        self.alike(ours).next().is_some()
    }

    /// Messages that have to be read to know whether they are ours, by UID: those of the same second first, since there
    /// may be more than are read at once.
    pub(super) fn unread(&self, ours: &Identity) -> Vec<u32> {
        let unread = self.alike(ours).filter(|entry| !self.read.contains_key(&entry.uid));
        let sorted: BTreeSet<_> = unread.map(|entry| (!entry.is_of(ours.date), entry.uid)).collect();
        sorted.into_iter().map(|(_, uid)| uid).collect()
    }

    /// Messages that can be ours: of the same Message-ID; without one on both sides, and of the same size or date; or with
    /// another one, and of the same size and date. Servers do not agree on what a broken header says, nor on line ends.
    fn alike(&self, ours: &Identity) -> impl Iterator<Item = &Entry> {
        self.like(ours).map(|(_, entry)| entry).filter(move |entry| {
            let same = entry.id == ours.id || (entry.size == ours.size && entry.is_of(ours.date));
            same && !far(entry.size, ours.size) && !far(ours.size, entry.size)
        })
    }

    /// Those of the same Message-ID, those of the same size, and those without a Message-ID of the same date.
    fn like(&self, ours: &Identity) -> impl Iterator<Item = (usize, &Entry)> {
        let dated = ours.date.and_then(|date| self.by_date.get(&date.as_second()));
        let dated = dated.into_iter().flatten().filter_map(|at| self.entry(*at));
        let all = self.named(ours).chain(self.of_size(ours.size)).chain(dated);
        all.filter(|(_, entry)| entry.stays(ours))
    }

    fn named(&self, ours: &Identity) -> impl Iterator<Item = (usize, &Entry)> {
        let named = ours.id.and_then(|id| self.by_id.get(&id));
        let named = named.into_iter().flatten().filter_map(|at| self.entry(*at));
        named.filter(|(_, entry)| entry.stays(ours))
    }

    fn entry(&self, at: usize) -> Option<(usize, &Entry)> {
        Some((at, self.entries.get(at)?.as_ref()?))
    }

    fn of_size(&self, size: u64) -> impl Iterator<Item = (usize, &Entry)> {
        self.by_size.get(&size).into_iter().flatten().filter_map(|at| self.entry(*at))
    }

    fn remove(&mut self, at: Option<usize>) -> bool {
        at.and_then(|at| self.entries.get_mut(at)).is_some_and(|entry| entry.take().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::put::identity::{self, content};

    fn entry(id: &str, uid: u32, size: u64, second: i64) -> Entry {
        let date = Timestamp::from_second(second).ok();
        Entry { uid, id: identity::id(id.as_bytes()), size, date, deleted: false }
    }

    fn ours(id: &str, size: u64, second: i64) -> Identity {
        let date = Timestamp::from_second(second).ok();
        Identity { id: identity::id(id.as_bytes()), size, date, hash: None, deleted: false }
    }

    fn read(content: [u8; 32]) -> Read {
        Read { content, sha256: content }
    }

    #[test]
    fn each_message_of_the_folder_is_one_of_ours_at_most() {
        let mut there = There::default();
        there.add(entry("<1>", 1, 100, 5));
        there.add(entry("<1>", 2, 101, 6));
        there.add(entry("", 3, 50, 7));
        there.add(entry("<broken>", 4, 60, 8));
        assert!(!there.take_exact(&ours("<2>", 100, 5)) && !there.take_exact(&ours("<1>", 99, 4)));
        // Neither the size nor the date alone tells.
        assert!(!there.take_exact(&ours("<1>", 100, 9)) && !there.take_exact(&ours("<1>", 7, 6)));
        assert_eq!(
            (there.unread(&ours("<1>", 100, 9)), there.unread(&ours("<1>", 9_999, 6))),
            (vec![1, 2], vec![])
        );
        assert_eq!(there.unread(&ours("<1>", 90, 6)), [2, 1]);
        assert!(there.take_exact(&ours("<1>", 100, 5)) && !there.take_exact(&ours("<1>", 100, 5)));
        // By content alone.
        let hashed = Identity { hash: Some([7; 32]), ..ours("", 50, 9) };
        assert!(!there.take(&hashed));
        assert_eq!((there.unread(&hashed), there.unread(&ours("", 60, 9))), (vec![3], vec![]));
        there.learn(3, read([7; 32]));
        assert!(there.unread(&hashed).is_empty() && there.has_alike(&hashed));
        assert!(there.take(&hashed) && !there.take(&hashed) && !there.has_alike(&hashed));
        let other = Identity { hash: Some([8; 32]), ..ours("<b r>", 60, 8) };
        assert_eq!(there.unread(&other), [4]);
        there.learn(4, read([8; 32]));
        assert!(there.take(&other));
        // Of another size, since its line ends were written anew.
        there.add(entry("", 6, 71, 3));
        let rewritten = Identity { hash: Some(content(b"a\r\r\nb\r")), ..ours("", 73, 3) };
        assert_eq!(there.unread(&rewritten), [6]);
        there.learn(6, Read::of(b"a\r\nb"));
        assert!(there.take(&rewritten));
        // A server that writes messages anew keeps Message-ID and second.
        there.add(entry("<8>", 8, 999, 6));
        assert!(!there.take_dated(&ours("<8>", 70, 7)) && !there.take_dated(&ours("<9>", 999, 6)));
        assert!(there.take_dated(&ours("<8>", 70, 6)) && !there.take_dated(&ours("<8>", 70, 6)));
        // A plan believes size and date.
        there.add(entry("", 5, 70, 1));
        assert!(!there.take_alike(&ours("", 70, 2)) && there.take_alike(&ours("<3>", 70, 1)));
        // What is marked as deleted is there for one that is so, too.
        there.add(Entry { deleted: true, ..entry("<9>", 9, 90, 9) });
        let gone = ours("<9>", 90, 9);
        assert!(!there.has_alike(&gone) && !there.take_exact(&gone) && !there.take_alike(&gone));
        assert!(there.take_exact(&Identity { deleted: true, ..gone }));
        // The nearest of one Message-ID, and of those the newest.
        there.add(entry("<1>", 7, 101, 6));
        assert!(there.take_alike(&ours("<1>", 101, 6)) && there.entries[1].is_some());
        assert!(there.take_alike(&ours("<1>", 7, 6)) && !there.take_alike(&ours("<1>", 101, 6)));
    }
}

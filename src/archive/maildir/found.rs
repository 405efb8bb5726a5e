//! The messages of a Maildir's folder, each with a key of its own.

use std::collections::{HashMap, HashSet};

use super::name;
use crate::archive::key;
use crate::entry::{Entry, FileTime, Name};

/// The folders of files: first the one that messages leave, so that one which moves meanwhile is seen in either.
pub(super) const PARTS: [&[u8]; 2] = [b"new", b"cur"];

/// Where a message lies: which of [`PARTS`], and its name there.
pub(super) type At = (usize, Name);

/// A message as its folder has it.
pub(super) struct Found {
    pub at: At,
    /// None: it cannot be looked at.
    pub entry: Option<Entry>,
}

impl Found {
    /// What names it, with what programs appended to that.
    fn base(&self) -> &[u8] {
        name::split(self.at.1.as_bytes()).0
    }

    fn unique(&self) -> &[u8] {
        name::unique(self.base())
    }

    /// What tells its file from others, whatever it is called.
    fn file(&self) -> Option<((u64, u64), u64, FileTime)> {
        self.entry.as_ref().map(|entry| (entry.id, entry.size, entry.mtime))
    }
}

/// The messages with their keys, in the order of their names.
pub(super) fn keyed(mut all: Vec<Found>) -> Vec<(String, Found)> {
    // What was seen last stays last.
    all.sort_by(|a, b| a.unique().cmp(b.unique()));
    let mut keyed = Vec::with_capacity(all.len());
    let mut all = all.into_iter().peekable();
    while let Some(first) = all.next() {
        let unique = first.unique().to_vec();
        let mut alike = vec![first];
        alike.extend(std::iter::from_fn(|| all.next_if(|found| found.unique() == unique)));
        keyed.extend(told_apart(alike));
    }
    keyed
}

/// The keys of messages whose names begin alike. Two different messages have two different keys, whatever gave them their
/// names: those that flags alone tell apart have their whole name, and the folder that it is in.
fn told_apart(mut alike: Vec<Found>) -> Vec<(String, Found)> {
    if alike.len() > 1 {
        // One that was renamed while we looked is where it was seen last.
        let mut files = HashSet::new();
        alike.reverse();
        alike.retain(|found| found.file().is_none_or(|file| files.insert(file)));
        alike.reverse();
    }
    let alone = alike.len() == 1;
    let mut times: HashMap<&[u8], usize> = HashMap::new();
    alike.iter().for_each(|found| *times.entry(found.base()).or_default() += 1);
    let keys = alike.iter().map(|found| match found.base() {
        _ if alone => key::key(found.unique()),
        base if times.get(base) == Some(&1) => key::key(base),
        _ => {
            let (part, name) = &found.at;
            let part = PARTS.get(*part).copied().unwrap_or_default();
            key::key(&[part, name.as_bytes()].join(&b'/'))
        }
    });
    let keys: Vec<_> = keys.collect();
    keys.into_iter().zip(alike).collect()
}

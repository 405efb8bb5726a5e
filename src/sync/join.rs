//! The decision table: what one name, as seen on both sides, asks for. Pure.
//!
//! [`merge`] walks two sorted listings side by side; [`decide`] looks at one [`Row`]. Copy and mirror need no more
//! than the two sides; two-way will bring the baseline as a third column to the same rows.

use std::cmp::Ordering;
use std::io;

use crate::entry::{Entry, Kind, Name};
use crate::profile::Mode;
use crate::replica::{Keeps, Listing};

/// One side's view of a name.
#[derive(Debug, Clone, Copy)]
pub enum Sight<'a> {
    /// It is not there.
    Absent,
    /// It is there.
    Present(&'a Entry),
    /// Something is there that could not be looked at.
    Unreadable(&'a io::Error),
}

/// One name, as both sides see it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The name.
    pub name: &'a Name,
    /// In the source.
    pub source: Sight<'a>,
    /// In the target.
    pub target: Sight<'a>,
}

/// What decides besides the row.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Copy or mirror.
    pub mode: Mode,
    /// What the target can keep.
    pub keeps: Keeps,
    /// Whether a change time on one side may be compared with one on the other.
    pub change_times: bool,
    /// Leave out what is mounted in the source.
    pub one_file_system: bool,
}

/// What a row asks for.
#[derive(Debug, Clone, Copy)]
pub enum Decision<'a> {
    /// Equal.
    Same(&'a Entry, &'a Entry),
    /// Equal by size and times, but the source was touched since: a closer look is needed.
    Suspect {
        /// In the source.
        source: &'a Entry,
        /// In the target.
        target: &'a Entry,
        /// It was touched so near to the copy that the content may differ.
        racy: bool,
    },
    /// Folders on both sides; `mark`: with different metadata.
    Descend {
        /// In the source.
        source: &'a Entry,
        /// In the target.
        target: &'a Entry,
        /// Its mode, owner or time differs.
        mark: bool,
    },
    /// Only in the source.
    Create(&'a Entry),
    /// The target's entry makes way for the source's.
    Replace(&'a Entry, &'a Entry),
    /// Only metadata differs.
    Mark(&'a Entry, &'a Entry),
    /// One of several names of a file, on either side: decided for all its names together.
    Linked(&'a Entry, Option<&'a Entry>),
    /// Only in the target, and to be deleted.
    Delete(&'a Entry),
    /// Only in the target, and to stay.
    Extra(&'a Entry),
    /// The source's entry cannot take the place of the target's folder without deleting.
    Blocked(&'a Entry),
    /// Mounted in the source, and not entered.
    Mounted(&'a Entry),
    /// A device, and we may not make one.
    Unmakeable(&'a Entry),
    /// It cannot be looked at: nothing happens to it, on no side.
    Unreadable {
        /// Whether it is the source's.
        in_source: bool,
        /// Why.
        error: &'a io::Error,
    },
    /// Left behind half done by an earlier run of ours.
    Sweep(&'a Entry),
    /// Ours: no part of the sync.
    Ours,
}

/// A change time this near to the copy's does not tell which came first: the kernel's clock ticks every 4 ms or so.
const TICK_NANOS: i128 = 20_000_000;

/// Pairs two listings by name, in order.
pub fn merge<'a>(source: &'a Listing, target: &'a Listing) -> impl Iterator<Item = Row<'a>> {
    let (mut left, mut right) = (sights(source).peekable(), sights(target).peekable());
    std::iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let source = if order == Ordering::Greater { None } else { left.next() };
        let target = if order == Ordering::Less { None } else { right.next() };
        let name = source.or(target)?.0;
        let sight = |side: Option<(&'a Name, Sight<'a>)>| side.map_or(Sight::Absent, |(_, sight)| sight);
        Some(Row { name, source: sight(source), target: sight(target) })
    })
}

/// The names of one side in order, the unreadable ones among them.
fn sights(listing: &Listing) -> impl Iterator<Item = (&Name, Sight<'_>)> {
    let mut entries = listing.entries.iter().peekable();
    let mut unreadable = listing.unreadable.iter().peekable();
    std::iter::from_fn(move || {
        let first = match (entries.peek(), unreadable.peek()) {
            (Some(entry), Some((name, _))) => entry.name < *name,
            (entry, _) => entry.is_some(),
        };
        if first {
            entries.next().map(|entry| (&entry.name, Sight::Present(entry)))
        } else {
            unreadable.next().map(|(name, error)| (name, Sight::Unreadable(error)))
        }
    })
}

/// Decides one row of a copy or mirror.
pub fn decide<'a>(row: &Row<'a>, policy: &Policy) -> Decision<'a> {
    if row.name.is_ours() {
        let temp = row.name.as_bytes().starts_with(b".postkeep-tmp-");
        return match row.target {
            Sight::Present(entry) if temp => Decision::Sweep(entry),
            _ => Decision::Ours,
        };
    }
    match (row.source, row.target) {
        (Sight::Unreadable(error), _) => Decision::Unreadable { in_source: true, error },
        (_, Sight::Unreadable(error)) => Decision::Unreadable { in_source: false, error },
        (Sight::Absent, Sight::Absent) => Decision::Ours,
        (Sight::Absent, Sight::Present(target)) => match policy.mode {
            Mode::Copy => Decision::Extra(target),
            Mode::Mirror => Decision::Delete(target),
        },
        (Sight::Present(source), target) => {
            let target = match target {
                Sight::Present(target) => Some(target),
                Sight::Absent | Sight::Unreadable(_) => None,
            };
            decide_source(source, target, policy)
        }
    }
}

fn decide_source<'a>(source: &'a Entry, target: Option<&'a Entry>, policy: &Policy) -> Decision<'a> {
    if source.kind == Kind::Folder && source.mount_point && policy.one_file_system {
        return Decision::Mounted(source);
    }
    if matches!(source.kind, Kind::CharDevice | Kind::BlockDevice) && !policy.keeps.owners {
        return Decision::Unmakeable(source);
    }
    let linked = source.nlink > 1 || target.is_some_and(|t| t.nlink > 1 && t.kind != Kind::Folder);
    let Some(target) = target else {
        return match source.kind {
            Kind::Folder => Decision::Create(source),
            _ if linked && policy.keeps.links => Decision::Linked(source, None),
            _ => Decision::Create(source),
        };
    };
    match (source.kind, target.kind) {
        (Kind::Folder, Kind::Folder) => {
            Decision::Descend { source, target, mark: !same_metadata(source, target, policy) }
        }
        (Kind::Folder, _) => Decision::Replace(source, target),
        (_, Kind::Folder) if policy.mode == Mode::Copy => Decision::Blocked(target),
        _ if linked && policy.keeps.links => Decision::Linked(source, Some(target)),
        _ => compare(source, target, policy),
    }
}

/// Compares two entries that are not both folders.
pub fn compare<'a>(source: &'a Entry, target: &'a Entry, policy: &Policy) -> Decision<'a> {
    if !same_content(source, target, policy) {
        return Decision::Replace(source, target);
    }
    if !same_metadata(source, target, policy) {
        return Decision::Mark(source, target);
    }
    if source.kind == Kind::File && policy.change_times {
        let gap = nanos(source.ctime) - nanos(target.ctime);
        if gap > -TICK_NANOS {
            return Decision::Suspect { source, target, racy: gap < TICK_NANOS };
        }
    }
    Decision::Same(source, target)
}

/// Whether folders on both sides may differ in attributes that no time tells of.
pub fn is_suspect_folder(source: &Entry, target: &Entry, policy: &Policy) -> bool {
    policy.change_times && nanos(source.ctime) - nanos(target.ctime) > -TICK_NANOS
}

fn nanos(time: crate::entry::FileTime) -> i128 {
    i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)
}

fn same_content(source: &Entry, target: &Entry, policy: &Policy) -> bool {
    source.kind == target.kind
        && match source.kind {
            Kind::File => {
                source.size == target.size && policy.keeps.same_time(source.mtime, target.mtime)
            }
            Kind::Symlink => source.link == target.link,
            Kind::CharDevice | Kind::BlockDevice => source.rdev == target.rdev,
            Kind::Folder | Kind::Fifo | Kind::Socket => true,
        }
}

/// Whether mode, owner and time are equal, as far as the target can keep them.
pub fn same_metadata(source: &Entry, target: &Entry, policy: &Policy) -> bool {
    let keeps = &policy.keeps;
    let modes = !keeps.modes || source.kind == Kind::Symlink || keeps.mode(source) == target.mode;
    let owners = !keeps.owners || (source.uid, source.gid) == (target.uid, target.gid);
    modes && owners && keeps.same_time(source.mtime, target.mtime)
}

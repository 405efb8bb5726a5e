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
    /// What the roots are, source and target: met again inside the other side, they are not walked into.
    pub roots: [Option<(u64, u64)>; 2],
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
    /// The target's root in the source, or the source's in the target: by a bind mount, or as the only way to it.
    Root,
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
    if is_root(source, policy) || target.is_some_and(|target| is_root(target, policy)) {
        return Decision::Root;
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
        (_, Kind::Folder) if policy.mode == Mode::Copy => Decision::Blocked(source),
        _ if linked && policy.keeps.links => Decision::Linked(source, Some(target)),
        _ => compare(source, target, policy),
    }
}

/// Whether an entry is a root of either side.
pub fn is_root(entry: &Entry, policy: &Policy) -> bool {
    entry.kind == Kind::Folder && entry.id.1 != 0 && policy.roots.contains(&Some(entry.id))
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
            Kind::File => source.size == target.size && policy.keeps.same_time(source.mtime, target.mtime),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::FileTime;

    fn entry(name: &str, kind: Kind) -> Entry {
        let time = |seconds| FileTime { seconds, nanos: 0 };
        Entry {
            name: Name::new(name.as_bytes()).unwrap(),
            kind,
            size: 10,
            mtime: time(1_000),
            ctime: time(1_000),
            mode: 0o644,
            uid: 7,
            gid: 7,
            rdev: 0,
            nlink: 1,
            id: (1, 1),
            allocated: 4096,
            mount_point: false,
            link: (kind == Kind::Symlink).then(|| b"there".as_slice().into()),
        }
    }

    fn listing(entries: &[Entry], unreadable: &[&str]) -> Listing {
        let error = || io::Error::from_raw_os_error(13);
        Listing {
            entries: entries.to_vec(),
            unreadable: unreadable.iter().map(|n| (Name::new(n.as_bytes()).unwrap(), error())).collect(),
        }
    }

    fn policy(mode: Mode) -> Policy {
        let keeps = Keeps { modes: true, links: true, owners: true, writer: (0, 0), time_step: 1 };
        Policy {
            mode,
            keeps,
            change_times: true,
            one_file_system: true,
            roots: [Some((1, 40)), Some((1, 50))],
        }
    }

    /// The decision's name, and nothing of what is in it.
    fn word(decision: &Decision<'_>) -> String {
        let text = format!("{decision:?}");
        text.split([' ', '(']).next().unwrap().to_owned()
    }

    #[test]
    fn names_are_paired_in_order_whatever_can_be_read() {
        let (a, c) = (entry("a", Kind::File), entry("c", Kind::File));
        let source = listing(&[a.clone(), c.clone()], &["b"]);
        let target = listing(&[c, entry("d", Kind::File)], &["a"]);
        let rows: Vec<_> = merge(&source, &target)
            .map(|row| {
                let sight = |sight| match sight {
                    Sight::Absent => '-',
                    Sight::Present(_) => 'P',
                    Sight::Unreadable(_) => 'E',
                };
                format!("{:?}{}{}", row.name, sight(row.source), sight(row.target))
            })
            .collect();
        assert_eq!(rows, ["aPE", "bE-", "cPP", "d-P"]);
    }

    #[test]
    fn the_decision_table() {
        let file = || entry("x", Kind::File);
        let folder = || entry("x", Kind::Folder);
        let with = |change: fn(&mut Entry)| {
            let mut changed = file();
            change(&mut changed);
            changed
        };
        let later = |change: fn(&mut Entry)| {
            let mut target = file();
            target.ctime.seconds = 2_000;
            change(&mut target);
            target
        };
        let older = || later(|_| ());
        for (source, target, copy, mirror) in [
            (Some(file()), Some(older()), "Same", "Same"),
            (Some(file()), None, "Create", "Create"),
            (Some(folder()), None, "Create", "Create"),
            (None, Some(file()), "Extra", "Delete"),
            (None, Some(folder()), "Extra", "Delete"),
            (Some(with(|e| e.size = 11)), Some(older()), "Replace", "Replace"),
            (Some(with(|e| e.mtime.nanos = 1)), Some(older()), "Replace", "Replace"),
            (Some(with(|e| e.mtime.seconds = 1)), Some(older()), "Replace", "Replace"),
            (Some(with(|e| e.mode = 0o600)), Some(older()), "Mark", "Mark"),
            (Some(with(|e| e.uid = 8)), Some(older()), "Mark", "Mark"),
            // Touched since the copy, in a way that neither size nor time tells.
            (Some(with(|e| e.ctime.seconds = 3_000)), Some(older()), "Suspect", "Suspect"),
            (Some(with(|e| e.nlink = 2)), Some(older()), "Linked", "Linked"),
            (Some(file()), Some(later(|e| e.nlink = 2)), "Linked", "Linked"),
            (Some(with(|e| e.nlink = 2)), None, "Linked", "Linked"),
            (Some(folder()), Some(folder()), "Descend", "Descend"),
            (Some(folder()), Some(file()), "Replace", "Replace"),
            (Some(file()), Some(folder()), "Blocked", "Replace"),
            (Some(entry("x", Kind::Symlink)), Some(entry("x", Kind::Symlink)), "Same", "Same"),
            (Some(entry("x", Kind::Symlink)), Some(file()), "Replace", "Replace"),
            (Some(entry("x", Kind::Fifo)), Some(entry("x", Kind::Fifo)), "Same", "Same"),
            (Some(entry("x", Kind::Fifo)), Some(entry("x", Kind::Socket)), "Replace", "Replace"),
            (Some(entry("x", Kind::CharDevice)), None, "Create", "Create"),
            // The target inside the source, the source inside the target.
            (Some(Entry { id: (1, 50), ..folder() }), None, "Root", "Root"),
            (Some(folder()), Some(Entry { id: (1, 40), ..folder() }), "Root", "Root"),
        ] {
            let name = Name::new(b"x").unwrap();
            let sight = |side: &'_ Option<Entry>| side.clone().map(|entry| &*Box::leak(Box::new(entry)));
            let sight = |side| sight(side).map_or(Sight::Absent, Sight::Present);
            let row = Row { name: &name, source: sight(&source), target: sight(&target) };
            assert_eq!(word(&decide(&row, &policy(Mode::Copy))), copy, "copy: {source:?} {target:?}");
            assert_eq!(word(&decide(&row, &policy(Mode::Mirror))), mirror, "mirror: {source:?} {target:?}");
        }
    }

    #[test]
    fn what_cannot_be_looked_at_is_never_touched() {
        let error = io::Error::from_raw_os_error(13);
        let name = Name::new(b"x").unwrap();
        let file = entry("x", Kind::File);
        for (source, target) in [
            (Sight::Unreadable(&error), Sight::Absent),
            (Sight::Unreadable(&error), Sight::Present(&file)),
            (Sight::Present(&file), Sight::Unreadable(&error)),
            (Sight::Absent, Sight::Unreadable(&error)),
        ] {
            let row = Row { name: &name, source, target };
            assert_eq!(word(&decide(&row, &policy(Mode::Mirror))), "Unreadable", "{row:?}");
        }
    }

    #[test]
    fn our_own_names_are_no_part_of_it() {
        for (text, decision) in
            [(".postkeep-tmp-01J-0", "Sweep"), (".postkeep-versions", "Ours"), (".postkeep-anything", "Ours")]
        {
            let file = entry(text, Kind::File);
            let row = Row { name: &file.name, source: Sight::Absent, target: Sight::Present(&file) };
            assert_eq!(word(&decide(&row, &policy(Mode::Mirror))), decision);
            let row = Row { name: &file.name, source: Sight::Present(&file), target: Sight::Absent };
            assert_eq!(word(&decide(&row, &policy(Mode::Mirror))), "Ours");
        }
    }

    #[test]
    fn a_target_is_held_only_to_what_it_can_keep() {
        let mut fat = policy(Mode::Mirror);
        fat.keeps =
            Keeps { modes: false, links: false, owners: false, writer: (5, 5), time_step: 2_000_000_000 };
        fat.change_times = false;
        let name = Name::new(b"x").unwrap();
        let source = Entry { nlink: 2, mode: 0o4755, ..entry("x", Kind::File) };
        let mut target = Entry { mode: 0o777, uid: 5, ..entry("x", Kind::File) };
        target.mtime.seconds -= 1;
        let row = Row { name: &name, source: Sight::Present(&source), target: Sight::Present(&target) };
        assert_eq!(word(&decide(&row, &fat)), "Same");
        let device = entry("x", Kind::BlockDevice);
        let row = Row { name: &name, source: Sight::Present(&device), target: Sight::Absent };
        assert_eq!(word(&decide(&row, &fat)), "Unmakeable");
    }

    #[test]
    fn a_touch_at_the_time_of_the_copy_is_looked_into() {
        let policy = policy(Mode::Mirror);
        let target =
            Entry { ctime: FileTime { seconds: 1_000, nanos: 30_000_000 }, ..entry("x", Kind::File) };
        let at = |nanos| Entry { ctime: FileTime { seconds: 1_000, nanos }, ..entry("x", Kind::File) };
        for (nanos, racy) in
            [(5_000_000, None), (15_000_000, Some(true)), (45_000_000, Some(true)), (60_000_000, Some(false))]
        {
            let source = at(nanos);
            let found = match compare(&source, &target, &policy) {
                Decision::Same(..) => None,
                Decision::Suspect { racy, .. } => Some(racy),
                other => panic!("{other:?}"),
            };
            assert_eq!(found, racy, "{nanos}");
        }
    }
}

//! What a sync will do, as a value: made by the [survey](super::survey), judged by the [brakes](super::brakes), shown
//! to a person, carried out by the executor.
//!
//! What is deleted or replaced is held one by one. What is new is held as names per folder, and a new folder as one
//! name with the sums of what is in it, so that ten million new files cost no gigabyte.

use std::collections::HashSet;

use crate::entry::{Entry, Kind, Name, RelPath};
use crate::failures::Failures;
use crate::replica::{About, Seen};
use crate::sync::links::Group;

/// The actions of a run, and the sums over both sides.
#[derive(Debug, Default)]
pub struct Plan {
    /// What happens folder by folder, sorted by path; folders without work are not there.
    pub folders: Vec<FolderPlan>,
    /// Files with several names.
    pub groups: Vec<Group>,
    /// The sums.
    pub sums: Sums,
    /// What could not be looked at.
    pub failures: Failures,
    /// Where one side's root was met in the other.
    pub overlap: Option<RelPath>,
    /// Things left out that a person may want to know of.
    pub left_out: LeftOut,
    /// Stands for everything that will be deleted or replaced, in any order.
    pub digest: Digest,
    /// The source as a whole.
    pub source: Side,
    /// The target as a whole.
    pub target: Side,
}

/// A side as a whole.
#[derive(Debug, Clone, Default)]
pub struct Side {
    /// What it is and can do; None before it was asked.
    pub about: Option<About>,
    /// The root's inode number.
    pub inode: u64,
    /// The root's device number; another one after a restart, perhaps.
    pub device: u64,
    /// Entries below the root, excluded ones included.
    pub entries: u64,
}

/// What happens in one folder that both sides have, or will have.
#[derive(Debug, Default)]
pub struct FolderPlan {
    /// The folder.
    pub path: RelPath,
    /// Entries to be made: new files, and new folders with all that is in them.
    pub new: Names,
    /// What happens to entries that are there.
    pub steps: Vec<Step>,
    /// The folder's own metadata differs.
    pub mark: bool,
}

impl FolderPlan {
    /// Whether anything happens in it, or to it.
    pub fn has_work(&self) -> bool {
        self.mark || !self.new.is_empty() || !self.steps.is_empty()
    }
}

/// What happens to one entry of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: Name,
    /// What is done.
    pub act: Act,
    /// What was seen there.
    pub was: Seen,
}

/// What is done to an entry of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The source's entry takes its place.
    Replace,
    /// It gets the source's metadata.
    Mark,
    /// It is taken away.
    Delete {
        /// Entries in it, itself included.
        entries: u64,
        /// Some of them are excluded and stay, and so does the folder.
        partly: bool,
    },
    /// It is removed: an earlier run of ours left it half done.
    Sweep,
}

/// Names in one buffer, a NUL behind each.
#[derive(Debug, Default, Clone)]
pub struct Names {
    bytes: Vec<u8>,
    count: usize,
}

impl Names {
    /// Adds one.
    pub fn push(&mut self, name: &Name) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.count += 1;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All of them, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = Name> {
        self.bytes.split(|b| *b == 0).filter_map(Name::new)
    }
}

/// Sums of a plan. Bytes are bytes of file content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Files, links and special files of the source.
    pub files: u64,
    /// Folders of the source.
    pub folders: u64,
    /// Bytes of the source's files.
    pub bytes: u64,
    /// Entries left out by the filters.
    pub excluded: u64,
    /// Entries to be made.
    pub created: u64,
    /// Entries to get new content.
    pub replaced: u64,
    /// Entries to get new metadata.
    pub marked: u64,
    /// Entries to be taken away.
    pub deleted: u64,
    /// Bytes of the files to be taken away.
    pub deleted_bytes: u64,
    /// Files whose content is to be copied.
    pub copies: u64,
    /// Bytes to be copied.
    pub copied_bytes: u64,
    /// Bytes that the target's disk must have room for.
    pub needed_bytes: u64,
}

impl Sums {
    /// Adds another worker's sums.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.files, other.files),
            (&mut self.folders, other.folders),
            (&mut self.bytes, other.bytes),
            (&mut self.excluded, other.excluded),
            (&mut self.created, other.created),
            (&mut self.replaced, other.replaced),
            (&mut self.marked, other.marked),
            (&mut self.deleted, other.deleted),
            (&mut self.deleted_bytes, other.deleted_bytes),
            (&mut self.copies, other.copies),
            (&mut self.copied_bytes, other.copied_bytes),
            (&mut self.needed_bytes, other.needed_bytes),
        ] {
            *mine = mine.saturating_add(theirs);
        }
    }
}

/// What is left out on purpose, or for want of power. The first few paths of each are kept.
#[derive(Debug, Clone, Default)]
pub struct LeftOut {
    /// Folders on which another file system is mounted.
    pub mounts: Some20,
    /// Devices, which only the superuser makes.
    pub devices: Some20,
}

/// A count with the first paths.
#[derive(Debug, Clone, Default)]
pub struct Some20 {
    /// How many.
    pub count: u64,
    /// The first twenty.
    pub paths: Vec<RelPath>,
}

impl Some20 {
    /// Takes one.
    pub fn add(&mut self, path: &RelPath) {
        self.count += 1;
        if self.paths.len() < 20 {
            self.paths.push(path.clone());
        }
    }

    /// Takes another worker's.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.paths.extend(other.paths);
        self.paths.sort_unstable();
        self.paths.truncate(20);
    }
}

/// A sum over hashed actions: equal for equal sets of actions, in whatever order the workers met them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest(u128);

impl Digest {
    /// Adds the loss of what was seen at `path`.
    pub fn add(&mut self, path: &RelPath, was: &Seen) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(path.as_bytes());
        hasher.update(&[0, was.kind as u8]);
        // A folder's size and time change with what is in it, which is here with records of its own.
        if was.kind != Kind::Folder {
            hasher.update(&was.size.to_le_bytes());
            hasher.update(&was.mtime.seconds.to_le_bytes());
            hasher.update(&was.mtime.nanos.to_le_bytes());
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        self.0 = self.0.wrapping_add(u128::from_le_bytes(bytes));
    }

    /// Adds another worker's sum.
    pub fn merge(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl Plan {
    /// Counts an entry of the source.
    pub(super) fn count_source(&mut self, source: &Entry) {
        if source.kind == Kind::Folder {
            self.sums.folders += 1;
        } else {
            self.sums.files += 1;
        }
        if source.kind == Kind::File {
            self.sums.bytes += source.size;
        }
    }

    /// Takes what another worker found.
    pub(super) fn take(&mut self, other: Self) {
        self.folders.extend(other.folders);
        self.sums.add(&other.sums);
        self.failures.merge(other.failures);
        self.left_out.mounts.merge(other.left_out.mounts);
        self.left_out.devices.merge(other.left_out.devices);
        self.overlap = self.overlap.take().or(other.overlap);
        self.digest.merge(other.digest);
        self.source.entries += other.source.entries;
        self.target.entries += other.target.entries;
    }

    /// The paths of files with several names that the plan is about.
    pub fn members(&self) -> HashSet<RelPath> {
        let paths = |group: &Group| {
            let links: Vec<_> = group.links.iter().map(|(path, _)| path.clone()).collect();
            std::iter::once(group.leader.clone()).chain(links)
        };
        self.groups.iter().flat_map(paths).collect()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.groups.is_empty()
    }

    /// Stands for exactly what this plan takes away or overwrites, where, and on which folders: a person who approves
    /// it approves no other loss. What is only new does not change it.
    pub fn token(&self, profile: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(profile.as_bytes());
        for side in [&self.source, &self.target] {
            hasher.update(&[0]);
            hasher.update(side.about.as_ref().map_or("", |about| &about.file_system).as_bytes());
            hasher.update(&side.inode.to_le_bytes());
        }
        hasher.update(&self.digest.0.to_le_bytes());
        hasher.finalize().to_hex()[..10].to_owned()
    }
}

/// One line of a plan, for a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The entry.
    pub path: RelPath,
    /// What happens to it.
    pub act: LineAct,
    /// Bytes of the file that is copied or deleted.
    pub bytes: u64,
}

/// What a [`Line`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineAct {
    /// It is made.
    Create,
    /// It gets new content.
    Replace,
    /// It gets new metadata.
    Mark,
    /// It is deleted.
    Delete,
    /// It becomes another name of a file.
    Link,
}

//! Entries with several names: the first is restored, the others become names of it.

use std::collections::HashMap;

use rustic_core::repofile::Node;

use super::land::Waiting;
use crate::entry::{Entry, Name, RelPath};

/// A name that waits for the first one to arrive.
#[derive(Clone)]
pub(super) struct Follower {
    pub name: Name,
    pub node: Node,
    pub leader: Leader,
}

/// The first name of an entry.
#[derive(Clone)]
pub(super) struct Leader {
    pub path: RelPath,
    pub arrived: Waiting,
}

/// The first names, by what tells entries apart.
#[derive(Default)]
pub(super) struct Leaders(HashMap<Same, Leader>);

/// Two names of one entry have the same device and inode. Snapshots of several machines may be merged, so the content
/// must be the same too.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Same {
    id: (u64, u64),
    content: [u8; 32],
}

impl Leaders {
    /// What tells the entry from others, if it may have several names.
    pub fn key(entry: &Entry, node: &Node) -> Option<Same> {
        if node.meta.links < 2 || entry.id.1 == 0 {
            return None;
        }
        let mut content = blake3::Hasher::new();
        content.update(format!("{:?} {:?}", entry.kind, entry.link).as_bytes());
        for blob in node.content.iter().flatten() {
            content.update(blob.to_string().as_bytes());
        }
        Some(Same { id: entry.id, content: content.finalize().into() })
    }

    /// The first name.
    pub fn get(&self, key: &Same) -> Option<&Leader> {
        self.0.get(key)
    }

    /// Remembers the first name.
    pub fn insert(&mut self, key: Same, leader: Leader) {
        self.0.insert(key, leader);
    }
}

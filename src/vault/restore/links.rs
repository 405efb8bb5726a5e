//! Entries with several names: the first is restored, the others become names of it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use rustic_core::repofile::Node;

use super::land::{Filling, Waiting};
use super::walk::Walker;
use crate::entry::{Entry, Name, RelPath};
use crate::replica::{Put, Replica, Seen};

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

impl<'a> Walker<'a, '_> {
    /// Goes up again. Entries with another name elsewhere come last: until now those had time to arrive.
    pub(super) fn leave(&mut self) {
        let followers = match self.levels.last_mut() {
            Some(level) => std::mem::take(&mut level.followers),
            None => return,
        };
        for follower in followers {
            let Some(Some(within)) = self.open_level() else { break };
            self.follow(&follower, &within);
        }
        self.levels.pop();
    }

    fn follow(&mut self, follower: &Follower, within: &Arc<Filling<'a>>) {
        let path = within.path.join(&follower.name);
        self.flush();
        let linked = follower.leader.arrived.wait() && {
            match self.link(follower, within, &path) {
                Ok(put) => {
                    self.placed(Ok(put), &path);
                    true
                }
                // A file system without further names, or a way there that is closed by now.
                Err(_) => false,
            }
        };
        if !linked && !self.ground.is_over() {
            // It is restored for itself; its inode counts no more.
            let mut node = follower.node.clone();
            node.meta.links = 1;
            self.entry(&node, follower.name.clone(), &path, Some(Arc::clone(within)));
        }
    }

    fn link(&self, follower: &Follower, within: &Filling<'_>, path: &RelPath) -> io::Result<Put> {
        let folder = &self.ground.folder;
        let (above, leader) = follower.leader.path.split().ok_or(io::ErrorKind::InvalidInput)?;
        let mut dir = folder.root()?;
        for name in above.names() {
            dir = folder.enter(&dir, &name)?;
        }
        let over = if self.order.merge { folder.stat(&within.dir, &follower.name)? } else { None };
        let over = over.as_ref().map(Seen::from);
        folder.put_link(&within.dir, path, &dir, &leader, over.as_ref())
    }
}

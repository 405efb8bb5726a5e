//! The walk through a snapshot's trees: folders are made, and files handed to the workers.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use rustic_core::repofile::Node;
use rustix::io::Errno;

use super::land::{Filling, Ground, TAKEN, reason};
use super::links::{Follower, Leaders};
use super::work::{Piece, Task};
use super::{Act, Counts, Line, Order};
use crate::entry::{Entry, FileTime, Kind, Name, RelPath, show};
use crate::error::Error;
use crate::replica::{Attributes, Replica};
use crate::run::Severity;
use crate::vault::choice::Chosen;
use crate::vault::indexed::Indexed;
use crate::vault::node::{self, Missing};
use crate::vault::ranges::Want;
use crate::vault::tree::UNKNOWN;

/// Folders inside each other; no path of Linux has more.
const DEEPEST: usize = 4096;

/// A folder on the way down.
pub(super) struct Level<'a> {
    path: RelPath,
    name: Option<Name>,
    looks: Option<(Entry, Attributes)>,
    at: At<'a>,
    nodes: std::vec::IntoIter<Node>,
    chosen: Chosen,
    pub(super) followers: Vec<Follower>,
}

/// Whether a level's folder is there.
pub(super) enum At<'a> {
    /// It is made when something is to be put into it.
    Later,
    /// It is held.
    Held(Arc<Filling<'a>>),
    /// It would be made, but nothing is to be done.
    Absent,
    /// It cannot be made.
    Broken,
}

pub(super) struct Walker<'a, 'w> {
    pub(super) vault: &'a Indexed<'a>,
    pub(super) order: &'a Order<'a>,
    pub(super) ground: &'a Ground<'a>,
    pub(super) send: SyncSender<Task<'a>>,
    pub(super) say: &'w mut dyn FnMut(Line<'_>),
    pub(super) missing: Missing,
    pub(super) levels: Vec<Level<'a>>,
    pub(super) leaders: Leaders,
    pub(super) wants: Vec<Want<Piece<'a>>>,
    pub(super) bytes: u64,
    pub(super) files: usize,
    pub(super) large: usize,
    pub(super) folders: usize,
    pub(super) counts: Counts,
}

impl<'a, 'w> Walker<'a, 'w> {
    pub fn new(
        vault: &'a Indexed<'a>,
        order: &'a Order<'a>,
        ground: &'a Ground<'a>,
        send: SyncSender<Task<'a>>,
        say: &'w mut dyn FnMut(Line<'_>),
    ) -> Self {
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let nanos = u32::try_from(order.now.subsec_nanosecond()).unwrap_or(0);
        let missing = Missing { owner, mtime: FileTime { seconds: order.now.as_second(), nanos } };
        Self {
            vault,
            order,
            ground,
            send,
            say,
            missing,
            levels: Vec::new(),
            leaders: Leaders::default(),
            wants: Vec::new(),
            bytes: 0,
            files: 0,
            large: 0,
            folders: 0,
            counts: Counts::default(),
        }
    }

    /// Restores `node` into the target's root.
    pub fn run(&mut self, node: &Node) -> io::Result<()> {
        let root = Arc::new(self.ground.folder.root()?);
        let nodes = if node.is_dir() { self.nodes(node, &RelPath::root()) } else { Some(vec![node.clone()]) };
        let looks = (node.is_dir() && self.order.dress && node.meta.mode.is_some())
            .then(|| Name::new(b"root").map(|name| self.looks(node, name)))
            .flatten();
        let looks = looks.filter(|_| !self.order.dry);
        let filling = Filling { ground: self.ground, dir: root, path: RelPath::root(), looks };
        self.levels.push(Level {
            path: RelPath::root(),
            name: None,
            looks: None,
            at: At::Held(Arc::new(filling)),
            nodes: nodes.unwrap_or_default().into_iter(),
            chosen: self.order.choice.root(),
            followers: Vec::new(),
        });
        while !self.ground.is_over() {
            let Some(level) = self.levels.last_mut() else { break };
            match level.nodes.next() {
                Some(node) => self.node(&node),
                None => self.leave(),
            }
        }
        self.flush();
        self.levels.clear();
        Ok(())
    }

    /// What is in a folder. None: nobody can tell, which is a failure that was taken note of.
    fn nodes(&self, node: &Node, path: &RelPath) -> Option<Vec<Node>> {
        let tree = match node.subtree {
            Some(id) => self.vault.tree(id),
            None => Err(Error::other(UNKNOWN)),
        };
        match tree {
            Ok(tree) => Some(tree.nodes),
            Err(why) => {
                let why = Error::new(why.kind(), format!("nothing in this folder can be restored: {why}"));
                self.ground.fail_by(path, &why);
                None
            }
        }
    }

    pub(super) fn looks(&self, node: &Node, name: Name) -> (Entry, Attributes) {
        let attributes = self.ground.folder.kept(node::attributes(&node.meta));
        (node::entry(node, name, &self.missing), attributes)
    }

    fn node(&mut self, node: &Node) {
        let Some(level) = self.levels.last() else { return };
        let Some(name) = node::name(node) else {
            let shown = show(node.name.as_bytes());
            let path = format!("{}/{shown}", level.path);
            let cause = "its name is none, or would lead out of its folder: it is not restored".to_owned();
            return self.ground.trouble(Severity::Error, path, cause);
        };
        let path = level.path.join(&name);
        match (self.order.choice.of(&path, node.is_dir(), level.chosen), node.is_dir()) {
            (Chosen::No, _) | (Chosen::Perhaps, false) => {}
            (chosen, true) => self.enter(node, name, path, chosen),
            (Chosen::Yes, false) => {
                if let Some(within) = self.open_level() {
                    self.entry(node, name, &path, within);
                }
            }
        }
    }

    /// Goes down into a folder.
    fn enter(&mut self, node: &Node, name: Name, path: RelPath, chosen: Chosen) {
        if self.levels.len() >= DEEPEST {
            return self.ground.fail(&path, "more folders are inside each other than a path can name");
        }
        let nodes = self.nodes(node, &path);
        let looks = Some(self.looks(node, name.clone()));
        let nodes = nodes.unwrap_or_default().into_iter();
        let (at, followers) = (At::Later, Vec::new());
        self.levels.push(Level { path, name: Some(name), looks, at, nodes, chosen, followers });
        if chosen == Chosen::Yes && self.open_level().is_none() {
            // What is in it has no place.
            if let Some(level) = self.levels.last_mut() {
                level.nodes = Vec::new().into_iter();
            }
        }
    }

    /// The folder at hand, made if it is not there. Outer None: it cannot be; inner None: it is not there, and nothing
    /// is to be done.
    pub(super) fn open_level(&mut self) -> Option<Option<Arc<Filling<'a>>>> {
        let first = self.levels.iter().rposition(|level| !matches!(level.at, At::Later)).unwrap_or(0);
        for n in first..self.levels.len() {
            if matches!(self.levels[n].at, At::Later) {
                let at = self.make(n);
                self.levels[n].at = at;
            }
            match &self.levels[n].at {
                At::Broken => {
                    self.levels.iter_mut().skip(n).for_each(|level| level.at = At::Broken);
                    return None;
                }
                At::Held(filling) if n + 1 == self.levels.len() => return Some(Some(Arc::clone(filling))),
                At::Absent if n + 1 == self.levels.len() => return Some(None),
                _ => {}
            }
        }
        None
    }

    /// Makes or enters the folder of level `n`, whose parent is there.
    fn make(&mut self, n: usize) -> At<'a> {
        let (above, below) = self.levels.split_at_mut(n);
        let (Some(parent), Some(level)) = (above.last(), below.first_mut()) else { return At::Broken };
        let Some(name) = &level.name else { return At::Broken };
        let mut line = |act| (self.say)(Line { act, path: &level.path, bytes: 0 });
        let parent = match &parent.at {
            At::Held(filling) => filling,
            At::Absent => {
                line(Act::New);
                self.counts.folders += 1;
                return At::Absent;
            }
            At::Later | At::Broken => return At::Broken,
        };
        let folder = &self.ground.folder;
        let found =
            if self.order.merge || self.order.dry { folder.stat(&parent.dir, name) } else { Ok(None) };
        let dir = match found {
            Ok(None) if self.order.dry => {
                line(Act::New);
                self.counts.folders += 1;
                return At::Absent;
            }
            Ok(None) => folder.make_folder(&parent.dir, name).inspect(|_| self.counts.folders += 1),
            Ok(Some(is)) if is.kind == Kind::Folder => folder.enter(&parent.dir, name).and_then(|dir| {
                if !self.order.dry {
                    folder.unlock(&dir)?;
                }
                Ok(dir)
            }),
            Ok(Some(is)) => Err(io::Error::other(format!("a {} is in its place", is.kind.word()))),
            Err(error) => Err(error),
        };
        match dir {
            Ok(dir) => {
                let looks = level.looks.take().filter(|_| !self.order.dry);
                let (path, dir) = (level.path.clone(), Arc::new(dir));
                self.folders += 1;
                At::Held(Arc::new(Filling { ground: self.ground, dir, path, looks }))
            }
            Err(error) => {
                let why = if error.raw_os_error() == Some(Errno::EXIST.raw_os_error()) {
                    TAKEN.to_owned()
                } else {
                    reason(&error)
                };
                self.ground.fail(&level.path, format!("{why}; nothing in it was restored"));
                At::Broken
            }
        }
    }
}

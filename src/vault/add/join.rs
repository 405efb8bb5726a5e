//! What is in the vault and what is added, as one walk that the library makes trees of.
//!
//! The library stores the tree of what it is offered, so everything has to be offered that shall be in it. But only the
//! folders that something is added to are walked. Each other folder is offered as one entry, its list of entries named
//! by its id: an entry at the path of the folder that it is in, not at its own, passes through the library as it is. So one
//! message more in an archive of a million costs the folders above it. (`check` does not rely on any of this.)

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::iter::Peekable;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use rustic_core::repofile::{Node, NodeType};
use rustic_core::{IndexedFullStatus, ReadSourceEntry, Repository, RusticResult, TreeId};

use super::item::{Content, Item, Open, Owner};
use super::source::{Entry, Items, Joined};
use crate::entry::show;
use crate::error::{Error, Result};
use crate::mutex::lock;
use crate::vault::adapter::Adapter;
use crate::vault::guard::translated;
use crate::vault::source::{Tally, writable};

/// The index and the trees of a vault.
pub(super) type Indexed = Repository<IndexedFullStatus>;

/// A folder that is being walked through.
struct Level {
    path: PathBuf,
    name: OsString,
    rest: Peekable<std::vec::IntoIter<Node>>,
}

/// The entries of the walk.
pub(super) struct Walk {
    pub repository: Arc<Indexed>,
    pub backend: Arc<Adapter>,
    pub owner: Owner,
    pub tally: Arc<Tally>,
    pub joined: Arc<Mutex<Joined>>,
    items: Items,
    levels: Vec<Level>,
    ready: VecDeque<Entry>,
    before: Option<PathBuf>,
    ended: bool,
}

impl Walk {
    /// Of what is added to a tree. None: there is nothing yet.
    ///
    /// # Errors
    /// The tree cannot be read.
    pub fn new(
        repository: Arc<Indexed>,
        backend: Arc<Adapter>,
        tally: Arc<Tally>,
        tree: Option<TreeId>,
        items: Items,
    ) -> Result<Self> {
        let mut walk = Self {
            repository,
            backend,
            owner: Owner::own(),
            tally,
            joined: Arc::default(),
            items,
            levels: Vec::new(),
            ready: VecDeque::new(),
            before: None,
            ended: false,
        };
        let root = Path::new("/");
        let nodes = tree.map(|tree| walk.nodes(tree, root)).transpose()?.unwrap_or_default();
        walk.push(PathBuf::from("/"), OsString::new(), nodes);
        Ok(walk)
    }

    fn push(&mut self, path: PathBuf, name: OsString, nodes: Vec<Node>) {
        self.levels.push(Level { path, name, rest: nodes.into_iter().peekable() });
    }

    /// The entries of a folder of the vault. If their list is lost, it is made of what comes now: nobody has more.
    fn nodes(&self, tree: TreeId, path: &Path) -> Result<Vec<Node>> {
        if self.repository.get_index_entry(&tree).is_err() {
            lock(&self.joined).lost.push(path.to_owned());
            return Ok(Vec::new());
        }
        let what = || format!("cannot read the folder {} of the archive", shown(path));
        let read = self.repository.get_tree(&tree);
        let nodes = read
            .map_err(|error| self.backend.failure().unwrap_or_else(|| translated(&error, &what())))?
            .nodes;
        if !nodes.is_sorted_by(|a, b| a.name() < b.name()) {
            return Err(Error::other(what())
                .caused_by("its entries are not sorted by name")
                .hint("what is damaged is told by: postkeep verify PROFILE"));
        }
        Ok(nodes)
    }

    /// Takes an item, and what is before it in the vault.
    fn take(&mut self, item: Item) -> Result<()> {
        let Some((folders, name)) = parts(&item.path) else {
            return Err(Error::other(format!("{} is no path of a message", shown(&item.path))));
        };
        if let Some(before) = &self.before {
            match item.path.components().cmp(before.components()) {
                std::cmp::Ordering::Less => {
                    let (late, before) = (shown(&item.path), shown(before));
                    return Err(Error::other(format!(
                        "{late} came after {before}: messages are added in order"
                    )));
                }
                std::cmp::Ordering::Equal => {
                    lock(&self.joined).doubled += 1;
                    return Ok(());
                }
                std::cmp::Ordering::Greater if item.path.starts_with(before) => {
                    return Err(in_the_way(before));
                }
                std::cmp::Ordering::Greater => {}
            }
        }
        self.before = Some(item.path.clone());
        self.tally.entries.fetch_add(1, Relaxed);
        let inside = self.levels.iter().skip(1);
        let shared = inside.zip(&folders).take_while(|(level, folder)| level.name == **folder).count();
        while self.levels.len() > shared + 1 {
            self.leave();
        }
        for folder in folders.get(shared..).unwrap_or_default() {
            if !self.enter(folder, &item)? {
                lock(&self.joined).unknown.push(item.path);
                return Ok(());
            }
        }
        self.place(&name, item)
    }

    /// Offers the entries of the folder at hand that come before a name. Returns the one that has it.
    fn pass(&mut self, name: &OsStr) -> Option<Node> {
        while let Some(level) = self.levels.last_mut() {
            let node = level.rest.next_if(|node| node.name() <= *name)?;
            if node.name() == *name {
                return Some(node);
            }
            self.keep(node);
        }
        None
    }

    /// Goes into a folder of the one at hand. False: there is none, and for this item none is made.
    fn enter(&mut self, folder: &OsStr, item: &Item) -> Result<bool> {
        let there = self.pass(folder);
        let path = self.levels.last().map(|level| level.path.join(folder)).unwrap_or_default();
        let (node, nodes) = match there {
            Some(node) => {
                let subtree = node.subtree.filter(|_| node.is_dir());
                let tree = subtree.ok_or_else(|| in_the_way(&path))?;
                (node, self.nodes(tree, &path)?)
            }
            None if matches!(item.content, Content::Known(_)) => return Ok(false),
            None => {
                lock(&self.joined).folders += 1;
                (self.owner.folder(folder), Vec::new())
            }
        };
        self.ready.push_back(ReadSourceEntry { path: path.clone(), node, open: None });
        self.push(path, folder.to_owned(), nodes);
        Ok(true)
    }

    /// Leaves the folder at hand.
    fn leave(&mut self) {
        if let Some(level) = self.levels.pop() {
            let path = level.path;
            level.rest.for_each(|node| self.keep_in(&path, node));
        }
    }

    /// Offers an item in the folder at hand, or the file that the vault has in its place.
    fn place(&mut self, name: &OsStr, item: Item) -> Result<()> {
        let there = self.pass(name);
        let mut node = self.owner.file(name, &item);
        let Some(there) = there else {
            if matches!(item.content, Content::Known(_)) {
                lock(&self.joined).unknown.push(item.path);
                return Ok(());
            }
            let mut joined = lock(&self.joined);
            joined.new += 1;
            joined.bytes = joined.bytes.saturating_add_unsigned(node.meta.size);
            drop(joined);
            self.offer(item, node);
            return Ok(());
        };
        if there.node_type != NodeType::File {
            return Err(in_the_way(&item.path));
        }
        let same = there.meta.size == node.meta.size && second(&there) == second(&node);
        let has = same && self.has_content(&there);
        if !has && matches!(item.content, Content::Known(_)) {
            lock(&self.joined).unknown.push(item.path);
            self.keep(there);
            return Ok(());
        }
        if has {
            node.content.clone_from(&there.content);
            (node.meta.mtime, node.meta.atime) = (there.meta.mtime, there.meta.atime);
        }
        // Of a file that the vault has an item says only what is new.
        if matches!(item.content, Content::Known(_)) {
            lay_over(&there, &mut node);
        }
        let seen = std::mem::replace(&mut node.meta.ctime, there.meta.ctime);
        if has && node == there {
            self.keep(there);
            return Ok(());
        }
        // What comes now is the newer state, also when a clock was ahead once: of two states the one with the later time is
        // taken where trees are merged.
        let after =
            |there: Timestamp| there.checked_add(SignedDuration::from_nanos(1)).ok().and_then(writable);
        node.meta.ctime = if seen < there.meta.ctime { there.meta.ctime.and_then(after) } else { seen };
        let mut joined = lock(&self.joined);
        joined.changed += u64::from(node != there);
        joined.bytes =
            joined.bytes.saturating_add_unsigned(node.meta.size).saturating_sub_unsigned(there.meta.size);
        drop(joined);
        self.offer(item, node);
        Ok(())
    }

    fn offer(&mut self, item: Item, node: Node) {
        let open = Some(Open::new(item.content, &item.path, &self.tally));
        self.tally.offered.fetch_add(1, Relaxed);
        self.ready.push_back(ReadSourceEntry { path: item.path, node, open });
    }

    /// Offers what the vault has, as it is.
    fn keep(&mut self, node: Node) {
        if let Some(path) = self.levels.last().map(|level| level.path.clone()) {
            self.keep_in(&path, node);
        }
    }

    fn keep_in(&mut self, folder: &Path, node: Node) {
        if node.node_type == NodeType::File && !self.has_content(&node) {
            lock(&self.joined).damaged += 1;
            return;
        }
        // A folder at the path of the one that it is in: see above.
        let path = if node.is_dir() { folder.to_owned() } else { folder.join(node.name()) };
        self.tally.offered.fetch_add(1, Relaxed);
        self.ready.push_back(ReadSourceEntry { path, node, open: None });
    }

    /// Whether the vault has the content of a file.
    fn has_content(&self, node: &Node) -> bool {
        node.content.iter().flatten().all(|id| self.repository.get_index_entry(id).is_ok())
    }
}

/// The second of a file's time: who says that nothing but the attributes changed knows no more of it.
fn second(node: &Node) -> Option<i128> {
    node.meta.mtime.map(|time| time.as_nanosecond().div_euclid(1_000_000_000))
}

/// Lays the attributes of a node over those of the file before it; one without a value takes the old one away.
fn lay_over(before: &Node, node: &mut Node) {
    let new = std::mem::take(&mut node.meta.extended_attributes);
    let stays = |name: &str| !new.iter().any(|one| one.name == name);
    let old = before.meta.extended_attributes.iter().filter(|one| stays(&one.name));
    let mut all: Vec<_> = old.cloned().collect();
    all.extend(new.into_iter().filter(|one| one.value.as_ref().is_some_and(|value| !value.is_empty())));
    all.sort_by(|a, b| a.name.cmp(&b.name));
    node.meta.extended_attributes = all;
}

impl Iterator for Walk {
    type Item = RusticResult<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Some(Ok(entry));
            }
            // What is offered to a store that fails is lost.
            if self.ended || self.backend.has_failed() {
                return None;
            }
            match self.items.next() {
                Some(item) => {
                    if let Err(error) = self.take(item) {
                        lock(&self.joined).failed = Some(error);
                        self.ended = true;
                        return None;
                    }
                }
                None => {
                    while !self.levels.is_empty() {
                        self.leave();
                    }
                    self.ended = true;
                }
            }
        }
    }
}

/// The folders of an absolute path, and the name in them.
fn parts(path: &Path) -> Option<(Vec<OsString>, OsString)> {
    let mut components = path.components();
    (components.next() == Some(Component::RootDir)).then_some(())?;
    let mut names = components
        .map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()?;
    let name = names.pop()?;
    Some((names, name))
}

pub(super) fn shown(path: &Path) -> String {
    show(path.as_os_str().as_encoded_bytes())
}

fn in_the_way(path: &Path) -> Error {
    let path = shown(path);
    Error::other(format!("something else is at {path} in the archive, where a message or its folder belongs"))
        .hint("look what it is: postkeep ls PROFILE PATH; give the archive a vault or a profile name of its own")
}

//! The walk through a snapshot's trees: folders are made, and files handed to the workers.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, OnceLock};

use rustic_core::repofile::Node;
use rustix::io::Errno;

use super::batch::{Want, coalesce};
use super::land::{Filling, Ground, Landing, Promise, TAKEN, reason};
use super::links::{Follower, Leader, Leaders};
use super::work::{Piece, Task};
use super::{Act, Counts, Line, Order};
use crate::entry::{Entry, FileTime, Kind, Name, RelPath, show};
use crate::replica::{Attributes, Put, Replica, Seen};
use crate::run::Severity;
use crate::vault::blob::Location;
use crate::vault::choice::Chosen;
use crate::vault::indexed::Indexed;
use crate::vault::node::{self, Missing};
use crate::vault::store::Id;

/// Folders inside each other; no path of Linux has more.
const DEEPEST: usize = 4096;

/// When a batch is full: bytes of content, files, files of several blobs (each may hold a descriptor until it is
/// whole), and folders (each holds one).
const BYTES: u64 = 32 << 20;
const FILES: usize = 4096;
const LARGE: usize = 128;
const FOLDERS: usize = 256;

/// A folder on the way down.
struct Level<'a> {
    path: RelPath,
    name: Option<Name>,
    looks: Option<(Entry, Attributes)>,
    at: At<'a>,
    nodes: std::vec::IntoIter<Node>,
    chosen: Chosen,
    followers: Vec<Follower>,
}

/// Whether a level's folder is there.
enum At<'a> {
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
    vault: &'a Indexed<'a>,
    order: &'a Order<'a>,
    ground: &'a Ground<'a>,
    send: SyncSender<Task<'a>>,
    say: &'w mut dyn FnMut(Line<'_>),
    missing: Missing,
    levels: Vec<Level<'a>>,
    leaders: Leaders,
    wants: Vec<Want<Piece<'a>>>,
    bytes: u64,
    files: usize,
    large: usize,
    folders: usize,
    pub counts: Counts,
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
        while !self.ground.meter.is_cancelled() {
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
            None => Err("the snapshot does not say what is in it".into()),
        };
        match tree {
            Ok(tree) => Some(tree.nodes),
            Err(why) => {
                self.ground.fail(path, format!("nothing in this folder can be restored: {why}"));
                None
            }
        }
    }

    fn looks(&self, node: &Node, name: Name) -> (Entry, Attributes) {
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
    fn open_level(&mut self) -> Option<Option<Arc<Filling<'a>>>> {
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

    /// Restores what is no folder.
    fn entry(&mut self, node: &Node, name: Name, path: &RelPath, within: Option<Arc<Filling<'a>>>) {
        let (mut entry, attributes) = self.looks(node, name);
        let mut pieces = Vec::new();
        if entry.kind == Kind::File {
            match self.pieces(node) {
                Ok((found, bytes)) => {
                    if bytes != entry.size {
                        let cause =
                            format!("its content has {bytes} bytes, its metadata says {}", entry.size);
                        self.ground.trouble(Severity::Warning, path.to_string(), cause);
                    }
                    (pieces, entry.size) = (found, bytes);
                }
                Err(why) => return self.ground.fail(path, why),
            }
        }
        let Some(within) = within else { return self.would(Act::New, path, &entry) };
        let over = match self.in_the_way(&within, &entry) {
            Ok(over) => over,
            Err(error) => return self.ground.fail(path, reason(&error)),
        };
        if over.as_ref().is_some_and(|over| self.is_same(over, &entry)) {
            return self.same(&within, path, &entry, &attributes);
        }
        if self.order.dry {
            let act = if over.is_some() { Act::Replace } else { Act::New };
            return self.would(act, path, &entry);
        }
        let key = Leaders::key(&entry, node);
        let mut promise = None;
        if let Some(key) = key {
            if let Some(leader) = self.leaders.get(&key) {
                let follower = Follower { name: entry.name, node: node.clone(), leader: leader.clone() };
                self.levels.last_mut().into_iter().for_each(|level| level.followers.push(follower.clone()));
                return;
            }
            let (kept, arrived) = Promise::new();
            self.leaders.insert(key, Leader { path: path.clone(), arrived });
            promise = Some(kept);
        }
        let over = over.as_ref().map(Seen::from);
        if entry.kind == Kind::File {
            self.land(
                pieces,
                Landing {
                    within,
                    path: path.clone(),
                    entry,
                    attributes,
                    over,
                    partial: OnceLock::new(),
                    failed: AtomicBool::new(false),
                    promise,
                    arrived: false,
                },
            );
        } else if self.special(&within.dir, path, &entry, &attributes, over.as_ref()) {
            promise.into_iter().for_each(|promise| promise.keep(true));
        }
    }

    /// Where a file's blobs are, and how many bytes they come to.
    fn pieces(&self, node: &Node) -> Result<(Vec<(Id, Location)>, u64), String> {
        let content = match &node.content {
            Some(content) => content.as_slice(),
            None if node.meta.size == 0 => &[],
            None => return Err("the snapshot does not say what its content is".into()),
        };
        let (mut pieces, mut bytes) = (Vec::with_capacity(content.len()), 0_u64);
        for id in content {
            let short = || id.to_string()[..8].to_owned();
            let (pack, at) = self
                .vault
                .locate(id)
                .ok_or_else(|| format!("a piece of its content is not in the vault (blob {})", short()))?;
            let length = at.content().ok_or_else(|| {
                format!("a piece of its content has an impossible length (blob {})", short())
            })?;
            bytes += u64::from(length);
            pieces.push((pack, at));
        }
        Ok((pieces, bytes))
    }

    /// What has the entry's name in the target already. A folder is never replaced by something else.
    fn in_the_way(&self, within: &Filling<'_>, entry: &Entry) -> io::Result<Option<Entry>> {
        if !self.order.merge {
            return Ok(None);
        }
        match self.ground.folder.stat(&within.dir, &entry.name)? {
            Some(is) if is.kind == Kind::Folder => Err(io::Error::other("a folder is in its place")),
            found => Ok(found),
        }
    }

    fn is_same(&self, is: &Entry, entry: &Entry) -> bool {
        is.kind == entry.kind
            && match is.kind {
                Kind::File => {
                    let keeps = self.ground.folder.about().map(|about| about.keeps).unwrap_or_default();
                    is.size == entry.size && keeps.same_time(is.mtime, entry.mtime)
                }
                Kind::Symlink => is.link == entry.link,
                Kind::CharDevice | Kind::BlockDevice => is.rdev == entry.rdev,
                _ => true,
            }
    }

    /// The entry is there already: it only gets its metadata.
    fn same(&mut self, within: &Filling<'_>, path: &RelPath, entry: &Entry, attributes: &Attributes) {
        self.counts.unchanged += 1;
        if self.order.dry {
            return (self.say)(Line { act: Act::Same, path, bytes: entry.size });
        }
        match self.ground.folder.mark(&within.dir, Some(&entry.name), entry, Some(attributes)) {
            Ok(lost) => self.ground.lost(path, lost),
            Err(error) => self.ground.fail(path, format!("cannot set its metadata: {error}")),
        }
    }

    fn would(&mut self, act: Act, path: &RelPath, entry: &Entry) {
        if entry.kind == Kind::File {
            self.counts.files += 1;
            self.counts.bytes += entry.size;
        } else {
            self.counts.others += 1;
        }
        let bytes = if entry.kind == Kind::File { entry.size } else { 0 };
        (self.say)(Line { act, path, bytes });
    }

    /// Hands a file to the workers.
    fn land(&mut self, pieces: Vec<(Id, Location)>, landing: Landing<'a>) {
        let landing = Arc::new(landing);
        if pieces.is_empty() {
            self.send(Task::Empty(landing));
            return;
        }
        self.files += 1;
        self.large += usize::from(pieces.len() > 1);
        let mut at = 0;
        for (pack, location) in pieces {
            let length = u64::from(location.content().unwrap_or(0));
            self.wants.push(Want { pack, at: location, to: (Arc::clone(&landing), at) });
            at += length;
            self.bytes += length;
            if self.bytes >= BYTES {
                self.flush();
            }
        }
        Landing::release(landing);
        if self.files >= FILES || self.large >= LARGE || self.folders >= FOLDERS {
            self.flush();
        }
    }

    /// Sends everything that was put together so far.
    fn flush(&mut self) {
        (self.bytes, self.files, self.large, self.folders) = (0, 0, 0, 0);
        for read in coalesce(std::mem::take(&mut self.wants)) {
            self.send(Task::Read(read));
        }
    }

    fn send(&self, task: Task<'a>) {
        // Nobody takes it when all workers are gone: then the files say that they were given up.
        let _ = self.send.send(task);
    }

    /// Makes a link, pipe, socket or device.
    fn special(
        &mut self,
        dir: &OwnedFd,
        path: &RelPath,
        entry: &Entry,
        attributes: &Attributes,
        over: Option<&Seen>,
    ) -> bool {
        let folder = &self.ground.folder;
        let made = folder.put_special(dir, path, entry, over.into()).and_then(|put| match put {
            // What makes them takes no attributes.
            Put::Done(_) if !attributes.is_empty() => {
                folder.mark(dir, Some(&entry.name), entry, Some(attributes)).map(Put::Done)
            }
            put => Ok(put),
        });
        self.placed(made, path)
    }

    fn placed(&mut self, put: io::Result<Put>, path: &RelPath) -> bool {
        match put {
            Ok(Put::Done(lost)) => {
                self.ground.lost(path, lost);
                self.counts.others += 1;
                return true;
            }
            Ok(Put::TargetChanged | Put::SourceChanged) => self.ground.fail(path, TAKEN),
            Err(error) => self.ground.fail(path, reason(&error)),
        }
        false
    }

    /// Goes up again. Entries with another name elsewhere come last: until now those had time to arrive.
    fn leave(&mut self) {
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
        if !linked && !self.ground.meter.is_cancelled() {
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

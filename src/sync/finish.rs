//! The later phases of an execution: new folders, further names of files, deletions, folders' own metadata.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use rustix::io::Errno;

use super::execute::{Executor, Item, Job, Node, Staging, Tally};
use super::join::{Decision, decide, merge};
use super::links::{Action, Group};
use super::plan::{Act, FolderPlan};
use super::pool::Stack;
use crate::entry::{Entry, Kind, Name, RelPath};
use crate::failures::{error, said};
use crate::figures::of;
use crate::journal::Op;
use crate::replica::{Listing, Put, Replica, Seen};
use crate::run::Severity;

impl<S: Replica, T: Replica> Executor<'_, S, T> {
    /// Makes a folder and has everything in it made.
    pub(super) fn tree(
        &self,
        tally: &mut Tally,
        parent: &Arc<Node<S, T>>,
        entry: Entry,
        over: Option<&Seen>,
        stack: &Stack<Job<S, T>>,
    ) {
        let path = parent.path.join(&entry.name);
        let source = match self.source.enter(&parent.source, &entry.name) {
            Ok(dir) => dir,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return,
            Err(cause) => return self.fail(tally, error(&path, "cannot open the folder", &cause)),
        };
        let listing = match self.source.list(&source) {
            Ok(listing) if self.filter.is_marked(&listing.entries) => Listing::default(),
            Ok(listing) => listing,
            Err(cause) => {
                self.fail(tally, error(&path, "cannot list the folder", &cause));
                Listing::default()
            }
        };
        let (inner, files): (Vec<_>, Vec<_>) =
            self.chosen(&path, &listing).into_iter().partition(|entry| entry.kind == Kind::Folder);
        let staged = is_worth_staging(&files);
        let (name, target) = match self.make_folder(&parent.target, &path, &entry, over, staged) {
            Ok(Some(made)) => made,
            Ok(None) => return self.target_changed(tally, &path),
            Err(cause) => return self.fail_writing(tally, &path, "cannot make the folder", &cause),
        };
        let count = if over.is_some() { &mut tally.counts.replaced } else { &mut tally.counts.created };
        *count += 1;
        self.log(Op::Created, &path, 0, "");
        let mut items: Vec<_> = files.into_iter().map(Item::Listed).collect();
        let staging = if staged {
            Some(Staging { parent: Arc::clone(parent), name, inner })
        } else {
            items.extend(inner.into_iter().map(Item::Listed));
            None
        };
        let node = Arc::new(Node { source, target, path, fresh: Some(entry), staging });
        self.push_batches(tally, node, items.into_iter(), stack);
    }

    fn make_folder(
        &self,
        dir: &T::Dir,
        path: &RelPath,
        entry: &Entry,
        over: Option<&Seen>,
        staged: bool,
    ) -> io::Result<Option<(Name, T::Dir)>> {
        if let Some(was) = over
            && !self.target.retire(dir, path, was)?
        {
            return Ok(None);
        }
        if staged {
            return self.target.stage_folder(dir).map(Some);
        }
        match self.target.make_folder(dir, &entry.name) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            made => Ok(Some((entry.name.clone(), made?))),
        }
    }

    /// Gives a staged folder its final name, and has the folders in it made.
    pub(super) fn publish(
        &self,
        tally: &mut Tally,
        node: Node<S, T>,
        staging: Staging<S, T>,
        stack: &Stack<Job<S, T>>,
    ) {
        let Some((_, name)) = node.path.split() else { return };
        let dir = &staging.parent.target;
        let published = self.target.publish(dir, &staging.name, &name);
        if let Ok(true) = published {
            let node = Arc::new(node);
            let trees = staging.inner.into_iter().rev();
            stack.push(trees.map(|entry| Job::Tree { parent: Arc::clone(&node), entry, over: None }));
            self.release(tally, node, stack);
        } else {
            match published {
                Err(cause) => self.fail_writing(tally, &node.path, "cannot name the folder", &cause),
                Ok(_) => self.target_changed(tally, &node.path),
            }
            if let Err(cause) = self.target.sweep(dir, &staging.name) {
                self.fail(tally, error(&node.path, "cannot remove what was prepared for it", &cause));
            }
        }
        self.release(tally, staging.parent, stack);
    }

    /// Decides the content of a new folder again, by the survey's rules: it may have changed since.
    fn chosen(&self, folder: &RelPath, listing: &Listing) -> Vec<Entry> {
        let nothing = Listing::default();
        let chosen = merge(listing, &nothing).filter_map(|row| {
            let path = folder.join(row.name);
            match decide(&row, &self.policy) {
                Decision::Create(entry) if !self.filter.excludes(&path, entry) => Some(entry.clone()),
                // A file that got its second name after the survey belongs to no group.
                Decision::Linked(entry, _)
                    if !self.filter.excludes(&path, entry) && !self.is_member(&path) =>
                {
                    Some(entry.clone())
                }
                // The survey has named what cannot be read or made.
                _ => None,
            }
        });
        chosen.collect()
    }

    fn is_member(&self, path: &RelPath) -> bool {
        self.members.contains(path)
    }

    /// Carries out what the names of one file ask for.
    pub(super) fn group(&self, tally: &mut Tally, group: &Group) {
        let (mut leader, mut action, mut links) = (&group.leader, group.action, group.links.as_slice());
        while self.goes_on() {
            if let Some((node, entry)) = self.find(tally, leader) {
                // Over a network inode numbers prove nothing.
                if entry.id == group.file || !self.policy.change_times {
                    return self.lead(tally, &node, entry, action, links);
                }
                // By now it is a name of another file, and goes its own way.
                if let Action::Put(over) = action {
                    self.put_in(tally, &node, entry, over.as_ref());
                }
            }
            // The others are names of the file still: the next one carries its content.
            let Some(((next, over), rest)) = links.split_first() else { return };
            (leader, action, links) = (next, Action::Put(*over), rest);
        }
    }

    /// Does what is to be done to a leader, and gives it its further names.
    fn lead(
        &self,
        tally: &mut Tally,
        node: &Node<S, T>,
        entry: Entry,
        action: Action,
        links: &[(RelPath, Option<Seen>)],
    ) {
        let name = entry.name.clone();
        let ready = match action {
            Action::Keep => true,
            Action::Mark => match self.target.stat(&node.target, &name) {
                Ok(Some(there)) => {
                    self.mark(tally, node, &name, &Seen::from(&there));
                    true
                }
                _ => false,
            },
            Action::Put(over) => self.put_in(tally, node, entry, over.as_ref()),
        };
        if ready {
            self.link_all(tally, node, &name, links);
        } else {
            for (path, _) in links {
                let cause = "not linked: the file that it is another name of was not copied";
                self.fail(tally, said(Severity::Warning, path, cause, Some("the next run will try again")));
            }
        }
    }

    fn link_all(
        &self,
        tally: &mut Tally,
        node: &Node<S, T>,
        leader: &Name,
        links: &[(RelPath, Option<Seen>)],
    ) {
        for (path, over) in links {
            if !self.goes_on() {
                return;
            }
            let linked = path.split().map_or(Err(io::ErrorKind::InvalidInput.into()), |(folder, _)| {
                let dir = super::execute::descend(self.target, &folder)?;
                self.unlock(&dir);
                self.target.put_link(&dir, path, &node.target, leader, over.as_ref())
            });
            match linked {
                Ok(Put::Done(_)) => {
                    let count =
                        if over.is_some() { &mut tally.counts.replaced } else { &mut tally.counts.created };
                    *count += 1;
                    self.log(Op::Linked, path, 0, &format!("to {}", node.path.join(leader)));
                }
                Ok(Put::SourceChanged | Put::TargetChanged) => self.target_changed(tally, path),
                Err(cause) if takes_no_links(&cause) => self.copy_instead(tally, path, over.as_ref()),
                Err(cause) => {
                    self.fail_writing(tally, path, "cannot make the hard link", &cause);
                }
            }
        }
    }

    /// Copies a name that could not be linked.
    fn copy_instead(&self, tally: &mut Tally, path: &RelPath, over: Option<&Seen>) {
        let Some((node, entry)) = self.find(tally, path) else { return };
        if self.put_in(tally, &node, entry, over) {
            let cause = "not kept: hard link (it was copied as a file of its own)";
            self.fail(tally, said(Severity::Warning, path, cause, None));
        }
    }

    /// An entry of the source, with its folder on both sides. None if it vanished, or was named as a failure.
    fn find(&self, tally: &mut Tally, path: &RelPath) -> Option<(Node<S, T>, Entry)> {
        let (folder, name) = path.split()?;
        let found = self.open(&folder).and_then(|(source, target)| {
            let entry = self.source.stat(&source, &name).map_err(|e| ("cannot read", e))?;
            Ok((Node { source, target, path: folder, fresh: None, staging: None }, entry))
        });
        match found {
            Ok((node, entry)) => Some((node, entry?)),
            Err((what, cause)) => {
                self.fail(tally, error(path, what, &cause));
                None
            }
        }
    }

    /// Writes an entry into a folder that is not opened for writing yet.
    fn put_in(&self, tally: &mut Tally, node: &Node<S, T>, entry: Entry, over: Option<&Seen>) -> bool {
        self.unlock(&node.target);
        let path = node.path.join(&entry.name);
        self.put(tally, &node.source, &node.target, &path, entry, over.into())
    }

    /// Carries out the deletions in one folder.
    pub(super) fn deletions(&self, tally: &mut Tally, folder: &FolderPlan) {
        if !self.may_delete() {
            return;
        }
        let dir = match super::execute::descend(self.target, &folder.path) {
            Ok(dir) => dir,
            Err(cause) => {
                return self.fail(tally, error(&folder.path, "cannot open the folder in the target", &cause));
            }
        };
        self.unlock(&dir);
        for step in &folder.steps {
            let Act::Delete { entries, partly } = step.act else { continue };
            let path = folder.path.join(&step.name);
            if !self.may_delete() {
                return;
            }
            let deleted = if partly {
                self.retire_partly(tally, &dir, &path, &step.was)
            } else {
                self.target.retire(&dir, &path, &step.was).map(|done| if done { entries } else { 0 })
            };
            match deleted {
                Ok(0) => self.target_changed(tally, &path),
                Ok(n) => {
                    tally.counts.deleted += n;
                    let inner = of(n - 1, "entry", "entries");
                    let note = if n > 1 { format!("with {inner} in it") } else { String::new() };
                    let bytes = if step.was.kind == Kind::File { step.was.size } else { 0 };
                    self.log(Op::Deleted, &path, bytes, &note);
                }
                Err(cause) => {
                    self.fail_writing(tally, &path, "cannot delete", &cause);
                }
            }
        }
    }

    /// Takes a folder apart in which something stays. Returns how many entries went.
    fn retire_partly(
        &self,
        tally: &mut Tally,
        parent: &T::Dir,
        path: &RelPath,
        was: &Seen,
    ) -> io::Result<u64> {
        let Some((_, name)) = path.split() else { return Ok(0) };
        let Some(top) = self.target.stat(parent, &name)?.filter(|top| was.is(top)) else { return Ok(0) };
        let mut gone = 0;
        let mut stack = vec![self.level(parent, path.clone(), &top)?];
        while let Some(level) = stack.last_mut() {
            let Some(entry) = level.rest.pop() else {
                let Some(done) = stack.pop() else { break };
                let above = stack.last().map_or(parent, |level| &level.dir);
                if let Some((_, name)) = done.path.split()
                    && self.target.remove_folder(above, &name)?
                {
                    gone += 1;
                }
                continue;
            };
            let at = level.path.join(&entry.name);
            if self.filter.excludes(&at, &entry) || entry.mount_point {
                continue;
            }
            if entry.kind == Kind::Folder {
                let inner = self.level(&level.dir, at, &entry)?;
                stack.push(inner);
                continue;
            }
            match self.target.retire(&level.dir, &at, &Seen::from(&entry)) {
                Ok(done) => gone += u64::from(done),
                Err(cause) => self.fail(tally, error(&at, "cannot delete", &cause)),
            }
        }
        Ok(gone)
    }

    fn level(&self, parent: &T::Dir, path: RelPath, entry: &Entry) -> io::Result<Level<T::Dir>> {
        let dir = self.target.enter(parent, &entry.name)?;
        self.unlock(&dir);
        let rest = self.target.list(&dir)?.entries;
        let rest = if self.filter.is_marked(&rest) { Vec::new() } else { rest };
        Ok(Level { dir, path, rest })
    }

    /// The folders whose times our work changed, or whose metadata differs (true).
    pub(super) fn touched(&self) -> Vec<(RelPath, bool)> {
        let mut touched: BTreeMap<RelPath, bool> =
            self.plan.folders.iter().map(|folder| (folder.path.clone(), folder.mark)).collect();
        for group in &self.plan.groups {
            let leader = (group.action != Action::Keep).then_some(&group.leader);
            for path in leader.into_iter().chain(group.links.iter().map(|(path, _)| path)) {
                if let Some((folder, _)) = path.split() {
                    touched.entry(folder).or_default();
                }
            }
        }
        if self.plan.sums.deleted + self.plan.sums.replaced > 0 {
            // The first old version made a folder for all of them in the root.
            touched.entry(RelPath::root()).or_default();
        }
        touched.into_iter().collect()
    }

    /// Gives a folder the source's metadata, now that nothing in it changes any more.
    pub(super) fn finish(&self, tally: &mut Tally, path: &RelPath, mark: bool) {
        let opened = self.open(path).and_then(|(source, target)| {
            let from = self.source.itself(&source).map_err(|e| ("cannot read", e))?;
            let to = self.target.itself(&target).map_err(|e| ("cannot read in the target", e))?;
            Ok((source, target, from, to))
        });
        match opened {
            // A disk's own root is the disk's.
            Ok((_, _, _, to)) if to.mount_point => {}
            Ok((source, target, from, _)) => {
                // Of a folder in which only something changed, they were seen to be equal.
                let looked = mark || path.as_bytes().is_empty();
                let attributes = looked.then(|| self.source.attributes(&source, None));
                self.dress(tally, path, &target, None, &from, attributes);
                if mark {
                    tally.counts.updated += 1;
                    self.log(Op::Updated, path, 0, "");
                }
            }
            // What could not be opened before is named already; what is gone needs no times.
            Err(_) => {}
        }
    }
}

/// A folder on the way down.
struct Level<D> {
    dir: D,
    path: RelPath,
    rest: Vec<Entry>,
}

/// Whether the files of a new folder are written in place before it gets its name: that saves a rename each. A crash
/// costs them all, so they must not be much.
fn is_worth_staging(files: &[Entry]) -> bool {
    const MOST_FILES: usize = 1_000;
    const MOST_BYTES: u64 = 64 << 20;
    (2..=MOST_FILES).contains(&files.len()) && files.iter().map(|file| file.size).sum::<u64>() <= MOST_BYTES
}

/// Whether a file can have no second name here.
fn takes_no_links(cause: &io::Error) -> bool {
    matches!(Errno::from_io_error(cause), Some(Errno::PERM | Errno::MLINK | Errno::OPNOTSUPP | Errno::NOSYS))
}

//! Carries out a [`Plan`].
//!
//! In this order: what is new, replaced or marked; further names of files; deletions; the folders' own metadata. A
//! crash anywhere leaves every path with its old or its new content, and the next survey finds what is missing.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use super::join::Policy;
use super::plan::{Act, FolderPlan, Plan};
use super::pool::{Stack, work};
use crate::entry::{Entry, Kind, Name, RelPath};
use crate::failures::{self, Failures, error, said};
use crate::filter::Filter;
use crate::journal::{Journal, LogLine, Op};
use crate::mutex::lock;
use crate::progress::{Event, Listener, Meter};
use crate::replica::{Attributes, Place, Replica, Seen};
use crate::run::{Counts, Failure, Message, Severity};

/// Files that one worker takes at once.
pub(super) const BATCH: usize = 64;

/// Everything an execution needs.
pub struct Executor<'a, S: Replica, T: Replica> {
    /// The side that is read.
    pub source: &'a S,
    /// The side that is written.
    pub target: &'a T,
    /// What is left out.
    pub filter: &'a Filter,
    /// How rows are decided: the same as in the survey.
    pub policy: Policy,
    /// Counts, and hears the wish to stop.
    pub meter: &'a Meter,
    /// Hears how far it is.
    pub listener: &'a dyn Listener,
    /// Hears what was done.
    pub journal: &'a dyn Journal,
    /// How many threads work.
    pub threads: usize,
    /// The plan.
    pub plan: &'a Plan,
    /// The paths of files with several names: made in a phase of their own.
    pub members: HashSet<RelPath>,
    /// What became of it, as far as one thread tells the others.
    pub brakes: Halts,
}

/// Why an execution does less than its plan.
#[derive(Debug, Default)]
pub struct Halts {
    /// Nothing more is written.
    halted: AtomicBool,
    /// Nothing is deleted.
    keep: AtomicBool,
    /// The first reason, for the report.
    reason: Mutex<Option<Message>>,
}

/// What one worker did.
#[derive(Debug, Default)]
pub struct Tally {
    /// Counted.
    pub counts: Counts,
    /// Not done.
    pub failures: Failures,
}

impl Tally {
    fn merge(&mut self, other: Self) {
        self.counts.created += other.counts.created;
        self.counts.replaced += other.counts.replaced;
        self.counts.deleted += other.counts.deleted;
        self.counts.updated += other.counts.updated;
        self.counts.copied_bytes += other.counts.copied_bytes;
        self.failures.merge(other.failures);
    }
}

/// An attempt at a folder or file: what could not be done, and why.
pub(super) type Attempt<T> = Result<T, (&'static str, io::Error)>;

/// A folder at work: held on both sides until the last job in it is done.
pub(super) struct Node<S: Replica, T: Replica> {
    pub source: S::Dir,
    pub target: T::Dir,
    pub path: RelPath,
    /// Set for a folder that we made: what it is to look like when it is finished.
    pub fresh: Option<Entry>,
    /// Set while it has a name of ours: its entries are written in place, and get their final names all at once.
    pub staging: Option<Staging<S, T>>,
}

/// What a staged folder waits for.
pub(super) struct Staging<S: Replica, T: Replica> {
    /// The folder that it is in.
    pub parent: Arc<Node<S, T>>,
    /// Its name so far.
    pub name: Name,
    /// The folders in it: they are made when it has its final name, so that a crash costs the files of one folder.
    pub inner: Vec<Entry>,
}

/// A piece of the first phase.
pub(super) enum Job<S: Replica, T: Replica> {
    /// A folder of the plan.
    Folder(usize),
    /// Entries of a folder.
    Batch { node: Arc<Node<S, T>>, items: Vec<Item> },
    /// A folder to be made with all that is in it.
    Tree { parent: Arc<Node<S, T>>, entry: Entry, over: Option<Seen> },
}

/// What is to be done to one entry.
pub(super) enum Item {
    /// Make it.
    New(Name),
    /// Make it; it was just looked at.
    Listed(Entry),
    /// Replace what was seen.
    Replace(Name, Seen),
    /// Give it new metadata.
    Mark(Name, Seen),
    /// Remove it: it is half done.
    Sweep(Name),
}

impl<S: Replica, T: Replica> Executor<'_, S, T> {
    /// Does everything the plan says.
    pub fn run(&self) -> Tally {
        let mut total = Tally::default();
        let folders = (0..self.plan.folders.len()).rev().map(Job::Folder).collect();
        self.phase(&mut total, folders, |tally, job, stack| self.job(tally, job, stack));
        self.phase(&mut total, self.plan.groups.iter().collect(), |tally, group, _| self.group(tally, group));
        let deletes = |folder: &&FolderPlan| folder.steps.iter().any(|s| matches!(s.act, Act::Delete { .. }));
        let doomed = self.plan.folders.iter().filter(deletes).collect();
        self.phase(&mut total, doomed, |tally, folder, _| self.deletions(tally, folder));
        self.phase(&mut total, self.touched(), |tally, (path, mark), _| self.finish(tally, &path, mark));
        if !self.may_delete() {
            self.held_back(&mut total);
        }
        total
    }

    /// Why the execution ended early, if it did.
    pub fn reason(&self) -> Option<Message> {
        lock(&self.brakes.reason).clone()
    }

    fn phase<J: Send>(&self, total: &mut Tally, jobs: Vec<J>, job: impl Fn(&mut Tally, J, &Stack<J>) + Sync) {
        if jobs.is_empty() {
            return;
        }
        let tick = || self.listener.event(&Event::Tick(self.meter.snapshot()));
        for tally in work(self.threads, jobs, Tally::default, job, tick) {
            total.merge(tally);
        }
    }

    /// Whether anything more may be written.
    pub(super) fn goes_on(&self) -> bool {
        !self.brakes.halted.load(Relaxed) && !self.meter.is_cancelled()
    }

    /// Whether deletions may still be carried out.
    pub(super) fn may_delete(&self) -> bool {
        self.goes_on() && !self.brakes.keep.load(Relaxed)
    }

    fn held_back(&self, total: &mut Tally) {
        // Not the plan's sum: that counts folders, too, that make way for something.
        let steps = self.plan.folders.iter().flat_map(|folder| &folder.steps);
        let planned = steps.map(|s| if let Act::Delete { entries, .. } = s.act { entries } else { 0 }).sum();
        if self.meter.is_cancelled() || total.counts.deleted >= planned {
            return;
        }
        let left = planned - total.counts.deleted;
        let left = crate::figures::of(left, "entry", "entries");
        let cause = format!("not deleted, because copying ran into an error of the disk: {left}");
        total.failures.add(said(Severity::Error, &RelPath::root(), &cause, None));
    }

    fn job(&self, tally: &mut Tally, job: Job<S, T>, stack: &Stack<Job<S, T>>) {
        match job {
            Job::Folder(at) => {
                if self.goes_on() {
                    self.folder(tally, &self.plan.folders[at], stack);
                }
            }
            Job::Batch { node, items } => {
                for item in items {
                    if self.goes_on() {
                        self.item(tally, &node, item, stack);
                    }
                }
                self.release(tally, node, stack);
            }
            Job::Tree { parent, entry, over } => {
                if self.goes_on() {
                    self.tree(tally, &parent, entry, over.as_ref(), stack);
                }
                self.release(tally, parent, stack);
            }
        }
    }

    /// Cuts the work on a folder of the plan into batches.
    fn folder(&self, tally: &mut Tally, folder: &FolderPlan, stack: &Stack<Job<S, T>>) {
        let items = folder.new.iter().map(Item::New).chain(folder.steps.iter().filter_map(|step| {
            let name = step.name.clone();
            match step.act {
                Act::Replace => Some(Item::Replace(name, step.was)),
                Act::Mark => Some(Item::Mark(name, step.was)),
                Act::Sweep => Some(Item::Sweep(name)),
                Act::Delete { .. } => None,
            }
        }));
        let mut items = items.peekable();
        if items.peek().is_none() {
            return;
        }
        match self.open(&folder.path) {
            Ok((source, target)) => {
                self.unlock(&target);
                let node =
                    Arc::new(Node { source, target, path: folder.path.clone(), fresh: None, staging: None });
                self.push_batches(tally, node, items, stack);
            }
            Err((what, cause)) => self.fail(tally, error(&folder.path, what, &cause)),
        }
    }

    pub(super) fn push_batches(
        &self,
        tally: &mut Tally,
        node: Arc<Node<S, T>>,
        items: impl Iterator<Item = Item>,
        stack: &Stack<Job<S, T>>,
    ) {
        let mut items = items.peekable();
        while items.peek().is_some() {
            let batch = items.by_ref().take(BATCH).collect();
            stack.push([Job::Batch { node: Arc::clone(&node), items: batch }]);
        }
        self.release(tally, node, stack);
    }

    /// Lets go of a folder; the last one to do so publishes or finishes it.
    pub(super) fn release(&self, tally: &mut Tally, node: Arc<Node<S, T>>, stack: &Stack<Job<S, T>>) {
        let Some(mut node) = Arc::into_inner(node) else { return };
        if let Some(staging) = node.staging.take() {
            return self.publish(tally, node, staging, stack);
        }
        let Some(entry) = &node.fresh else { return };
        let attributes = self.source.attributes(&node.source, None);
        self.dress(tally, &node.path, &node.target, None, entry, Some(attributes));
    }

    /// Sets metadata and names what could not be kept.
    pub(super) fn dress(
        &self,
        tally: &mut Tally,
        path: &RelPath,
        dir: &T::Dir,
        name: Option<&Name>,
        entry: &Entry,
        attributes: Option<io::Result<Attributes>>,
    ) {
        if let Some(Err(cause)) = &attributes {
            let failure = error(path, "cannot read the extended attributes", cause);
            self.fail(tally, Failure { severity: Severity::Warning, ..failure });
        }
        match self.target.mark(dir, name, entry, attributes.as_ref().and_then(|found| found.as_ref().ok())) {
            Ok(lost) => self.lost(tally, path, lost),
            Err(cause) => self.fail(tally, error(path, "cannot set mode and times", &cause)),
        }
    }

    pub(super) fn lost(&self, tally: &mut Tally, path: &RelPath, lost: Vec<String>) {
        for what in lost {
            self.fail(tally, said(Severity::Warning, path, &format!("not kept: {what}"), None));
        }
    }

    /// Opens a folder of the plan on both sides, from the roots down.
    pub(super) fn open(&self, path: &RelPath) -> Attempt<(S::Dir, T::Dir)> {
        Ok((
            descend(self.source, path).map_err(|e| ("cannot open the folder", e))?,
            descend(self.target, path).map_err(|e| ("cannot open the folder in the target", e))?,
        ))
    }

    /// Makes sure that we may write in a folder of the target; the last phase gives it its mode back.
    pub(super) fn unlock(&self, dir: &T::Dir) {
        // A refusal shows when something is written, if it matters then.
        let _ = self.target.unlock(dir);
    }

    fn item(&self, tally: &mut Tally, node: &Arc<Node<S, T>>, item: Item, stack: &Stack<Job<S, T>>) {
        let (name, over) = match item {
            Item::Listed(entry) => return self.make(tally, node, entry, None, stack),
            Item::Mark(name, was) => return self.mark(tally, node, &name, &was),
            Item::Sweep(name) => return self.sweep(tally, node, &name),
            Item::New(name) => (name, None),
            Item::Replace(name, was) => (name, Some(was)),
        };
        let path = node.path.join(&name);
        match self.source.stat(&node.source, &name) {
            Ok(Some(entry)) => self.make(tally, node, entry, over, stack),
            // It vanished since the survey: the next one will see.
            Ok(None) => {}
            Err(cause) => self.fail(tally, error(&path, "cannot read", &cause)),
        }
    }

    /// Makes an entry, or has its tree made.
    fn make(
        &self,
        tally: &mut Tally,
        node: &Arc<Node<S, T>>,
        entry: Entry,
        over: Option<Seen>,
        stack: &Stack<Job<S, T>>,
    ) {
        if entry.kind == Kind::Folder {
            return stack.push([Job::Tree { parent: Arc::clone(node), entry, over }]);
        }
        let path = node.path.join(&entry.name);
        let place = if node.staging.is_some() { Place::Staged } else { over.as_ref().into() };
        self.put(tally, &node.source, &node.target, &path, entry, place);
    }

    fn sweep(&self, tally: &mut Tally, node: &Node<S, T>, name: &Name) {
        let path = node.path.join(name);
        match self.target.sweep(&node.target, name) {
            Ok(()) => self.log(Op::Swept, &path, 0, "left half done by an earlier run"),
            Err(cause) => self.fail(tally, error(&path, "cannot remove what an earlier run left", &cause)),
        }
    }

    /// Takes a failure to write. After some of them going on makes no sense, or deleting would be reckless.
    pub(super) fn fail_writing(&self, tally: &mut Tally, path: &RelPath, what: &str, cause: &io::Error) {
        let mut failure = error(path, what, cause);
        if failures::forbids_deleting(cause) {
            self.brakes.keep.store(true, Relaxed);
        }
        if failures::is_fatal(cause) {
            // What to do is said once, for the run.
            let hints = failure.hint.take().into_iter().collect();
            if !self.brakes.halted.swap(true, Relaxed) {
                let text = format!("nothing more can be written to the target: {}", failures::reason(cause));
                *lock(&self.brakes.reason) = Some(Message { text, hints });
            }
        }
        self.fail(tally, failure);
    }

    /// Somebody else was at work in the target: what they made stays, the next run decides about it.
    pub(super) fn target_changed(&self, tally: &mut Tally, path: &RelPath) {
        let cause = "the target changed since it was compared: left as it is";
        self.fail(tally, said(Severity::Warning, path, cause, Some("the next run will look at it again")));
    }

    pub(super) fn fail(&self, tally: &mut Tally, failure: Failure) {
        self.journal.line(&LogLine::of(&failure));
        tally.failures.add(failure);
    }

    pub(super) fn log(&self, op: Op, path: &RelPath, bytes: u64, note: &str) {
        self.journal.line(&LogLine { op, bytes, path: &path.to_string(), note });
    }
}

/// Opens a folder from the root down, name by name.
pub(super) fn descend<R: Replica>(side: &R, path: &RelPath) -> io::Result<R::Dir> {
    path.names().try_fold(side.root()?, |dir, name| side.enter(&dir, &name))
}

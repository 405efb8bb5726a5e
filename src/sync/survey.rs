//! Looks at both sides and makes the [`Plan`]: two threads, one folder at a time, nothing written.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::doomed;
use super::execute::Attempt;
use super::failures::{error, said};
use super::filter::Filter;
use super::join::{Decision, Policy, Row, Sight, compare, decide, is_suspect_folder, merge, same_metadata};
use super::links::{self, Action, Member, State};
use super::plan::{Act, FolderPlan, Line, LineAct, Plan, Side, Step};
use super::pool::{Stack, work};
use crate::entry::{Entry, Kind, Name, RelPath};
use crate::error::{Context, Result};
use crate::profile::SyncJob;
use crate::progress::{Event, Listener, Meter};
use crate::replica::{About, Content, Keeps, Listing, Replica, Seen};
use crate::run::{Failure, Severity};

/// Everything a survey needs.
pub struct Survey<'a, S: Replica, T: Replica> {
    /// The side that is read.
    pub source: &'a S,
    /// The side that will be written; None while it does not exist.
    pub target: Option<&'a T>,
    /// What a target that does not exist yet will be.
    pub target_about: Option<About>,
    /// The job.
    pub job: &'a SyncJob,
    /// What is left out.
    pub filter: &'a Filter,
    /// Counts, and hears the wish to stop.
    pub meter: &'a Meter,
    /// Hears how far it is.
    pub listener: &'a dyn Listener,
    /// Hears every line of the plan, in no particular order, from several threads.
    pub lines: Option<&'a (dyn Fn(Line) + Sync)>,
    /// How many threads work.
    pub threads: usize,
}

/// A folder of both sides, held.
struct Dirs<S: Replica, T: Replica> {
    source: Arc<S::Dir>,
    target: T::Dir,
    path: RelPath,
}

/// A folder that waits to be looked at.
enum Job<S: Replica, T: Replica> {
    /// The roots of both sides.
    Roots,
    /// On both sides. `mark`: its metadata differs; `suspect`: its attributes may.
    Both { parent: Arc<Dirs<S, T>>, path: RelPath, mark: bool, suspect: bool },
    /// Only in the source: its sums are taken. Without a parent it is the root.
    New { parent: Option<Arc<S::Dir>>, path: RelPath },
}

/// What one worker found.
#[derive(Default)]
struct Found {
    plan: Plan,
    members: Vec<Member>,
}

impl<S: Replica, T: Replica> Survey<'_, S, T> {
    /// Makes the plan.
    ///
    /// # Errors
    /// Only if a root itself cannot be read. Everything below is a failure in the plan.
    pub fn plan(&self) -> Result<Plan> {
        let mut plan = Plan { source: side(self.source, "source", &self.job.source)?, ..Plan::default() };
        let first = match self.target {
            Some(target) => {
                plan.target = side(target, "target", &self.job.target)?;
                Job::Roots
            }
            None => {
                plan.target.about.clone_from(&self.target_about);
                Job::New { parent: None, path: RelPath::root() }
            }
        };
        let policy = policy(self.job, &plan);
        let tick = || self.listener.event(&Event::Tick(self.meter.snapshot()));
        let step = |found: &mut Found, job: Job<S, T>, stack: &Stack<Job<S, T>>| {
            if !self.meter.is_cancelled() {
                self.step(&policy, found, job, stack);
            }
        };
        let mut members = Vec::new();
        for found in work(self.threads, vec![first], Found::default, step, tick) {
            members.extend(found.members);
            plan.take(found.plan);
        }
        self.add_links(&mut plan, members);
        plan.folders.sort_by(|a, b| a.path.cmp(&b.path));
        plan.failures.finish();
        self.meter.planned(plan.sums.copies, plan.sums.copied_bytes);
        Ok(plan)
    }

    fn step(&self, policy: &Policy, found: &mut Found, job: Job<S, T>, stack: &Stack<Job<S, T>>) {
        let path = match &job {
            Job::Roots => RelPath::root(),
            Job::Both { path, .. } | Job::New { path, .. } => path.clone(),
        };
        let done = match job {
            Job::Roots => {
                self.roots(policy).and_then(|(dirs, mark)| self.both(policy, found, dirs, mark, true, stack))
            }
            Job::Both { parent, path, mark, suspect } => self
                .open_both(parent, path)
                .and_then(|dirs| self.both(policy, found, dirs, mark, suspect, stack)),
            Job::New { parent, path } => self.only_source(policy, found, parent, path, stack),
        };
        if let Err((what, cause)) = done {
            found.plan.failures.add(error(&path, what, &cause));
        }
    }

    fn roots(&self, policy: &Policy) -> Attempt<(Dirs<S, T>, bool)> {
        let target_side = self.target.ok_or_else(gone)?;
        let source = self.source.root().map_err(|e| ("cannot open the source", e))?;
        let target = target_side.root().map_err(|e| ("cannot open the target", e))?;
        let from = self.source.itself(&source).map_err(|e| ("cannot open the source", e))?;
        let to = target_side.itself(&target).map_err(|e| ("cannot open the target", e))?;
        // A disk's own root is the disk's: only a folder that we could have made is given the source's metadata.
        let mark = !to.mount_point && !same_metadata(&from, &to, policy);
        Ok((Dirs { source: Arc::new(source), target, path: RelPath::root() }, mark))
    }

    fn open_both(&self, parent: Arc<Dirs<S, T>>, path: RelPath) -> Attempt<Dirs<S, T>> {
        let target_side = self.target.ok_or_else(gone)?;
        let name = path.split().ok_or_else(gone)?.1;
        let source = self.source.enter(&parent.source, &name).map_err(|e| ("cannot open the folder", e))?;
        let target = target_side
            .enter(&parent.target, &name)
            .map_err(|e| ("cannot open the folder in the target", e))?;
        Ok(Dirs { source: Arc::new(source), target, path })
    }

    /// A folder that both sides have.
    fn both(
        &self,
        policy: &Policy,
        found: &mut Found,
        dirs: Dirs<S, T>,
        mark: bool,
        suspect: bool,
        stack: &Stack<Job<S, T>>,
    ) -> Attempt<()> {
        let dirs = Arc::new(dirs);
        let target_side = self.target.ok_or_else(gone)?;
        let source = self.source.list(&dirs.source).map_err(|e| ("cannot list the folder", e))?;
        let target =
            target_side.list(&dirs.target).map_err(|e| ("cannot list the folder in the target", e))?;
        found.plan.source.entries += count(&source);
        found.plan.target.entries += count(&target);
        self.meter.compared(count(&source) + count(&target));
        if self.filter.is_marked(&source.entries) {
            found.plan.sums.excluded += count(&source);
            return Ok(());
        }
        let mut folder = FolderPlan { path: dirs.path.clone(), ..FolderPlan::default() };
        let mut inner = Vec::new();
        for row in merge(&source, &target) {
            let path = dirs.path.join(row.name);
            if self.is_excluded(&row, &path) {
                found.plan.sums.excluded += 1;
                continue;
            }
            let decision = match decide(&row, policy) {
                Decision::Suspect { source, target, racy } => {
                    self.look_closer(found, &dirs, &path, source, target, racy)
                }
                decision => decision,
            };
            inner.extend(self.apply(policy, found, &dirs, &mut folder, path, decision));
        }
        if mark || suspect && self.attributes_differ(&dirs, None).unwrap_or(false) {
            found.plan.sums.marked += 1;
            self.line(&dirs.path, LineAct::Mark, 0);
            folder.mark = true;
        }
        if folder.has_work() {
            found.plan.folders.push(folder);
        }
        // The last pushed is taken first: reversed, the walk goes in order of names.
        inner.reverse();
        stack.push(inner);
        Ok(())
    }

    /// Whether the profile leaves a row out; judged by the source's entry, where there is one.
    fn is_excluded(&self, row: &Row<'_>, path: &RelPath) -> bool {
        match (row.source, row.target) {
            _ if row.name.is_ours() => false,
            (Sight::Present(entry), _) | (Sight::Absent, Sight::Present(entry)) => {
                self.filter.excludes(path, entry)
            }
            _ => false,
        }
    }

    /// Puts one decision into the plan; returns the folder to look at next, if it is one.
    fn apply(
        &self,
        policy: &Policy,
        found: &mut Found,
        dirs: &Arc<Dirs<S, T>>,
        folder: &mut FolderPlan,
        path: RelPath,
        decision: Decision<'_>,
    ) -> Option<Job<S, T>> {
        let plan = &mut found.plan;
        match decision {
            Decision::Same(source, _) => plan.count_source(source),
            Decision::Descend { source, target, mark } => {
                plan.count_source(source);
                let suspect = is_suspect_folder(source, target, policy);
                return Some(Job::Both { parent: Arc::clone(dirs), path, mark, suspect });
            }
            Decision::Create(source) => {
                plan.count_source(source);
                folder.new.push(&source.name);
                plan.sums.created += 1;
                self.copy_of(plan, source, &path, LineAct::Create);
                if source.kind == Kind::Folder {
                    return Some(Job::New { parent: Some(Arc::clone(&dirs.source)), path });
                }
            }
            Decision::Replace(source, target) => {
                plan.count_source(source);
                if target.kind == Kind::Folder {
                    let Some(Act::Delete { partly: false, .. }) = self.doom(found, dirs, target, &path)
                    else {
                        let cause = "the target has a folder in its place, with entries that must stay";
                        let hint = "move the target's folder away, or change what the profile excludes";
                        found.plan.failures.add(said(Severity::Error, &path, cause, Some(hint)));
                        return None;
                    };
                } else {
                    plan.digest.add(&path, &target.into());
                }
                folder.steps.push(step(target, Act::Replace));
                found.plan.sums.replaced += 1;
                self.copy_of(&mut found.plan, source, &path, LineAct::Replace);
                if source.kind == Kind::Folder {
                    return Some(Job::New { parent: Some(Arc::clone(&dirs.source)), path });
                }
            }
            Decision::Mark(source, target) => {
                plan.count_source(source);
                plan.sums.marked += 1;
                folder.steps.push(step(target, Act::Mark));
                self.line(&path, LineAct::Mark, 0);
            }
            Decision::Linked(source, target) => {
                plan.count_source(source);
                let state = target.map_or(State::Absent, |target| match compare(source, target, policy) {
                    Decision::Replace(..) => State::Differs(target.into()),
                    Decision::Mark(..) => State::Same { seen: target.into(), mark: true },
                    _ => State::Same { seen: target.into(), mark: false },
                });
                found.members.push(Member {
                    path,
                    file: source.id,
                    size: source.size,
                    kind: source.kind,
                    state,
                });
            }
            Decision::Delete(target) => {
                let act = self.doom(found, dirs, target, &path);
                if let Some(act) = act {
                    folder.steps.push(step(target, act));
                }
            }
            Decision::Sweep(target) => folder.steps.push(step(target, Act::Sweep)),
            Decision::Blocked(_) => plan.failures.add(said(
                Severity::Error,
                &path,
                "the target has a folder where the source has a file",
                Some("mode \"copy\" deletes nothing: move the target's folder away, or use mode \"mirror\""),
            )),
            Decision::Mounted(_) => plan.left_out.mounts.add(&path),
            Decision::Unmakeable(_) => plan.left_out.devices.add(&path),
            Decision::Unreadable { in_source, error: cause } => {
                let what = if in_source { "cannot read" } else { "cannot read in the target" };
                plan.failures.add(error(&path, what, cause));
            }
            Decision::Suspect { .. } | Decision::Extra(_) | Decision::Ours => {}
        }
        None
    }

    /// Counts an entry whose content is to be written.
    fn copy_of(&self, plan: &mut Plan, source: &Entry, path: &RelPath, act: LineAct) {
        let bytes = if source.kind == Kind::File { source.size } else { 0 };
        if source.kind == Kind::File {
            plan.sums.copies += 1;
            plan.sums.copied_bytes += bytes;
            plan.sums.needed_bytes += bytes.min(source.allocated);
        }
        self.line(path, act, bytes);
    }

    /// A folder that only the source has: its sums are taken, its content is found again when it is copied.
    fn only_source(
        &self,
        policy: &Policy,
        found: &mut Found,
        parent: Option<Arc<S::Dir>>,
        path: RelPath,
        stack: &Stack<Job<S, T>>,
    ) -> Attempt<()> {
        let opened = match (parent, path.split()) {
            (Some(parent), Some((_, name))) => self.source.enter(&parent, &name),
            _ => self.source.root(),
        };
        let dir = Arc::new(opened.map_err(|e| ("cannot open the folder", e))?);
        let listing = self.source.list(&dir).map_err(|e| ("cannot list the folder", e))?;
        found.plan.source.entries += count(&listing);
        self.meter.compared(count(&listing));
        if self.filter.is_marked(&listing.entries) {
            found.plan.sums.excluded += count(&listing);
            return Ok(());
        }
        let mut inner = Vec::new();
        // The root itself is there when the plan is carried out: what is in it is new, not it.
        let mut root = path.as_bytes().is_empty().then(FolderPlan::default);
        let nothing = Listing::default();
        for row in merge(&listing, &nothing) {
            let path = path.join(row.name);
            if self.is_excluded(&row, &path) {
                found.plan.sums.excluded += 1;
                continue;
            }
            let plan = &mut found.plan;
            match decide(&row, policy) {
                Decision::Create(source) => {
                    plan.count_source(source);
                    plan.sums.created += 1;
                    if let Some(root) = &mut root {
                        root.new.push(&source.name);
                    }
                    self.copy_of(plan, source, &path, LineAct::Create);
                    if source.kind == Kind::Folder {
                        inner.push(Job::New { parent: Some(Arc::clone(&dir)), path });
                    }
                }
                Decision::Linked(source, _) => {
                    plan.count_source(source);
                    let (file, size, kind) = (source.id, source.size, source.kind);
                    found.members.push(Member { path, file, size, kind, state: State::Absent });
                }
                Decision::Mounted(_) => plan.left_out.mounts.add(&path),
                Decision::Unmakeable(_) => plan.left_out.devices.add(&path),
                Decision::Unreadable { error: cause, .. } => {
                    plan.failures.add(error(&path, "cannot read", cause));
                }
                _ => {}
            }
        }
        found.plan.folders.extend(root);
        inner.reverse();
        stack.push(inner);
        Ok(())
    }

    /// Decides an entry that was touched in the source since it was copied.
    fn look_closer<'e>(
        &self,
        found: &mut Found,
        dirs: &Dirs<S, T>,
        path: &RelPath,
        source: &'e Entry,
        target: &'e Entry,
        racy: bool,
    ) -> Decision<'e> {
        let content = || if racy { self.contents_differ(dirs, source, target) } else { Ok(false) };
        match content() {
            Ok(true) => return Decision::Replace(source, target),
            Ok(false) => {}
            Err(cause) => found.plan.failures.add(Failure {
                severity: Severity::Warning,
                ..error(path, "cannot compare the contents", &cause)
            }),
        }
        match self.attributes_differ(dirs, Some(&source.name)) {
            Ok(true) => Decision::Mark(source, target),
            // What may not be read may not be compared; that it is otherwise equal was seen.
            Ok(false) | Err(_) => Decision::Same(source, target),
        }
    }

    fn attributes_differ(&self, dirs: &Dirs<S, T>, name: Option<&Name>) -> io::Result<bool> {
        let Some(target) = self.target else { return Ok(false) };
        Ok(self.source.attributes(&dirs.source, name)? != target.attributes(&dirs.target, name)?)
    }

    fn contents_differ(&self, dirs: &Dirs<S, T>, source: &Entry, target: &Entry) -> io::Result<bool> {
        let Some(side) = self.target else { return Ok(false) };
        let mut ours = self.source.open(&dirs.source, source)?;
        let mut theirs = side.open(&dirs.target, target)?;
        let (mut a, mut b) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            let n = fill(&mut ours, &mut a)?;
            let m = fill(&mut theirs, &mut b)?;
            if a[..n] != b[..m] {
                return Ok(true);
            }
            if n == 0 || self.meter.is_cancelled() {
                return Ok(false);
            }
        }
    }

    /// Counts what goes when an entry of the target goes. None: it stays, because all that is in it is excluded.
    fn doom(&self, found: &mut Found, dirs: &Dirs<S, T>, target: &Entry, path: &RelPath) -> Option<Act> {
        let doomed = if target.kind == Kind::Folder {
            let side = self.target?;
            match doomed::survey(side, &dirs.target, target, path, self.filter) {
                Ok(doomed) => doomed,
                Err((at, cause)) => {
                    found.plan.failures.add(error(&at, "cannot look through a folder to be deleted", &cause));
                    return None;
                }
            }
        } else {
            doomed::single(target, path)
        };
        found.plan.target.entries += doomed.entries.saturating_sub(1) + doomed.kept;
        found.plan.digest.merge(doomed.digest);
        found.plan.sums.excluded += doomed.kept;
        found.plan.sums.deleted += doomed.entries;
        found.plan.sums.deleted_bytes += doomed.bytes;
        if doomed.entries == 0 {
            return None;
        }
        self.line(path, LineAct::Delete, doomed.bytes);
        Some(Act::Delete { entries: doomed.entries, partly: doomed.kept > 0 })
    }

    /// Adds what files with several names ask for, and the folders that are touched by it.
    fn add_links(&self, plan: &mut Plan, members: Vec<Member>) {
        let groups = links::resolve(members);
        for group in &groups {
            let bytes = if group.kind == Kind::File { group.size } else { 0 };
            match group.action {
                Action::Keep => {}
                Action::Mark => {
                    plan.sums.marked += 1;
                    self.line(&group.leader, LineAct::Mark, 0);
                }
                Action::Put(over) => {
                    plan.sums.copies += u64::from(group.kind == Kind::File);
                    plan.sums.copied_bytes += bytes;
                    plan.sums.needed_bytes += bytes;
                    self.count_put(plan, &group.leader, over.as_ref(), bytes, LineAct::Create);
                }
            }
            for (path, over) in &group.links {
                self.count_put(plan, path, over.as_ref(), 0, LineAct::Link);
            }
        }
        plan.groups = groups;
    }

    fn count_put(&self, plan: &mut Plan, path: &RelPath, over: Option<&Seen>, bytes: u64, new: LineAct) {
        if let Some(seen) = over {
            plan.sums.replaced += 1;
            plan.digest.add(path, seen);
            self.line(path, LineAct::Replace, bytes);
        } else {
            plan.sums.created += 1;
            self.line(path, new, bytes);
        }
    }

    fn line(&self, path: &RelPath, act: LineAct, bytes: u64) {
        if let Some(lines) = self.lines {
            lines(Line { path: path.clone(), act, bytes });
        }
    }
}

/// How the rows of these two sides are decided.
pub fn policy(job: &SyncJob, plan: &Plan) -> Policy {
    let abouts = [&plan.source.about, &plan.target.about];
    let network = abouts.into_iter().flatten().any(|about| about.network);
    let time_step = abouts.into_iter().flatten().map(|about| about.keeps.time_step).max().unwrap_or(1);
    let keeps = plan.target.about.as_ref().map(|about| about.keeps).unwrap_or_default();
    Policy {
        mode: job.mode,
        keeps: Keeps { time_step, ..keeps },
        change_times: !network,
        one_file_system: job.one_file_system,
    }
}

fn gone() -> (&'static str, io::Error) {
    ("cannot open the target", io::ErrorKind::NotFound.into())
}

fn step(target: &Entry, act: Act) -> Step {
    Step { name: target.name.clone(), act, was: target.into() }
}

/// Entries of a listing that are not ours.
fn count(listing: &Listing) -> u64 {
    let theirs = listing.entries.iter().filter(|entry| !entry.name.is_ours()).count();
    (theirs + listing.unreadable.len()) as u64
}

/// Asks a side what it is.
fn side<R: Replica>(replica: &R, word: &str, path: &Path) -> Result<Side> {
    let about = replica.about().and_then(|about| Ok((about, replica.itself(&replica.root()?)?)));
    let (about, root) = about.context(|| format!("cannot open the {word} {}", path.display()))?;
    Ok(Side { about: Some(about), inode: root.id.1, entries: 0 })
}

fn fill(content: &mut impl Content, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match content.read(&mut buffer[n..])? {
            0 => break,
            more => n += more,
        }
    }
    Ok(n)
}

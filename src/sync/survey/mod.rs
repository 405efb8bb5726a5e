//! Looks at both sides and makes the [`Plan`]: two threads, one folder at a time, nothing written.

mod apply;
mod closer;

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::execute::Attempt;
use super::join::{Decision, Policy, Row, Sight, decide, merge, same_metadata};
use super::links::{Member, State};
use super::plan::{FolderPlan, Line, LineAct, Plan, Side};
use super::pool::{Stack, work};
use crate::entry::{Kind, RelPath};
use crate::error::{Context, Error, Result};
use crate::failures::error;
use crate::filter::Filter;
use crate::profile::SyncJob;
use crate::progress::{Event, Listener, Meter};
use crate::replica::{About, Keeps, Listing, Replica};

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
    /// Only if a root itself cannot be read, or lies in the other one by a bind mount. Everything below is a failure in the plan.
    pub fn plan(&self) -> Result<Plan> {
        let mut plan = Plan { source: side(self.source, "source", &self.job.source)?, ..Plan::default() };
        let first = match self.target {
            Some(target) => {
                plan.target = side(target, "target", &self.job.target)?;
                if (plan.target.device, plan.target.inode) == (plan.source.device, plan.source.inode) {
                    return Err(Error::other("the source and the target are one folder by two paths")
                        .hint("look at what is mounted where, and name two folders"));
                }
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
        if let Some(path) = &plan.overlap {
            return Err(Error::other(format!(
                "the source and the target lie in each other, by way of {path}"
            ))
            .hint("look at what is mounted where; name folders that lie apart, or exclude this one"));
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
                Decision::Root => plan.overlap = Some(path),
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
        roots: [&plan.source, &plan.target]
            .map(|side| (side.inode != 0).then_some((side.device, side.inode))),
    }
}

fn gone() -> (&'static str, io::Error) {
    ("cannot open the target", io::ErrorKind::NotFound.into())
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
    Ok(Side { about: Some(about), inode: root.id.1, device: root.id.0, entries: 0 })
}

//! Puts decisions into the plan, with their sums.

use std::sync::Arc;

use super::{Dirs, Found, Job, Survey};
use crate::entry::{Entry, Kind, RelPath};
use crate::failures::{error, said};
use crate::replica::{Replica, Seen};
use crate::run::Severity;
use crate::sync::doomed::{self, Doomed};
use crate::sync::join::{Decision, Policy, compare, is_suspect_folder};
use crate::sync::links::{self, Action, Member, State};
use crate::sync::plan::{Act, FolderPlan, Line, LineAct, Plan, Step};

impl<S: Replica, T: Replica> Survey<'_, S, T> {
    /// Puts one decision into the plan; returns the folder to look at next, if it is one.
    pub(super) fn apply(
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
                if target.kind != Kind::Folder {
                    plan.digest.add(&path, &target.into());
                } else if !self.makes_way(policy, found, dirs, target, &path) {
                    return None;
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
                let state = match target {
                    None => State::Absent,
                    Some(target) => self.state(policy, found, dirs, source, target, &path)?,
                };
                let (file, size, kind) = (source.id, source.size, source.kind);
                found.members.push(Member { path, file, size, kind, state });
            }
            Decision::Delete(target) => {
                let doomed = self.doom(policy, found, dirs, target, &path)?;
                if doomed.entries > 0 {
                    self.lose(found, &path, &doomed);
                    let (entries, partly) = (doomed.entries, doomed.kept > 0);
                    folder.steps.push(step(target, Act::Delete { entries, partly }));
                }
            }
            Decision::Sweep(target) => folder.steps.push(step(target, Act::Sweep)),
            Decision::Blocked(source) => {
                plan.count_source(source);
                plan.failures.add(said(
                Severity::Error,
                &path,
                "the target has a folder where the source has a file",
                Some("mode \"copy\" deletes nothing: move the target's folder away, or use mode \"mirror\""),
            ));
            }
            Decision::Mounted(_) => plan.left_out.mounts.add(&path),
            Decision::Unmakeable(_) => plan.left_out.devices.add(&path),
            Decision::Unreadable { in_source, error: cause } => {
                let what = if in_source { "cannot read" } else { "cannot read in the target" };
                plan.failures.add(error(&path, what, cause));
            }
            Decision::Root => plan.overlap = Some(path),
            Decision::Suspect { .. } | Decision::Extra(_) | Decision::Ours => {}
        }
        None
    }

    /// Counts an entry whose content is to be written.
    pub(super) fn copy_of(&self, plan: &mut Plan, source: &Entry, path: &RelPath, act: LineAct) {
        let bytes = if source.kind == Kind::File { source.size } else { 0 };
        if source.kind == Kind::File {
            plan.sums.copies += 1;
            plan.sums.copied_bytes += bytes;
            plan.sums.needed_bytes += bytes.min(source.allocated);
        }
        self.line(path, act, bytes);
    }

    /// What the target has where one of several names of a file is to be. None: a folder that must stay.
    fn state(
        &self,
        policy: &Policy,
        found: &mut Found,
        dirs: &Arc<Dirs<S, T>>,
        source: &Entry,
        target: &Entry,
        path: &RelPath,
    ) -> Option<State> {
        let seen = target.into();
        if target.kind == Kind::Folder {
            return self.makes_way(policy, found, dirs, target, path).then_some(State::Differs(seen));
        }
        let decision = match compare(source, target, policy) {
            Decision::Suspect { racy, .. } => self.look_closer(found, dirs, path, source, target, racy),
            decision => decision,
        };
        Some(match decision {
            Decision::Replace(..) => State::Differs(seen),
            decision => State::Same { seen, mark: matches!(decision, Decision::Mark(..)) },
        })
    }

    /// Whether a folder of the target can go as a whole, for something that takes its place. Counts what is lost, or
    /// names what holds it.
    fn makes_way(
        &self,
        policy: &Policy,
        found: &mut Found,
        dirs: &Dirs<S, T>,
        target: &Entry,
        path: &RelPath,
    ) -> bool {
        match self.doom(policy, found, dirs, target, path) {
            Some(doomed) if doomed.kept == 0 => {
                self.lose(found, path, &doomed);
                return true;
            }
            Some(_) => {
                let cause = "the target has a folder in its place, with entries that must stay";
                let hint = "move the target's folder away, or change what the profile excludes";
                found.plan.failures.add(said(Severity::Error, path, cause, Some(hint)));
            }
            None => {}
        }
        false
    }

    /// Looks at what goes when an entry of the target goes. None: it cannot be looked at, and so it stays.
    fn doom(
        &self,
        policy: &Policy,
        found: &mut Found,
        dirs: &Dirs<S, T>,
        target: &Entry,
        path: &RelPath,
    ) -> Option<Doomed> {
        let doomed = if target.kind == Kind::Folder {
            let side = self.target?;
            match doomed::survey(side, &dirs.target, target, path, self.filter, policy) {
                Ok((doomed, mounts)) => {
                    found.plan.left_out.mounts.merge(mounts);
                    doomed
                }
                Err((at, cause)) => {
                    found.plan.failures.add(error(&at, "cannot look through a folder to be deleted", &cause));
                    return None;
                }
            }
        } else {
            doomed::single(target, path)
        };
        found.plan.target.entries += doomed.entries.saturating_sub(1) + doomed.kept;
        found.plan.sums.excluded += doomed.kept;
        Some(doomed)
    }

    /// Counts what goes.
    fn lose(&self, found: &mut Found, path: &RelPath, doomed: &Doomed) {
        found.plan.digest.merge(doomed.digest);
        found.plan.sums.deleted += doomed.entries;
        found.plan.sums.deleted_bytes += doomed.bytes;
        self.line(path, LineAct::Delete, doomed.bytes);
    }

    /// Adds what files with several names ask for, and the folders that are touched by it.
    pub(super) fn add_links(&self, plan: &mut Plan, members: Vec<Member>) {
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

    pub(super) fn line(&self, path: &RelPath, act: LineAct, bytes: u64) {
        if let Some(lines) = self.lines {
            lines(Line { path: path.clone(), act, bytes });
        }
    }
}

fn step(target: &Entry, act: Act) -> Step {
    Step { name: target.name.clone(), act, was: target.into() }
}

//! Puts decisions into the plan, with their sums.

use std::sync::Arc;

use super::{Dirs, Found, Job, Survey};
use crate::entry::{Entry, Kind, RelPath};
use crate::replica::{Replica, Seen};
use crate::run::Severity;
use crate::sync::doomed;
use crate::sync::failures::{error, said};
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

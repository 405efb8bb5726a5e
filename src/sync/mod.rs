//! Folder to folder: copy and mirror.
//!
//! The [survey] looks at both sides and makes a [plan]; the [brakes] judge it; [execute] carries it out. [`Request::run`] is all
//! three. What decides is pure ([join], [links], [brakes], [`filter`](crate::filter)); what works only does as it is told.

pub mod brakes;
mod doomed;
pub mod execute;
mod finish;
pub mod join;
pub mod links;
pub mod plan;
mod pool;
mod put;
pub mod survey;

use std::io;
use std::path::Path;

use jiff::Timestamp;

use self::execute::{Executor, Halts};
use self::plan::{LeftOut, Line, Plan, Side, Some20};
use self::survey::{Survey, policy};
use crate::error::{Context, Error, Result};
use crate::failures;
use crate::filter::Filter;
use crate::folder::{Folder, raise_open_files};
use crate::journal::{Journal, LogLine};
use crate::profile::SyncJob;
use crate::progress::{Event, Listener, Meter, Phase};
use crate::replica::{About, Replica};
use crate::run::{Counts, Message, Outcome, RootMark, RootMarks, RunId, Status, Versions};

/// Threads of a survey or an execution.
const THREADS: usize = 2;

/// Everything a sync needs to know.
pub struct Request<'a> {
    /// The profile's name.
    pub profile: &'a str,
    /// What is to be done.
    pub job: &'a SyncJob,
    /// The run.
    pub run: RunId,
    /// When it started.
    pub now: Timestamp,
    /// What the sides were at the end of the last run that went well.
    pub marks: &'a RootMarks,
    /// A token that releases a plan which a brake stopped.
    pub approve: Option<&'a str>,
    /// Counts, and hears the wish to stop.
    pub meter: &'a Meter,
    /// Hears how far it is.
    pub listener: &'a dyn Listener,
    /// Hears what was done.
    pub journal: &'a dyn Journal,
    /// Our own state folder: no part of a sync.
    pub state: Option<&'a Path>,
}

/// How a sync ended.
#[derive(Debug)]
pub struct Finished {
    /// For the history and the report.
    pub outcome: Outcome,
    /// What the sides are now; None unless it went well.
    pub marks: Option<RootMarks>,
}

/// Both sides, opened. The target is None while it does not exist.
struct Sides {
    source: Folder,
    target: Option<Folder>,
    target_about: Option<About>,
}

impl Request<'_> {
    /// Makes the plan and shows it to the brakes, without writing anything. `lines` hears every line of the plan, from
    /// several threads and in no order.
    ///
    /// # Errors
    /// When a root cannot be opened, or the source is missing.
    pub fn plan(&self, lines: Option<&(dyn Fn(Line) + Sync)>) -> Result<(Plan, Option<crate::run::Stop>)> {
        raise_open_files();
        let filter = self.filter()?;
        let plan = self.survey(&self.open()?, &filter, lines)?;
        let stop = brakes::judge(&plan, self.job, self.marks, self.profile, self.approve);
        Ok((plan, stop))
    }

    /// Plans, judges and carries out. Whatever goes wrong is in the outcome.
    pub fn run(&self) -> Finished {
        self.attempt().unwrap_or_else(|error| {
            let mut outcome = Outcome::new(Status::Failed);
            outcome.error = Some(Message::from(&error));
            Finished { outcome, marks: None }
        })
    }

    fn attempt(&self) -> Result<Finished> {
        raise_open_files();
        let filter = self.filter()?;
        let mut sides = self.open()?;
        self.listener.event(&Event::Phase(Phase::Comparing));
        let mut plan = self.survey(&sides, &filter, None)?;
        for failure in &plan.failures.list {
            self.journal.line(&LogLine::of(failure));
        }
        let mut outcome = Outcome::new(Status::Ok);
        outcome.counts = counts(&plan);
        outcome.notes = notes(&plan.left_out);
        outcome
            .notes
            .extend(filter.state().map(|path| format!("left out, it is postkeep's own state: {path}")));
        if !self.meter.is_cancelled()
            && let Some(stop) = brakes::judge(&plan, self.job, self.marks, self.profile, self.approve)
        {
            outcome.stop = Some(stop);
            outcome.free_bytes = plan.target.about.as_ref().and_then(|about| about.free_bytes);
            take_failures(&mut outcome, std::mem::take(&mut plan.failures));
            outcome.status = Status::Stopped;
            return Ok(Finished { outcome, marks: None });
        }
        if sides.target.is_none() && !self.meter.is_cancelled() {
            sides.target = Some(self.make_target()?);
        }
        let mut marks = None;
        if let Some(target) = &sides.target {
            self.execute(&sides.source, target, &filter, &mut plan, &mut outcome);
            marks = Some(marks_of(self.job, &plan, &sides.source, target, &outcome));
        }
        take_failures(&mut outcome, plan.failures);
        outcome.status = outcome.judged(self.meter.is_cancelled());
        Ok(Finished { marks: marks.filter(|_| outcome.status.is_success()), outcome })
    }

    fn execute(
        &self,
        source: &Folder,
        target: &Folder,
        filter: &Filter,
        plan: &mut Plan,
        outcome: &mut Outcome,
    ) {
        if !plan.is_empty() {
            self.listener.event(&Event::Phase(Phase::Working));
            let mut policy = policy(self.job, plan);
            if policy.roots[1].is_none() {
                // It was made just now, perhaps inside the source by another path.
                policy.roots[1] =
                    target.root().and_then(|root| target.itself(&root)).ok().map(|root| root.id);
            }
            let executor = Executor {
                source,
                target,
                filter,
                policy,
                meter: self.meter,
                listener: self.listener,
                journal: self.journal,
                threads: THREADS,
                plan,
                members: plan.members(),
                brakes: Halts::default(),
            };
            let tally = executor.run();
            outcome.error = executor.reason();
            let done = tally.counts;
            let counts = &mut outcome.counts;
            (counts.created, counts.replaced) = (done.created, done.replaced);
            (counts.deleted, counts.updated) = (done.deleted, done.updated);
            counts.copied_bytes = done.copied_bytes;
            plan.failures.merge(tally.failures);
            if self.job.flush && outcome.counts.changed() {
                self.listener.event(&Event::Phase(Phase::Flushing));
                if let Err(cause) = target.flush() {
                    let path = self.job.target.display();
                    let text =
                        format!("cannot write the target {path} to disk: {}", failures::reason(&cause));
                    outcome.error.get_or_insert(Message { text, hints: failures::hints(&cause) });
                }
            }
        }
        self.tend_versions(target, outcome);
        outcome.free_bytes = target.about_now().ok().and_then(|about| about.free_bytes);
    }

    /// Tells what was kept, and removes what was kept long enough.
    fn tend_versions(&self, target: &Folder, outcome: &mut Outcome) {
        let Some(keep) = self.job.keep_versions else { return };
        let kept = target.versions_kept();
        let mut versions = Versions { kept: kept.entries, kept_bytes: kept.bytes, ..Versions::default() };
        if !self.meter.is_cancelled() && outcome.error.is_none() {
            match target.prune_versions(self.now, keep) {
                Ok(removed) => (versions.removed, versions.removed_bytes) = (removed.entries, removed.bytes),
                Err(error) => outcome.notes.push(format!(
                    "old versions could not be removed from {}: {}",
                    self.job.target.join(crate::folder::versions::FOLDER).display(),
                    failures::reason(&error)
                )),
            }
        }
        outcome.versions = Some(versions);
    }

    fn filter(&self) -> Result<Filter> {
        let filter = Filter::new(&self.job.filter, self.now)?;
        Ok(match self.state {
            Some(state) => filter.without_state(&self.job.source, state),
            None => filter,
        })
    }

    fn open(&self) -> Result<Sides> {
        let path = &self.job.source;
        let source = Folder::open(path, self.run).map_err(|cause| {
            let missing = cause.kind() == io::ErrorKind::NotFound;
            let error = Error::other(format!("cannot open the source {}", path.display())).caused_by(cause);
            if missing { error.hint("look whether its disk is mounted") } else { error }
        })?;
        match Folder::open(&self.job.target, self.run) {
            Ok(target) => {
                let target = match self.job.keep_versions {
                    Some(_) => target.keeping_versions(self.now),
                    None => target,
                };
                Ok(Sides { source, target: Some(target), target_about: None })
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                Ok(Sides { source, target: None, target_about: Some(self.missing_target()?) })
            }
            Err(cause) => {
                let path = self.job.target.display();
                Err(Error::other(format!("cannot open the target {path}")).caused_by(cause))
            }
        }
    }

    /// What a target will be that does not exist yet. Its parent must: a missing parent is an unmounted disk.
    fn missing_target(&self) -> Result<About> {
        let path = &self.job.target;
        let missing = || Error::other(format!("the target {} does not exist", path.display()));
        if !self.job.create_target {
            return Err(
                missing().hint("look whether its disk is mounted; create-target = true makes the folder")
            );
        }
        if self.marks.target.is_some() {
            return Err(missing()
                .hint("it was there at the last run: look whether its disk is mounted")
                .hint(format!("if it is meant to start anew: mkdir {}", path.display())));
        }
        let parent = path.parent().unwrap_or(Path::new("/"));
        let parent = Folder::open(parent, self.run).map_err(|cause| {
            missing().caused_by(cause).hint(format!(
                "nor does its parent folder {}: look whether its disk is mounted",
                parent.display()
            ))
        })?;
        parent.about().context(|| format!("cannot look at {}", path.display()))
    }

    fn make_target(&self) -> Result<Folder> {
        let path = &self.job.target;
        std::fs::create_dir(path).context(|| format!("cannot make the target {}", path.display()))?;
        let target = Folder::open(path, self.run).context(|| format!("cannot open {}", path.display()))?;
        Ok(match self.job.keep_versions {
            Some(_) => target.keeping_versions(self.now),
            None => target,
        })
    }

    fn survey(&self, sides: &Sides, filter: &Filter, lines: Option<&(dyn Fn(Line) + Sync)>) -> Result<Plan> {
        Survey {
            source: &sides.source,
            target: sides.target.as_ref(),
            target_about: sides.target_about.clone(),
            job: self.job,
            filter,
            meter: self.meter,
            listener: self.listener,
            lines,
            threads: THREADS,
        }
        .plan()
    }
}

/// What the sides are after a run, for the next one's brakes.
fn marks_of(job: &SyncJob, plan: &Plan, source: &Folder, target: &Folder, outcome: &Outcome) -> RootMarks {
    let after = plan.target.entries + outcome.counts.created;
    let target_entries = after.saturating_sub(outcome.counts.deleted);
    RootMarks {
        source: mark(source, &job.source, &plan.source, plan.source.entries),
        target: mark(target, &job.target, &plan.target, target_entries),
    }
}

fn mark(folder: &Folder, path: &Path, side: &Side, entries: u64) -> Option<RootMark> {
    let inode = if side.inode == 0 {
        folder.root().and_then(|root| folder.itself(&root)).ok()?.id.1
    } else {
        side.inode
    };
    let path = crate::entry::show(path.as_os_str().as_encoded_bytes());
    Some(RootMark { path, file_system: folder.about().ok()?.file_system, inode, entries })
}

/// What was looked at; what was done is added by the execution.
fn counts(plan: &Plan) -> Counts {
    let sums = &plan.sums;
    Counts {
        files: sums.files,
        folders: sums.folders,
        bytes: sums.bytes,
        excluded: sums.excluded,
        ..Counts::default()
    }
}

fn notes(left_out: &LeftOut) -> Vec<String> {
    let note = |some: &Some20, what: &str| {
        let paths: Vec<_> = some.paths.iter().take(5).map(ToString::to_string).collect();
        let more = if some.count > 5 { format!(" and {} more", some.count - 5) } else { String::new() };
        (some.count > 0).then(|| format!("{what}: {}{more}", paths.join(", ")))
    };
    let mounts = note(&left_out.mounts, "not entered, another file system is mounted there");
    let devices = note(&left_out.devices, "devices left out, only the superuser can make them");
    mounts.into_iter().chain(devices).collect()
}

fn take_failures(outcome: &mut Outcome, mut failures: failures::Failures) {
    failures.finish();
    outcome.errors = failures.errors;
    outcome.warnings = failures.warnings;
    outcome.failures = failures.list;
}

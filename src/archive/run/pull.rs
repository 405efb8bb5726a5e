//! One source into one vault: folder by folder, slice by slice.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Instant;

use super::folder::{View, Work, place};
use super::job::{Again, Came, Job, Sliced};
use super::outcome::Sum;
use super::same::Same;
use super::slice::Slicing;
use super::{Request, SLICE, SLOW, UNDATED, is_lost};
use crate::archive::marks::Marks;
use crate::archive::source::{Listed, Source};
use crate::error::Error;
use crate::profile::MailPlace;
use crate::progress::{Event, Phase};
use crate::run::{Kept, Severity};
use crate::state::catalogue::{self, Catalogue, Change, Commit, Facts, FolderId, Quarantined};
use crate::vault::add::{Adding, Part};
use crate::vault::store::Id;

/// What is said of a source that is left.
const REST: &str = "folders that come after it were not looked at in this run";

/// What went wrong: with where messages come from, or with where they go.
pub(super) enum Broken {
    Source(Error),
    Vault(Error),
}

/// What is pulled from one source.
pub(super) struct Pull<'a, 'v, 's> {
    pub request: &'a Request<'a>,
    pub mail: &'a MailPlace,
    pub slicing: Slicing<'a>,
    pub catalogue: &'a Catalogue,
    pub adding: &'a mut Adding<'v>,
    pub kept: &'a mut Kept,
    pub sum: &'a mut Sum<'s>,
    /// The folders in the catalogue, and where their messages lie, by their places.
    pub known: HashMap<usize, (FolderId, String)>,
    /// Folders that something went wrong with: in this run nothing more is fetched from them.
    pub broken: HashSet<usize>,
    /// Folders of which messages went away while they were fetched.
    pub thinned: HashSet<usize>,
    /// How many messages were left out because they say that they are ours.
    pub ours: u64,
    /// The least UID of folders' messages that turned out to be too young.
    pub young: HashMap<usize, u32>,
    /// Whether the vault lost something that the catalogue believes to be there.
    pub stale: bool,
}

/// What waits for the end of a slice.
#[derive(Default)]
struct Waiting {
    jobs: Vec<(usize, Job)>,
    bytes: u64,
    undated: u64,
    /// Further keys of messages that are there.
    same: Vec<Again>,
    /// Folders that are done with what waits.
    marks: Vec<(usize, catalogue::Mark)>,
}

impl Waiting {
    fn add(&mut self, at: usize, job: Job) {
        if let Job::Fetch(listed) = &job {
            self.bytes = self.bytes.saturating_add(listed.size);
            if listed.date.is_none() {
                self.undated = self.undated.saturating_add(listed.size);
            }
        }
        self.jobs.push((at, job));
    }
}

impl Pull<'_, '_, '_> {
    /// Takes everything that is new in these folders.
    ///
    /// # Errors
    /// The rest could not be taken; what was taken is in the vault.
    pub fn all(&mut self, source: &mut dyn Source, news: Vec<usize>) -> Result<(), Broken> {
        let (mut waiting, mut same, mut broken) = (Waiting::default(), Same::default(), 0);
        let checkpoint = self.request.job.keeping.checkpoint.max(1);
        for at in news {
            let Some(folder) = self.slicing.folders.get(at) else { continue };
            if self.request.meter.is_cancelled() {
                break;
            }
            self.request.listener.event(&Event::Phase(Phase::Comparing));
            let known = self
                .catalogue
                .folder(self.slicing.account, &folder.path, &place(self.slicing.account, folder))
                .map_err(Broken::Vault)?;
            self.known.insert(at, (known.id, known.directory.clone()));
            let (rules, labels) = (self.slicing.rules, self.slicing.labels);
            let view = View { folder, at, known: &known, rules, labels, now: self.slicing.now };
            let begun = Instant::now();
            let work = match view.work(source, self.catalogue, &mut same) {
                Ok(work) => work,
                Err(error) => {
                    broken += usize::from(begun.elapsed() >= SLOW);
                    if is_lost(source, &error, broken) {
                        self.slice(source, &mut waiting, &mut same)?;
                        return Err(Broken::Source(error.hint(REST)));
                    }
                    self.tell_broken(at, &error);
                    continue;
                }
            };
            broken = 0;
            let Work { touched, fresh, same: same_keys, mark, excluded, ours, untold } = work;
            if let Some(why) = untold {
                let path = format!("{}/{}", self.slicing.account, folder.path);
                let cause = format!("which flags and labels changed was not told: {why}");
                let hint = "it is asked again by each run; what is new is archived";
                self.sum.failure(Severity::Warning, &path, &cause, Some(hint));
            }
            self.sum.counts.excluded += excluded;
            self.ours += ours;
            for job in touched.into_iter().map(Job::Touch).chain(fresh.into_iter().map(Job::Fetch)) {
                if self.is_in_vain(at, &job) {
                    continue;
                }
                waiting.add(at, job);
                let full = waiting.bytes >= checkpoint || waiting.undated >= UNDATED;
                if full || waiting.jobs.len() >= SLICE {
                    self.slice(source, &mut waiting, &mut same)?;
                }
            }
            let again = |(key, message)| Again { folder: at, key, message, date: None };
            waiting.same.extend(same_keys.into_iter().map(again));
            waiting.marks.push((at, mark));
        }
        self.slice(source, &mut waiting, &mut same)
    }

    /// Does what waits, and remembers it.
    fn slice(
        &mut self,
        source: &mut dyn Source,
        waiting: &mut Waiting,
        same: &mut Same,
    ) -> Result<(), Broken> {
        let Waiting { mut jobs, same: mut again, mut marks, .. } = std::mem::take(waiting);
        loop {
            let (mut sliced, part) = match jobs.is_empty() {
                true => (Sliced::default(), None),
                false => {
                    let (sliced, part) =
                        self.slicing.run(source, self.adding, jobs, same).map_err(Broken::Vault)?;
                    (sliced, Some(part))
                }
            };
            // A folder that gave not all is looked at again by the next run. In this one each try may cost as long.
            self.broken.extend(sliced.broken.iter().map(|(at, _)| *at));
            jobs = std::mem::take(&mut sliced.rest);
            jobs.retain(|(at, job)| !self.is_in_vain(*at, job));
            // It is known so far when all of it is there.
            let done = sliced.error.is_none() && jobs.is_empty();
            // Nobody knows whether it is gone for ever: the next connection may be to a server that is ahead of this one.
            self.thinned.extend(sliced.gone.iter().map(|(at, _)| *at));
            marks.retain(|(at, _)| !self.broken.contains(at) && !self.thinned.contains(at));
            for (at, uid) in &sliced.young {
                let least = self.young.entry(*at).or_insert(*uid);
                *least = (*least).min(*uid);
            }
            let marks = if done { std::mem::take(&mut marks) } else { Vec::new() };
            let again = std::mem::take(&mut again);
            self.remember(&sliced, again, marks, part.as_ref()).map_err(Broken::Vault)?;
            self.tell(&sliced, part);
            match sliced.error {
                Some(error) => return Err(Broken::Source(error)),
                None if done => return Ok(()),
                None => {}
            }
        }
    }

    /// Writes into the catalogue what is in the vault now.
    fn remember(
        &mut self,
        sliced: &Sliced,
        again: Vec<Again>,
        marks: Vec<(usize, catalogue::Mark)>,
        part: Option<&Part>,
    ) -> crate::error::Result<()> {
        let folder = |at: usize| self.known.get(&at);
        let has = |path: &Path| !part.is_some_and(|part| part.unknown.iter().any(|one| one == path));
        let came = sliced.came.iter().filter_map(|came| stored(folder(came.folder)?, came));
        let same = again.into_iter().chain(sliced.same.iter().cloned());
        let same = same.filter_map(|Again { folder: at, key, message, date }| {
            Some(Change::Named { folder: folder(at)?.0, key, message, date })
        });
        let touched = sliced.touched.iter().filter(|touched| has(&touched.path));
        let touched = touched.map(|touched| Change::Marked {
            message: touched.message,
            flags: touched.flags.clone(),
            labels: touched.labels.clone(),
        });
        let passed = sliced
            .passed
            .iter()
            .filter_map(|(at, key)| Some(Change::Passed { folder: folder(*at)?.0, key: key.clone() }));
        let changes: Vec<_> = came.chain(same).chain(touched).chain(passed).collect();
        let now = self.request.now;
        let refused = |(at, listed, why): &(usize, Listed, String)| {
            let (folder, key, size, why) = (folder(*at)?.0, listed.key.clone(), listed.size, why.clone());
            Some(Quarantined { folder, key, size, why, first: now, last: now, tries: 1, missing: None })
        };
        let mark = |(at, mark): (usize, catalogue::Mark)| {
            // They are asked for again until they are old enough.
            let next = self.young.get(&at).map_or(mark.next, |young| mark.next.min(*young));
            Some((folder(at)?.0, catalogue::Mark { next, ..mark }))
        };
        let marks: Vec<_> = marks.into_iter().filter_map(mark).collect();
        let quarantined: Vec<_> = sliced.refused.iter().filter_map(refused).collect();
        // Whoever comes next, even after a kill, is to see that something is missing: the catalogue is of no snapshot, and no
        // folder is known so far.
        self.stale |= part.is_some_and(|part| self.lost(part) > 0);
        let snapshot = self.adding.last().map(|id| if self.stale { String::new() } else { id.to_string() });
        // Nor is one while the archive is empty: with nothing new nobody would see whether its vault is there. But what was
        // looked at in vain need not be fetched again.
        let marks = if self.stale || snapshot.is_none() { Vec::new() } else { marks };
        let snapshot = snapshot.as_deref();
        self.catalogue.commit(&Commit {
            snapshot,
            changes: &changes,
            marks: &marks,
            quarantined: &quarantined,
        })
    }

    /// Whether something is to be fetched from a folder that something went wrong with.
    fn is_in_vain(&self, at: usize, job: &Job) -> bool {
        matches!(job, Job::Fetch(_)) && self.broken.contains(&at)
    }

    /// A folder could not be looked at, or not be fetched as a whole.
    fn tell_broken(&mut self, at: usize, error: &Error) {
        let folder = self.slicing.folders.get(at).map_or("", |folder| folder.path.as_str());
        let path = format!("{}/{folder}", self.slicing.account);
        let hint = "the next run looks at it again";
        self.sum.failure(Severity::Error, &path, &error.one_line(), Some(hint));
    }

    /// How much a part found lost that was believed to be there.
    fn lost(&self, part: &Part) -> usize {
        part.unknown.len() + part.lost.iter().filter(|path| !self.sum.lost.contains(*path)).count()
    }

    fn tell(&mut self, sliced: &Sliced, part: Option<Part>) {
        let nothing = sliced.came.is_empty() && sliced.same.is_empty();
        if !(nothing && sliced.touched.is_empty() && sliced.passed.is_empty()) {
            self.sum.moved(self.mail);
        }
        let counts = &mut self.sum.counts;
        counts.created += sliced.came.len() as u64;
        counts.updated += sliced.touched.len() as u64;
        counts.excluded += sliced.passed.len() as u64;
        self.ours += sliced.ours;
        counts.copied_bytes += sliced.came.iter().map(|came| came.size).sum::<u64>();
        for (at, listed, why) in &sliced.refused {
            let folder = self.slicing.folders.get(*at).map_or("", |folder| folder.path.as_str());
            let path = format!("{}/{folder}/{}", self.slicing.account, listed.key);
            let cause = format!("was not given: {why}");
            let hint = "it is asked for again by each run; all others are archived";
            self.sum.failure(Severity::Warning, &path, &cause, Some(hint));
        }
        for (at, error) in &sliced.broken {
            self.tell_broken(*at, error);
        }
        if let Some(part) = part {
            // All that came may have been left out of an archive that is empty.
            if part.snapshot != Id::NONE {
                self.kept.snapshot = Some(part.snapshot.to_string());
                self.kept.tree = Some(part.tree.to_string());
            }
            self.kept.added += part.bytes;
            self.kept.stored += part.stored;
            if self.lost(&part) > 0 {
                let cause = "the vault lost messages that were archived";
                let hint = "the next run takes them again, if they are still at the server; `postkeep verify` says more";
                self.sum.failure(Severity::Error, self.slicing.account, cause, Some(hint));
            }
            self.sum.notes(part.notes);
        }
        if !sliced.gone.is_empty() {
            let note = format!("{}: {} went away while they were fetched", self.mail, sliced.gone.len());
            self.sum.notes(vec![note]);
        }
    }
}

/// What the catalogue is told of a message that came into a folder.
fn stored((folder, directory): &(FolderId, String), came: &Came) -> Option<Change> {
    let file = came.path.strip_prefix(directory).ok()?.to_string_lossy().into_owned();
    let Marks { sha256, flags, labels, message_id, .. } = came.marks.clone();
    let facts = Facts { file, date: came.date, size: came.size, sha256, flags, labels };
    Some(Change::Stored { folder: *folder, key: came.key.clone(), message_id, facts })
}

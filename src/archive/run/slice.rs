//! One slice: messages are fetched by one thread and stored by another, a few at a time in between.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};

use super::job::{Again, Came, Job, Sliced, Touched};
use super::same::Same;
use super::taken::taken;
use super::{SLOW, UNDATED, is_lost};
use crate::archive::header::facts;
use crate::archive::local;
use crate::archive::marks::{self, Marks};
use crate::archive::path::{Place, path};
use crate::archive::rules::Rules;
use crate::archive::source::{Folder, Listed, Refusal, Source};
use crate::error::{Error, Kind, Result};
use crate::progress::Meter;
use crate::vault::add::{Adding, Content, Item, Part};

/// How many messages wait between the two threads.
const BETWEEN: usize = 32;

/// How many messages of which nobody knows when they came are asked for at once: as many may be held beyond [`UNDATED`].
const TOGETHER: usize = 128;

/// What all slices of a source share.
pub(super) struct Slicing<'a> {
    pub account: &'a str,
    pub folders: &'a [Folder],
    pub now: Timestamp,
    pub meter: &'a Meter,
    /// Whether labels are kept.
    pub labels: bool,
    /// What is left out that could not be known before.
    pub rules: &'a Rules,
}

impl Slicing<'_> {
    /// Fetches and stores. `jobs` name the folder by its place.
    ///
    /// # Errors
    /// The vault: nothing of the slice is in it.
    pub fn run(
        &self,
        source: &mut dyn Source,
        adding: &mut Adding<'_>,
        jobs: Vec<(usize, Job)>,
        same: &mut Same,
    ) -> Result<(Sliced, Part)> {
        let (to, from) = sync_channel(BETWEEN);
        std::thread::scope(|scope| {
            let fetching = scope.spawn(move || self.fetch(source, jobs, same, &to));
            let part = adding.part(from.into_iter());
            let sliced = fetching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok((sliced, part?))
        })
    }

    fn fetch(
        &self,
        source: &mut dyn Source,
        jobs: Vec<(usize, Job)>,
        same: &mut Same,
        to: &SyncSender<Item>,
    ) -> Sliced {
        let mut sliced = Sliced::default();
        let is_undated = |job: &Job| matches!(job, Job::Fetch(listed) if listed.date.is_none());
        let (undated, dated) = jobs.into_iter().partition(|(_, job)| is_undated(job));
        let mut held = Vec::new();
        let came = self.undated(source, undated, same, &mut sliced, &mut held);
        held.sort_by(|a, b| a.path.components().cmp(b.path.components()));
        let mut held = held.into_iter().peekable();
        let full = Cell::new(false);
        let pass = |item: Item| {
            to.send(item).map_err(|_| {
                full.set(true);
                stopped()
            })
        };
        let done = came.and_then(|()| {
            let send = &mut |item: Item| {
                let is_before = |held: &Item| held.path.components().cmp(item.path.components()).is_lt();
                while let Some(held) = held.next_if(is_before) {
                    pass(held)?;
                }
                pass(item)
            };
            self.dated(source, dated, same, &mut sliced, send, &full)
        });
        // What came counts, whatever became of the rest.
        let passed = held.try_for_each(pass);
        sliced.error = done.and(passed).err();
        sliced
    }

    /// Where nobody knows when a message came, its place is known with its content. So these are held until all are there,
    /// or as many as may be held.
    fn undated(
        &self,
        source: &mut dyn Source,
        jobs: Vec<(usize, Job)>,
        same: &mut Same,
        sliced: &mut Sliced,
        held: &mut Vec<Item>,
    ) -> Result<()> {
        let mut jobs = jobs.into_iter().peekable();
        let mut bytes = 0;
        while let Some((folder, job)) = jobs.next() {
            if bytes >= UNDATED {
                sliced.rest.push((folder, job));
                sliced.rest.extend(jobs);
                break;
            }
            let Job::Fetch(first) = job else { continue };
            if is_broken(sliced, folder) {
                continue;
            }
            let messages = together(first, folder, &mut jobs, TOGETHER);
            let begun = Instant::now();
            let done = self.fetch_from(source, folder, &messages, same, sliced, &mut |item| {
                bytes += item.content.size();
                held.push(item);
                Ok(())
            });
            pardoned(done, (folder, begun), source, sliced)?;
        }
        Ok(())
    }

    fn dated(
        &self,
        source: &mut dyn Source,
        jobs: Vec<(usize, Job)>,
        same: &mut Same,
        sliced: &mut Sliced,
        send: &mut dyn FnMut(Item) -> Result<()>,
        full: &Cell<bool>,
    ) -> Result<()> {
        let mut jobs = self.sorted(jobs).into_iter().peekable();
        while let Some((folder, job)) = jobs.next() {
            match job {
                Job::Touch(touched) => self.touch(touched, sliced, send)?,
                Job::Fetch(_) if is_broken(sliced, folder) => {}
                Job::Fetch(first) => {
                    let messages = together(first, folder, &mut jobs, usize::MAX);
                    let begun = Instant::now();
                    let done = self.fetch_from(source, folder, &messages, same, sliced, send);
                    if full.get() {
                        return done;
                    }
                    pardoned(done, (folder, begun), source, sliced)?;
                }
            }
        }
        Ok(())
    }

    /// In the order of the snapshot's tree, as far as the dates are known.
    fn sorted(&self, jobs: Vec<(usize, Job)>) -> Vec<(usize, Job)> {
        let mut keyed: Vec<_> = jobs
            .into_iter()
            .map(|(folder, job)| {
                let path = match &job {
                    Job::Touch(touched) => touched.path.clone(),
                    Job::Fetch(listed) => self.path(folder, listed, listed.date.unwrap_or(self.now)),
                };
                (path, folder, job)
            })
            .collect();
        keyed.sort_by(|a, b| a.0.components().cmp(b.0.components()));
        keyed.into_iter().map(|(_, folder, job)| (folder, job)).collect()
    }

    fn path(&self, folder: usize, listed: &Listed, date: Timestamp) -> PathBuf {
        let folder = self.folders.get(folder).map_or("", |folder| folder.path.as_str());
        path(&Place {
            account: self.account.to_owned(),
            folder: folder.to_owned(),
            date,
            key: listed.key.clone(),
        })
    }

    fn touch(
        &self,
        touched: Touched,
        sliced: &mut Sliced,
        send: &mut dyn FnMut(Item) -> Result<()>,
    ) -> Result<()> {
        send(Item {
            path: touched.path.clone(),
            mtime: touched.date,
            seen: self.now,
            attributes: marks::changed(&touched.flags, &touched.labels),
            content: Content::Known(touched.size),
        })?;
        sliced.touched.push(touched);
        Ok(())
    }

    fn fetch_from(
        &self,
        source: &mut dyn Source,
        folder: usize,
        messages: &[Listed],
        same: &mut Same,
        sliced: &mut Sliced,
        send: &mut dyn FnMut(Item) -> Result<()>,
    ) -> Result<()> {
        let Some(from) = self.folders.get(folder) else { return Ok(()) };
        source.fetch(from, messages, &mut |at, answer| {
            if self.meter.is_cancelled() {
                return Err(Error::new(Kind::Cancelled, "the archive was stopped before it was complete"));
            }
            let Some(listed) = messages.get(at) else { return Ok(()) };
            let body = match answer {
                Ok(body) => body,
                Err(Refusal::Gone) => {
                    sliced.gone.push((folder, listed.key.clone()));
                    return Ok(());
                }
                Err(Refusal::Refused(why)) => {
                    sliced.refused.push((folder, listed.clone(), why));
                    return Ok(());
                }
            };
            let (content, start, sha256) = match taken(body) {
                Ok(taken) => taken,
                // It is this message's alone: those after it can be read.
                Err(error) => {
                    sliced.refused.push((folder, listed.clone(), local::why(&error)));
                    return Ok(());
                }
            };
            let facts = facts(&start);
            let date = whole(listed.date.or(facts.date).unwrap_or(self.now));
            // What the source could not tell before.
            let told = Listed {
                size: content.size(),
                date: listed.date.or(facts.date),
                from: facts.from.clone(),
                ..Listed::default()
            };
            sliced.ours += u64::from(facts.ours);
            if facts.ours || self.rules.leave_out_fetched(&told) {
                sliced.passed.push((folder, listed.key.clone()));
                return Ok(());
            }
            if self.rules.is_too_young(&told) {
                sliced.young.push((folder, listed.uid));
                return Ok(());
            }
            let message_id = facts.message_id.or_else(|| listed.message_id.clone());
            if let Some(there) = same.take(folder, sha256, content.size(), message_id.as_deref())? {
                let (key, date) = (listed.key.clone(), listed.date);
                sliced.same.push(Again { folder, key, message: there, date });
                // Its place may be before what is on its way already.
                let touched = same.touched(folder, there, listed, self.labels)?;
                sliced.rest.extend(touched.map(|touched| (folder, Job::Touch(touched))));
                return Ok(());
            }
            let marks = Marks {
                flags: listed.flags.clone(),
                labels: if self.labels { listed.labels.clone() } else { Vec::new() },
                gmail: listed.gmail,
                email_id: listed.email_id.clone(),
                message_id,
                sha256,
                from: facts.sender,
                subject: facts.subject,
            };
            let (path, size) = (self.path(folder, listed, date), content.size());
            send(Item {
                path: path.clone(),
                mtime: date,
                seen: self.now,
                attributes: marks.attributes(),
                content,
            })?;
            sliced.came.push(Came { folder, key: listed.key.clone(), path, date, size, marks });
            Ok(())
        })
    }
}

fn is_broken(sliced: &Sliced, folder: usize) -> bool {
    sliced.broken.iter().any(|(at, _)| *at == folder)
}

/// What went wrong with one folder is remembered, and the others go on, unless it is the source's.
fn pardoned(
    done: Result<()>,
    (folder, begun): (usize, Instant),
    source: &mut dyn Source,
    sliced: &mut Sliced,
) -> Result<()> {
    let Err(error) = done else {
        sliced.slow = 0;
        return Ok(());
    };
    sliced.slow += usize::from(begun.elapsed() >= SLOW);
    if is_lost(source, &error, sliced.slow) {
        return Err(error);
    }
    sliced.broken.push((folder, error));
    Ok(())
}

/// A message and those after it that are to be fetched from the same folder, at most so many.
fn together(
    first: Listed,
    folder: usize,
    jobs: &mut std::iter::Peekable<std::vec::IntoIter<(usize, Job)>>,
    most: usize,
) -> Vec<Listed> {
    let mut messages = vec![first];
    while messages.len() < most {
        match jobs.next_if(|(at, job)| *at == folder && matches!(job, Job::Fetch(_))) {
            Some((_, Job::Fetch(next))) => messages.push(next),
            _ => break,
        }
    }
    messages
}

/// A date to the second, as its path has it, and the catalogue.
fn whole(date: Timestamp) -> Timestamp {
    let second = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Floor);
    date.round(second).unwrap_or(date)
}

/// The vault takes no more; it says itself why.
fn stopped() -> Error {
    Error::other("the vault took no more messages")
}

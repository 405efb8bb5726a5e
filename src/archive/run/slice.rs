//! One slice: messages are fetched by one thread and stored by another, a few at a time in between.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};

use jiff::Timestamp;

use super::MOST_BROKEN;
use super::same::Same;
use super::taken::taken;
use crate::archive::header::facts;
use crate::archive::marks::{self, Marks};
use crate::archive::path::{Place, path};
use crate::archive::rules::Rules;
use crate::archive::source::{Folder, Listed, Refusal, Source};
use crate::error::{Context, Error, Kind, Result};
use crate::progress::Meter;
use crate::state::catalogue::MessageId;
use crate::vault::add::{Adding, Content, Item, Part};

/// How many messages wait between the two threads.
const BETWEEN: usize = 32;

/// What is to be done for one message.
#[derive(Debug)]
pub(super) enum Job {
    /// It is fetched.
    Fetch(Listed),
    /// It is known, and its flags or labels are other ones now.
    Touch(Touched),
}

/// A message whose flags or labels changed.
#[derive(Debug, Clone)]
pub(super) struct Touched {
    pub message: MessageId,
    pub path: PathBuf,
    pub date: Timestamp,
    pub size: u64,
    pub flags: Vec<String>,
    pub labels: Vec<String>,
}

/// A message that came, and is to be known from now on.
#[derive(Debug, Clone)]
pub(super) struct Came {
    /// Its folder, by its place among those of the source.
    pub folder: usize,
    pub key: String,
    pub path: PathBuf,
    pub date: Timestamp,
    pub size: u64,
    pub marks: Marks,
}

/// What a slice came to.
#[derive(Debug, Default)]
pub(super) struct Sliced {
    pub came: Vec<Came>,
    pub touched: Vec<Touched>,
    /// Messages that are there already under another key: their folder, their key, and the one that is there.
    pub same: Vec<(usize, String, MessageId)>,
    pub refused: Vec<(usize, Listed, String)>,
    /// Messages that are not to be archived, as their content says, by folder and key.
    pub passed: Vec<(usize, String)>,
    /// Messages that went away between the listing and now, by folder and key.
    pub gone: Vec<(usize, String)>,
    /// Folders that gave not all that was asked for, by their places, and why.
    pub broken: Vec<(usize, Error)>,
    /// Why not all were asked for. What came counts all the same.
    pub error: Option<Error>,
}

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
        // Where nobody knows when a message came, its place is known with its content.
        let undated = jobs.iter().any(|(_, job)| matches!(job, Job::Fetch(listed) if listed.date.is_none()));
        let (mut held, full) = (Vec::new(), Cell::new(false));
        let mut send = |item: Item| {
            if undated {
                held.push(item);
                return Ok(());
            }
            to.send(item).map_err(|_| {
                full.set(true);
                stopped()
            })
        };
        let mut jobs = self.sorted(jobs).into_iter().peekable();
        while let Some((folder, job)) = jobs.next() {
            if sliced.broken.iter().any(|(at, _)| *at == folder) {
                continue;
            }
            let done = match job {
                Job::Touch(touched) => self.touch(touched, &mut sliced, &mut send),
                Job::Fetch(first) => {
                    let mut messages = vec![first];
                    while let Some((_, Job::Fetch(next))) =
                        jobs.next_if(|(at, job)| *at == folder && matches!(job, Job::Fetch(_)))
                    {
                        messages.push(next);
                    }
                    self.fetch_from(source, folder, &messages, same, &mut sliced, &mut send)
                }
            };
            if let Err(error) = done {
                let fatal = matches!(error.kind(), Kind::Paused | Kind::Login | Kind::Cancelled);
                if fatal || full.get() || !source.is_up() || sliced.broken.len() + 1 >= MOST_BROKEN {
                    sliced.error = Some(error);
                    break;
                }
                sliced.broken.push((folder, error));
            }
        }
        held.sort_by(|a, b| a.path.components().cmp(b.path.components()));
        for item in held {
            if to.send(item).is_err() {
                sliced.error.get_or_insert_with(stopped);
                break;
            }
        }
        sliced
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
            let (content, start, sha256) = taken(body).context(|| "cannot read a message again".into())?;
            let facts = facts(&start);
            let date = listed.date.or(facts.date).unwrap_or(self.now);
            // What the source could not tell before.
            let told = Listed {
                size: content.size(),
                date: listed.date.or(facts.date),
                from: facts.from.clone(),
                ..Listed::default()
            };
            if facts.ours || self.rules.leave_out_for_good(&told) {
                sliced.passed.push((folder, listed.key.clone()));
                return Ok(());
            }
            if self.rules.leave_out(&told) {
                return Ok(());
            }
            if let Some(there) = same.take(folder, &sha256) {
                sliced.same.push((folder, listed.key.clone(), there));
                return Ok(());
            }
            let marks = Marks {
                flags: listed.flags.clone(),
                labels: if self.labels { listed.labels.clone() } else { Vec::new() },
                gmail: listed.gmail,
                email_id: listed.email_id.clone(),
                message_id: facts.message_id.or_else(|| listed.message_id.clone()),
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

/// The vault takes no more; it says itself why.
fn stopped() -> Error {
    Error::other("the vault took no more messages")
}

//! Sending some letters over one connection.

use super::queue::Job;
use super::{Inner, Trouble};
use crate::error::{Error, Result};
use crate::mail::imap::{Appended, Meaning, Outbox, Outgoing};
use crate::vault::store::Kind;
use crate::vault::store::letter::{self, LineEnd};

/// After so many bytes or letters what was sent is looked at: until then it is held in memory.
const BATCH: u64 = 16 << 20;
const BATCH_LETTERS: usize = 100;

/// A message of ours on its way. It counts as read, so that no phone rings.
pub(super) fn outgoing(text: Vec<u8>) -> Outgoing {
    Outgoing { body: Box::new(text), flags: &["\\Seen"], internal_date: None }
}

/// A letter that was sent, and what the server said.
pub(super) struct Sent {
    pub(super) job: Job,
    /// Bytes of the message.
    pub(super) size: u64,
    result: Appended,
}

/// A letter that the server may have, and its UIDVALIDITY and UID if it told them.
pub(super) struct Kept {
    pub(super) job: Job,
    pub(super) size: u64,
    pub(super) uid: Option<(u32, u32)>,
}

struct Batch<'a> {
    inner: &'a Inner,
    sent: Vec<Sent>,
    bytes: u64,
    /// No more: one is sent alone, or nothing may be sent.
    full: bool,
    stopped: Option<Error>,
}

impl Batch<'_> {
    /// Whether it may be sent at all.
    fn allow(&self, job: &Job, size: u64) -> Result<()> {
        self.inner.budget.may_send(size).map_err(|spent| spent.error(&self.inner.place))?;
        match job.label.kind {
            Kind::Pack => self.inner.take_room(size),
            _ => Ok(()),
        }
    }
}

impl Outbox for Batch<'_> {
    fn next(&mut self) -> Option<Outgoing> {
        if self.full || self.bytes >= BATCH || self.sent.len() >= BATCH_LETTERS {
            return None;
        }
        let job = self.inner.queue.next()?;
        // What failed once goes alone: who was to blame in a batch is not told.
        if job.tries > 0 {
            self.full = true;
            if !self.sent.is_empty() {
                self.inner.queue.put_back(vec![job]);
                return None;
            }
        }
        let text = letter::compose(&job.label, &job.object, self.inner.clock.now(), LineEnd::CrLf);
        let size = text.len() as u64;
        if let Err(error) = self.allow(&job, size) {
            self.stopped = Some(error);
            self.full = true;
            return None;
        }
        self.bytes += size;
        self.sent.push(Sent { job, size, result: Appended::Unsent });
        Some(outgoing(text))
    }

    fn answered(&mut self, number: usize, result: Appended) {
        if let Some(sent) = self.sent.get_mut(number) {
            sent.result = result;
        }
    }
}

impl Inner {
    /// Sends what waits, up to a measure, and sees to it that it is there.
    ///
    /// # Errors
    /// Nothing more can be stored.
    pub(super) fn send_batch(&self) -> Result<()> {
        let mut lease = self.look_at_room()?;
        let mut batch = Batch { inner: self, sent: Vec::new(), bytes: 0, full: false, stopped: None };
        let done = lease.session.append(&self.folder, &mut batch);
        lease.count();
        let Batch { sent, stopped, .. } = batch;
        let broken = done.err().map(|failed| self.pool.door.trouble(failed, &self.cannot_store()));
        // A server that is confused about a folder stays so as long as the connection lasts.
        lease.astray = sent
            .iter()
            .any(|one| matches!(&one.result, Appended::Refused { no, .. } if no.meaning() == Meaning::Later));
        // A broken one goes back at once: another one is needed, and they are counted.
        let lease = Some(lease).filter(|lease| !lease.session.is_broken() && !lease.astray);
        let mut kept = Vec::new();
        for Sent { job, size, result } in sent {
            match result {
                Appended::Stored(uid) => kept.push(Kept { job, size, uid }),
                Appended::Unknown => kept.push(Kept { job, size, uid: None }),
                Appended::Unsent => self.again(job, broken.as_ref())?,
                Appended::Refused { no, .. } => {
                    self.again(job, Some(&self.pool.door.trouble(no.into(), &self.cannot_store())))?;
                }
            }
        }
        self.settle(kept, lease)?;
        match (stopped, broken) {
            (Some(error), _) | (None, Some(Trouble::Final(error))) => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn cannot_store(&self) -> String {
        format!("cannot keep a message in {}", self.place)
    }

    /// Puts a letter back into the queue, after a while.
    ///
    /// # Errors
    /// That is of no use, or was tried often enough.
    pub(super) fn again(&self, mut job: Job, why: Option<&Trouble>) -> Result<()> {
        match (why, self.retries.get(job.tries)) {
            (Some(Trouble::Final(error)), _) | (Some(Trouble::Again(error)), None) => {
                return Err(error.again());
            }
            (Some(Trouble::NoFolder), _) => return Err(self.no_folder()),
            (None, None) => {
                return Err(
                    Error::other(self.cannot_store()).caused_by("the server does not keep what it takes")
                );
            }
            (_, Some(wait)) => {
                self.rest(*wait);
            }
        }
        job.tries += 1;
        self.queue.put_back(vec![job]);
        Ok(())
    }
}

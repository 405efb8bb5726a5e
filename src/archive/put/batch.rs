//! Messages on their way over a connection.

use std::collections::VecDeque;

use jiff::tz::TimeZone;

use super::Bodies;
use super::body::{Content, body, identity};
use super::flags::usable;
use super::identity::Identity;
use super::rivals::Standing;
use super::tally::Tally;
use crate::archive::stored::Stored;
use crate::error::Error;
use crate::mail::imap::{Appended, Outbox, Outgoing};
use crate::progress::Meter;
use crate::vault::store::mailbox::Spent;

/// A message that is to be sent.
pub(super) struct Waiting<'m> {
    /// Its place among all.
    pub(super) at: usize,
    pub(super) message: &'m Stored,
    /// What tells it from the others of the archive.
    pub(super) standing: Standing,
    pub(super) ours: Identity,
    /// Its bytes, if they were read already.
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) tries: usize,
    /// It was in a batch of which the server refused one, or broke off over one: it goes alone, to find out which.
    pub(super) alone: bool,
}

impl<'m> Waiting<'m> {
    pub(super) fn new(at: usize, message: &'m Stored, standing: Standing) -> Self {
        let ours = Identity::of(message);
        Self { at, message, standing, ours, bytes: None, tries: 0, alone: false }
    }
}

/// Messages on their way.
pub(super) struct Batch<'m, 'r> {
    pub(super) waiting: VecDeque<Waiting<'m>>,
    pub(super) bodies: &'r mut dyn Bodies,
    pub(super) meter: &'r Meter,
    pub(super) tally: &'r Tally,
    /// How many bytes may be sent in a day, if there is a limit.
    pub(super) most: Option<u64>,
    pub(super) permanent: Option<Vec<String>>,
    pub(super) sent: Vec<(Waiting<'m>, Appended)>,
    /// Those that are not sent, and why.
    pub(super) unfit: Vec<(usize, &'m Stored, String)>,
    /// Flags that were left out: had, kept, how many.
    pub(super) dropped: Vec<(&'m Stored, Vec<String>, usize)>,
    pub(super) full: bool,
    /// Why the archive gives no more for now.
    pub(super) paused: Option<Error>,
    /// Why no more may be sent for now.
    pub(super) spent: Option<Spent>,
}

impl Outbox for Batch<'_, '_> {
    fn next(&mut self) -> Option<Outgoing> {
        loop {
            if self.full || self.meter.is_cancelled() {
                return None;
            }
            if self.waiting.front()?.alone {
                if !self.sent.is_empty() {
                    return None;
                }
                self.full = true;
            }
            let mut next = self.waiting.pop_front()?;
            let held = next.bytes.take().map(Ok);
            let bytes = match held.unwrap_or_else(|| body((next.at, next.message), self.bodies)) {
                Ok(bytes) => bytes,
                Err(why) if why.kind().is_away() => {
                    self.paused = Some(why);
                    self.full = true;
                    return None;
                }
                Err(why) => {
                    self.unfit.push((next.at, next.message, why.one_line()));
                    self.full = false;
                    continue;
                }
            };
            let size = bytes.len() as u64;
            if self.most.is_some_and(|most| size > most) {
                let why = "it is larger than all that may be sent in a day (upload-per-day)";
                self.unfit.push((next.at, next.message, why.into()));
                self.full = false;
                continue;
            }
            if let Err(spent) = self.tally.may_send(size) {
                self.spent = Some(spent);
                self.full = true;
                return None;
            }
            next.ours = identity(next.message, &bytes);
            let (flags, dropped) = usable(&next.message.marks.flags, self.permanent.as_deref());
            if dropped > 0 && next.tries == 0 && !next.alone {
                self.dropped.push((next.message, flags.clone(), dropped));
            }
            // A year that IMAP cannot write is none.
            let date = next.message.place.date;
            let internal_date = (1..=9999).contains(&date.to_zoned(TimeZone::UTC).year()).then_some(date);
            self.sent.push((next, Appended::Unsent));
            return Some(Outgoing { body: Box::new(Content { bytes, flags }), flags: &[], internal_date });
        }
    }

    fn answered(&mut self, number: usize, result: Appended) {
        if let Some((_, place)) = self.sent.get_mut(number) {
            *place = result;
            self.tally.count();
        }
    }
}

//! Seeing to it that what was sent is there, as it was sent.

use std::collections::{BTreeSet, HashMap};

use super::map::Message;
use super::queue::Job;
use super::read::fetch;
use super::refresh::WHOSE;
use super::send::Kept;
use super::{Inner, Lease, Trouble};
use crate::error::Result;
use crate::mail::imap::{Failed, Fetched, Item, Request, Section, Sink};
use crate::vault::store::Kind;
use crate::vault::store::letter::{self, Head, Label};

/// Letters up to this size are read back while their heads are looked at.
const SMALL: u64 = 64 << 10;

impl Inner {
    /// Looks at letters in the folder. Those that are there are stored; the others are sent again.
    pub(super) fn settle<'a>(&'a self, mut kept: Vec<Kept>, mut lease: Option<Lease<'a>>) -> Result<()> {
        let mut waits = self.retries.iter();
        while !kept.is_empty() {
            let mut over = match lease.take() {
                Some(lease) => lease,
                None => self.lease()?,
            };
            match self.look_at(&mut kept, &mut over) {
                Ok(()) => lease = Some(over),
                Err(failed) => match self.pool.door.trouble(failed, &self.cannot_store()) {
                    Trouble::Final(error) => return Err(error),
                    Trouble::NoFolder => return Err(self.no_folder()),
                    Trouble::Again(error) => match waits.next() {
                        Some(wait) => {
                            drop(over);
                            self.rest(*wait);
                        }
                        None => return Err(error),
                    },
                },
            }
        }
        Ok(())
    }

    /// Looks at all of them, and takes away those of which is known what became of them.
    fn look_at(&self, kept: &mut Vec<Kept>, lease: &mut Lease<'_>) -> Result<(), Failed> {
        let there = self.find(kept, lease)?;
        while let Some(one) = kept.last() {
            let seen = one.uid.and_then(|(_, uid)| Some((uid, there.get(&uid)?)));
            let Some((uid, seen)) = seen.filter(|(_, seen)| seen.is(&one.job.label)) else {
                // It did not come, or is gone.
                self.lost(kept.pop());
                continue;
            };
            // What is small and everything hangs on is read back; and what a server has other words on.
            let intact = match &seen.text {
                Some(text) => is_intact(text, &one.job),
                None if one.job.label.kind == Kind::Pack && seen.size == Some(one.size) => true,
                None => fetch(lease, uid, Item::Message, 2 * one.size + 4096)?
                    .is_some_and(|text| is_intact(&text, &one.job)),
            };
            if !intact {
                // With the lowest UID it would count.
                self.expunge_over(lease, &[(uid, one.job.label)])?;
                self.lost(kept.pop());
                continue;
            }
            let Some(Kept { job, .. }) = kept.pop() else { break };
            let message = Message { uid, head: Some(Head::Object(job.label)) };
            if let Some(map) = self.map().as_mut().filter(|map| map.validity == lease.validity) {
                map.take(&[message], self.which.get(), false);
            }
            self.queue.stored(&job);
        }
        Ok(())
    }

    /// Finds them in the folder. Where a server tells no UID, or that of another message, what is new says which of
    /// them came.
    fn find(&self, kept: &mut [Kept], lease: &mut Lease<'_>) -> Result<HashMap<u32, Seen>, Failed> {
        let validity = lease.validity;
        kept.iter_mut().for_each(|kept| kept.uid = kept.uid.filter(|(of, _)| *of == validity));
        if kept.iter().all(|kept| kept.uid.is_some()) {
            let there = look(lease, kept)?;
            let other = |kept: &Kept| {
                let seen = kept.uid.and_then(|(_, uid)| there.get(&uid));
                seen.is_some_and(|seen| !seen.is(&kept.job.label))
            };
            kept.iter_mut().filter(|kept| other(kept)).for_each(|kept| kept.uid = None);
            if kept.iter().all(|kept| kept.uid.is_some()) {
                return Ok(there);
            }
        }
        self.refresh_over(lease)?;
        let validity = lease.validity;
        for one in kept.iter_mut().filter(|kept| kept.uid.is_none_or(|(of, _)| of != validity)) {
            let map = self.map();
            let uid = map.as_ref().and_then(|map| map.catalogue.letter(&one.job.label));
            one.uid = uid.map(|uid| (validity, *uid));
        }
        look(lease, kept)
    }

    fn lost(&self, kept: Option<Kept>) {
        if let Some(Kept { job, .. }) = kept
            && let Err(error) = self.again(job, None)
        {
            self.queue.fail(error);
        }
    }
}

/// What the server tells of a message.
#[derive(Default)]
struct Seen {
    size: Option<u64>,
    head: Option<Head>,
    /// All of it, if that was asked for.
    text: Option<Vec<u8>>,
}

impl Seen {
    fn is(&self, label: &Label) -> bool {
        self.head == Some(Head::Object(*label))
    }
}

/// What is at their UIDs.
fn look(lease: &mut Lease<'_>, kept: &[Kept]) -> Result<HashMap<u32, Seen>, Failed> {
    let mut looking = Looking::default();
    let mut ask: Vec<(u32, &Kept)> = kept.iter().filter_map(|kept| Some((kept.uid?.1, kept))).collect();
    ask.sort_unstable_by_key(|(uid, _)| *uid);
    for round in 0..2 {
        if ask.is_empty() {
            break;
        }
        if round > 0 {
            // This connection may not have looked since they came.
            lease.session.noop()?;
        }
        let uids: Vec<u32> = ask.iter().map(|(uid, _)| *uid).collect();
        let expected = uids.len() as u64 * 512;
        let heads = Request { uids, items: vec![Item::Size, WHOSE], expected };
        // In the same round trip.
        let small = |(_, kept): &&(u32, &Kept)| kept.job.label.kind != Kind::Pack && kept.size <= SMALL;
        let texts = ask.iter().filter(small).map(|(uid, kept)| Request {
            uids: vec![*uid],
            items: vec![Item::Message],
            expected: kept.size,
        });
        looking.asked = ask.iter().map(|(uid, _)| *uid).collect();
        let refused = lease.session.fetch([heads].into_iter().chain(texts), &mut looking)?;
        if let Some(refused) = refused.into_iter().next() {
            return Err(Failed::No(refused.no));
        }
        ask.retain(|(uid, _)| !looking.seen.contains_key(uid));
    }
    Ok(looking.seen)
}

/// What comes of a look at some messages.
#[derive(Default)]
struct Looking {
    asked: BTreeSet<u32>,
    seen: HashMap<u32, Seen>,
    text: Option<Vec<u8>>,
}

impl Sink for Looking {
    fn begin(&mut self, _: &Fetched, section: Section, size: u64) -> Result<()> {
        // One that is far larger than what was sent is read alone, and found to be another one.
        let wanted = section == Section::Message(0) && size <= 2 * SMALL + 4096;
        self.text = wanted.then(Vec::new);
        Ok(())
    }

    fn bytes(&mut self, part: &[u8]) -> Result<()> {
        if let Some(text) = &mut self.text {
            text.extend_from_slice(part);
        }
        Ok(())
    }

    fn end(&mut self, message: Fetched) -> Result<()> {
        let text = self.text.take();
        if let Some(uid) = message.uid.filter(|uid| self.asked.contains(uid)) {
            let seen = self.seen.entry(uid).or_default();
            seen.size = message.size.or(seen.size);
            seen.head = message.header.as_deref().map_or(seen.head, letter::parse);
            seen.text = text.or_else(|| seen.text.take());
        }
        Ok(())
    }
}

/// Compares a message with what was sent.
fn is_intact(message: &[u8], job: &Job) -> bool {
    let range = job.label.range();
    let sent = job.object.get(range.start as usize..range.end as usize).unwrap_or_default();
    letter::read(message).is_some_and(|(label, part)| label == job.label && part == sent)
}

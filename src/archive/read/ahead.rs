//! Messages one after the other, their bytes fetched before they are asked for.

use std::collections::{HashMap, VecDeque};
use std::io::Read;

use super::{Archive, Found, Walked, whole};
use crate::archive::put::Bodies;
use crate::archive::stored::Stored;
use crate::archive::wanted::Wanted;
use crate::error::{Error, Result};
use crate::vault::ahead::{self, Ahead, Body, Ticket};

/// The most messages that wait for their visit.
const MOST: usize = 8192;

/// Somebody who looks at messages.
pub trait Visitor {
    /// Whether the message will be read. It is asked some time before the visit.
    fn wants(&mut self, _: &Found) -> bool {
        true
    }

    /// A message, and its bytes as a stream that fails at its end if they are not those that were archived; or why they
    /// cannot be read. Whether to go on.
    ///
    /// # Errors
    /// Nothing more can be looked at.
    fn visit(&mut self, found: Found, bytes: Result<&mut dyn Read>) -> Result<bool>;
}

/// Does something with some messages, and says whether to go on.
type Work<'w> = dyn FnMut(&[Stored], &mut dyn Bodies) -> Result<bool> + 'w;

/// A message that waits for its visit.
type Waiting = (Found, Option<Ticket>);

impl<'a> Archive<'a> {
    /// Visits the messages that are wanted, in the order of [`Archive::walk`].
    ///
    /// # Errors
    /// Those of the visitor.
    pub fn visit(&self, wanted: &Wanted, visitor: &mut dyn Visitor) -> Result<Walked> {
        ahead::with(self.vault, |ahead| {
            let (mut waiting, mut goes_on) = (VecDeque::<Waiting>::new(), true);
            let walked = self.walk(wanted, &mut |found| {
                // What cannot be wanted says why when it is opened.
                let ticket = visitor.wants(&found).then(|| ahead.want(&found.node).ok()).flatten();
                waiting.push_back((found, ticket));
                while goes_on && (ahead.is_full() || waiting.len() > MOST) {
                    let Some(next) = waiting.pop_front() else { break };
                    goes_on = self.hand(next, ahead, visitor)?;
                }
                Ok(goes_on)
            })?;
            for next in waiting {
                goes_on = goes_on && self.hand(next, ahead, visitor)?;
            }
            Ok(walked)
        })
    }

    fn hand(
        &self,
        (found, ticket): Waiting,
        ahead: &mut Ahead<'_, 'a>,
        visitor: &mut dyn Visitor,
    ) -> Result<bool> {
        match self.opened(&found, ticket, ahead) {
            Ok(body) => {
                let mut checked = found.checked(body);
                visitor.visit(found, Ok(&mut checked))
            }
            Err(why) => visitor.visit(found, Err(why)),
        }
    }

    fn opened(&self, found: &Found, ticket: Option<Ticket>, ahead: &mut Ahead<'_, 'a>) -> Result<Body<'a>> {
        match ticket {
            Some(ticket) => ahead.take(ticket, &found.node),
            None => Body::stream(self.vault, &found.node),
        }
    }

    /// Does `work` with the messages that are wanted, at most `count` at a time, in the order of [`Archive::walk`]. It says
    /// whether to go on. No message of more than `most` bytes is read.
    ///
    /// # Errors
    /// Those of `work`; or the vault gives nothing now.
    pub fn batches(
        &self,
        wanted: &Wanted,
        (count, most): (usize, u64),
        work: &mut Work<'_>,
    ) -> Result<Walked> {
        ahead::with(self.vault, |ahead| {
            let mut work = |batch: Vec<Found>| {
                let messages: Vec<_> = batch.iter().map(|found| found.message.clone()).collect();
                let (tickets, away) = (HashMap::new(), None);
                let mut batch = Batch { archive: self, ahead, batch, tickets, most, away };
                let goes_on = work(&messages, &mut batch);
                batch.away.map_or(goes_on, Err)
            };
            let mut batch = Vec::new();
            let walked = self.walk(wanted, &mut |found| {
                batch.push(found);
                if batch.len() < count {
                    return Ok(true);
                }
                work(std::mem::take(&mut batch))
            })?;
            work(batch)?;
            Ok(walked)
        })
    }
}

/// Some messages, for whoever puts them somewhere.
struct Batch<'b, 's, 'a> {
    archive: &'b Archive<'a>,
    ahead: &'b mut Ahead<'s, 'a>,
    batch: Vec<Found>,
    tickets: HashMap<usize, Ticket>,
    most: u64,
    /// That the vault gives nothing now: then nothing more of it is waited for.
    away: Option<Error>,
}

impl Bodies for Batch<'_, '_, '_> {
    fn ahead(&mut self, next: &mut dyn Iterator<Item = usize>) {
        self.ahead.forget();
        self.tickets.clear();
        for at in next {
            let found = self.batch.get(at).filter(|found| found.fits(self.most).is_ok());
            if let Some(ticket) = found.and_then(|found| self.ahead.want(&found.node).ok()) {
                self.tickets.insert(at, ticket);
            }
        }
    }

    fn read(&mut self, at: usize, _: &Stored) -> Result<Vec<u8>> {
        let found = self.batch.get(at).ok_or_else(|| Error::other("it is not in the archive"))?;
        found.fits(self.most)?;
        if let Some(why) = &self.away {
            return Err(why.again());
        }
        let body = self.archive.opened(found, self.tickets.remove(&at), self.ahead);
        let read = body.and_then(|body| whole(found.checked(body), self.most));
        read.inspect_err(|error| {
            if error.kind().is_away() {
                self.away = Some(error.again());
            }
        })
    }
}

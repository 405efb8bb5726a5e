//! Fetching what is small: one section of one message, or the attributes of many.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ear, Fetched, Item, Request, Section, Sink, items};
use crate::error::{Error, Result as Outcome};
use crate::mail::imap::Session;
use crate::mail::imap::engine::MOST_TOLD;
use crate::mail::imap::failed::Failed;

/// The most bytes that are told of a message, one with another: attributes and a few header fields.
const MOST_OF_ONE: u64 = 4096;

impl Session {
    /// Fetches what is small, and holds it: attributes and headers. Each message comes once, by UID, even if the server
    /// tells of it in pieces.
    ///
    /// # Errors
    /// As of [`Session::fetch`]; or the server refuses.
    pub fn fetch_all(&mut self, uids: &[u32], items: &[Item]) -> Result<Vec<Fetched>, Failed> {
        struct Held {
            asked: BTreeSet<u32>,
            messages: BTreeMap<u32, Fetched>,
        }
        impl Sink for Held {
            fn begin(&mut self, _: &Fetched, _: Section, _: u64) -> Outcome<()> {
                Ok(())
            }
            fn bytes(&mut self, _: &[u8]) -> Outcome<()> {
                Ok(())
            }
            fn end(&mut self, message: Fetched) -> Outcome<()> {
                // What nobody asked for is not held, however much of it there is.
                if let Some(uid) = message.uid.filter(|uid| self.asked.contains(uid)) {
                    self.messages.entry(uid).or_default().learn(message);
                }
                Ok(())
            }
        }
        let mut held = Held { asked: uids.iter().copied().collect(), messages: BTreeMap::new() };
        let requests = uids.chunks(1000).map(|uids| Request {
            uids: uids.to_vec(),
            items: items.to_vec(),
            expected: uids.len() as u64 * 512,
        });
        match self.fetch(requests, &mut held)?.into_iter().next() {
            Some(refused) => Err(Failed::No(refused.no)),
            None => Ok(held.messages.into_values().collect()),
        }
    }

    /// All messages from this UID on, to the last one, of the selected folder, told one by one. It is one command, for
    /// attributes and header fields; nothing is bounded but each message, and all together by the count of messages that the
    /// server told.
    ///
    /// # Errors
    /// As of [`Session::fetch`]; or the server refuses.
    pub fn fetch_from(
        &mut self,
        first: u32,
        items: &[Item],
        mut each: impl FnMut(Fetched),
    ) -> Result<(), Failed> {
        self.fetch_each(first, items, &mut |message| {
            each(message);
            Ok(())
        })
    }

    /// The same, for one who may not be able to go on.
    ///
    /// # Errors
    /// As of [`Session::fetch_from`]; or `each` cannot go on, which ends the session.
    pub fn fetch_each(
        &mut self,
        first: u32,
        items: &[Item],
        each: &mut dyn FnMut(Fetched) -> Outcome<()>,
    ) -> Result<(), Failed> {
        // RFC 9051: n:* names the last message even if its UID is below n.
        let mut fresh = |message: Fetched| match message.uid {
            Some(uid) if uid >= first => each(message),
            _ => Ok(()),
        };
        self.tell(&format!("{first}:* {}", items::write(items)), &mut fresh)
    }

    /// The messages of the selected folder before this UID that changed after a modification sequence (RFC 7162), told
    /// one by one. Only where CONDSTORE is offered.
    ///
    /// # Errors
    /// As of [`Session::fetch_each`].
    pub fn fetch_changed(
        &mut self,
        before: u32,
        since: u64,
        items: &[Item],
        each: &mut dyn FnMut(Fetched) -> Outcome<()>,
    ) -> Result<(), Failed> {
        let Some(last) = before.checked_sub(1).filter(|last| *last > 0) else { return Ok(()) };
        // Some servers tell of the last message whatever is asked.
        let mut old = |message: Fetched| match message.uid {
            Some(uid) if uid <= last => each(message),
            _ => Ok(()),
        };
        self.tell(&format!("1:{last} {} (CHANGEDSINCE {since})", items::write(items)), &mut old)
    }

    /// One UID FETCH, whose messages are told one by one.
    fn tell(&mut self, what: &str, each: &mut dyn FnMut(Fetched) -> Outcome<()>) -> Result<(), Failed> {
        struct Each<'a>(&'a mut dyn FnMut(Fetched) -> Outcome<()>);
        impl Sink for Each<'_> {
            fn begin(&mut self, _: &Fetched, _: Section, _: u64) -> Outcome<()> {
                Ok(())
            }
            fn bytes(&mut self, _: &[u8]) -> Outcome<()> {
                Ok(())
            }
            fn end(&mut self, message: Fetched) -> Outcome<()> {
                (self.0)(message)
            }
        }
        let command = format!("UID FETCH {what}");
        let mut sink = Each(each);
        let most = MOST_TOLD + u64::from(self.messages) * MOST_OF_ONE;
        let answer = self.work(|engine| {
            engine.await_bytes(most, false);
            engine.run(&command, &mut Ear { sink: &mut sink })
        })?;
        answer.yes()?;
        Ok(())
    }

    /// One section of one message, held: a whole message, or a part of one. None: there is no such message.
    ///
    /// # Errors
    /// As of [`Session::fetch`]; or the server refuses, or sends more than `most` bytes.
    pub fn fetch_one(&mut self, uid: u32, item: Item, most: u64) -> Result<Option<Vec<u8>>, Failed> {
        struct One {
            uid: u32,
            section: Option<Section>,
            most: u64,
            bytes: Vec<u8>,
            taking: bool,
            ended: bool,
        }
        impl Sink for One {
            fn begin(&mut self, message: &Fetched, section: Section, size: u64) -> Outcome<()> {
                if size > self.most {
                    return Err(Error::other(format!(
                        "the server sends {size} bytes where at most {} were asked",
                        self.most
                    )));
                }
                self.taking = !self.ended
                    && message.uid.is_none_or(|uid| uid == self.uid)
                    && self.section == Some(section);
                if self.taking {
                    self.bytes.clear();
                }
                Ok(())
            }
            fn bytes(&mut self, part: &[u8]) -> Outcome<()> {
                if self.taking {
                    self.bytes.extend_from_slice(part);
                }
                Ok(())
            }
            fn end(&mut self, message: Fetched) -> Outcome<()> {
                self.ended |= std::mem::take(&mut self.taking) && message.uid == Some(self.uid);
                Ok(())
            }
        }
        let mut one =
            One { uid, section: item.section(), most, bytes: Vec::new(), taking: false, ended: false };
        let request = Request { uids: vec![uid], items: vec![item], expected: most };
        let refused = self.fetch([request], &mut one)?;
        match refused.into_iter().next() {
            Some(refused) => Err(Failed::No(refused.no)),
            None => Ok(one.ended.then_some(one.bytes)),
        }
    }
}

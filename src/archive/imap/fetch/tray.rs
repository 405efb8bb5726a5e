//! Bodies in the order in which they were asked: what comes out of turn waits, as long as there is room.

use std::collections::BTreeMap;

use crate::archive::source::{Body, Refusal, Take};
use crate::error::Result;

/// How many messages may wait for their turn, and how many of them in files.
const MOST: usize = 8192;
const MOST_FILES: usize = 64;

/// How many of the largest that are held in memory have room there, and how many times as much has room in files.
const MOST_HELD: u64 = 64;
const MOST_SPOOLED: u64 = 4;

/// What became of a message.
pub(super) type Came = std::result::Result<Body, Refusal>;

/// Hands over messages in their order.
pub(super) struct Tray<'a, 'b> {
    take: &'a mut Take<'b>,
    /// The first that was not handed over.
    next: usize,
    /// How many bytes may wait in memory.
    room: u64,
    waiting: BTreeMap<usize, Came>,
    held: u64,
    spooled: u64,
    files: usize,
    /// How many bodies came.
    came: usize,
}

impl<'a, 'b> Tray<'a, 'b> {
    /// For messages of which the largest that are held in memory have so many bytes.
    pub(super) fn new(take: &'a mut Take<'b>, largest: u64) -> Self {
        let room = largest.saturating_mul(MOST_HELD);
        let (waiting, held, spooled) = (BTreeMap::new(), 0, 0);
        Self { take, next: 0, room, waiting, held, spooled, files: 0, came: 0 }
    }

    /// The first that was not handed over.
    pub(super) fn next(&self) -> usize {
        self.next
    }

    /// How many bodies came.
    pub(super) fn came(&self) -> usize {
        self.came
    }

    /// Whether it is known what became of this one.
    pub(super) fn has(&self, at: usize) -> bool {
        at < self.next || self.waiting.contains_key(&at)
    }

    /// Whether a body of so many bytes, in memory or in a file, can wait here, or need not.
    pub(super) fn has_room(&self, at: usize, size: u64, in_file: bool) -> bool {
        let fits = match in_file {
            true => {
                self.files < MOST_FILES
                    && self.spooled.saturating_add(size) <= self.room.saturating_mul(MOST_SPOOLED)
            }
            false => self.held.saturating_add(size) <= self.room,
        };
        at == self.next || (fits && self.waiting.len() < MOST)
    }

    /// Takes what became of a message, and hands over all whose turn it is.
    ///
    /// # Errors
    /// Those of the one who takes them.
    pub(super) fn put(&mut self, at: usize, came: Came) -> Result<()> {
        if self.has(at) {
            return Ok(());
        }
        self.came += usize::from(came.is_ok());
        self.account(&came, u64::saturating_add, usize::saturating_add);
        self.waiting.insert(at, came);
        while let Some(came) = self.waiting.remove(&self.next) {
            self.account(&came, u64::saturating_sub, usize::saturating_sub);
            // Should it fail, this one counts as handed over all the same: it is not offered twice.
            self.next += 1;
            (self.take)(self.next - 1, came)?;
        }
        Ok(())
    }

    fn account(&mut self, came: &Came, bytes: fn(u64, u64) -> u64, files: fn(usize, usize) -> usize) {
        match came {
            Ok(Body::Held(held)) => self.held = bytes(self.held, held.len() as u64),
            Ok(Body::Spooled(_, size)) => {
                self.spooled = bytes(self.spooled, *size);
                self.files = files(self.files, 1);
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_out_of_turn_waits_for_it() {
        let mut log = Vec::new();
        let mut take = |at, came: Came| {
            log.push((at, came.is_ok()));
            Ok(())
        };
        let mut tray = Tray::new(&mut take, 10);
        let body = |size| Ok(Body::Held(vec![0; size]));
        let room = tray.room;
        tray.put(1, body(room as usize)).unwrap();
        assert!(tray.has(1) && !tray.has(0) && !tray.has_room(2, 1, false));
        // The one whose turn it is need not wait, so it needs no room; files have a room of their own.
        assert!(
            tray.has_room(0, u64::MAX, false)
                && tray.has_room(2, 4 * room, true)
                && !tray.has_room(2, 4 * room + 1, true)
        );
        tray.put(3, Err(Refusal::Gone)).unwrap();
        tray.put(0, body(1)).unwrap();
        tray.put(0, body(1)).unwrap();
        tray.put(1, body(1)).unwrap();
        assert!(tray.has_room(9, 1, false));
        assert_eq!((tray.next(), tray.came(), tray.held), (2, 2, 0));
        tray.put(2, body(5)).unwrap();
        assert_eq!((tray.next(), tray.came(), tray.held), (4, 3, 0));
        assert_eq!(log, [(0, true), (1, true), (2, true), (3, false)]);
    }
}

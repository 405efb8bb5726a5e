//! What is known of a folder's messages: each UID, and which letter it is. It is true for one UIDVALIDITY.

use std::collections::BTreeSet;

use crate::vault::store::catalogue::Catalogue;
use crate::vault::store::letter::{Head, VaultId};

/// The messages of a folder.
#[derive(Debug, Clone)]
pub(super) struct Map {
    pub(super) validity: u32,
    /// Every message below this UID is known.
    next: u32,
    known: BTreeSet<u32>,
    pub(super) catalogue: Catalogue<u32>,
    pub(super) read_me: Option<u32>,
    /// The first message of another vault among those that were looked at since the map was made.
    pub(super) stranger: Option<u32>,
    /// Whether it differs from what was put down last.
    pub(super) dirty: bool,
}

/// A message that is there. Its head is that of a letter only if the letter is there as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message {
    pub(super) uid: u32,
    pub(super) head: Option<Head>,
}

impl Map {
    /// Nothing is known.
    pub(super) fn new(validity: u32) -> Self {
        Self {
            validity,
            next: 1,
            known: BTreeSet::new(),
            catalogue: Catalogue::new(),
            read_me: None,
            stranger: None,
            dirty: false,
        }
    }

    /// The first UID that has to be asked for.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// How many messages are below that.
    pub(super) fn count(&self) -> usize {
        self.known.range(..self.next).count()
    }

    /// Messages that are known although not all before them are.
    pub(super) fn ahead(&self) -> Vec<u32> {
        self.known.range(self.next..).copied().collect()
    }

    /// Whether this message is known.
    pub(super) fn knows(&self, uid: u32) -> bool {
        self.known.contains(&uid)
    }

    /// All messages.
    pub(super) fn known(&self) -> impl Iterator<Item = u32> {
        self.known.iter().copied()
    }

    /// Takes messages that were found from [`Map::next`] on: all there are, or those that are just known to be there.
    pub(super) fn take(&mut self, messages: &[Message], vault: Option<VaultId>, all: bool) {
        for Message { uid, head } in messages {
            self.dirty |= self.known.insert(*uid);
            match head {
                Some(Head::Object(label)) if Some(label.vault) == vault => {
                    self.catalogue.insert(*uid, *label);
                }
                Some(Head::ReadMe(other)) if Some(*other) == vault => self.read_me = Some(*uid),
                Some(_) => self.stranger = Some(self.stranger.map_or(*uid, |first| first.min(*uid))),
                None => {}
            }
            if all {
                self.next = self.next.max(uid.saturating_add(1));
            }
        }
        // Messages of our own get their UIDs in a row, mostly.
        while self.next < u32::MAX && self.known.contains(&self.next) {
            self.next += 1;
        }
    }

    /// Forgets a message that is gone.
    pub(super) fn forget(&mut self, uid: u32) {
        self.dirty |= self.known.remove(&uid);
        self.catalogue.remove(&uid);
        self.read_me = self.read_me.filter(|read_me| *read_me != uid);
    }

    /// Forgets what is below `end` and not among those that are there.
    pub(super) fn retain(&mut self, there: &BTreeSet<u32>, end: u32) {
        let gone: Vec<u32> = self.known.range(..end).filter(|uid| !there.contains(uid)).copied().collect();
        gone.into_iter().for_each(|uid| self.forget(uid));
    }
}

//! A server that was restored from a backup and gives the same UIDs once more, to other messages: it should say so with
//! another UIDVALIDITY, and some do not. Where it has come as far as it was before, only the messages show it.

use super::folder::{AT_ONCE, View};
use crate::archive::source::{Listing, Mark};
use crate::error::Result;
use crate::state::catalogue::{Catalogue, Look};

/// How many of the last messages that are known are listed once more with what is new, and how many UIDs back they are
/// looked for.
const AGAIN: usize = 10;
const BACK: u32 = 100;

impl View<'_> {
    /// From which UID on it is listed: some of the messages that are known come along, and show whether UIDs mean what they
    /// meant. Those are looked for in the archive and not at the server: the last ones there may be in another folder by now.
    pub(super) fn again(&self, catalogue: &Catalogue, before: Mark) -> Result<u32> {
        let uids = || (before.next.saturating_sub(BACK).max(1)..before.next).rev();
        let keys: Vec<String> = uids().map(|uid| format!("{}.{uid}", before.validity)).collect();
        let known = catalogue.known(self.known.id, keys.iter().map(String::as_str))?;
        let known = uids().zip(known).filter(|(_, known)| known.is_some());
        Ok(known.take(AGAIN).last().map_or(before.next, |(uid, _)| uid))
    }

    /// Whether UIDs that were seen name other messages now: those came at another time, and nothing else says that they are
    /// the same. Such may come long after the server was seen to count from an earlier one again.
    pub(super) fn has_others(&self, catalogue: &Catalogue, listing: &Listing) -> Result<bool> {
        for some in listing.messages.chunks(AT_ONCE) {
            let known = catalogue.known(self.known.id, some.iter().map(|listed| listed.key.as_str()))?;
            for (listed, message) in some.iter().zip(known) {
                let Some(message) = message else { continue };
                if listed.date.is_none_or(|date| date == message.date()) {
                    continue;
                }
                // A date that the server did not tell was read elsewhere.
                let (folder, message_id) = (Some(self.known.id), listed.message_id.as_deref());
                let look = Look { folder, date: message.facts.date, size: listed.size, message_id };
                if !catalogue.find(&look)?.iter().any(|found| found.id == message.id) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

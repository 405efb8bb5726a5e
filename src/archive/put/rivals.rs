//! Messages that pass for each other by all but their content; pure.

use std::collections::HashMap;

use super::there::{Id, Identity};
use crate::archive::stored::Stored;

/// Size and SHA-256 of messages.
type Known = Vec<(u64, [u8; 32])>;

/// The messages of a call, by Message-ID and second: whoever writes a message chooses its Message-ID, so that another one
/// may have it as well.
#[derive(Default)]
pub(super) struct Rivals(HashMap<(Id, Option<i64>), Known>);

impl Rivals {
    pub(super) fn among<'m>(messages: impl Iterator<Item = &'m Stored>) -> Self {
        let mut all = Self::default();
        for message in messages {
            let ours = Identity::of(message);
            if let Some(key) = key(&ours) {
                let known = all.0.entry(key).or_default();
                let one = (message.size, message.marks.sha256);
                // Of one content two are as good as all of them.
                if known.iter().filter(|other| **other == one).count() < 2 {
                    known.push(one);
                }
            }
        }
        all
    }

    /// Whether no other message has its Message-ID, second and size, and other content.
    pub(super) fn none(&self, ours: &Identity) -> bool {
        self.no_other(ours, |size| size == ours.size)
    }

    /// Whether no other message has its Message-ID and second, and other content.
    pub(super) fn none_of_any_size(&self, ours: &Identity) -> bool {
        self.no_other(ours, |_| true)
    }

    fn no_other(&self, ours: &Identity, counts: impl Fn(u64) -> bool) -> bool {
        let known = key(ours).and_then(|key| self.0.get(&key));
        let Some(known) = known else { return false };
        let mut contents = known.iter().filter(|(size, _)| counts(*size)).map(|(_, sha256)| sha256);
        let first = contents.next();
        contents.all(|sha256| *sha256 != [0; 32] && Some(sha256) == first)
    }
}

fn key(ours: &Identity) -> Option<(Id, Option<i64>)> {
    Some((ours.id?, ours.date.map(jiff::Timestamp::as_second)))
}

//! A listing while it comes: each message once, however many answers tell of it.

use std::collections::BTreeMap;

use crate::archive::imap::fields;
use crate::archive::source::Listed;
use crate::error::{Error, Result};
use crate::mail::imap::{Fetched, readable};

/// The most messages of one folder.
const MOST: usize = 16 << 20;

/// The most bytes of text that are held of one folder, and how many each flag and label takes besides.
const MOST_TEXT: usize = 512 << 20;
const BESIDE: usize = 48;

/// Messages, by UID.
pub(super) struct Held {
    validity: u32,
    messages: BTreeMap<u32, Listed>,
    text: usize,
}

impl Held {
    pub(super) fn new(validity: u32) -> Self {
        Self { validity, messages: BTreeMap::new(), text: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn has(&self, uid: u32) -> bool {
        self.messages.contains_key(&uid)
    }

    pub(super) fn last(&self) -> Option<u32> {
        self.messages.keys().next_back().copied()
    }

    pub(super) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        self.messages.retain(|uid, _| keep(*uid));
    }

    pub(super) fn into_messages(self) -> Vec<Listed> {
        self.messages.into_values().collect()
    }

    /// A message of which nothing is known but that it is there.
    pub(super) fn add(&mut self, uid: u32) -> Result<()> {
        bounded(self.messages.len())?;
        let key = format!("{}.{uid}", self.validity);
        self.messages.entry(uid).or_insert_with(|| Listed { key, uid, ..Listed::default() });
        Ok(())
    }

    /// Takes what a server tells of a message: a later answer may tell more, or tell of a change.
    ///
    /// # Errors
    /// It tells of more than can be held.
    pub(super) fn learn(&mut self, told: Fetched) -> Result<()> {
        let Some(uid) = told.uid else { return Ok(()) };
        self.add(uid)?;
        let Some(listed) = self.messages.get_mut(&uid) else { return Ok(()) };
        self.text = self.text.saturating_sub(text(listed));
        listed.size = told.size.unwrap_or(listed.size);
        listed.date = told.internal_date.or(listed.date);
        if let Some(flags) = told.flags {
            listed.flags = fields::lasting(flags);
        }
        if let Some(labels) = told.gmail_labels {
            let labels = labels.iter().filter(|label| !label.is_empty());
            listed.labels = labels.map(|label| fields::bounded(readable(label))).collect();
        }
        listed.gmail = told.gmail_message.zip(told.gmail_thread).or(listed.gmail);
        listed.email_id = told.email_id.map(fields::bounded).or(listed.email_id.take());
        if let Some(header) = told.header {
            let read = fields::read(&header);
            (listed.message_id, listed.from, listed.ours) = (read.message_id, read.from, read.ours);
        }
        self.text += text(listed);
        if self.text > MOST_TEXT {
            return Err(too_many());
        }
        Ok(())
    }
}

/// Bytes of text that are held of a message.
fn text(listed: &Listed) -> usize {
    let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let lists = listed.flags.iter().chain(&listed.labels).map(|word| word.len() + BESIDE).sum::<usize>();
    lists + of(&listed.email_id) + of(&listed.message_id) + of(&listed.from)
}

/// Whether there may be one more than so many.
pub(super) fn bounded(messages: usize) -> Result<()> {
    if messages >= MOST { Err(too_many()) } else { Ok(()) }
}

fn too_many() -> Error {
    Error::other("the server tells of more messages than can be held in memory")
        .hint("move some of them to another folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_told_in_pieces_is_one() {
        let mut held = Held::new(7);
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        let told = Fetched { uid: Some(5), ..Fetched::default() };
        held.learn(Fetched { uid: None, ..told.clone() }).unwrap();
        let flags = words(&["\\Seen", "\\recent", ""]);
        held.learn(Fetched { size: Some(10), flags, gmail_message: Some(1), ..told.clone() }).unwrap();
        held.learn(Fetched {
            header: Some(b"Message-ID: <a@b>\r\nX-Postkeep-File: x\r\n\r\n".to_vec()),
            gmail_labels: words(&["\\Inbox", "B&APw-ro", "&bad", ""]),
            gmail_message: Some(u64::MAX),
            gmail_thread: Some(2),
            email_id: Some("M1".into()),
            ..told.clone()
        })
        .unwrap();
        held.learn(Fetched { flags: words(&["\\Flagged"]), ..told }).unwrap();
        held.add(5).unwrap();
        let expected = Listed {
            key: "7.5".into(),
            uid: 5,
            size: 10,
            flags: vec!["\\Flagged".into()],
            labels: vec!["\\Inbox".into(), "Büro".into(), "&bad".into()],
            gmail: Some((u64::MAX, 2)),
            email_id: Some("M1".into()),
            message_id: Some("<a@b>".into()),
            ours: true,
            ..Listed::default()
        };
        assert_eq!((held.last(), held.text), (Some(5), text(&expected)));
        assert_eq!(held.into_messages(), [expected]);
    }

    #[test]
    fn no_server_fills_the_memory() {
        let mut held = Held::new(7);
        let flags: Vec<String> = (0..1000).map(|_| "x".repeat(4000)).collect();
        let told = |uid| Fetched { uid: Some(uid), flags: Some(flags.clone()), ..Fetched::default() };
        held.learn(told(1)).unwrap();
        assert_eq!(held.text, 1_046_000);
        held.text = MOST_TEXT;
        assert!(held.learn(told(2)).is_err());
    }
}

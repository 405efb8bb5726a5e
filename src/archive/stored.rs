//! A message as it lies in an archive, without its bytes: what whoever writes it somewhere else has to know.

use sha2::{Digest, Sha256};

use super::marks::Marks;
use super::path::Place;

/// An archived message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where it was, and when it came.
    pub place: Place,
    /// What is known of it beside its bytes.
    pub marks: Marks,
    /// Its size in bytes.
    pub size: u64,
}

impl Stored {
    /// Whether these are the bytes that were archived, as far as that is known.
    pub fn is(&self, bytes: &[u8]) -> bool {
        let known = self.marks.sha256 != [0; 32];
        bytes.len() as u64 == self.size && (!known || Sha256::digest(bytes).as_slice() == self.marks.sha256)
    }

    /// How it is called in a list of failures: where it was, which no other message has, and its subject.
    pub fn title(&self) -> String {
        let Place { account, folder, key, .. } = &self.place;
        let subject = super::view::clean::line(&self.marks.subject, 80);
        let subject = if subject.is_empty() { subject } else { format!(" ({subject})") };
        crate::entry::show(format!("{account}/{folder}/{key}{subject}").as_bytes())
    }
}

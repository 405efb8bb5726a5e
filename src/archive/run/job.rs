//! What is to be done for messages, and what came of it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::archive::marks::Marks;
use crate::archive::source::Listed;
use crate::error::Error;
use crate::state::catalogue::{Message, MessageId};

/// What is to be done for one message.
#[derive(Debug)]
pub(super) enum Job {
    /// It is fetched.
    Fetch(Listed),
    /// It is known, and its flags or labels are other ones now.
    Touch(Touched),
}

/// A message whose flags or labels changed.
#[derive(Debug, Clone)]
pub(super) struct Touched {
    pub message: MessageId,
    pub path: PathBuf,
    pub date: Timestamp,
    pub size: u64,
    pub flags: Vec<String>,
    pub labels: Vec<String>,
}

impl Touched {
    /// A message of the folder that lies in `directory`, if the listing has other flags of it, or other labels where they
    /// are kept.
    pub fn by(listed: &Listed, message: Message, directory: &str, labels: bool) -> Option<Self> {
        let facts = message.facts;
        let labels = if labels { &listed.labels } else { &facts.labels };
        let sorted = |words: &[String]| {
            let mut words = words.to_vec();
            words.sort();
            words
        };
        if sorted(&listed.flags) == sorted(&facts.flags) && sorted(labels) == sorted(&facts.labels) {
            return None;
        }
        Some(Self {
            message: message.id,
            path: Path::new(directory).join(&facts.file),
            date: facts.date,
            size: facts.size,
            flags: listed.flags.clone(),
            labels: labels.clone(),
        })
    }
}

/// Whether a source says nothing of a message but that it is there: it has the flags then that it had.
pub(super) fn is_mute(listed: &Listed) -> bool {
    let named = Listed { key: listed.key.clone(), uid: listed.uid, ..Listed::default() };
    *listed == named
}

/// A further key of a message that is there.
#[derive(Debug, Clone)]
pub(super) struct Again {
    /// Its folder, by its place among those of the source.
    pub folder: usize,
    pub key: String,
    pub message: MessageId,
    /// When the source says that it came, if only its content told that it is this one.
    pub date: Option<Timestamp>,
}

/// A message that came, and is to be known from now on.
#[derive(Debug, Clone)]
pub(super) struct Came {
    /// Its folder, by its place among those of the source.
    pub folder: usize,
    pub key: String,
    pub path: PathBuf,
    pub date: Timestamp,
    pub size: u64,
    pub marks: Marks,
}

/// What a slice came to.
#[derive(Debug, Default)]
pub(super) struct Sliced {
    pub came: Vec<Came>,
    pub touched: Vec<Touched>,
    /// Messages that are there already under another key.
    pub same: Vec<Again>,
    pub refused: Vec<(usize, Listed, String)>,
    /// Messages that are not to be archived, as their content says, by folder and key.
    pub passed: Vec<(usize, String)>,
    /// How many of them say that they are ours.
    pub ours: u64,
    /// Messages that are too young, as their content says, by folder and UID.
    pub young: Vec<(usize, u32)>,
    /// Messages that went away between the listing and now, by folder and key.
    pub gone: Vec<(usize, String)>,
    /// Folders that gave not all that was asked for, by their places, and why.
    pub broken: Vec<(usize, Error)>,
    /// How many of them took their time.
    pub slow: usize,
    /// What is left for another slice: this one holds as much as it may, or is past its place.
    pub rest: Vec<(usize, Job)>,
    /// Why not all were asked for. What came counts all the same.
    pub error: Option<Error>,
}

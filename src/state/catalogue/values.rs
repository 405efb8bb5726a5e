//! What goes into a catalogue and comes out of it.

use jiff::Timestamp;

/// A folder's number in a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FolderId(pub(super) i64);

/// A message's number in a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub(super) i64);

/// How far a folder was seen: as an archive's source tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// UIDVALIDITY.
    pub validity: u32,
    /// UIDNEXT.
    pub next: u32,
    /// How many messages were in it.
    pub messages: u32,
    /// HIGHESTMODSEQ, where there is one.
    pub mod_seq: Option<u64>,
    /// When the flags of all its messages were looked at last, to the second.
    pub looked: Option<Timestamp>,
}

/// A folder of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its number.
    pub id: FolderId,
    /// The account's name.
    pub account: String,
    /// Its path, with `/` between its parts.
    pub path: String,
    /// Where its messages lie in a snapshot.
    pub directory: String,
    /// How far it was seen. None: it never was, or nobody knows any more.
    pub mark: Option<Mark>,
    /// How many messages are stored of it.
    pub stored: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

/// What is known of a message that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its path below the folder's directory.
    pub file: String,
    /// When it came, to the second.
    pub date: Timestamp,
    /// How many bytes it has.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
    /// Flags.
    pub flags: Vec<String>,
    /// Labels.
    pub labels: Vec<String>,
}

/// A message that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its number.
    pub id: MessageId,
    /// Its folder.
    pub folder: FolderId,
    /// When it came, as the source says it under the key that was asked for, if it was found to be this one by its content.
    pub told: Option<Timestamp>,
    /// The rest.
    pub facts: Facts,
}

impl Message {
    /// When it came, as the source says it.
    pub fn date(&self) -> Timestamp {
        self.told.unwrap_or(self.facts.date)
    }
}

/// What changed in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A message was stored. If its key names one already, its file tells: with the same one the facts are new, and with
    /// another one the key names another message from now on.
    Stored {
        /// Its folder.
        folder: FolderId,
        /// What names it in there.
        key: String,
        /// Its Message-ID.
        message_id: Option<String>,
        /// The rest.
        facts: Facts,
    },
    /// Another key was found to name a message that is stored.
    Named {
        /// The folder.
        folder: FolderId,
        /// What names it in there.
        key: String,
        /// The message.
        message: MessageId,
        /// When it came, as the source says it under this key. None: when the message did.
        date: Option<Timestamp>,
    },
    /// A message was looked at, and is not to be stored.
    Passed {
        /// Its folder.
        folder: FolderId,
        /// What names it in there.
        key: String,
    },
    /// Its flags or labels changed.
    Marked {
        /// The message.
        message: MessageId,
        /// All its flags.
        flags: Vec<String>,
        /// All its labels.
        labels: Vec<String>,
    },
}

/// A step of the archive: all of it is recorded, or nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Commit<'a> {
    /// The snapshot that the archive is now, 64 hexadecimal digits; None: it is empty.
    pub snapshot: Option<&'a str>,
    /// What changed.
    pub changes: &'a [Change],
    /// How far folders were seen.
    pub marks: &'a [(FolderId, Mark)],
    /// What could not be fetched. A message that is stored or named leaves the quarantine by itself.
    pub quarantined: &'a [Quarantined],
}

/// A message that could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its folder.
    pub folder: FolderId,
    /// What names it in there.
    pub key: String,
    /// Its size as the source tells it.
    pub size: u64,
    /// Why, in one sentence.
    pub why: String,
    /// When it was tried first. Of one that is in quarantine already this is kept.
    pub first: Timestamp,
    /// When it was tried last.
    pub last: Timestamp,
    /// How often it was tried. To one that is in quarantine already this is added.
    pub tries: u32,
    /// Since when it is not listed any more; None: it was, when it was tried last.
    pub missing: Option<Timestamp>,
}

/// What a message is looked for by that has a new key.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// Only in this folder.
    pub folder: Option<FolderId>,
    /// When it came, to the second.
    pub date: Timestamp,
    /// Its size as the source tells it.
    pub size: u64,
    /// Its Message-ID, if it is known.
    pub message_id: Option<&'a str>,
}

/// The content that a message is looked for by.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// Only in this folder.
    pub folder: FolderId,
    /// Only among those up to this one: what was recorded before the look began.
    pub last: MessageId,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// How many bytes it has.
    pub size: u64,
    /// Its Message-ID, if it has one.
    pub message_id: Option<&'a str>,
}

/// A message as the vault has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The account's name.
    pub account: String,
    /// The folder's path.
    pub path: String,
    /// Where its messages lie in a snapshot.
    pub directory: String,
    /// What names the message in the folder.
    pub key: String,
    /// Its Message-ID.
    pub message_id: Option<String>,
    /// The rest.
    pub facts: Facts,
}

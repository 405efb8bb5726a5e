//! What a catalogue tells.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, TransactionBehavior};

use super::Catalogue;
use super::values::{Content, Facts, Folder, FolderId, Look, Mark, Message, MessageId, Quarantined};
use super::write::{fingerprint, seconds};
use crate::error::Result;
use crate::state::db::time;

/// The most messages that [`Catalogue::find`] names.
const MOST: u32 = 100;

/// A message's columns, in the order of [`message`].
const MESSAGE: &str =
    "m.id, m.folder, m.file, m.date, m.size, m.sha256, m.flags, m.labels, NULL FROM message AS m";

/// The same of a key.
const NAMED: &str = "m.id, m.folder, m.file, m.date, m.size, m.sha256, m.flags, m.labels, n.date
     FROM message AS m JOIN name AS n ON m.id = n.message";

impl Catalogue {
    /// The snapshot that all of this is about, 64 hexadecimal digits. None: it is new, or was cleared.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn snapshot(&self) -> Result<Option<String>> {
        self.db.read("read the catalogue", |db| {
            Ok(db.query_row("SELECT snapshot FROM archive", [], |row| row.get(0)).optional()?.flatten())
        })
    }

    /// The parts of the vault's index when everything was seen to be there. None: that was never seen.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn parts(&self) -> Result<Option<BTreeSet<[u8; 32]>>> {
        self.db.read("read the catalogue", |db| {
            let parts = db.query_row("SELECT parts FROM archive", [], |row| row.get(0)).optional()?.flatten();
            Ok(parts.map(|parts: Vec<u8>| parts.as_chunks().0.iter().copied().collect()))
        })
    }

    /// All folders, by account and path.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn folders(&self) -> Result<Vec<Folder>> {
        self.db.read("read the folders of the catalogue", |db| {
            let sql = "SELECT id, account, path, directory, stored, bytes, validity, next, messages, mod_seq, looked
                       FROM folder ORDER BY account, path";
            let mut select = db.prepare_cached(sql)?;
            let folders = select.query_map([], folder)?;
            Ok(folders.collect::<Result<_, _>>()?)
        })
    }

    /// The messages that keys name in a folder, in their order. None: the archive has none of that key.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn known<'k>(
        &self,
        folder: FolderId,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Result<Vec<Option<Message>>> {
        self.db.read("look for messages in the catalogue", |db| {
            // One look at the file for all of them.
            let tx = Transaction::new_unchecked(db, TransactionBehavior::Deferred)?;
            let sql = format!("SELECT {NAMED} WHERE n.folder = ?1 AND n.key = ?2");
            let mut select = tx.prepare_cached(&sql)?;
            let messages = keys.into_iter().map(|key| select.query_row((folder.0, key), message).optional());
            Ok(messages.collect::<Result<_, _>>()?)
        })
    }

    /// A message by its number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn message(&self, id: MessageId) -> Result<Option<Message>> {
        self.db.read("look for messages in the catalogue", |db| {
            let sql = format!("SELECT {MESSAGE} WHERE m.id = ?1");
            Ok(db.prepare_cached(&sql)?.query_row([id.0], message).optional()?)
        })
    }

    /// Whether keys name messages that were looked at and are not to be stored, in their order.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn passed<'k>(&self, folder: FolderId, keys: impl IntoIterator<Item = &'k str>) -> Result<Vec<bool>> {
        self.db.read("look for messages in the catalogue", |db| {
            let tx = Transaction::new_unchecked(db, TransactionBehavior::Deferred)?;
            let mut select = tx.prepare_cached("SELECT 1 FROM passed WHERE folder = ?1 AND key = ?2")?;
            let passed = keys.into_iter().map(|key| select.exists((folder.0, key)));
            Ok(passed.collect::<Result<_, _>>()?)
        })
    }

    /// Messages that may be the one that is looked for, at most 100: of its time, and of its size or Message-ID, where
    /// the other one does not say no. Sources lie about sizes, so that a Message-ID is enough.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn find(&self, look: &Look<'_>) -> Result<Vec<Message>> {
        self.db.read("look for messages in the catalogue", |db| {
            let sql = format!(
                "SELECT {MESSAGE} WHERE date = ?1 AND size = ?2 AND (?4 IS NULL OR folder = ?4)
                     AND (?3 IS NULL OR message_id IS NULL OR message_id = ?3)
                 UNION SELECT {MESSAGE} WHERE message_id = ?3 AND date = ?1 AND (?4 IS NULL OR folder = ?4)
                 ORDER BY 1 LIMIT {MOST}"
            );
            let mut select = db.prepare_cached(&sql)?;
            let wanted = (
                seconds(look.date),
                look.size.cast_signed(),
                look.message_id.map(fingerprint),
                look.folder.map(|folder| folder.0),
            );
            let messages = select.query_map(wanted, message)?;
            Ok(messages.collect::<Result<_, _>>()?)
        })
    }

    /// The message that was recorded last.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last(&self) -> Result<MessageId> {
        self.db.read("look for messages in the catalogue", |db| {
            let sql = "SELECT coalesce(max(id), 0) FROM message";
            Ok(MessageId(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?))
        })
    }

    /// All messages that have this content, in the order in which they were recorded.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn equal(&self, content: &Content<'_>) -> Result<Vec<MessageId>> {
        self.db.read("look for messages in the catalogue", |db| {
            // The vault does not tell a Message-ID that is empty from one that is not there.
            let sql = "SELECT id FROM message
                           WHERE message_id = ?1 AND sha256 = ?2 AND size = ?3 AND folder = ?4 AND id <= ?5
                       UNION SELECT id FROM message
                           WHERE message_id IS NULL AND sha256 = ?2 AND size = ?3 AND folder = ?4 AND id <= ?5
                       ORDER BY 1";
            let mut select = db.prepare_cached(sql)?;
            let wanted = (
                content.message_id.map(fingerprint),
                content.sha256,
                content.size.cast_signed(),
                content.folder.0,
                content.last.0,
            );
            let ids = select.query_map(wanted, |row| row.get(0).map(MessageId))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
    }

    /// What could not be fetched, in a folder or in all, by folder and key.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn quarantine(&self, folder: Option<FolderId>) -> Result<Vec<Quarantined>> {
        self.db.read("read the quarantine", |db| {
            let sql = "SELECT folder, key, size, why, first, last, tries, missing FROM quarantine
                       WHERE ?1 IS NULL OR folder = ?1 ORDER BY folder, key";
            let mut select = db.prepare_cached(sql)?;
            let rows = select.query_map([folder.map(|folder| folder.0)], |row| {
                Ok(Quarantined {
                    folder: FolderId(row.get(0)?),
                    key: row.get(1)?,
                    size: row.get::<_, i64>(2)?.cast_unsigned(),
                    why: row.get(3)?,
                    first: time(row.get(4)?),
                    last: time(row.get(5)?),
                    tries: row.get(6)?,
                    missing: row.get::<_, Option<i64>>(7)?.map(time),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

pub(super) fn folder(row: &Row<'_>) -> rusqlite::Result<Folder> {
    let mark = match (row.get(6)?, row.get(7)?, row.get(8)?) {
        (Some(validity), Some(next), Some(messages)) => {
            let mod_seq = row.get::<_, Option<i64>>(9)?.map(i64::cast_unsigned);
            let looked = row.get::<_, Option<i64>>(10)?.and_then(|at| Timestamp::from_second(at).ok());
            Some(Mark { validity, next, messages, mod_seq, looked })
        }
        _ => None,
    };
    Ok(Folder {
        id: FolderId(row.get(0)?),
        account: row.get(1)?,
        path: row.get(2)?,
        directory: row.get(3)?,
        stored: row.get::<_, i64>(4)?.cast_unsigned(),
        bytes: row.get::<_, i64>(5)?.cast_unsigned(),
        mark,
    })
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let facts = Facts {
        file: row.get(2)?,
        date: Timestamp::from_second(row.get(3)?).unwrap_or_default(),
        size: row.get::<_, i64>(4)?.cast_unsigned(),
        sha256: row.get(5)?,
        flags: lines(&row.get::<_, String>(6)?),
        labels: lines(&row.get::<_, String>(7)?),
    };
    let told: Option<i64> = row.get(8)?;
    let told = told.and_then(|second| Timestamp::from_second(second).ok());
    Ok(Message { id: MessageId(row.get(0)?), folder: FolderId(row.get(1)?), told, facts })
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

//! What is recorded in a catalogue, each time as a whole.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction};
use sha2::{Digest, Sha256};

use super::Catalogue;
use super::read::folder;
use super::values::{Change, Commit, Facts, Folder, FolderId, Found, Mark, MessageId, Quarantined};
use crate::error::Result;
use crate::state::db::{Fault, micros};

impl Catalogue {
    /// A folder by where its messages lie. It is made if it is not there.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn folder(&self, account: &str, path: &str, directory: &str) -> Result<Folder> {
        let there = |db: &rusqlite::Connection| {
            let sql = "SELECT id, account, path, directory, stored, bytes, validity, next, messages, mod_seq, looked
                       FROM folder WHERE directory = ?1";
            db.prepare_cached(sql)?.query_row([directory], folder).optional()
        };
        if let Some(folder) = self.db.read("read a folder of the catalogue", |db| Ok(there(db)?))? {
            return Ok(folder);
        }
        self.db.write("record a folder in the catalogue", |tx| {
            make(tx, account, path, directory)?;
            there(tx)?.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
        })
    }

    /// Records a step of the archive.
    ///
    /// # Errors
    /// The database cannot be written: then nothing is recorded.
    pub fn commit(&self, commit: &Commit<'_>) -> Result<()> {
        self.db.write("record what was archived", |tx| {
            let mut pen = Pen::new(tx)?;
            for change in commit.changes {
                pen.change(change)?;
            }
            pen.end()?;
            for (folder, mark) in commit.marks {
                set_mark(tx, *folder, Some(mark))?;
            }
            for quarantined in commit.quarantined {
                quarantine(tx, quarantined)?;
            }
            Ok(set_snapshot(tx, commit.snapshot)?)
        })
    }

    /// Sets how far a folder was seen. None: it is to be looked through again.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn mark(&self, folder: FolderId, mark: Option<&Mark>) -> Result<()> {
        self.db.write("record how far a folder was seen", |tx| Ok(set_mark(tx, folder, mark)?))
    }

    /// Forgets how far a folder was seen, and what was looked at there and left out: its keys name other messages now.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn recount(&self, folder: FolderId) -> Result<()> {
        self.db.write("record that a folder is counted anew", |tx| {
            tx.execute("DELETE FROM passed WHERE folder = ?1", [folder.0])?;
            Ok(set_mark(tx, folder, None)?)
        })
    }

    /// Says by which rules messages are left out, as a text that is another one for other rules. Where they changed, what
    /// was left out is looked at again, and so is every folder. Whether they changed.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn judge_by(&self, rules: &str) -> Result<bool> {
        self.db.write("record what is left out of the archive", |tx| {
            let before: Option<String> = tx.query_row("SELECT rules FROM archive", [], |row| row.get(0))?;
            if before.as_deref() == Some(rules) {
                return Ok(false);
            }
            tx.execute("UPDATE archive SET rules = ?1", [rules])?;
            tx.execute("DELETE FROM passed", [])?;
            tx.execute(
                "UPDATE folder SET validity = NULL, next = NULL, messages = NULL, mod_seq = NULL",
                [],
            )?;
            Ok(before.is_some())
        })
    }

    /// Remembers the parts of the vault's index: everything that is recorded is there as long as all of them are.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn rest_on(&self, parts: &[[u8; 32]]) -> Result<()> {
        self.db.write("record what the archive rests on", |tx| {
            Ok(tx.execute("UPDATE archive SET parts = ?1", [parts.as_flattened()]).map(drop)?)
        })
    }

    /// Says since when a message in quarantine is not listed any more; None: it is.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn miss(&self, folder: FolderId, key: &str, since: Option<Timestamp>) -> Result<()> {
        self.db.write("change the quarantine", |tx| {
            let sql = "UPDATE quarantine SET missing = ?3 WHERE folder = ?1 AND key = ?2";
            Ok(tx.prepare_cached(sql)?.execute((folder.0, key, since.map(micros))).map(drop)?)
        })
    }

    /// Takes a message out of the quarantine; whether it was there.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn release(&self, folder: FolderId, key: &str) -> Result<bool> {
        self.db.write("change the quarantine", |tx| Ok(release(tx, folder, key)? > 0))
    }

    /// Forgets all messages, and how far folders were seen; not the quarantine, of which the vault knows nothing.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn clear(&self) -> Result<()> {
        self.db.write("clear the catalogue", |tx| Ok(clear(tx)?))
    }

    /// Records what a snapshot has, in place of all messages that are recorded. How far folders were seen nobody knows
    /// then. `feed` is given what takes the messages, one by one.
    ///
    /// # Errors
    /// `feed` failed, or the database cannot be written: then nothing is changed.
    pub fn rebuild<T>(&self, snapshot: &str, feed: impl FnOnce(&mut Take<'_>) -> Result<T>) -> Result<T> {
        self.db.write("rebuild the catalogue", |tx| {
            clear(tx)?;
            let mut pen = Pen::new(tx)?;
            // Messages come folder by folder.
            let mut last: Option<(String, FolderId)> = None;
            let mut take = |found: Found| -> Result<(), Fault> {
                let Found { account, path, directory, key, message_id, facts } = found;
                let folder = match &last {
                    Some((of, id)) if *of == directory => *id,
                    _ => {
                        let id = make(tx, &account, &path, &directory)?;
                        last = Some((directory, id));
                        id
                    }
                };
                let id = pen.insert(folder, &facts, message_id.as_deref())?;
                pen.name(folder, &key, (id, None), false)
            };
            let fed =
                feed(&mut |found| take(found).map_err(|fault| self.db.say(fault, "rebuild the catalogue")))?;
            pen.end()?;
            set_snapshot(tx, Some(snapshot))?;
            Ok(fed)
        })
    }
}

/// Takes a message of the vault.
pub type Take<'a> = dyn FnMut(Found) -> Result<()> + 'a;

/// Writes messages.
struct Pen<'t> {
    tx: &'t Transaction<'t>,
    next: i64,
    /// How many messages and bytes came to folders.
    grown: HashMap<i64, (i64, i64)>,
}

impl<'t> Pen<'t> {
    fn new(tx: &'t Transaction<'t>) -> Result<Self, Fault> {
        let last: i64 = tx.query_row("SELECT coalesce(max(id), 0) FROM message", [], |row| row.get(0))?;
        Ok(Self { tx, next: last + 1, grown: HashMap::new() })
    }

    fn change(&mut self, change: &Change) -> Result<(), Fault> {
        match change {
            Change::Stored { folder, key, message_id, facts } => {
                let message_id = message_id.as_deref();
                let is_known = "SELECT 1 FROM name WHERE folder = ?1 AND key = ?2";
                let is_known = self.tx.prepare_cached(is_known)?.exists((folder.0, key))?;
                // A key that was given once more names another message now: the one before it is in the vault, too.
                let there = if is_known { self.of_file(*folder, facts)? } else { None };
                let id = match there {
                    Some(id) => {
                        self.replace(id, facts, message_id)?;
                        id
                    }
                    None => self.insert(*folder, facts, message_id)?,
                };
                self.name(*folder, key, (id, None), true)?;
                release(self.tx, *folder, key)?;
            }
            Change::Named { folder, key, message, date } => {
                self.name(*folder, key, (*message, *date), true)?;
                release(self.tx, *folder, key)?;
            }
            Change::Passed { folder, key } => {
                let sql = "INSERT OR IGNORE INTO passed VALUES (?1, ?2)";
                self.tx.prepare_cached(sql)?.execute((folder.0, key))?;
                release(self.tx, *folder, key)?;
            }
            Change::Marked { message, flags, labels } => {
                let sql = "UPDATE message SET flags = ?2, labels = ?3 WHERE id = ?1";
                self.tx.prepare_cached(sql)?.execute((message.0, flags.join("\n"), labels.join("\n")))?;
            }
        }
        Ok(())
    }

    /// The message whose file this is. A file's name begins with the message's date.
    fn of_file(&self, folder: FolderId, facts: &Facts) -> Result<Option<MessageId>, Fault> {
        let sql = "SELECT id FROM message WHERE date = ?1 AND folder = ?2 AND file = ?3";
        let row = (seconds(facts.date), folder.0, &facts.file);
        Ok(self.tx.prepare_cached(sql)?.query_row(row, |row| row.get(0).map(MessageId)).optional()?)
    }

    fn insert(
        &mut self,
        folder: FolderId,
        facts: &Facts,
        message_id: Option<&str>,
    ) -> Result<MessageId, Fault> {
        let sql = "INSERT INTO message (id, folder, date, size, message_id, file, sha256, flags, labels)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let id = self.next;
        self.next += 1;
        self.tx.prepare_cached(sql)?.execute((
            id,
            folder.0,
            seconds(facts.date),
            facts.size.cast_signed(),
            message_id.map(fingerprint),
            &facts.file,
            facts.sha256,
            facts.flags.join("\n"),
            facts.labels.join("\n"),
        ))?;
        self.grow(folder.0, 1, facts.size.cast_signed());
        Ok(MessageId(id))
    }

    fn replace(&mut self, id: MessageId, facts: &Facts, message_id: Option<&str>) -> Result<(), Fault> {
        let before = "SELECT folder, size FROM message WHERE id = ?1";
        let before = self.tx.prepare_cached(before)?.query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)));
        let (folder, size): (i64, i64) = before?;
        let sql =
            "UPDATE message SET date = ?2, size = ?3, message_id = ?4, file = ?5, sha256 = ?6, flags = ?7,
                       labels = ?8 WHERE id = ?1";
        self.tx.prepare_cached(sql)?.execute((
            id.0,
            seconds(facts.date),
            facts.size.cast_signed(),
            message_id.map(fingerprint),
            &facts.file,
            facts.sha256,
            facts.flags.join("\n"),
            facts.labels.join("\n"),
        ))?;
        self.grow(folder, 0, facts.size.cast_signed().saturating_sub(size));
        Ok(())
    }

    /// Gives a message a name. Where the name is another's, the last one counts, or the first.
    fn name(
        &self,
        folder: FolderId,
        key: &str,
        (message, date): (MessageId, Option<Timestamp>),
        last: bool,
    ) -> Result<(), Fault> {
        let or = if last { "REPLACE" } else { "IGNORE" };
        let sql = format!("INSERT OR {or} INTO name (folder, key, message, date) VALUES (?1, ?2, ?3, ?4)");
        self.tx.prepare_cached(&sql)?.execute((folder.0, key, message.0, date.map(seconds)))?;
        Ok(())
    }

    fn grow(&mut self, folder: i64, messages: i64, bytes: i64) {
        let grown = self.grown.entry(folder).or_default();
        grown.0 += messages;
        grown.1 = grown.1.saturating_add(bytes);
    }

    fn end(self) -> Result<(), Fault> {
        let mut update = self.tx.prepare_cached(
            "UPDATE folder SET stored = max(stored + ?2, 0), bytes = max(bytes + ?3, 0) WHERE id = ?1",
        )?;
        for (folder, (messages, bytes)) in self.grown {
            update.execute((folder, messages, bytes))?;
        }
        Ok(())
    }
}

fn make(tx: &Transaction<'_>, account: &str, path: &str, directory: &str) -> rusqlite::Result<FolderId> {
    let there = "SELECT id FROM folder WHERE directory = ?1";
    let there = tx.prepare_cached(there)?.query_row([directory], |row| row.get(0)).optional()?;
    if let Some(id) = there {
        return Ok(FolderId(id));
    }
    let sql = "INSERT INTO folder (account, path, directory) VALUES (?1, ?2, ?3) RETURNING id";
    let id = tx.prepare_cached(sql)?.query_row((account, path, directory), |row| row.get(0))?;
    Ok(FolderId(id))
}

fn clear(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute_batch(
        "DELETE FROM name;
         DELETE FROM message;
         UPDATE folder SET stored = 0, bytes = 0, validity = NULL, next = NULL, messages = NULL, mod_seq = NULL;",
    )?;
    tx.execute("UPDATE archive SET parts = NULL", [])?;
    set_snapshot(tx, None)
}

fn set_snapshot(tx: &Transaction<'_>, snapshot: Option<&str>) -> rusqlite::Result<()> {
    tx.execute("UPDATE archive SET snapshot = ?1", [snapshot]).map(drop)
}

fn set_mark(tx: &Transaction<'_>, folder: FolderId, mark: Option<&Mark>) -> rusqlite::Result<()> {
    let sql = "UPDATE folder SET validity = ?2, next = ?3, messages = ?4, mod_seq = ?5, looked = ?6
               WHERE id = ?1";
    tx.prepare_cached(sql)?
        .execute((
            folder.0,
            mark.map(|mark| mark.validity),
            mark.map(|mark| mark.next),
            mark.map(|mark| mark.messages),
            mark.and_then(|mark| mark.mod_seq).map(u64::cast_signed),
            mark.and_then(|mark| mark.looked).map(seconds),
        ))
        .map(drop)
}

fn quarantine(tx: &Transaction<'_>, quarantined: &Quarantined) -> rusqlite::Result<()> {
    let sql = "INSERT INTO quarantine (folder, key, size, why, first, last, tries, missing)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT (folder, key)
               DO UPDATE SET size = ?3, why = ?4, last = ?6, tries = tries + ?7, missing = ?8";
    let Quarantined { folder, key, size, why, first, last, tries, missing } = quarantined;
    let (first, last, missing) = (micros(*first), micros(*last), missing.map(micros));
    tx.prepare_cached(sql)?
        .execute((folder.0, key, size.cast_signed(), why, first, last, tries, missing))
        .map(drop)
}

fn release(tx: &Transaction<'_>, folder: FolderId, key: &str) -> rusqlite::Result<usize> {
    tx.prepare_cached("DELETE FROM quarantine WHERE folder = ?1 AND key = ?2")?.execute((folder.0, key))
}

/// A date as it is stored.
pub(super) fn seconds(date: Timestamp) -> i64 {
    // A part of a second before 1970 belongs to the second before it, as everywhere else.
    date.as_nanosecond().div_euclid(1_000_000_000).try_into().unwrap_or(0)
}

/// Stands for a Message-ID.
pub(super) fn fingerprint(message_id: &str) -> i64 {
    let hash: [u8; 32] = Sha256::digest(message_id.as_bytes()).into();
    hash.first_chunk().map_or(0, |first| i64::from_be_bytes(*first))
}

//! What a person does with letters: look at them, send them once more, give them up.

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::super::db::{Fault, micros, time};
use super::super::{NewLetter, schedule};
use super::{COLUMNS, Outbox, Recipient, insert_letter, insert_recipients};
use crate::error::Result;
use crate::run::RunId;

/// A letter that is not delivered, for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its id.
    pub id: RunId,
    /// What it tells.
    pub kind: String,
    /// The account that carries it.
    pub account: String,
    /// Its subject.
    pub subject: String,
    /// When it was written.
    pub created: Timestamp,
    /// The recipient who does not have it.
    pub recipient: Recipient,
}

/// A letter with all its recipients, whatever became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Its id.
    pub id: RunId,
    /// What it tells.
    pub kind: String,
    /// The account that carries it.
    pub account: String,
    /// The sender's address.
    pub sender: String,
    /// Its subject.
    pub subject: String,
    /// Its Message-ID, with angle brackets.
    pub message_id: String,
    /// When it was written.
    pub created: Timestamp,
    /// When another way told of it.
    pub told: Option<Timestamp>,
    /// All who were to get it.
    pub recipients: Vec<Recipient>,
}

impl Outbox<'_> {
    /// The first `limit` letters that are queued or were refused, oldest first, once per recipient.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn pending(&self, limit: u32) -> Result<Vec<Waiting>> {
        self.db.read("read the outbox", |db| {
            let sql = format!(
                "SELECT letter, kind, account, subject, created, {COLUMNS} FROM recipient
                 JOIN letter ON letter.id = letter JOIN message ON message.id = letter
                 WHERE state <> 'sent' ORDER BY letter, address LIMIT ?1"
            );
            let mut select = db.prepare_cached(&sql)?;
            let waiting = select.query_and_then([limit], |row| {
                Ok(Waiting {
                    id: self.id(row)?,
                    kind: row.get(1)?,
                    account: row.get(2)?,
                    subject: row.get(3)?,
                    created: time(row.get(4)?),
                    recipient: self.recipient(row, 5)?,
                })
            })?;
            waiting.collect()
        })
    }

    /// Gives a letter up for all who do not have it; false if nobody waited for it. The report stays in the
    /// history.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn discard(&self, id: RunId) -> Result<bool> {
        let id = id.to_string();
        self.db.write("discard a letter", |tx| {
            let given_up =
                tx.execute("DELETE FROM recipient WHERE letter = ?1 AND state <> 'sent'", [&id])?;
            let unused = "id = ?1 AND NOT EXISTS (SELECT 1 FROM recipient WHERE letter = ?1)";
            tx.execute(&format!("DELETE FROM letter WHERE {unused}"), [&id])?;
            let of_no_run = "NOT EXISTS (SELECT 1 FROM run WHERE id = ?1)";
            tx.execute(&format!("DELETE FROM message WHERE {unused} AND {of_no_run}"), [&id])?;
            Ok(given_up > 0)
        })
    }

    /// The ids of the letters that are kept, newest first, that begin with `prefix` (upper case).
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn ids(&self, prefix: &str, limit: u32) -> Result<Vec<RunId>> {
        self.db.read("read the outbox", |db| {
            let sql = "SELECT id FROM letter WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id DESC LIMIT ?2";
            let mut select = db.prepare_cached(sql)?;
            select.query_and_then((prefix, limit), |row| self.id(row)).map(Iterator::collect)?
        })
    }

    /// A letter with all its recipients; None if there is none of this id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn envelope(&self, id: RunId) -> Result<Option<Envelope>> {
        self.db.read("read the outbox", |db| {
            let sql = format!("SELECT {COLUMNS} FROM recipient WHERE letter = ?1 ORDER BY address");
            let mut select = db.prepare_cached(&sql)?;
            let recipients = select
                .query_and_then([id.to_string()], |row| self.recipient(row, 0))?
                .collect::<Result<Vec<_>, Fault>>()?;
            let sql = "SELECT kind, account, sender, subject, message_id, created, told
                       FROM letter JOIN message USING (id) WHERE id = ?1";
            let found = db.query_row(sql, [id.to_string()], |row| {
                Ok(Envelope {
                    id,
                    kind: row.get(0)?,
                    account: row.get(1)?,
                    sender: row.get(2)?,
                    subject: row.get(3)?,
                    message_id: row.get(4)?,
                    created: time(row.get(5)?),
                    told: row.get::<_, Option<i64>>(6)?.map(time),
                    recipients,
                })
            });
            Ok(found.optional()?)
        })
    }

    /// Puts a letter's refused recipients back into the queue; whether there were any.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn queue_refused(&self, id: RunId, now: Timestamp) -> Result<bool> {
        self.db.write("queue a letter again", |tx| {
            let sql = "UPDATE recipient SET state = 'queued', next_try = ?2, settled_at = NULL
                       WHERE letter = ?1 AND state = 'refused'";
            Ok(tx.execute(sql, (id.to_string(), micros(now)))? > 0)
        })
    }

    /// Queues a mail that is kept, whether it was ever a letter or not, for these recipients: for those too who have
    /// it already. `gives_up` on the try that was to follow, at once.
    ///
    /// # Errors
    /// The database cannot be written, or the mail is not kept (any more).
    pub fn send_again(&self, id: RunId, letter: &NewLetter, gives_up: bool, now: Timestamp) -> Result<()> {
        self.db.write("queue a letter again", |tx| {
            if gives_up {
                schedule::not_retried(tx, id)?;
            }
            let sql = "UPDATE letter SET account = ?2, sender = ?3 WHERE id = ?1";
            if tx.execute(sql, (id.to_string(), &letter.account, &letter.sender))? == 0 {
                return insert_letter(tx, id, letter, now);
            }
            insert_recipients(tx, id, letter, now)
        })
    }
}

//! The letters that wait: a report is kept until its account took it, however long that takes.
//!
//! A letter has a state per recipient, since a server may take it for one and not for another. Whoever delivers
//! holds [`super::Locks::outbox`], asks for the ids that are due, and takes one letter at a time, so that memory
//! is that of one mail. Delivery is at least once: a kill between the account's yes and [`Outbox::settle`] sends
//! a letter again, with the same Message-ID and the same bytes. What a person does with letters is in `desk`.

mod desk;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, Transaction};

use super::db::{Db, Fault, micros, time, unreadable};
use super::{NewLetter, Report, pack};
use crate::error::{Context, Result};
use crate::run::RunId;

pub use desk::{Envelope, Waiting};

/// How many characters of an account's answer are kept.
const MAX_REASON: usize = 2_000;

/// How long after the creation of a letter it is tried hourly.
const HOURLY: SignedDuration = SignedDuration::from_hours(5 * 24);

/// The longest wait between two tries.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// The letters.
pub struct Outbox<'s> {
    pub(super) db: &'s Db,
}

/// A letter to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The run that it tells of, or an id of its own.
    pub id: RunId,
    /// What it tells: "run", "test".
    pub kind: String,
    /// The account that carries it.
    pub account: String,
    /// The sender's address.
    pub sender: String,
    /// Its Message-ID, with angle brackets.
    pub message_id: String,
    /// The mail.
    pub mail: Vec<u8>,
    /// Those who are to get it now; who has it already, or refused it, is not among them.
    pub recipients: Vec<Recipient>,
    /// When it was written.
    pub created: Timestamp,
    /// The profile of the run that it tells of, or by whose rules it goes.
    pub profile: Option<String>,
    /// When another way told of it, a webhook or a mailbox, for which it goes on waiting.
    pub told: Option<Timestamp>,
}

/// Somebody who is to get a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub address: String,
    /// How far it is.
    pub state: RecipientState,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next, while it is queued.
    pub next_try: Timestamp,
    /// What the last try that failed was answered.
    pub last_error: Option<String>,
    /// When it was delivered or refused.
    pub settled_at: Option<Timestamp>,
    /// The account that carried it, where it was not the letter's own.
    pub via: Option<String>,
}

/// How far a letter is with one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipientState {
    /// It waits for its next try.
    Queued,
    /// The account took it.
    Sent,
    /// The account will never take it.
    Refused,
}

impl RecipientState {
    /// The word used in tables and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Refused => "refused",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Queued, Self::Sent, Self::Refused].into_iter().find(|state| state.word() == word)
    }
}

/// What a try came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The account took it.
    Delivered,
    /// Another account took it: this one.
    DeliveredBy(String),
    /// The account will never take it; why.
    Refused(String),
    /// It may take it later; why not now.
    Later(String),
}

/// Which letters a delivery is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those whose next try has come at this time.
    Due(Timestamp),
    /// All that wait: a person asked for it.
    All,
}

/// How long to wait after the last of `tries` tries that failed, for a letter of this age: 1, 5, 15 and 30
/// minutes, then an hour until it is five days old, then a day, for ever.
pub fn retry_wait(tries: u32, age: SignedDuration) -> SignedDuration {
    match tries {
        0 | 1 => SignedDuration::from_mins(1),
        2 => SignedDuration::from_mins(5),
        3 => SignedDuration::from_mins(15),
        4 => SignedDuration::from_mins(30),
        _ if age < HOURLY => SignedDuration::from_hours(1),
        _ => LONGEST,
    }
}

/// Whether a recipient is due at ?1. A next try further away than the longest wait was set by a clock that has
/// been put right since.
const DUE: &str = "state = 'queued' AND (next_try <= ?1 OR next_try > ?2)";

/// The columns that [`Outbox::recipient`] reads.
const COLUMNS: &str = "address, state, tries, next_try, last_error, settled_at, via";

impl Outbox<'_> {
    /// Puts a letter in that tells of no run: a test, for instance. Its id must be new.
    ///
    /// # Errors
    /// The database cannot be written, or knows the id already.
    pub fn put(&self, id: RunId, report: &Report<'_>, letter: &NewLetter, now: Timestamp) -> Result<()> {
        self.db.write("put a letter into the outbox", |tx| {
            insert_message(tx, id, report)?;
            insert_letter(tx, id, letter, now)
        })
    }

    /// The ids of the letters to be delivered, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn due(&self, which: Which) -> Result<Vec<RunId>> {
        self.db.read("read the outbox", |db| {
            let sql = format!("SELECT DISTINCT letter FROM recipient WHERE {DUE} ORDER BY letter");
            let mut select = db.prepare_cached(&sql)?;
            select.query_and_then(which.bounds(), |row| self.id(row)).map(Iterator::collect)?
        })
    }

    /// A letter with the recipients to whom it is to be delivered; None if there are none (any more).
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn letter(&self, id: RunId, which: Which) -> Result<Option<Letter>> {
        self.db.read("read the outbox", |db| {
            let (now, latest) = which.bounds();
            let sql = format!("SELECT {COLUMNS} FROM recipient WHERE {DUE} AND letter = ?3 ORDER BY address");
            let mut select = db.prepare_cached(&sql)?;
            let recipients = select
                .query_and_then((now, latest, id.to_string()), |row| self.recipient(row, 0))?
                .collect::<Result<Vec<_>, Fault>>()?;
            if recipients.is_empty() {
                return Ok(None);
            }
            let sql = "SELECT kind, account, sender, letter.created, message_id, mail,
                       coalesce(run.profile, letter.profile), told
                       FROM letter JOIN message USING (id) LEFT JOIN run USING (id) WHERE id = ?1";
            let mut select = db.prepare_cached(sql)?;
            let mut found = select.query([id.to_string()])?;
            let Some(row) = found.next()? else { return Ok(None) };
            let packed = row.get_ref(5)?.as_blob().map_err(rusqlite::Error::from)?;
            let mail = pack::unpack(packed)
                .map_err(|cause| unreadable(self.db.path(), &format!("letter {id}"), cause))?;
            Ok(Some(Letter {
                id,
                kind: row.get(0)?,
                account: row.get(1)?,
                sender: row.get(2)?,
                created: time(row.get(3)?),
                message_id: row.get(4)?,
                mail,
                profile: row.get(6)?,
                told: row.get::<_, Option<i64>>(7)?.map(time),
                recipients,
            }))
        })
    }

    /// Takes a recipient off a letter: there is nobody any more whom it could reach.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn forget_recipient(&self, id: RunId, address: &str) -> Result<()> {
        self.db.write("take a recipient off a letter", |tx| {
            tx.execute(
                "DELETE FROM recipient WHERE letter = ?1 AND address = ?2",
                [&id.to_string(), address],
            )?;
            Ok(())
        })
    }

    /// Records what a try for one recipient came to. Nothing happens if it does not wait any more, because
    /// somebody discarded it meanwhile.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn settle(&self, id: RunId, address: &str, settled: &Settled, now: Timestamp) -> Result<()> {
        self.db.write("record a delivery", |tx| {
            let sql = "SELECT tries, created FROM recipient JOIN letter ON letter.id = letter
                       WHERE letter = ?1 AND address = ?2 AND state = 'queued'";
            let found = tx.query_row(sql, (id.to_string(), address), |row| {
                Ok((row.get::<_, u32>(0)?, row.get(1).map(time)?))
            });
            let Some((tries, created)) = found.optional()? else { return Ok(()) };
            let tries = tries.saturating_add(1);
            let (state, reason, via) = match settled {
                Settled::Delivered => (RecipientState::Sent, None, None),
                Settled::DeliveredBy(account) => (RecipientState::Sent, None, Some(account)),
                Settled::Refused(reason) => (RecipientState::Refused, Some(reason), None),
                Settled::Later(reason) => (RecipientState::Queued, Some(reason), None),
            };
            let reason = reason.map(|text| text.chars().take(MAX_REASON).collect::<String>());
            let (next, at) = match state {
                RecipientState::Queued => {
                    let wait = retry_wait(tries, now.duration_since(created));
                    (now.checked_add(wait).unwrap_or(Timestamp::MAX), None)
                }
                RecipientState::Sent | RecipientState::Refused => (now, Some(micros(now))),
            };
            let sql = "UPDATE recipient SET state = ?3, tries = ?4, next_try = ?5,
                       last_error = coalesce(?6, last_error), settled_at = ?7, via = ?8
                       WHERE letter = ?1 AND address = ?2";
            tx.execute(sql, (id.to_string(), address, state.word(), tries, micros(next), reason, at, via))?;
            Ok(())
        })
    }

    /// Records that a webhook told of a letter.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn told(&self, id: RunId, now: Timestamp) -> Result<()> {
        self.db.write("record a delivery", |tx| {
            tx.execute("UPDATE letter SET told = ?2 WHERE id = ?1", (id.to_string(), micros(now)))?;
            Ok(())
        })
    }

    fn id(&self, row: &Row<'_>) -> Result<RunId, Fault> {
        let text: String = row.get(0)?;
        text.parse().map_err(|cause| unreadable(self.db.path(), "a letter's id", cause))
    }

    fn recipient(&self, row: &Row<'_>, at: usize) -> Result<Recipient, Fault> {
        let state: String = row.get(at + 1)?;
        Ok(Recipient {
            address: row.get(at)?,
            state: RecipientState::from_word(&state)
                .ok_or_else(|| unreadable(self.db.path(), "a recipient's state", state))?,
            tries: row.get(at + 2)?,
            next_try: time(row.get(at + 3)?),
            last_error: row.get(at + 4)?,
            settled_at: row.get::<_, Option<i64>>(at + 5)?.map(time),
            via: row.get(at + 6)?,
        })
    }
}

impl Which {
    /// The latest next try that is due, and the one beyond which it is due again.
    fn bounds(self) -> (i64, i64) {
        match self {
            Self::All => (i64::MAX, i64::MAX),
            Self::Due(now) => (micros(now), micros(now.checked_add(LONGEST).unwrap_or(Timestamp::MAX))),
        }
    }
}

/// Keeps a mail.
pub(super) fn insert_message(tx: &Transaction<'_>, id: RunId, report: &Report<'_>) -> Result<(), Fault> {
    let mail = pack::pack(report.mail).context(|| format!("cannot keep the report {id}"))?;
    let sql = "INSERT INTO message (id, message_id, subject, mail) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, (id.to_string(), report.message_id, report.subject, mail))?;
    Ok(())
}

/// Makes a mail that is kept a letter, due at once.
pub(super) fn insert_letter(
    tx: &Transaction<'_>,
    id: RunId,
    letter: &NewLetter,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql =
        "INSERT INTO letter (id, kind, account, sender, created, profile) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let NewLetter { kind, account, sender, profile, .. } = letter;
    tx.execute(sql, (id.to_string(), kind, account, sender, micros(now), profile))?;
    insert_recipients(tx, id, letter, now)
}

/// Queues a letter for its recipients, whatever became of it before.
fn insert_recipients(
    tx: &Transaction<'_>,
    id: RunId,
    letter: &NewLetter,
    now: Timestamp,
) -> Result<(), Fault> {
    let nobody = [letter.account.clone()];
    let recipients = if letter.recipients.is_empty() { &nobody[..] } else { &letter.recipients };
    // Who is named twice gets it once.
    let sql = "INSERT INTO recipient (letter, address, state, next_try) VALUES (?1, ?2, 'queued', ?3)
               ON CONFLICT DO UPDATE SET state = 'queued', tries = 0, next_try = ?3, settled_at = NULL, via = NULL";
    for address in recipients {
        tx.execute(sql, (id.to_string(), address, micros(now)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

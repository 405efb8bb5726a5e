//! The letters that wait: a report is kept until its account took it, however long that takes.
//!
//! A letter has a state per recipient, since a server may take it for one and not for another. Whoever delivers
//! holds [`super::Locks::outbox`], asks for the ids that are due, and takes one letter at a time, so that memory
//! is that of one mail. Delivery is at least once: a kill between the account's yes and [`Outbox::settle`] sends
//! a letter again, with the same Message-ID and the same bytes.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, Transaction};

use super::db::{Db, Fault, micros, time, unreadable};
use super::{NewLetter, Report, pack};
use crate::error::{Context, Result};
use crate::run::RunId;

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
const COLUMNS: &str = "address, state, tries, next_try, last_error, settled_at";

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
            let sql = "SELECT kind, account, sender, created, message_id, mail
                       FROM letter JOIN message USING (id) WHERE id = ?1";
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
                recipients,
            }))
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
            let (state, reason) = match settled {
                Settled::Delivered => (RecipientState::Sent, None),
                Settled::Refused(reason) => (RecipientState::Refused, Some(reason)),
                Settled::Later(reason) => (RecipientState::Queued, Some(reason)),
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
                       last_error = coalesce(?6, last_error), settled_at = ?7 WHERE letter = ?1 AND address = ?2";
            tx.execute(sql, (id.to_string(), address, state.word(), tries, micros(next), reason, at))?;
            Ok(())
        })
    }

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
    let sql = "INSERT INTO letter (id, kind, account, sender, created) VALUES (?1, ?2, ?3, ?4, ?5)";
    tx.execute(sql, (id.to_string(), &letter.kind, &letter.account, &letter.sender, micros(now)))?;
    let nobody = [letter.account.clone()];
    let recipients = if letter.recipients.is_empty() { &nobody[..] } else { &letter.recipients };
    // Who is named twice gets it once.
    let sql = "INSERT INTO recipient (letter, address, state, next_try) VALUES (?1, ?2, 'queued', ?3)
               ON CONFLICT DO NOTHING";
    for address in recipients {
        tx.execute(sql, (id.to_string(), address, micros(now)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Finish;
    use super::super::testing::{Fixture, at, begun, end, id, run};
    use super::*;
    use crate::run::Status;

    const REPORT: Report<'static> =
        Report { message_id: "<1.test@x>", subject: "a test", mail: b"Subject: a test\r\n\r\n" };

    fn letter(recipients: &[&str]) -> NewLetter {
        NewLetter {
            kind: "test".into(),
            account: "local".into(),
            sender: "postkeep@nas1".into(),
            recipients: recipients.iter().map(|r| (*r).into()).collect(),
        }
    }

    #[test]
    fn the_waits_grow_and_never_end() {
        let (new, old) = (SignedDuration::from_hours(1), SignedDuration::from_hours(120));
        let cases = [
            (1, new, 1),
            (2, new, 5),
            (3, new, 15),
            (4, new, 30),
            (5, new, 60),
            (100, SignedDuration::from_secs(120 * 3600 - 1), 60),
            (100, old, 24 * 60),
            (u32::MAX, SignedDuration::MAX, 24 * 60),
            // Put off for days, then refused for the first time: the short waits come first all the same.
            (1, old, 1),
            // A clock that was put back.
            (7, SignedDuration::from_hours(-9), 60),
        ];
        for (tries, age, minutes) in cases {
            assert_eq!(retry_wait(tries, age), SignedDuration::from_mins(minutes), "{tries} {age}");
        }
    }

    #[test]
    fn each_recipient_is_settled_alone() {
        let fixture = Fixture::new();
        let outbox = fixture.state.outbox();
        outbox.put(id(1), &REPORT, &letter(&["a@x", "b@x", "c@x"]), at(0)).unwrap();
        assert_eq!(outbox.due(Which::Due(at(0))).unwrap(), [id(1)]);
        let found = outbox.letter(id(1), Which::Due(at(0))).unwrap().unwrap();
        assert_eq!((found.mail, found.message_id.as_str()), (REPORT.mail.to_vec(), "<1.test@x>"));
        assert_eq!(found.recipients.len(), 3);

        outbox.settle(id(1), "a@x", &Settled::Delivered, at(1)).unwrap();
        outbox.settle(id(1), "b@x", &Settled::Refused("550 no such user".into()), at(1)).unwrap();
        outbox.settle(id(1), "c@x", &Settled::Later("451 come back".into()), at(1)).unwrap();
        assert!(outbox.due(Which::Due(at(60))).unwrap().is_empty());
        assert_eq!(outbox.letter(id(1), Which::Due(at(60))).unwrap(), None);
        assert_eq!(outbox.due(Which::Due(at(61))).unwrap(), [id(1)]);
        assert_eq!(outbox.due(Which::All).unwrap(), [id(1)]);
        let again = outbox.letter(id(1), Which::Due(at(61))).unwrap().unwrap().recipients;
        let left = Recipient {
            address: "c@x".into(),
            state: RecipientState::Queued,
            tries: 1,
            next_try: at(61),
            last_error: Some("451 come back".into()),
            settled_at: None,
        };
        assert_eq!(again, [left]);

        // What is settled stays settled.
        outbox.settle(id(1), "a@x", &Settled::Later("late".into()), at(70)).unwrap();
        let pending = outbox.pending(10).unwrap();
        let states: Vec<_> =
            pending.iter().map(|w| (w.recipient.address.as_str(), w.recipient.state)).collect();
        assert_eq!(states, [("b@x", RecipientState::Refused), ("c@x", RecipientState::Queued)]);
        assert_eq!(pending[0].recipient.settled_at, Some(at(1)));
        assert_eq!(outbox.pending(1).unwrap().len(), 1);
    }

    #[test]
    fn a_clock_that_was_wrong_does_not_keep_a_letter_for_ever() {
        let fixture = Fixture::new();
        let outbox = fixture.state.outbox();
        outbox.put(id(1), &REPORT, &letter(&["a@x"]), at(0)).unwrap();
        let far = at(900_000_000);
        outbox.settle(id(1), "a@x", &Settled::Later("no".into()), far).unwrap();
        assert_eq!(outbox.due(Which::Due(at(0))).unwrap(), [id(1)]);
        assert!(outbox.due(Which::Due(far)).unwrap().is_empty());
    }

    #[test]
    fn a_letter_to_nobody_is_for_the_reader_of_the_account() {
        let fixture = Fixture::new();
        fixture.state.outbox().put(id(1), &REPORT, &letter(&[]), at(0)).unwrap();
        let found = fixture.state.outbox().letter(id(1), Which::All).unwrap().unwrap();
        assert_eq!(found.recipients[0].address, "local");
    }

    #[test]
    fn what_is_discarded_is_gone_but_a_report_stays() {
        let fixture = Fixture::new();
        let (history, outbox) = (fixture.state.history(), fixture.state.outbox());
        history.begin(&begun("docs", 1)).unwrap();
        let run = run("docs", 1, Status::Ok);
        history.finish(&Finish { letter: Some(&letter(&["a@x", "b@x"])), ..end(&run, None) }).unwrap();
        outbox.put(id(2), &REPORT, &letter(&["a@x"]), at(0)).unwrap();
        outbox.settle(id(1), "a@x", &Settled::Delivered, at(1)).unwrap();

        assert!(outbox.discard(id(1)).unwrap() && outbox.discard(id(2)).unwrap());
        assert!(!outbox.discard(id(1)).unwrap());
        assert!(outbox.pending(10).unwrap().is_empty() && outbox.due(Which::All).unwrap().is_empty());
        assert!(history.report(id(1)).unwrap().is_some() && history.report(id(2)).unwrap().is_none());
        assert_eq!(fixture.number("SELECT count(*) FROM recipient"), 1);
    }
}

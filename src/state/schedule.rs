//! What the scheduler remembers, and what the agent does from one start to the next.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, Transaction};

use super::db::{Db, Fault, micros, time, unreadable};
use super::{History, NewLetter, Report, outbox};
use crate::error::Result;
use crate::run::{RunId, Status};
use crate::scheduler::{Alarm, Follows, Late, Memory, Past, Pause, Pending, Save, Skipped};

/// The scheduler's memory.
pub struct Memories<'s> {
    pub(super) db: &'s Db,
}

/// What is kept under a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// When the last digest was written.
    Digest,
    /// Stands for the problems of the configuration that were told last.
    ToldProblems,
}

impl Setting {
    fn key(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::ToldProblems => "told-problems",
        }
    }
}

const PAUSED: [&str; 2] = ["paused-since", "paused-until"];

const COLUMNS: &str =
    "profile, served, rhythm, retry_number, retry_at, retry_run, skipped_since, skipped_reason,
    paused_since, paused_until, alarm_due, alarm_told, alarm_times, resume_at";

impl Memories<'_> {
    /// What is remembered of all profiles.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn all(&self) -> Result<BTreeMap<String, Memory>> {
        self.db.read("read the schedule", |db| {
            let mut select = db.prepare_cached(&format!("SELECT {COLUMNS} FROM schedule"))?;
            select.query_and_then([], |row| Ok((row.get(0)?, self.memory(row)?)))?.collect()
        })
    }

    /// What is remembered of a profile.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn get(&self, profile: &str) -> Result<Option<Memory>> {
        self.db.read("read the schedule", |db| {
            let mut select =
                db.prepare_cached(&format!("SELECT {COLUMNS} FROM schedule WHERE profile = ?1"))?;
            let mut rows = select.query_and_then([profile], |row| self.memory(row))?;
            rows.next().transpose()
        })
    }

    /// Keeps a memory.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn save(&self, save: &Save) -> Result<()> {
        self.db.write("keep the schedule", |tx| save_in(tx, save))
    }

    /// Whether all profiles are paused.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn paused(&self) -> Result<Option<Pause>> {
        let since = self.number(PAUSED[0])?.map(time);
        let until = self.number(PAUSED[1])?.map(time);
        Ok(since.map(|since| Pause { since, until }))
    }

    /// Keeps whether all profiles are paused.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn pause(&self, pause: Option<Pause>) -> Result<()> {
        self.db.write("keep the pause", |tx| {
            let since = pause.map(|pause| micros(pause.since).to_string());
            let until = pause.and_then(|pause| pause.until).map(|until| micros(until).to_string());
            set(tx, PAUSED[0], since.as_deref())?;
            set(tx, PAUSED[1], until.as_deref())
        })
    }

    /// A value that was kept.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn setting(&self, setting: Setting) -> Result<Option<String>> {
        self.text(setting.key())
    }

    /// A time that was kept.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn time(&self, setting: Setting) -> Result<Option<Timestamp>> {
        Ok(self.number(setting.key())?.map(time))
    }

    /// Keeps a value.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn set(&self, setting: Setting, value: &str) -> Result<()> {
        self.db.write("keep a setting", |tx| set(tx, setting.key(), Some(value)))
    }

    /// Keeps a time.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn set_time(&self, setting: Setting, value: Timestamp) -> Result<()> {
        self.set(setting, &micros(value).to_string())
    }

    /// Puts letters about silence into the outbox, and keeps that they were told, in one transaction. `late` are those
    /// that were not told by a letter of these, because nobody wants to hear of them, too.
    ///
    /// # Errors
    /// The database cannot be written: nothing was told then.
    pub fn tell_late(
        &self,
        letters: &[(RunId, Report<'_>, NewLetter)],
        late: &[Late],
        now: Timestamp,
    ) -> Result<()> {
        self.db.write("put an alarm into the outbox", |tx| {
            for (id, report, letter) in letters {
                outbox::insert_message(tx, *id, report)?;
                outbox::insert_letter(tx, *id, letter, now)?;
            }
            let sql =
                "UPDATE schedule SET alarm_due = ?2, alarm_told = ?3, alarm_times = ?4 WHERE profile = ?1";
            for one in late {
                tx.execute(sql, (&one.profile, micros(one.due), micros(now), one.told + 1))?;
            }
            Ok(())
        })
    }

    /// Puts a digest into the outbox, and keeps when that was, in one transaction.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn tell_digest(
        &self,
        id: RunId,
        report: &Report<'_>,
        letter: &NewLetter,
        now: Timestamp,
    ) -> Result<()> {
        self.db.write("put a digest into the outbox", |tx| {
            outbox::insert_message(tx, id, report)?;
            outbox::insert_letter(tx, id, letter, now)?;
            set(tx, Setting::Digest.key(), Some(&micros(now).to_string()))
        })
    }

    fn number(&self, key: &str) -> Result<Option<i64>> {
        Ok(self.text(key)?.and_then(|text| text.parse().ok()))
    }

    fn text(&self, key: &str) -> Result<Option<String>> {
        self.db.read("read a setting", |db| {
            let mut select = db.prepare_cached("SELECT value FROM setting WHERE key = ?1")?;
            Ok(select.query_row([key], |row| row.get(0)).optional()?)
        })
    }

    fn memory(&self, row: &Row<'_>) -> Result<Memory, Fault> {
        let when = |at| row.get::<_, Option<i64>>(at).map(|micros| micros.map(time));
        let retry = match (row.get(3)?, when(4)?, row.get::<_, Option<String>>(5)?) {
            (Some(number), Some(at), Some(run)) => {
                let run = run.parse().map_err(|cause: String| unreadable(self.db.path(), "a try", cause))?;
                Some(Pending { number, at, run })
            }
            _ => None,
        };
        let alarm = match (when(10)?, when(11)?, row.get(12)?) {
            (Some(due), Some(told), Some(times)) => Some(Alarm { due, told, times }),
            _ => None,
        };
        let reason: Option<String> = row.get(7)?;
        let until = when(9)?;
        Ok(Memory {
            served: time(row.get(1)?),
            rhythm: row.get(2)?,
            retry,
            resume: when(13)?,
            skipped: when(6)?.zip(reason).map(|(since, reason)| Skipped { since, reason }),
            paused: when(8)?.map(|since| Pause { since, until }),
            alarm,
        })
    }
}

impl History<'_> {
    /// What the scheduler has to know of a profile's runs.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn past(&self, profile: &str) -> Result<Past> {
        self.db.read("read the last runs", |db| {
            let newest = |condition: &str| {
                let sql = format!(
                    "SELECT started FROM run WHERE profile = ?1 AND {condition} ORDER BY id DESC LIMIT 1"
                );
                db.prepare_cached(&sql)?.query_row([profile], |row| row.get(0).map(time)).optional()
            };
            let ends = "SELECT (SELECT started FROM run WHERE profile = ?1 ORDER BY id LIMIT 1),
                (SELECT ended FROM run WHERE profile = ?1 AND status <> 'running' ORDER BY id DESC LIMIT 1)";
            let (first, ended): (Option<i64>, Option<i64>) =
                db.prepare_cached(ends)?.query_row([profile], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Past {
                first_run: first.map(time),
                last_run: newest("status <> 'running'")?,
                ended: ended.map(time),
                last_success: newest(super::history::SUCCESS)?,
            })
        })
    }

    /// The series of warnings and failures that a run is in: since when there was none that went wholly well, and the
    /// last run of it that was mailed.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn trouble(&self, profile: &str, before: RunId) -> Result<Trouble> {
        self.db.read("read the last runs", |db| {
            let series = "FROM run WHERE profile = ?1 AND id < ?2 AND status <> 'running' AND NOT retried
                AND id > coalesce((SELECT max(id) FROM run WHERE profile = ?1 AND id < ?2
                                   AND status IN ('ok', 'unchanged')), '')";
            let params = (profile, before.to_string());
            let sql = format!("SELECT min(started) {series}");
            let since: Option<i64> = db.prepare_cached(&sql)?.query_row(params.clone(), |row| row.get(0))?;
            let sql = format!(
                "SELECT ended, status {series} AND EXISTS (SELECT 1 FROM letter WHERE letter.id = run.id)
                 ORDER BY id DESC LIMIT 1"
            );
            let told = db
                .prepare_cached(&sql)?
                .query_row(params, |row| Ok((time(row.get(0)?), row.get::<_, String>(1)?)))
                .optional()?;
            let told = told.and_then(|(at, status)| Some((at, status.parse().ok()?)));
            Ok(Trouble { since: since.map(time), told })
        })
    }

    /// A failure that was kept back for a try counts as one that was told, and the try is not awaited any more.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn not_retried(&self, id: RunId) -> Result<()> {
        self.db.write("record that a run was told", |tx| not_retried(tx, id))
    }
}

/// A series of warnings and failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// When its first run began; None: the run at hand is the first.
    pub since: Option<Timestamp>,
    /// When the last one ended that was mailed, and how.
    pub told: Option<(Timestamp, Status)>,
}

impl Trouble {
    /// For how many whole days it has been going on at `now`, if it was told before.
    pub fn days(&self, now: Timestamp) -> Option<u32> {
        let since = self.since.filter(|_| self.told.is_some())?;
        let days = now.duration_since(since).as_secs() / SignedDuration::from_hours(24).as_secs();
        u32::try_from(days).ok().filter(|days| *days > 0)
    }
}

/// Keeps that a run begins which serves a due time, and that nothing was skipped.
pub(super) fn serve(tx: &Transaction<'_>, profile: &str, due: Option<Timestamp>) -> Result<(), Fault> {
    let sql = "UPDATE schedule SET served = coalesce(?2, served), skipped_since = NULL, skipped_reason = NULL
               WHERE profile = ?1";
    tx.prepare_cached(sql)?.execute((profile, due.map(micros)))?;
    Ok(())
}

/// Keeps what follows from a run that has ended: the next try, and that there is no silence.
pub(super) fn ended(
    tx: &Transaction<'_>,
    profile: &str,
    Follows { retry, resume }: Follows,
    keeps_alarm: bool,
) -> Result<(), Fault> {
    let sql = "UPDATE schedule SET retry_number = ?2, retry_at = ?3, retry_run = ?4, resume_at = ?5
               WHERE profile = ?1";
    let run = retry.map(|retry| retry.run.to_string());
    tx.prepare_cached(sql)?.execute((
        profile,
        retry.map(|retry| retry.number),
        retry.map(|retry| micros(retry.at)),
        run,
        resume.map(micros),
    ))?;
    if !keeps_alarm {
        let sql =
            "UPDATE schedule SET alarm_due = NULL, alarm_told = NULL, alarm_times = NULL WHERE profile = ?1";
        tx.prepare_cached(sql)?.execute([profile])?;
    }
    Ok(())
}

pub(super) fn not_retried(tx: &Transaction<'_>, id: RunId) -> Result<(), Fault> {
    let id = id.to_string();
    tx.execute("UPDATE run SET retried = 0 WHERE id = ?1", [&id])?;
    let sql =
        "UPDATE schedule SET retry_number = NULL, retry_at = NULL, retry_run = NULL WHERE retry_run = ?1";
    tx.execute(sql, [&id])?;
    Ok(())
}

fn save_in(tx: &Transaction<'_>, save: &Save) -> Result<(), Fault> {
    let Save { profile, memory, served } = save;
    let sql = "INSERT INTO schedule (profile, served, rhythm, retry_number, retry_at, retry_run, skipped_since,
                   skipped_reason, paused_since, paused_until, alarm_due, alarm_told, alarm_times, resume_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?15)
               ON CONFLICT (profile) DO UPDATE SET served = CASE WHEN ?14 THEN ?2 ELSE served END, rhythm = ?3,
                   skipped_since = ?7, skipped_reason = ?8, paused_since = ?9, paused_until = ?10, alarm_due = ?11, alarm_told = ?12, alarm_times = ?13";
    let Memory { served: due, rhythm, retry, resume, skipped, paused, alarm } = memory;
    tx.prepare_cached(sql)?.execute((
        profile,
        micros(*due),
        rhythm,
        retry.map(|retry| retry.number),
        retry.map(|retry| micros(retry.at)),
        retry.map(|retry| retry.run.to_string()),
        skipped.as_ref().map(|skipped| micros(skipped.since)),
        skipped.as_ref().map(|skipped| skipped.reason.as_str()),
        paused.map(|pause| micros(pause.since)),
        paused.and_then(|pause| pause.until).map(micros),
        alarm.map(|alarm| micros(alarm.due)),
        alarm.map(|alarm| micros(alarm.told)),
        alarm.map(|alarm| alarm.times),
        served,
        resume.map(micros),
    ))?;
    Ok(())
}

fn set(tx: &Transaction<'_>, key: &str, value: Option<&str>) -> Result<(), Fault> {
    match value {
        Some(value) => {
            tx.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?1, ?2)", [key, value])?
        }
        None => tx.execute("DELETE FROM setting WHERE key = ?1", [key])?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, at, begun, end, id, run};
    use super::super::{Begun, Finish};
    use super::*;

    fn memory(n: i64) -> Memory {
        Memory::new(at(n), "@daily".into())
    }

    #[test]
    fn a_memory_is_kept_whole() {
        let fixture = Fixture::new();
        let memories = fixture.state.memories();
        assert_eq!(memories.get("docs").unwrap(), None);
        let full = Memory {
            retry: Some(Pending { number: 2, at: at(9), run: id(3) }),
            resume: Some(at(11)),
            skipped: Some(Skipped { since: at(4), reason: "no disk".into() }),
            paused: Some(Pause { since: at(5), until: Some(at(99)) }),
            alarm: Some(Alarm { due: at(1), told: at(2), times: 3 }),
            ..memory(1)
        };
        let save = |memory: &Memory, served| {
            memories.save(&Save { profile: "docs".into(), memory: memory.clone(), served }).unwrap();
        };
        save(&full, false);
        assert_eq!(memories.get("docs").unwrap().as_ref(), Some(&full));
        assert_eq!(memories.all().unwrap()["docs"], full);
        // The due time that was served is written by the run that serves it.
        save(&memory(7), false);
        let Memory { retry, resume, .. } = full;
        assert_eq!(memories.get("docs").unwrap(), Some(Memory { retry, resume, ..memory(1) }));
        save(&memory(7), true);
        assert_eq!(memories.get("docs").unwrap(), Some(Memory { retry, resume, ..memory(7) }));
        // A try is awaited until its run is told.
        fixture.state.history().not_retried(id(3)).unwrap();
        assert_eq!(memories.get("docs").unwrap(), Some(Memory { resume, ..memory(7) }));
    }

    #[test]
    fn a_run_serves_its_due_time_with_its_first_record() {
        let fixture = Fixture::new();
        let (memories, history) = (fixture.state.memories(), fixture.state.history());
        let skipped = Some(Skipped { since: at(4), reason: "no disk".into() });
        let alarm = Some(Alarm { due: at(1), told: at(2), times: 1 });
        let late = Memory { skipped, alarm, ..memory(1) };
        memories.save(&Save { profile: "docs".into(), memory: late, served: true }).unwrap();
        history.begin(&Begun { serves: Some(at(5)), ..begun("docs", 10) }).unwrap();
        let kept = memories.get("docs").unwrap().unwrap();
        assert_eq!((kept.served, kept.skipped, kept.alarm.is_some()), (at(5), None, true));
        let failed = run("docs", 10, Status::Failed);
        let retry = Some(Pending { number: 2, at: at(20), run: id(10) });
        history.finish(&Finish { retry, ..end(&failed, None) }).unwrap();
        let kept = memories.get("docs").unwrap().unwrap();
        assert_eq!((kept.retry, kept.alarm), (retry, None));
        // A failure that is tried again is none yet.
        assert_eq!(history.failing_since("docs", None).unwrap(), None);
        history.not_retried(id(10)).unwrap();
        assert_eq!(history.failing_since("docs", None).unwrap().unwrap().runs, 1);
        history.begin(&begun("docs", 20)).unwrap();
        history.finish(&end(&run("docs", 20, Status::Ok), None)).unwrap();
        let kept = memories.get("docs").unwrap().unwrap();
        assert_eq!((kept.served, kept.retry), (at(5), None));
        let past = history.past("docs").unwrap();
        let expected = Past {
            first_run: Some(at(10)),
            last_run: Some(at(20)),
            ended: Some(at(20)),
            last_success: Some(at(20)),
        };
        assert_eq!(past, expected);
    }

    #[test]
    fn pauses_and_settings_are_kept() {
        let fixture = Fixture::new();
        let memories = fixture.state.memories();
        assert_eq!(memories.paused().unwrap(), None);
        for pause in [
            Some(Pause { since: at(1), until: None }),
            Some(Pause { since: at(1), until: Some(at(3)) }),
            None,
        ] {
            memories.pause(pause).unwrap();
            assert_eq!(memories.paused().unwrap(), pause);
        }
        memories.set_time(Setting::Digest, at(8)).unwrap();
        assert_eq!(memories.time(Setting::Digest).unwrap(), Some(at(8)));
        assert_eq!(memories.setting(Setting::ToldProblems).unwrap(), None);
    }

    #[test]
    fn a_series_knows_when_it_was_told_last() {
        let fixture = Fixture::new();
        let history = fixture.state.history();
        let letter = NewLetter {
            kind: "run".into(),
            account: "a".into(),
            sender: "s@x".into(),
            recipients: vec!["r@x".into()],
            profile: None,
        };
        let record = |n: i64, status, mailed: bool| {
            history.begin(&begun("docs", n)).unwrap();
            let run = run("docs", n, status);
            history.finish(&Finish { letter: mailed.then_some(&letter), ..end(&run, None) }).unwrap();
        };
        record(1, Status::Failed, true);
        record(2, Status::Ok, true);
        assert_eq!(history.trouble("docs", id(3)).unwrap(), Trouble { since: None, told: None });
        record(3, Status::Failed, true);
        record(4, Status::Failed, false);
        record(5, Status::Warning, false);
        let trouble = history.trouble("docs", id(6)).unwrap();
        assert_eq!(trouble, Trouble { since: Some(at(3)), told: Some((at(3), Status::Failed)) });
        assert_eq!(trouble.days(at(3 + 86_399)), None);
        assert_eq!(trouble.days(at(3 + 3 * 86_400)), Some(3));
    }

    #[test]
    fn an_alarm_is_told_and_remembered_at_once() {
        let fixture = Fixture::new();
        let memories = fixture.state.memories();
        memories.save(&Save { profile: "docs".into(), memory: memory(1), served: true }).unwrap();
        let letter = NewLetter {
            kind: "overdue".into(),
            account: "a".into(),
            sender: "s".into(),
            recipients: vec![],
            profile: None,
        };
        let report = Report { message_id: "<1@x>", subject: "late", mail: b"\r\n" };
        let late = Late { profile: "docs".into(), due: at(5), after: None, told: 0, why: None, before: None };
        memories.tell_late(&[(id(9), report, letter)], std::slice::from_ref(&late), at(9)).unwrap();
        let alarm = memories.get("docs").unwrap().unwrap().alarm;
        assert_eq!(alarm, Some(Alarm { due: at(5), told: at(9), times: 1 }));
        assert_eq!(fixture.number("SELECT count(*) FROM recipient"), 1);
    }
}

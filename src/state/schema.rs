//! The layout of the database, as the ordered list of its changes.
//!
//! `PRAGMA user_version` says how many of them a file has seen. A file of a newer postkeep is refused, one of an
//! older postkeep is copied beside itself before it is changed, and `PRAGMA application_id` tells ours from the
//! database of another program.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::db::{Book, Db, Fault};
use super::private;
use crate::error::{Context, Error, Result};

/// "post" as a number: marks our databases.
const APPLICATION: i64 = 0x706f_7374;

/// The changes, oldest first. A change that was released is never edited: the next one is appended.
///
/// Times are microseconds since 1970; 64-bit figures without sign are stored as the same bits with one.
pub(super) const MIGRATIONS: &[&str] = &["
    CREATE TABLE setting (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO setting VALUES ('install-id', lower(hex(randomblob(6))));

    -- outcome: JSON without its failures; failures: their JSON in zstd; stripped: log, mail and failures are gone.
    -- The long columns come last, so that a list of runs does not read them.
    CREATE TABLE run (
        id TEXT NOT NULL PRIMARY KEY, profile TEXT NOT NULL, trigger TEXT NOT NULL, status TEXT NOT NULL,
        started INTEGER NOT NULL, ended INTEGER, stripped INTEGER NOT NULL DEFAULT 0, fingerprint TEXT NOT NULL,
        outcome TEXT, failures BLOB
    ) STRICT;
    CREATE INDEX run_of_profile ON run (profile, id, status);
    CREATE INDEX run_at_work ON run (id) WHERE status = 'running';
    CREATE INDEX run_by_age ON run (stripped, started);

    CREATE TABLE run_log (
        run TEXT NOT NULL REFERENCES run ON DELETE CASCADE, seq INTEGER NOT NULL, data BLOB NOT NULL,
        PRIMARY KEY (run, seq)
    ) STRICT;

    -- A mail as it is sent, in zstd. Its id is that of its run, or one of its own.
    CREATE TABLE message (
        id TEXT NOT NULL PRIMARY KEY, message_id TEXT NOT NULL, subject TEXT NOT NULL, mail BLOB NOT NULL
    ) STRICT;

    CREATE TABLE letter (
        id TEXT NOT NULL PRIMARY KEY REFERENCES message ON DELETE CASCADE, kind TEXT NOT NULL,
        account TEXT NOT NULL, sender TEXT NOT NULL, created INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX letter_by_age ON letter (created);

    CREATE TABLE recipient (
        letter TEXT NOT NULL REFERENCES letter ON DELETE CASCADE, address TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'refused')), tries INTEGER NOT NULL DEFAULT 0,
        next_try INTEGER NOT NULL, last_error TEXT, settled_at INTEGER, PRIMARY KEY (letter, address)
    ) STRICT;
    CREATE INDEX recipient_waiting ON recipient (letter) WHERE state = 'queued';

    CREATE TABLE root (
        profile TEXT NOT NULL, side TEXT NOT NULL, path TEXT NOT NULL, fs TEXT NOT NULL,
        inode INTEGER NOT NULL, entries INTEGER NOT NULL, PRIMARY KEY (profile, side)
    ) STRICT, WITHOUT ROWID;
", "
    -- An account that is not well. refused_secret stands for a secret that its server refused.
    CREATE TABLE account (
        name TEXT NOT NULL PRIMARY KEY, down_since INTEGER, reason TEXT, refused_secret TEXT
    ) STRICT, WITHOUT ROWID;

    -- told: when a webhook told of the letter. via: the account that carried it, where it was not the letter's own.
    ALTER TABLE letter ADD COLUMN told INTEGER;
    ALTER TABLE recipient ADD COLUMN via TEXT;

    -- Failures that a person knows of: runs with exactly these are not mailed. failures: JSON.
    CREATE TABLE ack (
        profile TEXT NOT NULL PRIMARY KEY, run TEXT NOT NULL, failures TEXT NOT NULL, at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
", "
    -- What the scheduler remembers of a profile. served: the last due time that was served.
    CREATE TABLE schedule (
        profile TEXT NOT NULL PRIMARY KEY, served INTEGER NOT NULL, rhythm TEXT NOT NULL,
        retry_number INTEGER, retry_at INTEGER, retry_run TEXT, skipped_since INTEGER, skipped_reason TEXT,
        paused_since INTEGER, paused_until INTEGER, alarm_due INTEGER, alarm_told INTEGER, alarm_times INTEGER
    ) STRICT, WITHOUT ROWID;

    -- A run that failed, was to be tried again, and was not told for that.
    ALTER TABLE run ADD COLUMN retried INTEGER NOT NULL DEFAULT 0;

    -- The profile by whose rules a letter goes that tells of no run.
    ALTER TABLE letter ADD COLUMN profile TEXT;
", "
    -- When a run goes on that paused.
    ALTER TABLE schedule ADD COLUMN resume_at INTEGER;

    -- Bytes sent to and fetched from a mail account, by the quarter of an hour in which that was.
    CREATE TABLE traffic (
        account TEXT NOT NULL, quarter INTEGER NOT NULL, up INTEGER NOT NULL, down INTEGER NOT NULL,
        PRIMARY KEY (account, quarter)
    ) STRICT, WITHOUT ROWID;
"];

/// What a look at an existing file finds.
pub(super) enum Found {
    /// An empty file: the first run was killed before it began.
    Nothing,
    /// The layout of an older postkeep.
    Older,
    /// Ours.
    Current(Db),
}

/// Opens the file, which exists, and brings it to the newest of `migrations`.
pub(super) fn open(path: &Path, migrations: &[&str]) -> Result<Db> {
    open_as(path, migrations, Book::History)
}

/// The same, for a database of any kind.
pub(super) fn open_as(path: &Path, migrations: &[&str], book: Book) -> Result<Db> {
    let db = Db::connect(path, false, book)?;
    let version = version(&db, migrations)?;
    db.prepare_to_write()?;
    if version < migrations.len() {
        migrate(&db, migrations)?;
    }
    Ok(db)
}

/// A database in memory that stands in for the one at `path`.
pub(super) fn memory(path: &Path) -> Result<Db> {
    let db = Db::memory(path)?;
    migrate(&db, MIGRATIONS)?;
    Ok(db)
}

/// Opens the file, which exists, without changing it.
pub(super) fn open_read_only(path: &Path, migrations: &[&str]) -> Result<Found> {
    let db = Db::connect(path, true, Book::History)?;
    Ok(match version(&db, migrations)? {
        0 => Found::Nothing,
        old if old < migrations.len() => Found::Older,
        _ => Found::Current(db),
    })
}

/// The file's version, 0 for an empty one; refuses what is not ours or newer than we are.
fn version(db: &Db, migrations: &[&str]) -> Result<usize> {
    let (version, application, tables) =
        db.read(&format!("read the {}", db.book().name()), |conn| Ok(look(conn)?))?;
    let path = db.path().display();
    if version == 0 && application == 0 && tables == 0 {
        return Ok(0);
    }
    if application != APPLICATION {
        return Err(Error::other(format!("{path} is a database of another program"))
            .hint(format!("it was left as it is; {}", db.book().elsewhere(db.path()))));
    }
    match usize::try_from(version) {
        Ok(version @ 1..) if version <= migrations.len() => Ok(version),
        _ => Err(Error::other(format!(
            "{path} was written by a newer postkeep (state version {version}, this one knows {})",
            migrations.len()
        ))
        .hint(format!("upgrade postkeep, or {}", db.book().elsewhere(db.path())))),
    }
}

fn look(conn: &Connection) -> rusqlite::Result<(i64, i64, i64)> {
    let number = |sql| conn.query_row(sql, [], |row| row.get(0));
    Ok((
        number("PRAGMA user_version")?,
        number("PRAGMA application_id")?,
        number("SELECT count(*) FROM sqlite_schema")?,
    ))
}

/// Applies what is missing, all or nothing.
fn migrate(db: &Db, migrations: &[&str]) -> Result<()> {
    db.write(&format!("bring the {} up to date", db.book().name()), |tx| {
        let from: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let from = usize::try_from(from).unwrap_or(0);
        if from > 0 && db.book() == Book::History {
            // The write lock is ours, so what a second connection reads is exactly what is about to be changed.
            copy_aside(db.path(), migrations.len())?;
        }
        for change in migrations.iter().skip(from) {
            tx.execute_batch(change)?;
        }
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", i64::try_from(migrations.len()).unwrap_or(i64::MAX))?;
        Ok::<_, Fault>(())
    })
}

/// Copies the database to `state.db.before-vN` beside it, durably and under its final name only when complete.
fn copy_aside(path: &Path, to: usize) -> Result<()> {
    let copy = beside(path, &format!(".before-v{to}"));
    let part = beside(path, &format!(".before-v{to}.part"));
    let failed = || format!("cannot copy {} to {} before the upgrade", path.display(), copy.display());
    if private::exists(&part)? {
        fs::remove_file(&part).context(failed)?;
    }
    private::file(&part)?;
    let reader = Db::connect(path, true, Book::History)?;
    reader.read("copy the history before its upgrade", |conn| {
        let name = part.to_str().ok_or_else(|| {
            Error::other(format!("the path {} is not valid UTF-8", part.display()))
                .hint("use another folder with --state DIR")
        })?;
        Ok(conn.execute("VACUUM INTO ?1", [name]).map(drop)?)
    })?;
    fs::File::open(&part).and_then(|file| file.sync_all()).context(failed)?;
    fs::rename(&part, &copy).context(failed)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// An older and a newer list of changes.
    const OLD: &[&str] = &["CREATE TABLE a (x); INSERT INTO a VALUES (7);"];
    const NEW: &[&str] = &[OLD[0], "ALTER TABLE a RENAME TO b", "ALTER TABLE b ADD COLUMN y DEFAULT 1"];

    fn file() -> (tempfile::TempDir, PathBuf) {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("state.db");
        private::file(&path).unwrap();
        (temp, path)
    }

    fn number(path: &Path, sql: &str) -> rusqlite::Result<i64> {
        Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0))
    }

    #[test]
    fn an_older_file_is_copied_and_then_changed() {
        let (temp, path) = file();
        drop(open(&path, OLD).unwrap());
        fs::write(temp.path().join("state.db.before-v3.part"), "left by a kill").unwrap();
        assert!(matches!(open_read_only(&path, NEW).unwrap(), Found::Older));
        drop(open(&path, NEW).unwrap());
        assert_eq!(number(&path, "SELECT x + y FROM b"), Ok(8));
        let copy = temp.path().join("state.db.before-v3");
        assert_eq!(number(&copy, "SELECT x FROM a"), Ok(7));
        assert_eq!(number(&copy, "PRAGMA user_version"), Ok(1));
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!temp.path().join("state.db.before-v3.part").exists());
        assert!(matches!(open_read_only(&path, NEW).unwrap(), Found::Current(_)));
    }

    #[test]
    fn a_change_that_fails_changes_nothing() {
        let (_temp, path) = file();
        drop(open(&path, OLD).unwrap());
        assert!(open(&path, &[OLD[0], "DROP TABLE a", "no SQL"]).is_err());
        assert_eq!(number(&path, "SELECT x FROM a"), Ok(7));
        assert_eq!(number(&path, "PRAGMA user_version"), Ok(1));
    }

    #[test]
    fn letters_of_the_first_layout_are_kept() {
        let (_temp, path) = file();
        drop(open(&path, &MIGRATIONS[..1]).unwrap());
        let letter = "INSERT INTO message VALUES ('01', '<1@x>', 's', x'00');
                      INSERT INTO letter VALUES ('01', 'run', 'local', '', 5);
                      INSERT INTO recipient (letter, address, state, next_try) VALUES ('01', 'a@x', 'queued', 5);";
        Connection::open(&path).unwrap().execute_batch(letter).unwrap();
        drop(open(&path, MIGRATIONS).unwrap());
        let kept =
            "SELECT count(*) FROM letter JOIN recipient ON letter = id WHERE told IS NULL AND via IS NULL";
        assert_eq!(number(&path, kept), Ok(1));
    }

    #[test]
    fn what_is_not_ours_is_refused_in_words_and_left_alone() {
        let newer = |path: &Path| {
            let more = vec!["SELECT 1"; MIGRATIONS.len()];
            drop(open(path, &[&["CREATE TABLE a (x)"], more.as_slice()].concat()).unwrap());
        };
        let foreign =
            |path: &Path| Connection::open(path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        let text = |path: &Path| fs::write(path, "dear diary, ".repeat(1000)).unwrap();
        let torn = |path: &Path| {
            drop(open(path, MIGRATIONS).unwrap());
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(6000).unwrap();
        };
        let garbled = |path: &Path| {
            drop(open(path, MIGRATIONS).unwrap());
            let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
            std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(100)).unwrap();
            file.write_all(&[0x5a; 4000]).unwrap();
        };
        type Make<'a> = &'a dyn Fn(&Path);
        let cases: [(Make<'_>, &str, &str); 5] = [
            (&newer, "was written by a newer postkeep (state version", "upgrade"),
            (&foreign, "another program", "--state"),
            (&text, "cannot read the history", "left as it is"),
            (&torn, "malformed", "left as it is"),
            (&garbled, "malformed", "left as it is"),
        ];
        for (make, message, hint) in cases {
            let (_temp, path) = file();
            make(&path);
            let before = fs::read(&path).unwrap();
            for error in
                [open(&path, MIGRATIONS).err().unwrap(), open_read_only(&path, MIGRATIONS).err().unwrap()]
            {
                assert!(error.one_line().contains(message), "{error:?}");
                assert!(error.hints().iter().any(|h| h.contains(hint)), "{:?}", error.hints());
            }
            assert_eq!(fs::read(&path).unwrap(), before, "{message}");
        }
    }
}

//! The connection and its rules: how it is set up, how it is written, and what its errors say to people.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::error::Error;

/// How long one writer waits for another.
const BUSY: Duration = Duration::from_secs(10);

/// What a database is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Book {
    /// `state.db`.
    History,
    /// What an archive has. It can be made again.
    Catalogue,
}

impl Book {
    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Catalogue => "catalogue",
        }
    }

    /// What to do with a file that cannot be used, but is sound.
    pub(super) fn elsewhere(self, path: &Path) -> String {
        match self {
            Self::History => "use another folder with --state DIR".into(),
            Self::Catalogue => format!("move {} away: it is made again from the vault", path.display()),
        }
    }
}

/// A connection to the database at `path`.
pub(super) struct Db {
    conn: Connection,
    path: PathBuf,
    book: Book,
}

/// What goes wrong inside a transaction: SQLite's error gets its sentence from the transaction, ours has one.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Said(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Said(error)
    }
}

impl Db {
    /// Connects to a database that is there. Nothing is read yet.
    pub(super) fn connect(path: &Path, read_only: bool, book: Book) -> Result<Self, Error> {
        let access =
            if read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
        let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|error| explain(error, &format!("open the {}", book.name()), path, book))?;
        let db = Self { conn, path: path.to_owned(), book };
        db.read(&format!("open the {}", book.name()), |conn| {
            conn.busy_timeout(BUSY)?;
            Ok(conn.pragma_update(None, "foreign_keys", true)?)
        })?;
        Ok(db)
    }

    /// A database that is gone with the process.
    pub(super) fn memory(path: &Path) -> Result<Self, Error> {
        let book = Book::History;
        let conn =
            Connection::open_in_memory().map_err(|error| explain(error, "stand in for", path, book))?;
        Ok(Self { conn, path: path.to_owned(), book })
    }

    /// Sets up a connection for writing. It comes after the first look at the file: it may change the file.
    pub(super) fn prepare_to_write(&self) -> Result<(), Error> {
        self.read(&format!("prepare the {}", self.book.name()), |conn| {
            // Where the file system cannot do it SQLite keeps its rollback journal, which is as safe.
            conn.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
            conn.pragma_update(None, "synchronous", "full")?;
            // A long log passes through the WAL once; the disk space is given back afterwards.
            Ok(conn.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |_| Ok(()))?)
        })
    }

    /// What it is.
    pub(super) fn book(&self) -> Book {
        self.book
    }

    /// Where the database is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work`; `doing` completes the sentence "cannot ..." if SQLite fails.
    pub(super) fn read<'s, T>(
        &'s self,
        doing: &str,
        work: impl FnOnce(&'s Connection) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        work(&self.conn).map_err(|fault| self.say(fault, doing))
    }

    /// Runs `work` in a transaction that has the write lock from its start, and commits it if all went well.
    pub(super) fn write<T>(
        &self,
        doing: &str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let all = || {
            let tx = Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate)?;
            let value = work(&tx)?;
            tx.commit()?;
            Ok(value)
        };
        all().map_err(|fault| self.say(fault, doing))
    }

    /// What went wrong, for people.
    pub(super) fn say(&self, fault: Fault, doing: &str) -> Error {
        match fault {
            Fault::Sql(error) => explain(error, doing, &self.path, self.book),
            Fault::Said(error) => error,
        }
    }
}

/// A database error for people.
fn explain(error: rusqlite::Error, doing: &str, path: &Path, book: Book) -> Error {
    let dir = path.parent().unwrap_or(path).display();
    let path = path.display();
    let code = error.sqlite_error_code();
    // Not as a cause of its own: its text says the cause below it already.
    let said = Error::other(format!("cannot {doing} in {path}: {error}"));
    match code {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(said, &path.to_string(), book),
        Some(ErrorCode::DiskFull) => said.hint(format!("make room on the disk that holds {dir}")),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            said.hint("another postkeep has been writing for more than 10 seconds; try again when it is done")
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            said.hint(format!("check that you may write {dir} and the files in it"))
        }
        _ => said,
    }
}

/// Says what to do about a damaged database.
fn damaged(error: Error, path: &str, book: Book) -> Error {
    if book == Book::Catalogue {
        return error.hint(format!(
            "remove {path}, {path}-wal and {path}-shm and run again: postkeep reads from the vault what was in them"
        ));
    }
    error.hint(format!("{path} is damaged or is no history of postkeep; it was left as it is")).hint(format!(
        "move {path}, {path}-wal and {path}-shm away together and run again: postkeep starts a new history, \
             and the files of your profiles are not touched"
    ))
}

/// A value in the database that no postkeep writes.
pub(super) fn unreadable(path: &Path, what: &str, cause: impl std::fmt::Display) -> Fault {
    let error =
        Error::other(format!("cannot read {what} in {}", path.display())).caused_by(cause.to_string());
    Fault::Said(damaged(error, &path.display().to_string(), Book::History))
}

/// Whether a file is no database, or one whose beginning is damaged. False where it cannot be told.
pub(super) fn is_damaged(path: &Path) -> bool {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let look = Connection::open_with_flags(path, flags).and_then(|conn| {
        conn.busy_timeout(BUSY)?;
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    });
    let code = look.err().and_then(|error| error.sqlite_error_code());
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// A time as it is stored: microseconds since 1970.
pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// A stored time; one outside the calendar is brought to its end.
pub(super) fn time(micros: i64) -> Timestamp {
    let end = if micros < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(micros).unwrap_or(end)
}

//! What postkeep remembers between two runs: the history of runs, the outbox, and the locks.
//!
//! Everything lives in one folder that only its owner can read:
//!
//! ```text
//! state.db              history and outbox (SQLite, WAL); copied to state.db.before-vN when its layout changes
//! spool/<run>.log.zst   the log of a run at work, moved into state.db when it ends
//! locks/                who is at work, held by the kernel and freed by a crash
//! archive/*.db          what archives of mail have, one for each profile and vault; made again from the vault
//! reserve               room that is given up when the disk is full
//! ```
//!
//! There is one struct per concern, each over the same connection: [`History`], [`Outbox`], [`Locks`]. SQL is
//! written in this module and nowhere else. A connection belongs to one thread; another thread or process opens
//! its own. Every write is a `BEGIN IMMEDIATE` transaction with `synchronous = FULL`: what was committed survives
//! a power cut.

use std::path::{Path, PathBuf};

use crate::error::Result;

mod accounts;
mod ack;
pub mod catalogue;
mod db;
mod finish;
mod history;
mod locks;
mod log;
mod outbox;
mod pack;
mod private;
mod prune;
mod reserve;
mod schedule;
mod schema;
mod spool;
#[cfg(test)]
mod testing;
mod traffic;

pub use accounts::{Accounts, Health, Side};
pub use ack::{Ack, failure_set};
pub use finish::{Begun, Finish, NewLetter, Report};
pub use history::{FailureKey, History, Query, RunRow, Series, failure_key};
pub use locks::{Access, Guard, Locks, Root};
pub use outbox::{Envelope, Letter, Outbox, Recipient, RecipientState, Settled, Waiting, Which, retry_wait};
pub use prune::{KEEP, KEEP_ROWS, MIN_PER_PROFILE, Pruned};
pub use schedule::{Memories, Setting, Trouble};
pub use spool::{LogSpool, Spooled, recover};
pub use traffic::{Quarter, Traffic, falls_to};

/// The name of the database in the state folder.
const FILE: &str = "state.db";

/// The opened state folder.
pub struct State {
    db: db::Db,
    dir: PathBuf,
}

impl State {
    /// Opens the state in `dir` for reading and writing; makes the folder (0700) and the database (0600) if they
    /// are not there, and brings an older database up to date after copying it beside itself.
    ///
    /// # Errors
    /// A folder that others can write, a database that is damaged, of another program or of a newer postkeep: it
    /// is refused and left as it is.
    pub fn open(dir: &Path) -> Result<Self> {
        let opened = match Self::open_once(dir) {
            Err(_) if reserve::is_full(dir) && reserve::give_up(dir) => Self::open_once(dir),
            opened => opened,
        }?;
        reserve::keep(dir);
        Ok(opened)
    }

    /// A state that knows nothing and keeps nothing, for telling that the one in `dir` cannot be used.
    ///
    /// # Errors
    /// There is no memory.
    pub fn stand_in(dir: &Path) -> Result<Self> {
        Ok(Self { db: schema::memory(&dir.join(FILE))?, dir: dir.to_owned() })
    }

    /// Frees the room that is kept for a full disk; whether there was any.
    pub fn make_room(&self) -> bool {
        reserve::give_up(&self.dir)
    }

    fn open_once(dir: &Path) -> Result<Self> {
        private::folder(dir)?;
        // One opener at a time: a new database is made and set up before anybody else looks at it.
        let _gate = Locks::new(dir).gate("state")?;
        let path = dir.join(FILE);
        private::file(&path)?;
        let db = schema::open(&path, schema::MIGRATIONS)?;
        Ok(Self { db, dir: dir.to_owned() })
    }

    /// Opens the state for reading only; None when nothing was ever recorded in `dir`. A database of an older
    /// postkeep is brought up to date first, as by [`State::open`].
    ///
    /// # Errors
    /// As [`State::open`].
    pub fn open_read_only(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(FILE);
        if !private::exists(&path)? {
            return Ok(None);
        }
        private::check(dir)?;
        match schema::open_read_only(&path, schema::MIGRATIONS)? {
            schema::Found::Nothing => Ok(None),
            schema::Found::Older => Self::open(dir).map(Some),
            schema::Found::Current(db) => Ok(Some(Self { db, dir: dir.to_owned() })),
        }
    }

    /// Twelve random hex digits, made once with the database: they tell this installation's letters from those
    /// of any other.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn install_id(&self) -> Result<String> {
        self.db.read("read the installation's id", |db| {
            Ok(db.query_row("SELECT value FROM setting WHERE key = 'install-id'", [], |row| row.get(0))?)
        })
    }

    /// Changes whenever another connection has written: another process, or a thread with a state of its own.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn generation(&self) -> Result<i64> {
        self.db
            .read("look at the history", |db| Ok(db.query_row("PRAGMA data_version", [], |row| row.get(0))?))
    }

    /// The history of runs.
    pub fn history(&self) -> History<'_> {
        History { db: &self.db, dir: &self.dir }
    }

    /// The letters that wait to be delivered.
    pub fn outbox(&self) -> Outbox<'_> {
        Outbox { db: &self.db }
    }

    /// How the accounts are.
    pub fn accounts(&self) -> Accounts<'_> {
        Accounts { db: &self.db }
    }

    /// What went to and came from mail accounts.
    pub fn traffic(&self) -> Traffic<'_> {
        Traffic { db: &self.db }
    }

    /// What the scheduler remembers.
    pub fn memories(&self) -> Memories<'_> {
        Memories { db: &self.db }
    }

    /// The locks.
    pub fn locks(&self) -> Locks {
        Locks::new(&self.dir)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_new_state_is_private_and_keeps_its_id() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("a/state");
        let state = State::open(&dir).unwrap();
        let id = state.install_id().unwrap();
        assert!(id.len() == 12 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        assert_eq!(mode(&dir), 0o700);
        for file in ["state.db", "state.db-wal", "state.db-shm"] {
            assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
        }
        drop(state);
        assert_eq!(State::open(&dir).unwrap().install_id().unwrap(), id);
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        for bad in [0o770, 0o707] {
            fs::set_permissions(temp.path(), fs::Permissions::from_mode(bad)).unwrap();
            let error = State::open(temp.path()).err().unwrap();
            assert!(error.one_line().contains("others can write"), "{error:?}");
            assert!(error.hints()[0].contains("chmod go-w"), "{:?}", error.hints());
        }
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(State::open(temp.path()).is_ok());
    }

    #[test]
    fn reading_makes_nothing_and_cannot_write() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("state");
        assert!(State::open_read_only(&dir).unwrap().is_none());
        assert!(!dir.exists());
        let id = State::open(&dir).unwrap().install_id().unwrap();
        let state = State::open_read_only(&dir).unwrap().unwrap();
        assert_eq!(state.install_id().unwrap(), id);
        let error = state.history().begin(&testing::begun("docs", 1)).unwrap_err();
        assert!(error.one_line().contains("state.db"), "{error:?}");
    }

    #[test]
    fn many_may_open_a_new_state_at_once() {
        let temp = tempfile::tempdir().unwrap();
        let ids: Vec<String> = std::thread::scope(|scope| {
            let open = || State::open(temp.path()).unwrap().install_id().unwrap();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}

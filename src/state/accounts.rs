//! How the accounts are: what is not written here is well.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};

use super::db::{Db, micros, time};
use crate::error::Result;

/// What is known of the accounts.
pub struct Accounts<'s> {
    pub(super) db: &'s Db,
}

/// An account that is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Its name.
    pub name: String,
    /// Since when no letter could be handed to it.
    pub down_since: Option<Timestamp>,
    /// What happened last.
    pub reason: Option<String>,
    /// Stands for the secret that its server refused: as long as the secret is the same it is not tried again.
    pub refused_secret: Option<String>,
}

/// A side of an account from which messages are read. Its server is another one than the one that takes letters, and may
/// refuse what that one takes: so its health is kept beside the account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The mailbox, by IMAP.
    Imap,
    /// The same by POP3.
    Pop3,
}

impl Side {
    /// What is added to the name of the account. No account of a configuration is called so.
    fn suffix(self) -> &'static str {
        match self {
            Self::Imap => " (imap)",
            Self::Pop3 => " (pop3)",
        }
    }

    /// The name under which the health of this side of an account is kept.
    pub fn of(self, account: &str) -> String {
        format!("{account}{}", self.suffix())
    }

    /// The account, and the side of it, whose health is kept under this name, if it is such a name.
    pub fn read(name: &str) -> Option<(&str, Self)> {
        [Self::Imap, Self::Pop3].into_iter().find_map(|side| Some((name.strip_suffix(side.suffix())?, side)))
    }
}

const COLUMNS: &str = "name, down_since, reason, refused_secret";

/// How many characters of a reason are kept.
const MAX_REASON: usize = 2_000;

impl Accounts<'_> {
    /// How an account is; None: well, as far as is known.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn get(&self, name: &str) -> Result<Option<Health>> {
        self.db.read("read how an account is", |db| {
            let sql = format!("SELECT {COLUMNS} FROM account WHERE name = ?1");
            Ok(db.query_row(&sql, [name], health).optional()?)
        })
    }

    /// All accounts that are not well, by name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn all(&self) -> Result<Vec<Health>> {
        self.db.read("read how the accounts are", |db| {
            let mut select = db.prepare_cached(&format!("SELECT {COLUMNS} FROM account ORDER BY name"))?;
            Ok(select.query_map([], health)?.collect::<Result<_, _>>()?)
        })
    }

    /// Records that an account could not be used; it is down since the first time.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn down(&self, name: &str, reason: &str, now: Timestamp) -> Result<()> {
        self.set(name, None, reason, now)
    }

    /// Records that an account's server refused the secret that `mark` stands for.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn login_refused(&self, name: &str, mark: &str, reason: &str, now: Timestamp) -> Result<()> {
        self.set(name, Some(mark), reason, now)
    }

    fn set(&self, name: &str, mark: Option<&str>, reason: &str, now: Timestamp) -> Result<()> {
        let reason: String = reason.chars().take(MAX_REASON).collect();
        self.db.write("record how an account is", |tx| {
            // A server that cannot be reached now may still refuse the secret that it refused before.
            let sql = "INSERT INTO account (name, down_since, reason, refused_secret) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (name) DO UPDATE SET reason = ?3, down_since = coalesce(down_since, ?2),
                       refused_secret = coalesce(?4, refused_secret)";
            tx.execute(sql, (name, micros(now), reason, mark))?;
            Ok(())
        })
    }

    /// Records that an account is well.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn up(&self, name: &str) -> Result<()> {
        // Mostly there is nothing to forget, and nothing is written then.
        if self.get(name)?.is_none() {
            return Ok(());
        }
        self.db.write("record how an account is", |tx| {
            tx.execute("DELETE FROM account WHERE name = ?1", [name])?;
            Ok(())
        })
    }
}

fn health(row: &Row<'_>) -> rusqlite::Result<Health> {
    Ok(Health {
        name: row.get(0)?,
        down_since: row.get::<_, Option<i64>>(1)?.map(time),
        reason: row.get(2)?,
        refused_secret: row.get(3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, at};

    #[test]
    fn an_account_is_down_since_the_first_failure_and_well_after_a_success() {
        let fixture = Fixture::new();
        let accounts = fixture.state.accounts();
        assert_eq!(accounts.get("mail").unwrap(), None);
        accounts.down("mail", "no route", at(10)).unwrap();
        accounts.login_refused("mail", "3f9a", "535", at(20)).unwrap();
        accounts.down("mail", "no route again", at(30)).unwrap();
        let health = accounts.get("mail").unwrap().unwrap();
        assert_eq!((health.down_since, health.reason.as_deref()), (Some(at(10)), Some("no route again")));
        assert_eq!(health.refused_secret.as_deref(), Some("3f9a"));
        assert_eq!(accounts.all().unwrap(), [health]);
        accounts.up("mail").unwrap();
        accounts.up("other").unwrap();
        assert!(accounts.all().unwrap().is_empty());
    }
}

//! Empties the outbox: each letter to the account that carries it, each result back into the outbox.

use std::path::PathBuf;
use std::time::Duration;

use super::Agent;
use crate::error::Result;
use crate::mail::maildir::{Maildir, Postman};
use crate::profile::Account;
use crate::run::RunId;
use crate::state::{Letter, Settled, Which};

/// The name under which letters wait for the Maildir in the state folder, which carries them where no account is set.
/// No account of a configuration can be called so.
pub const EMBEDDED: &str = "(embedded)";

/// How often, and how long, we wait for another process that empties the outbox: it may have looked before our
/// letter was in it.
const TRIES: u32 = 100;
const WAIT: Duration = Duration::from_millis(50);

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It lies in a Maildir.
    Filed {
        /// The run that it tells of.
        id: RunId,
        /// The file.
        path: PathBuf,
    },
    /// It is tried again later.
    Waits {
        /// The run that it tells of.
        id: RunId,
        /// Why it could not be delivered.
        reason: String,
    },
}

impl Agent<'_> {
    /// Delivers the letters that are due, or all that wait.
    ///
    /// # Errors
    /// The state cannot be read or written. A letter that cannot be delivered is no error: it waits.
    pub fn deliver(&self, all: bool) -> Result<Vec<Delivery>> {
        let Some(_lock) = self.wait_for_outbox()? else { return Ok(Vec::new()) };
        let which = if all { Which::All } else { Which::Due(self.clock.now()) };
        let outbox = self.state.outbox();
        let mut deliveries = Vec::new();
        // One at a time: a letter may carry a long log.
        for id in outbox.due(which)? {
            if let Some(letter) = outbox.letter(id, which)? {
                deliveries.push(self.deliver_one(&letter)?);
            }
        }
        Ok(deliveries)
    }

    fn wait_for_outbox(&self) -> Result<Option<crate::state::Guard>> {
        for _ in 0..TRIES {
            if let Some(lock) = self.state.locks().outbox()? {
                return Ok(Some(lock));
            }
            std::thread::sleep(WAIT);
        }
        Ok(None)
    }

    fn deliver_one(&self, letter: &Letter) -> Result<Delivery> {
        let filed = self.file(letter);
        let settled = match &filed {
            Ok(_) => Settled::Delivered,
            Err(error) => Settled::Later(error.one_line()),
        };
        for recipient in &letter.recipients {
            self.state.outbox().settle(letter.id, &recipient.address, &settled, self.clock.now())?;
        }
        Ok(match filed {
            Ok(path) => Delivery::Filed { id: letter.id, path },
            Err(error) => Delivery::Waits { id: letter.id, reason: error.one_line() },
        })
    }

    /// The account of all who name none of their own.
    fn own_account(&self) -> Option<&PathBuf> {
        match self.accounts.get(self.orphans.account.as_ref()?)? {
            Account::Maildir(path) => Some(path),
            Account::Sendmail(_) | Account::Smtp(_) => None,
        }
    }

    fn file(&self, letter: &Letter) -> Result<PathBuf> {
        let embedded = self.state_dir.join("mail");
        let path = match self.accounts.get(&letter.account) {
            Some(Account::Maildir(path)) => path,
            // An account that is gone takes no letter ever again: its letters go where reports go now.
            None if letter.account != EMBEDDED => self.own_account().unwrap_or(&embedded),
            Some(_) | None => &embedded,
        };
        let by = Postman { host: &self.host, pid: std::process::id() };
        Maildir::open_or_create(path)?.deliver(&letter.id.to_string(), &letter.mail, self.clock.now(), by)
    }
}

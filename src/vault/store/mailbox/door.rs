//! The way to the folder: the login, and what stands in its way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::budget::Budget;
use crate::error::{Error, Result};
use crate::mail::imap::{Dialer, Failed, Meaning, Patience, Selected, Session};
use crate::mail::secret::Secret;
use crate::mail::{Fault, FaultKind};
use crate::mutex::lock;
use crate::profile::Imap;

/// Fetches the account's secret.
pub(super) type GetSecret = Box<dyn Fn() -> Result<Secret> + Send + Sync>;

/// Hears what the server said to a login with this secret: why it refuses it, or nothing.
pub type Heard = Box<dyn Fn(&Secret, Option<&Error>) + Send + Sync>;

/// Why a connection cannot be had, or what was done over one failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no such folder.
    NoFolder,
    /// It may go well another time.
    Again(Error),
    /// It will not.
    Final(Error),
}

/// Opens connections.
pub(super) struct Door {
    account: Imap,
    folder: String,
    secret: GetSecret,
    heard: Heard,
    /// Whether the server took our login, and did not refuse it since.
    worked: AtomicBool,
    patience: Patience,
    dialer: Mutex<Option<Dialer>>,
    budget: Arc<dyn Budget>,
}

impl Door {
    pub(super) fn new(
        account: Imap,
        (secret, heard): (GetSecret, Heard),
        folder: String,
        patience: Patience,
        budget: Arc<dyn Budget>,
    ) -> Self {
        let (worked, dialer) = (AtomicBool::new(false), Mutex::new(None));
        Self { account, folder, secret, heard, worked, patience, dialer, budget }
    }

    /// The account.
    pub(super) fn account(&self) -> &Imap {
        &self.account
    }

    fn dialer(&self) -> Result<Dialer, Trouble> {
        let mut dialer = lock(&self.dialer);
        match &*dialer {
            Some(dialer) => Ok(dialer.clone()),
            None => {
                let secret = (self.secret)().map_err(|error| Trouble::Final(error.away()))?;
                let new = Dialer::new(self.account.clone(), secret).patience(self.patience);
                Ok(dialer.insert(new).clone())
            }
        }
    }

    /// A session that is logged in. `others` says whether there are connections.
    pub(super) fn log_in(&self, others: &dyn Fn() -> bool) -> Result<Session, Trouble> {
        let dialer = self.dialer()?;
        match dialer.open() {
            Ok(session) => {
                if !self.worked.swap(true, Ordering::Relaxed) {
                    (self.heard)(&dialer.secret(), None);
                }
                Ok(session)
            }
            // Over another connection the same secret is good: the server wants no more of them, and says so badly.
            Err(Fault { kind: FaultKind::Login, error }) if others() => Err(Trouble::Again(error.away())),
            Err(Fault { kind: FaultKind::Login, error }) => {
                self.worked.store(false, Ordering::Relaxed);
                (self.heard)(&dialer.secret(), Some(&error));
                // Whoever comes next asks for the secret anew, and hears whether it may be tried.
                *lock(&self.dialer) = None;
                Err(Trouble::Final(error))
            }
            Err(Fault { error, .. }) => Err(Trouble::Again(error.away())),
        }
    }

    /// Whether a connection of this store has worked.
    pub(super) fn has_worked(&self) -> bool {
        self.worked.load(Ordering::Relaxed)
    }

    /// Opens the folder, and makes it first, if that is wanted and it is not there.
    pub(super) fn open_folder(&self, session: &mut Session, make: bool) -> Result<Selected, Trouble> {
        if make && !session.can_expunge() {
            return Err(Trouble::Final(
                Error::other(format!("{} can remove no single messages (UIDPLUS)", self.account.server()))
                    .hint("a vault needs that; use an account at another server"),
            ));
        }
        let what = || format!("cannot open the folder {} at {}", self.folder, self.account.server());
        let no = match session.select(&self.folder) {
            Ok(selected) if selected.read_only => {
                return Err(Trouble::Final(
                    Error::other(format!("the folder {} can only be read", self.folder))
                        .hint("give a folder of the account's own"),
                ));
            }
            Ok(selected) => return Ok(selected),
            Err(Failed::No(no)) => no,
            Err(failed) => return Err(self.trouble(failed, &what())),
        };
        // The list knows better than the words of a no whether it is there.
        let folders = session.folders(false).map_err(|failed| self.trouble(failed, &what()))?;
        if folders.iter().any(|folder| folder.path == self.folder && folder.selectable) {
            // Somebody else may be making it: then it is listed before it can be opened.
            return match session.select(&self.folder) {
                Ok(selected) if !selected.read_only => Ok(selected),
                _ if make => Err(Trouble::Again(Failed::No(no).error(what()))),
                _ => Err(self.trouble(Failed::No(no), &what())),
            };
        }
        // While others make and delete folders, some servers overlook one for a moment.
        let made = if make { session.create(&self.folder) } else { Ok(()) };
        let cannot = || format!("cannot make the folder {} at {}", self.folder, self.account.server());
        match (session.select(&self.folder), made) {
            (Ok(selected), _) => Ok(selected),
            (Err(Failed::No(_)), Ok(())) if !make => Err(Trouble::NoFolder),
            (_, Err(failed)) | (Err(failed), _) => Err(self.trouble(failed, &cannot())),
        }
    }

    /// What a failure means.
    pub(super) fn trouble(&self, failed: Failed, what: &str) -> Trouble {
        match failed.meaning() {
            Meaning::Throttled => Trouble::Final(
                self.budget.throttled().error(&self.account.server()).caused_by(failed.to_string()),
            ),
            Meaning::Later => Trouble::Again(failed.error(what).away()),
            Meaning::Unknown => Trouble::Again(failed.error(what)),
            _ => Trouble::Final(failed.error(what)),
        }
    }
}

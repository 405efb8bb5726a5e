//! Locks: real restic lock objects, so that machines that share a vault, and restic beside them, respect each other.
//!
//! restic's protocol: look, write the own lock, look again; a lock is renewed every five minutes, and stale after thirty.
//! Who only adds or reads takes a shared lock; who removes takes an exclusive one, which goes with no other.
//!
//! A machine that slept through half an hour has lost its lock: another one may have removed it as stale, and pruned what
//! a half-made snapshot needs. So stale locks are removed and never just passed over, and who renews a lock looks first
//! whether it is still there; when it is not, nothing is written any more.
//!
//! Two machines may have one name. So whose process is dead before the half hour is over is only told by a mark that
//! no two machines share; restic's locks have none, and are judged by the name only by `unlock`, as restic does.

mod keeper;
mod object;
mod own;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use self::keeper::Keeper;
use self::object::Object;
use self::own::{here, own, withstand_restic};
use super::Vault;
use super::adapter::Adapter;
use super::crypt::Key;
use super::store::{Id, Kind, Store};
use crate::clock::{Clock, System};
use crate::error::{self, Error, Result};

/// How long others have to see a lock before its owner looks for theirs again. restic's figure.
const SETTLE: Duration = Duration::from_millis(200);

/// How often the locks are looked at when one vanishes while it is read.
const LOOKS: u32 = 5;

/// What a lock allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Others may save and read, too.
    Shared,
    /// Nobody else is at work.
    Exclusive,
}

/// A lock that is held. It is renewed until it is dropped, and removed then.
#[derive(Debug)]
pub struct Lock {
    keeper: Keeper,
    access: Access,
    since: Instant,
    settled: bool,
}

/// What [`Vault::unlock`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unlocked {
    /// How many locks were removed.
    pub removed: usize,
    /// Who holds the locks that are left.
    pub left: Vec<String>,
}

/// What the keeper of locks works with.
#[derive(Clone)]
struct Bench {
    store: Arc<dyn Store>,
    backend: Arc<Adapter>,
    key: Key,
}

/// A lock in the store.
struct Found {
    id: Id,
    /// None: it cannot be read.
    object: Option<Object>,
}

/// One look at all locks.
struct Look {
    locks: Vec<Found>,
    /// One that could not be read.
    unread: Option<(Id, Error)>,
}

impl Vault {
    /// Locks the vault for a piece of work.
    ///
    /// # Errors
    /// [`Locked`](error::Kind::Locked): somebody else is at work. Or the store cannot be written.
    pub fn lock(&self, access: Access) -> Result<Lock> {
        let mut lock = self.begin_lock(access)?;
        lock.confirm()?;
        Ok(lock)
    }

    /// Locks the vault, but leaves it to the caller to [`confirm`](Lock::confirm) before the first write: what is read
    /// meanwhile costs no extra time.
    pub(crate) fn begin_lock(&self, access: Access) -> Result<Lock> {
        withstand_restic();
        let bench = self.bench();
        bench.refuse_others(access, None)?;
        let (id, sealed) = own(access).sealed(&bench.key)?;
        bench.store.write(Kind::Lock, &id, sealed)?;
        self.backend.reopen();
        let keeper = Keeper::start(bench, id, access);
        let lock = Lock { keeper, access, since: Instant::now(), settled: false };
        lock.refuse_others()?;
        Ok(lock)
    }

    /// Removes stale locks; with `all` those of the living, too.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn unlock(&self, all: bool) -> Result<Unlocked> {
        let bench = self.bench();
        let now = System.now();
        let (gone, left): (Vec<_>, Vec<_>) =
            bench.locks(None)?.into_iter().partition(|found| all || found.seems_stale(now));
        let ids: Vec<_> = gone.iter().map(|found| found.id).collect();
        if !ids.is_empty() {
            bench.store.remove(Kind::Lock, &ids)?;
        }
        Ok(Unlocked { removed: ids.len(), left: left.iter().map(|found| found.holder(now)).collect() })
    }

    fn bench(&self) -> Bench {
        Bench { store: Arc::clone(&self.store), backend: Arc::clone(&self.backend), key: self.key.clone() }
    }
}

impl Lock {
    /// Waits until others must have seen the lock, and looks for theirs again.
    ///
    /// # Errors
    /// [`Locked`](error::Kind::Locked): somebody else came at the same time.
    pub(crate) fn confirm(&mut self) -> Result<()> {
        if !self.settled {
            std::thread::sleep(SETTLE.saturating_sub(self.since.elapsed()));
            self.refuse_others()?;
            self.settled = true;
        }
        Ok(())
    }

    /// Fails when the lock was lost while it was held.
    ///
    /// # Errors
    /// [`Locked`](error::Kind::Locked).
    pub(crate) fn check(&self) -> Result<()> {
        match self.keeper.is_lost() {
            false => Ok(()),
            true => Err(Error::new(
                error::Kind::Locked,
                "the vault's lock was lost: this machine was asleep or cut off for half an hour, and somebody else \
                 took it for dead",
            )
            .hint("run it again: what was stored so far is used")),
        }
    }

    fn refuse_others(&self) -> Result<()> {
        let bench = self.keeper.bench();
        bench.refuse_others(self.access, Some(self.keeper.id()))?;
        bench.backend.looked();
        Ok(())
    }
}

impl Bench {
    /// The locks that are there, but for our own. One that vanishes meanwhile was renewed, under another name, or given
    /// back.
    fn locks(&self, own: Option<Id>) -> Result<Vec<Found>> {
        let mut look = self.look(own)?;
        for _ in 1..LOOKS {
            match look.unread.as_ref().map(|(id, _)| *id) {
                Some(id) if self.store.list(Kind::Lock)?.iter().all(|found| found.id != id) => {
                    look = self.look(own)?;
                }
                _ => break,
            }
        }
        look.unread.map_or(Ok(look.locks), |(_, error)| Err(error))
    }

    fn look(&self, own: Option<Id>) -> Result<Look> {
        let mut look = Look { locks: Vec::new(), unread: None };
        for found in self.store.list(Kind::Lock)?.into_iter().filter(|found| Some(found.id) != own) {
            match self.store.read(Kind::Lock, &found.id) {
                Ok(sealed) => {
                    look.locks.push(Found { id: found.id, object: Object::unsealed(&sealed, &self.key) })
                }
                Err(error) => look.unread = Some((found.id, error)),
            }
        }
        Ok(look)
    }

    /// Removes stale locks, and fails when one is left that does not go with `access`.
    fn refuse_others(&self, access: Access, own: Option<Id>) -> Result<()> {
        let now = System.now();
        let (stale, others): (Vec<_>, Vec<_>) =
            self.locks(own)?.into_iter().partition(|found| found.is_stale(now));
        if !stale.is_empty() {
            self.store.remove(Kind::Lock, &stale.iter().map(|found| found.id).collect::<Vec<_>>())?;
        }
        match others.iter().find(|found| access == Access::Exclusive || found.is_exclusive()) {
            None => Ok(()),
            Some(other) => {
                Err(Error::new(
                    error::Kind::Locked,
                    format!("the vault {} is in use by {}", self.store.place(), other.holder(now)),
                )
                .hint("wait until that is done, and run it again")
                .hint(
                    "if nobody is at work there any more: postkeep vault unlock PROFILE, and --remove-all for a lock that is not stale",
                ))
            }
        }
    }
}

impl Found {
    fn is_stale(&self, now: Timestamp) -> bool {
        self.object.as_ref().is_some_and(|object| here(|here| object.is_stale(now, here)))
    }

    fn seems_stale(&self, now: Timestamp) -> bool {
        self.object.as_ref().is_some_and(|object| here(|here| object.seems_stale(now, here)))
    }

    /// What cannot be read may be anything.
    fn is_exclusive(&self) -> bool {
        self.object.as_ref().is_none_or(|object| object.exclusive)
    }

    fn holder(&self, now: Timestamp) -> String {
        let Some(object) = &self.object else { return format!("a lock that cannot be read ({})", self.id) };
        let age = now.duration_since(object.time).max(jiff::SignedDuration::ZERO);
        let what = if object.exclusive { "alone" } else { "with others" };
        let renewed = match age.as_secs() {
            0 => "just now".to_owned(),
            secs => format!("{} ago", crate::profile::show_duration(jiff::SignedDuration::from_secs(secs))),
        };
        format!("{}, {what}, last renewed {renewed}", object.holder())
    }
}

#[cfg(test)]
mod tests;

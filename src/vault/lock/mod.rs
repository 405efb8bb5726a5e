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
mod mark;
mod object;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use self::keeper::Keeper;
use self::object::{Here, Object};
use super::Vault;
use super::adapter::Adapter;
use super::crypt::Key;
use super::names::host;
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

/// A lock of this process.
fn own(access: Access) -> Object {
    let uid = rustix::process::geteuid();
    Object {
        time: System.now(),
        exclusive: access == Access::Exclusive,
        hostname: host(),
        username: super::names::user(uid.as_raw()).unwrap_or_default(),
        pid: rustix::process::getpid().as_raw_nonzero().get(),
        uid: uid.as_raw(),
        gid: rustix::process::getegid().as_raw(),
        mark: mark::mark(),
    }
}

/// What a lock is judged by.
fn here<T>(judge: impl FnOnce(&Here<'_>) -> T) -> T {
    let (host, mark) = (host(), mark::mark());
    judge(&Here { host: &host, mark: mark.as_deref(), alive: is_alive })
}

/// restic asks whether the holder of a lock lives by sending it SIGHUP, which ends a process that does not listen. So from
/// the first lock on this one listens, to no effect, beside whoever else does; as restic itself. A backup also goes on
/// when its terminal is closed.
fn withstand_restic() {
    static LISTEN: std::sync::Once = std::sync::Once::new();
    LISTEN.call_once(|| {
        let heard = Arc::new(std::sync::atomic::AtomicBool::new(false));
        // Where that fails, `restic unlock` on this machine ends this process, no more.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGHUP, heard);
    });
}

/// Whether a process of this machine lives, be it another user's.
fn is_alive(pid: i32) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid) else { return false };
    !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Options;
    use crate::vault::store::memory::Memory;

    fn vault(heap: &Arc<Memory>, temp: &tempfile::TempDir) -> Vault {
        let store = Arc::clone(heap) as Arc<dyn Store>;
        if count(heap, Kind::Config) == 0 {
            let options = Options { compression: 3, host: "nas".into(), user: "ann".into() };
            Vault::create(Arc::clone(&store), "secret", &options).unwrap();
        }
        Vault::open(store, "secret", &temp.path().join("keys"), &temp.path().join("cache")).unwrap()
    }

    fn count(heap: &Memory, kind: Kind) -> usize {
        heap.list(kind).unwrap().len()
    }

    fn put(vault: &Vault, change: impl Fn(&mut Object)) -> Id {
        let mut object = own(Access::Shared);
        change(&mut object);
        let (id, sealed) = object.sealed(&vault.key).unwrap();
        vault.store.write(Kind::Lock, &id, sealed).unwrap();
        id
    }

    #[test]
    fn shared_locks_go_together_and_an_exclusive_one_with_none() {
        use Access::{Exclusive, Shared};
        let (heap, temp) = (Arc::new(Memory::default()), tempfile::tempdir().unwrap());
        let (one, two) = (vault(&heap, &temp), vault(&heap, &temp));
        for (first, second, together) in [
            (Shared, Shared, true),
            (Shared, Exclusive, false),
            (Exclusive, Shared, false),
            (Exclusive, Exclusive, false),
        ] {
            let held = one.lock(first).unwrap();
            let tried = two.lock(second);
            assert_eq!(tried.is_ok(), together, "{first:?} {second:?}");
            if let Err(error) = &tried {
                assert_eq!(error.kind(), error::Kind::Locked, "{error:?}");
                assert!(error.to_string().contains("process"), "{error}");
            }
            drop(tried);
            assert_eq!(count(&heap, Kind::Lock), 1, "a refused lock is left");
            drop(held);
            assert_eq!(count(&heap, Kind::Lock), 0, "a lock is left");
        }
    }

    #[test]
    fn stale_locks_do_not_hold_anybody_up_and_unlock_removes_them() {
        let (heap, temp) = (Arc::new(Memory::default()), tempfile::tempdir().unwrap());
        let vault = vault(&heap, &temp);
        // No process has this number: it is above what the kernel gives.
        let dead = |object: &mut Object| object.pid = i32::MAX;
        let elsewhere = |object: &mut Object| (object.hostname, object.exclusive) = ("other".into(), true);
        put(&vault, dead);
        drop(vault.lock(Access::Exclusive).unwrap());
        assert_eq!(count(&heap, Kind::Lock), 0, "the stale lock is left");

        put(&vault, dead);
        put(&vault, elsewhere);
        let unlocked = vault.unlock(false).unwrap();
        assert_eq!((unlocked.removed, unlocked.left.len()), (1, 1), "{unlocked:?}");
        assert!(unlocked.left[0].contains("other") && unlocked.left[0].contains("alone"), "{unlocked:?}");
        vault.lock(Access::Shared).unwrap_err();
        vault.store.write(Kind::Lock, &Id([9; 32]), b"no lock".as_slice().into()).unwrap();
        assert_eq!(vault.unlock(true).unwrap(), Unlocked { removed: 2, left: Vec::new() });
        vault.lock(Access::Shared).unwrap();
    }

    #[test]
    fn another_machine_of_our_name_is_not_taken_for_dead() {
        let (heap, temp) = (Arc::new(Memory::default()), tempfile::tempdir().unwrap());
        let vault = vault(&heap, &temp);
        let ours = own(Access::Shared).mark;
        assert!(ours.is_some() && ours == own(Access::Shared).mark, "{ours:?}");
        put(&vault, |object| (object.pid, object.mark) = (i32::MAX, Some("another boot".into())));
        let error = vault.lock(Access::Exclusive).unwrap_err();
        assert_eq!(error.kind(), error::Kind::Locked, "{error:?}");
        assert_eq!(vault.unlock(false).unwrap().left.len(), 1);
        vault.unlock(true).unwrap();
        // restic's says no more than a name: only who asks for it has it removed.
        put(&vault, |object| (object.pid, object.mark) = (i32::MAX, None));
        vault.lock(Access::Exclusive).unwrap_err();
        assert_eq!(vault.unlock(false).unwrap().removed, 1);
        vault.lock(Access::Exclusive).unwrap();
    }

    #[test]
    fn who_was_taken_for_dead_writes_nothing_more() {
        let (heap, temp) = (Arc::new(Memory::default()), tempfile::tempdir().unwrap());
        let vault = vault(&heap, &temp);
        let lock = vault.lock(Access::Shared).unwrap();
        lock.check().unwrap();
        let id = lock.keeper.id();
        lock.keeper.renew_now();
        assert_ne!(lock.keeper.id(), id, "it was not renewed");
        assert_eq!(count(&heap, Kind::Lock), 1);
        lock.check().unwrap();

        vault.unlock(true).unwrap();
        lock.keeper.renew_now();
        assert_eq!(lock.check().unwrap_err().kind(), error::Kind::Locked);
        let write = || {
            let keys = rustic_core::KeyOptions::default();
            vault
                .repository()?
                .add_key("more", &keys)
                .map_err(|error| super::super::guard::translated(&error, "no"))
        };
        assert!(write().unwrap_err().one_line().contains("nothing is written any more"));
        assert_eq!(count(&heap, Kind::Key), 1);
        drop(lock);
        assert_eq!(count(&heap, Kind::Lock), 0);
    }
}

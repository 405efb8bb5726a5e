//! A folder of a mailbox whose messages are the vault's objects.
//!
//! - *Stored* means: the server said so, and the message was seen in the folder, by its UID, with the size that it was
//!   sent with. What is small and everything hangs on (keys, config, index, snapshots) is read back as a whole.
//! - After a lost answer the folder is asked for what is new before anything is sent again. A letter that came twice
//!   does no harm: the lowest UID counts, and `remove` takes the others along.
//! - Packs wait in a queue that is bounded by bytes and worked off over several connections (`upload`).
//! - A map of UIDs (`map`), kept on disk (`cache`), makes a listing one SELECT and, if there is news, one FETCH.
//! - Messages that are none of this vault's are left alone.

mod again;
mod ahead;
mod budget;
mod cache;
mod door;
mod map;
mod options;
mod pool;
mod queue;
mod read;
mod refresh;
mod removal;
mod room;
mod send;
mod settle;
mod upload;
mod withheld;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;

pub use self::budget::{Budget, Spent, Unlimited};
pub use self::door::Heard;
pub use self::options::Options;

use self::ahead::Wants;
use self::door::{Door, Trouble};
use self::map::Map;
use self::pool::{Lease, Pool};
use self::queue::Queue;
use self::room::Watch;
use self::withheld::Withheld;
use super::letter::{self, LineEnd, VaultId};
use super::which::Which;
use super::{Found, Id, Kind, Room, Store, Traffic};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::mutex::lock;

/// The largest pack that it likes: with what the last blob may add it is one message of most servers.
const PACK: u64 = 8 << 20;

/// How long somebody who makes a vault may take to see that another one was first.
const GIVE_WAY: Duration = Duration::from_secs(1);

/// The largest message if nobody says what the server takes.
const MESSAGE: u64 = 24 << 20;

/// A vault in a mailbox.
pub struct Mailbox(Arc<Inner>);

struct Inner {
    place: String,
    folder: String,
    pool: Pool,
    which: Which,
    map: Mutex<Option<Map>>,
    /// Held by the one that asks the server what is new.
    asking: Mutex<()>,
    /// When the folder was looked at last.
    looked: Mutex<Option<Instant>>,
    wants: Wants,
    withheld: Withheld,
    /// Whether the server has given a letter in other lines than it was written in.
    breaks_lines: AtomicBool,
    queue: Queue,
    room: Mutex<Watch>,
    cache: Option<PathBuf>,
    budget: Arc<dyn Budget>,
    clock: Arc<dyn Clock>,
    retries: Vec<Duration>,
    sleep: Box<dyn Fn(Duration) + Send + Sync>,
    /// Nothing is waited for any more.
    hurried: AtomicBool,
}

impl Mailbox {
    /// The vault in this folder. Nothing is connected yet.
    pub fn new(options: Options) -> Self {
        let Options { account, secret, heard, folder, vault, cache, budget, clock, patience, retries, sleep } =
            options;
        let place = format!("imap:{}@{}/{folder}", account.login.user, account.server());
        // A name for the file that no other mailbox has.
        let cache = cache.map(|dir| dir.join(format!("{}.map", &Id::of(place.as_bytes()).to_string()[..16])));
        let loaded = cache.as_deref().and_then(cache::load);
        let loaded = loaded.filter(|(_, known)| vault.is_none() || *known == vault);
        let (map, known) = loaded.map_or((None, None), |(map, known)| (Some(map), known));
        let pool = Pool::new(
            Door::new(account, (secret, heard), folder.clone(), patience, Arc::clone(&budget)),
            Arc::clone(&budget),
        );
        Self(Arc::new(Inner {
            place: crate::entry::show(place.as_bytes()),
            folder,
            pool,
            which: match (vault, known) {
                (None, Some(known)) => Which::remembered(known),
                (vault, _) => Which::new(vault),
            },
            map: Mutex::new(map),
            asking: Mutex::new(()),
            looked: Mutex::default(),
            wants: Wants::default(),
            withheld: Withheld::default(),
            breaks_lines: AtomicBool::new(false),
            queue: Queue::default(),
            room: Mutex::default(),
            cache,
            budget,
            clock,
            retries,
            sleep,
            hurried: AtomicBool::new(false),
        }))
    }

    /// The vault's id, if there is a vault.
    ///
    /// # Errors
    /// The mailbox cannot be read, or holds several vaults.
    pub fn vault_id(&self) -> Result<Option<VaultId>> {
        self.0.refresh()?;
        Ok(self.0.which.get())
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.0.queue.close();
        self.0.save();
        self.0.budget.settle();
    }
}

impl Inner {
    fn map(&self) -> MutexGuard<'_, Option<Map>> {
        lock(&self.map)
    }

    /// All objects of a kind, as far as is known.
    fn known_of(&self, kind: Kind) -> Vec<Found> {
        self.map().as_ref().map_or_else(Vec::new, |map| map.catalogue.list(kind))
    }

    fn no_folder(&self) -> Error {
        Error::other(format!("the folder of {} is not there", self.place))
            .hint("was it renamed or deleted? The vault's messages are in it")
    }

    /// Puts the map on disk. It is a help, so what goes wrong with that is nobody's failure.
    fn save(&self) {
        let Some(path) = &self.cache else { return };
        let copy = match &mut *self.map() {
            Some(map) if map.dirty => {
                map.dirty = false;
                map.clone()
            }
            _ => return,
        };
        let _ = cache::save(path, &copy, self.which.get());
    }

    /// The largest message, in bytes.
    fn message_limit(&self) -> u64 {
        self.pool.message_limit().unwrap_or(MESSAGE)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({})", self.0.place)
    }
}

impl Store for Mailbox {
    fn place(&self) -> String {
        self.0.place.clone()
    }

    fn largest_pack(&self) -> Option<u64> {
        Some(PACK)
    }

    fn create(&self) -> Result<()> {
        self.0.make_folder()?;
        // Two others may have begun here at the same time, of whom one will give way.
        self.0.refresh().or_else(|_| {
            self.0.rest(GIVE_WAY);
            self.0.refresh()
        })?;
        let new = self.0.which.get().is_none();
        let vault = self.0.which.get_or_new();
        self.0.append_read_me(letter::read_me(vault, self.0.clock.now(), LineEnd::CrLf))?;
        if new { self.0.give_way() } else { Ok(()) }
    }

    fn write_first(&self, config: Bytes) -> Result<()> {
        upload::write_first(&self.0, config)
    }

    fn list(&self, kind: Kind) -> Result<Vec<Found>> {
        self.0.refresh()?;
        self.0.save();
        Ok(self.0.known_of(kind))
    }

    fn list_again(&self, kind: Kind) -> Result<Vec<Found>> {
        if self.0.has_looked() { Ok(self.0.known_of(kind)) } else { self.list(kind) }
    }

    fn read(&self, kind: Kind, id: &Id) -> Result<Bytes> {
        self.0.read(kind, id, None)
    }

    fn read_range(&self, kind: Kind, id: &Id, range: Range<u64>) -> Result<Bytes> {
        self.0.read(kind, id, Some(range))
    }

    fn write(&self, kind: Kind, id: &Id, object: Bytes) -> Result<()> {
        upload::write(&self.0, kind, id, object)
    }

    fn flush(&self) -> Result<()> {
        self.0.queue.flush()?;
        self.0.save();
        Ok(())
    }

    fn remove(&self, kind: Kind, ids: &[Id]) -> Result<()> {
        self.0.remove(kind, ids)
    }

    fn stretch(&self) -> u64 {
        // A whole pack: to find the middle of a message is work for a server.
        2 * PACK
    }

    fn letters(&self) -> Option<VaultId> {
        self.0.which.get()
    }

    fn readers(&self) -> usize {
        2 * self.0.pool.connections()
    }

    fn traffic(&self) -> Traffic {
        self.0.pool.counter.traffic()
    }

    fn hurry(&self) {
        self.0.hurried.store(true, Relaxed);
    }

    fn room(&self) -> Result<Option<Room>> {
        let quota = self.0.attempt("ask for the room of", |lease| lease.session.quota(&self.0.folder))?;
        Ok(quota.flatten().map(|quota| Room { used: quota.used, limit: quota.limit }))
    }
}

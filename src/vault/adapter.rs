//! A [`Store`] as rustic_core wants it.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustic_core::{BytesList, ErrorKind, FileType, ReadBackend, RusticError, RusticResult, WriteBackend};
use sha2::{Digest, Sha256};

use super::sound::sound_key;
use super::store::{Found, Id, Kind, Store};
use crate::error::Error;
use crate::mutex::lock;

/// How long after a look at the store another listing may be made from it.
const LATELY: Duration = Duration::from_secs(2);

/// How rustic_core says that a password does not open a key.
const NOT_THIS_KEY: &str = "C001";

/// The store behind rustic_core's traits.
///
/// rustic_core wraps errors as text. So that ours come out as they went in, with their kind and their hints, the first
/// one since [`begin`](Self::begin) is kept aside.
#[derive(Debug)]
pub(super) struct Adapter {
    store: Arc<dyn Store>,
    failed: Mutex<Option<Error>>,
    write_failed: AtomicBool,
    closed: AtomicBool,
    /// Snapshots are not stored.
    withheld: AtomicBool,
    last_snapshot: Mutex<Option<Id>>,
    /// Why the first key that cannot be used cannot.
    bad_key: Mutex<Option<Error>>,
    /// The key and the config of a vault that is being made here; None: of one that is there.
    founded: Option<Mutex<Founded>>,
    /// The config: each handle on the repository would ask for it three times.
    config: Mutex<Option<(Found, Bytes)>>,
    /// When the store was looked at last, and which kinds were listed from that.
    looked: Mutex<Option<(Instant, Vec<Kind>)>>,
}

/// What makes a vault.
#[derive(Debug, Clone, Default)]
pub(super) struct Founded {
    /// The key's name.
    pub key: Option<Id>,
    /// The config.
    pub config: Option<Bytes>,
}

impl Adapter {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            failed: Mutex::default(),
            write_failed: AtomicBool::default(),
            closed: AtomicBool::default(),
            withheld: AtomicBool::default(),
            last_snapshot: Mutex::default(),
            bad_key: Mutex::default(),
            founded: None,
            config: Mutex::default(),
            looked: Mutex::default(),
        }
    }

    /// The store was looked at just now: each kind may be listed once from that.
    pub fn looked(&self) {
        *lock(&self.looked) = Some((Instant::now(), Vec::new()));
    }

    /// All objects of a kind, as they are now or were when the vault was opened or locked a moment ago.
    fn list(&self, kind: Kind) -> RusticResult<Vec<Found>> {
        let again = match &mut *lock(&self.looked) {
            Some((at, listed)) if at.elapsed() < LATELY && !listed.contains(&kind) => {
                listed.push(kind);
                true
            }
            _ => false,
        };
        let listed = if again { self.store.list_again(kind) } else { self.store.list(kind) };
        listed.map_err(|error| self.keep(error))
    }

    /// For a vault that is being made: nobody's config is replaced.
    pub fn founding(store: Arc<dyn Store>) -> Self {
        Self { founded: Some(Mutex::default()), ..Self::new(store) }
    }

    /// What was written of the vault that is being made.
    pub fn founded(&self) -> Founded {
        self.founded.as_ref().map(|founded| lock(founded).clone()).unwrap_or_default()
    }

    /// Forgets the errors of what was done before.
    pub fn begin(&self) {
        *lock(&self.failed) = None;
        self.write_failed.store(false, SeqCst);
    }

    /// Why a key could not be used that was tried.
    pub fn bad_key(&self) -> Option<Error> {
        lock(&self.bad_key).take()
    }

    /// The first error of the store since the beginning.
    pub fn failure(&self) -> Option<Error> {
        lock(&self.failed).take()
    }

    /// Refuses each write from now on: what is being made must not become a snapshot.
    pub fn close(&self) {
        self.closed.store(true, SeqCst);
    }

    /// Takes writes again.
    pub fn reopen(&self) {
        self.closed.store(false, SeqCst);
    }

    /// Says whether snapshots are withheld: the library saves one of whatever it was offered.
    pub fn withhold(&self, withheld: bool) {
        self.withheld.store(withheld, SeqCst);
    }

    /// The snapshot that was stored last.
    pub fn last_snapshot(&self) -> Option<Id> {
        *lock(&self.last_snapshot)
    }

    /// Whether a write failed since the beginning: then nothing that is done makes sense any more.
    pub fn has_failed(&self) -> bool {
        self.closed.load(SeqCst) || self.write_failed.load(SeqCst)
    }

    /// Keeps an error and gives rustic_core one of its own.
    fn keep(&self, error: Error) -> Box<RusticError> {
        let text = error.one_line();
        lock(&self.failed).get_or_insert(error);
        RusticError::new(ErrorKind::Backend, text)
    }

    /// Whether there is a config.
    pub fn has_config(&self) -> RusticResult<bool> {
        Ok(self.config()?.is_some())
    }

    /// A key. For the library one that cannot be used is one that the password does not open: it tries the others then.
    fn key(&self, id: &Id) -> RusticResult<Bytes> {
        let place = self.store.place();
        let read = self.store.read(Kind::Key, id);
        read.and_then(|read| sound_key(&read, id, &place).map(|()| read)).map_err(|error| {
            let text = error.one_line();
            lock(&self.bad_key).get_or_insert(error);
            RusticError::new(ErrorKind::Credentials, text).attach_error_code(NOT_THIS_KEY)
        })
    }

    fn store(&self, kind: Kind, id: Id, object: Bytes) -> Result<(), Error> {
        let Some(founded) = &self.founded else { return self.store.write(kind, &id, object) };
        match kind {
            Kind::Key => lock(founded).key = Some(id),
            Kind::Config => {
                lock(founded).config = Some(object.clone());
                return self.store.write_first(object);
            }
            _ => {}
        }
        self.store.write(kind, &id, object)
    }

    fn config(&self) -> RusticResult<Option<(Found, Bytes)>> {
        let mut config = lock(&self.config);
        if config.is_none()
            && let Some(found) = self.list(Kind::Config)?.pop()
        {
            let read = self.store.read(Kind::Config, &found.id).map_err(|error| self.keep(error))?;
            *config = Some((Found { size: read.len() as u64, ..found }, read));
        }
        Ok(config.clone())
    }
}

impl ReadBackend for Adapter {
    fn location(&self) -> String {
        self.store.place()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(rustic_core::Id, u32)>> {
        let found = match tpe {
            FileType::Config => self.config()?.into_iter().map(|(found, _)| found).collect(),
            _ => self.list(kind(tpe))?,
        };
        let sized = found.into_iter().map(|Found { id, size }| match u32::try_from(size) {
            Ok(size) => Ok((theirs(&id), size)),
            Err(_) => Err(self.keep(Error::other(format!(
                "the {} {id} in {} is larger than the 4 GiB that the format allows",
                kind(tpe).word(),
                self.store.place()
            )))),
        });
        sized.collect()
    }

    fn read_full(&self, tpe: FileType, id: &rustic_core::Id) -> RusticResult<Bytes> {
        if tpe == FileType::Config
            && let Some((_, config)) = self.config()?
        {
            return Ok(config);
        }
        let (kind, id) = (kind(tpe), ours(id));
        if kind == Kind::Key {
            return self.key(&id);
        }
        let read = self.store.read(kind, &id).map_err(|error| self.keep(error))?;
        // A pack's blobs have names of their own, which rustic_core compares.
        if kind != Kind::Pack && Sha256::digest(&read).as_slice() != id.0 {
            return Err(self.keep(
                Error::other(format!(
                    "the {} {id} in {} is damaged: its content does not fit its name",
                    kind.word(),
                    self.store.place()
                ))
                .hint("what else is damaged is told by: postkeep verify PROFILE"),
            ));
        }
        Ok(read)
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &rustic_core::Id,
        _: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let start = u64::from(offset);
        let range = start..start + u64::from(length);
        self.store.read_range(kind(tpe), &ours(id), range).map_err(|error| self.keep(error))
    }

    fn warmup_path(&self, _: FileType, id: &rustic_core::Id) -> String {
        id.to_hex().to_string()
    }
}

impl WriteBackend for Adapter {
    fn create(&self) -> RusticResult<()> {
        self.store.create().map_err(|error| self.keep(error))
    }

    fn write_bytes(
        &self,
        tpe: FileType,
        id: &rustic_core::Id,
        _: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        if self.closed.load(SeqCst) {
            return Err(RusticError::new(
                ErrorKind::Backend,
                "nothing is written any more: the run is stopped",
            ));
        }
        let object = match content.slice() {
            [one] => one.clone(),
            parts => parts.concat().into(),
        };
        if tpe == FileType::Config {
            *lock(&self.config) = None;
        }
        if tpe == FileType::Snapshot {
            if self.withheld.load(SeqCst) {
                return Ok(());
            }
            *lock(&self.last_snapshot) = Some(ours(id));
        }
        self.store(kind(tpe), ours(id), object).map_err(|error| {
            self.write_failed.store(true, SeqCst);
            self.keep(error)
        })
    }

    fn remove(&self, tpe: FileType, id: &rustic_core::Id, _: bool) -> RusticResult<()> {
        self.store.remove(kind(tpe), &[ours(id)]).map_err(|error| self.keep(error))
    }
}

fn kind(tpe: FileType) -> Kind {
    match tpe {
        FileType::Config => Kind::Config,
        FileType::Index => Kind::Index,
        FileType::Key => Kind::Key,
        FileType::Snapshot => Kind::Snapshot,
        FileType::Pack => Kind::Pack,
    }
}

/// The id in rustic_core's type.
pub(super) fn theirs(id: &Id) -> rustic_core::Id {
    rustic_core::Id::new(id.0)
}

/// The id in our type.
pub(super) fn ours(id: &rustic_core::Id) -> Id {
    // 32 bytes in hexadecimal are always an id.
    id.to_hex().parse().unwrap_or(Id::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_same_in_both_types() {
        let id = Id(std::array::from_fn(|n| u8::try_from(n * 7).unwrap_or(255)));
        assert_eq!(ours(&theirs(&id)), id);
    }
}

//! Objects in memory, with faults on order: what tests of everything above a store keep a vault on.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use super::sticky::Sticky;
use super::{Counter, Found, Id, Kind, Store, Traffic, fits_memory, not_there, within};
use crate::error::{Error, Result};
use crate::mutex::lock;

/// What is asked of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `list`.
    List(Kind),
    /// `read` or `read_range`.
    Read(Kind, Id),
    /// `write`, of so many bytes.
    Write(Kind, Id, u64),
    /// `flush`.
    Flush,
    /// `remove`, of one object.
    Remove(Kind, Id),
}

/// Decides what fails: called before each call is carried out, and its error is the call's.
type Fault = Box<dyn Fn(Call) -> Option<Error> + Send + Sync>;

/// A vault's objects in memory.
#[derive(Default)]
pub struct Memory {
    objects: Arc<Mutex<BTreeMap<(Kind, Id), Bytes>>>,
    fault: Mutex<Option<Fault>>,
    sticky: Sticky,
    counter: Counter,
}

impl Memory {
    /// From now on calls fail as `fault` says. It may also just look.
    pub fn faults(&self, fault: impl Fn(Call) -> Option<Error> + Send + Sync + 'static) {
        *lock(&self.fault) = Some(Box::new(fault));
    }

    /// The same objects through a new store, without its faults and failures: as another process has them.
    pub fn reopened(&self) -> Self {
        Self { objects: Arc::clone(&self.objects), ..Self::default() }
    }

    /// Puts an object there by no write: damage, or another machine's work.
    pub fn put(&self, kind: Kind, id: &Id, object: Bytes) {
        self.objects().insert((kind, *id), object);
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<(Kind, Id), Bytes>> {
        lock(&self.objects)
    }

    fn obey(&self, call: Call) -> Result<()> {
        match &*lock(&self.fault) {
            Some(fault) => fault(call).map_or(Ok(()), Err),
            None => Ok(()),
        }
    }

    fn get(&self, kind: Kind, id: &Id) -> Result<Bytes> {
        self.obey(Call::Read(kind, *id))?;
        self.objects().get(&(kind, *id)).cloned().ok_or_else(|| not_there(&self.place(), kind, id))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} objects)", self.objects().len())
    }
}

impl Store for Memory {
    fn place(&self) -> String {
        "memory".into()
    }

    fn create(&self) -> Result<()> {
        Ok(())
    }

    fn list(&self, kind: Kind) -> Result<Vec<Found>> {
        self.obey(Call::List(kind))?;
        let objects = self.objects();
        let of_kind = objects.iter().filter(|((other, _), _)| *other == kind);
        Ok(of_kind.map(|((_, id), object)| Found { id: *id, size: object.len() as u64 }).collect())
    }

    fn read(&self, kind: Kind, id: &Id) -> Result<Bytes> {
        let object = self.get(kind, id)?;
        fits_memory(&self.place(), kind, id, object.len() as u64)?;
        self.counter.down(object.len() as u64);
        Ok(object)
    }

    fn read_range(&self, kind: Kind, id: &Id, range: Range<u64>) -> Result<Bytes> {
        let object = self.get(kind, id)?;
        within(&self.place(), kind, id, &range, object.len() as u64)?;
        self.counter.down(range.end - range.start);
        Ok(object.slice(range.start as usize..range.end as usize))
    }

    fn write(&self, kind: Kind, id: &Id, object: Bytes) -> Result<()> {
        self.sticky.check()?;
        self.sticky.keep(self.obey(Call::Write(kind, *id, object.len() as u64)))?;
        let mut objects = self.objects();
        let there = objects.get(&(kind, *id)).is_some_and(|there| there.len() == object.len());
        if kind == Kind::Config || !there {
            self.counter.up(object.len() as u64);
            objects.insert((kind, *id), object);
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.sticky.check()?;
        self.sticky.keep(self.obey(Call::Flush))
    }

    fn remove(&self, kind: Kind, ids: &[Id]) -> Result<()> {
        for id in ids {
            self.obey(Call::Remove(kind, *id))?;
            self.objects().remove(&(kind, *id));
        }
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        self.counter.traffic()
    }
}

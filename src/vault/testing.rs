//! A store in memory, for the tests of what stands on one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::store::{Found, Id, Kind, Store, Traffic};
use crate::error::{Error, Result};

/// Objects in memory.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    objects: Mutex<BTreeMap<(Kind, Id), Bytes>>,
}

impl Heap {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How many objects of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        self.objects.lock().unwrap().keys().filter(|(of, _)| *of == kind).count()
    }
}

impl Store for Heap {
    fn place(&self) -> String {
        "memory".into()
    }

    fn create(&self) -> Result<()> {
        Ok(())
    }

    fn list(&self, kind: Kind) -> Result<Vec<Found>> {
        let objects = self.objects.lock().unwrap();
        let found = objects.iter().filter(|((of, _), _)| *of == kind);
        Ok(found.map(|((_, id), object)| Found { id: *id, size: object.len() as u64 }).collect())
    }

    fn read(&self, kind: Kind, id: &Id) -> Result<Bytes> {
        let objects = self.objects.lock().unwrap();
        objects.get(&(kind, *id)).cloned().ok_or_else(|| Error::other(format!("no {} {id}", kind.word())))
    }

    fn read_range(&self, kind: Kind, id: &Id, range: Range<u64>) -> Result<Bytes> {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        Ok(self.read(kind, id)?.slice(range))
    }

    fn write(&self, kind: Kind, id: &Id, object: Bytes) -> Result<()> {
        self.objects.lock().unwrap().insert((kind, *id), object);
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn remove(&self, kind: Kind, ids: &[Id]) -> Result<()> {
        let mut objects = self.objects.lock().unwrap();
        ids.iter().for_each(|id| drop(objects.remove(&(kind, *id))));
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

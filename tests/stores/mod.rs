//! What a vault is kept on: one contract for every store, and what is special to each.

pub mod contract;
mod folder;

use std::sync::Arc;

use postkeep::error::Error;
use postkeep::vault::store::memory::{Call, Memory};
use postkeep::vault::store::{Kind, Store};

use self::contract::{Mend, Place};

struct InMemory(Memory);

impl Place for InMemory {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.reopened())
    }

    fn open_broken(&self) -> (Arc<dyn Store>, Mend) {
        let store = Arc::new(self.0.reopened());
        store.faults(|call| matches!(call, Call::Write(..)).then(|| Error::other("the memory is full")));
        let mended = Arc::clone(&store);
        (store, Box::new(move || mended.faults(|_| None)))
    }

    fn litter(&self) {}
}

#[test]
fn memory_keeps_the_contract() {
    contract::check(&|| Box::new(InMemory(Memory::default())));
}

#[test]
fn memory_fails_where_it_is_told_to() {
    let memory = Memory::default();
    let bytes = contract::content(10, 1);
    let id = postkeep::vault::store::Id::of(&bytes);
    memory.faults(move |call| (call == Call::Read(Kind::Key, id)).then(|| Error::other("as ordered")));
    memory.write(Kind::Key, &id, bytes).unwrap();
    assert_eq!(memory.read(Kind::Key, &id).unwrap_err().to_string(), "as ordered");
    assert!(memory.reopened().read(Kind::Key, &id).is_ok());
}

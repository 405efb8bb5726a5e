//! What a vault is kept on: one contract for every store, and what is special to each.

pub mod contract;
mod folder;
mod mailbox;
mod maildir;
pub mod recovery;

use std::sync::Arc;

use jiff::Timestamp;
use postkeep::error::Error;
use postkeep::vault::store::letter::{self, Label, LineEnd, VaultId};
use postkeep::vault::store::memory::{Call, Memory};
use postkeep::vault::store::{Id, Kind, Store};

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

/// Messages that could be taken for ours, and are not this vault's.
pub fn foreign_messages(vault: VaultId) -> Vec<String> {
    let object = contract::content(400, 99);
    let other = VaultId([0xee; 8]);
    let label =
        Label { vault, kind: Kind::Pack, hash: Id::of(&object), size: 400, part: 1, parts: 1, serial: 0 };
    let compose = |label: Label| {
        let text = letter::compose(&label, &object, Timestamp::UNIX_EPOCH, LineEnd::Lf);
        String::from_utf8(text).unwrap()
    };
    let good = compose(label);
    let mut messages = vec![
        "From: ann@example.org\nSubject: hello\n\nhello\n".to_owned(),
        "Subject: [postkeep] report\nMessage-ID: <x@y.postkeep.invalid>\n\nhello\n".to_owned(),
        compose(Label { vault: other, ..label }),
        compose(Label { vault: other, kind: Kind::Config, ..label }),
        String::from_utf8(letter::read_me(other, Timestamp::UNIX_EPOCH, LineEnd::Lf)).unwrap(),
        good.replace("part=1/1", "part=1/2"),
        good.replace("size=400", "size=440"),
        good.replace("X-Postkeep-Object: pack", "X-Postkeep-Object: index"),
        good.replace("Message-ID", "Message-Id-Was"),
        good[..good.len() - 100].to_owned(),
        good.split("\n\n").next().unwrap().to_owned(),
        String::new(),
    ];
    // A forward of one.
    messages.push(format!("From: ann@example.org\nSubject: fwd\n\n{good}"));
    messages
}

#[test]
fn memory_keeps_the_contract() {
    contract::check(&|| Box::new(InMemory(Memory::default())));
}

#[test]
fn memory_fails_where_it_is_told_to() {
    let memory = Memory::default();
    let bytes = contract::content(10, 1);
    let id = Id::of(&bytes);
    memory.faults(move |call| (call == Call::Read(Kind::Key, id)).then(|| Error::other("as ordered")));
    memory.write(Kind::Key, &id, bytes).unwrap();
    assert_eq!(memory.read(Kind::Key, &id).unwrap_err().to_string(), "as ordered");
    assert!(memory.reopened().read(Kind::Key, &id).is_ok());
}

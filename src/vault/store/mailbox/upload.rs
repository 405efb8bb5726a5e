//! Taking an object: it becomes letters in the queue, unless it is there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;

use super::Inner;
use crate::error::{Context, Error, Result};
use crate::vault::store::letter::Label;
use crate::vault::store::{Id, Kind, catalogue};

/// Keeps an object; a pack may wait in the queue when this returns.
pub(super) fn write(inner: &Arc<Inner>, kind: Kind, id: &Id, object: Bytes) -> Result<()> {
    inner.queue.check()?;
    put(inner, kind, id, object).inspect_err(|error| inner.queue.fail(error.again()))
}

fn put(inner: &Arc<Inner>, kind: Kind, id: &Id, object: Bytes) -> Result<()> {
    if kind != Kind::Pack {
        inner.queue.flush()?;
    }
    if kind == Kind::Config || inner.map().is_none() {
        inner.refresh()?;
    }
    if inner.map().is_none() {
        return Err(inner.no_folder());
    }
    let vault = inner.which.get_or_new();
    let hash = if kind == Kind::Config { Id::of(&object) } else { *id };
    let mut whole = Label { vault, kind, hash, size: object.len() as u64, part: 1, parts: 1, serial: 0 };
    if is_there(inner, &whole)? {
        return Ok(());
    }
    let (mut serial, mut before) = (0, Vec::new());
    if kind == Kind::Config
        && let Some(map) = &*inner.map()
    {
        (serial, before) = (map.catalogue.serial() + 1, map.catalogue.all(kind, &Id::NONE));
    }
    whole.serial = serial;
    let mut numbers = Vec::new();
    for label in catalogue::labels(whole, Some(inner.message_limit()))? {
        // Of an object that was sent in part the rest will do.
        let there =
            |inner: &Inner| inner.map().as_ref().is_some_and(|map| map.catalogue.part(&label).is_some());
        if kind == Kind::Config || !there(inner) {
            let start = || start(inner);
            numbers.push(inner.queue.push(label, object.clone(), inner.pool.senders(), start)?);
        }
    }
    if kind != Kind::Pack {
        inner.queue.wait_for(&numbers)?;
        inner.expunge(&before)?;
        inner.save();
    }
    Ok(())
}

/// Whether the object is in the mailbox: now, and not just when it was looked at last.
fn is_there(inner: &Inner, whole: &Label) -> Result<bool> {
    let known = || {
        let map = inner.map();
        let object = map.as_ref()?.catalogue.find(whole.kind, &whole.id())?;
        Some(object.label.hash == whole.hash && object.label.size == whole.size)
    };
    if known() != Some(true) {
        return Ok(false);
    }
    inner.refresh()?;
    Ok(known() == Some(true))
}

/// One more thread that sends.
fn start(inner: &Arc<Inner>) {
    let own = Arc::clone(inner);
    let thread = std::thread::Builder::new().name("vault-send".into()).spawn(move || work(&own));
    if let Err(error) = thread.context(|| "cannot start a thread".into()) {
        inner.queue.fail(error);
    }
}

fn work(inner: &Inner) {
    while inner.queue.wait_for_work() {
        match catch_unwind(AssertUnwindSafe(|| inner.send_batch())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => inner.queue.fail(error),
            Err(_) => inner.queue.fail(
                Error::other(format!("sending into {} ended in a panic", inner.place))
                    .hint("this is a fault of postkeep's: please report it"),
            ),
        }
        inner.queue.rest();
    }
}

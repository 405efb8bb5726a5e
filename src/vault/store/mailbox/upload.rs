//! Taking an object: it becomes letters in the queue, unless it is there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;

use super::Inner;
use crate::error::{Context, Error, Result};
use crate::vault::store::letter::Label;
use crate::vault::store::{Id, Kind, catalogue, taken};

/// Keeps an object; a pack may wait in the queue when this returns.
pub(super) fn write(inner: &Arc<Inner>, kind: Kind, id: &Id, object: Bytes) -> Result<()> {
    inner.queue.check()?;
    put(inner, kind, id, object, false).inspect_err(|error| inner.queue.fail(error.again()))
}

/// Keeps the config of a new vault. No server makes a message only if there is none, so whoever comes second sees to
/// it that his own goes again: of two configs with the same number the lowest UID counts for everybody.
pub(super) fn write_first(inner: &Arc<Inner>, config: Bytes) -> Result<()> {
    inner.queue.check()?;
    let hash = Id::of(&config);
    put(inner, Kind::Config, &Id::NONE, config, true)?;
    inner.refresh()?;
    let (first, ours) = match &*inner.map() {
        Some(map) => {
            let all = map.catalogue.all(Kind::Config, &Id::NONE);
            let is_ours = |uid: &u32| map.catalogue.label(uid).is_some_and(|label| label.hash == hash);
            let first = all.iter().min().is_some_and(is_ours);
            (first, all.into_iter().filter(is_ours).collect())
        }
        None => (false, Vec::new()),
    };
    if first {
        return Ok(());
    }
    inner.expunge(&ours)?;
    Err(taken(&inner.place))
}

/// `first`: there must be no other config.
fn put(inner: &Arc<Inner>, kind: Kind, id: &Id, object: Bytes, first: bool) -> Result<()> {
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
    if first && !before.is_empty() {
        return Err(taken(&inner.place));
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

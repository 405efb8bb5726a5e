//! The threads that read, open and write blobs.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use super::batch::Read;
use super::land::Landing;
use crate::error::{Error, Kind, Result};
use crate::mutex::lock;
use crate::vault::blob::{Location, Opener};
use crate::vault::indexed::{Indexed, caught};
use crate::vault::store::{Id, Kind as Object};

/// A file, and where in it a blob goes.
pub(super) type Piece<'a> = (Arc<Landing<'a>>, u64);

/// What a worker does next.
pub(super) enum Task<'a> {
    /// Read a range and write its blobs to where they belong.
    Read(Read<Piece<'a>>),
    /// A file without content.
    Empty(Arc<Landing<'a>>),
}

/// Works until there is nothing more to come.
pub(super) fn work(vault: &Indexed<'_>, tasks: &Mutex<Receiver<Task<'_>>>) {
    let mut opener = vault.opener();
    loop {
        let next = lock(tasks).recv();
        let done = match next {
            Ok(Task::Read(range)) => caught(|| read(vault, &mut opener, range)),
            Ok(Task::Empty(landing)) => caught(|| Landing::release(landing)),
            Err(_) => return,
        };
        if done.is_err() {
            // Its files have said so when they were dropped; who waits for this thread must not wait for ever.
            opener = vault.opener();
        }
    }
}

fn read(vault: &Indexed<'_>, opener: &mut Opener, range: Read<Piece<'_>>) {
    let cancelled = |(landing, _): &Piece| landing.within.ground.meter.is_cancelled();
    if range.blobs.iter().flat_map(|(_, to)| to).take(1).any(cancelled) {
        return;
    }
    let part = |from: u64, to: u64| vault.vault().store().read_range(Object::Pack, &range.pack, from..to);
    let whole = part(range.start, range.end).and_then(|bytes| exact(bytes, range.end - range.start));
    for (at, to) in range.blobs {
        let start = u64::from(at.offset);
        let raw = match &whole {
            Ok(bytes) => {
                let from = usize::try_from(start - range.start).unwrap_or(usize::MAX);
                Ok(bytes.slice(from..from + at.length as usize))
            }
            // A part of the range may be there: only what is not must be lost.
            Err(_) => part(start, at.end()).and_then(|bytes| exact(bytes, u64::from(at.length))),
        };
        let content = match &raw {
            Ok(raw) => opener.open(&at, raw).map_err(|damage| Error::other(damage.to_string())),
            Err(error) => Err(error.again()),
        };
        for (landing, offset) in to {
            match &content {
                Ok(content) => landing.write(content, offset),
                Err(why) => landing.fail_by(&lost(&at, &range.pack, why)),
            }
            Landing::release(landing);
        }
    }
}

/// Why a file's content is not whole.
fn lost(at: &Location, pack: &Id, why: &Error) -> Error {
    let (blob, pack) = (Id(at.id).short(), pack.short());
    let what = match why.kind() {
        Kind::Paused => "cannot be fetched now",
        _ => "is lost",
    };
    Error::new(
        why.kind(),
        format!("a piece of its content {what} (blob {blob}, pack {pack}): {}", why.one_line()),
    )
}

/// A store must give what it was asked for.
fn exact(bytes: bytes::Bytes, length: u64) -> Result<bytes::Bytes> {
    if bytes.len() as u64 == length {
        return Ok(bytes);
    }
    Err(Error::other(format!("{} of {length} bytes came", bytes.len())))
}

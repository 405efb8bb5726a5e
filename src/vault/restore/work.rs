//! The threads that read, open and write blobs.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use super::land::Landing;
use crate::mutex::lock;
use crate::vault::blob::Opener;
use crate::vault::indexed::{Indexed, caught};
use crate::vault::ranges::Read;

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
    let wanted = |(landing, _): &Piece<'_>| landing.is_wanted();
    if !range.blobs.iter().flat_map(|(_, to)| to).any(wanted) {
        return;
    }
    range.run(vault, opener, &wanted, &mut |(landing, offset), content| {
        match content {
            Ok(content) => landing.write(content, offset),
            Err(why) => landing.fail_by(why),
        }
        Landing::release(landing);
    });
}

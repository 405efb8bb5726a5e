//! Files that are read one after the other, fetched before they are asked for.
//!
//! A store that is far away takes its time for each question, however little is asked. So whoever reads many files says
//! which come next: what lies together in a pack is read together, a few threads read and open, and the reader finds
//! the content in memory. How much of it waits there is bounded. A large file is not worth that, and is read as a stream.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};

use rustic_core::repofile::Node;

use super::blob::Location;
use super::content::Content;
use super::indexed::{Indexed, caught};
use super::ranges::{self, Want, coalesce};
use super::store::Id;
use crate::error::{Error, Result};
use crate::mutex::lock;

/// How much content is fetched together, and how much of it may wait or be on its way, in bytes.
const BATCH: u64 = 16 << 20;
const MOST: u64 = 48 << 20;

/// A file with more bytes is read as a stream.
const LARGE: u64 = 8 << 20;

/// What a file weighs beside its content.
const WEIGHT: u64 = 4 << 10;

/// The most threads that read.
const THREADS: usize = 8;

/// Reads ahead.
pub struct Ahead<'s, 'v> {
    vault: &'v Indexed<'v>,
    /// To the threads that read.
    send: &'s Sender<ranges::Read<Piece>>,
    next: u64,
    /// Files that are wanted, and not fetched yet; what they weigh.
    planned: VecDeque<Planned>,
    waiting: u64,
    /// Files that are here, or on their way; what they weigh.
    coming: VecDeque<Coming>,
    held: u64,
}

/// Stands for a file that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

struct Planned {
    ticket: Ticket,
    pieces: Vec<(Id, Location)>,
    bytes: u64,
}

impl Planned {
    fn weight(&self) -> u64 {
        self.bytes + WEIGHT
    }
}

struct Coming {
    ticket: Ticket,
    weight: u64,
    file: Arc<File>,
}

/// A file that comes, piece by piece.
struct File {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    content: Vec<u8>,
    bytes: u64,
    missing: usize,
    failed: Option<Error>,
}

/// A place in a file that waits for a piece of it. Nobody reads for a file that nobody wants any more.
struct Piece {
    file: Weak<File>,
    at: u64,
    came: bool,
}

impl Piece {
    fn take(mut self, content: Result<&[u8], &Error>) {
        self.came = true;
        self.put(content.map_err(Error::again));
    }

    fn put(&self, content: Result<&[u8]>) {
        let Some(file) = self.file.upgrade() else { return };
        let mut state = lock(&file.state);
        state.missing = state.missing.saturating_sub(1);
        match content {
            Ok(piece) => {
                let (at, bytes) = (usize::try_from(self.at), usize::try_from(state.bytes).unwrap_or(0));
                // All of it at once: a file that grows is copied each time.
                state.content.resize(bytes, 0);
                let at = at.unwrap_or(usize::MAX);
                let to = at.checked_add(piece.len()).and_then(|end| state.content.get_mut(at..end));
                to.into_iter().for_each(|to| to.copy_from_slice(piece));
            }
            Err(error) => drop(state.failed.get_or_insert(error)),
        }
        if state.missing == 0 || state.failed.is_some() {
            file.changed.notify_all();
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if !self.came {
            self.put(Err(Error::other("a piece of its content was given up")));
        }
    }
}

/// The content of a file.
#[derive(Debug)]
pub enum Body<'v> {
    /// It is here.
    Held(io::Cursor<Vec<u8>>),
    /// It is read as it is wanted.
    Stream(Box<Content<'v>>),
}

impl<'v> Body<'v> {
    /// Of a file that nobody said was wanted.
    ///
    /// # Errors
    /// A piece of it is not in the vault.
    pub fn stream(vault: &'v Indexed<'v>, file: &Node) -> Result<Self> {
        Ok(Self::Stream(Box::new(Content::new(vault, file).map_err(Error::other)?)))
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Held(bytes) => bytes.read(buffer),
            Self::Stream(content) => content.read(buffer),
        }
    }
}

/// Does `work`, which reads files of a vault.
pub fn with<'v, T>(vault: &'v Indexed<'v>, work: impl FnOnce(&mut Ahead<'_, 'v>) -> T) -> T {
    let (send, receive) = channel();
    let receive = Mutex::new(receive);
    std::thread::scope(|scope| {
        for _ in 0..vault.vault().store().readers().min(THREADS) {
            scope.spawn(|| fetch(vault, &receive));
        }
        // Both end before the threads are waited for.
        let send = send;
        let mut ahead = Ahead {
            vault,
            send: &send,
            next: 0,
            planned: VecDeque::new(),
            waiting: 0,
            coming: VecDeque::new(),
            held: 0,
        };
        work(&mut ahead)
    })
}

fn fetch(vault: &Indexed<'_>, reads: &Mutex<Receiver<ranges::Read<Piece>>>) {
    let mut opener = vault.opener();
    loop {
        let Ok(read) = lock(reads).recv() else { return };
        let wanted = |piece: &Piece| piece.file.strong_count() > 0;
        if !read.blobs.iter().flat_map(|(_, to)| to).any(wanted) {
            continue;
        }
        let take = &mut |piece: Piece, content: Result<&[u8], &Error>| piece.take(content);
        if caught(|| read.run(vault, &mut opener, &wanted, take)).is_err() {
            // Its pieces have said so when they were dropped.
            opener = vault.opener();
        }
    }
}

impl<'v> Ahead<'_, 'v> {
    /// Says that this file is wanted after those that were named before.
    ///
    /// # Errors
    /// Why it cannot be read: a piece of it is not in the vault.
    pub fn want(&mut self, file: &Node) -> Result<Ticket, String> {
        let ticket = Ticket(self.next);
        let (pieces, bytes) = self.vault.pieces(file)?;
        self.next += 1;
        if bytes <= LARGE {
            let planned = Planned { ticket, pieces, bytes };
            self.waiting += planned.weight();
            self.planned.push_back(planned);
            self.fill();
        }
        Ok(ticket)
    }

    /// Whether there is no room for more: then what was wanted first is to be taken.
    pub fn is_full(&self) -> bool {
        self.waiting >= BATCH
    }

    /// The content of a file that was wanted, once it is there. What was wanted before it is not wanted any more.
    ///
    /// # Errors
    /// Why it cannot be read, in one sentence.
    pub fn take(&mut self, ticket: Ticket, file: &Node) -> Result<Body<'v>> {
        self.leave_before(ticket);
        if self.planned.front().is_some_and(|planned| planned.ticket == ticket) {
            self.begin();
        }
        match self.coming.pop_front() {
            Some(found) if found.ticket == ticket => {
                self.held -= found.weight;
                self.fill();
                found.file.wait().map(|bytes| Body::Held(io::Cursor::new(bytes)))
            }
            other => {
                other.into_iter().for_each(|other| self.coming.push_front(other));
                Body::stream(self.vault, file)
            }
        }
    }

    /// Wants nothing of what was named so far.
    pub fn forget(&mut self) {
        self.leave_before(Ticket(self.next));
    }

    fn leave_before(&mut self, ticket: Ticket) {
        let left = self.coming.partition_point(|coming| coming.ticket < ticket);
        self.held -= self.coming.drain(..left).map(|coming| coming.weight).sum::<u64>();
        let left = self.planned.partition_point(|planned| planned.ticket < ticket);
        self.waiting -= self.planned.drain(..left).map(|planned| planned.weight()).sum::<u64>();
    }

    /// Has fetched what there is room for. Less than a batch is not asked for on its own: more of it may lie together.
    fn fill(&mut self) {
        while self.is_full() && self.held + BATCH <= MOST {
            self.begin();
        }
    }

    /// Has a batch fetched.
    fn begin(&mut self) {
        let (mut wants, mut weight) = (Vec::new(), 0);
        while weight < BATCH
            && let Some(planned) = self.planned.pop_front()
        {
            weight += planned.weight();
            let state = State {
                content: Vec::new(),
                bytes: planned.bytes,
                missing: planned.pieces.len(),
                failed: None,
            };
            let file = Arc::new(File { state: Mutex::new(state), changed: Condvar::new() });
            let mut at = 0;
            for (pack, location) in planned.pieces {
                let to = Piece { file: Arc::downgrade(&file), at, came: false };
                at += u64::from(location.content().unwrap_or(0));
                wants.push(Want { pack, at: location, to });
            }
            self.coming.push_back(Coming { ticket: planned.ticket, weight: planned.bytes + WEIGHT, file });
        }
        self.waiting -= weight;
        self.held += weight;
        for read in coalesce(wants, self.vault.vault().store().stretch()) {
            // Nobody takes it when all threads are gone: then its pieces say that they were given up.
            let _ = self.send.send(read);
        }
    }
}

impl File {
    fn wait(&self) -> Result<Vec<u8>> {
        let mut state = lock(&self.state);
        while state.missing > 0 && state.failed.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match state.failed.take() {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut state.content)),
        }
    }
}

#[cfg(test)]
mod tests;

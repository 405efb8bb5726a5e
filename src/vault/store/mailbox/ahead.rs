//! Reading written ahead: who wants a piece of a message leaves word, and whoever has a connection asks for several
//! pieces in one go. So a connection that is far away is not idle while the next reader makes up its mind.
//!
//! It only tries. What does not come this way (the message is gone, the connection broke) is nobody's failure yet: it
//! is asked for again, alone and with patience.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::Inner;
use super::pool::Lease;
use crate::error::Result;
use crate::mail::imap::{Fetched, Item, Request, Section, Sink};
use crate::mutex::lock;
use crate::vault::store::letter::{self, Arriving, Label};

/// The most bytes that are asked for in one go, unless one piece has more.
const BATCH: u64 = 24 << 20;

/// A piece up to so many bytes is not worth another connection, as long as one will soon be free.
const SMALL: u64 = 256 << 10;

/// Pieces that somebody waits for, in the order in which they were wanted.
#[derive(Debug, Default)]
pub(super) struct Wants(Mutex<VecDeque<Arc<Want>>>);

/// What is wanted of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// The bytes of a section, of which there are at most so many.
    Section(Item, u64),
    /// The part of an object that this letter carries, decoded.
    Letter(Label),
}

impl Piece {
    fn item(&self) -> Item {
        match self {
            Self::Section(item, _) => *item,
            // All of it: many servers know where a message ends, and have to look where its head does.
            Self::Letter(_) => Item::Message,
        }
    }

    /// About how many bytes come.
    fn expected(&self) -> u64 {
        match self {
            Self::Section(_, most) => *most,
            Self::Letter(label) => letter::size(label),
        }
    }

    fn most(&self) -> u64 {
        match self {
            Self::Section(_, most) => *most,
            Self::Letter(label) => 2 * letter::size(label) + 4096,
        }
    }
}

/// A piece that somebody waits for.
#[derive(Debug)]
struct Want {
    validity: u32,
    uid: u32,
    piece: Piece,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Waiting,
    /// Somebody asks for it.
    Taken,
    /// What came of it.
    Done(Got),
}

/// What came of a piece.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Got {
    Bytes(Vec<u8>),
    /// It came, and is not what was written, or not in the same lines.
    Odd,
    /// It did not come.
    #[default]
    Nothing,
}

impl Want {
    fn is_waiting(&self) -> bool {
        matches!(*lock(&self.state), State::Waiting)
    }

    fn finish(&self, got: Got) {
        *lock(&self.state) = State::Done(got);
        self.changed.notify_all();
    }

    /// What came of it, once somebody has taken it.
    fn wait(&self) -> Got {
        let mut state = lock(&self.state);
        loop {
            if let State::Done(got) = &mut *state {
                return std::mem::take(got);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Wants {
    /// Takes the first ones that can be asked for in one go.
    fn take(&self) -> Batch {
        let mut waiting = lock(&self.0);
        let (mut taken, mut bytes) = (Vec::<Arc<Want>>::new(), 0);
        while let Some(next) = waiting.front() {
            let same = |other: &Arc<Want>| (other.uid, other.piece.item()) == (next.uid, next.piece.item());
            bytes += next.piece.expected();
            if !taken.is_empty() && (bytes > BATCH || taken.iter().any(same)) {
                break;
            }
            *lock(&next.state) = State::Taken;
            taken.extend(waiting.pop_front());
        }
        Batch { wants: taken, coming: None }
    }

    /// Takes this one back; false: somebody asks for it already.
    fn withdraw(&self, want: &Arc<Want>) -> bool {
        let mut waiting = lock(&self.0);
        let before = waiting.len();
        waiting.retain(|other| !Arc::ptr_eq(other, want));
        waiting.len() < before
    }
}

/// What is asked for in one go. Dropped, it leaves nobody waiting.
struct Batch {
    wants: Vec<Arc<Want>>,
    /// The one whose bytes come just now, and those that came.
    coming: Option<(usize, Coming)>,
}

enum Coming {
    Section(Vec<u8>),
    Letter(Arriving),
}

impl Coming {
    fn got(self) -> Got {
        match self {
            Self::Section(bytes) => Got::Bytes(bytes),
            Self::Letter(arriving) => arriving.finish().map_or(Got::Odd, Got::Bytes),
        }
    }
}

impl Batch {
    fn ask(&mut self, lease: &mut Lease<'_>) {
        // A UID of another validity is another message's.
        self.wants.retain(|want| {
            let same = want.validity == lease.validity;
            if !same {
                want.finish(Got::Nothing);
            }
            same
        });
        let requests: Vec<Request> = self
            .wants
            .iter()
            .map(|want| Request {
                uids: vec![want.uid],
                items: vec![want.piece.item()],
                expected: want.piece.expected(),
            })
            .collect();
        // Who got nothing asks again, and hears why.
        let _ = lease.session.fetch(requests, self);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.wants.iter().for_each(|want| want.finish(Got::Nothing));
    }
}

impl Sink for Batch {
    fn begin(&mut self, message: &Fetched, section: Section, size: u64) -> Result<()> {
        let at = self.wants.iter().position(|want| {
            message.uid.is_none_or(|uid| uid == want.uid)
                && want.piece.item().section() == Some(section)
                && size <= want.piece.most()
        });
        self.coming = at.map(|at| {
            let coming = match self.wants[at].piece {
                Piece::Section(..) => Coming::Section(Vec::with_capacity(usize::try_from(size).unwrap_or(0))),
                Piece::Letter(label) => Coming::Letter(Arriving::new(label, size)),
            };
            (at, coming)
        });
        Ok(())
    }

    fn bytes(&mut self, part: &[u8]) -> Result<()> {
        match &mut self.coming {
            Some((_, Coming::Section(bytes))) => bytes.extend_from_slice(part),
            Some((_, Coming::Letter(arriving))) => arriving.take(part),
            None => {}
        }
        Ok(())
    }

    fn end(&mut self, message: Fetched) -> Result<()> {
        if let Some((at, coming)) = self.coming.take()
            && message.uid == Some(self.wants[at].uid)
        {
            self.wants.swap_remove(at).finish(coming.got());
        }
        Ok(())
    }
}

impl Inner {
    /// A piece of a message, if it can be had without further ado.
    pub(super) fn fetch_ahead(&self, validity: u32, uid: u32, piece: Piece) -> Got {
        let much = piece.expected() > SMALL;
        let (state, changed) = (Mutex::default(), Condvar::new());
        let want = Arc::new(Want { validity, uid, piece, state, changed });
        lock(&self.wants.0).push_back(Arc::clone(&want));
        while want.is_waiting() {
            match self.pool.lease_unless(much, &|| !want.is_waiting()) {
                Ok(Some(mut lease)) => {
                    let mut batch = self.wants.take();
                    // Whose piece is asked for needs no connection of its own.
                    self.pool.wake();
                    batch.ask(&mut lease);
                }
                Ok(None) => break,
                Err(_) => {
                    if self.wants.withdraw(&want) {
                        return Got::Nothing;
                    }
                }
            }
        }
        want.wait()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(uid: u32, most: u64) -> Arc<Want> {
        let (state, changed) = (Mutex::default(), Condvar::new());
        let piece = Piece::Section(Item::Text, most);
        Arc::new(Want { validity: 1, uid, piece, state, changed })
    }

    #[test]
    fn so_many_are_asked_for_at_once_and_nobody_is_left_waiting() {
        let large = BATCH / 2 + 1;
        for (sizes, batches) in [
            (&[(1, 9), (2, 9), (3, 9)][..], &[3][..]),
            (&[(1, 2 * BATCH), (2, 9)], &[1, 1]),
            (&[(1, large), (2, large), (3, 9)], &[1, 2]),
            // Two answers that nobody could tell from each other.
            (&[(1, 9), (2, 9), (1, 9)], &[2, 1]),
            (&[], &[0]),
        ] {
            let wants = Wants::default();
            let all: Vec<_> = sizes.iter().map(|(uid, most)| want(*uid, *most)).collect();
            lock(&wants.0).extend(all.iter().cloned());
            let taken: Vec<usize> = batches.iter().map(|_| wants.take().wants.len()).collect();
            assert_eq!(taken, batches, "{sizes:?}");
            assert!(all.iter().all(|want| want.wait() == Got::Nothing), "{sizes:?}");
        }
    }

    #[test]
    fn bytes_go_to_whoever_wants_them_and_no_others() {
        let wants = Wants::default();
        let all = [want(1, 9), want(2, 9), want(3, 2)];
        lock(&wants.0).extend(all.iter().cloned());
        let mut batch = wants.take();
        let mut tell = |uid, known: bool, section, bytes: &[u8]| {
            let message = Fetched { uid: Some(uid), ..Fetched::default() };
            let begun = if known { message.clone() } else { Fetched::default() };
            batch.begin(&begun, section, bytes.len() as u64).unwrap();
            batch.bytes(bytes).unwrap();
            batch.end(message).unwrap();
        };
        tell(7, true, Section::Text(0), b"nobody's");
        tell(1, true, Section::Message(0), b"whole");
        tell(1, true, Section::Text(0), b"one");
        tell(1, true, Section::Text(0), b"again");
        // The UID comes last: taken for somebody's, and found to be nobody's.
        tell(9, false, Section::Text(0), b"x");
        tell(2, false, Section::Text(0), b"two");
        tell(3, true, Section::Text(0), b"too many");
        drop(batch);
        let got = all.map(|want| want.wait());
        assert_eq!(got, [Got::Bytes(b"one".to_vec()), Got::Bytes(b"two".to_vec()), Got::Nothing]);
    }
}

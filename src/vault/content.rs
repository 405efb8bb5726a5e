//! A file's content from beginning to end, for whoever wants to read it as a stream.

use std::collections::VecDeque;
use std::io::{self, Read};

use bytes::Bytes;
use rustic_core::repofile::Node;

use super::blob::{Location, Opener};
use super::indexed::Indexed;
use super::store::{Id, Kind};
use crate::error::{Error, Kind as ErrorKind};

/// An error of the store as one of a stream, in one sentence after `at`; [`kind_of`] finds its kind again.
pub(super) fn carried(at: &str, error: &Error) -> io::Error {
    io::Error::other(Error::new(error.kind(), format!("{at}{}", error.one_line())))
}

/// What sort of error it is that a stream ended with.
pub fn kind_of(error: &io::Error) -> ErrorKind {
    let ours = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    ours.map_or(ErrorKind::Other, Error::kind)
}

/// The content of a file.
pub struct Content<'a> {
    vault: &'a Indexed<'a>,
    opener: Opener,
    pieces: VecDeque<(Id, Location)>,
    /// Bytes of a pack, and where in it they begin.
    raw: Option<(Id, u64, Bytes)>,
    plain: Vec<u8>,
    taken: usize,
    length: u64,
}

impl std::fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} bytes)", self.length)
    }
}

impl<'a> Content<'a> {
    /// Of a file of a snapshot.
    ///
    /// # Errors
    /// Why it cannot be read: a piece is not in the vault.
    pub fn new(vault: &'a Indexed<'a>, file: &Node) -> Result<Self, String> {
        let (pieces, length) = vault.pieces(file)?;
        let opener = vault.opener();
        Ok(Self { vault, opener, pieces: pieces.into(), raw: None, plain: Vec::new(), taken: 0, length })
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Opens the next piece. With those that lie behind it in its pack it is read in one go.
    fn advance(&mut self) -> io::Result<bool> {
        let Some((pack, at)) = self.pieces.pop_front() else { return Ok(false) };
        let start = u64::from(at.offset);
        let held = |raw: &(Id, u64, Bytes)| {
            raw.0 == pack && raw.1 <= start && at.end() <= raw.1 + raw.2.len() as u64
        };
        if !self.raw.as_ref().is_some_and(held) {
            let stretch = self.vault.vault().store().stretch();
            let mut end = at.end();
            for (_, next) in self.pieces.iter().take_while(|(of, _)| *of == pack) {
                if u64::from(next.offset) != end || next.end() - start > stretch {
                    break;
                }
                end = next.end();
            }
            let vault = self.vault.vault();
            let read = vault.store().read_range(Kind::Pack, &pack, start..end);
            let read = read.map_err(|error| carried("", &vault.cause(error)))?;
            self.raw = Some((pack, start, read));
        }
        let damaged = |why: String| {
            let blob = Id(at.id).to_string();
            io::Error::other(format!("a piece of its content is lost (blob {}): {why}", &blob[..8]))
        };
        let Some((_, from, bytes)) = &self.raw else { return Ok(false) };
        let from = usize::try_from(start - from).unwrap_or(usize::MAX);
        let raw = from.checked_add(at.length as usize).and_then(|to| bytes.get(from..to));
        let raw = raw.ok_or_else(|| damaged("the store gave too few bytes".into()))?;
        let content = self.opener.open(&at, raw).map_err(|damage| damaged(damage.to_string()))?;
        self.plain.clear();
        self.plain.extend_from_slice(content);
        self.taken = 0;
        Ok(true)
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.plain.len() {
            if !self.advance()? {
                return Ok(0);
            }
        }
        let rest = &self.plain[self.taken..];
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        self.taken += n;
        Ok(n)
    }
}

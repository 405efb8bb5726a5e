//! A message's bytes on their way out, compared with what was archived; and what may go wrong.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use crate::archive::stored::Stored;
use crate::error::{Error, Result};
use crate::failures;
use crate::vault::content::kind_of;

/// How many bytes are read at once; the header that is looked at is in the first of them.
const CHUNK: usize = 64 << 10;

/// Why a message was not written.
pub(super) enum Fault {
    /// It is the message's.
    Message(String),
    /// The archive gives nothing now.
    Away(Error),
    /// It is the disk's.
    Disk(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// Hands over a message's bytes, and sees to it that they are those that were archived.
pub(super) fn copy(
    message: &Stored,
    body: &mut dyn Read,
    out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> std::result::Result<(), Fault> {
    let (mut hash, mut size) = (Sha256::new(), 0_u64);
    let mut buffer = vec![0; CHUNK];
    let mut first = true;
    loop {
        // The first piece is full, so that the header is in it.
        let mut held = 0;
        while held < buffer.len() {
            match body.read(&mut buffer[held..]) {
                Ok(0) => break,
                Ok(length) => held += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unread(Error::new(kind_of(&error), error.to_string()))),
            }
        }
        let piece = &buffer[..held];
        if piece.is_empty() && !first {
            break;
        }
        first = false;
        hash.update(piece);
        size += piece.len() as u64;
        out(piece)?;
        if held < buffer.len() {
            break;
        }
    }
    let known = message.marks.sha256 != [0; 32];
    if size != message.size || (known && hash.finalize().as_slice() != message.marks.sha256) {
        return Err(Fault::Message("what is in the archive is not what was archived".into()));
    }
    Ok(())
}

/// What it means that a message cannot be read.
pub(super) fn unread(why: Error) -> Fault {
    match why.kind() {
        kind if kind.is_away() => Fault::Away(why),
        _ => Fault::Message(format!("cannot read it from the archive: {}", why.one_line())),
    }
}

/// Gives an error of the system its sentence and its hints.
pub(super) trait With<T> {
    fn with(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> With<T> for io::Result<T> {
    fn with(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| {
            let hints = failures::hints(&error);
            hints.into_iter().fold(Error::other(what()).caused_by(error), Error::hint)
        })
    }
}

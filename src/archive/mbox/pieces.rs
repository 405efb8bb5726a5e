//! A file line by line, in bounded memory: a line that is very long comes in pieces.

use std::io::{self, Read};

/// The longest piece. Where a line is cut depends on nothing but this, so a file is always cut alike.
pub(super) const PIECE: usize = 64 << 10;

/// What is read at once.
const BUFFER: usize = 512 << 10;

/// Reads pieces.
pub(super) struct Pieces<R> {
    inner: R,
    buffer: Vec<u8>,
    /// What of the buffer was read and not handed out.
    start: usize,
    end: usize,
    ended: bool,
    /// Whether the next piece begins a line, and where it is.
    first: bool,
    offset: u64,
}

/// A line with its end, or a piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub bytes: &'a [u8],
    /// Whether a line begins here.
    pub first: bool,
    /// Where it is in the file.
    pub offset: u64,
}

impl<R: Read> Pieces<R> {
    /// Of what comes from `inner`, which begins at `offset` with a line.
    pub(super) fn new(inner: R, offset: u64) -> Self {
        let buffer = vec![0; BUFFER];
        Self { inner, buffer, start: 0, end: 0, ended: false, first: true, offset }
    }

    /// The next piece; None: that was all.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        let length = loop {
            let held = self.buffer.get(self.start..self.end).unwrap_or_default();
            let near = held.get(..PIECE).unwrap_or(held);
            if let Some(at) = memchr::memchr(b'\n', near) {
                break at + 1;
            }
            if near.len() == PIECE || self.ended {
                break near.len();
            }
            self.fill()?;
        };
        let bytes = self.buffer.get(self.start..self.start + length).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(None);
        }
        let piece = Piece { bytes, first: self.first, offset: self.offset };
        self.start += length;
        self.offset += length as u64;
        self.first = bytes.ends_with(b"\n");
        Ok(Some(piece))
    }

    /// Where the next piece is.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        match self.inner.read(room) {
            Ok(0) => self.ended = true,
            Ok(read) => self.end += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_at_line_ends_and_nothing_is_lost() {
        let long = [vec![b'x'; 3 * PIECE], b"\n".to_vec()].concat();
        for text in [
            &b""[..],
            b"\n",
            b"one\ntwo\r\n\nthree",
            &long,
            &[&long[..], b"after\n", &long, &long].concat(),
            &vec![b'\n'; 2 * BUFFER],
            &vec![b'x'; BUFFER + 7],
        ] {
            let (mut pieces, mut all, mut first) = (Pieces::new(text, 0), Vec::new(), true);
            while let Some(piece) = pieces.next().unwrap() {
                assert_eq!((piece.offset, piece.first), (all.len() as u64, first));
                assert!((1..=PIECE).contains(&piece.bytes.len()));
                assert!(!piece.bytes[..piece.bytes.len() - 1].contains(&b'\n'));
                first = piece.bytes.ends_with(b"\n");
                all.extend_from_slice(piece.bytes);
            }
            assert!(all == text);
        }
    }
}

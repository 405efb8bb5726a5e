//! Where the messages of an mbox are, and what each of them is.
//!
//! A message begins with a line `From ` behind an empty line, or at the file's beginning, and ends before the empty line
//! that stands before the next one. `>From ` in it was `From ` before it was written (mboxrd; in mboxo nobody can tell),
//! unless the field Content-Length says where the message ends and is right about that, and such lines stand in it as
//! they were (mboxcl2).

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use jiff::Timestamp;

use super::line;
use super::naming::{Naming, Stem};
use super::pieces::{Piece, Pieces};
use crate::archive::header;

/// Where a message is in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Behind the line that begins it.
    pub start: u64,
    /// Before the empty line that ends it.
    pub end: u64,
    /// From here on nothing in it is quoted.
    pub bare: u64,
}

/// A message as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub span: Span,
    /// Its bytes, without quotes.
    pub size: u64,
    /// What names it.
    pub stem: Stem,
    /// When it came, as the line before it says.
    pub date: Option<Timestamp>,
    /// The first bytes of it: its header, bounded.
    pub head: Vec<u8>,
    /// Whether an empty line ends it, or the next message.
    pub ended: bool,
}

/// A message whose end is not known yet.
struct Growing {
    start: u64,
    date: Option<Timestamp>,
    head: Vec<u8>,
    /// Whether the header goes on.
    heading: bool,
    /// Without quotes, and with those of the body.
    plain: Sum,
    bare: Option<Bare>,
    /// An empty line, and where: it may be the message's, or the one that ends it.
    empty: Option<(u64, Vec<u8>)>,
    /// Where the one is that ends the header.
    headed: Option<u64>,
}

/// The body of a message whose length is told.
struct Bare {
    start: u64,
    end: u64,
    sum: Sum,
    /// Whether lines in it would begin messages.
    needed: bool,
}

#[derive(Clone, Default)]
struct Sum {
    naming: Naming,
    size: u64,
}

impl Sum {
    fn add(&mut self, piece: &Piece<'_>, bytes: &[u8]) {
        self.naming.add(piece, bytes);
        self.size += bytes.len() as u64;
    }
}

/// Finds all messages of a file. False: it is no mbox, for something else stands at its beginning.
///
/// # Errors
/// It cannot be read.
pub(super) fn scan(file: &File, found: &mut dyn FnMut(Found)) -> io::Result<bool> {
    let mut pieces = Pieces::new(ReadAt { file, at: 0, end: u64::MAX }, 0);
    let mut growing: Option<Growing> = None;
    // The line that begins a message, until its end.
    let mut separator: Option<Vec<u8>> = None;
    while let Some(piece) = pieces.next()? {
        if let Some(text) = separator.as_mut().filter(|_| !piece.first) {
            let room = line::LONGEST.saturating_sub(text.len());
            text.extend_from_slice(piece.bytes.get(..room).unwrap_or(piece.bytes));
            continue;
        }
        if let Some(text) = separator.take() {
            growing = Some(Growing::new(piece.offset, &text));
        }
        let Some(message) = &mut growing else {
            match piece.bytes {
                empty if line::is_empty(empty) => continue,
                // Whatever it says: the first one begins the file.
                first if line::is_from(first) => separator = Some(cut(first)),
                _ => return Ok(false),
            }
            continue;
        };
        if message.is_ended_by(&piece) {
            if let Some(message) = growing.take() {
                found(Found { ended: true, ..message.end(piece.offset) });
            }
            separator = Some(cut(piece.bytes));
        } else {
            message.take(file, &piece)?;
        }
    }
    let end = pieces.offset();
    if let Some(text) = separator {
        growing = Some(Growing::new(end, &text));
    }
    if let Some(message) = growing {
        found(message.end(end));
    }
    Ok(true)
}

fn cut(line: &[u8]) -> Vec<u8> {
    line.get(..line::LONGEST).unwrap_or(line).to_vec()
}

/// Reads a message without its quotes, part by part. What names it.
///
/// # Errors
/// It cannot be read, or `take` failed.
pub(super) fn read<E: From<io::Error>>(
    file: &File,
    span: Span,
    take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<Stem, E> {
    let mut naming = Naming::default();
    let mut pieces = Pieces::new(ReadAt { file, at: span.start, end: span.end }, span.start);
    while let Some(piece) = pieces.next()? {
        let plain = if piece.offset < span.bare { unquoted(&piece) } else { piece.bytes };
        naming.add(&piece, plain);
        take(plain)?;
    }
    Ok(naming.end())
}

fn unquoted<'a>(piece: &Piece<'a>) -> &'a [u8] {
    match piece.first && line::is_quoted(piece.bytes) {
        true => piece.bytes.get(1..).unwrap_or_default(),
        false => piece.bytes,
    }
}

impl Growing {
    fn new(start: u64, separator: &[u8]) -> Self {
        let date = line::date(separator);
        let (head, plain) = (Vec::new(), Sum::default());
        Self { start, date, head, heading: true, plain, bare: None, empty: None, headed: None }
    }

    /// Whether the next message begins with this piece.
    fn is_ended_by(&mut self, piece: &Piece<'_>) -> bool {
        if !piece.first || !line::is_from(piece.bytes) {
            return false;
        }
        match &mut self.bare {
            Some(bare) if piece.offset < bare.end => {
                bare.needed |= self.empty.is_some() && line::begins(piece.bytes);
                false
            }
            Some(bare) if self.empty.is_none() && piece.offset > bare.end => false,
            None if self.empty.is_none() => false,
            _ => line::begins(piece.bytes),
        }
    }

    fn take(&mut self, file: &File, piece: &Piece<'_>) -> io::Result<()> {
        if let Some((offset, empty)) = self.empty.take() {
            let empty = Piece { bytes: &empty, first: true, offset };
            self.add(&empty, empty.bytes);
        }
        if !piece.first || !line::is_empty(piece.bytes) {
            self.add(piece, unquoted(piece));
            return Ok(());
        }
        self.empty = Some((piece.offset, piece.bytes.to_vec()));
        if std::mem::replace(&mut self.heading, false) {
            self.headed = Some(piece.offset);
            let start = piece.offset + piece.bytes.len() as u64;
            if let Some(end) = told_end(file, &self.head, start)? {
                self.bare = Some(Bare { start, end, sum: self.plain.clone(), needed: false });
            }
        }
        Ok(())
    }

    fn add(&mut self, piece: &Piece<'_>, plain: &[u8]) {
        self.plain.add(piece, plain);
        if let Some(bare) = &mut self.bare {
            bare.sum.add(piece, piece.bytes);
        }
        if self.heading {
            let room = header::MOST.saturating_sub(self.head.len());
            self.head.extend_from_slice(plain.get(..room).unwrap_or(plain));
        }
    }

    fn end(self, at: u64) -> Found {
        let empty = self.empty.map(|(at, _)| at);
        let end = empty.unwrap_or(at);
        // A header alone may be all of a message, or all that is written of it.
        let ended =
            empty.is_some() && empty != self.headed || self.bare.as_ref().is_some_and(|bare| bare.end == at);
        let (bare, sum) = match self.bare {
            Some(bare) if bare.needed => (bare.start, bare.sum),
            _ => (u64::MAX, self.plain),
        };
        let span = Span { start: self.start, end, bare };
        Found { span, size: sum.size, stem: sum.naming.end(), date: self.date, head: self.head, ended }
    }
}

/// Where a body ends that begins at `start`, if its header tells and is right.
fn told_end(file: &File, head: &[u8], start: u64) -> io::Result<Option<u64>> {
    let mut lengths = header::fields(head).filter(|(name, _)| name.eq_ignore_ascii_case(b"Content-Length"));
    let length = lengths.next().and_then(|(_, value)| std::str::from_utf8(value).ok()?.trim().parse().ok());
    let Some(end) = length.and_then(|length: u64| start.checked_add(length)) else { return Ok(None) };
    // The byte before it, an empty line, and the line that begins the next message.
    let mut around = Vec::new();
    let from = end.saturating_sub(1);
    let wanted = ReadAt { file, at: from, end: from.saturating_add(line::LONGEST as u64 + 8) };
    wanted.take(line::LONGEST as u64 + 8).read_to_end(&mut around)?;
    let Some((before, behind)) = around.split_first() else { return Ok(None) };
    let next = behind.strip_prefix(b"\r\n").or_else(|| behind.strip_prefix(b"\n"));
    let at_line = next.is_some() || *before == b'\n';
    let next = next.unwrap_or(behind);
    let first = next.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok((at_line && (next.is_empty() || line::begins(first))).then_some(end))
}

/// A part of a file, without a cursor that others move.
struct ReadAt<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for ReadAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read_at(buffer.get_mut(..room).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;

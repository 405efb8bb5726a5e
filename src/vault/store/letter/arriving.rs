//! A letter that is decoded while it comes, so that the message itself is never held.

use super::body::{self, LineEnd};
use super::head::{Head, MOST, parse};
use super::{Label, body_offset};

/// The beginning of a letter.
#[derive(Debug)]
pub struct Arriving {
    label: Label,
    /// Bytes of the part.
    size: u64,
    /// What is not decoded yet: the head until all of it is there, then a piece of a line.
    rest: Vec<u8>,
    in_body: bool,
    part: Vec<u8>,
    broken: bool,
}

impl Arriving {
    /// The letter with this label, as which a message of `length` bytes comes.
    pub fn new(label: Label, length: u64) -> Self {
        let range = label.range();
        let size = range.end - range.start;
        let held = usize::try_from(size.min(length)).unwrap_or(0);
        let (rest, part) = (Vec::new(), Vec::with_capacity(held + 3));
        Self { label, size, rest, in_body: false, part, broken: false }
    }

    /// Takes the bytes that come next.
    pub fn take(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        self.broken = match self.in_body {
            true => self.take_body(bytes),
            false => self.take_head(bytes),
        }
        .is_none();
    }

    fn take_head(&mut self, bytes: &[u8]) -> Option<()> {
        self.rest.extend_from_slice(bytes);
        let Some(start) = body_offset(&self.rest) else {
            return (self.rest.len() <= MOST).then_some(());
        };
        let head = std::mem::take(&mut self.rest);
        (parse(&head[..start]) == Some(Head::Object(self.label))).then_some(())?;
        self.in_body = true;
        self.take_body(&head[start..])
    }

    fn take_body(&mut self, mut bytes: &[u8]) -> Option<()> {
        let stride = LineEnd::CrLf.stride();
        if !self.rest.is_empty() {
            let (more, others) = bytes.split_at(bytes.len().min(stride - self.rest.len()));
            self.rest.extend_from_slice(more);
            bytes = others;
            if self.rest.len() < stride {
                return Some(());
            }
            body::decode_lines(&self.rest, 0, LineEnd::CrLf, &mut self.part)?;
            self.rest.clear();
        }
        let (lines, rest) = bytes.split_at(bytes.len() / stride * stride);
        body::decode_lines(lines, 0, LineEnd::CrLf, &mut self.part)?;
        self.rest.extend_from_slice(rest);
        (self.part.len() as u64 <= self.size).then_some(())
    }

    /// The part, when all bytes have come. None: it is another message, or its lines are not those that were written.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        (self.in_body && !self.broken).then_some(())?;
        body::decode_lines(&self.rest, 0, LineEnd::CrLf, &mut self.part)?;
        (self.part.len() as u64 == self.size).then_some(self.part)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::{VaultId, compose};
    use super::*;
    use crate::vault::store::{Id, Kind};

    fn letter(size: usize, end: LineEnd) -> (Label, Vec<u8>, Vec<u8>) {
        let object: Vec<u8> = (0..size).map(|n| (n * n / 7 + n) as u8).collect();
        let (hash, size) = (Id::of(&object), size as u64);
        let label =
            Label { vault: VaultId([1; 8]), kind: Kind::Pack, hash, size, part: 1, parts: 1, serial: 0 };
        let text = compose(&label, &object, Timestamp::UNIX_EPOCH, end);
        (label, object, text)
    }

    fn arrived(label: Label, text: &[u8], pieces: usize) -> Option<Vec<u8>> {
        let mut arriving = Arriving::new(label, text.len() as u64);
        text.chunks(pieces).for_each(|piece| arriving.take(piece));
        arriving.finish()
    }

    #[test]
    fn in_whatever_pieces_it_comes_a_letter_is_the_same() {
        for size in [0, 1, 56, 57, 58, 114, 5000] {
            let (label, object, text) = letter(size, LineEnd::CrLf);
            for pieces in [1, 2, 77, 78, 79, 1000, text.len()] {
                assert_eq!(arrived(label, &text, pieces).as_ref(), Some(&object), "{size} in {pieces}");
            }
        }
    }

    #[test]
    fn what_is_not_the_letter_is_none() {
        let (label, _, text) = letter(300, LineEnd::CrLf);
        let other = letter(301, LineEnd::CrLf);
        let more = [&text[..], b"QUJD\r\n"].concat();
        let spoiled = [&text[..text.len() - 9], b"?", &text[text.len() - 8..]].concat();
        let endless = vec![b'x'; 3 * MOST];
        let lines = letter(300, LineEnd::Lf).2;
        for bad in
            [&other.2, &more, &spoiled, &endless, &lines, &text[..text.len() - 20].to_vec(), &Vec::new()]
        {
            assert_eq!(
                arrived(label, bad, 50),
                None,
                "{}",
                String::from_utf8_lossy(&bad[..bad.len().min(900)])
            );
        }
    }
}

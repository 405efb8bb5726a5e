//! The body of a letter: base64 in lines of exactly 76 characters (RFC 2045, 6.8), so that where a byte lies is
//! arithmetic. 57 bytes are one line.
//!
//! On the wire lines end with CRLF; in a Maildir with LF alone, as is the custom there.

use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine as _;

/// Bytes of an object in a line.
pub const RAW: u64 = 57;

/// Characters of a line.
const COLUMNS: usize = 76;

/// Lines that are worked on at once: their characters fit into the fastest cache, and the codec's loop is long.
const BLOCK: usize = 64;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
type Codec = base64::engine::Simd;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Codec = base64::engine::GeneralPurpose;

static CODEC: LazyLock<Codec> = LazyLock::new(|| {
    let config = base64::engine::general_purpose::PAD;
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    return Codec::standard(config);
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return Codec::new(&base64::alphabet::STANDARD, config);
});

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// As on the wire.
    CrLf,
    /// As in a Maildir.
    Lf,
}

impl LineEnd {
    /// Its bytes.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Self::CrLf => b"\r\n",
            Self::Lf => b"\n",
        }
    }

    /// Bytes from the start of a full line to the start of the next.
    pub(super) fn stride(self) -> usize {
        COLUMNS + self.bytes().len()
    }

    /// How many bytes the body of `raw` bytes has.
    pub fn length(self, raw: u64) -> u64 {
        let rest = match raw % RAW {
            0 => 0,
            rest => 4 * rest.div_ceil(3) + self.bytes().len() as u64,
        };
        (raw / RAW) * self.stride() as u64 + rest
    }
}

/// Writes the body of these bytes. Every line ends, the last one too.
pub fn encode(raw: &[u8], end: LineEnd, body: &mut Vec<u8>) {
    body.reserve(end.length(raw.len() as u64) as usize);
    let mut block = [0; BLOCK * COLUMNS];
    for raw in raw.chunks(BLOCK * RAW as usize) {
        // The block is as large as it gets, so the codec has nothing to complain of.
        let length = CODEC.encode_slice(raw, &mut block).unwrap_or_default();
        for line in block[..length].chunks(COLUMNS) {
            body.extend_from_slice(line);
            body.extend_from_slice(end.bytes());
        }
    }
}

/// Where bytes of an object lie in its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Which bytes of the body are needed.
    pub wire: Range<u64>,
    /// In which column they begin.
    column: usize,
    /// How many decoded bytes come before those that are wanted.
    skip: usize,
    /// How many are wanted.
    take: usize,
    end: LineEnd,
}

impl Cut {
    /// Finds the bytes of `range`, whose end does not lie before its start.
    pub fn new(range: Range<u64>, end: LineEnd) -> Self {
        let at = |offset: u64| (offset / RAW) * end.stride() as u64 + (offset % RAW) / 3 * 4;
        let wire = match range.is_empty() {
            true => at(range.start)..at(range.start),
            false => at(range.start)..at(range.end - 1) + 4,
        };
        Self {
            wire,
            column: ((range.start % RAW) / 3 * 4) as usize,
            skip: (range.start % RAW % 3) as usize,
            take: (range.end - range.start) as usize,
            end,
        }
    }

    /// The wanted bytes, from those of the body. None: the body is not the one that was written.
    pub fn decode(&self, body: &[u8]) -> Option<Vec<u8>> {
        let mut raw = Vec::with_capacity(self.skip + self.take + 3);
        decode_lines(body, self.column, self.end, &mut raw)?;
        raw.drain(..self.skip.min(raw.len()));
        // The last group of four may hold more than was asked for.
        (raw.len() >= self.take).then(|| raw.truncate(self.take))?;
        Some(raw)
    }
}

/// Decodes lines of exactly 76 characters, of which the first begins in `column` and the last may end early.
pub(super) fn decode_lines(mut body: &[u8], column: usize, end: LineEnd, raw: &mut Vec<u8>) -> Option<()> {
    let mut block = [0; BLOCK * COLUMNS];
    let mut line = COLUMNS - column;
    while !body.is_empty() {
        let mut length = 0;
        while length + COLUMNS <= block.len() && !body.is_empty() {
            let (text, rest) = match body.len() <= line {
                // The end, with or without a line end.
                true => (body.strip_suffix(end.bytes()).unwrap_or(body), &body[body.len()..]),
                false => (&body[..line], body[line..].strip_prefix(end.bytes())?),
            };
            block.get_mut(length..length + text.len())?.copy_from_slice(text);
            length += text.len();
            body = rest;
            line = COLUMNS;
        }
        append(&block[..length], raw)?;
    }
    Some(())
}

/// Decodes a body however its lines are broken: a server may have broken them anew.
pub fn decode_any(body: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let mut raw = Vec::new();
    append(&text, &mut raw)?;
    Some(raw)
}

/// Decodes a whole body of `size` bytes, strictly if that works.
pub fn decode(body: &[u8], size: u64, end: LineEnd) -> Option<Vec<u8>> {
    let mut raw = Vec::with_capacity(usize::try_from(size).ok()?.min(body.len()) + 3);
    if decode_lines(body, 0, end, &mut raw).is_none() {
        raw = decode_any(body)?;
    }
    (raw.len() as u64 == size).then_some(raw)
}

fn append(text: &[u8], raw: &mut Vec<u8>) -> Option<()> {
    let start = raw.len();
    raw.resize(start + text.len().div_ceil(4) * 3, 0);
    let length = CODEC.decode_slice(text, &mut raw[start..]).ok()?;
    raw.truncate(start + length);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(size: usize) -> Vec<u8> {
        (0..size).map(|n| (n * n / 7 + n) as u8).collect()
    }

    #[test]
    fn a_body_has_lines_of_76_and_the_length_that_was_foretold() {
        for size in
            [0, 1, 2, 3, 56, 57, 58, 113, 114, 115, 57 * BLOCK - 1, 57 * BLOCK, 57 * BLOCK + 1, 10_000]
        {
            for end in [LineEnd::CrLf, LineEnd::Lf] {
                let mut body = Vec::new();
                encode(&raw(size), end, &mut body);
                assert_eq!(body.len() as u64, end.length(size as u64), "{size} {end:?}");
                let text = String::from_utf8(body.clone()).unwrap();
                let mut lines: Vec<&str> = text.split(str::from_utf8(end.bytes()).unwrap()).collect();
                assert_eq!(lines.pop(), Some(""));
                let last = lines.pop().unwrap_or_default();
                assert!(lines.iter().all(|line| line.len() == 76) && last.len() <= 76);
                assert_eq!(decode(&body, size as u64, end).unwrap(), raw(size));
                assert_eq!(decode_any(&body).unwrap(), raw(size));
                assert_eq!(decode(&body, size as u64 + 1, end), None);
            }
        }
        assert_eq!(LineEnd::CrLf.length(57), 78);
    }

    #[test]
    fn every_range_is_found_by_arithmetic() {
        let raw = raw(57 * 3 + 20);
        for end in [LineEnd::CrLf, LineEnd::Lf] {
            let mut body = Vec::new();
            encode(&raw, end, &mut body);
            for start in 0..=raw.len() {
                for stop in start..=raw.len() {
                    let cut = Cut::new(start as u64..stop as u64, end);
                    let wire = &body[cut.wire.start as usize..cut.wire.end as usize];
                    assert_eq!(
                        cut.decode(wire).as_deref(),
                        Some(&raw[start..stop]),
                        "{start}..{stop} {end:?}"
                    );
                }
            }
        }
        assert_eq!(Cut::new(57..114, LineEnd::CrLf).wire, 78..154);
    }

    #[test]
    fn long_ranges_cross_the_blocks() {
        let raw = raw(57 * BLOCK * 3);
        let mut body = Vec::new();
        encode(&raw, LineEnd::CrLf, &mut body);
        for range in [5..57 * BLOCK + 5, 57 * BLOCK - 1..57 * BLOCK * 2 + 1, 0..raw.len(), 1..raw.len() - 1] {
            let cut = Cut::new(range.start as u64..range.end as u64, LineEnd::CrLf);
            let wire = &body[cut.wire.start as usize..cut.wire.end as usize];
            assert!(cut.decode(wire).unwrap() == raw[range.clone()], "{range:?}");
        }
    }

    #[test]
    fn a_body_that_is_not_ours_is_none_and_one_with_other_lines_is_still_read() {
        let mut body = Vec::new();
        encode(&raw(300), LineEnd::CrLf, &mut body);
        for bad in [&b"????"[..], b"AAA", b"AA=A", &body[1..], &body[..body.len() - 5], b"\xff\xff\xff\xff"] {
            assert_eq!(decode(bad, 300, LineEnd::CrLf), None);
        }
        assert_eq!(Cut::new(60..200, LineEnd::CrLf).decode(&body[3..200]), None);
        let text: Vec<u8> = body.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let other: Vec<u8> = text.chunks(64).flat_map(|line| [line, b" \r\n"].concat()).collect();
        assert_eq!(decode(&other, 300, LineEnd::CrLf).unwrap(), raw(300));
    }
}

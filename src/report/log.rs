//! A run's log as it goes with the letter: whole, or its beginning and end, or not at all. It is read once, in
//! memory bounded by the size of the attachment.

use std::collections::VecDeque;
use std::io::{BufRead, Write};

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use super::{clean, numbers};
use crate::error::{Context, Result};

/// No letter carries more, whatever a profile asks for: servers refuse it.
const MOST: u64 = 32 << 20;
/// How many of the last lines are shown in the letter itself.
const LAST_LINES: usize = 8;

/// Where a run's log is read from: lines of text.
pub trait LogText {
    /// Opens it at its beginning.
    fn open(&self) -> Result<Box<dyn BufRead + '_>>;
}

impl LogText for &[u8] {
    fn open(&self) -> Result<Box<dyn BufRead + '_>> {
        Ok(Box::new(*self))
    }
}

impl LogText for Vec<u8> {
    fn open(&self) -> Result<Box<dyn BufRead + '_>> {
        Ok(Box::new(self.as_slice()))
    }
}

/// What a letter needs of a log.
#[derive(Debug, Default)]
pub(super) struct Extract {
    /// The log or its ends, compressed; None when it is not to be attached.
    pub attachment: Option<Vec<u8>>,
    /// How many lines the attachment leaves out.
    pub left_out: u64,
    /// Its last lines, fit to be shown.
    pub last_lines: Vec<String>,
    /// Why there is no attachment although there should be one.
    pub problem: Option<String>,
}

/// Reads the log. `limit` is the most bytes of gzip that may be attached, None if it is not asked for; `id` names
/// the run in the line that stands for what is left out.
pub(super) fn extract(log: &dyn LogText, limit: Option<u64>, id: &str) -> Extract {
    match read(log, limit, id) {
        Ok(digest) => digest,
        Err(error) => Extract {
            problem: Some(format!("The log could not be read: {}", error.one_line())),
            ..Extract::default()
        },
    }
}

fn read(log: &dyn LogText, limit: Option<u64>, id: &str) -> Result<Extract> {
    let limit = limit.map(|bytes| usize::try_from(bytes.min(MOST)).unwrap_or(0));
    let mut ends = Ends::new(limit.unwrap_or(0));
    let mut whole = limit.map(Capped::new);
    let mut from = log.open()?;
    loop {
        let chunk = from.fill_buf().context(|| format!("cannot read the log of run {id}"))?;
        if chunk.is_empty() {
            break;
        }
        ends.push(chunk);
        if let Some(gzip) = whole.take() {
            whole = gzip.push(chunk);
        }
        let read = chunk.len();
        from.consume(read);
    }
    let last_lines = ends.last_lines();
    if ends.bytes == 0 {
        return Ok(Extract::default());
    }
    if let Some(attachment) = whole.and_then(Capped::finish) {
        return Ok(Extract { attachment: Some(attachment), last_lines, ..Extract::default() });
    }
    let Some(limit) = limit else {
        return Ok(Extract { last_lines, ..Extract::default() });
    };
    let (text, left_out) = ends.text(id);
    match text.and_then(|text| Capped::new(limit).push(&text)).and_then(Capped::finish) {
        Some(attachment) => Ok(Extract { attachment: Some(attachment), left_out, last_lines, problem: None }),
        None => {
            let problem = Some("The log is too long to be attached.".into());
            Ok(Extract { last_lines, problem, ..Extract::default() })
        }
    }
}

/// gzip that gives up when it gets too long. Without a time stamp: the same log gives the same bytes.
struct Capped {
    gzip: GzEncoder<Vec<u8>>,
    limit: usize,
}

impl Capped {
    fn new(limit: usize) -> Self {
        let gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::default());
        Self { gzip, limit }
    }

    fn push(mut self, bytes: &[u8]) -> Option<Self> {
        // A vector takes whatever it is given.
        let written = self.gzip.write_all(bytes).is_ok();
        (written && self.gzip.get_ref().len() <= self.limit).then_some(self)
    }

    fn finish(self) -> Option<Vec<u8>> {
        self.gzip.finish().ok().filter(|bytes| bytes.len() <= self.limit)
    }
}

/// The beginning and the end of a text that goes by, in whole lines.
struct Ends {
    head: Vec<u8>,
    head_full: bool,
    tail: VecDeque<u8>,
    /// How many bytes each may hold.
    room: usize,
    bytes: u64,
    lines: u64,
}

impl Ends {
    /// Ends that even without any compression stay below `limit` together.
    fn new(limit: usize) -> Self {
        let room = (limit.saturating_sub(1024) / 2).max(4096);
        Self { head: Vec::new(), head_full: false, tail: VecDeque::new(), room, bytes: 0, lines: 0 }
    }

    fn push(&mut self, mut chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.lines += newlines(chunk);
        if !self.head_full {
            let fits = chunk.len().min(self.room - self.head.len());
            self.head.extend_from_slice(&chunk[..fits]);
            chunk = &chunk[fits..];
            if chunk.is_empty() {
                return;
            }
            self.head_full = true;
            let end = self.head.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            self.tail.extend(self.head.drain(end..));
        }
        let keep = &chunk[chunk.len().saturating_sub(self.room)..];
        let over = (self.tail.len() + keep.len()).saturating_sub(self.room).min(self.tail.len());
        self.tail.drain(..over);
        self.tail.extend(keep);
    }

    /// Both ends with a line between them, and how many lines that line stands for. None where neither end holds a
    /// whole line.
    fn text(mut self, id: &str) -> (Option<Vec<u8>>, u64) {
        let tail = self.tail.make_contiguous();
        let start = tail.iter().position(|b| *b == b'\n').map_or(tail.len(), |at| at + 1);
        let tail = &tail[start..];
        let left_out = self.lines - newlines(&self.head) - newlines(tail);
        let note = format!(
            "\n... {} left out here; all of it: postkeep log {id} ...\n\n",
            numbers::of(left_out, "line is", "lines are")
        );
        let empty = self.head.is_empty() && tail.is_empty();
        ((!empty).then(|| [&self.head, note.as_bytes(), tail].concat()), left_out)
    }

    fn last_lines(&mut self) -> Vec<String> {
        let end: &[u8] = if self.head_full { self.tail.make_contiguous() } else { &self.head };
        let end = &end[end.len().saturating_sub(LAST_LINES * 1024)..];
        let text = String::from_utf8_lossy(end);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(|line| clean::line(line, 160)).collect()
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|b| **b == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn unzip(bytes: &[u8]) -> String {
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
        text
    }

    /// Lines that do not compress: numbers of a generator.
    fn noise(lines: u64) -> Vec<u8> {
        let mut n = 1_u64;
        let mut text = Vec::new();
        for line in 0..lines {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.extend(format!("{line} {n:x}{:x}\n", n.rotate_left(29)).bytes());
        }
        text
    }

    #[test]
    fn a_short_log_is_whole() {
        let log: &[u8] = b"one\ntwo\n";
        let extract = extract(&log, Some(1000), "X");
        assert_eq!(unzip(&extract.attachment.unwrap()), "one\ntwo\n");
        assert_eq!(extract.last_lines, ["one", "two"]);
    }

    #[test]
    fn of_a_long_log_the_ends_remain_and_every_line_is_accounted_for() {
        let log = noise(50_000);
        let limit = 40_000;
        let extract = extract(&log, Some(limit), "X");
        let attachment = extract.attachment.unwrap();
        assert!(attachment.len() as u64 <= limit);
        let text = unzip(&attachment);
        assert!(text.starts_with("0 ") && text.lines().last().unwrap().starts_with("49999 "));
        let kept = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count() as u64;
        assert_eq!(kept + extract.left_out, 50_000);
        let note = format!(
            "... {} lines are left out here; all of it: postkeep log X ...",
            numbers::count(extract.left_out)
        );
        assert!(text.contains(&note), "{text:.100}");
    }

    #[test]
    fn a_log_that_is_one_endless_line_takes_no_more_room() {
        let log = vec![b'x'; 3 << 20];
        let extract = extract(&log, Some(100), "X");
        assert!(extract.attachment.is_none());
        assert_eq!(extract.problem.as_deref(), Some("The log is too long to be attached."));
        assert_eq!(extract.last_lines.len(), 1);
    }

    #[test]
    fn an_unreadable_log_is_said_so() {
        struct Broken;
        impl LogText for Broken {
            fn open(&self) -> Result<Box<dyn BufRead + '_>> {
                Err(crate::error::Error::other("no such row"))
            }
        }
        let extract = extract(&Broken, Some(100), "X");
        assert_eq!(extract.problem.as_deref(), Some("The log could not be read: no such row"));
    }
}

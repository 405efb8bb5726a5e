//! The line to a server: plain or TLS, buffered once, counted, and patient only so long.
//!
//! Two readers take turns at it: the `imap` crate, through [`Shared`], and our own engine, which holds the lock while
//! it works. Both read from the one buffer here, so neither can swallow what the other waits for.

use std::io::{self, BufRead, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::socket::{Counted, Cutter, Meter};
use crate::mail::line::Line;
use crate::mutex::lock;

/// How much is read at once.
const BUFFER: usize = 128 << 10;

/// What stands before what a server offers.
const CAPABILITY: &[u8] = b"CAPABILITY ";

/// The longest line, and the most bytes, that the crate may be told in answer to one command: it keeps them all.
const LONGEST_LINE: usize = 64 << 10;
const MOST: usize = 1 << 20;

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Wire {
    line: Line,
    buffer: Box<[u8]>,
    at: usize,
    end: usize,
    /// The last line that the crate read, and the one it reads now: it keeps the server's words to itself.
    last: Vec<u8>,
    now: Vec<u8>,
    heard: usize,
    /// How many bytes may have come in all.
    limit: u64,
    /// The last line of those that told what the server offers.
    offers: Vec<u8>,
}

impl Wire {
    /// Reads and writes may take as long as `silence`.
    ///
    /// # Errors
    /// The socket cannot be told so.
    pub(super) fn new(line: Line, silence: Duration) -> io::Result<Self> {
        let mut wire = Self {
            line,
            buffer: vec![0; BUFFER].into(),
            at: 0,
            end: 0,
            last: Vec::new(),
            now: Vec::new(),
            heard: 0,
            limit: u64::MAX,
            offers: Vec::new(),
        };
        wire.set_silence(silence)?;
        Ok(wire)
    }

    /// A new command begins: what was waited for before does not count against it.
    pub(super) fn begin(&mut self) {
        self.now.clear();
        self.last.clear();
        self.offers.clear();
        (self.heard, self.limit) = (0, u64::MAX);
        self.line.socket_mut().begin();
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        self.line.socket().meter()
    }

    /// How many bytes may have come in all, by the meter, as long as this command goes on.
    pub(super) fn limit(&mut self, most: u64) {
        self.limit = most;
    }

    /// Whether more came.
    pub(super) fn is_over(&self) -> bool {
        self.meter().traffic().down > self.limit
    }

    /// The last line that the crate was told, without its end.
    pub(super) fn last_line(&self) -> &[u8] {
        if self.now.is_empty() { &self.last } else { &self.now }
    }

    /// The line in which the crate was told what the server offers, since the command began; empty if there was none.
    pub(super) fn offers(&self) -> &[u8] {
        &self.offers
    }

    /// Whether bytes were read that nobody has asked for yet.
    pub(super) fn has_leftovers(&self) -> bool {
        self.at < self.end
    }

    /// The bare socket, for TLS to begin on; None: there is TLS already.
    pub(super) fn into_socket(self) -> Option<Counted> {
        match self.line {
            Line::Plain(socket) => Some(socket),
            Line::Tls(_) => None,
        }
    }

    /// Cuts the connection from another thread.
    pub(super) fn cutter(&self) -> io::Result<Cutter> {
        self.line.socket().cutter()
    }

    /// How long a read or a write may take from now on.
    pub(super) fn set_silence(&mut self, silence: Duration) -> io::Result<()> {
        self.line.socket_mut().set_silence(silence)
    }

    /// Waits as long as `within`, more than nothing, for the server to say something: whether it did, or hung up. A
    /// silence that was agreed on is none that the server is blamed for.
    ///
    /// # Errors
    /// The connection broke.
    pub(super) fn comes(&mut self, within: Duration) -> io::Result<bool> {
        if self.has_leftovers() {
            return Ok(true);
        }
        let silence = self.line.socket().silence();
        self.set_silence(within)?;
        self.line.socket_mut().begin();
        let came = match self.fill_buf() {
            Ok(_) => Ok(true),
            Err(cause) if cause.kind() == io::ErrorKind::TimedOut => Ok(false),
            Err(cause) => Err(cause),
        };
        self.set_silence(silence)?;
        self.line.socket_mut().begin();
        came
    }

    /// Hands the crate no more than the rest of a line, and remembers it.
    fn read_line_part(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let filled = self.fill_buf()?;
        let most = filled.len().min(buf.len());
        let part = match memchr::memchr(b'\n', &filled[..most]) {
            Some(at) => &filled[..=at],
            None => &filled[..most],
        };
        let length = part.len();
        buf[..length].copy_from_slice(part);
        self.consume(length);
        self.heard += length;
        self.now.extend_from_slice(&buf[..length]);
        if self.now.len() > LONGEST_LINE || self.heard > MOST {
            return Err(io::Error::other("the server sends far more than an answer"));
        }
        if let Some(line) = self.now.strip_suffix(b"\n") {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.last.clear();
            self.last.extend_from_slice(line);
            if line.windows(CAPABILITY.len()).any(|word| word.eq_ignore_ascii_case(CAPABILITY)) {
                self.offers.clear();
                self.offers.extend_from_slice(line);
            }
            self.now.clear();
        }
        Ok(length)
    }
}

impl BufRead for Wire {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.end {
            if self.is_over() {
                return Err(io::Error::other("the server says more than can be true"));
            }
            let read = loop {
                match self.line.read(&mut self.buffer) {
                    Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
            (self.at, self.end) = (0, read);
        }
        Ok(&self.buffer[self.at..self.end])
    }

    fn consume(&mut self, amount: usize) {
        self.at = (self.at + amount).min(self.end);
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let filled = self.fill_buf()?;
        let length = filled.len().min(buf.len());
        buf[..length].copy_from_slice(&filled[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.line.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.line.flush()
    }
}

/// The wire, as the crate holds it.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Mutex<Wire>>);

impl Shared {
    pub(super) fn new(wire: Wire) -> Self {
        Self(Arc::new(Mutex::new(wire)))
    }

    /// The wire, for as long as the engine works. A panic of the crate leaves nothing half done here.
    pub(super) fn lock(&self) -> MutexGuard<'_, Wire> {
        lock(&self.0)
    }
}

impl Read for Shared {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.lock().read_line_part(buf)
    }
}

impl Write for Shared {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.lock().write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.lock().flush()
    }
}

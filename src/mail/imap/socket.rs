//! The socket: what goes over it is counted, and another thread may cut it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bytes on the wire of one connection, TLS included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// To the server.
    pub up: u64,
    /// From the server.
    pub down: u64,
}

/// Counts what goes over a connection; may be read while it works.
#[derive(Debug, Default)]
pub struct Meter {
    up: AtomicU64,
    down: AtomicU64,
}

impl Meter {
    /// What went over the connection so far.
    pub fn traffic(&self) -> Traffic {
        Traffic { up: self.up.load(Ordering::Relaxed), down: self.down.load(Ordering::Relaxed) }
    }
}

/// A socket that counts.
#[derive(Debug)]
pub(super) struct Counted {
    stream: TcpStream,
    meter: Arc<Meter>,
}

impl Counted {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, meter: Arc::default() }
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    pub(super) fn cutter(&self) -> io::Result<Cutter> {
        Ok(Cutter(self.stream.try_clone()?))
    }

    pub(super) fn set_timeouts(&self, silence: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(silence))?;
        self.stream.set_write_timeout(Some(silence))
    }
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buf)?;
        self.meter.down.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Write for Counted {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(buf)?;
        self.meter.up.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Cuts a connection while another thread waits on it, which then fails.
#[derive(Debug)]
pub struct Cutter(TcpStream);

impl Cutter {
    /// Cuts it. To do so twice does no harm.
    pub fn cut(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

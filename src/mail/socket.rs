//! The socket: what goes over it is counted, it is waited for only so long, and another thread may cut it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// In a stretch of so many silences at least so many bytes must come or go, else the server drips and holds us up for
/// ever.
const STRETCH: u32 = 5;
const LEAST: u64 = 16 << 10;

/// How long is waited for a server.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For one address to answer, and for TLS and login to go on.
    pub connect: Duration,
    /// For the next byte, when there is a session: some servers think long before they take a large message.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(20), silence: Duration::from_secs(120) }
    }
}

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

/// A socket that counts. It is below TLS, which may wait for a record's end through many reads.
#[derive(Debug)]
pub(super) struct Counted {
    stream: TcpStream,
    meter: Arc<Meter>,
    /// How long a read or a write may take.
    silence: Duration,
    /// How long this stretch was waited for the server, and what had gone over the wire before. What passes while
    /// nobody reads or writes is our own doing.
    waited: Duration,
    before: u64,
}

impl Counted {
    pub(super) fn new(stream: TcpStream) -> Self {
        let silence = Duration::MAX;
        Self { stream, meter: Arc::default(), silence, waited: Duration::ZERO, before: 0 }
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    pub(super) fn cutter(&self) -> io::Result<Cutter> {
        Ok(Cutter(self.stream.try_clone()?))
    }

    /// How long a read or a write may take from now on.
    pub(super) fn set_silence(&mut self, silence: Duration) -> io::Result<()> {
        self.silence = silence;
        self.stream.set_read_timeout(Some(silence))?;
        self.stream.set_write_timeout(Some(silence))
    }

    /// How long a read or a write may take.
    pub(super) fn silence(&self) -> Duration {
        self.silence
    }

    /// What was waited for before does not count any more.
    pub(super) fn begin(&mut self) {
        (self.waited, self.before) = (Duration::ZERO, self.gone_over());
    }

    fn gone_over(&self) -> u64 {
        let traffic = self.meter.traffic();
        traffic.up + traffic.down
    }

    fn keep_pace(&mut self) -> io::Result<()> {
        if self.waited < self.silence.saturating_mul(STRETCH) {
            return Ok(());
        }
        if self.gone_over() - self.before < LEAST {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the server goes on for ever and says nothing",
            ));
        }
        self.begin();
        Ok(())
    }

    fn wait<T>(&mut self, work: impl FnOnce(&mut TcpStream) -> io::Result<T>) -> io::Result<T> {
        self.keep_pace()?;
        let begun = Instant::now();
        let done = work(&mut self.stream);
        self.waited += begun.elapsed();
        done
    }
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.wait(|stream| stream.read(buf))?;
        self.meter.down.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Write for Counted {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.wait(|stream| stream.write(buf))?;
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

//! The socket: what goes over it is counted, it is waited for only so long, somebody who looks at something else may want
//! it to stop, and another thread may cut it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// In a stretch of so many silences at least so many bytes must come or go, else the server drips and holds us up for
/// ever.
const STRETCH: u32 = 5;
const LEAST: u64 = 16 << 10;

/// So many bytes a second must come or go in each further stretch. A slow line brings more, and so does a server that
/// makes us wait on purpose; a large message would take days with less.
const PACE: u64 = 1 << 10;

/// How long it takes at most until a wish to stop is heard.
const SLICE: Duration = Duration::from_millis(500);

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

/// The wish to stop, as somebody else may have it at any time. By default nobody has.
#[derive(Clone, Default)]
pub struct Stop(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Stop {
    /// As soon as this says so.
    pub fn when(wish: Arc<dyn Fn() -> bool + Send + Sync>) -> Self {
        Self(Some(wish))
    }

    fn is_wanted(&self) -> bool {
        self.0.as_ref().is_some_and(|wish| wish())
    }

    /// # Errors
    /// Somebody wants it to stop.
    fn check(&self) -> io::Result<()> {
        if self.is_wanted() { Err(io::Error::other("somebody wanted it to stop")) } else { Ok(()) }
    }

    /// Does something that cannot be cut short itself: whoever wants it to stop does not wait for its end.
    ///
    /// # Errors
    /// What it fails with; or somebody wants it to stop.
    pub(super) fn unless<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        if self.0.is_none() {
            return work();
        }
        let (done, wait) = mpsc::channel();
        std::thread::Builder::new().name("dial".into()).spawn(move || done.send(work()))?;
        loop {
            self.check()?;
            match wait.recv_timeout(SLICE) {
                Ok(done) => return done,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("it ended without a result"));
                }
            }
        }
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_wanted() { "Stop(wanted)" } else { "Stop" })
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
    /// Whether this stretch is the first one.
    is_first: bool,
    stop: Stop,
}

impl Counted {
    pub(super) fn new(stream: TcpStream, stop: Stop) -> Self {
        let (silence, waited) = (Duration::MAX, Duration::ZERO);
        Self { stream, meter: Arc::default(), silence, waited, before: 0, is_first: true, stop }
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
        // Who may be stopped looks around meanwhile.
        let slice = if self.stop.0.is_some() { silence.min(SLICE) } else { silence };
        self.stream.set_read_timeout(Some(slice))?;
        self.stream.set_write_timeout(Some(slice))
    }

    /// How long a read or a write may take.
    pub(super) fn silence(&self) -> Duration {
        self.silence
    }

    /// What was waited for before does not count any more.
    pub(super) fn begin(&mut self) {
        (self.waited, self.before, self.is_first) = (Duration::ZERO, self.gone_over(), true);
    }

    fn gone_over(&self) -> u64 {
        let traffic = self.meter.traffic();
        traffic.up + traffic.down
    }

    fn keep_pace(&mut self) -> io::Result<()> {
        if self.waited < self.silence.saturating_mul(STRETCH) {
            return Ok(());
        }
        let pace = if self.is_first { 0 } else { self.waited.as_secs().saturating_mul(PACE) };
        if self.gone_over() - self.before < pace.max(LEAST) {
            let why = match self.is_first {
                true => "the server goes on for ever and says nothing",
                false => "the server goes on for ever, with less than 1 KiB a second",
            };
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
        self.begin();
        self.is_first = false;
        Ok(())
    }

    fn wait<T>(&mut self, mut work: impl FnMut(&mut TcpStream) -> io::Result<T>) -> io::Result<T> {
        self.keep_pace()?;
        let begun = Instant::now();
        let done = loop {
            self.stop.check()?;
            match work(&mut self.stream) {
                Err(cause) if is_timeout(&cause) && begun.elapsed() < self.silence => {}
                done => break done,
            }
        };
        self.waited += begun.elapsed();
        done
    }
}

fn is_timeout(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_server_that_drips_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut socket = Counted::new(stream, Stop::default());
        socket.set_silence(Duration::from_secs(120)).unwrap();
        // So many bytes in ten minutes each.
        let mut wait = |bytes: u64| {
            socket.waited += Duration::from_secs(600);
            socket.meter.down.fetch_add(bytes, Ordering::Relaxed);
            socket.keep_pace()
        };
        for bytes in [17 << 10, 600 << 10, 700 << 10] {
            wait(bytes).unwrap();
        }
        assert!(wait(599 << 10).unwrap_err().to_string().contains("less than 1 KiB a second"));
        // What another command took does not count.
        socket.begin();
        socket.waited += Duration::from_secs(600);
        assert!(socket.keep_pace().unwrap_err().to_string().contains("says nothing"));
    }
}

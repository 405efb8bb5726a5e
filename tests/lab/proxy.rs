//! Stands between us and a real server, and spoils what they say to each other.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Changes what the server said; None: the connection is cut instead.
pub type Spoil = Box<dyn FnMut(Vec<u8>) -> Option<Vec<u8>> + Send>;

/// What the proxy does when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// All connections are cut; new ones are let through.
    Cut,
    /// All connections are cut, and no new one is let through.
    Gone,
    /// Nothing more comes over the connections there are; new ones are let through.
    Stall,
}

struct Shared {
    target: u16,
    /// Bytes until the fault, in both directions of all connections.
    left: AtomicU64,
    fault: Fault,
    happened: AtomicBool,
    ended: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
    spoil: Mutex<Option<Spoil>>,
}

/// A proxy in front of a port of this machine.
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Lets everything through until so many bytes have gone.
    pub fn new(target: u16, fault: Fault, after: u64) -> Self {
        Self::start(target, fault, after, None)
    }

    /// Hands what the server says to `spoil` first.
    pub fn spoiling(target: u16, spoil: Spoil) -> Self {
        Self::start(target, Fault::Cut, u64::MAX, Some(spoil))
    }

    fn start(target: u16, fault: Fault, after: u64, spoil: Option<Spoil>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target,
            left: AtomicU64::new(after),
            fault,
            happened: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            streams: Mutex::default(),
            spoil: Mutex::new(spoil),
        });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if own.ended.load(SeqCst) {
                    return;
                }
                own.serve(client.unwrap());
            }
        });
        Self { port, shared }
    }

    /// Cuts all connections now; new ones are let through.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Whether the fault has come.
    pub fn happened(&self) -> bool {
        self.shared.happened.load(SeqCst)
    }

    /// How many bytes went through so far, if it was begun with so many.
    pub fn passed(&self, of: u64) -> u64 {
        of - self.shared.left.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
        self.shared.cut();
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn cut(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn serve(self: &Arc<Self>, client: TcpStream) {
        if self.happened() && self.fault == Fault::Gone {
            return;
        }
        let server = TcpStream::connect(("127.0.0.1", self.target)).unwrap();
        self.streams.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
        // A connection that was there when the fault came stalls; one that comes later does not.
        let stalls = !self.happened();
        for (from, to, spoils) in
            [(client.try_clone().unwrap(), server.try_clone().unwrap(), false), (server, client, true)]
        {
            let own = Arc::clone(self);
            std::thread::spawn(move || {
                own.carry(&from, &to, spoils, stalls);
                if !(own.happened() && own.fault == Fault::Stall && stalls) {
                    let _ = from.shutdown(Shutdown::Both);
                    let _ = to.shutdown(Shutdown::Both);
                }
            });
        }
    }

    fn happened(&self) -> bool {
        self.happened.load(SeqCst)
    }

    fn carry(&self, mut from: &TcpStream, mut to: &TcpStream, spoils: bool, stalls: bool) {
        let mut buffer = [0; 16 << 10];
        loop {
            let length = match from.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(length) => length,
            };
            if self.happened() && self.fault == Fault::Stall && stalls {
                return;
            }
            let mut part = buffer[..length].to_vec();
            if spoils && let Some(spoil) = &mut *self.spoil.lock().unwrap() {
                match spoil(part) {
                    Some(spoilt) => part = spoilt,
                    None => return,
                }
            }
            let left =
                self.left.fetch_update(SeqCst, SeqCst, |left| Some(left.saturating_sub(length as u64)));
            let left = left.unwrap_or_default();
            if left < length as u64 && !self.happened.swap(true, SeqCst) {
                let _ = to.write_all(&part[..left as usize]);
                // What was written shall arrive before the connection is cut.
                std::thread::sleep(Duration::from_millis(5));
                if self.fault != Fault::Stall {
                    self.cut();
                }
                return;
            }
            if to.write_all(&part).is_err() {
                return;
            }
        }
    }
}

//! The line to a server that keeps messages: plain, or TLS that was shaken hands on.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::certificate;
use super::socket::{Counted, Patience, Stop};

/// What bytes go through.
#[derive(Debug)]
pub(super) enum Line {
    /// As they are.
    Plain(Counted),
    /// Through TLS.
    Tls(Box<StreamOwned<ClientConnection, Counted>>),
}

impl Line {
    /// The socket below.
    pub(super) fn socket(&self) -> &Counted {
        match self {
            Self::Plain(counted) => counted,
            Self::Tls(stream) => &stream.sock,
        }
    }

    /// The socket below.
    pub(super) fn socket_mut(&mut self) -> &mut Counted {
        match self {
            Self::Plain(counted) => counted,
            Self::Tls(stream) => &mut stream.sock,
        }
    }
}

impl Read for Line {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = match self {
            Self::Plain(stream) => stream.read(buf),
            Self::Tls(stream) => stream.read(buf),
        };
        match read {
            // Many servers hang up without TLS's goodbye.
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            read => read.map_err(timed_out),
        }
    }
}

impl Write for Line {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buf),
            Self::Tls(stream) => stream.write(buf),
        }
        .map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
        .map_err(timed_out)
    }
}

/// A socket's timeout reads "resource temporarily unavailable", which helps nobody.
fn timed_out(cause: io::Error) -> io::Error {
    match cause.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut if cause.raw_os_error().is_some() => {
            io::Error::new(io::ErrorKind::TimedOut, "the server was silent for too long")
        }
        _ => cause,
    }
}

/// The first address that answers, and how long it took to.
///
/// # Errors
/// What the last one said; or somebody wants it to stop.
pub(super) fn dial(
    addresses: Vec<SocketAddr>,
    patience: Patience,
    stop: &Stop,
) -> io::Result<(TcpStream, SocketAddr, Duration)> {
    stop.unless(move || first(&addresses, patience))
}

fn first(addresses: &[SocketAddr], patience: Patience) -> io::Result<(TcpStream, SocketAddr, Duration)> {
    let mut last = None;
    for address in addresses {
        let begun = Instant::now();
        match TcpStream::connect_timeout(address, patience.connect) {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                return Ok((stream, *address, begun.elapsed()));
            }
            Err(cause) => last = Some(cause),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("it has no address")))
}

/// TLS with the server of this name, on a socket that was plain so far; and what came of it, for a person.
///
/// # Errors
/// A [`rustls::Error`] within, where the certificate is refused or what is said is no TLS.
pub(super) fn secure(
    mut socket: Counted,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
    patience: Patience,
) -> io::Result<(Line, String)> {
    let mut client = ClientConnection::new(config, name).map_err(io::Error::other)?;
    shake_hands(&mut client, &mut socket, patience)?;
    let version = match client.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS 1.2",
    };
    let certificate = client.peer_certificates().and_then(|chain| chain.first());
    let certificate = certificate.map_or_else(String::new, |der| certificate::describe(der));
    let line = Line::Tls(Box::new(StreamOwned::new(client, socket)));
    Ok((line, format!("{version}{certificate}")))
}

/// The handshake, with one deadline over all of it: each byte alone would be in time.
fn shake_hands(client: &mut ClientConnection, socket: &mut Counted, patience: Patience) -> io::Result<()> {
    let begun = Instant::now();
    while client.is_handshaking() || client.wants_write() {
        if begun.elapsed() > patience.connect * 2 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the server takes too long over it"));
        }
        if client.wants_write() {
            client.write_tls(socket)?;
            continue;
        }
        if client.read_tls(socket)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up"));
        }
        if let Err(wrong) = client.process_new_packets() {
            // The server is told what was wrong.
            let _ = client.write_tls(socket);
            return Err(io::Error::other(wrong));
        }
    }
    Ok(())
}

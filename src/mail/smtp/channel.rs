//! The line to a server, as lettre's client reads and writes it: plain or TLS, with bounds on what a server may say.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The longest line of a reply. RFC 5321, 4.5.3.1.5, allows 512 bytes.
const LONGEST_LINE: usize = 64 << 10;

/// The most that a server may say in one conversation.
const MOST: usize = 4 << 20;

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Channel {
    line: Line,
    peer: SocketAddr,
    /// What is read before the server's own words.
    first: &'static [u8],
    /// Bytes since the last line feed, and in all.
    in_line: usize,
    in_all: usize,
}

#[derive(Debug)]
pub(super) enum Line {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Channel {
    /// `first` stands in for the greeting, which a server does not repeat after STARTTLS.
    pub(super) fn new(line: Line, peer: SocketAddr, first: &'static [u8]) -> Self {
        Self { line, peer, first, in_line: 0, in_all: 0 }
    }

    /// Counts what was read; an error if it is more than any server has to say.
    fn bounded(&mut self, read: &[u8]) -> io::Result<()> {
        self.in_all = self.in_all.saturating_add(read.len());
        match memchr::memrchr(b'\n', read) {
            Some(at) => self.in_line = read.len() - at,
            None => self.in_line = self.in_line.saturating_add(read.len()),
        }
        if self.in_line > LONGEST_LINE || self.in_all > MOST {
            return Err(io::Error::other("the server sends far more than an answer"));
        }
        Ok(())
    }
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.first.is_empty() {
            let now = this.first.len().min(buf.remaining());
            let (head, rest) = this.first.split_at(now);
            buf.put_slice(head);
            this.first = rest;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(match &mut this.line {
            Line::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Line::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        })?;
        let read = buf.filled()[before..].to_vec();
        Poll::Ready(this.bounded(&read))
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().line {
            Line::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Line::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().line {
            Line::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Line::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().line {
            Line::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Line::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

impl AsyncTokioStream for Channel {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

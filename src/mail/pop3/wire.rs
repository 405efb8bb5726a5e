//! The line to a server: what is said, and what is heard, line by line and never more than can be true.

use std::io::{BufRead, BufReader, Error, ErrorKind, Write};
use std::time::Duration;

use super::answer::{Answer, No};
use super::body::Unstuff;
use super::commands::Command;
use super::failed::Failed;
use crate::error::Result as Outcome;
use crate::mail::line::Line;
use crate::mail::socket::Counted;

/// How much is read at once.
const BUFFER: usize = 128 << 10;

/// The longest line that says something (RFC 2449, 4: 512), and the most bytes of a list of them.
const LONGEST_LINE: usize = 8 << 10;
const LONGEST_LIST: usize = 256 << 20;

/// The largest message that is believed.
const LARGEST: u64 = 4 << 30;

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Wire {
    line: BufReader<Line>,
    /// The last answer, if it was a no: a server that hangs up says why just before.
    last_no: Option<No>,
}

impl Wire {
    /// Reads and writes may take as long as `silence`.
    ///
    /// # Errors
    /// The socket cannot be told so.
    pub(super) fn new(line: Line, silence: Duration) -> std::io::Result<Self> {
        let mut wire = Self { line: BufReader::with_capacity(BUFFER, line), last_no: None };
        wire.set_silence(silence)?;
        Ok(wire)
    }

    /// How long a read or a write may take from now on.
    pub(super) fn set_silence(&mut self, silence: Duration) -> std::io::Result<()> {
        self.line.get_mut().socket_mut().set_silence(silence)
    }

    /// The socket below.
    pub(super) fn socket(&self) -> &Counted {
        self.line.get_ref().socket()
    }

    /// Whether bytes were read that nobody has asked for yet.
    pub(super) fn has_leftovers(&self) -> bool {
        !self.line.buffer().is_empty()
    }

    /// The bare socket, for TLS to begin on; None: there is TLS already.
    pub(super) fn into_socket(self) -> Option<Counted> {
        match self.line.into_inner() {
            Line::Plain(socket) => Some(socket),
            Line::Tls(_) => None,
        }
    }

    /// Something new begins: what was waited for before does not count against it.
    pub(super) fn begin(&mut self) {
        self.line.get_mut().socket_mut().begin();
    }

    /// Sends commands. The server has to read them all before it is read itself: keep them to what sockets hold.
    pub(super) fn send(&mut self, commands: &[Command<'_>]) -> Result<(), Failed> {
        let stream = self.line.get_mut();
        let lines: Vec<_> = commands.iter().map(Command::line).collect();
        let mut all = zeroize::Zeroizing::new(Vec::with_capacity(lines.iter().map(|line| line.len()).sum()));
        lines.iter().for_each(|line| all.extend_from_slice(line.as_bytes()));
        match stream.write_all(&all).and_then(|()| stream.flush()) {
            Ok(()) => Ok(()),
            // One that takes nothing any more, but is there, would be waited for once more.
            Err(cause) if cause.kind() == ErrorKind::TimedOut => Err(cause.into()),
            Err(cause) => {
                let _ = self.answer();
                Err(self.broke(&cause))
            }
        }
    }

    /// The next line, or its bytes if it is no answer.
    pub(super) fn next(&mut self) -> Result<Result<Answer, Vec<u8>>, Failed> {
        let mut line = Vec::new();
        self.read_line(&mut line)?;
        let answer = Answer::read(&line);
        self.last_no = match &answer {
            Some(Answer::No(no)) => Some(no.clone()),
            Some(Answer::Yes(_) | Answer::More(_)) | None => None,
        };
        Ok(answer.ok_or(line))
    }

    /// The first line of the next answer.
    pub(super) fn answer(&mut self) -> Result<Answer, Failed> {
        self.next()?.map_err(|line| Failed::odd(&line))
    }

    /// What stands behind the next yes.
    pub(super) fn yes(&mut self) -> Result<String, Failed> {
        match self.answer()? {
            Answer::Yes(text) => Ok(text),
            Answer::No(no) => Err(no.into()),
            Answer::More(_) => Err(Failed::broken("the server waits for something that nobody promised")),
        }
    }

    /// Sends a command and waits for a yes.
    pub(super) fn ask(&mut self, command: Command<'_>) -> Result<String, Failed> {
        self.begin();
        self.send(&[command])?;
        self.yes()
    }

    /// The lines behind a yes, up to `most` of them.
    pub(super) fn lines(
        &mut self,
        most: usize,
        hear: &mut dyn FnMut(&[u8]) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let (mut line, mut heard) = (Vec::new(), 0);
        for _ in 0..=most {
            line.clear();
            self.read_line(&mut line)?;
            heard += line.len();
            let text = match line.as_slice() {
                b"." => return Ok(()),
                [b'.', rest @ ..] => rest,
                rest => rest,
            };
            if heard > LONGEST_LIST {
                return Err(Failed::endless());
            }
            hear(text)?;
        }
        Err(Failed::endless())
    }

    /// The message behind a yes; how many bytes it has.
    pub(super) fn message(&mut self, sink: &mut dyn FnMut(&[u8]) -> Outcome<()>) -> Result<u64, Failed> {
        let (mut unstuff, mut size) = (Unstuff::new(), 0);
        loop {
            let part = self.part()?;
            let mut counted = |bytes: &[u8]| {
                size += bytes.len() as u64;
                sink(bytes)
            };
            let (taken, ended) = unstuff.take(part, &mut counted).map_err(Failed::Here)?;
            self.line.consume(taken);
            if ended {
                return Ok(size);
            }
            if size > LARGEST {
                return Err(Failed::endless());
            }
        }
    }

    /// A line without its end.
    fn read_line(&mut self, line: &mut Vec<u8>) -> Result<(), Failed> {
        loop {
            let part = self.part()?;
            let end = memchr::memchr(b'\n', part);
            let taken = end.map_or(part.len(), |at| at + 1);
            line.extend_from_slice(&part[..taken]);
            self.line.consume(taken);
            if line.len() > LONGEST_LINE {
                return Err(Failed::endless());
            }
            if end.is_some() {
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(());
            }
        }
    }

    /// Some of what the server says.
    fn part(&mut self) -> Result<&[u8], Failed> {
        loop {
            match self.line.fill_buf() {
                Ok([]) => return Err(self.broke(&ErrorKind::ConnectionReset.into())),
                Ok(_) => return Ok(self.line.buffer()),
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) => return Err(self.broke(&cause)),
            }
        }
    }

    fn broke(&mut self, cause: &Error) -> Failed {
        match cause.kind() {
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                Failed::Broken { why: "the server hung up".into(), bye: self.last_no.take() }
            }
            _ => Failed::broken(cause.to_string()),
        }
    }
}

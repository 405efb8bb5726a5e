//! APPEND, written ahead (RFC 9051, 6.3.12), in batches where the server takes them (MULTIAPPEND, RFC 3502), and
//! without waiting for leave where it may be (LITERAL+ and LITERAL-, RFC 7888).

mod run;

use std::collections::VecDeque;
use std::io::{self, Write};

use bytes::Bytes;
use jiff::Timestamp;

use self::run::Run;
use super::Session;
use super::answer::No;
use super::failed::Failed;

/// The content of a message that is sent, CRLF at line ends.
pub trait Body: Send {
    /// Its size in bytes, exactly.
    fn size(&self) -> u64;

    /// Flags that this message has beside those of its [`Outgoing`]: atoms, as IMAP writes them. Whoever takes them from
    /// outside sees to it that they are.
    fn flags(&self) -> &[String] {
        &[]
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Its own, or those of `out`.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;
}

impl Body for Bytes {
    fn size(&self) -> u64 {
        self.len() as u64
    }
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self)
    }
}

impl Body for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self)
    }
}

/// A message on its way to a folder.
pub struct Outgoing {
    /// What it is.
    pub body: Box<dyn Body>,
    /// Flags, as IMAP writes them: `\Seen`.
    pub flags: &'static [&'static str],
    /// When the server shall say that it got it; None: now.
    pub internal_date: Option<Timestamp>,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({} bytes)", self.body.size())
    }
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// The server has it: its UIDVALIDITY and UID, where the server tells them (UIDPLUS, RFC 4315).
    Stored(Option<(u32, u32)>),
    /// The server has it not. With more than one message `together` the no is for all of them at once, and need
    /// not be about this one.
    Refused {
        /// The server's words.
        no: No,
        /// How many messages the no is for.
        together: usize,
    },
    /// The connection broke before the answer came: look for its Message-ID before it is sent again.
    Unknown,
    /// It was not sent.
    Unsent,
}

/// Gives messages, and hears what became of them.
pub trait Outbox {
    /// The next message. None: there is none now. It is asked again after each answer; when nothing is under way any
    /// more, None is the end.
    fn next(&mut self) -> Option<Outgoing>;

    /// The message of this number, counted from 0 in the order in which they were given, has its answer. Every
    /// message that was given gets one.
    fn answered(&mut self, number: usize, result: Appended);
}

impl Session {
    /// Sends messages to a folder. It need not be selected.
    ///
    /// # Errors
    /// The connection broke, or a body could not be written, which breaks it. Each message has its answer also then.
    pub fn append(&mut self, folder: &str, outbox: &mut dyn Outbox) -> Result<(), Failed> {
        let folder = self.name(folder)?;
        let offers = self.offers.clone();
        self.work(|engine| Run::new(engine, outbox, &folder, &offers).run())
    }

    /// Sends some messages, and tells what became of each.
    pub fn append_all(&mut self, folder: &str, messages: Vec<Outgoing>) -> (Vec<Appended>, Option<Failed>) {
        let mut all = All { results: vec![Appended::Unsent; messages.len()], waiting: messages.into() };
        let failed = self.append(folder, &mut all).err();
        (all.results, failed)
    }
}

struct All {
    waiting: VecDeque<Outgoing>,
    results: Vec<Appended>,
}

impl Outbox for All {
    fn next(&mut self) -> Option<Outgoing> {
        self.waiting.pop_front()
    }
    fn answered(&mut self, number: usize, result: Appended) {
        if let Some(place) = self.results.get_mut(number) {
            *place = result;
        }
    }
}

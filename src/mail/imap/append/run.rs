//! The exchange itself: what is sent, when, and which answer belongs to what.

use std::collections::VecDeque;
use std::io::{self, Write};

use super::{Appended, Outbox, Outgoing};
use crate::error::Error;
use crate::mail::imap::answer::{Code, No};
use crate::mail::imap::engine::{Deaf, Engine, Event};
use crate::mail::imap::failed::Failed;
use crate::mail::imap::fetch::date;
use crate::mail::imap::folders::quote;
use crate::mail::imap::offers::{Literals, Offers};

/// A batch ends when it has so many bytes, or messages.
const BATCH: u64 = 4 << 20;
const BATCH_MESSAGES: usize = 100;

/// How many commands may be without an answer: their answers must fit into the sockets while nobody reads.
const COMMANDS: usize = 64;

/// How many bytes may be without an answer.
const IN_FLIGHT: u64 = 32 << 20;

/// How many bytes are written at once.
const CHUNK: usize = 128 << 10;

/// A command under way.
struct Pending {
    first: usize,
    messages: usize,
    bytes: u64,
}

/// Messages on their way to one folder.
pub(super) struct Run<'a, 'w> {
    engine: &'a mut Engine<'w>,
    outbox: &'a mut dyn Outbox,
    folder: String,
    literals: Literals,
    multi: bool,
    limit: Option<u64>,
    /// How many messages were taken.
    given: usize,
    /// One that was taken and fits into no batch yet.
    next: Option<Outgoing>,
    pending: VecDeque<Pending>,
    in_flight: u64,
    /// Bytes on their way to the wire.
    out: Vec<u8>,
}

impl<'a, 'w> Run<'a, 'w> {
    pub(super) fn new(
        engine: &'a mut Engine<'w>,
        outbox: &'a mut dyn Outbox,
        folder: &str,
        offers: &Offers,
    ) -> Self {
        Self {
            engine,
            outbox,
            folder: quote(folder),
            literals: offers.literals(),
            multi: offers.has("MULTIAPPEND"),
            limit: offers.append_limit(),
            given: 0,
            next: None,
            pending: VecDeque::new(),
            in_flight: 0,
            out: Vec::new(),
        }
    }

    /// Sends until there is nothing more to send. Each message that was taken has its answer then.
    pub(super) fn run(mut self) -> Result<(), Failed> {
        let result = self.exchange();
        self.give_up();
        result
    }

    fn exchange(&mut self) -> Result<(), Failed> {
        loop {
            let room =
                self.pending.is_empty() || (self.pending.len() < COMMANDS && self.in_flight < IN_FLIGHT);
            if room && let Some(first) = self.take() {
                self.command(first)?;
                continue;
            }
            if self.pending.is_empty() {
                return Ok(());
            }
            match self.event()? {
                Event::Answered(at, answer) => self.settle(at, answer.yes()),
                Event::Continue => return Err(Failed::broken("the server waits for what nobody promised")),
            }
        }
    }

    /// The next message that the server may take.
    fn take(&mut self) -> Option<Outgoing> {
        loop {
            if let Some(next) = self.next.take() {
                return Some(next);
            }
            let next = self.outbox.next()?;
            let number = self.given;
            self.given += 1;
            match self.limit {
                Some(limit) if next.body.size() > limit => {
                    let text = format!(
                        "it takes messages up to {limit} bytes, and this one has {}",
                        next.body.size()
                    );
                    let no = No { code: Code::TooBig, text, bad: false };
                    self.outbox.answered(number, Appended::Refused { no, together: 1 });
                }
                _ => return Some(next),
            }
        }
    }

    /// One command: a message, or a batch. It may take one message too many, which is the first of the next.
    fn command(&mut self, first: Outgoing) -> Result<(), Failed> {
        let mut start = Vec::new();
        self.engine.begin(&mut start);
        start.extend_from_slice(b"APPEND ");
        start.extend_from_slice(self.folder.as_bytes());
        self.pending.push_back(Pending { first: self.given - 1, messages: 0, bytes: 0 });
        self.put(&start)?;
        let mut message = first;
        loop {
            let size = message.body.size();
            let (messages, bytes) = match self.pending.back_mut() {
                Some(pending) => {
                    pending.messages += 1;
                    pending.bytes += size;
                    (pending.messages, pending.bytes)
                }
                None => return Ok(()),
            };
            self.in_flight += size;
            if !self.message(&message)? {
                return Ok(());
            }
            drop(message);
            if !self.multi || bytes >= BATCH || messages >= BATCH_MESSAGES {
                break;
            }
            let taken = self.given;
            match self.take() {
                // One in between was refused here: a batch's messages must have numbers without gaps.
                Some(next) if self.given == taken + 1 && bytes + next.body.size() <= BATCH => message = next,
                next => {
                    self.next = next;
                    break;
                }
            }
        }
        self.put(b"\r\n")
    }

    /// One message of a command; whether the server took it so far.
    fn message(&mut self, message: &Outgoing) -> Result<bool, Failed> {
        let size = message.body.size();
        let at_once = match self.literals {
            Literals::Plus => true,
            Literals::Minus => size <= 4096,
            Literals::Ask => false,
        };
        let date = message.internal_date.map(|time| format!(" {}", date::write(time))).unwrap_or_default();
        let plus = if at_once { "+" } else { "" };
        let own = message.body.flags().iter().map(String::as_str);
        let flags: Vec<&str> = message.flags.iter().copied().chain(own).collect();
        self.put(format!(" ({}){date} {{{size}{plus}}}\r\n", flags.join(" ")).as_bytes())?;
        if !at_once && !self.leave()? {
            return Ok(false);
        }
        let mut literal = Literal { run: self, left: size, failed: None };
        let written = message.body.write(&mut literal);
        let (left, failed) = (literal.left, literal.failed);
        if let Some(failed) = failed {
            return Err(failed);
        }
        let cannot = || Error::other("cannot read a message that was to be sent");
        match written {
            Err(cause) => Err(Failed::Here(cannot().caused_by(cause))),
            Ok(()) if left > 0 => Err(Failed::Here(cannot().caused_by(format!("it is {left} bytes short")))),
            Ok(()) => Ok(true),
        }
    }

    /// Waits until the server wants the literal; false: it wants none of the command.
    fn leave(&mut self) -> Result<bool, Failed> {
        loop {
            match self.event()? {
                Event::Continue => return Ok(true),
                Event::Answered(at, answer) => {
                    let ours = at + 1 == self.pending.len();
                    let result = answer.yes();
                    if ours && result.is_ok() {
                        return Err(Failed::broken("the server says yes to a message that it has not got"));
                    }
                    self.settle(at, result);
                    if ours {
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn event(&mut self) -> Result<Event, Failed> {
        self.engine.write(&self.out)?;
        self.out.clear();
        self.engine.flush()?;
        self.engine.event(&mut Deaf)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        if self.out.len() + bytes.len() > CHUNK {
            self.engine.write(&self.out)?;
            self.out.clear();
        }
        if bytes.len() > CHUNK {
            return self.engine.write(bytes);
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Tells what became of the messages of a command.
    fn settle(&mut self, at: usize, result: Result<Code, No>) {
        let Some(pending) = self.pending.remove(at) else { return };
        self.in_flight -= pending.bytes;
        let uids = match &result {
            Ok(Code::AppendUid(validity, uids)) if uids.len() == pending.messages => Some((*validity, uids)),
            _ => None,
        };
        for at in 0..pending.messages {
            let result = match &result {
                Ok(_) => Appended::Stored(uids.map(|(validity, uids)| (validity, uids[at]))),
                Err(no) => Appended::Refused { no: no.clone(), together: pending.messages },
            };
            self.outbox.answered(pending.first + at, result);
        }
    }

    /// Tells what is left when nothing more can be heard.
    fn give_up(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            for at in 0..pending.messages {
                self.outbox.answered(pending.first + at, Appended::Unknown);
            }
        }
        if self.next.take().is_some() {
            self.outbox.answered(self.given - 1, Appended::Unsent);
        }
    }
}

/// Takes exactly as many bytes as were announced.
struct Literal<'r, 'a, 'w> {
    run: &'r mut Run<'a, 'w>,
    left: u64,
    failed: Option<Failed>,
}

impl Write for Literal<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| io::Error::other("it is longer than it said"))?;
        self.run.put(bytes).map_err(|failed| {
            self.failed = Some(failed);
            io::Error::other("the connection broke")
        })?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! The hot path: commands written ahead, answers read as they come.
//!
//! It writes only as much ahead as the sockets hold without a reader (commands and their answers are short; the long
//! side of an exchange is always the one that is being worked off), so it needs neither threads nor polling.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use super::answer::{Answer, No, Status};
use super::failed::Failed;
use super::lexer::{Lex, Lexer, number};
use super::wire::Wire;
use crate::error::Error;

/// The most bytes that a server may send before it answers a command, if nobody awaits more.
pub(super) const MOST_TOLD: u64 = if cfg!(test) { 4 << 20 } else { 256 << 20 };

/// How many responses are read after a server hung up, to find why.
const LAST_WORDS: usize = 1000;

/// Hears the data that a server sends before it answers.
pub(super) trait Listen {
    /// One response: `* NUMBER WORD ...` or `* WORD ...`. What is left of the line is skipped; so is all of it, if it
    /// turns out to be [`Lex::Odd`].
    fn hear(&mut self, number: Option<u32>, word: &str, line: &mut Lexer<'_>) -> Result<(), Lex>;

    /// A response of this word cannot be read: what it tells is not known, and that is all that is.
    fn odd(&mut self, _word: &str) {}

    /// What the server tells besides, `* OK [UIDNEXT 7] ...`: from its code on.
    fn told(&mut self, _text: &str) {}
}

/// Hears nothing.
pub(super) struct Deaf;

impl Listen for Deaf {
    fn hear(&mut self, _: Option<u32>, _: &str, _: &mut Lexer<'_>) -> Result<(), Lex> {
        Ok(())
    }
}

/// What ends a wait.
#[derive(Debug)]
pub(super) enum Event {
    /// A command is answered: which of those that wait, counted from the oldest. It waits no longer.
    Answered(usize, Answer),
    /// The server waits for a literal, or for the next words of a dialogue.
    Continue,
}

/// The engine at work. It holds the wire.
pub(super) struct Engine<'a> {
    wire: &'a mut Wire,
    tag: &'a mut u64,
    /// Tags of commands that are not answered, oldest first.
    waiting: VecDeque<String>,
    begun: u64,
    /// The most bytes that may come before an answer, and whether messages are among them.
    most: u64,
    bodies: bool,
    /// Whom it talks to, and what was sent last, such as `UID FETCH`, for messages.
    server: &'a str,
    command: String,
    /// How many responses that tell of messages could not be read.
    odd: u64,
}

impl<'a> Engine<'a> {
    pub(super) fn new(wire: &'a mut Wire, tag: &'a mut u64, server: &'a str) -> Self {
        wire.begin();
        let begun = wire.meter().traffic().down;
        let (waiting, command) = (VecDeque::new(), String::new());
        Self { wire, tag, waiting, begun, most: MOST_TOLD, bodies: false, server, command, odd: 0 }
    }

    /// So many bytes may come before the next answer, from here on; whether messages are among them. Who sends too much
    /// for one of those may be asked for the others, and for anything else there is no reason to be asked again.
    pub(super) fn await_bytes(&mut self, most: u64, bodies: bool) {
        (self.most, self.bodies) = (most, bodies);
    }

    /// How many responses that tell of messages could not be read so far.
    pub(super) fn odd(&self) -> u64 {
        self.odd
    }

    /// How many commands wait for their answer.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Begins a command: its tag and a space.
    pub(super) fn begin(&mut self, out: &mut Vec<u8>) {
        *self.tag += 1;
        let tag = format!("p{}", self.tag);
        out.extend_from_slice(tag.as_bytes());
        out.push(b' ');
        self.waiting.push_back(tag);
    }

    /// Writes bytes. Should the server have hung up, what it said then is looked for.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        self.wire.write_all(bytes).map_err(|cause| self.hung_up(&cause))
    }

    /// Sends what was written.
    pub(super) fn flush(&mut self) -> Result<(), Failed> {
        self.wire.flush().map_err(|cause| self.hung_up(&cause))
    }

    /// Sends a whole command, without its tag and line end.
    pub(super) fn send(&mut self, command: &str) -> Result<(), Failed> {
        self.command.clear();
        let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_uppercase());
        for word in command.split(' ').take(2).take_while(is_word) {
            self.command.push_str(if self.command.is_empty() { "" } else { " " });
            self.command.push_str(word);
        }
        let mut out = Vec::with_capacity(command.len() + 16);
        self.begin(&mut out);
        out.extend_from_slice(command.as_bytes());
        out.extend_from_slice(b"\r\n");
        self.write(&out)?;
        self.flush()
    }

    /// Sends a command and waits for its answer.
    pub(super) fn run(&mut self, command: &str, listen: &mut dyn Listen) -> Result<Answer, Failed> {
        self.send(command)?;
        self.answer(listen)
    }

    /// Waits for the answer to the only command that waits.
    pub(super) fn answer(&mut self, listen: &mut dyn Listen) -> Result<Answer, Failed> {
        match self.event(listen)? {
            Event::Answered(_, answer) => Ok(answer),
            Event::Continue => Err(Failed::broken("the server waits for something that nobody promised")),
        }
    }

    /// Waits for an answer, or until the server wants us to go on.
    pub(super) fn event(&mut self, listen: &mut dyn Listen) -> Result<Event, Failed> {
        self.wire.limit(self.begun.saturating_add(self.most));
        loop {
            if let Some(event) = self.response(listen)? {
                if matches!(event, Event::Answered(..)) {
                    self.begun = self.wire.meter().traffic().down;
                }
                return Ok(event);
            }
        }
    }

    /// Waits as long as `within`, more than nothing, for the server to say something: whether it did.
    pub(super) fn comes(&mut self, within: Duration) -> Result<bool, Failed> {
        self.wire.comes(within).map_err(|cause| Failed::broken(cause.to_string()))
    }

    /// One response; what it brings about, if it is no mere news.
    pub(super) fn response(&mut self, listen: &mut dyn Listen) -> Result<Option<Event>, Failed> {
        self.read(listen).map_err(|why| match why {
            Why::Lex(Lex::Io(_)) if self.wire.is_over() => self.endless(),
            Why::Lex(Lex::Endless) => self.endless(),
            Why::Lex(lex) => lex.into(),
            Why::Bye(bye) => Failed::Broken { why: "the server hung up".into(), bye: Some(bye) },
        })
    }

    fn read(&mut self, listen: &mut dyn Listen) -> Result<Option<Event>, Why> {
        let mut line = Lexer::new(self.wire);
        match line.peek()? {
            b'+' => {
                line.eat(b'+')?;
                line.text()?;
                return Ok(Some(Event::Continue));
            }
            b'*' => {
                line.eat(b'*')?;
                line.spaces()?;
                untagged(&mut line, listen, &mut self.odd)?;
                return Ok(None);
            }
            _ => {}
        }
        let tag = line.word()?;
        line.spaces()?;
        let status = Status::read(&line.word()?);
        line.spaces()?;
        let text = line.text()?;
        // Mostly the oldest one, but a server may answer in another order (RFC 9051, 5.5).
        let at = self.waiting.iter().position(|waiting| *waiting == tag);
        let (Some(status), Some(at)) = (status, at) else { return Err(Lex::Odd.into()) };
        self.waiting.remove(at);
        if status == Status::Bye {
            return Err(Why::Bye(No::read(status, &text)));
        }
        Ok(Some(Event::Answered(at, Answer { status, text })))
    }

    fn endless(&self) -> Failed {
        // Nothing that was written bit by bit is known to have been done or not.
        let bit_by_bit = self.command.is_empty();
        let command = if bit_by_bit { "APPEND" } else { &self.command };
        let why = format!("{} answers {command} with more than can be true", self.server);
        match self.bodies || bit_by_bit {
            true => Failed::broken(why),
            false => Failed::Here(Error::other(why).hint("that is a fault of the server: tell its operator")),
        }
    }

    /// A write failed: the server's last words, if there are some.
    fn hung_up(&mut self, cause: &io::Error) -> Failed {
        // One that takes nothing any more, but is there, would be waited for once more.
        let silent = cause.kind() == io::ErrorKind::TimedOut;
        for _ in 0..if silent { 0 } else { LAST_WORDS } {
            match self.response(&mut Deaf) {
                Err(Failed::Broken { bye: Some(bye), .. }) => {
                    return Failed::Broken { why: "the server hung up".into(), bye: Some(bye) };
                }
                Err(_) => break,
                Ok(_) => {}
            }
        }
        Failed::broken(cause.to_string())
    }
}

/// Why there is no response.
enum Why {
    /// It cannot be read.
    Lex(Lex),
    /// The server hung up, with these words.
    Bye(No),
}

impl From<Lex> for Why {
    fn from(lex: Lex) -> Self {
        Self::Lex(lex)
    }
}

/// What stands after `* `. What cannot be read of messages is counted.
fn untagged(line: &mut Lexer<'_>, listen: &mut dyn Listen, odd: &mut u64) -> Result<(), Why> {
    let mut about = String::new();
    let heard = (|| {
        let word = line.word()?;
        line.spaces()?;
        if let Some(status) = Status::read(&word) {
            let text = line.text()?;
            listen.told(&text);
            return Ok((status == Status::Bye).then(|| No::read(status, &text)));
        }
        match number(&word) {
            None => {
                about = word.to_ascii_uppercase();
                listen.hear(None, &about, line)?;
            }
            Some(number) => {
                about = line.word()?.to_ascii_uppercase();
                let number = u32::try_from(number).map_err(|_| Lex::Odd)?;
                line.spaces()?;
                listen.hear(Some(number), &about, line)?;
            }
        }
        Ok(None)
    })();
    match heard {
        Ok(None) => Ok(line.finish()?),
        Err(Lex::Odd) => {
            *odd += u64::from(about == "FETCH");
            listen.odd(&about);
            Ok(line.finish()?)
        }
        Ok(Some(bye)) => Err(Why::Bye(bye)),
        Err(lex) => Err(lex.into()),
    }
}

#[cfg(test)]
mod tests;

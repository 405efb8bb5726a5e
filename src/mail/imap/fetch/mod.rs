//! UID FETCH, written ahead: the server is never idle, and nothing large is held.

pub(super) mod date;
mod held;
mod items;
mod parse;

use std::collections::VecDeque;

use jiff::Timestamp;

pub use self::items::{Item, Section};

use super::Session;
use super::answer::No;
use super::engine::{Engine, Event, Listen, MOST_TOLD};
use super::failed::Failed;
use super::lexer::{LARGEST_LITERAL, Lex, Lexer};
use super::uids;
use crate::error::Result as Outcome;

/// How many bytes of answers may be under way.
const IN_FLIGHT: u64 = 32 << 20;

/// How many bytes of commands the server may have to read before we read it: less than any socket holds, or both
/// sides would wait for each other.
const WRITTEN_AHEAD: usize = 16 << 10;

/// How many times as many bytes may come as are expected: what is told of a message's size may be wrong. Beside that the
/// largest message that is believed may come, or what may be told anyway.
const MORE: u64 = 4;

/// One command: some messages, and what is asked of them.
#[derive(Debug, Clone)]
pub struct Request {
    /// UIDs, sorted. Keep to a few MB and a few hundred messages; too long a set becomes several commands.
    pub uids: Vec<u32>,
    /// What is asked.
    pub items: Vec<Item>,
    /// About how many bytes the answer will have: so many requests are written ahead.
    pub expected: u64,
}

/// What is known of a message when its response ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Its sequence number, which changes when others are removed.
    pub seq: u32,
    /// Its UID; None: the server tells of a change that nobody asked for.
    pub uid: Option<u32>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// When the server got it.
    pub internal_date: Option<Timestamp>,
    /// Its flags, as the server writes them.
    pub flags: Option<Vec<String>>,
    /// Its modification sequence.
    pub mod_seq: Option<u64>,
    /// Its id (RFC 8474).
    pub email_id: Option<String>,
    /// Gmail's id of it.
    pub gmail_message: Option<u64>,
    /// Gmail's id of its thread.
    pub gmail_thread: Option<u64>,
    /// Gmail's labels, in modified UTF-7.
    pub gmail_labels: Option<Vec<String>>,
    /// Its header, or the fields that were asked; of one that is larger than 1 MiB the beginning.
    pub header: Option<Vec<u8>>,
}

impl Fetched {
    /// Takes what is told besides: a server may answer in several responses, or tell of a change meanwhile.
    fn learn(&mut self, more: Self) {
        let Self {
            seq,
            uid,
            size,
            internal_date,
            flags,
            mod_seq,
            email_id,
            gmail_message,
            gmail_thread,
            gmail_labels,
            header,
        } = more;
        self.seq = seq;
        self.uid = uid.or(self.uid);
        self.size = size.or(self.size);
        self.internal_date = internal_date.or(self.internal_date);
        self.flags = flags.or(self.flags.take());
        self.mod_seq = mod_seq.or(self.mod_seq);
        self.email_id = email_id.or(self.email_id.take());
        self.gmail_message = gmail_message.or(self.gmail_message);
        self.gmail_thread = gmail_thread.or(self.gmail_thread);
        self.gmail_labels = gmail_labels.or(self.gmail_labels.take());
        self.header = header.or(self.header.take());
    }
}

/// Takes what servers send. A server may tell of messages that nobody asked for: look at the UID.
pub trait Sink {
    /// The bytes of a section begin. Of the message only what stood before is known; mostly the UID is.
    ///
    /// # Errors
    /// They cannot be taken; the session ends with that.
    fn begin(&mut self, message: &Fetched, section: Section, size: u64) -> Outcome<()>;

    /// Some of the bytes that were announced.
    ///
    /// # Errors
    /// As of [`Sink::begin`].
    fn bytes(&mut self, part: &[u8]) -> Outcome<()>;

    /// All of a message is there. What was begun before and has no end is void.
    ///
    /// # Errors
    /// As of [`Sink::begin`].
    fn end(&mut self, message: Fetched) -> Outcome<()>;

    /// The server says that it gave all that it has of a request, or why it does not; by its place among the requests.
    /// For one whose UIDs are too many for one command it says so for each.
    ///
    /// # Errors
    /// As of [`Sink::begin`].
    fn answered(&mut self, _request: usize, _no: Option<&No>) -> Outcome<()> {
        Ok(())
    }
}

/// A request that the server refused, by its place among the requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which one, from 0.
    pub request: usize,
    /// The server's words. Some of its messages may have come before.
    pub no: No,
}

/// Hears messages, and hands them to a sink.
pub(super) struct Ear<'a> {
    pub(super) sink: &'a mut dyn Sink,
}

impl Listen for Ear<'_> {
    fn hear(&mut self, number: Option<u32>, word: &str, line: &mut Lexer<'_>) -> Result<(), Lex> {
        let (Some(seq), "FETCH") = (number, word) else { return Ok(()) };
        let message = parse::message(line, seq, self.sink)?;
        if message.uid.is_some() {
            self.sink.end(message).map_err(Lex::Sink)?;
        }
        Ok(())
    }
}

impl Session {
    /// Fetches from the selected folder. Requests are taken as they can be sent. A message that is not there is
    /// passed over in silence; what did not come to an end did not come.
    ///
    /// # Errors
    /// The connection broke, or the sink could not go on, which breaks it.
    pub fn fetch(
        &mut self,
        requests: impl IntoIterator<Item = Request>,
        sink: &mut dyn Sink,
    ) -> Result<Vec<Refused>, Failed> {
        self.work(|engine| run(engine, &mut requests.into_iter().enumerate(), sink))
    }
}

/// A command under way.
struct Pending {
    request: usize,
    expected: u64,
    /// The length of the command itself.
    length: usize,
}

fn run(
    engine: &mut Engine<'_>,
    requests: &mut dyn Iterator<Item = (usize, Request)>,
    sink: &mut dyn Sink,
) -> Result<Vec<Refused>, Failed> {
    let mut refused = Vec::new();
    // Commands that are not sent yet, and those that are not answered.
    let mut ready: VecDeque<(String, Pending)> = VecDeque::new();
    let mut pending: VecDeque<Pending> = VecDeque::new();
    let (mut in_flight, mut written): (u64, usize) = (0, 0);
    let mut besides = MOST_TOLD;
    let mut ear = Ear { sink };
    loop {
        if ready.is_empty()
            && let Some((number, request)) = requests.next()
        {
            if request.items.iter().any(|item| item.section().is_some()) {
                besides = LARGEST_LITERAL;
            }
            let items = items::write(&request.items);
            let sets = uids::write(&request.uids);
            let expected = request.expected / (sets.len() as u64).max(1);
            let commands = sets.into_iter().map(|set| {
                let command = format!("UID FETCH {set} {items}");
                let length = command.len();
                (command, Pending { request: number, expected, length })
            });
            ready.extend(commands);
            if ready.is_empty() {
                continue;
            }
        }
        let room = engine.waiting() == 0
            || ready.front().is_some_and(|(_, next)| {
                in_flight + next.expected <= IN_FLIGHT && written + next.length <= WRITTEN_AHEAD
            });
        if room && let Some((command, next)) = ready.pop_front() {
            engine.send(&command)?;
            in_flight += next.expected;
            written += next.length;
            pending.push_back(next);
            engine.await_bytes(besides + in_flight.saturating_mul(MORE), true);
            continue;
        }
        if engine.waiting() == 0 {
            return Ok(refused);
        }
        match engine.event(&mut ear)? {
            Event::Answered(at, answer) => {
                let Some(done) = pending.remove(at) else { continue };
                in_flight -= done.expected;
                written -= done.length;
                let no = answer.yes().err();
                ear.sink.answered(done.request, no.as_ref()).map_err(Failed::Here)?;
                refused.extend(no.map(|no| Refused { request: done.request, no }));
            }
            Event::Continue => return Err(Failed::broken("the server waits for what nobody promised")),
        }
    }
}

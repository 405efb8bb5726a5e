//! A session: what may be asked of a mailbox, whether the answers can be true, and whether there still is a session.

use std::sync::Arc;

use super::answer::{Meaning, number};
use super::commands::Command;
use super::failed::Failed;
use super::offers::Offers;
use super::wire::Wire;
use super::{Cutter, GOODBYE, Meter, explain};
use crate::error::Result as Outcome;
use crate::profile::Pop3;

/// The most messages of a mailbox.
pub(super) const MOST_MESSAGES: u32 = 4_000_000;

/// The longest unique id that is believed (RFC 1939: 70).
const LONGEST_ID: usize = 512;

/// What is in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Messages.
    pub messages: u32,
    /// Their bytes, as the server reckons them: servers are known to be wrong about it.
    pub bytes: u64,
}

/// What names the messages of a mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// The messages' numbers, each with its unique id, sorted.
    pub known: Vec<(u32, Box<str>)>,
    /// The numbers of those of which the server tells no id that anybody could keep.
    pub odd: Vec<u32>,
}

/// What a command lists of each message, by number, and the numbers of those of which it says nothing that can be read.
type Told<T> = (Vec<(u32, T)>, Vec<u32>);

/// A session with a mailbox, logged in. Its messages are numbered from 1, and the numbers hold for this session alone.
///
/// Nothing here can delete a message. Dropped without [`Session::quit`], it just hangs up, and then the server may not
/// delete anything by itself either (RFC 1939, 6).
pub struct Session {
    server: String,
    pub(super) wire: Wire,
    offers: Offers,
    broken: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({}{})", self.server, if self.broken { ", broken" } else { "" })
    }
}

impl Session {
    pub(super) fn new(account: &Pop3, wire: Wire, offers: Offers) -> Self {
        Self { server: account.server(), wire, offers, broken: false }
    }

    /// Server and port, as in messages.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What the server offers.
    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// Whether nothing more can be said: another session must be opened.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Counts the bytes on the wire, also while the session works in another thread.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(self.wire.socket().meter())
    }

    /// What cuts this connection from another thread; None if the system has no more file descriptors.
    pub fn cutter(&self) -> Option<Cutter> {
        self.wire.socket().cutter().ok()
    }

    /// How many messages there are, and how large they are together (STAT).
    ///
    /// # Errors
    /// The server refuses, or the connection broke.
    pub fn stat(&mut self) -> Result<Stat, Failed> {
        self.work(|wire| {
            let said = wire.ask(Command::Stat)?;
            let mut words = said.split_ascii_whitespace();
            match (words.next().and_then(number), words.next().and_then(number)) {
                (Some(messages), Some(bytes)) if messages <= MOST_MESSAGES => Ok(Stat { messages, bytes }),
                _ => Err(Failed::odd(said.as_bytes())),
            }
        })
    }

    /// The messages' numbers, each with its unique id (UIDL). The ids outlive the session; two messages have the
    /// same only if they are copies of each other (RFC 1939, 7).
    ///
    /// # Errors
    /// The server has no such ids, refuses, or the connection broke.
    pub fn uidl(&mut self) -> Result<Ids, Failed> {
        let ids = self.listed(Command::Uidl, &|id| {
            let sound = (1..=LONGEST_ID).contains(&id.len()) && !id.chars().any(char::is_control);
            sound.then(|| id.into())
        });
        match ids {
            // A server need not have them, and mostly says no more than that it does not know the command.
            Err(Failed::No(no)) if !self.offers.has("UIDL") && no.meaning() == Meaning::Unknown => {
                Err(Failed::Here(explain::no_ids(&self.server, &no)))
            }
            ids => ids.map(|(known, odd)| Ids { known, odd }),
        }
    }

    /// The messages' numbers, each with its size in bytes (LIST), sorted. The sizes are what the server reckons; where it
    /// says none there is none.
    ///
    /// # Errors
    /// The server refuses, or the connection broke.
    pub fn list(&mut self) -> Result<Vec<(u32, u64)>, Failed> {
        // RFC 1939, 5: a server may say more behind the size.
        let sizes = self.listed(Command::List, &|said| number(said.split_ascii_whitespace().next()?));
        sizes.map(|(sizes, _)| sizes)
    }

    /// A message (RETR), part by part, as the server has it: CR LF at line ends, else byte for byte; how many bytes
    /// they were. If it ends early, what came is void.
    ///
    /// # Errors
    /// The server refuses, the connection broke, or `sink` failed, which ends the session.
    pub fn retr(&mut self, number: u32, sink: &mut dyn FnMut(&[u8]) -> Outcome<()>) -> Result<u64, Failed> {
        self.work(|wire| {
            wire.ask(Command::Retr(number))?;
            wire.message(sink)
        })
    }

    /// The header of a message and so many lines of its body (TOP), part by part; how many bytes they were.
    ///
    /// # Errors
    /// As of [`Session::retr`]; or the server has no TOP.
    pub fn top(
        &mut self,
        number: u32,
        lines: u32,
        sink: &mut dyn FnMut(&[u8]) -> Outcome<()>,
    ) -> Result<u64, Failed> {
        if self.offers.known() && !self.offers.has("TOP") {
            return Err(Failed::Here(explain::no_top(&self.server)));
        }
        self.work(|wire| {
            wire.ask(Command::Top(number, lines))?;
            wire.message(sink)
        })
    }

    /// Says nothing, so that the server does not forget us.
    ///
    /// # Errors
    /// The connection broke.
    pub fn noop(&mut self) -> Result<(), Failed> {
        self.work(|wire| wire.ask(Command::Noop)).map(drop)
    }

    /// Says goodbye. What goes wrong with that harms nobody. A server that offers
    /// [`Expire::WhenFetched`](super::Expire::WhenFetched) may delete now what was fetched; to drop the session instead
    /// keeps it from that.
    pub fn quit(mut self) {
        let _ = self.wire.set_silence(GOODBYE);
        let _ = self.work(|wire| wire.ask(Command::Quit));
    }

    /// Does something on the wire. Whatever failed but for a plain no leaves it out of step.
    pub(super) fn work<T>(&mut self, work: impl FnOnce(&mut Wire) -> Result<T, Failed>) -> Result<T, Failed> {
        if self.broken {
            return Err(Failed::broken("the connection broke before"));
        }
        let result = work(&mut self.wire);
        self.broken = !matches!(result, Ok(_) | Err(Failed::No(_)));
        result
    }

    /// What a command lists of each message, sorted by number; and the numbers of those of which it says nothing that can be
    /// read.
    fn listed<T>(
        &mut self,
        command: Command<'_>,
        read: &dyn Fn(&str) -> Option<T>,
    ) -> Result<Told<T>, Failed> {
        self.work(|wire| {
            wire.ask(command)?;
            let (mut all, mut odd) = (Vec::new(), Vec::new());
            wire.lines(MOST_MESSAGES as usize, &mut |line| {
                let (number, said) = numbered(line).ok_or_else(|| Failed::odd(line))?;
                match std::str::from_utf8(said).ok().and_then(read) {
                    Some(one) => all.push((number, one)),
                    None => odd.push(number),
                }
                Ok(())
            })?;
            all.sort_unstable_by_key(|(number, _)| *number);
            match all.windows(2).find(|two| two[0].0 == two[1].0) {
                Some(two) => Err(Failed::untrue(format!("the server lists message {} twice", two[0].0))),
                None => Ok((all, odd)),
            }
        })
    }
}

/// A line of a list: a message's number, a space, and what is said of it.
fn numbered(line: &[u8]) -> Option<(u32, &[u8])> {
    let line = line.trim_ascii();
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (first, rest) = line.split_at(end);
    let number = std::str::from_utf8(first).ok().and_then(number)?;
    Some((number, rest.trim_ascii_start())).filter(|(number, _)| (1..=MOST_MESSAGES).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_line_by_line() {
        for (line, expected) in [
            ("1 whqtswO00WBw418f9t5JxYwZ", Some((1, "whqtswO00WBw418f9t5JxYwZ"))),
            ("4000000  two words ", Some((4_000_000, "two words"))),
            ("4000001 x", None),
            ("0 x", None),
            ("-1 x", None),
            ("1", Some((1, ""))),
            ("1 ", Some((1, ""))),
            ("x 1", None),
            ("", None),
        ] {
            let expected = expected.map(|(number, id)| (number, id.as_bytes()));
            assert_eq!(numbered(line.as_bytes()), expected, "{line}");
        }
    }
}

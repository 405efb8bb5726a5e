//! Many messages, written ahead where the server takes that (PIPELINING; RFC 2449, 6.6): it is never idle, and nothing
//! is held.

use std::collections::VecDeque;

use super::answer::No;
use super::commands::Command;
use super::failed::Failed;
use super::session::Session;
use crate::error::Result as Outcome;

/// How many commands may be under way. They have less than a kilobyte together: any socket holds that, so we never wait
/// for the server to read while it waits for us.
const AHEAD: usize = 64;

/// Takes what servers send.
pub trait Sink {
    /// A message begins. What was begun before and has no end is void.
    ///
    /// # Errors
    /// It cannot be taken; the session ends with that.
    fn begin(&mut self, number: u32) -> Outcome<()>;

    /// Some of its bytes.
    ///
    /// # Errors
    /// As of [`Sink::begin`].
    fn bytes(&mut self, part: &[u8]) -> Outcome<()>;

    /// All of it is there: so many bytes.
    ///
    /// # Errors
    /// As of [`Sink::begin`].
    fn end(&mut self, number: u32, size: u64) -> Outcome<()>;

    /// The server refuses to hand it out: told at its place among the others.
    ///
    /// # Errors
    /// As of [`Sink::begin`].
    fn refused(&mut self, number: u32, no: &No) -> Outcome<()> {
        let _ = (number, no);
        Ok(())
    }
}

/// A message that the server refused to hand out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its number.
    pub number: u32,
    /// The server's words.
    pub no: No,
}

impl Session {
    /// Fetches messages in this order. One that is refused does not stop the others.
    ///
    /// # Errors
    /// The connection broke, or `sink` failed; what ended before is whole.
    pub fn fetch(
        &mut self,
        numbers: impl IntoIterator<Item = u32>,
        sink: &mut dyn Sink,
    ) -> Result<Vec<Refused>, Failed> {
        let ahead = if self.offers().has("PIPELINING") { AHEAD } else { 1 };
        let mut numbers = numbers.into_iter();
        self.work(|wire| {
            wire.begin();
            let (mut waiting, mut refused) = (VecDeque::new(), Vec::new());
            loop {
                // Half of them at a time: one write for each message would be as many packets.
                if waiting.len() <= ahead / 2 {
                    let more: Vec<u32> = numbers.by_ref().take(ahead - waiting.len()).collect();
                    let commands: Vec<_> = more.iter().map(|number| Command::Retr(*number)).collect();
                    if !commands.is_empty() {
                        wire.send(&commands)?;
                    }
                    waiting.extend(more);
                }
                let Some(number) = waiting.pop_front() else { return Ok(refused) };
                match wire.yes() {
                    Ok(_) => {}
                    Err(Failed::No(no)) => {
                        sink.refused(number, &no).map_err(Failed::Here)?;
                        refused.push(Refused { number, no });
                        continue;
                    }
                    Err(failed) => return Err(failed),
                }
                sink.begin(number).map_err(Failed::Here)?;
                let size = wire.message(&mut |part| sink.bytes(part))?;
                sink.end(number, size).map_err(Failed::Here)?;
            }
        })
    }
}

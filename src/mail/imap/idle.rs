//! Waiting for new mail: IDLE (RFC 2177), and NOOP where there is none.
//!
//! The crate has an IDLE, which cannot be used: it takes news that come before the server's `+` for the `+`.

use std::time::{Duration, Instant};

use super::Session;
use super::engine::{Event, Listen};
use super::failed::Failed;
use super::lexer::{Lex, Lexer};

/// The most that a server may tell in one wait: flags of a whole folder may change.
const MOST_TOLD: u32 = 1 << 18;

/// How many messages are in the open folder, as the server tells it, and whether some came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    messages: u32,
    came: bool,
}

impl Count {
    /// Of a folder with so many messages, none of them news.
    pub fn new(messages: u32) -> Self {
        Self { messages, came: false }
    }

    /// How many messages there are.
    pub fn messages(&self) -> u32 {
        self.messages
    }

    /// Whether messages came since this was asked last.
    pub fn take_came(&mut self) -> bool {
        std::mem::take(&mut self.came)
    }
}

impl Listen for Count {
    fn hear(&mut self, number: Option<u32>, word: &str, _: &mut Lexer<'_>) -> Result<(), Lex> {
        match (number, word) {
            (Some(number), "EXISTS") => {
                self.came |= number > self.messages;
                self.messages = number;
            }
            // One less: the next that comes makes it as many as before.
            (Some(_), "EXPUNGE") => self.messages = self.messages.saturating_sub(1),
            _ => {}
        }
        Ok(())
    }
}

impl Session {
    /// Whether the server tells of new mail by itself.
    pub fn can_idle(&self) -> bool {
        self.offers.has("IDLE") || self.offers.has("IMAP4REV2")
    }

    /// Waits until messages come into the open folder, as long as `within` at most. A server may hang up on who is
    /// silent for 30 minutes.
    ///
    /// # Errors
    /// The server refuses it (then [`Session::poll`] is left), or the connection broke.
    pub fn idle(&mut self, count: &mut Count, within: Duration) -> Result<(), Failed> {
        self.work(|engine| {
            engine.send("IDLE")?;
            if let Event::Answered(_, answer) = engine.event(count)? {
                answer.yes()?;
                return Err(Failed::broken("the server ended IDLE before it began"));
            }
            let until = Instant::now() + within;
            let mut told = 0;
            while !count.came {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() || !engine.comes(left)? {
                    break;
                }
                told += 1;
                if told > MOST_TOLD {
                    return Err(Lex::Endless.into());
                }
                if let Some(Event::Answered(..)) = engine.response(count)? {
                    return Err(Failed::broken("the server ended IDLE by itself"));
                }
            }
            engine.write(b"DONE\r\n")?;
            engine.flush()?;
            engine.answer(count)?.yes()?;
            Ok(())
        })
    }

    /// Asks whether messages came into the open folder.
    ///
    /// # Errors
    /// The server refuses, or the connection broke.
    pub fn poll(&mut self, count: &mut Count) -> Result<(), Failed> {
        self.work(|engine| engine.run("NOOP", count))?.yes()?;
        Ok(())
    }
}

//! A server that hangs up while it lists: at which message is found out, so that it keeps none of the others.
//!
//! What was said before a break may be lost with it, so the message after the last one that came need not be the cause.
//! Some messages are asked for one by one, each when the one before was answered; then there is only one that can be it.

use super::held::Held;
use crate::error::Result;
use crate::mail::imap::{Failed, Meaning};

/// After how many breaks of which nothing came messages are asked for one by one, and at how many one of them is the cause.
const IN_VAIN: u32 = 2;
const STRIKES: u32 = 2;

/// How many messages in a row may be listed without a description because of breaks: then it is not because of them.
const IN_A_ROW: u32 = 10;

/// What broke, and where.
#[derive(Debug, Default)]
pub(super) struct Breaks {
    /// How many messages were listed as it broke last, and how often it broke there.
    far: usize,
    in_vain: u32,
    /// The message that was asked for alone last, how often the connection broke at it, and whether it is under way.
    alone: Option<(u32, u32)>,
    asking: bool,
    in_a_row: u32,
}

/// Whether a message may be the cause: the connection is gone, and nobody said that it was too much.
pub(super) fn is_break(failed: &Failed) -> bool {
    matches!(failed, Failed::Broken { .. }) && failed.meaning() != Meaning::Throttled
}

impl Breaks {
    /// Whether messages are to be asked for one by one.
    pub(super) fn want_care(&self) -> bool {
        self.in_vain >= IN_VAIN || self.alone.is_some_and(|(_, strikes)| strikes > 0)
    }

    /// A message is asked for alone.
    pub(super) fn ask(&mut self, uid: u32) {
        let strikes = self.alone.filter(|(last, _)| *last == uid).map_or(0, |(_, strikes)| strikes);
        (self.alone, self.asking) = (Some((uid, strikes)), true);
    }

    /// It was answered, with whatever.
    pub(super) fn answered(&mut self) {
        (self.alone, self.asking) = (None, false);
    }

    /// Those that were to be asked for one by one are done.
    pub(super) fn end(&mut self) {
        self.in_vain = 0;
    }

    /// The connection broke. A message that is the cause is listed without a description.
    ///
    /// # Errors
    /// There are more than can be held.
    pub(super) fn happened(&mut self, new: &mut Held) -> Result<()> {
        if new.len() > self.far {
            (self.in_vain, self.in_a_row) = (0, 0);
        }
        self.in_vain += 1;
        if let Some((uid, strikes)) = self.alone.as_mut().filter(|_| self.asking) {
            *strikes += 1;
            if *strikes >= STRIKES && self.in_a_row < IN_A_ROW {
                new.add(*uid)?;
                // Where there is one there may be more.
                (self.alone, self.in_vain) = (None, IN_VAIN);
                self.in_a_row += 1;
            }
        }
        (self.far, self.asking) = (new.len(), false);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_cause_if_it_breaks_alone_and_not_many_do() {
        let (mut breaks, mut new) = (Breaks::default(), Held::new(7));
        for uid in 1..=3 {
            // Something comes of each connection.
            new.add(uid).unwrap();
            breaks.happened(&mut new).unwrap();
            assert!(!breaks.want_care());
        }
        breaks.happened(&mut new).unwrap();
        for uid in 11..=20 {
            assert!(breaks.want_care());
            breaks.ask(uid);
            breaks.happened(&mut new).unwrap();
            // It is no message's fault that it breaks before one is asked for.
            breaks.happened(&mut new).unwrap();
            assert!(!new.has(uid));
            breaks.ask(uid);
            breaks.happened(&mut new).unwrap();
            assert!(new.has(uid));
        }
        for _ in 0..5 {
            breaks.ask(21);
            breaks.happened(&mut new).unwrap();
        }
        assert!(!new.has(21) && breaks.want_care());
        breaks.ask(21);
        breaks.answered();
        breaks.end();
        assert!(!breaks.want_care());
    }
}

//! Takes messages as they come, in order, and tells of those between them that do not.

use crate::archive::source::{Refusal, Take};
use crate::archive::spool::Spool;
use crate::error::{Error, Result};
use crate::mail::pop3::{Meaning, No, Sink};

/// Why no more is taken.
pub(super) enum Stop {
    /// The message is larger than any.
    TooMuch(String),
    /// The server says "later" to a message.
    Later(String),
    /// Whoever takes them cannot go on.
    Failed(Error),
}

/// The messages that are awaited.
pub(super) struct Taking<'a, 'b> {
    /// Their numbers in this session; None: it is not there.
    numbers: &'a [Option<u32>],
    /// Where the first of them is among all that were asked for, and how many are answered.
    first: usize,
    done: usize,
    /// Whether any of them came.
    came: bool,
    take: &'a mut Take<'b>,
    spool: &'a mut Spool,
    stop: Option<Stop>,
}

impl<'a, 'b> Taking<'a, 'b> {
    pub(super) fn new(
        numbers: &'a [Option<u32>],
        first: usize,
        take: &'a mut Take<'b>,
        spool: &'a mut Spool,
    ) -> Self {
        Self { numbers, first, done: 0, came: false, take, spool, stop: None }
    }

    /// How many of all are answered, whether any of them came now, and why no more.
    pub(super) fn end(self) -> (usize, bool, Option<Stop>) {
        (self.first + self.done, self.came, self.stop)
    }

    /// Tells of those that are not there, up to the next that is.
    pub(super) fn rest(&mut self) -> Result<()> {
        if matches!(self.stop, Some(Stop::Failed(_))) {
            return Ok(());
        }
        while let Some(None) = self.numbers.get(self.done) {
            self.answer(Err(Refusal::Gone))?;
        }
        Ok(())
    }

    fn answer(&mut self, result: Result<crate::archive::source::Body, Refusal>) -> Result<()> {
        let at = self.first + self.done;
        self.done += 1;
        (self.take)(at, result)
    }

    /// Ends the session for this.
    fn stop(&mut self, stop: Stop) -> Error {
        self.stop = Some(stop);
        Error::other("no more is taken")
    }

    fn or_stop<T>(&mut self, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.stop(Stop::Failed(error)))
    }
}

impl Sink for Taking<'_, '_> {
    fn begin(&mut self, _: u32) -> Result<()> {
        self.spool.clear();
        let told = self.rest();
        self.or_stop(told)
    }

    fn bytes(&mut self, part: &[u8]) -> Result<()> {
        let written = self.spool.write(part);
        match written {
            Err(error) if self.spool.is_too_much() => Err(self.stop(Stop::TooMuch(error.to_string()))),
            written => self.or_stop(written),
        }
    }

    fn end(&mut self, _: u32, _: u64) -> Result<()> {
        // A message without a byte is none: that is how some servers say that they have not got it.
        if self.spool.size() == 0 {
            let told = self.answer(Err(Refusal::Refused("the server gives nothing for it".into())));
            return self.or_stop(told);
        }
        let taken = self.spool.end().and_then(|body| self.answer(Ok(body)));
        self.came |= taken.is_ok();
        self.or_stop(taken)
    }

    fn refused(&mut self, _: u32, no: &No) -> Result<()> {
        let told = self.rest();
        self.or_stop(told)?;
        match no.meaning() {
            Meaning::Throttled => Err(self.stop(Stop::Failed(throttled(no)))),
            Meaning::Later | Meaning::InUse => Err(self.stop(Stop::Later(no.text.clone()))),
            Meaning::Login | Meaning::Denied | Meaning::Unknown => {
                let told = self.answer(Err(Refusal::Refused(no.text.clone())));
                self.or_stop(told)
            }
        }
    }
}

fn throttled(no: &No) -> Error {
    Error::new(crate::error::Kind::Paused, "the server gives no more messages for now")
        .caused_by(no.text.clone())
        .hint("the server allows only so much: it goes on later")
}

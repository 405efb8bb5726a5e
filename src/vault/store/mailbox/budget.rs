//! What a provider lets through in a day: asked before anything large moves, told of everything that moved.

use std::fmt;

use jiff::Timestamp;

use crate::error::{Error, Kind};
use crate::vault::store::Traffic;

/// Keeps the account of what may still move. Asked from several threads at once.
pub trait Budget: Send + Sync + fmt::Debug {
    /// Whether so many bytes may be sent now. Who may has them: until they are [`used`](Self::used) nobody else gets
    /// them.
    ///
    /// # Errors
    /// They may not, before that time.
    fn may_send(&self, bytes: u64) -> Result<(), Spent>;

    /// Whether so many bytes may be fetched now; likewise.
    ///
    /// # Errors
    /// They may not, before that time.
    fn may_fetch(&self, bytes: u64) -> Result<(), Spent>;

    /// Of what might be fetched so much does not come: others may have it.
    fn not_fetched(&self, _bytes: u64) {}

    /// So many bytes went over the wire since the last call.
    fn used(&self, traffic: Traffic);

    /// Nothing moves any more: what was told is to be kept.
    fn settle(&self) {}

    /// The server says by itself that it is too much: from when on it may be tried again.
    fn throttled(&self) -> Spent;
}

/// The budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// When it goes on, if that is known.
    pub until: Option<Timestamp>,
}

impl Spent {
    /// The error of [`Kind::Paused`] that says so.
    pub fn error(self, place: &str) -> Error {
        let when = match self.until {
            Some(until) => format!("goes on at {}", until.strftime("%Y-%m-%d %H:%M UTC")),
            None => "goes on later".to_owned(),
        };
        Error::new(Kind::Paused, format!("{place} is paused by the provider's budget: it {when}"))
            .hint("what is stored stays; the next run goes on from there")
    }
}

/// No budget: everything may move.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

impl Budget for Unlimited {
    fn may_send(&self, _: u64) -> Result<(), Spent> {
        Ok(())
    }

    fn may_fetch(&self, _: u64) -> Result<(), Spent> {
        Ok(())
    }

    fn used(&self, _: Traffic) {}

    fn throttled(&self) -> Spent {
        Spent { until: None }
    }
}

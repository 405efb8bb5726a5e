//! Letters that the server does not give, though it gives others: some hang up at a message whose file they cannot read.
//!
//! Whoever takes that for a server that is away stops at this letter each time, and never comes to those behind it. So
//! where each try had a connection, and none brought the letter, it is seen whether the vault's config comes.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;

use super::read::{Piece, read};
use super::{Inner, Lease};
use crate::error::{Error, Kind as Sort, Result};
use crate::mail::imap::Failed;
use crate::mutex::lock;
use crate::vault::store::{Id, Kind, not_there};

/// So many tries in a row must have had a connection: a server that is about to go away has some that break at once.
const SURE: usize = 3;

/// A letter: UIDVALIDITY and UID.
type Letter = (u32, u32);

/// The letters, and why they were not given. They are not asked for again: each time would cost a wait, and a pack that is
/// read piece by piece has thousands of pieces.
#[derive(Debug, Default)]
pub(super) struct Withheld(Mutex<HashMap<Letter, Error>>);

impl Withheld {
    /// Fails if it is one of them.
    pub(super) fn check(&self, letter: Letter) -> Result<()> {
        lock(&self.0).get(&letter).map_or(Ok(()), |why| Err(why.again()))
    }
}

impl Inner {
    /// Reads of a letter, with patience. An error is of a kind that [is away](Sort::is_away) where nothing is known of the
    /// letter, and of another one where it is this letter that is not given.
    pub(super) fn letter(
        &self,
        kind: Kind,
        what: &str,
        letter: Letter,
        read: &mut dyn FnMut(&mut Lease<'_>) -> Result<Piece, Failed>,
    ) -> Result<Option<Piece>> {
        let mut had = 0;
        let error = match self.attempt_counted(what, &mut had, &mut *read) {
            Err(error) => error,
            read => return read,
        };
        // Whoever is in a hurry has not tried it again; and of the config nothing else tells.
        let is_sure = had >= SURE && !self.hurried.load(Relaxed) && kind != Kind::Config;
        if !is_sure || !matches!(error.kind(), Sort::Away | Sort::Other) {
            return Err(error);
        }
        // A budget, a password or a stop that comes meanwhile is told as what it is.
        let is_other = |why: &Error| why.kind().is_away() && why.kind() != Sort::Away;
        match self.once("read the config of", |lease| self.config_over(lease)) {
            Err(why) if is_other(&why) => return Err(why),
            Err(_) => return Err(error.away()),
            Ok(()) => {}
        }
        // The server may have come back just now.
        match self.once(what, read) {
            Ok(piece) => return Ok(Some(piece)),
            Err(why) if is_other(&why) => return Err(why),
            Err(_) => {}
        }
        let error = error.not_away();
        lock(&self.withheld.0).insert(letter, error.again());
        Err(error)
    }

    /// Reads the config, from the folder as it is now.
    fn config_over(&self, lease: &mut Lease<'_>) -> Result<(), Failed> {
        self.refresh_over(lease)?;
        let none = || Failed::Here(not_there(&self.place, Kind::Config, &Id::NONE));
        let (_, config) = self.known(Kind::Config, &Id::NONE).ok_or_else(none)?;
        for (uid, label, piece) in config.pieces(0..config.label.size) {
            match read(lease, *uid, &label, piece)? {
                Piece::Bytes(_) => {}
                Piece::Gone | Piece::Damaged => return Err(none()),
            }
        }
        Ok(())
    }
}

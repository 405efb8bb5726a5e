//! Which messages are to be sent: those that the folder does not have.

use super::batch::Waiting;
use super::rivals::{Rivals, Sight, Standing};
use super::{Bodies, Putting, body};
use crate::archive::stored::Stored;
use crate::error::Result;

/// How many bytes of messages are held from when they are compared until they are sent; others are read again.
const HELD: u64 = 32 << 20;

/// Why a message is not put of which nobody can tell whether it is there.
pub(super) const UNCLEAR: &str = "the server changes what is put there, and has fewer messages of its Message-ID and \
                                  second than the archive: whether it is one of them cannot be told; into a folder \
                                  of its own it can be put (--to imap:ACCOUNT/FOLDER)";

/// The same, where as many are there as are to be put.
pub(super) const EITHER: &str = "the server changes what is put there, and what it has of the same Message-ID and second \
                                 can be this message or another one of the archive, which is not to be put now: it was \
                                 not put again; into a folder of its own it can be put (--to imap:ACCOUNT/FOLDER)";

impl Putting<'_> {
    pub(super) fn put_into(
        &mut self,
        folder: &str,
        messages: &[(usize, &Stored)],
        rivals: &Rivals,
        bodies: &mut dyn Bodies,
    ) -> Result<()> {
        let known = self.open(folder, true)?;
        let mut waiting = Vec::new();
        let mut present = Vec::new();
        let mut unclear = Vec::new();
        for (at, message) in messages {
            let one = Waiting::new(*at, message, rivals.standing(folder, message));
            if one.standing == Standing::Alone && known.there.take_exact(&one.ours) {
                present.push((*at, *message));
            } else {
                unclear.push(one);
            }
        }
        // What is exactly there is taken out by now: what is left may be one of the others. Some servers write messages anew
        // (Exchange, say): there Message-ID and second tell, unless two of ours have the same.
        let mut read = Vec::new();
        for one in unclear {
            if one.standing == Standing::Alone && known.there.take_dated(&one.ours) {
                present.push((one.at, one.message));
            } else if one.ours.id.is_some() && !known.there.has_alike(&one.ours) {
                waiting.push(one);
            } else {
                read.push(one);
            }
        }
        present.into_iter().for_each(|one| self.present(folder, one, rivals));
        bodies.ahead(&mut read.iter().map(|one| one.at));
        let (mut room, mut left) = (HELD, Vec::new());
        for one in read {
            if self.meter.is_cancelled() {
                return Ok(());
            }
            left.extend(self.compare(folder, one, (rivals, &mut room), bodies)?);
        }
        // Whose bytes are there is taken out by now.
        for one in left {
            match self.sight(folder, &one, rivals) {
                Sight::Absent => waiting.push(one),
                Sight::There(_) => self.present(folder, (one.at, one.message), rivals),
                Sight::Either(_) => self.unsure(one.at, one.message),
                Sight::Unclear => self.fail(one.at, one.message, UNCLEAR),
            }
        }
        self.send(folder, waiting, rivals, bodies)
    }

    /// Looks for a message by its content, where its Message-ID, size and date do not tell. None: it is there, or
    /// cannot be read.
    fn compare<'m>(
        &mut self,
        folder: &str,
        mut one: Waiting<'m>,
        (rivals, room): (&Rivals, &mut u64),
        bodies: &mut dyn Bodies,
    ) -> Result<Option<Waiting<'m>>> {
        let bytes = match body::body((one.at, one.message), bodies) {
            Ok(bytes) => bytes,
            Err(why) if why.kind().is_away() => return Err(why),
            Err(why) => {
                self.fail(one.at, one.message, &why.one_line());
                return Ok(None);
            }
        };
        one.ours = body::identity(one.message, &bytes);
        if self.is_there(folder, &one.ours)? {
            self.present(folder, (one.at, one.message), rivals);
            return Ok(None);
        }
        if bytes.len() as u64 <= *room {
            *room -= bytes.len() as u64;
            one.bytes = Some(bytes);
        }
        Ok(Some(one))
    }

    /// Judges a message whose bytes are not there, and takes out what stands for it. When it was sent there was nothing
    /// that could be it or another one: what is there now is what came of that.
    pub(super) fn sight(&mut self, folder: &str, one: &Waiting<'_>, rivals: &Rivals) -> Sight {
        let Some(known) = self.known.get_mut(folder) else { return Sight::Absent };
        let there = known.there.dated(&one.ours);
        let sight = match rivals.judge((folder, one.message), one.ours.size, &known.settled, &there) {
            Sight::Either(at) if one.tries > 0 => Sight::There(at),
            sight => sight,
        };
        if let Sight::There(at) = sight {
            known.there.take_at(at);
        }
        sight
    }
}

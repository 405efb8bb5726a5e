//! Which messages are to be sent: those that the folder does not have.

use super::batch::Waiting;
use super::rivals::{Rivals, Standing};
use super::{Bodies, Putting, body};
use crate::archive::stored::Stored;
use crate::error::{Kind, Result};

/// How many bytes of messages are held from when they are compared until they are sent; others are read again.
const HELD: u64 = 32 << 20;

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
            if one.standing.is_exact() && known.there.take_exact(&one.ours) {
                present.push(*at);
            } else {
                unclear.push(one);
            }
        }
        // What is exactly there is taken out by now: what is left may be one of the others. Some servers write messages anew
        // (Exchange, say): there Message-ID and second tell, unless two of ours have the same.
        let mut read = Vec::new();
        for one in unclear {
            if one.standing == Standing::Alone && known.there.take_dated(&one.ours) {
                present.push(one.at);
            } else if one.ours.id.is_some() && !known.there.has_alike(&one.ours) {
                waiting.push(one);
            } else {
                read.push(one);
            }
        }
        present.into_iter().for_each(|at| self.present(at));
        bodies.ahead(&mut read.iter().map(|one| one.at));
        let mut room = HELD;
        for one in read {
            if self.meter.is_cancelled() {
                return Ok(());
            }
            waiting.extend(self.compare(folder, one, &mut room, bodies)?);
        }
        self.send(folder, waiting, bodies)
    }

    /// Looks for a message by its content, where its Message-ID, size and date do not tell. None: it is there, or
    /// cannot be read.
    fn compare<'m>(
        &mut self,
        folder: &str,
        mut one: Waiting<'m>,
        room: &mut u64,
        bodies: &mut dyn Bodies,
    ) -> Result<Option<Waiting<'m>>> {
        let bytes = match body::body((one.at, one.message), bodies) {
            Ok(bytes) => bytes,
            Err(why) if why.kind() == Kind::Paused => return Err(why),
            Err(why) => {
                self.fail(one.at, one.message, &why.one_line());
                return Ok(None);
            }
        };
        one.ours = body::identity(one.message, &bytes);
        if self.is_there(folder, &one.ours)? {
            self.present(one.at);
            return Ok(None);
        }
        if bytes.len() as u64 <= *room {
            *room -= bytes.len() as u64;
            one.bytes = Some(bytes);
        }
        Ok(Some(one))
    }
}

//! Reading objects: bytes of an object are bytes of a body by arithmetic.

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;

use super::ahead::{self, Got};
use super::{Inner, Lease};
use crate::error::{Error, Result};
use crate::mail::imap::{Failed, Item};
use crate::vault::store::catalogue::Object;
use crate::vault::store::letter::body::{self, Cut};
use crate::vault::store::letter::{Label, LineEnd};
use crate::vault::store::{Id, Kind, fits_memory, not_there, within};

/// What came of a letter.
pub(super) enum Piece {
    Bytes(Vec<u8>),
    /// It is not in the folder any more.
    Gone,
    /// It is not what it says it is.
    Damaged,
}

impl Inner {
    /// An object, as far as is known, and the UIDVALIDITY for which that is so.
    pub(super) fn known(&self, kind: Kind, id: &Id) -> Option<(u32, Object<u32>)> {
        let map = self.map();
        let map = map.as_ref()?;
        Some((map.validity, map.catalogue.find(kind, id)?))
    }

    /// Reads an object, or bytes of it.
    pub(super) fn read(&self, kind: Kind, id: &Id, range: Option<Range<u64>>) -> Result<Bytes> {
        // A config may have been replaced by another machine; all else never changes.
        let changes = kind == Kind::Config && !self.has_looked();
        let known = if changes { None } else { self.known(kind, id) };
        if let Some((validity, object)) = known
            && let Some(bytes) = self.bytes(kind, id, &object, validity, range.clone())?
        {
            return Ok(bytes);
        }
        self.refresh()?;
        let (validity, object) = self.known(kind, id).ok_or_else(|| not_there(&self.place, kind, id))?;
        self.bytes(kind, id, &object, validity, range)?.ok_or_else(|| not_there(&self.place, kind, id))
    }

    /// None: one of its letters is gone.
    fn bytes(
        &self,
        kind: Kind,
        id: &Id,
        object: &Object<u32>,
        validity: u32,
        range: Option<Range<u64>>,
    ) -> Result<Option<Bytes>> {
        let size = object.label.size;
        let range = range.unwrap_or(0..size);
        within(&self.place, kind, id, &range, size)?;
        if range == (0..size) {
            fits_memory(&self.place, kind, id, size)?;
        }
        let mut bytes = Vec::new();
        for (uid, label, piece) in object.pieces(range) {
            self.withheld.check((validity, *uid))?;
            let wire = Cut::new(piece.clone(), LineEnd::CrLf).wire;
            let allowed = self.budget.may_fetch(wire.end - wire.start);
            allowed.map_err(|spent| spent.error(&self.place))?;
            let read = match self.read_ahead(validity, *uid, &label, &piece) {
                Got::Bytes(bytes) => Some(Piece::Bytes(bytes)),
                got => {
                    let what = format!("read the {} {} from", kind.word(), id.short());
                    let read = self.letter(kind, &what, (validity, *uid), &mut |lease| {
                        match lease.validity == validity {
                            true => read(lease, *uid, &label, piece.clone()),
                            // This UID is another message's now.
                            false => Ok(Piece::Gone),
                        }
                    })?;
                    // A letter that is well, but in other lines: the others are asked for in this way at once, so that
                    // nothing comes twice.
                    let other_lines = got == Got::Odd && matches!(read, Some(Piece::Bytes(_)));
                    self.breaks_lines.fetch_or(other_lines, Relaxed);
                    read
                }
            };
            match read {
                Some(Piece::Bytes(read)) if bytes.is_empty() => bytes = read,
                Some(Piece::Bytes(mut read)) => bytes.append(&mut read),
                Some(Piece::Gone) => {
                    if let Some(map) = self.map().as_mut().filter(|map| map.validity == validity) {
                        map.forget(*uid);
                    }
                    return Ok(None);
                }
                Some(Piece::Damaged) => {
                    return Err(Error::other(format!(
                        "the {} {} in {} is damaged: message {uid} is not what was stored",
                        kind.word(),
                        id.short(),
                        self.place
                    ))
                    .hint("run `postkeep verify PROFILE`: it tells what else is damaged"));
                }
                None => return Ok(None),
            }
        }
        Ok(Some(bytes.into()))
    }
}

impl Inner {
    /// Bytes of one letter's part, if they can be had without further ado.
    fn read_ahead(&self, validity: u32, uid: u32, label: &Label, range: &Range<u64>) -> Got {
        let part = label.range();
        let size = part.end - part.start;
        if self.breaks_lines.load(Relaxed) {
            return Got::Nothing;
        }
        if (range.end - range.start) * 8 >= size * 7 {
            return match self.fetch_ahead(validity, uid, ahead::Piece::Letter(*label)) {
                Got::Bytes(part) => Got::Bytes(cut_out(part, range)),
                got => got,
            };
        }
        let ask = Ask::new(label, range.clone());
        match self.fetch_ahead(validity, uid, ahead::Piece::Section(ask.item, ask.most)) {
            Got::Bytes(wire) => ask.decode(&wire).map_or(Got::Odd, Got::Bytes),
            got => got,
        }
    }
}

/// Bytes of a part.
fn cut_out(mut part: Vec<u8>, range: &Range<u64>) -> Vec<u8> {
    part.truncate(range.end as usize);
    if range.start == 0 { part } else { part.split_off(range.start as usize) }
}

/// What has to be asked for to have bytes of one letter's part.
struct Ask {
    item: Item,
    /// More bytes than that do not come of it.
    most: u64,
    /// None: all of it is asked for.
    cut: Option<Cut>,
    range: Range<u64>,
    /// Bytes of the part.
    size: u64,
}

impl Ask {
    fn new(label: &Label, range: Range<u64>) -> Self {
        let part = label.range();
        let size = part.end - part.start;
        if range == (0..size) {
            return Self::whole(size, range);
        }
        let cut = Cut::new(range.clone(), LineEnd::CrLf);
        let most = cut.wire.end - cut.wire.start;
        Self { item: Item::TextRange(cut.wire.start, most), most, cut: Some(cut), range, size }
    }

    /// Asks for all, for the sake of this range.
    fn whole(size: u64, range: Range<u64>) -> Self {
        // Servers may break lines in other places.
        let most = 2 * LineEnd::CrLf.length(size) + 1024;
        Self { item: Item::Text, most, cut: None, range, size }
    }

    fn decode(&self, wire: &[u8]) -> Option<Vec<u8>> {
        if let Some(cut) = &self.cut {
            return cut.decode(wire);
        }
        Some(cut_out(body::decode(wire, self.size, LineEnd::CrLf)?, &self.range))
    }
}

/// Bytes of one letter's part.
pub(super) fn read(
    lease: &mut Lease<'_>,
    uid: u32,
    label: &Label,
    range: Range<u64>,
) -> Result<Piece, Failed> {
    let mut ask = Ask::new(label, range.clone());
    loop {
        let Some(wire) = fetch(lease, uid, ask.item, ask.most)? else { return Ok(Piece::Gone) };
        match ask.decode(&wire) {
            Some(bytes) => return Ok(Piece::Bytes(bytes)),
            None if ask.cut.is_none() => return Ok(Piece::Damaged),
            // The server broke its lines anew: the whole will tell.
            None => ask = Ask::whole(ask.size, range.clone()),
        }
    }
}

/// One section of a message. None: the message is gone.
pub(super) fn fetch(
    lease: &mut Lease<'_>,
    uid: u32,
    item: Item,
    most: u64,
) -> Result<Option<Vec<u8>>, Failed> {
    match lease.session.fetch_one(uid, item, most) {
        // Others may have changed the folder since this connection looked at it last.
        Ok(None) | Err(Failed::No(_)) => {
            lease.session.noop()?;
            lease.session.fetch_one(uid, item, most)
        }
        fetched => fetched,
    }
}

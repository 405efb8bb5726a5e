//! Which ranges of which packs to read for the blobs that some files need: each once, neighbours together.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::blob::{Location, Opener};
use super::indexed::Indexed;
use super::store::{Id, Kind as Object};
use crate::error::{Error, Kind, Result};

/// Bytes between two blobs that are read along, because asking twice takes longer.
const GAP: u64 = 128 << 10;

/// A blob that is needed, and what for.
#[derive(Debug)]
pub(super) struct Want<T> {
    pub pack: Id,
    pub at: Location,
    pub to: T,
}

/// A range of a pack, and the blobs in it.
#[derive(Debug)]
pub(super) struct Read<T> {
    pub pack: Id,
    pub start: u64,
    pub end: u64,
    pub blobs: Vec<(Location, Vec<T>)>,
}

/// The reads for all wants, of at most `stretch` bytes unless a single blob has more. A blob that several want is in one
/// of them, once.
pub(super) fn coalesce<T>(wants: Vec<Want<T>>, stretch: u64) -> Vec<Read<T>> {
    let mut sorted = BTreeMap::new();
    for Want { pack, at, to } in wants {
        let place = (pack, at.offset, at.length, at.id);
        sorted.entry(place).or_insert_with(|| (at, Vec::<T>::new())).1.push(to);
    }
    let mut reads: Vec<Read<T>> = Vec::new();
    for ((pack, ..), (at, to)) in sorted {
        let (start, end) = (u64::from(at.offset), at.end());
        match reads.last_mut() {
            Some(read) if read.pack == pack && fits(read.start, read.end, start, end, stretch) => {
                read.end = end;
                read.blobs.push((at, to));
            }
            _ => reads.push(Read { pack, start, end, blobs: vec![(at, to)] }),
        }
    }
    reads
}

/// Takes a blob for somebody, or hears why it cannot be had.
pub(super) type Take<'t, T> = dyn FnMut(T, Result<&[u8], &Error>) + 't;

impl<T> Read<T> {
    /// Reads the range, opens its blobs, and hands each to all who want it, or why it cannot be had. What nobody wants any
    /// more, as `wanted` says, is dropped.
    pub(super) fn run(
        self,
        vault: &Indexed<'_>,
        opener: &mut Opener,
        wanted: &dyn Fn(&T) -> bool,
        take: &mut Take<'_, T>,
    ) {
        let store = vault.vault().store();
        let part = |from: u64, to: u64| {
            let read = store.read_range(Object::Pack, &self.pack, from..to);
            read.inspect_err(|error| {
                // Whoever else waits for it need not wait as long to hear the same.
                if error.kind() == Kind::Away {
                    store.hurry();
                }
            })
        };
        // Whether all of the vault is away is asked once, and not for each piece.
        let whole = part(self.start, self.end).map_err(|error| vault.vault().cause(error));
        let mut whole = whole.and_then(|bytes| exact(bytes, self.end - self.start));
        for (at, to) in self.blobs {
            if !to.iter().any(wanted) {
                continue;
            }
            let start = u64::from(at.offset);
            let raw = match &whole {
                Ok(bytes) => {
                    let from = usize::try_from(start - self.start).unwrap_or(usize::MAX);
                    Ok(bytes.slice(from..from + at.length as usize))
                }
                // Nothing is given now.
                Err(error) if error.kind().is_away() => Err(error.again()),
                // A part of the range may be there: only what is not must be lost.
                Err(_) => part(start, at.end()).and_then(|bytes| exact(bytes, u64::from(at.length))),
            };
            if let Err(error) = &raw
                && error.kind().is_away()
            {
                whole = Err(error.again());
            }
            let content = match &raw {
                Ok(raw) => opener.open(&at, raw).map_err(|damage| Error::other(damage.to_string())),
                Err(error) => Err(error.again()),
            };
            let content = content.map_err(|why| lost(&at, &self.pack, &why));
            to.into_iter().for_each(|to| take(to, content.as_deref()));
        }
    }
}

/// Why a file's content is not whole.
fn lost(at: &Location, pack: &Id, why: &Error) -> Error {
    let (blob, pack) = (Id(at.id).short(), pack.short());
    let what = match why.kind() {
        kind if kind.is_away() => "cannot be fetched now",
        _ => "is lost",
    };
    Error::new(
        why.kind(),
        format!("a piece of its content {what} (blob {blob}, pack {pack}): {}", why.one_line()),
    )
}

/// A store must give what it was asked for.
fn exact(bytes: Bytes, length: u64) -> Result<Bytes> {
    if bytes.len() as u64 == length {
        return Ok(bytes);
    }
    Err(Error::other(format!("{} of {length} bytes came", bytes.len())))
}

/// Whether a blob joins the read before it. An index may say anything: what overlaps is read apart.
fn fits(from: u64, to: u64, start: u64, end: u64, stretch: u64) -> bool {
    start >= to && start - to <= GAP && end - from <= stretch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(pack: u8, offset: u64, length: u64, to: u32) -> Want<u32> {
        let id = [u8::try_from(offset % 251).unwrap(); 32];
        let (offset, length) = (u32::try_from(offset).unwrap(), u32::try_from(length).unwrap());
        let at = Location { id, offset, length, uncompressed: None };
        Want { pack: Id([pack; 32]), at, to }
    }

    #[test]
    fn neighbours_are_read_together_and_nothing_twice() {
        let mib = 1 << 20;
        let cases = [
            (vec![], ""),
            (vec![want(1, 0, 100, 7)], "1 0..100 [7]"),
            (vec![want(1, 100, 50, 8), want(1, 0, 100, 7)], "1 0..150 [7] [8]"),
            (vec![want(1, 0, 100, 7), want(1, 0, 100, 8)], "1 0..100 [7, 8]"),
            (vec![want(2, 0, 9, 7), want(1, 0, 9, 8)], "1 0..9 [8]; 2 0..9 [7]"),
            (vec![want(1, 0, 9, 7), want(1, 9 + GAP, 9, 8)], "1 0..131090 [7] [8]"),
            (vec![want(1, 0, 9, 7), want(1, 10 + GAP, 9, 8)], "1 0..9 [7]; 1 131082..131091 [8]"),
            (
                vec![want(1, 0, 3 * mib, 7), want(1, 3 * mib, 2 * mib, 8)],
                "1 0..3145728 [7]; 1 3145728..5242880 [8]",
            ),
            (vec![want(1, 0, 9 * mib, 7)], "1 0..9437184 [7]"),
            (vec![want(1, 0, 100, 7), want(1, 50, 100, 8)], "1 0..100 [7]; 1 50..150 [8]"),
        ];
        for (wants, expected) in cases {
            let show = |read: &Read<u32>| {
                let to: Vec<_> = read.blobs.iter().map(|(_, to)| format!("{to:?}")).collect();
                format!("{} {}..{} {}", read.pack.0[0], read.start, read.end, to.join(" "))
            };
            let reads: Vec<_> = coalesce(wants, 4 << 20).iter().map(show).collect();
            assert_eq!(reads.join("; "), expected);
        }
    }
}

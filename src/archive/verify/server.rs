//! What a server gives for a message today, held against what was archived of it.

use std::collections::HashMap;
use std::io::{self, Read};

use super::{DIFFERS, Looked, named};
use crate::archive::path::Place;
use crate::archive::read::{Archive, Found};
use crate::archive::source::{Body, Folder, Listed, Refusal, Source};
use crate::archive::stored::Stored;
use crate::entry::show;
use crate::error::{Error, Kind, Result};
use crate::vault::content::kind_of;
use crate::vault::verify::Weight;

/// What to do about what could not be compared.
const AGAIN: &str = "nothing, if it was compared another time; the archive itself was looked at";

/// How many bytes are compared at once.
const AT_ONCE: usize = 64 << 10;

/// A server with UIDs, and how its folders are.
pub struct Server {
    account: String,
    source: Box<dyn Source>,
    folders: HashMap<String, Folder>,
}

impl Server {
    /// Lists its folders.
    ///
    /// # Errors
    /// It cannot be reached.
    pub fn look(account: String, mut source: Box<dyn Source>) -> Result<Self> {
        let folders = source.folders()?.into_iter().map(|folder| (folder.path.clone(), folder)).collect();
        Ok(Self { account, source, folders })
    }

    /// Whether a message's key means something there: it is of the folder's present UIDVALIDITY.
    pub(super) fn may_have(&self, place: &Place) -> bool {
        let mark = self.folders.get(&place.folder).and_then(|folder| folder.mark);
        let now = mark.map(|mark| (mark.validity, mark.next));
        let of = |(validity, uid)| now.is_some_and(|(now, next)| validity == now && uid < next);
        self.account == place.account && key(&place.key).is_some_and(of)
    }

    /// Compares messages of one folder. What is not there any more is no fault. `read`: whether they were read before, so
    /// that what cannot be read is told already.
    pub(super) fn compare(&mut self, archive: &Archive<'_>, all: &[Found], read: bool, looked: &mut Looked) {
        let mut all: Vec<_> =
            all.iter().filter_map(|found| Some((key(&found.message.place.key)?.1, found))).collect();
        all.sort_by_key(|(uid, _)| *uid);
        let listed: Vec<_> = all.iter().map(|(uid, found)| listed(*uid, &found.message)).collect();
        let first = all.first().map(|(_, found)| found.message.place.folder.as_str());
        let Some(folder) = first.and_then(|path| self.folders.get(path)) else { return };
        let mut others = Vec::new();
        let done = self.source.fetch(folder, &listed, &mut |at, answer| {
            let Some((uid, found)) = all.get(at) else { return Ok(()) };
            match answer {
                Err(Refusal::Gone) => {}
                Err(Refusal::Refused(why)) => {
                    let what = format!("{} was not given by the server: {why}", named(found));
                    looked.add(Weight::Note, what, AGAIN);
                }
                Ok(body) => {
                    match equal(body, archive, found) {
                        Ok(true) => {}
                        Ok(false) => {
                            others.push((*uid, *found));
                            return Ok(());
                        }
                        Err(error) if read && !kind_of(&error).is_away() => return Ok(()),
                        Err(error) => {
                            return match looked.unreadable(found, &error) {
                                true => Ok(()),
                                false => Err(Error::other("the vault gives nothing now")),
                            };
                        }
                    }
                    looked.compared += 1;
                }
            }
            Ok(())
        });
        if let Err(error) = done
            && looked.stopped.is_none()
        {
            let folder = show(folder.path.as_bytes());
            let what = format!("not all that was to be compared came out of {folder}: {}", error.one_line());
            looked.add(Weight::Note, what, AGAIN);
        }
        if others.is_empty() {
            return;
        }
        let folder = folder.clone();
        let uids: Vec<_> = others.iter().map(|(uid, _)| *uid).collect();
        let untold = match self.source.dates(&folder, &uids) {
            Ok(now) => {
                others.retain(|(uid, found)| is_still(*uid, found, &now));
                String::new()
            }
            // Somebody stopped it.
            Err(error) if error.kind() == Kind::Cancelled => return,
            // What differs is not passed over for that.
            Err(error) => {
                format!("; whether it still is that message is not known: {}", error.one_line())
            }
        };
        looked.compared += others.len() as u64;
        for (_, found) in others {
            let what = format!("{} is not the same as what the server gives now{untold}", named(found));
            looked.add(Weight::Damage, what, DIFFERS);
        }
    }
}

/// Whether a UID still is the message that was archived: it came when that one came. A server that was put back to an
/// earlier state gives its UIDs again, with the same UIDVALIDITY.
fn is_still(uid: u32, found: &Found, now: &[Listed]) -> bool {
    let place = &found.message.place;
    let Some(listed) = now.iter().find(|listed| listed.uid == uid) else { return false };
    // Where the server does not say when it came, its key is all that is known of it.
    listed.key == place.key && listed.date.is_none_or(|date| date.as_second() == place.date.as_second())
}

/// UIDVALIDITY and UID.
fn key(key: &str) -> Option<(u32, u32)> {
    let (validity, uid) = key.split_once('.')?;
    Some((validity.parse().ok()?, uid.parse().ok()?))
}

fn listed(uid: u32, message: &Stored) -> Listed {
    Listed { key: message.place.key.clone(), uid, size: message.size, ..Listed::default() }
}

/// Whether a body is a message's content, byte for byte.
fn equal(body: Body, archive: &Archive<'_>, found: &Found) -> io::Result<bool> {
    let stored = archive.open(found).map_err(io::Error::other)?;
    match body {
        Body::Held(bytes) => same(stored, bytes.as_slice()),
        Body::Spooled(file, size) => same(stored, file.take(size)),
    }
}

/// Whether both give the same bytes.
///
/// # Errors
/// Those of the first, or of the second.
fn same(mut first: impl Read, mut second: impl Read) -> io::Result<bool> {
    let (mut one, mut other) = (vec![0; AT_ONCE], vec![0; AT_ONCE]);
    loop {
        let (n, m) = (fill(&mut first, &mut one)?, fill(&mut second, &mut other)?);
        if one.get(..n) != other.get(..m) {
            return Ok(false);
        }
        if n == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full, or nothing more comes.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_same_or_not() {
        let long = vec![b'x'; 3 * AT_ONCE];
        let mut bent = long.clone();
        bent[2 * AT_ONCE + 1] = b'y';
        for (one, other, equal) in [
            (&long[..], &long[..], true),
            (&long[..], &bent[..], false),
            (&long[1..], &long[..], false),
            (&long[..], &long[..AT_ONCE], false),
            (b"", b"", true),
        ] {
            assert_eq!(same(one, other).unwrap(), equal);
        }
    }

    #[test]
    fn keys_of_other_sources_are_none() {
        for (text, read) in [("7.42", Some((7, 42))), ("7.x", None), ("1700.M1P1.host", None), ("42", None)] {
            assert_eq!(key(text), read, "{text}");
        }
    }
}

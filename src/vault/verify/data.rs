//! Reading packs: every byte is hashed, and every blob opened.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use sha2::{Digest, Sha256};

use super::index::Known;
use super::{BENT, Bad, Problems, UNREAD, short};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::mutex::lock;
use crate::progress::Meter;
use crate::vault::Vault;
use crate::vault::blob::{Damage, Location, Opener};
use crate::vault::store::{Id, Kind, unless_away};

/// Threads that read. Each holds a whole pack.
const THREADS: usize = 4;

/// The largest pack that is read as a whole, in bytes; restic's have at most 128 MiB.
const LARGEST: u64 = 1 << 30;

/// What was read.
pub(super) struct Read {
    pub packs: u64,
    pub bytes: u64,
    /// The packs of which every blob was opened, and is what its name says.
    pub sound: HashSet<Id>,
    /// What stopped it: that the vault gives no more now.
    pub stopped: Option<Error>,
}

/// Reads a share of the packs.
pub(super) fn read(
    vault: &Vault,
    known: &mut Known,
    percent: f64,
    problems: &Problems,
    meter: &Meter,
) -> Result<Read> {
    let packs: Vec<_> = known
        .packs
        .iter()
        .filter(|(id, _)| !known.bad.packs.contains(id))
        .filter_map(|(id, blobs)| Some((*id, *known.present.get(id)?, blobs)))
        .collect();
    let packs = chosen(packs, percent, crate::vault::crypt::random()?);
    meter.planned(packs.len() as u64, packs.iter().map(|(_, size, _)| size).sum());
    let bad = Mutex::new(Bad::default());
    let (stopped, sound) = (Mutex::new(None), Mutex::new(HashSet::new()));
    let (next, count, bytes) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut opener = vault.opener();
                while let Some((id, size, blobs)) = packs.get(next.fetch_add(1, Relaxed)) {
                    if meter.is_cancelled() || lock(&stopped).is_some() {
                        return;
                    }
                    match pack(vault, &mut opener, (id, *size, blobs), problems, &bad) {
                        Ok(true) => drop(lock(&sound).insert(*id)),
                        Ok(false) => {}
                        Err(error) => {
                            // The others need not wait as long to hear the same.
                            if error.kind() == ErrorKind::Away {
                                vault.store().hurry();
                            }
                            lock(&stopped).get_or_insert(error);
                            return;
                        }
                    }
                    count.fetch_add(1, Relaxed);
                    bytes.fetch_add(*size, Relaxed);
                    meter.bytes(*size);
                    meter.file();
                }
            });
        }
    });
    let bad = bad.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    known.bad.packs.extend(bad.packs);
    known.bad.blobs.extend(bad.blobs);
    let stopped = stopped.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let sound = sound.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(Read { packs: count.into_inner(), bytes: bytes.into_inner(), sound, stopped })
}

/// A share of the packs by their bytes, at least one: those that come first in an order that `chance` makes.
fn chosen<T>(mut packs: Vec<(Id, u64, T)>, percent: f64, chance: [u8; 32]) -> Vec<(Id, u64, T)> {
    if percent >= 100.0 {
        return packs;
    }
    packs.sort_by_cached_key(|(id, ..)| *blake3::keyed_hash(&chance, &id.0).as_bytes());
    let total: u64 = packs.iter().map(|(_, size, _)| size).sum();
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let wanted = (total as f64 * percent / 100.0) as u64;
    let mut sum = 0;
    packs.retain(|(_, size, _)| {
        let take = sum < wanted || sum == 0;
        sum += size;
        take
    });
    packs
}

/// Reads one, and says whether it is sound. Fails when the vault gives no more now.
fn pack(
    vault: &Vault,
    opener: &mut Opener,
    (id, size, blobs): (&Id, u64, &Vec<Location>),
    problems: &Problems,
    bad: &Mutex<Bad>,
) -> Result<bool> {
    let lose = |why: String, todo| {
        lock(bad).packs.insert(*id);
        problems.damage(format!("pack {} cannot be read: {why}", short(id)), todo);
    };
    if size > LARGEST {
        lose(format!("it has {size} bytes, more than any pack"), BENT);
        return Ok(false);
    }
    let raw = match vault.looked_for(Kind::Pack, id) {
        Ok(raw) => raw,
        Err(error) => {
            lose(unless_away(error)?.one_line(), UNREAD);
            return Ok(false);
        }
    };
    let whole = <[u8; 32]>::from(Sha256::digest(&raw)) == id.0;
    let mut broken = Vec::new();
    for at in blobs {
        let end = usize::try_from(at.end()).unwrap_or(usize::MAX);
        let part = raw.get(at.offset as usize..end);
        if let Err(damage) = part.ok_or(Damage::Length).and_then(|part| opener.open(at, part).map(drop)) {
            broken.push((at.id, damage));
        }
    }
    if whole && broken.is_empty() {
        return Ok(true);
    }
    let mut bad = lock(bad);
    bad.blobs.extend(broken.iter().map(|(id, _)| *id));
    let what = match (broken.first(), whole) {
        (Some((_, damage)), _) => {
            format!(
                "pack {} is damaged: {} of its {} blobs are lost ({damage})",
                short(id),
                broken.len(),
                blobs.len()
            )
        }
        // Its header, or bytes between the blobs.
        (None, _) => format!(
            "pack {} is not what was stored, but all {} blobs in it are sound",
            short(id),
            blobs.len()
        ),
    };
    problems.damage(what, BENT);
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_share_of_the_bytes_and_never_nothing() {
        let packs = || (0..100_u8).map(|n| (Id([n; 32]), 10, ())).collect::<Vec<_>>();
        for (percent, expected) in [(100.0, 100), (150.0, 100), (5.0, 5), (0.1, 1), (0.0, 1), (f64::NAN, 1)] {
            let found = chosen(packs(), percent, [1; 32]);
            assert_eq!(found.len(), expected, "{percent}");
        }
        let ids = |chance| chosen(packs(), 5.0, chance).iter().map(|(id, ..)| *id).collect::<Vec<_>>();
        assert_ne!(ids([1; 32]), ids([2; 32]));
    }
}

//! Whether a vault still holds what it says: every object that snapshots need is there, and, where the data is read,
//! every byte is what was stored.
//!
//! What is wrong is said by what it means: which files of which snapshots can no longer be restored.

mod data;
mod index;
mod reach;

use std::collections::HashSet;
use std::sync::Mutex;

use rustic_core::repofile::SnapshotFile;

use self::index::Known;
use super::blob::Opener;
use super::snapshot::{Lost, Readable};
use super::store::{Id, Kind, unless_away};
use super::{Access, Vault};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::mutex::lock;
use crate::progress::Meter;

/// The most problems that are kept by name.
pub const MOST: usize = 1_000;

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Depth {
    /// That everything is there.
    Structure,
    /// And this share of the packs is read and checked, in percent; which of them is chance.
    Data(f64),
}

/// How much a problem weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Nothing is lost.
    Note,
    /// Something cannot be restored, or may not be for long.
    Damage,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How much it weighs.
    pub weight: Weight,
    /// What is wrong, and what that means.
    pub what: String,
    /// What to do about it.
    pub todo: String,
}

/// What was looked at, and what is wrong.
#[derive(Debug, Default)]
pub struct Verified {
    /// Snapshots.
    pub snapshots: u64,
    /// Packs, and their bytes.
    pub packs: u64,
    /// Bytes of the packs.
    pub bytes: u64,
    /// Folders.
    pub trees: u64,
    /// Files, each version once.
    pub files: u64,
    /// Packs that were read as a whole.
    pub read: u64,
    /// Their bytes.
    pub read_bytes: u64,
    /// The packs of which every blob was read, and is what its name says.
    pub sound: HashSet<Id>,
    /// What is wrong, damage first; at most [`MOST`].
    pub problems: Vec<Problem>,
    /// All problems that are damage.
    pub damaged: u64,
    /// What stopped it: the vault gives no more now, because it is away or a provider's budget is spent.
    pub stopped: Option<Error>,
    /// Whether it was asked to stop.
    pub cancelled: bool,
}

/// Problems as they are found.
#[derive(Default)]
struct Problems(Mutex<(Vec<Problem>, u64)>);

impl Problems {
    fn add(&self, weight: Weight, what: impl Into<String>, todo: impl Into<String>) {
        let mut held = lock(&self.0);
        held.1 += u64::from(weight == Weight::Damage);
        if held.0.len() < MOST {
            held.0.push(Problem { weight, what: what.into(), todo: todo.into() });
        }
    }

    fn damage(&self, what: impl Into<String>, todo: impl Into<String>) {
        self.add(Weight::Damage, what, todo);
    }
}

/// What to do where a pack is gone.
const LOST: &str = "if there is a copy of the pack (a backup of the disk, a trash folder), bring it back; else \
                    `postkeep vault repair PROFILE`, then `postkeep run PROFILE`: what the sources still have is stored \
                    anew. What stays named after that is lost: `postkeep forget PROFILE ID` forgets the snapshots that \
                    are of no use any more";

/// What to do where a pack is there, but not what was stored.
const BENT: &str = "if there is a sound copy of the pack, bring it back; else move the pack away (its file, or its \
                    messages), then `postkeep vault repair PROFILE` and `postkeep run PROFILE`: what the sources still \
                    have is stored anew, and what stays named after that is lost: `postkeep forget PROFILE ID`";

/// What to do where a pack is there, and cannot be read.
const UNREAD: &str = "look after the disk or the server, and verify again: it may be read then. If that stays so, and there \
                      is a copy of the pack, bring that back; if there is none, move the pack away (its file, or its \
                      messages), then `postkeep vault repair PROFILE` and `postkeep run PROFILE`: what the sources still \
                      have is stored anew, and what stays named after that is lost: `postkeep forget PROFILE ID`";

/// What to do where the key is damaged that our password opens.
const OWN_KEY: &str =
    "now, while this machine still opens it: `postkeep key passwd PROFILE`, with another password";

/// What to do where another key is damaged.
const OTHER_KEY: &str = "if there is a copy of it, bring it back; else `postkeep key remove PROFILE` with its id, and \
                         `postkeep key add PROFILE`";

impl Vault {
    /// Looks whether everything is there and, as far as asked, sound.
    ///
    /// # Errors
    /// The store cannot be listed at all, or somebody is at work who removes things.
    pub fn verify(&self, depth: Depth, meter: &Meter) -> Result<Verified> {
        let problems = Problems::default();
        let _lock = match self.lock(Access::Shared) {
            Err(error) if error.kind() != ErrorKind::Locked => {
                // A medium that cannot be written is read all the same.
                let what = format!(
                    "no lock can be written, so somebody may have removed things meanwhile: {}",
                    error.one_line()
                );
                problems.add(
                    Weight::Note,
                    what,
                    "nothing, if nobody else uses the vault; no backup can be saved into it now",
                );
                None
            }
            locked => Some(locked?),
        };
        let mut verified = Verified::default();
        match self.look(depth, &problems, meter, &mut verified) {
            // What is not given now is not lost.
            Err(error) if error.kind().is_away() => verified.stopped = Some(error),
            looked => looked?,
        }
        let (mut list, damaged) = problems.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        list.sort_by_key(|problem| std::cmp::Reverse(problem.weight));
        (verified.problems, verified.damaged) = (list, damaged);
        verified.cancelled = meter.is_cancelled();
        Ok(verified)
    }

    fn look(&self, depth: Depth, problems: &Problems, meter: &Meter, verified: &mut Verified) -> Result<()> {
        self.check_keys(problems)?;
        let mut known = Known::read(self, problems)?;
        verified.packs = known.present.len() as u64;
        verified.bytes = known.present.values().sum();
        known.compare(problems);
        if let Depth::Data(percent) = depth {
            let read = data::read(self, &mut known, percent, problems, meter)?;
            (verified.read, verified.read_bytes, verified.sound) = (read.packs, read.bytes, read.sound);
            read.stopped.map_or(Ok(()), Err)?;
        }
        let snapshots = self.sound_snapshots(problems)?;
        verified.snapshots = snapshots.len() as u64;
        let (seen, walked) = reach::walk(self, &known, &snapshots, problems, meter);
        (verified.trees, verified.files) = seen;
        walked
    }

    /// Whether each password still opens the vault: this machine needs none as long as it has its sealed key.
    fn check_keys(&self, problems: &Problems) -> Result<()> {
        for found in self.listed(Kind::Key)? {
            let Err(error) = self.sound_key(&found.id) else { continue };
            let error = unless_away(error)?;
            let own = self.key_id() == Some(&found.id);
            let whose = if own {
                ": it is yours, and only this machine can still open the vault with it"
            } else {
                ""
            };
            let what = format!(
                "the password of key {} opens the vault no more{whose}: {}",
                short(&found.id),
                error.one_line()
            );
            problems.damage(what, if own { OWN_KEY } else { OTHER_KEY });
        }
        Ok(())
    }

    /// The snapshots that can be read.
    fn sound_snapshots(&self, problems: &Problems) -> Result<Vec<SnapshotFile>> {
        let Readable { all, lost } = self.single_snapshots()?;
        for Lost { id, why, .. } in lost {
            let todo = format!(
                "if there is a copy of it (snapshots/{id}), bring it back; else let it go, for no `prune` works as long as it \
                 is there: `postkeep forget PROFILE {}`",
                short(&id)
            );
            problems.damage(format!("snapshot {} is lost: {why}", short(&id)), todo);
        }
        Ok(all)
    }

    fn opener(&self) -> Opener {
        Opener::new(&self.key)
    }
}

/// The beginning of an id, as it is shown.
fn short(id: &Id) -> String {
    id.to_string()[..8].to_owned()
}

/// Packs, and single blobs in sound ones, that cannot be used.
#[derive(Debug, Default)]
struct Bad {
    packs: HashSet<Id>,
    blobs: HashSet<[u8; 32]>,
}

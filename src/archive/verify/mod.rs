//! Whether an archive still is what it was: each message is read and held against its hash, and some of them against what
//! their server gives now.
//!
//! Vaults are verified by their own checksums, which say that what was stored is there. This says that what was stored is
//! what came.

mod server;

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read};

use super::read::{Archive, Found, Visitor, Walked};
use super::wanted::Wanted;
use crate::error::{Error, Result};
use crate::progress::Meter;
use crate::vault::content::kind_of;
use crate::vault::store::Id;
use crate::vault::verify::{MOST, Problem, Weight};

pub use self::server::Server;

/// What to do about a message that is not what was archived.
const OTHER: &str = "look for it in an older snapshot (`postkeep snapshots PROFILE`, `postkeep archive export PROFILE \
                     --snapshot ID`) or at its source; the vault itself is sound, so please report this";

/// What to do about a message that cannot be read.
const LOST: &str = "`postkeep vault repair PROFILE`, if the vault is damaged; else say it again";

/// What to do about a message of which a server gives other bytes.
const DIFFERS: &str = "look at both: `postkeep archive show PROFILE ID --raw`, and the message in a mail program; if the \
                       server's is the right one, please report this";

/// What is to be looked at.
pub struct Look<'a> {
    /// Whether each message is read.
    pub read: bool,
    /// Packs that were read just now. A message that lies in one of them as one piece was read with it.
    pub sound: &'a HashSet<Id>,
    /// How many messages are compared with what their servers give, in all.
    pub sample: usize,
    /// Decides which.
    pub chance: [u8; 32],
    /// Counts, and hears the wish to stop.
    pub meter: &'a Meter,
}

/// What was looked at, and what is wrong.
#[derive(Debug, Default)]
pub struct Looked {
    /// Messages that were read.
    pub read: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that were compared with what a server gives.
    pub compared: u64,
    /// What is wrong, as it was found; at most [`MOST`].
    pub problems: Vec<Problem>,
    /// All problems that are damage.
    pub damaged: u64,
    /// What stopped it: the vault gives no more now.
    pub stopped: Option<Error>,
}

impl Looked {
    fn add(&mut self, weight: Weight, what: String, todo: &str) {
        self.damaged += u64::from(weight == Weight::Damage);
        if self.problems.len() < MOST {
            self.problems.push(Problem { weight, what, todo: todo.into() });
        }
    }

    /// A message cannot be read out of the vault, or is not what it was. Whether to go on: where the vault gives nothing
    /// now, nothing is known of the message, and those after it would not come either.
    fn unreadable(&mut self, message: &Found, error: &io::Error) -> bool {
        if kind_of(error).is_away() {
            self.stopped = Some(Error::new(kind_of(error), error.to_string()));
            return false;
        }
        let other = error.kind() == io::ErrorKind::InvalidData;
        let what = format!("{} cannot be read: {error}", named(message));
        self.add(Weight::Damage, what, if other { OTHER } else { LOST });
        true
    }
}

/// How a message is called.
fn named(found: &Found) -> String {
    format!("message {} (/{})", found.message.marks.id().get(..10).unwrap_or_default(), found.path)
}

impl Look<'_> {
    /// Looks at a snapshot's archive. `servers` are those that can be asked.
    ///
    /// # Errors
    /// What is to be looked at cannot be found out. What is wrong with messages is none.
    pub fn at(&self, archive: &Archive<'_>, servers: &mut [Server]) -> Result<Looked> {
        let (looked, sample) = (Looked::default(), BTreeMap::new());
        let mut reading = Reading { look: self, archive, servers, looked, sample };
        let walked = archive.visit(&Wanted::default(), &mut reading);
        let Reading { mut looked, sample, .. } = reading;
        match walked {
            Ok(walked) => tell(&walked, &mut looked),
            // What was found until then counts.
            Err(error) if error.kind().is_away() => looked.stopped = Some(error),
            Err(error) => return Err(error),
        }
        if looked.stopped.is_some() {
            return Ok(looked);
        }
        let mut by_folder: BTreeMap<(usize, String), Vec<Found>> = BTreeMap::new();
        for (server, found) in sample.into_values() {
            by_folder.entry((server, found.message.place.folder.clone())).or_default().push(found);
        }
        for ((server, _), messages) in by_folder {
            if self.meter.is_cancelled() || looked.stopped.is_some() {
                break;
            }
            if let Some(server) = servers.get_mut(server) {
                server.compare(archive, &messages, self.read, &mut looked);
            }
        }
        Ok(looked)
    }

    /// Takes a message into the sample, if its server may have it still: those with the least hashes are in it.
    fn pick(&self, found: Found, servers: &[Server], sample: &mut Sample) {
        if self.sample == 0 {
            return;
        }
        let has = |server: &Server| server.may_have(&found.message.place);
        let Some(server) = servers.iter().position(has) else { return };
        let lot = *blake3::keyed_hash(&self.chance, found.path.to_string().as_bytes()).as_bytes();
        sample.insert(lot, (server, found));
        if sample.len() > self.sample {
            sample.pop_last();
        }
    }
}

/// Messages that are compared, by their lots, and the servers that may have them.
type Sample = BTreeMap<[u8; 32], (usize, Found)>;

/// What becomes of a look, message by message.
struct Reading<'l, 'm> {
    look: &'l Look<'m>,
    archive: &'l Archive<'l>,
    servers: &'l [Server],
    looked: Looked,
    sample: Sample,
}

impl Reading<'_, '_> {
    fn was_read(&self, found: &Found) -> bool {
        self.archive.one_piece(found).is_some_and(|pack| self.look.sound.contains(&pack))
    }
}

impl Visitor for Reading<'_, '_> {
    fn wants(&mut self, found: &Found) -> bool {
        self.look.read && !self.was_read(found)
    }

    fn visit(&mut self, found: Found, bytes: Result<&mut dyn Read>) -> Result<bool> {
        let was_read = self.was_read(&found);
        let (look, looked) = (self.look, &mut self.looked);
        if look.read {
            let read = match was_read {
                true => Ok(found.message.size),
                // At its end it is checked.
                false => bytes.map_err(io::Error::other).and_then(|bytes| io::copy(bytes, &mut io::sink())),
            };
            match read {
                Ok(bytes) => {
                    (looked.read, looked.bytes) = (looked.read + 1, looked.bytes + bytes);
                    look.meter.bytes(bytes);
                    look.meter.file();
                }
                Err(error) => {
                    if !looked.unreadable(&found, &error) {
                        return Ok(false);
                    }
                }
            }
        }
        look.pick(found, self.servers, &mut self.sample);
        Ok(!look.meter.is_cancelled())
    }
}

/// Folders of the archive that cannot be listed. The vault's own look tells what that means.
fn tell(walked: &Walked, looked: &mut Looked) {
    for (path, why) in &walked.broken {
        let what = format!("what is archived in /{path} cannot be listed: {why}");
        looked.add(Weight::Damage, what, LOST);
    }
    looked.damaged += walked.more;
}

#[cfg(test)]
mod tests;

//! Walking from the snapshots down: whether everything that they name can be had.

use std::collections::{HashMap, HashSet};

use rustic_core::TreeId;
use rustic_core::repofile::{SnapshotFile, Tree};
use sha2::{Digest, Sha256};

use super::index::Known;
use super::{LOST, Problems};
use crate::entry::RelPath;
use crate::error::{Error, Result};
use crate::figures::of;
use crate::progress::Meter;
use crate::vault::Vault;
use crate::vault::adapter::ours;
use crate::vault::blob::Opener;
use crate::vault::store::{Id, Kind, unless_away};
use crate::vault::{node, snapshot};

/// How many snapshots are named where several hold the same damage.
const NAMED: usize = 3;

/// Looks at every folder and file version once. Returns how many there are, and what stopped it: that the vault gives no
/// more now.
pub(super) fn walk(
    vault: &Vault,
    known: &Known,
    snapshots: &[SnapshotFile],
    problems: &Problems,
    meter: &Meter,
) -> ((u64, u64), Result<()>) {
    let mut walk = Walk {
        trees: Trees { vault, known, opener: vault.opener(), packs: Packs::default() },
        seen: HashSet::new(),
        files: HashSet::new(),
        lost: HashMap::new(),
        order: Vec::new(),
    };
    // The newest first: damage is named by the snapshot that is missed most.
    let mut newest = snapshots.iter().enumerate().rev();
    let walked = newest.try_for_each(|(n, snapshot)| walk.from(n, snapshot, known, meter));
    for (path, why) in &walk.order {
        let held = walk.lost.get(&(path.clone(), why.clone())).map(Vec::as_slice).unwrap_or_default();
        let mut names: Vec<_> = held.iter().take(NAMED).map(|n| snapshot::short(&snapshots[*n])).collect();
        if held.len() > NAMED {
            names.push(of((held.len() - NAMED) as u64, "older one", "older ones"));
        }
        problems.damage(format!("/{path} in snapshot {} cannot be restored: {why}", names.join(", ")), LOST);
    }
    ((walk.seen.len() as u64, walk.files.len() as u64), walked)
}

struct Walk<'a> {
    trees: Trees<'a>,
    /// Trees below which everything is sound.
    seen: HashSet<TreeId>,
    /// Versions of files, by their content.
    files: HashSet<[u8; 32]>,
    /// What is lost, and in which snapshots.
    lost: HashMap<(RelPath, String), Vec<usize>>,
    /// The same in the order in which it was found.
    order: Vec<(RelPath, String)>,
}

impl Walk<'_> {
    fn from(&mut self, n: usize, snapshot: &SnapshotFile, known: &Known, meter: &Meter) -> Result<()> {
        // A tree is done when all below it is: until then it waits here with what was found below it.
        let mut waiting = vec![Step::Enter(RelPath::root(), snapshot.tree)];
        let mut broken = 0_usize;
        while let Some(step) = waiting.pop() {
            if meter.is_cancelled() {
                return Ok(());
            }
            let (path, id) = match step {
                Step::Enter(path, id) => (path, id),
                Step::Leave(id, before) => {
                    // One that holds damage is looked at again in the next snapshot, to name it there too.
                    if broken == before {
                        self.seen.insert(id);
                    }
                    continue;
                }
            };
            if self.seen.contains(&id) {
                continue;
            }
            let tree = match self.trees.get(id) {
                Ok(tree) => tree,
                Err(error) => {
                    let why = unless_away(error)?.one_line();
                    broken += 1;
                    self.lose(
                        path,
                        format!("the folder's list of entries is lost, and with it all that is in it: {why}"),
                        n,
                    );
                    continue;
                }
            };
            waiting.push(Step::Leave(id, broken));
            for entry in &tree.nodes {
                let Some(name) = node::name(entry) else {
                    broken += 1;
                    let shown = crate::entry::show(entry.name.as_bytes());
                    self.lose(path.clone(), format!("it holds a name that no file can have: {shown}"), n);
                    continue;
                };
                let here = path.join(&name);
                match (entry.is_dir(), entry.subtree) {
                    (true, Some(below)) => waiting.push(Step::Enter(here, below)),
                    (true, None) => {
                        broken += 1;
                        self.lose(here, "the snapshot does not say what is in it".into(), n);
                    }
                    (false, _) if entry.is_file() => {
                        let mut hasher = Sha256::new();
                        let unknown = entry.content.is_none() && entry.meta.size > 0;
                        let mut missing = unknown.then(|| node::UNKNOWN.to_owned());
                        for blob in entry.content.iter().flatten() {
                            let id = ours(blob);
                            hasher.update(id.0);
                            missing = missing.or_else(|| known.has(&id.0).err());
                        }
                        self.files.insert(hasher.finalize().into());
                        if let Some(why) = missing {
                            broken += 1;
                            self.lose(here, why, n);
                        }
                    }
                    (false, _) => {}
                }
            }
        }
        Ok(())
    }

    fn lose(&mut self, path: RelPath, why: String, snapshot: usize) {
        let key = (path, why);
        let held = self.lost.entry(key.clone()).or_default();
        if held.is_empty() {
            self.order.push(key);
        }
        held.push(snapshot);
    }
}

enum Step {
    Enter(RelPath, TreeId),
    Leave(TreeId, usize),
}

/// Trees by way of their packs: most that are needed next lie in the same one.
struct Trees<'a> {
    vault: &'a Vault,
    known: &'a Known,
    opener: Opener,
    packs: Packs,
}

/// The packs that were read last. Packs of trees have some megabytes.
#[derive(Default)]
struct Packs(Vec<(Id, bytes::Bytes)>);

/// How many.
const HELD: usize = 8;

impl Trees<'_> {
    fn get(&mut self, id: TreeId) -> Result<Tree> {
        let id = ours(&id);
        self.known.has(&id.0).map_err(Error::other)?;
        let usable = |(pack, _): &&(Id, usize)| !self.known.bad.packs.contains(pack);
        let place = self.known.blobs.get(&id.0).and_then(|packs| packs.iter().find(usable)).copied();
        let at = place.and_then(|(pack, n)| Some((pack, self.known.packs.get(&pack)?.get(n)?)));
        let Some((pack, at)) = at else { return Err(Error::other("it is in no index")) };
        let raw = self.packs.get(self.vault, &pack)?;
        let end = usize::try_from(at.end()).unwrap_or(usize::MAX);
        let part = raw.get(at.offset as usize..end).ok_or_else(|| Error::other("its pack is cut off"))?;
        let json = self.opener.open(at, part).map_err(|damage| Error::other(damage.to_string()))?;
        serde_json::from_slice(json)
            .map_err(|error| Error::other(format!("it is no list of entries: {error}")))
    }
}

impl Packs {
    fn get(&mut self, vault: &Vault, id: &Id) -> Result<bytes::Bytes> {
        if let Some(at) = self.0.iter().position(|(held, _)| held == id) {
            let found = self.0.remove(at);
            self.0.push(found.clone());
            return Ok(found.1);
        }
        let raw = vault.looked_for(Kind::Pack, id)?;
        if self.0.len() >= HELD {
            self.0.remove(0);
        }
        self.0.push((*id, raw.clone()));
        Ok(raw)
    }
}

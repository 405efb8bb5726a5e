//! What a killed run stored, and no index names: it is found again.
//!
//! A run leaves a mark on this machine while it works. Where one is found, the packs are compared with the index, and the
//! headers of those that it does not name are read: a few hundred bytes each, instead of sending them again.

use std::fs;
use std::path::PathBuf;

use crate::error::{Kind, Result};
use crate::vault::store::Kind as Object;
use crate::vault::{Access, Vault};

impl Vault {
    fn marker(&self, profile: &str) -> PathBuf {
        self.cache.join(format!("{}.{profile}.unfinished", self.id))
    }

    /// Leaves the mark. Without one, a killed run sends again what it had sent: no more than that is lost.
    pub(in crate::vault) fn mark(&self, profile: &str) {
        let _ = fs::create_dir_all(&self.cache).and_then(|()| fs::write(self.marker(profile), ""));
    }

    /// Takes the mark away: everything that was stored is named by an index.
    pub(in crate::vault) fn unmark(&self, profile: &str) {
        let _ = fs::remove_file(self.marker(profile));
    }

    /// Finds packs of an unfinished run. Returns what is worth telling.
    ///
    /// # Errors
    /// The vault cannot be read or written.
    pub(in crate::vault) fn rescue(&self, profile: &str) -> Result<Vec<String>> {
        if !self.marker(profile).exists() {
            return Ok(Vec::new());
        }
        // Packs are listed before the index is read. Somebody who saves meanwhile would write an index that names packs
        // which are not in that list, and they would be taken out of it as lost: so nobody else may be at work.
        let lock = match self.lock(Access::Exclusive) {
            Ok(lock) => lock,
            Err(error) if error.kind() == Kind::Locked => {
                let note = "an earlier run was cut short; what it stored may be sent again, because others use the \
                            vault just now";
                return Ok(vec![note.into()]);
            }
            Err(error) => return Err(error),
        };
        let before = self.store.list(Object::Index)?;
        self.rebuild_index("cannot look for what an earlier run stored")?;
        let found = self.store.list(Object::Index)?.iter().any(|index| !before.contains(index));
        drop(lock);
        self.unmark(profile);
        let note = "an earlier run was cut short; what it had stored was found and is used";
        Ok(found.then(|| note.to_owned()).into_iter().collect())
    }
}

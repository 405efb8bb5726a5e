//! Which vault a store is about, among letters that may be of several.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};

use super::letter::VaultId;
use crate::error::{Error, Result};
use crate::mutex::lock;

/// The vault, as soon as it is known.
#[derive(Debug, Default)]
pub(super) struct Which(Mutex<Known>);

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    vault: Option<VaultId>,
    /// It is only remembered from another time.
    remembered: bool,
}

impl Which {
    /// This vault, or the one that is found.
    pub(super) fn new(vault: Option<VaultId>) -> Self {
        Self(Mutex::new(Known { vault, remembered: false }))
    }

    /// The vault that was there another time. If nothing of it is left and another one is there, it is that.
    pub(super) fn remembered(vault: VaultId) -> Self {
        Self(Mutex::new(Known { vault: Some(vault), remembered: true }))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.0)
    }

    pub(super) fn get(&self) -> Option<VaultId> {
        self.known().vault
    }

    /// The vault, or a new one.
    pub(super) fn get_or_new(&self) -> VaultId {
        let mut known = self.known();
        known.remembered = false;
        *known.vault.get_or_insert_with(VaultId::random)
    }

    /// Takes the vault whose letters were found, if it is not known yet. `some` says whether letters of the known one
    /// are there besides. None: there are none.
    ///
    /// # Errors
    /// They are of several.
    pub(super) fn settle(
        &self,
        place: &str,
        found: &BTreeSet<VaultId>,
        some: bool,
    ) -> Result<Option<VaultId>> {
        let mut known = self.known();
        let still = |vault: &VaultId| !known.remembered || some || found.is_empty() || found.contains(vault);
        if let Some(vault) = known.vault.filter(still) {
            return Ok(Some(vault));
        }
        if found.len() > 1 {
            let ids: Vec<String> = found.iter().map(VaultId::to_string).collect();
            return Err(Error::other(format!("{place} holds several vaults: {}", ids.join(", ")))
                .hint("move the messages of all but one into a folder of their own; if a vault is being made there right now, wait for that first"));
        }
        if let Some(vault) = found.first() {
            *known = Known { vault: Some(*vault), remembered: false };
        }
        Ok(known.vault)
    }
}

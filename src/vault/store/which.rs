//! Which vault a store is about, among letters that may be of several.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::letter::VaultId;
use crate::error::{Error, Result};

/// The vault, as soon as it is known.
#[derive(Debug, Default)]
pub(super) struct Which(OnceLock<VaultId>);

impl Which {
    /// This vault, or the one that is found.
    pub(super) fn new(vault: Option<VaultId>) -> Self {
        let known = OnceLock::new();
        if let Some(vault) = vault {
            known.get_or_init(|| vault);
        }
        Self(known)
    }

    pub(super) fn get(&self) -> Option<VaultId> {
        self.0.get().copied()
    }

    /// The vault, or a new one.
    pub(super) fn get_or_new(&self) -> VaultId {
        *self.0.get_or_init(VaultId::random)
    }

    /// Takes the vault whose letters were found, if it is not known yet. None: there are none.
    ///
    /// # Errors
    /// They are of several.
    pub(super) fn settle(&self, place: &str, found: &BTreeSet<VaultId>) -> Result<Option<VaultId>> {
        if let Some(known) = self.get() {
            return Ok(Some(known));
        }
        if found.len() > 1 {
            let ids: Vec<String> = found.iter().map(VaultId::to_string).collect();
            return Err(Error::other(format!("{place} holds several vaults: {}", ids.join(", ")))
                .hint("move the messages of all but one into a folder of their own"));
        }
        Ok(found.first().map(|vault| *self.0.get_or_init(|| *vault)))
    }
}

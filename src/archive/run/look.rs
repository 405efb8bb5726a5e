//! Whether a vault still has what is known of it.
//!
//! Two lists tell it, and cost no more than a look at a disk or at a mailbox's folder: that of the snapshots, and that of the
//! parts of the index. A part of the index goes away when something was taken out of the vault: by a prune, or by a repair
//! on whatever machine. As long as all are there the vault is not opened for that.

use std::collections::BTreeSet;

use rustic_core::repofile::SnapshotFile;

use super::outcome::Sum;
use crate::archive::rebuild::{is_whole, rebuild};
use crate::error::Result;
use crate::state::catalogue::{Catalogue, Folder};
use crate::vault::Vault;
use crate::vault::snapshot::full;
use crate::vault::store::{Kind, Store};

/// Whether the vault has all that the catalogue rests on. Of an archive that is empty nothing is known, and nothing is
/// asked.
///
/// # Errors
/// The vault cannot be looked at.
pub(super) fn has_all(store: &dyn Store, catalogue: &Catalogue) -> Result<bool> {
    let Some(snapshot) = catalogue.snapshot()? else { return Ok(true) };
    let there = store.list(Kind::Snapshot)?;
    Ok(there.iter().any(|found| found.id.to_string() == snapshot) && has_parts(store, catalogue)?)
}

fn has_parts(store: &dyn Store, catalogue: &Catalogue) -> Result<bool> {
    let Some(parts) = catalogue.parts()? else { return Ok(false) };
    let there: BTreeSet<_> = store.list_again(Kind::Index)?.into_iter().map(|found| found.id.0).collect();
    Ok(parts.is_subset(&there))
}

/// Remembers what the catalogue rests on. Nobody may take anything away meanwhile.
///
/// # Errors
/// The vault cannot be listed, or the catalogue not be written.
pub(super) fn remember(store: &dyn Store, catalogue: &Catalogue) -> Result<()> {
    let parts: Vec<_> = store.list_again(Kind::Index)?.into_iter().map(|found| found.id.0).collect();
    catalogue.rest_on(&parts)
}

/// Sees to it that what is known is what is there, and tells what was there and is not any more. `last` is the snapshot
/// that is the archive now.
///
/// # Errors
/// The vault cannot be read, or the catalogue not be written.
pub(super) fn agree(
    vault: &Vault,
    last: Option<&SnapshotFile>,
    catalogue: &Catalogue,
    sum: &mut Sum<'_>,
) -> Result<()> {
    let known = catalogue.snapshot()?;
    let Some(last) = last else {
        if known.is_some() {
            let before = catalogue.folders()?;
            catalogue.clear()?;
            sum.missing(&fewer(&before, &catalogue.folders()?));
        }
        return Ok(());
    };
    let is_same = known == Some(full(&last.id));
    if is_same && (has_parts(vault.store(), catalogue)? || is_whole(&vault.read()?, last)?) {
        return Ok(());
    }
    let before = catalogue.folders()?;
    let rebuilt = rebuild(catalogue, &vault.read()?, last)?;
    let missing = fewer(&before, &catalogue.folders()?);
    sum.missing(&missing);
    sum.rebuilt(&rebuilt, !missing.is_empty());
    Ok(())
}

/// The folders that have fewer messages than before, and by how many.
fn fewer(before: &[Folder], after: &[Folder]) -> Vec<(String, u64)> {
    let now = |folder: &Folder| after.iter().find(|one| one.id == folder.id).map_or(0, |one| one.stored);
    let lost = before.iter().map(|folder| (folder, folder.stored.saturating_sub(now(folder))));
    let lost = lost.filter(|(_, messages)| *messages > 0);
    lost.map(|(folder, messages)| (format!("{}/{}", folder.account, folder.path), messages)).collect()
}

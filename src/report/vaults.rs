//! What a backup kept, and where: the lines that prove it, and what the provider still allows.

use super::{clean, numbers};
use crate::run::{Kept, Outcome};

/// How many digits of a name are shown: enough to find it, and too many to make another like it by chance.
/// `report.json` has all of them.
const DIGITS: usize = 16;

/// How many vaults are told.
const MOST: usize = 8;

/// Label and value, vault after vault.
pub(super) fn rows(outcome: &Outcome) -> Vec<(&'static str, String)> {
    outcome.vaults.iter().take(MOST).flat_map(of_vault).collect()
}

fn of_vault(kept: &Kept) -> Vec<(&'static str, String)> {
    let mut rows = vec![("Vault", clean::path(&kept.vault, 160))];
    if let Some(error) = &kept.error {
        rows.push(("Nothing kept there", clean::line(error, 300)));
    }
    if let Some(snapshot) = &kept.snapshot {
        let after = kept.parent.as_deref().map_or_else(
            || ", the first of its kind".to_owned(),
            |parent| format!(", after {}", short(parent)),
        );
        rows.push(("Snapshot", format!("{}{after}", short(snapshot))));
        rows.extend(kept.tree.as_deref().map(|tree| ("Its tree", short(tree))));
    }
    if kept.error.is_none() {
        let grew = match kept.stored {
            0 => "no new content".to_owned(),
            stored => {
                format!("{}, for {} of new content", numbers::size(stored), numbers::size(kept.added))
            }
        };
        rows.push(("Grown by", grew));
    }
    if kept.forgotten > 0 {
        rows.push(("Forgotten", numbers::of(kept.forgotten, "old snapshot", "old snapshots")));
    }
    let share = |(used, all): (u64, u64)| {
        let percent = u128::from(used) * 100 / u128::from(all.max(1));
        format!("{} of {} ({percent} %)", numbers::size(used), numbers::size(all))
    };
    rows.extend(kept.room.map(|room| ("In use there", share(room))));
    rows.extend(kept.budget.map(|budget| ("Sent in 24 hours", share(budget))));
    rows
}

/// The first digits of a name. It is one of ours; what is not looks no better for being cut.
fn short(name: &str) -> String {
    clean::header(&name.chars().take(DIGITS).collect::<String>(), DIGITS)
}

//! What a backup kept, and where: the lines that prove it, and what the provider still allows.

use super::{clean, numbers};
use crate::profile::show_size;
use crate::run::{Kept, Outcome};

/// How many digits of a name are shown: enough to find it, and too many to make another like it by chance.
/// `report.json` has all of them.
const DIGITS: usize = 16;

/// How many vaults are told.
const MOST: usize = 8;

/// Label and value, vault after vault.
pub(super) fn rows(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let what = if outcome.counts.messages { "new messages" } else { "new and changed files" };
    outcome.vaults.iter().take(MOST).enumerate().flat_map(|(at, kept)| of_vault(at, kept, what)).collect()
}

fn of_vault(at: usize, kept: &Kept, what: &str) -> Vec<(&'static str, String)> {
    // The first is what every verb takes where none is named.
    let number = if at > 0 { format!(" (--vault {})", at + 1) } else { String::new() };
    let mut rows = vec![("Vault", clean::path(&kept.vault, 160) + &number)];
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
        rows.push(("Grown by", grown(kept, what)));
    } else if kept.error.is_none() {
        let size = kept.budget.map_or(numbers::size as fn(u64) -> String, |(_, limit)| units(limit));
        rows.push(("Sent by this run", size(kept.stored)));
    }
    if kept.forgotten > 0 {
        rows.push(("Forgotten", numbers::of(kept.forgotten, "old snapshot", "old snapshots")));
    }
    rows.extend(kept.room.map(|(used, all)| {
        let share = format!("{} of {}{}", numbers::size(used), numbers::size(all), percent(used, all));
        ("In use there", share)
    }));
    rows.extend(kept.budget.map(|budget| ("Sent in 24 hours", budgeted(budget))));
    rows
}

/// By how much the vault grew, and for what. Files that changed were read as a whole, whatever of them was new.
fn grown(kept: &Kept, what: &str) -> String {
    match (kept.stored, kept.added) {
        (0, _) => "no new content".into(),
        (stored, 0) => numbers::size(stored),
        (stored, read) => {
            format!("{}, for {} in {what}", numbers::size(stored), numbers::size(read))
        }
    }
}

/// Writes sizes in the units that a limit was written in.
fn units(limit: u64) -> fn(u64) -> String {
    if show_size(limit).ends_with("iB") { numbers::size } else { numbers::size_decimal }
}

/// What is used of a day's budget, and what is left.
fn budgeted((used, limit): (u64, u64)) -> String {
    let (said, size) = (show_size(limit), units(limit));
    let left = match limit.saturating_sub(used) {
        0 => "nothing left".to_owned(),
        left => format!("{} left", size(left)),
    };
    format!("{} of {said}{}, {left}", size(used), percent(used, limit))
}

fn percent(part: u64, all: u64) -> String {
    format!(" ({} %)", u128::from(part) * 100 / u128::from(all.max(1)))
}

/// The first digits of a name. It is one of ours; what is not looks no better for being cut.
fn short(name: &str) -> String {
    clean::header(&name.chars().take(DIGITS).collect::<String>(), DIGITS)
}

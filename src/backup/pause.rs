//! When a backup that a provider's budget stopped goes on, and when it is done.

use jiff::{SignedDuration, Timestamp};

use super::Request;
use crate::error::{Error, Kind};
use crate::figures::{size, size_decimal};
use crate::profile::VaultPlace;
use crate::run::Paused;
use crate::vault::Vault;
use crate::vault::ledger::Cause;
use crate::vault::several::paused;
use crate::vault::snapshot::is_checkpoint;

/// How many bytes go over the wire for 72 of a file that does not compress: base64, its line ends, and encryption.
const ON_THE_WIRE: (u64, u64) = (100, 72);

/// What is left to be sent.
#[derive(Clone, Copy)]
pub(super) struct Left {
    bytes: u64,
    of: u64,
}

impl Request<'_> {
    /// What is told of a pause.
    pub(super) fn pause(&self, place: &VaultPlace, error: &Error, left: Option<Left>) -> Paused {
        let pause = self.vaults.pause(place);
        let mut paused = paused(pause, &place.to_string(), error, self.now);
        let budget = self.vaults.budget(place);
        paused.done =
            budget.zip(left).and_then(|((_, per_day), left)| done(left.bytes, per_day, paused.until));
        let free = budget.map_or(0, |(used, limit)| limit.saturating_sub(used));
        if free > 0 && pause.is_some_and(|pause| matches!(pause.cause, Cause::Sending(_))) {
            let free = size_decimal(free);
            paused.reason.push_str(&format!("; {free} are left, too little for the next message"));
        }
        if let Some(left) = left {
            let held = size(left.of.saturating_sub(left.bytes));
            paused.reason.push_str(&format!("; {held} of {} are in a snapshot so far", size(left.of)));
        }
        paused
    }

    /// How many bytes of the sources no snapshot holds yet, about, where a budget stopped the work on this vault. The
    /// run came to no end, so it does not know how much there is.
    pub(super) fn left(&self, place: &VaultPlace, vault: &Vault, error: &Error) -> Option<Left> {
        if error.kind() != Kind::Paused {
            return None;
        }
        self.vaults.budget(place)?;
        let all = self.request().estimate().ok()?.0.bytes;
        let snapshots = vault.snapshots().ok()?;
        let ours = snapshots.iter().filter(|one| one.label == self.profile && one.hostname == self.host);
        let held = |checkpoint: bool| {
            ours.clone()
                .filter(|one| is_checkpoint(one) == checkpoint)
                .max_by_key(|one| one.time.timestamp())
                .and_then(|one| Some(one.summary.as_ref()?.total_bytes_processed))
        };
        // What changed since a whole snapshot nobody can tell without reading it.
        let held = held(true).or(held(false)).unwrap_or(0);
        Some(Left { bytes: all.saturating_sub(held), of: all })
    }
}

/// When so many bytes of files are sent, if so many bytes may go each day from `from` on.
fn done(left: u64, per_day: u64, from: Timestamp) -> Option<Timestamp> {
    let (wire, files) = ON_THE_WIRE;
    let days = left.saturating_mul(wire) / files / per_day.max(1);
    from.checked_add(SignedDuration::from_hours(24).checked_mul(i32::try_from(days).ok()?)?).ok()
}

/// How many days it takes to send so many bytes of files at so many bytes a day.
pub fn days(bytes: u64, per_day: u64) -> u64 {
    let (wire, files) = ON_THE_WIRE;
    (bytes.saturating_mul(wire) / files).div_ceil(per_day.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_its_days() {
        let from = Timestamp::UNIX_EPOCH;
        let day = |n: i64| Some(from + SignedDuration::from_hours(24 * n));
        for (left, per_day, at) in [
            (0, 500_000_000, day(0)),
            (300_000_000, 500_000_000, day(0)),
            (720_000_000, 500_000_000, day(2)),
            (15_200_000_000, 500_000_000, day(42)),
            (u64::MAX, 1, None),
        ] {
            assert_eq!(done(left, per_day, from), at, "{left}");
        }
        assert_eq!((days(15_200_000_000, 500_000_000), days(1, 500_000_000), days(0, 5)), (43, 1, 0));
    }
}

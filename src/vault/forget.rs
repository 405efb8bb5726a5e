//! Which snapshots stay and which are forgotten.
//!
//! Snapshots are judged in groups of one machine, profile and set of paths, as restic does it: so a machine that has not
//! saved for a year keeps what it has.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use rustic_core::repofile::{SnapshotFile, SnapshotId};
use rustic_core::{ForgetGroups, Grouped, KeepOptions, SnapshotGroupCriterion};

use super::patience::patiently;
use super::snapshot::{self, Scope, is_checkpoint};
use super::{Access, Vault};
use crate::error::{Context, Result};
use crate::profile::Keep;
use crate::progress::Meter;

/// A snapshot, and what becomes of it.
#[derive(Debug)]
pub struct Judged {
    /// The snapshot.
    pub snapshot: SnapshotFile,
    /// Whether it stays.
    pub keep: bool,
    /// Why, as in `daily, weekly`.
    pub why: String,
}

/// Snapshots of one machine, profile and set of paths, oldest first.
#[derive(Debug)]
pub struct Group {
    /// The machine.
    pub host: String,
    /// The profile.
    pub label: String,
    /// The paths, as they are shown.
    pub paths: String,
    /// Its snapshots.
    pub snapshots: Vec<Judged>,
}

/// Judges all snapshots of `scope`. Without `last` the newest of each group stays whatever the rules say.
///
/// A snapshot whose time is yet to come was made while a clock was wrong. It stays until then, and no rule counts it: else
/// it would be the newest for years, and what is saved meanwhile be forgotten as soon as it is there. The same goes for all
/// snapshots while our own clock is behind.
///
/// A checkpoint goes as soon as its group has a whole snapshot that is newer; until then it stays, for it holds what a
/// long backup did so far.
///
/// # Errors
/// The rules name no number or time at all.
pub fn plan(
    all: Vec<SnapshotFile>,
    keep: &Keep,
    scope: &Scope,
    last: bool,
    now: &Zoned,
) -> Result<Vec<Group>> {
    let mut groups: BTreeMap<(String, String, String), Vec<SnapshotFile>> = BTreeMap::new();
    for snapshot in all.into_iter().filter(|snapshot| scope.has(snapshot)) {
        let key = (snapshot.hostname.clone(), snapshot.label.clone(), snapshot.paths.to_string());
        groups.entry(key).or_default().push(snapshot);
    }
    let options = options(keep)?;
    let mut judged = Vec::new();
    for ((host, label, paths), snapshots) in groups {
        judged.push(Group { host, label, paths, snapshots: judge(snapshots, &options, last, now)? });
    }
    Ok(judged)
}

fn judge(
    snapshots: Vec<SnapshotFile>,
    options: &KeepOptions,
    last: bool,
    now: &Zoned,
) -> Result<Vec<Judged>> {
    let (checkpoints, whole): (Vec<_>, Vec<_>) = snapshots.into_iter().partition(snapshot::is_checkpoint);
    let (ahead, whole): (Vec<_>, Vec<_>) = whole
        .into_iter()
        .partition(|snapshot| snapshot::is_ahead(snapshot.time.timestamp(), now.timestamp()));
    let newest = whole.iter().map(|snapshot| snapshot.time.timestamp()).max();
    let mut judged: Vec<_> = checkpoints
        .into_iter()
        .map(|snapshot| {
            let stale = newest.is_some_and(|newest| newest >= snapshot.time.timestamp());
            let why = if stale { "checkpoint" } else { "checkpoint of a backup that goes on" };
            Judged { snapshot, keep: !stale, why: why.into() }
        })
        .collect();
    judged.extend(ahead.into_iter().map(|snapshot| Judged {
        snapshot,
        keep: true,
        why: "its time is yet to come".into(),
    }));
    let grouped = Grouped::from_items(whole, SnapshotGroupCriterion::new());
    let decided = ForgetGroups::from_grouped_snapshots_with_retention(grouped, options, now);
    let decided = decided.map_err(|error| crate::error::Error::other(super::guard::sentence(&error)))?;
    let mut whole: Vec<_> = decided.0.into_iter().flat_map(|group| group.items).collect();
    whole.sort_by(|a, b| {
        a.snapshot.time.cmp(&b.snapshot.time).then_with(|| a.snapshot.id.cmp(&b.snapshot.id))
    });
    let none = !whole.iter().any(|one| one.keep);
    let count = whole.len();
    for (n, one) in whole.into_iter().enumerate() {
        let saved = !last && none && n + 1 == count;
        let why = if saved { "the last one of its group".to_owned() } else { one.reasons.join(", ") };
        judged.push(Judged { snapshot: one.snapshot, keep: one.keep || saved, why });
    }
    judged.sort_by(|a, b| {
        a.snapshot.time.cmp(&b.snapshot.time).then_with(|| a.snapshot.id.cmp(&b.snapshot.id))
    });
    Ok(judged)
}

/// The rules in the library's words.
fn options(keep: &Keep) -> Result<KeepOptions> {
    let number = |n: Option<u32>| n.map(|n| i32::try_from(n).unwrap_or(i32::MAX));
    let mut options = KeepOptions::default();
    options.keep_last = number(keep.last);
    options.keep_hourly = number(keep.hourly);
    options.keep_daily = number(keep.daily);
    options.keep_weekly = number(keep.weekly);
    options.keep_monthly = number(keep.monthly);
    options.keep_yearly = number(keep.yearly);
    options.keep_within = keep
        .within
        .map(|within| Span::new().try_seconds(within.as_secs()))
        .transpose()
        .context(|| "keep-within is longer than a calendar".into())?;
    Ok(options)
}

/// The snapshots that are forgotten.
pub fn forgotten(groups: &[Group]) -> Vec<SnapshotId> {
    let judged = groups.iter().flat_map(|group| &group.snapshots);
    judged.filter(|one| !one.keep).map(|one| one.snapshot.id).collect()
}

impl Vault {
    /// Forgets what a profile's rules let go, waiting for whoever is at work in the vault. Returns how many snapshots of a
    /// whole went.
    ///
    /// # Errors
    /// The snapshots cannot be read or forgotten; or somebody wants to stop.
    pub fn keep(&self, keep: &Keep, scope: &Scope, now: Timestamp, meter: &Meter) -> Result<u64> {
        let plan = plan(self.snapshots()?, keep, scope, false, &now.to_zoned(TimeZone::system()))?;
        let ids = forgotten(&plan);
        patiently(meter, || self.forget(&ids))?;
        let whole = plan.iter().flat_map(|group| &group.snapshots);
        Ok(whole.filter(|one| !one.keep && !is_checkpoint(&one.snapshot)).count() as u64)
    }

    /// Forgets snapshots. What only they need stays until the next [`prune`](Vault::prune).
    ///
    /// # Errors
    /// Somebody is at work who must not be disturbed, or the store cannot be written.
    pub fn forget(&self, ids: &[SnapshotId]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let _lock = self.lock(Access::Exclusive)?;
        let repo = self.repository()?;
        self.call("cannot forget the snapshots", || repo.delete_snapshots(ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(id: u8, time: &str, host: &str, tag: Option<&str>) -> SnapshotFile {
        let mut snapshot: SnapshotFile = serde_json::from_value(serde_json::json!({
            "time": time, "tree": "00".repeat(32), "paths": ["/x"], "hostname": host,
            "tags": tag.into_iter().collect::<Vec<_>>(),
        }))
        .unwrap();
        snapshot.id = format!("{id:02x}{:0<62}", "").parse().unwrap();
        snapshot
    }

    fn kept(keep: &Keep, host: Option<&str>, last: bool) -> Vec<String> {
        let all = vec![
            snapshot(1, "2025-01-01T10:00:00Z", "old", None),
            snapshot(2, "2026-11-20T10:00:00Z", "nas", None),
            snapshot(3, "2026-11-20T12:00:00Z", "nas", None),
            snapshot(4, "2026-11-23T10:00:00Z", "nas", Some("checkpoint")),
            snapshot(5, "2026-11-23T12:00:00Z", "nas", None),
            snapshot(6, "2026-11-24T09:00:00Z", "nas", None),
            snapshot(7, "2026-11-24T10:00:00Z", "nas", Some("checkpoint")),
        ];
        let now: Zoned = "2026-11-24T12:00:00Z[UTC]".parse().unwrap();
        let scope = Scope { label: None, host: host.map(str::to_owned) };
        let groups = plan(all, keep, &scope, last, &now).unwrap();
        let judged = groups.iter().flat_map(|group| &group.snapshots).filter(|one| one.keep);
        judged.map(|one| format!("{} {}", &one.snapshot.id.to_string()[1..2], one.why)).collect()
    }

    #[test]
    fn a_clock_that_was_wrong_once_costs_no_snapshot() {
        let rules =
            Keep { last: Some(1), within: Some(jiff::SignedDuration::from_hours(24)), ..Keep::default() };
        let judged = |now: &str| {
            let all = vec![
                snapshot(1, "2026-11-20T10:00:00Z", "nas", None),
                snapshot(2, "2026-11-24T10:00:00Z", "nas", None),
                snapshot(3, "2026-11-24T11:00:00Z", "nas", Some("checkpoint")),
                snapshot(4, "2037-01-01T00:00:00Z", "nas", None),
            ];
            let groups = plan(all, &rules, &Scope::default(), false, &now.parse().unwrap()).unwrap();
            let kept = groups[0].snapshots.iter().filter(|one| one.keep);
            kept.map(|one| one.snapshot.id.to_string()[1..2].to_owned()).collect::<String>()
        };
        assert_eq!(judged("2026-11-24T12:00:00Z[UTC]"), "234");
        assert_eq!(judged("2037-01-01T00:00:00Z[UTC]"), "4");
        // A machine without a clock of its own, just started.
        assert_eq!(judged("1970-01-01T00:00:05Z[UTC]"), "1234");
    }

    #[test]
    fn rules_keep_what_they_say_and_never_nothing_of_a_group() {
        let keep = |last, daily, within| Keep { last, daily, within, ..Keep::default() };
        let day = jiff::SignedDuration::from_hours(24);
        let on = "7 checkpoint of a backup that goes on";
        let end = "the last one of its group";
        let cases = [
            (keep(Some(1), None, None), None, false, vec!["6 last", on, "1 last"]),
            (keep(None, Some(2), None), Some("nas"), false, vec!["5 daily", "6 daily", on]),
            (keep(None, None, Some(day)), Some("nas"), false, vec!["5 within 24h", "6 within 24h", on]),
            (keep(Some(0), None, None), Some("old"), true, vec![]),
        ];
        for (rules, host, last, expected) in cases {
            let found: Vec<_> = kept(&rules, host, last).iter().map(|line| line[..1].to_owned()).collect();
            let expected: Vec<_> = expected.iter().map(|line| line[..1].to_owned()).collect();
            assert_eq!(found, expected, "{rules:?} {:?}", kept(&rules, host, last));
        }
        assert_eq!(kept(&keep(Some(0), None, None), Some("old"), false), [format!("1 {end}")]);
        assert!(kept(&keep(Some(1), None, None), Some("nas"), false).contains(&on.to_owned()));
    }
}

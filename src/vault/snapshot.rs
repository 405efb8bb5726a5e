//! How people name snapshots: `latest`, `latest~1`, the beginning of an id, a date; and a path in one after a colon.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use rustic_core::repofile::{SnapshotFile, SnapshotId};

use super::save::CHECKPOINT;
use super::store::Id;
use crate::error::{Error, Kind, Result};
use crate::profile::quote;

/// Whose snapshots `latest` and dates are about; a vault may hold those of many machines and profiles.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The profile, which is their label.
    pub label: Option<String>,
    /// The machine.
    pub host: Option<String>,
}

impl Scope {
    /// Whether a snapshot is exactly of this profile and machine.
    pub fn has(&self, snapshot: &SnapshotFile) -> bool {
        self.label.as_ref().is_none_or(|label| *label == snapshot.label)
            && self.host.as_ref().is_none_or(|host| *host == snapshot.hostname)
    }

    /// The snapshots that are meant where none is named, oldest first: the profile's own of this machine; where there
    /// is none, the profile's of any machine (a new machine takes over); else all. Checkpoints count only where there
    /// is nothing else.
    pub fn of<'a>(&self, all: &'a [SnapshotFile]) -> Vec<&'a SnapshotFile> {
        let anywhere = Self { host: None, ..self.clone() };
        for scope in [self, &anywhere, &Self::default()] {
            for checkpoints in [false, true] {
                let fits = |snapshot: &&SnapshotFile| {
                    scope.has(snapshot) && (checkpoints || !is_checkpoint(snapshot))
                };
                let found: Vec<_> = all.iter().filter(fits).collect();
                if !found.is_empty() {
                    return found;
                }
            }
        }
        Vec::new()
    }
}

/// A snapshot that cannot be read.
#[derive(Debug)]
pub struct Lost {
    /// Its id.
    pub id: Id,
    /// Why.
    pub why: String,
    /// Whether it will never be: it is there, but not what was stored.
    pub damaged: bool,
}

/// What can be read of a vault's snapshots.
#[derive(Debug, Default)]
pub struct Readable {
    /// Oldest first.
    pub all: Vec<SnapshotFile>,
    /// Those that cannot.
    pub lost: Vec<Lost>,
}

impl Readable {
    /// The snapshot that `name` means. Where some cannot be read nobody knows which one is the latest: then it has to be
    /// named by its id.
    ///
    /// # Errors
    /// None is meant, or several (usage errors); or it cannot be read.
    pub fn choose(&self, name: &str, scope: &Scope, zone: &TimeZone) -> Result<&SnapshotFile> {
        let Some(first) = self.lost.first() else { return choose(&self.all, name, scope, zone) };
        let meant = |lost: &&Lost| is_id(name) && lost.id.to_string().starts_with(name);
        if let Some(lost) = self.lost.iter().find(meant) {
            return Err(Error::other(lost.to_string())
                .hint("name another one: `postkeep snapshots PROFILE` lists them"));
        }
        if !is_id(name) {
            return Err(Error::other(format!("it is not known which snapshot {} is: {first}", quote(name)))
                .hint(
                    "name it by the beginning of its id: `postkeep snapshots PROFILE` lists those that can be read",
                ));
        }
        choose(&self.all, name, scope, zone)
    }
}

impl Lost {
    /// Its id for the library.
    pub fn snapshot(&self) -> SnapshotId {
        SnapshotId::from(super::adapter::theirs(&self.id))
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the snapshot {} cannot be read: {}", self.id.short(), self.why)
    }
}

/// How far ahead of ours another machine's clock may be.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// Whether a snapshot's time is yet to come: a clock was wrong when it was made, or ours is behind.
pub(super) fn is_ahead(time: Timestamp, now: Timestamp) -> bool {
    time > now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX)
}

/// What is to be known where `latest` means a snapshot whose time is yet to come. As with restic it does: the newest is
/// the one with the last time.
pub fn ahead<'a>(snapshots: impl IntoIterator<Item = &'a SnapshotFile>, now: Timestamp) -> Option<String> {
    let last = snapshots.into_iter().max_by_key(|snapshot| snapshot.time.timestamp())?;
    is_ahead(last.time.timestamp(), now).then(|| {
        format!(
            "the time of snapshot {} is yet to come ({}), because a clock was or is wrong: until then it is the one that \
             `latest` means",
            short(last),
            last.time.strftime("%Y-%m-%d %H:%M")
        )
    })
}

/// Whether a snapshot is only a checkpoint.
pub fn is_checkpoint(snapshot: &SnapshotFile) -> bool {
    snapshot.tags.contains(CHECKPOINT)
}

/// The beginning of a snapshot's id, as it is shown.
pub fn short(snapshot: &SnapshotFile) -> String {
    snapshot.id.to_string()[..8].to_owned()
}

/// A whole id, 64 hexadecimal digits: the library's own ids show themselves shortened.
pub fn full(id: &rustic_core::Id) -> String {
    id.to_hex().to_string()
}

/// Splits `SNAPSHOT:PATH`. A time has colons too, but no path behind them.
pub fn split(text: &str) -> (&str, Option<&str>) {
    if let Some((snapshot, _)) = text.split_once(":/") {
        return (snapshot, Some(&text[snapshot.len() + 1..]));
    }
    match text.split_once(':') {
        Some((snapshot, path)) if snapshot.starts_with("latest") || is_id(snapshot) => (snapshot, Some(path)),
        _ => (text, None),
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The snapshot that `name` means. `all` are sorted by time, oldest first.
///
/// # Errors
/// None is meant, or several (usage errors).
pub fn choose<'a>(
    all: &'a [SnapshotFile],
    name: &str,
    scope: &Scope,
    zone: &TimeZone,
) -> Result<&'a SnapshotFile> {
    let unknown = |why: String| {
        let error = Error::new(Kind::Usage, why);
        Err(error.hint("`postkeep snapshots PROFILE` lists them").hint(
            "a snapshot is named by the beginning of its id, latest, latest~1, or a date such as 2026-11-24 or 2026-11-24T18:00",
        ))
    };
    if all.is_empty() {
        return Err(Error::other("the vault holds no snapshot yet"));
    }
    if let Some(back) = name.strip_prefix("latest") {
        let back = match back.strip_prefix('~').map(str::parse::<usize>) {
            None if back.is_empty() => 0,
            Some(Ok(back)) => back,
            _ => return unknown(format!("{} is no snapshot", quote(name))),
        };
        let meant = scope.of(all);
        return match meant.len().checked_sub(back + 1) {
            Some(at) => Ok(meant[at]),
            None if meant.len() == 1 => unknown("there is only one snapshot".into()),
            None => unknown(format!("there are only {} snapshots", meant.len())),
        };
    }
    if is_id(name) {
        let mut fits = all.iter().filter(|snapshot| full(&snapshot.id).starts_with(name));
        return match (fits.next(), fits.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => unknown(format!("no snapshot's id begins with {name}")),
            (Some(_), Some(_)) => unknown(format!("several snapshots' ids begin with {name}")),
        };
    }
    let Some(until) = moment(name, zone) else {
        return unknown(format!("{} is no snapshot", quote(name)));
    };
    let meant = scope.of(all);
    match meant.iter().rev().find(|snapshot| snapshot.time.timestamp() <= until.timestamp()) {
        Some(snapshot) => Ok(snapshot),
        None => unknown(format!("there is no snapshot as old as {name}")),
    }
}

/// The end of a day, or a time.
fn moment(text: &str, zone: &TimeZone) -> Option<Zoned> {
    let time = match text.parse::<Date>() {
        Ok(date) if !text.contains(':') => date.tomorrow().ok()?.to_datetime(jiff::civil::Time::midnight()),
        _ => text.parse::<DateTime>().ok()?,
    };
    time.to_zoned(zone.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(id: &str, time: &str, label: &str, host: &str, tag: &str) -> SnapshotFile {
        let mut snapshot: SnapshotFile = serde_json::from_value(serde_json::json!({
            "time": time, "tree": "00".repeat(32), "paths": ["/x"], "hostname": host, "label": label,
            "tags": if tag.is_empty() { vec![] } else { vec![tag] },
        }))
        .unwrap();
        snapshot.id = format!("{id:0<64}").parse().unwrap();
        snapshot
    }

    #[test]
    fn a_snapshot_is_found_by_what_people_call_it() {
        let all = [
            snapshot("aa1", "2026-11-20T12:00:00Z", "docs", "nas", ""),
            snapshot("ab2", "2026-11-21T12:00:00Z", "docs", "laptop", ""),
            snapshot("ac3", "2026-11-22T12:00:00Z", "docs", "nas", ""),
            snapshot("ad4", "2026-11-23T12:00:00Z", "mail", "nas", ""),
            snapshot("ae5", "2026-11-24T12:00:00Z", "docs", "nas", CHECKPOINT),
        ];
        let cases = [
            ("latest", "docs", "nas", Some("ac3")),
            ("latest~1", "docs", "nas", Some("aa1")),
            ("latest~2", "docs", "nas", None),
            ("latest", "docs", "new", Some("ac3")),
            ("latest~1", "docs", "new", Some("ab2")),
            ("latest", "other", "new", Some("ad4")),
            ("latest", "", "", Some("ad4")),
            ("latest~", "", "", None),
            ("latest~x", "", "", None),
            ("ae", "docs", "nas", Some("ae5")),
            ("a", "docs", "nas", None),
            ("f", "docs", "nas", None),
            ("", "docs", "nas", None),
            ("2026-11-21", "", "", Some("ab2")),
            ("2026-11-21", "docs", "nas", Some("aa1")),
            ("2026-11-21T11:59", "", "", Some("aa1")),
            ("2026-11-21T12:00:00", "", "", Some("ab2")),
            ("2026-11-19", "", "", None),
            ("yesterday", "", "", None),
        ];
        for (name, label, host, expected) in cases {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let scope = Scope { label: some(label), host: some(host) };
            let found = choose(&all, name, &scope, &TimeZone::UTC).map(|s| s.id.to_string()[..3].to_owned());
            assert_eq!(found.as_deref().ok(), expected, "{name} {label} {host}: {found:?}");
        }
        // As a report names it.
        let whole = full(&all[1].id);
        assert_eq!(
            (whole.len(), choose(&all, &whole, &Scope::default(), &TimeZone::UTC).unwrap().id),
            (64, all[1].id)
        );
        assert!(choose(&[], "latest", &Scope::default(), &TimeZone::UTC).is_err());
    }

    #[test]
    fn a_path_comes_after_a_colon() {
        for (text, snapshot, path) in [
            ("latest", "latest", None),
            ("latest:/home", "latest", Some("/home")),
            ("latest~2:docs", "latest~2", Some("docs")),
            ("ab12:/a:/b", "ab12", Some("/a:/b")),
            ("ab12:", "ab12", Some("")),
            ("2026-11-24T12:00", "2026-11-24T12:00", None),
            ("2026-11-24T12:00:/x", "2026-11-24T12:00", Some("/x")),
        ] {
            assert_eq!(split(text), (snapshot, path), "{text}");
        }
    }
}

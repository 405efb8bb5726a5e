//! From what is written to what is meant: defaults applied, paths absolute, nothing optional that has a value.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Value;

use super::file::{KindText, ProfileFile, ReportFile};
use super::inherit::Merged;
use super::paths::{Env, expand};
use super::value::{OneOrMany, PathText};
use super::wrong::Wrong;
use super::{
    ATTACH_LOG_MAX, FilterRules, Job, KEEP_VERSIONS, Level, Mode, Profile, ReportRules, SyncJob, show,
};

/// The keys that a profile cannot do without, with an example of each.
const REQUIRED: [(&str, &str); 4] = [
    ("kind", "kind = \"sync\""),
    ("source", "source = \"~/Documents\""),
    ("target", "target = \"/mnt/backup/Documents\""),
    ("mode", "mode = \"mirror\"    # or \"copy\": it deletes nothing"),
];

/// The required keys that are written nowhere.
pub(super) fn missing(values: &Merged) -> Vec<Wrong> {
    let absent = REQUIRED.iter().filter(|(key, _)| !values.contains_key([(*key).to_owned()].as_slice()));
    absent
        .map(|(key, example)| {
            Wrong::new(format!("the key \"{key}\" is missing")).hint(format!("add a line: {example}"))
        })
        .collect()
}

/// The profile that sound values make. None if a value is wrong or missing; that has been told where it was found.
pub(super) fn profile(name: &str, values: &Merged, base: &Path, env: &Env) -> Option<Profile> {
    let file = ProfileFile::deserialize(Value::Table(tree(values)?)).ok()?;
    let path = |text: Option<PathText>| -> Option<PathBuf> { expand(&text?.0, base, env).ok() };
    let KindText::Sync = file.kind?;
    let mode = file.mode?;
    let job = SyncJob {
        source: path(file.source)?,
        target: path(file.target)?,
        mode,
        filter: FilterRules {
            exclude: list(file.exclude, |pattern| pattern.0),
            exclude_if_present: list(file.exclude_if_present, |marker| marker.0),
            larger_than: file.exclude_larger_than.map(|size| size.0),
            smaller_than: file.exclude_smaller_than.map(|size| size.0),
            older_than: file.exclude_older_than.map(|length| length.0),
            newer_than: file.exclude_newer_than.map(|length| length.0),
        },
        one_file_system: file.one_file_system.unwrap_or(true),
        create_target: file.create_target.unwrap_or(true),
        keep_versions: match file.keep_versions {
            Some(keep) => keep.0,
            None => (mode == Mode::Mirror).then_some(KEEP_VERSIONS),
        },
        max_delete: file.max_delete.map(|limit| limit.0).unwrap_or_default(),
        allow_empty_source: file.allow_empty_source.unwrap_or(false),
        check_roots: file.check_roots.unwrap_or(true),
        flush: file.flush.unwrap_or(true),
    };
    let report = report(file.report.unwrap_or_default());
    let mut profile = Profile { name: name.into(), job: Job::Sync(job), report, fingerprint: String::new() };
    profile.fingerprint = show::fingerprint(&profile);
    Some(profile)
}

/// How runs are told where no profile says it, from the defaults that stand below all profiles.
pub(super) fn main_report(defaults: &Merged) -> ReportRules {
    let values = tree(defaults).and_then(|mut root| root.remove("report"));
    let file = values.and_then(|values| ReportFile::deserialize(values).ok());
    report(file.unwrap_or_default())
}

fn report(file: ReportFile) -> ReportRules {
    let usual = || vec![Level::Success, Level::Warning, Level::Failure, Level::Recovery];
    ReportRules {
        account: file.account,
        to: list(file.to, |address| address.0),
        from: file.from.map(|address| address.0),
        fallback: list(file.fallback, |way| way.0),
        webhook: file.webhook.map(|webhook| webhook.0),
        on: file.on.map_or_else(usual, |levels| levels.0),
        attach_log: file.attach_log.unwrap_or_default(),
        attach_log_max: file.attach_log_max.map_or(ATTACH_LOG_MAX, |size| size.0),
        time_zone: file.time_zone.map(|zone| zone.0),
    }
}

fn list<T, U>(items: Option<OneOrMany<T>>, inner: impl Fn(T) -> U) -> Vec<U> {
    items.map_or_else(Vec::new, |items| items.0.into_iter().map(inner).collect())
}

/// The values as the tables of one file; none if one of them is wrong.
fn tree(values: &Merged) -> Option<toml::Table> {
    let mut root = toml::Table::new();
    for (path, (value, _)) in values {
        let (key, tables) = path.split_last()?;
        let mut table = &mut root;
        for name in tables {
            let below = table.entry(name.clone()).or_insert_with(|| Value::Table(toml::Table::new()));
            table = below.as_table_mut()?;
        }
        table.insert(key.clone(), value.clone()?);
    }
    Some(root)
}

/// Values over the defaults below them.
pub(super) fn over(defaults: &Merged, values: &Merged) -> Merged {
    let mut merged = defaults.clone();
    merged.extend(values.iter().map(|(path, value)| (path.clone(), value.clone())));
    merged
}

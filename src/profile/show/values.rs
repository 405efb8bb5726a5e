//! The values of a profile by their keys, for programs: sizes in bytes, durations as `30d`, null where there is none.

use std::path::Path;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::{
    ArchiveJob, AttachLog, BackupJob, FilterRules, Job, Keeping, MaxDelete, OverdueAfter, Profile, Rhythm,
    SecretSource, SyncJob, Timing, Way, Webhook, units,
};
use crate::entry;

/// Stands for a command that prints a secret: somebody may have put the secret itself into it.
const HIDDEN: &str = "***";

/// All of them, in the order of the documentation.
pub(super) fn values(profile: &Profile) -> Vec<(&'static str, Value)> {
    let report = &profile.report;
    let timing = &profile.timing;
    let (lines, every) = match &timing.rhythm {
        Rhythm::None => (Vec::new(), None),
        Rhythm::Schedule(schedule) => (schedule.lines().collect(), None),
        Rhythm::Every(length) => (Vec::new(), Some(*length)),
    };
    let mut values = vec![("kind", json!(profile.job.kind()))];
    values.extend(match &profile.job {
        Job::Sync(job) => sync(job),
        Job::Backup(job) => backup(job),
        Job::Archive(job) => archive(job, timing),
    });
    values.extend([
        ("schedule", json!(lines)),
        ("every", json!(duration(every))),
        ("on-change", or_off(timing.on_change)),
        ("on-start", json!(timing.on_start)),
        ("time-zone", json!(timing.zone)),
        ("catch-up", json!(timing.catch_up)),
        ("jitter", or_off(timing.jitter)),
        ("grace", json!(duration(timing.grace))),
        (
            "overdue-after",
            match timing.overdue {
                OverdueAfter::DueAndGrace => Value::Null,
                OverdueAfter::Success(length) => json!(units::show_duration(length)),
                OverdueAfter::Never => json!(false),
            },
        ),
        ("retry.times", json!(timing.retry.map(|retry| retry.times))),
        ("retry.wait", json!(duration(timing.retry.map(|retry| retry.wait)))),
        ("only-if.online", json!(timing.only_if.online)),
        ("only-if.on-ac-power", json!(timing.only_if.on_ac_power)),
        ("only-if.mounted", timing.only_if.mounted.iter().map(|folder| path(folder)).collect()),
        ("timeout", or_off(timing.timeout)),
        ("run-before", json!(profile.hooks.before)),
        ("run-after", json!(profile.hooks.after)),
        ("run-failed", json!(profile.hooks.failed)),
        ("run-finally", json!(profile.hooks.finally)),
        ("ping", json!(profile.ping.as_ref().map(Webhook::host))),
        ("report.account", json!(report.account)),
        ("report.to", json!(report.to)),
        ("report.from", json!(report.from)),
        ("report.fallback", json!(report.fallback.iter().map(way).collect::<Vec<_>>())),
        ("report.webhook", json!(report.webhook.as_ref().map(Webhook::host))),
        ("report.on", json!(report.on)),
        (
            "report.attach-log",
            json!(match report.attach_log {
                AttachLog::Always => "always",
                AttachLog::OnFailure => "on-failure",
                AttachLog::Never => "never",
            }),
        ),
        ("report.attach-log-max", json!(report.attach_log_max)),
        ("report.time-zone", json!(report.time_zone)),
    ]);
    values
}

fn duration(length: Option<SignedDuration>) -> Option<String> {
    length.map(units::show_duration)
}

fn or_off(length: Option<SignedDuration>) -> Value {
    duration(length).map_or(json!(false), Value::String)
}

fn filter(filter: &FilterRules) -> [(&'static str, Value); 6] {
    [
        ("exclude", json!(filter.exclude)),
        ("exclude-if-present", json!(filter.exclude_if_present)),
        ("exclude-larger-than", json!(filter.larger_than)),
        ("exclude-smaller-than", json!(filter.smaller_than)),
        ("exclude-older-than", json!(duration(filter.older_than))),
        ("exclude-newer-than", json!(duration(filter.newer_than))),
    ]
}

fn sync(job: &SyncJob) -> Vec<(&'static str, Value)> {
    let mut values =
        vec![("source", path(&job.source)), ("target", path(&job.target)), ("mode", json!(job.mode))];
    values.extend(filter(&job.filter));
    values.extend([
        ("one-file-system", json!(job.one_file_system)),
        ("create-target", json!(job.create_target)),
        ("check-roots", json!(job.check_roots)),
        ("keep-versions", or_off(job.keep_versions)),
        ("max-delete", max_delete(job.max_delete)),
        ("allow-empty-source", json!(job.allow_empty_source)),
        ("flush", json!(job.flush)),
    ]);
    values
}

fn backup(job: &BackupJob) -> Vec<(&'static str, Value)> {
    let mut values = vec![("source", job.sources.iter().map(|source| path(source)).collect())];
    values.extend(vaults(&job.keeping));
    values.extend(filter(&job.filter));
    values.extend([
        ("one-file-system", json!(job.one_file_system)),
        ("allow-empty-source", json!(job.allow_empty_source)),
    ]);
    values.extend(kept(&job.keeping));
    values
}

fn archive(job: &ArchiveJob, timing: &Timing) -> Vec<(&'static str, Value)> {
    let mut values = vec![
        ("source", job.sources.iter().map(|source| json!(source.to_string())).collect()),
        ("folders", json!(job.folders)),
        ("labels", json!(job.labels)),
        ("gmail-query", json!(job.gmail_query)),
        ("on-mail", json!(timing.on_mail)),
        ("exclude-from", json!(job.only.from)),
        ("exclude-larger-than", json!(job.only.larger_than)),
        ("exclude-smaller-than", json!(job.only.smaller_than)),
        ("exclude-older-than", json!(duration(job.only.older_than))),
        ("exclude-newer-than", json!(duration(job.only.newer_than))),
    ];
    values.extend(vaults(&job.keeping));
    values.extend(kept(&job.keeping));
    values
}

fn vaults(keeping: &Keeping) -> [(&'static str, Value); 6] {
    let secret = |key: &str| match &keeping.password {
        SecretSource::Command(_) if key == "command" => json!(HIDDEN),
        SecretSource::File(file) if key == "file" => path(file),
        SecretSource::Env(name) if key == "env" => json!(name),
        SecretSource::Credential(name) if key == "credential" => json!(name),
        _ => Value::Null,
    };
    [
        ("vault", keeping.vaults.iter().map(|vault| json!(vault.to_string())).collect()),
        ("vault-password-command", secret("command")),
        ("vault-password-file", secret("file")),
        ("vault-password-env", secret("env")),
        ("vault-password-credential", secret("credential")),
        ("vault-keyring", json!(matches!(keeping.password, SecretSource::Keyring { .. }))),
    ]
}

fn kept(keeping: &Keeping) -> [(&'static str, Value); 9] {
    let keep = keeping.keep.clone().unwrap_or_default();
    [
        ("keep-last", json!(keep.last)),
        ("keep-hourly", json!(keep.hourly)),
        ("keep-daily", json!(keep.daily)),
        ("keep-weekly", json!(keep.weekly)),
        ("keep-monthly", json!(keep.monthly)),
        ("keep-yearly", json!(keep.yearly)),
        ("keep-within", json!(duration(keep.within))),
        ("checkpoint", json!(keeping.checkpoint)),
        ("compression", json!(keeping.compression)),
    ]
}

fn way(way: &Way) -> &str {
    match way {
        Way::Account(name) => name,
        Way::Webhook => "webhook",
        Way::ImapAppend => Way::IMAP_APPEND,
    }
}

fn path(path: &Path) -> Value {
    // A variable can bring bytes that are no UTF-8: they are escaped, and two paths never look the same.
    json!(entry::show(path.as_os_str().as_encoded_bytes()))
}

fn max_delete(limit: MaxDelete) -> Value {
    match limit {
        MaxDelete { percent: 100, entries: u64::MAX } => json!(false),
        MaxDelete { percent: 0, entries } => json!(entries),
        MaxDelete { percent, entries } => json!(format!("{percent}% or {entries}")),
    }
}

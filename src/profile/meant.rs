//! From what is written to what is meant: defaults applied, paths absolute, nothing optional that has a value.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Value;

use super::file::{AgentFile, GroupFile, KindText, ProfileFile, ReportFile};
use super::inherit::{self, Merged};
use super::paths::{Env, expand};
use super::value::{CronText, OneOrMany, PathText};
use super::{
    ATTACH_LOG_MAX, AgentRules, FilterRules, Group, Hooks, Job, KEEP_VERSIONS, Level, Mode, OnlyIf,
    OverdueAfter, Profile, ReportRules, Retry, Rhythm, Schedule, SyncJob, Timing, archive, backup, show,
    timing,
};

/// The profile that sound values make. None if a value is wrong or missing; that has been told where it was found.
pub(super) fn profile(name: &str, values: &Merged, base: &Path, env: &Env) -> Option<Profile> {
    let mut file = ProfileFile::deserialize(Value::Table(tree(values)?)).ok()?;
    let filter = filter(&mut file);
    let job = match file.kind? {
        KindText::Sync => Job::Sync(sync(&mut file, filter, base, env)?),
        KindText::Backup => Job::Backup(backup::job(name, &mut file, filter, base, env)?),
        KindText::Archive => Job::Archive(archive::job(name, &mut file, filter, base, env)?),
    };
    let rhythm = match (file.schedule, file.every) {
        // Both together are refused by the check; until then the lines count.
        // An empty list takes back what a default says.
        (Some(lines), None) if lines.0.is_empty() => Rhythm::None,
        (Some(lines), _) => Rhythm::Schedule(schedule(lines)),
        (None, Some(length)) => Rhythm::Every(length.0),
        (None, None) => Rhythm::None,
    };
    let on_change = file.on_change.and_then(|settle| settle.0);
    // What stands in a default is also for archives without a mailbox, and means nothing there.
    let on_mail = file.on_mail.unwrap_or(false) && !job.mailboxes().is_empty();
    let only_if = file.only_if.unwrap_or_default();
    let timing = Timing {
        rhythm: match rhythm {
            Rhythm::None if on_change.is_some() || on_mail => Rhythm::Every(timing::FULL_LOOK),
            rhythm => rhythm,
        },
        on_change,
        on_mail,
        on_start: file.on_start.unwrap_or(false),
        zone: file.time_zone.map(|zone| zone.0),
        catch_up: file.catch_up.unwrap_or_default(),
        jitter: file.jitter.and_then(|jitter| jitter.0),
        grace: file.grace.map(|grace| grace.0),
        overdue: match file.overdue_after {
            None => OverdueAfter::DueAndGrace,
            Some(length) => length.0.map_or(OverdueAfter::Never, OverdueAfter::Success),
        },
        retry: file.retry.map(|retry| Retry {
            times: retry.times.map_or(1, |times| times.0),
            wait: retry.wait.map_or(timing::RETRY_WAIT, |wait| wait.0),
        }),
        only_if: OnlyIf {
            online: only_if.online.unwrap_or(false),
            on_ac_power: only_if.on_ac_power.unwrap_or(false),
            mounted: list(only_if.mounted, |folder| folder.0)
                .iter()
                .map(|text| expand(text, base, env).ok())
                .collect::<Option<_>>()?,
        },
        timeout: file.timeout.map_or_else(|| Some(timing::timeout(&job)), |timeout| timeout.0),
        after: Vec::new(),
    };
    let mut failed = list(file.run_failed, |command| command.0);
    failed.extend(list(file.run_after_fail, |command| command.0));
    let hooks = Hooks {
        before: list(file.run_before, |command| command.0),
        after: list(file.run_after, |command| command.0),
        failed,
        finally: list(file.run_finally, |command| command.0),
    };
    let report = report(file.report.unwrap_or_default());
    let ping = file.ping.map(|ping| ping.0);
    let mut profile =
        Profile { name: name.into(), job, timing, hooks, ping, report, fingerprint: String::new() };
    profile.fingerprint = show::fingerprint(&profile);
    Some(profile)
}

fn sync(file: &mut ProfileFile, filter: FilterRules, base: &Path, env: &Env) -> Option<SyncJob> {
    let path = |text: PathText| -> Option<PathBuf> { expand(&text.0, base, env).ok() };
    let mode = file.mode?;
    Some(SyncJob {
        source: path(file.source.take()?.0.into_iter().next()?)?,
        target: path(file.target.take()?)?,
        mode,
        filter,
        one_file_system: file.one_file_system.unwrap_or(true),
        create_target: file.create_target.unwrap_or(true),
        keep_versions: match file.keep_versions.take() {
            Some(keep) => keep.0,
            None => (mode == Mode::Mirror).then_some(KEEP_VERSIONS),
        },
        max_delete: file.max_delete.take().map(|limit| limit.0).unwrap_or_default(),
        allow_empty_source: file.allow_empty_source.unwrap_or(false),
        check_roots: file.check_roots.unwrap_or(true),
        flush: file.flush.unwrap_or(true),
    })
}

fn filter(file: &mut ProfileFile) -> FilterRules {
    FilterRules {
        exclude: list(file.exclude.take(), |pattern| pattern.0),
        exclude_if_present: list(file.exclude_if_present.take(), |marker| marker.0),
        larger_than: file.exclude_larger_than.take().map(|size| size.0),
        smaller_than: file.exclude_smaller_than.take().map(|size| size.0),
        older_than: file.exclude_older_than.take().map(|length| length.0),
        newer_than: file.exclude_newer_than.take().map(|length| length.0),
    }
}

fn schedule(lines: OneOrMany<CronText>) -> Schedule {
    Schedule::of(lines.0.into_iter().map(|line| line.0).collect())
}

/// The table `[agent]`, of sound values.
pub(super) fn agent(file: AgentFile, base: &Path, env: &Env) -> AgentRules {
    let path = |text: Option<PathText>| -> Option<PathBuf> { expand(&text?.0, base, env).ok() };
    AgentRules {
        parallel: file.parallel.map_or(timing::PARALLEL, |number| number.0 as usize),
        prometheus_file: path(file.prometheus_file),
        status_file: path(file.status_file),
    }
}

/// A table `[groups.NAME]`, of sound values.
pub(super) fn group(file: GroupFile) -> Group {
    Group {
        profiles: file.profiles.map(|names| names.0).unwrap_or_default(),
        schedule: file.schedule.map(schedule),
    }
}

/// How runs are told where no profile says it, from the defaults that stand below all profiles.
pub(super) fn main_report(defaults: &Merged) -> ReportRules {
    let values = tree(defaults).and_then(|mut root| root.remove("report"));
    let file = values.and_then(|values| ReportFile::deserialize(values).ok());
    report(file.unwrap_or_default())
}

fn report(file: ReportFile) -> ReportRules {
    let mut usual = vec![Level::Warning, Level::Failure, Level::Recovery, Level::Overdue];
    // With a digest successes wait for it.
    if file.digest.is_none() {
        usual.insert(0, Level::Success);
    }
    ReportRules {
        account: file.account,
        to: list(file.to, |address| address.0),
        from: file.from.map(|address| address.0),
        fallback: list(file.fallback, |way| way.0),
        webhook: file.webhook.map(|webhook| webhook.0),
        digest: file.digest.map(|line| Schedule::of(vec![line.0])),
        on: file.on.map_or(usual, |levels| levels.0),
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
    inherit::one_way(&mut merged, |path| values.contains_key(path));
    merged.extend(values.iter().map(|(path, value)| (path.clone(), value.clone())));
    merged
}

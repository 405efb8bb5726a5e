//! Profiles against each other and against what is on the disk. The disk is asked through a closure, so that this
//! is as pure as the rest.

mod archive;
mod backup;
mod sync;
#[cfg(test)]
mod tests;
mod vault;

use std::path::{Path, PathBuf};

use ignore::gitignore::GitignoreBuilder;
use jiff::SignedDuration;

use super::inherit::Origins;
use super::load::{Loaded, PROFILES, sort};
use super::problem::{Problem, Severity, show_file};
use super::wrong::Wrong;
use super::{
    Account, Config, FilterRules, Job, Level, OverdueAfter, Profile, ReportRules, Rhythm, Timing, Way,
};

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    Missing,
    /// A folder; its path without symbolic links.
    Folder(PathBuf),
    /// Something that is no folder; its path without symbolic links.
    Other(PathBuf),
    /// It cannot be told.
    Unknown,
}

/// The machine, as far as a check looks at it.
struct Disk<'a> {
    look: &'a dyn Fn(&Path) -> Seen,
    /// Folders of postkeep's own, and those of the accounts: what each is, and its path without links.
    own: Vec<(String, PathBuf)>,
}

/// Finds what is wrong between profiles, and with what they name. `state` is the state folder, `look` says what is
/// at an absolute path. The problems are to be added to those of `loaded`.
pub fn check(loaded: &Loaded, state: &Path, look: &dyn Fn(&Path) -> Seen) -> Vec<Problem> {
    let mut problems = Vec::new();
    let config = &loaded.config;
    let mut own =
        vec![("configuration".into(), real(&config.dir, look)), ("state".into(), real(state, look))];
    own.extend(config.accounts.iter().filter_map(|(name, account)| {
        let Account::Maildir(path) = account else { return None };
        Some((format!("\"{name}\" account's"), real(path, look)))
    }));
    let disk = Disk { look, own };
    let mut targets = sync::Targets::new();
    let mut vaults = vault::Vaults::new();
    let no_origins = Origins::new();
    let origins = |profile: &Profile| loaded.origins.get(&profile.name).unwrap_or(&no_origins);
    for profile in &config.profiles {
        let mut told = Told { profile, origins: origins(profile), problems: &mut problems };
        match &profile.job {
            Job::Sync(job) => {
                let target = sync::check(job, &disk, &mut told);
                targets.entry(target).or_default().push((profile, job.target.clone()));
            }
            Job::Backup(job) => {
                backup::check(job, config, &disk, &mut told);
                vaults.extend(vault::folders(profile, &job.keeping, &disk));
            }
            Job::Archive(job) => {
                archive::check(job, config, &disk, &mut told);
                vaults.extend(vault::folders(profile, &job.keeping, &disk));
            }
        }
        if let Some(filter) = profile.job.filter() {
            nothing_left(filter, &mut told);
        }
        timing(&profile.timing, &mut told);
        silent(&profile.report, &mut told);
        carried(&profile.report, config, &mut told);
    }
    let mut tell = |profile, key: &str, wrong, other: &Profile| {
        let mut told = Told { profile, origins: origins(profile), problems: &mut problems };
        told.add(Severity::Error, key, wrong, Some(&other.name));
    };
    sync::between(&targets, &mut tell);
    vault::between(&vaults, &targets, &mut tell);
    sort(&mut problems);
    problems
}

/// How a problem between two profiles is told: of the first one's key, with the second.
type Tell<'t, 'p> = &'t mut dyn FnMut(&'p Profile, &str, Wrong, &Profile);

/// Where a profile's problems go.
struct Told<'a> {
    profile: &'a Profile,
    origins: &'a Origins,
    problems: &'a mut Vec<Problem>,
}

impl Told<'_> {
    fn error(&mut self, key: &str, wrong: Wrong) {
        self.add(Severity::Error, key, wrong, None);
    }

    fn warning(&mut self, key: &str, wrong: Wrong) {
        self.add(Severity::Warning, key, wrong, None);
    }

    /// Tells of a problem with the value of `key`, which concerns this profile and perhaps another.
    fn add(&mut self, severity: Severity, key: &str, wrong: Wrong, other: Option<&str>) {
        let name = &self.profile.name;
        let problem = match self.origins.get(key) {
            Some(origin) => Problem::at(origin.file.clone(), origin.place.clone(), wrong),
            None => Problem::of_file(Path::new(PROFILES).join(format!("{name}.toml")), wrong),
        };
        let mut profiles = vec![name.clone()];
        profiles.extend(other.map(str::to_owned));
        self.problems.push(Problem { severity, profiles: Some(profiles), ..problem });
    }
}

/// The path without symbolic links, as far as it exists.
fn real(path: &Path, look: &dyn Fn(&Path) -> Seen) -> PathBuf {
    for above in path.ancestors() {
        if let Seen::Folder(real) | Seen::Other(real) = look(above) {
            let rest = path.strip_prefix(above).unwrap_or(Path::new(""));
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.into()
}

/// The shortest time between two runs: the agent looks at the clock once a minute.
const SHORTEST: SignedDuration = SignedDuration::from_mins(1);

fn timing(timing: &Timing, told: &mut Told) {
    if told.origins.contains_key("schedule") && told.origins.contains_key("every") {
        let wrong = Wrong::new("schedule and every are two ways to say when it runs");
        told.error("every", wrong.hint("leave one of them out"));
    }
    if matches!(timing.rhythm, Rhythm::Every(length) if length < SHORTEST) {
        let wrong = Wrong::new("every is less than a minute");
        told.error(
            "every",
            wrong.hint("every = \"1m\" is the least; for what is to be at once: on-change = true"),
        );
    }
    if !timing.is_automatic() && timing.overdue == OverdueAfter::DueAndGrace {
        let idle = [
            "jitter",
            "grace",
            "catch-up",
            "time-zone",
            "only-if.online",
            "only-if.on-ac-power",
            "only-if.mounted",
        ];
        if let Some(key) = idle.into_iter().find(|key| told.origins.contains_key(*key)) {
            let wrong = Wrong::new(format!("{key} says nothing about a profile that only runs by hand"));
            told.warning(key, wrong.hint("add a schedule, such as schedule = \"@daily\""));
        }
    }
}

/// A profile whose failures nobody would hear of.
fn silent(report: &ReportRules, told: &mut Told) {
    if !report.on.contains(&Level::Failure) {
        let wrong = Wrong::new("a failed run would be mailed to nobody: \"on\" lacks \"failure\"");
        told.warning("report.on", wrong.hint("add \"failure\", or look at `postkeep status` often"));
    }
}

/// A report that has no reader, and ways for it that lead nowhere.
fn carried(report: &ReportRules, config: &Config, told: &mut Told) {
    let account = report.account.as_ref().and_then(|name| config.accounts.get(name));
    if matches!(account, Some(Account::Smtp(_) | Account::Sendmail(_))) && report.to.is_empty() {
        let wrong = Wrong::new("the report is to be mailed, but to nobody");
        told.error("report.account", wrong.hint("add a reader: to = [\"me@example.org\"] under [report]"));
    }
    if let Some(account @ (Account::Smtp(_) | Account::Sendmail(_))) = account
        && report.from.is_none()
        && account.own_address().is_none()
    {
        let wrong = Wrong::new("the report would come from postkeep@HOST, which many mail servers refuse");
        told.warning("report.account", wrong.hint("add a sender: from = \"me@example.org\" under [report]"));
    }
    for way in &report.fallback {
        match way {
            Way::Account(name) if report.account.as_ref() == Some(name) => {
                let wrong = Wrong::new(format!("the account \"{name}\" cannot stand in for itself"));
                told.error("report.fallback", wrong.hint("name another account"));
            }
            Way::Webhook if report.webhook.is_none() => {
                let wrong = Wrong::new("fallback names the webhook, but there is none");
                told.error("report.fallback", wrong.hint("add webhook = \"https://...\" under [report]"));
            }
            Way::ImapAppend => {
                if let Some(wrong) = no_mailbox(report, config) {
                    told.error("report.fallback", wrong);
                }
            }
            Way::Account(_) | Way::Webhook => {}
        }
    }
}

/// Why no letter can be put into the mailbox of the report's account.
fn no_mailbox(report: &ReportRules, config: &Config) -> Option<Wrong> {
    let word = Way::IMAP_APPEND;
    match &report.account {
        None => Some(
            Wrong::new(format!("fallback names \"{word}\", but the reports go to no account with a mailbox"))
                .hint("leave it out, or name the account under [report]"),
        ),
        Some(name) if !config.mailboxes.contains_key(name) => Some(
            Wrong::new(format!("fallback names \"{word}\", but the account \"{name}\" has no mailbox")).hint(
                format!("name its server under [accounts.{name}]: imap = {{ host = \"imap.example.org\" }}"),
            ),
        ),
        Some(_) => None,
    }
}

fn nothing_left(filter: &FilterRules, told: &mut Told) {
    let all = |pattern: &String| matches!(pattern.trim_end(), "*" | "/*" | "**" | "/**" | "**/*");
    let last = filter.exclude.iter().rposition(all);
    let taken_back = |from: usize| filter.exclude[from..].iter().any(|pattern| pattern.starts_with('!'));
    let hint = "nothing would be copied";
    if let Some(at) = last.filter(|at| !taken_back(*at)) {
        let wrong =
            Wrong::new(format!("the pattern \"{}\" leaves out everything", filter.exclude[at].trim_end()));
        told.warning("exclude", wrong.hint(hint));
    }
    if matches!((filter.smaller_than, filter.larger_than), (Some(smaller), Some(larger)) if smaller > larger)
    {
        let wrong =
            "exclude-smaller-than is more than exclude-larger-than, so files of every size are left out";
        told.warning("exclude-smaller-than", Wrong::new(wrong).hint(hint));
    }
    if matches!((filter.newer_than, filter.older_than), (Some(newer), Some(older)) if newer >= older) {
        let wrong =
            "exclude-newer-than is not less than exclude-older-than, so files of every age are left out";
        told.warning("exclude-newer-than", Wrong::new(wrong).hint(hint));
    }
}

/// Whether the patterns leave out what is `below` a source.
fn is_excluded(filter: &FilterRules, below: &Path, folder: bool) -> bool {
    let patterns = || {
        let mut builder = GitignoreBuilder::new("");
        for pattern in &filter.exclude {
            builder.add_line(None, pattern).ok()?;
        }
        builder.build().ok()
    };
    patterns().is_some_and(|patterns| patterns.matched_path_or_any_parents(below, folder).is_ignore())
}

/// The hint that leaves out what is `below` a source.
fn exclude(below: &Path) -> String {
    format!("exclude = {}", toml::Value::String(format!("/{}", show_file(below))))
}

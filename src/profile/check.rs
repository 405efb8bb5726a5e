//! Profiles against each other and against what is on the disk. The disk is asked through a closure, so that this
//! is as pure as the rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use jiff::SignedDuration;

use super::inherit::Origins;
use super::load::{Loaded, PROFILES, sort};
use super::problem::{Problem, Severity, show_file};
use super::wrong::Wrong;
use super::{
    Account, FilterRules, Job, Level, Mode, OverdueAfter, Profile, ReportRules, Rhythm, SyncJob, Timing, Way,
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

/// Finds what is wrong between profiles, and with what they name. `state` is the state folder, `look` says what is
/// at an absolute path. The problems are to be added to those of `loaded`.
pub fn check(loaded: &Loaded, state: &Path, look: &dyn Fn(&Path) -> Seen) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut own =
        vec![("configuration".into(), real(&loaded.config.dir, look)), ("state".into(), real(state, look))];
    own.extend(loaded.config.accounts.iter().filter_map(|(name, account)| {
        let Account::Maildir(path) = account else { return None };
        Some((format!("\"{name}\" account's"), real(path, look)))
    }));
    let mut targets: BTreeMap<PathBuf, Vec<(&Profile, PathBuf)>> = BTreeMap::new();
    let no_origins = Origins::new();
    for profile in &loaded.config.profiles {
        let Job::Sync(job) = &profile.job;
        let origins = loaded.origins.get(&profile.name).unwrap_or(&no_origins);
        let mut told = Told { profile, origins, problems: &mut problems };
        let source = real(&job.source, look);
        let target = real(&job.target, look);
        there(job, look, &mut told);
        within(job, &source, &target, &mut told);
        ours(job, &target, &own, &mut told);
        nothing_left(&job.filter, &mut told);
        timing(&profile.timing, &mut told);
        silent(&profile.report, &mut told);
        carried(&profile.report, &loaded.config.accounts, &mut told);
        targets.entry(target).or_default().push((profile, job.target.clone()));
    }
    for (target, writers) in &targets {
        // The first of several writers of one target is as good as the others: each hears of one it collides with.
        let above = target.ancestors().skip(1).find_map(|folder| Some((folder, targets.get(folder)?)));
        for (index, (profile, written)) in writers.iter().enumerate() {
            let origins = loaded.origins.get(&profile.name).unwrap_or(&no_origins);
            let other = match (index, above) {
                (1.., _) => Some((writers[0].0, "is written by the profile")),
                (0, Some((_, others))) => Some((others[0].0, "lies in the target of the profile")),
                (0, None) => None,
            };
            let Some((other, how)) = other else { continue };
            let wrong = Wrong::new(format!("the target {} {how} \"{}\" too", show_file(written), other.name))
                .hint("give each profile a target folder of its own: a mirror deletes what others put there");
            let mut told = Told { profile, origins, problems: &mut problems };
            told.add(Severity::Error, "target", wrong, Some(&other.name));
        }
    }
    sort(&mut problems);
    problems
}

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

fn there(job: &SyncJob, look: &dyn Fn(&Path) -> Seen, told: &mut Told) {
    let shown = show_file(&job.source);
    match look(&job.source) {
        Seen::Missing => told.warning("source", Wrong::new(format!("the source {shown} does not exist now"))),
        Seen::Other(_) => told.warning("source", Wrong::new(format!("the source {shown} is not a folder"))),
        Seen::Folder(_) | Seen::Unknown => {}
    }
    let shown = show_file(&job.target);
    let parent = job.target.parent().map(look);
    match look(&job.target) {
        Seen::Other(_) => told.warning("target", Wrong::new(format!("the target {shown} is not a folder"))),
        Seen::Missing if parent == Some(Seen::Missing) => {
            let wrong = Wrong::new(format!(
                "neither the target {shown} nor the folder that it would be made in exists now"
            ));
            told.warning("target", wrong.hint("is its disk mounted?"));
        }
        Seen::Missing if !job.create_target => {
            let wrong = Wrong::new(format!("the target {shown} does not exist now"));
            told.warning("target", wrong.hint("is its disk mounted? (create-target is false)"));
        }
        Seen::Missing | Seen::Folder(_) | Seen::Unknown => {}
    }
}

fn within(job: &SyncJob, source: &Path, target: &Path, told: &mut Told) {
    if source == target {
        let wrong = Wrong::new(format!("source and target are the same folder, {}", show_file(source)));
        told.error("target", wrong);
    } else if let Ok(below) = target.strip_prefix(source) {
        let excluded = patterns(&job.filter)
            .is_some_and(|patterns| patterns.matched_path_or_any_parents(below, true).is_ignore());
        if !excluded {
            let pattern = format!("/{}", show_file(below));
            let wrong = Wrong::new(format!("the target {} lies inside the source", show_file(&job.target)))
                .hint(format!(
                    "choose another target, or leave it out: exclude = {}",
                    toml::Value::String(pattern)
                ));
            told.error("target", wrong);
        }
    } else if source.starts_with(target) {
        let wrong = Wrong::new(format!("the source {} lies inside the target", show_file(&job.source)))
            .hint("choose a target of its own, such as a new folder in it");
        told.error("target", wrong);
    }
}

/// Nothing may be written into our own folders, and no mirror may delete them.
fn ours(job: &SyncJob, target: &Path, own: &[(String, PathBuf)], told: &mut Told) {
    for (name, folder) in own {
        let shown = show_file(folder);
        if target.starts_with(folder) {
            let wrong = Wrong::new(format!("the target lies inside postkeep's {name} folder, {shown}"));
            told.error("target", wrong.hint("choose another target"));
        } else if folder.starts_with(target) && job.mode == Mode::Mirror {
            let wrong =
                Wrong::new(format!("postkeep's {name} folder, {shown}, lies inside the target of a mirror"));
            told.error("target", wrong.hint("a mirror would delete it; choose another target"));
        }
    }
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
fn carried(report: &ReportRules, accounts: &BTreeMap<String, Account>, told: &mut Told) {
    let account = report.account.as_ref().and_then(|name| accounts.get(name));
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
            Way::Account(_) | Way::Webhook => {}
        }
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

fn patterns(filter: &FilterRules) -> Option<Gitignore> {
    let mut builder = GitignoreBuilder::new("");
    for pattern in &filter.exclude {
        builder.add_line(None, pattern).ok()?;
    }
    builder.build().ok()
}

#[cfg(test)]
mod tests {
    use super::super::load::tests::files;
    use super::*;

    /// What the check says about a `[report]` table, with three accounts beside it.
    fn of_report(report: &str) -> String {
        let main = "[accounts.mail]\npreset = 'gmail'\nuser = 'me@gmail.com'\npassword-env = 'X'\n\
                    [accounts.relay]\nsmtp = { host = 'localhost', port = 25 }\n[accounts.local]\nmaildir = '/m'\n";
        let main = format!("{main}[report]\n{report}\n");
        let profile = "kind = 'sync'\nsource = '/data'\ntarget = '/mnt'\nmode = 'copy'\n";
        let loaded = files(&[("postkeep.toml", &main), ("a", profile)]);
        let mut problems = loaded.problems.clone();
        problems.extend(check(&loaded, Path::new("/state"), &|path| Seen::Folder(path.to_owned())));
        problems.iter().map(|problem| format!("{:?} {}", problem.severity, problem.message)).collect()
    }

    #[test]
    fn a_report_has_a_reader_a_sender_and_ways_that_lead_somewhere() {
        for (report, said) in [
            ("account = 'mail'", ""),
            ("account = 'mail'\nfallback = ['local', 'webhook']\nwebhook = 'https://x.example/'", ""),
            ("account = 'local'", ""),
            ("account = 'relay'\nto = 'a@example.org'\nfrom = 'b@example.org'", ""),
            ("account = 'relay'\nto = 'a@example.org'", "Warning the report would come from postkeep@HOST"),
            ("account = 'relay'\nfrom = 'b@example.org'", "Error the report is to be mailed, but to nobody"),
            ("account = 'mail'\nfallback = 'mail'", "Error the account \"mail\" cannot stand in for itself"),
            ("account = 'mail'\nfallback = 'webhook'", "Error fallback names the webhook, but there is none"),
            ("account = 'mail'\nfallback = 'othr'", "Error there is no account \"othr\""),
            ("account = 'mail'\nfallback = 'imap-append'", "Error \"imap-append\" is not there yet"),
            (
                "account = 'mail'\nwebhook = 'http://x.example/'",
                "Error to another machine this goes only over https",
            ),
        ] {
            let found = of_report(report);
            assert!(found.starts_with(said) && found.is_empty() == said.is_empty(), "{report}: {found}");
        }
    }

    #[test]
    fn when_it_runs_is_said_once_and_only_where_it_matters() {
        let sides = "source = '/data'\ntarget = '/mnt'\n";
        for (keys, said) in [
            ("schedule = '@daily'\ngrace = '1h'", ""),
            ("on-change = true", ""),
            ("schedule = '@daily'\nevery = '1h'", "two ways to say when it runs"),
            ("every = '10s'", "less than a minute"),
            ("grace = '1h'", "grace says nothing about a profile that only runs by hand"),
            ("only-if = { online = true }", "only-if.online says nothing"),
        ] {
            let found = found(&format!("{sides}{keys}\n"));
            assert!(found.contains(said) && found.is_empty() == said.is_empty(), "{keys}: {found}");
        }
    }

    /// The problems that the check finds where these folders exist; `/link` is another name of `/data`, `/file` is a
    /// file. `text` is one profile's keys beside kind; several profiles are parted by `---`.
    fn found(text: &str) -> String {
        let texts: Vec<_> =
            text.split("---").map(|text| format!("kind = 'sync'\nmode = 'mirror'\n{text}")).collect();
        let names = ["a", "b", "c"];
        let loaded =
            files(&names.iter().zip(&texts).map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>());
        assert_eq!(loaded.problems, []);
        let look = |path: &Path| {
            let path = match path.strip_prefix("/link") {
                Ok(rest) if rest.as_os_str().is_empty() => "/data".into(),
                Ok(rest) => Path::new("/data").join(rest),
                Err(_) => path.to_owned(),
            };
            match path.to_str() {
                Some("/" | "/data" | "/data/deep" | "/mnt" | "/state" | "/etc" | "/etc/postkeep") => {
                    Seen::Folder(path)
                }
                Some("/file") => Seen::Other(path),
                Some("/secret") => Seen::Unknown,
                _ => Seen::Missing,
            }
        };
        let problems = check(&loaded, Path::new("/state"), &look);
        let lines = problems.iter().map(|problem| {
            let place = problem.place.as_ref().map_or(0, |place| place.line);
            let concerned = problem.profiles.clone().unwrap_or_default().join("+");
            format!("{concerned}:{place} {:?} {}", problem.severity, problem.message)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn sound_profiles_have_no_problems() {
        for text in [
            "source = '/data'\ntarget = '/mnt/data'",
            "source = '/data'\ntarget = '/mnt'\ncreate-target = false",
            "source = '/data'\ntarget = '/database'",
            "source = '/secret'\ntarget = '/mnt/x'",
            "source = '/data'\ntarget = '/mnt/a'\n---\nsource = '/data'\ntarget = '/mnt/ab'",
            "source = '/data'\ntarget = '/data/backup'\nexclude = '/backup'",
            "source = '/data'\ntarget = '/data/deep/er'\nexclude = 'deep/'",
            "source = '/data'\ntarget = '/mnt'\nexclude = ['*', '!*.jpg']",
        ] {
            assert_eq!(found(text), "", "{text}");
        }
    }

    #[test]
    fn what_cannot_go_well_is_told_with_its_place() {
        for (text, problem) in [
            ("source = '/data'\ntarget = '/data'", "a:4 Error source and target are the same folder, /data"),
            ("source = '/data'\ntarget = '/link'", "a:4 Error source and target are the same folder, /data"),
            (
                "source = '/data'\ntarget = '/data/new'",
                "a:4 Error the target /data/new lies inside the source",
            ),
            (
                "source = '/data'\ntarget = '/link/new'",
                "a:4 Error the target /link/new lies inside the source",
            ),
            (
                "source = '/data'\ntarget = '/data/backup'\nexclude = ['/backup', '!/backup']",
                "a:4 Error the target /data/backup lies inside the source",
            ),
            (
                "source = '/data/deep'\ntarget = '/link'",
                "a:4 Error the source /data/deep lies inside the target",
            ),
            (
                "source = '/data'\ntarget = '/state'",
                "a:4 Error the target lies inside postkeep's state folder, /state",
            ),
            (
                "source = '/data'\ntarget = '/etc/postkeep/x'",
                "a:4 Error the target lies inside postkeep's configuration folder, /etc/postkeep",
            ),
            (
                "source = '/data'\ntarget = '/etc'",
                "a:4 Error postkeep's configuration folder, /etc/postkeep, lies inside the target of a mirror",
            ),
            ("source = '/none'\ntarget = '/mnt'", "a:3 Warning the source /none does not exist now"),
            ("source = '/file'\ntarget = '/mnt'", "a:3 Warning the source /file is not a folder"),
            ("source = '/data'\ntarget = '/file'", "a:4 Warning the target /file is not a folder"),
            (
                "source = '/data'\ntarget = '/usb/x'",
                "a:4 Warning neither the target /usb/x nor the folder that it would be made in exists now",
            ),
            (
                "source = '/data'\ntarget = '/mnt/x'\ncreate-target = false",
                "a:4 Warning the target /mnt/x does not exist now",
            ),
            (
                "source = '/data'\ntarget = '/mnt'\nexclude = ['!x', '**']",
                "a:5 Warning the pattern \"**\" leaves out everything",
            ),
            (
                "source = '/data'\ntarget = '/mnt'\nexclude-smaller-than = 2\nexclude-larger-than = 1",
                "a:5 Warning exclude-smaller-than is more than exclude-larger-than, so files of every size are left out",
            ),
            (
                "source = '/data'\ntarget = '/mnt'\nexclude-newer-than = '2d'\nexclude-older-than = '1d'",
                "a:5 Warning exclude-newer-than is not less than exclude-older-than, so files of every age are left out",
            ),
            (
                "source = '/data'\ntarget = '/mnt/x'\n---\nsource = '/data'\ntarget = '/mnt/./x/'",
                "b+a:5 Error the target /mnt/x is written by the profile \"a\" too",
            ),
            (
                "source = '/data'\ntarget = '/mnt/x'\n---\nsource = '/data'\ntarget = '/mnt'",
                "a+b:4 Error the target /mnt/x lies in the target of the profile \"b\" too",
            ),
        ] {
            assert_eq!(found(text), problem, "{text}");
        }
    }
}

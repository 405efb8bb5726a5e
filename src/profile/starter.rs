//! The files that `postkeep init` writes: complete, commented, and made of the answers alone.

use toml::Value;

use super::{Mode, Preset};

/// What a first profile is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The profile's name.
    pub name: String,
    /// The source as it is to be written: `~` stays.
    pub source: String,
    /// The target as it is to be written.
    pub target: String,
    /// Mirror or copy.
    pub mode: Mode,
    /// When it runs by itself.
    pub when: When,
    /// What carries the reports.
    pub carrier: Carrier,
}

/// When a first profile runs by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Never.
    ByHand,
    /// At the times of this cron line.
    Schedule(String),
    /// Each time so much later.
    Every(String),
}

/// What carries the reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrier {
    /// The Maildir in the state folder.
    Embedded,
    /// Another Maildir, as it is to be written.
    Maildir(String),
    /// A mail server.
    Mail(MailAnswers),
}

/// What a first mail account is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAnswers {
    /// The provider; none: `server` is to be used.
    pub preset: Option<Preset>,
    /// Host and port.
    pub server: Option<(String, u16)>,
    /// The address: user and reader.
    pub address: String,
    /// Key and value of the secret: `password-file`, `~/x`.
    pub secret: (&'static str, String),
}

/// The name of the account that [`Answers::main_file`] writes for a mail server.
pub const MAIL_ACCOUNT: &str = "mail";

impl MailAnswers {
    fn account(&self) -> String {
        let place = match (&self.preset, &self.server) {
            (Some(preset), _) => format!("preset = \"{}\"\n", preset.word()),
            (None, Some((host, port))) => format!("smtp = {{ host = {}, port = {port} }}\n", string(host)),
            (None, None) => String::new(),
        };
        let (key, value) = &self.secret;
        format!(
            "[accounts.{MAIL_ACCOUNT}]\n{place}user = {}\n{key} = {}\n",
            string(&self.address),
            string(value)
        )
    }
}

impl Answers {
    /// The text of `postkeep.toml`.
    pub fn main_file(&self) -> String {
        let (account, report) = match &self.carrier {
            Carrier::Maildir(folder) => (
                format!("[accounts.reports]\nmaildir = {}\n", string(folder)),
                "account = \"reports\"\n".to_owned(),
            ),
            Carrier::Mail(mail) => (
                mail.account(),
                format!("account = \"{MAIL_ACCOUNT}\"\nto = [{}]\n", string(&mail.address)),
            ),
            Carrier::Embedded => (
                "#[accounts.reports]\n#maildir = \"~/Mail/reports\"\n".to_owned(),
                "# Without an account, reports go to a Maildir in the state folder.\n#account = \"reports\"\n".to_owned(),
            ),
        };
        let defaults = MAIN_DEFAULTS.replace("PROFILE", &self.name);
        format!("{MAIN_TOP}\n{account}{MAIN_ACCOUNTS}\n[report]\n{report}{REPORT}\n{defaults}")
    }

    /// The text of `profiles/NAME.toml`.
    pub fn profile_file(&self) -> String {
        let (mode, other) = match self.mode {
            Mode::Mirror => ("mirror", "copy"),
            Mode::Copy => ("copy", "mirror"),
        };
        let name = &self.name;
        let (source, target) = (string(&self.source), string(&self.target));
        let example = ("#schedule = \"30 12 * * *\"", "#every = \"6h\"");
        let timing = match &self.when {
            When::ByHand => PROFILE_TIMING.to_owned(),
            When::Schedule(line) => {
                PROFILE_TIMING.replace(example.0, &format!("schedule = {}", string(line)))
            }
            When::Every(length) => PROFILE_TIMING.replace(example.1, &format!("every = {}", string(length))),
        };
        format!(
            "# postkeep profile \"{name}\". docs/profiles.md explains every key.
# A line that begins with # and no space is an example: take the # away to use it.

kind = \"sync\"
#description = \"What this is for\"

# Values that several profiles share can stand in profiles/_base.toml.
#inherit = \"_base\"

# From here to there. ~ and $VARIABLES are known.
source = {source}
target = {target}

# mirror: the target becomes equal to the source, and what the source no longer has is deleted there.
# copy: new and changed files are copied, nothing is deleted.
mode = \"{mode}\"
#mode = \"{other}\"
{timing}{PROFILE_REST}
# How this profile's runs are told, where it differs from postkeep.toml.
#[report]
#account = \"reports\"
{REPORT}"
        )
    }
}

/// A string as TOML, whatever is in it.
fn string(text: &str) -> String {
    Value::String(text.into()).to_string()
}

const MAIN_TOP: &str = "\
# postkeep's main file: what all profiles share. The profiles are in profiles/NAME.toml, one file each.
# A line that begins with # and no space is an example: take the # away to use it.

# An account carries the reports: a mail server, this machine's mail system, or a Maildir, which is a folder that mail
# programs can read. `postkeep account test NAME` tells whether it works.";

const MAIN_ACCOUNTS: &str = "
# More accounts. Presets: gmail, outlook, yahoo, icloud, fastmail. Of the secrets one is wanted: password-command,
# password-file, password-env, password-credential, keyring, or token-command for OAuth 2.
#[accounts.gmail]
#preset = \"gmail\"
#user = \"me@gmail.com\"
#password-command = \"secret-tool lookup app postkeep\"

#[accounts.home]
#user = \"me\"
#password-file = \"~/.config/postkeep/home.secret\"
#smtp = { host = \"mail.example.org\", port = 587, tls = \"starttls\", ca-file = \"/etc/ssl/home-ca.pem\" }

#[accounts.machine]
#sendmail = true
";

const MAIN_DEFAULTS: &str = "\
# A digest of all profiles, by a cron line; it belongs to [report]. Successes wait for it.
#digest = \"0 7 * * Mon\"

# What the agent does for all profiles: runs at once, files for a monitor.
#[agent]
#parallel = 2
#prometheus-file = \"/var/lib/node_exporter/postkeep.prom\"
#status-file = \"/run/postkeep/status.json\"

# Profiles that run one after the other; the schedule is added to that of each.
#[groups.night]
#profiles = [\"PROFILE\"]
#schedule = \"30 3 * * *\"

# Values for every profile that does not give its own: any key of a profile.
#[defaults]
#exclude = [\"*.tmp\", \"~$*\"]
#keep-versions = \"60d\"
";

const REPORT: &str = "\
# Who gets the reports, and from whom they come.
#to = [\"me@example.org\"]
#from = \"postkeep <postkeep@example.org>\"

# What tells a report when its account cannot carry it for more than an hour: other accounts, or the webhook.
#fallback = [\"webhook\"]
#webhook = \"https://ntfy.example.org/postkeep\"

# What is told at once: success, unchanged (nothing had to be done), warning, failure, recovery, overdue.
#on = [\"success\", \"warning\", \"failure\", \"recovery\", \"overdue\"]

# When the whole log is attached: always, on-failure (and with warnings), never; and how much of it.
#attach-log = \"on-failure\"
#attach-log-max = \"1MiB\"

# The zone that times are written in.
#time-zone = \"UTC\"
";

const PROFILE_TIMING: &str = "
# When the agent runs it (`postkeep agent install`): a cron line (minute hour day month weekday), @hourly, @daily,
# @weekly; or how much time lies between two runs. `postkeep next` shows what comes of it.
#schedule = \"30 12 * * *\"
#every = \"6h\"

# Run when something changes in the source, and when the agent starts.
#on-change = true
#on-start = true

# The zone of the schedule; what becomes of due times while the machine was off (once, skip); by how much they are put
# off, so that many machines do not start at once; how late a run may be.
#time-zone = \"Europe/Berlin\"
#catch-up = \"once\"
#jitter = \"10m\"
#grace = \"1h\"

# When an alarm is raised; without this, when a due time and the grace have passed without a run.
#overdue-after = \"3d\"

# Try a run that failed again before it is told; end one that takes too long.
#retry = { times = 3, wait = \"5m\" }
#timeout = \"24h\"

# Skip runs that nobody asked for, unless this is so.
#only-if = { online = true, on-ac-power = true, mounted = \"/mnt/disk\" }

# Commands around a run, and an address that hears of its beginning and end (healthchecks.io).
#run-before = \"true\"
#run-after = \"true\"
#run-failed = \"true\"
#run-after-fail = \"true\"
#run-finally = \"true\"
#ping = \"https://hc-ping.com/your-uuid-here\"
";

const PROFILE_REST: &str = "
# What is left out, on both sides: patterns with the rules of .gitignore.
#exclude = [\"*.tmp\", \"~$*\", \".cache/\"]

# Folders that hold a file of this name are left out, but for the folder itself.
#exclude-if-present = [\"CACHEDIR.TAG\", \".nobackup\"]

# Files by size and by age.
#exclude-larger-than = \"4GiB\"
#exclude-smaller-than = 1
#exclude-older-than = \"365d\"
#exclude-newer-than = \"10m\"

# Leave out other disks that are mounted below the source.
#one-file-system = true

# Make the target folder if it is not there. With false, a missing folder is taken for a disk that is not mounted.
#create-target = true

# A run stops when the source or the target is on another file system than at the last run, as when a disk is not
# mounted. With false it does not: for disks that take turns.
#check-roots = true

# How long deleted and replaced files are kept in the target's folder .postkeep-versions; false: not at all.
#keep-versions = \"30d\"

# A run that would delete more than both figures stops and asks.
#max-delete = \"25% or 50\"

# Whether an empty source may empty the target.
#allow-empty-source = false

# End a run only when the target's disk has everything.
#flush = true
";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::load::tests::{files, rendered};
    use super::super::schema::{FileKind, shape};
    use super::super::{Account, Job, MAIN_FILE};
    use super::*;

    fn answers_of(source: &str) -> Answers {
        answers(source, None)
    }

    fn answers(source: &str, reports: Option<&str>) -> Answers {
        Answers {
            name: "documents".into(),
            source: source.into(),
            target: "/mnt/disk/Documents".into(),
            mode: Mode::Mirror,
            when: When::ByHand,
            carrier: reports.map_or(Carrier::Embedded, |folder| Carrier::Maildir(folder.to_owned())),
        }
    }

    /// The same text with all its examples in use; of two lines for one key the later one is left an example.
    fn with_examples(text: &str) -> String {
        let mut seen = std::collections::BTreeSet::new();
        let mut table = String::new();
        let lines = text.lines().map(|line| {
            let plain = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line);
            if plain.starts_with('[') {
                table = plain.into();
            }
            let key = plain.split(" = ").next().unwrap_or_default();
            let first = plain.starts_with('#') || plain.is_empty() || seen.insert(format!("{table}{key}"));
            if first { plain.to_owned() } else { line.to_owned() }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_written_loads_as_it_is_and_with_every_example() {
        use super::super::kind;
        for reports in [None, Some("~/Mail/reports")] {
            let answers = answers("~/Documents", reports);
            let (main, profile) = (answers.main_file(), answers.profile_file());
            let plain = files(&[(MAIN_FILE, &main), ("documents", &profile)]);
            assert_eq!(rendered(&plain), "");
            assert_eq!(plain.config.accounts.len(), usize::from(reports.is_some()));
            assert_eq!(plain.config.profiles[0].report.account.as_deref(), reports.map(|_| "reports"));
            let (main, profile) = (with_examples(&main), with_examples(&profile));
            let full = files(&[(MAIN_FILE, &main), ("_base", ""), ("documents", &profile)]);
            assert_eq!(rendered(&full), "", "{main}\n{profile}");
            // Every key of a sync has its example.
            let profile: toml::Table = profile.parse().unwrap();
            let keys = shape(FileKind::Profile).paths().into_iter();
            let others = [&kind::OF_VAULT[..], &kind::OF_ARCHIVE[..]].concat();
            for path in keys.filter(|key| !others.contains(&key.as_str())) {
                let (table, key) = path.rsplit_once('.').map_or((None, path.as_str()), |(t, k)| (Some(t), k));
                let table = table.map_or(Some(&profile), |table| profile.get(table)?.as_table());
                assert!(table.is_some_and(|table| table.contains_key(key)), "{path}");
            }
        }
    }

    #[test]
    fn when_it_runs_is_written_as_it_was_answered() {
        use super::super::Rhythm;
        for (when, rhythm) in [
            (When::ByHand, Rhythm::None),
            (When::Every("6h".into()), Rhythm::Every(jiff::SignedDuration::from_hours(6))),
            (
                When::Schedule("@daily".into()),
                Rhythm::Schedule(super::super::Schedule::parse(&["@daily".into()]).unwrap()),
            ),
        ] {
            let answers = Answers { when, ..answers_of("~/a") };
            let loaded = files(&[("documents", &answers.profile_file())]);
            assert_eq!(rendered(&loaded), "");
            assert_eq!(loaded.config.profiles[0].timing.rhythm, rhythm);
        }
    }

    #[test]
    fn a_mail_account_is_written_as_it_is_meant() {
        let mail = |preset, server| MailAnswers {
            preset,
            server,
            address: "me@gmail.com".into(),
            secret: ("password-file", "~/x".into()),
        };
        for (answers, host) in [
            (mail(Some(Preset::Gmail), None), "smtp.gmail.com"),
            (mail(None, Some(("mx.example".into(), 587))), "mx.example"),
        ] {
            let answers = Answers { carrier: Carrier::Mail(answers), ..answers_of("~/a") };
            let loaded = files(&[(MAIN_FILE, &answers.main_file()), ("documents", &answers.profile_file())]);
            assert_eq!(rendered(&loaded), "");
            let Account::Smtp(smtp) = &loaded.config.accounts[MAIL_ACCOUNT] else { panic!() };
            assert_eq!(smtp.host, host);
            assert_eq!(loaded.config.profiles[0].report.to, ["me@gmail.com"]);
            let full = files(&[
                (MAIN_FILE, &with_examples(&answers.main_file())),
                ("documents", &answers.profile_file()),
            ]);
            assert_eq!(rendered(&full), "");
            assert_eq!(full.config.accounts.len(), 4);
        }
    }

    proptest! {
        #[test]
        fn any_path_arrives_as_it_was_given(name in "[a'\"\\\\\n\r\té\u{1b}\u{7f}\u{2028}#= ]{1,12}") {
            let path = format!("/srv/{name}");
            let answers = answers(&path, Some(&path));
            let loaded = files(&[(MAIN_FILE, &answers.main_file()), ("documents", &answers.profile_file())]);
            prop_assert_eq!(rendered(&loaded), "");
            let Job::Sync(job) = &loaded.config.profiles[0].job else { panic!("a sync") };
            prop_assert_eq!(&job.source, std::path::Path::new(&path));
            let Account::Maildir(folder) = &loaded.config.accounts["reports"] else { panic!() };
            prop_assert_eq!(folder, std::path::Path::new(&path));
        }
    }
}

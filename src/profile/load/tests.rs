//! Whole configurations, in memory and on disk.

use std::ffi::OsString;
use std::time::Duration;

use super::*;
use crate::profile::{AttachLog, Job, Level, MaxDelete, Mode, OverdueAfter, Profile, Retry, Rhythm, SyncJob};

fn var(name: &str) -> Option<OsString> {
    (name == "DISK").then(|| "/mnt/disk".into())
}

fn env() -> Env<'static> {
    Env { home: Some("/home/me".into()), cwd: "/".into(), var: &var }
}

/// Files by name; a name without `/` and `.` is that of a profile.
pub(crate) fn files(texts: &[(&str, &str)]) -> Loaded {
    let path = |name: &str| if name == MAIN_FILE { name.into() } else { format!("profiles/{name}.toml") };
    let texts = texts
        .iter()
        .map(|(name, text)| FileText { file: path(name).into(), content: Ok(text.as_bytes().to_vec()) });
    understand(Path::new("/etc/postkeep"), texts.collect(), &env())
}

/// The one profile that a text makes.
pub(crate) fn one(text: &str) -> Profile {
    let loaded = files(&[("one", text)]);
    assert_eq!(rendered(&loaded), "");
    loaded.config.profiles.into_iter().next().expect("a profile")
}

fn job(profile: &Profile) -> &SyncJob {
    let Job::Sync(job) = &profile.job else { panic!("a sync") };
    job
}

pub(crate) fn rendered(loaded: &Loaded) -> String {
    loaded.problems.iter().map(|problem| problem.render(false)).collect()
}

fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.config.profiles.iter().map(|profile| profile.name.as_str()).collect()
}

const PLAIN: &str = "kind = 'sync'\nsource = '~/a'\ntarget = '$DISK/b'\nmode = 'copy'\n";

#[test]
fn when_a_profile_runs_is_typed_too() {
    let by_hand = one(PLAIN).timing;
    assert!(!by_hand.is_automatic());
    assert_eq!(by_hand.timeout, Some(jiff::SignedDuration::from_hours(24)));
    let text = format!(
        "{PLAIN}on-change = '30s'\njitter = false\ntimeout = '1h'\noverdue-after = false\nretry = {{ times = 3 }}\n\
         only-if = {{ mounted = ['/mnt/x', '$DISK'] }}\nrun-failed = 'a'\nrun-after-fail = ['b']\n"
    );
    let profile = one(&text);
    let timing = &profile.timing;
    assert_eq!(timing.on_change, Some(jiff::SignedDuration::from_secs(30)));
    // Events are hints: it is run in any case now and then.
    assert_eq!(timing.rhythm, Rhythm::Every(jiff::SignedDuration::from_hours(6)));
    assert_eq!(timing.overdue, OverdueAfter::Never);
    assert_eq!(timing.retry, Some(Retry { times: 3, wait: jiff::SignedDuration::from_mins(5) }));
    assert_eq!(timing.only_if.mounted, [Path::new("/mnt/x"), Path::new("/mnt/disk")]);
    assert_eq!(profile.hooks.failed, ["a", "b"]);
    // Who says one of schedule and every takes back the other.
    for (below, own, expected) in
        [("every = '1h'", "schedule = '@daily'", "@daily"), ("schedule = '@daily'", "every = '1h'", "")]
    {
        let loaded =
            files(&[(MAIN_FILE, &format!("[defaults]\n{below}\n")), ("a", &format!("{PLAIN}{own}\n"))]);
        let lines = match &loaded.config.profiles[0].timing.rhythm {
            Rhythm::Schedule(schedule) => schedule.lines().collect::<Vec<_>>().join(" "),
            _ => String::new(),
        };
        assert_eq!(lines, expected);
    }
}

#[test]
fn with_a_digest_successes_wait_for_it() {
    let loaded = files(&[(MAIN_FILE, "[report]\ndigest = '0 7 * * Mon'\n"), ("a", PLAIN)]);
    assert_eq!(rendered(&loaded), "");
    assert!(loaded.config.report.digest.is_some());
    assert!(!loaded.config.profiles[0].report.on.contains(&Level::Success));
    let own = files(&[("a", &format!("{PLAIN}[report]\ndigest = '@daily'\n"))]);
    assert!(rendered(&own).contains("\"digest\""), "{}", rendered(&own));
}

#[test]
fn a_profile_is_absolute_and_has_all_defaults() {
    let profile = one(PLAIN);
    let expected = SyncJob {
        source: "/home/me/a".into(),
        target: "/mnt/disk/b".into(),
        mode: Mode::Copy,
        filter: Default::default(),
        one_file_system: true,
        create_target: true,
        check_roots: true,
        keep_versions: None,
        max_delete: MaxDelete { percent: 25, entries: 50 },
        allow_empty_source: false,
        flush: true,
    };
    assert_eq!(job(&profile), &expected);
    assert_eq!(
        profile.report.on,
        [Level::Success, Level::Warning, Level::Failure, Level::Recovery, Level::Overdue]
    );
    assert_eq!((profile.report.attach_log, profile.report.attach_log_max), (AttachLog::OnFailure, 1 << 20));
    let mirror = one(&PLAIN.replace("copy", "mirror"));
    assert_eq!(job(&mirror).keep_versions, Some(crate::profile::KEEP_VERSIONS));
}

#[test]
fn each_key_means_what_it_says() {
    let text = format!(
        "{PLAIN}exclude = '*.tmp'\nexclude-if-present = ['.nobackup', 'CACHEDIR.TAG']\nexclude-larger-than = '1.5GB'
exclude-smaller-than = 10\nexclude-older-than = '2w'\nexclude-newer-than = '90m'\none-file-system = false
create-target = false\ncheck-roots = false\nkeep-versions = true\nmax-delete = 7\nallow-empty-source = true\nflush = false
[report]\nto = 'me@example.org'\nfrom = 'Box <box@example.org>'\non = ['failure']\nattach-log = 'never'
attach-log-max = '10k'\ntime-zone = 'utc'\n"
    );
    let profile = one(&text);
    let filter = &job(&profile).filter;
    assert_eq!(filter.exclude, ["*.tmp"]);
    assert_eq!(filter.exclude_if_present, [".nobackup", "CACHEDIR.TAG"]);
    assert_eq!((filter.larger_than, filter.smaller_than), (Some(1_500_000_000), Some(10)));
    assert_eq!(filter.older_than.map(|length| length.as_hours()), Some(14 * 24));
    assert_eq!(filter.newer_than.map(|length| length.as_mins()), Some(90));
    let job = job(&profile);
    assert!(
        !job.one_file_system
            && !job.create_target
            && !job.check_roots
            && job.allow_empty_source
            && !job.flush
    );
    assert_eq!(job.keep_versions, Some(crate::profile::KEEP_VERSIONS));
    assert_eq!(job.max_delete, MaxDelete { percent: 0, entries: 7 });
    assert_eq!(profile.report.to, ["me@example.org"]);
    assert_eq!(profile.report.from.as_deref(), Some("Box <box@example.org>"));
    assert_eq!(
        (profile.report.on.as_slice(), profile.report.attach_log_max),
        (&[Level::Failure][..], 10_240)
    );
    assert_eq!(profile.report.attach_log, AttachLog::Never);
    assert_eq!(profile.report.time_zone.as_deref(), Some("UTC"));
    let limitless = one(&format!("{PLAIN}max-delete = false\nkeep-versions = false"));
    let Job::Sync(limitless) = limitless.job else { panic!("a sync") };
    assert_eq!(limitless.max_delete, MaxDelete { percent: 100, entries: u64::MAX });
    assert_eq!(limitless.keep_versions, None);
}

#[test]
fn one_look_finds_every_problem_of_every_file() {
    let loaded = files(&[
        (
            MAIN_FILE,
            "mode = 'copy'\n[accounts.mail]\n[report]\nacount = 'x'\naccount = 'maill'\n[defaults]\ninherit = 'a'\n",
        ),
        ("sound", PLAIN),
        (
            "many",
            "kind = 'backp'
source = '$NOWHERE/x'
exlude = ['*.tmp']
mode = 'mirro'
exclude = ['ok', '[', 5, '']
exclude-larger-than = '1X'
exclude-older-than = '3 months'
flush = 'yes'
keep-versions = 30
max-delete = -1
to = 'me@example.org'
accounts = 1
[report]
to = ['a@example.org', 'nobody', \"a@b\\n.c\"]
on = ['failure', 'sucess']
time-zone = 'Mars/Olympus'
attach-log-max = 1.5
exclude-newer-than = '1d'
",
        ),
        ("syntax", "kind = 'sync'\nsource = \nmode = 'copy'\nmode = 'copy'\nflsh = true\n"),
    ]);
    let expected = [
        "postkeep.toml:1:1: error: unknown key \"mode\"",
        "hint: \"mode\" belongs in the table [defaults]",
        "postkeep.toml:2:1: error: the account \"mail\" says nothing about where letters go",
        "postkeep.toml:4:1: error: unknown key \"acount\" in the table [report]",
        "hint: did you mean \"account\"?",
        "postkeep.toml:5:11: error: there is no account \"maill\"",
        "hint: did you mean \"mail\"?",
        "postkeep.toml:7:1: error: unknown key \"inherit\" in the table [defaults]",
        "hint: \"inherit\" belongs in a profile file, profiles/NAME.toml",
        "profiles/many.toml: error: the key \"target\" is missing",
        "hint: add a line: target = \"/mnt/backup/Documents\"",
        "profiles/many.toml:1:8: error: \"kind\" cannot be \"backp\"",
        "hint: did you mean \"backup\"? (one of \"sync\", \"backup\", \"archive\")",
        "profiles/many.toml:2:10: error: the variable \"NOWHERE\" is not set",
        "profiles/many.toml:3:1: error: unknown key \"exlude\"",
        "hint: did you mean \"exclude\"?",
        "profiles/many.toml:4:8: error: \"mode\" cannot be \"mirro\"",
        "hint: did you mean \"mirror\"? (one of \"copy\", \"mirror\")",
        "profiles/many.toml:5:18: error: the pattern \"[\" cannot be read: unclosed character class",
        "profiles/many.toml:5:23: error: an item of \"exclude\" must be a string, not a whole number",
        "hint: put the value in quotes",
        "profiles/many.toml:5:26: error: the pattern \"\" is empty",
        "profiles/many.toml:6:23: error: \"1X\" is no size",
        "profiles/many.toml:7:22: error: \"3 months\" is no duration",
        "hint: months differ in length; write days, such as 30d or 365d",
        "profiles/many.toml:8:9: error: \"flush\" must be true or false, not a string",
        "hint: write true or false, without quotes",
        "profiles/many.toml:9:17: error: \"keep-versions\" must be a string or true or false, not a whole number",
        "profiles/many.toml:10:14: error: a number of entries cannot be negative",
        "profiles/many.toml:11:1: error: unknown key \"to\"",
        "hint: \"to\" belongs in the table [report]",
        "profiles/many.toml:12:1: error: unknown key \"accounts\"",
        "hint: \"accounts\" belongs in postkeep.toml",
        "profiles/many.toml:14:24: error: \"nobody\" is no mail address",
        "profiles/many.toml:14:34: error: \"a@b\\n.c\" is no mail address",
        "profiles/many.toml:15:18: error: an item of \"on\" cannot be \"sucess\"",
        "profiles/many.toml:16:13: error: \"Mars/Olympus\" is no time zone that this machine knows",
        "profiles/many.toml:17:18: error: \"attach-log-max\" must be a string or a whole number, not a number with a fraction",
        "profiles/many.toml:18:1: error: unknown key \"exclude-newer-than\" in the table [report]",
        "hint: \"exclude-newer-than\" belongs at the top of the file, before the first [table]",
        "profiles/syntax.toml:2:10: error: not valid TOML: ",
        "profiles/syntax.toml:4:1: error: not valid TOML: ",
        "profiles/syntax.toml:5:1: error: unknown key \"flsh\"",
        "hint: did you mean \"flush\"?",
    ];
    let text = rendered(&loaded);
    let mut rest = text.as_str();
    for line in expected {
        let Some((_, after)) = rest.split_once(line) else { panic!("no {line:?} in its place in\n{text}") };
        rest = after;
    }
    assert_eq!(
        text.matches("error: ").count(),
        expected.iter().filter(|line| line.contains("error: ")).count()
    );
    // The main file's errors concern everyone.
    assert_eq!(names(&loaded), Vec::<&str>::new());
    assert_eq!(loaded.names, ["many", "sound", "syntax"]);
}

#[test]
fn items_of_a_list_are_checked_one_by_one() {
    let loaded =
        files(&[("x", &format!("{PLAIN}exclude = ['ok', '[', '', '#x']\nexclude-if-present = ['a/b']"))]);
    let found: Vec<_> = loaded.problems.iter().filter_map(|problem| problem.place.as_ref()).collect();
    let columns: Vec<_> = found.iter().map(|place| (place.line, place.column)).collect();
    assert_eq!(columns, [(5, 18), (5, 23), (5, 27), (6, 23)]);
}

#[test]
fn a_broken_profile_stops_only_itself_and_its_heirs() {
    let loaded = files(&[
        ("_base", "flush = 1\n"),
        ("_unused", "flsh = true\n"),
        ("alone", PLAIN),
        ("broken", &format!("{PLAIN}flsh = true\n")),
        ("heir", &format!("inherit = '_base'\n{PLAIN}")),
        ("Bad Name", PLAIN),
    ]);
    assert_eq!(names(&loaded), ["alone"]);
    assert_eq!(loaded.names, ["alone", "broken", "heir"]);
    let concerned: Vec<_> = loaded
        .problems
        .iter()
        .map(|problem| problem.profiles.clone().unwrap_or_default().join(" "))
        .collect();
    assert_eq!(concerned, ["Bad Name", "heir", "", "broken"]);
}

#[test]
fn own_values_go_before_inherited_ones_and_those_before_defaults() {
    let loaded = files(&[
        (
            MAIN_FILE,
            "[accounts.mail]\nmaildir = '~/Mail'\n[report]\naccount = 'mail'\nto = 'all@example.org'\n[defaults]\nflush = false\nmode = 'copy'\nmax-delete = 1\n",
        ),
        ("_far", "max-delete = 2\nexclude = 'far'\ntarget = '/t'\n"),
        ("_near", "inherit = '_far'\nmax-delete = 3\nkind = 'sync'\n[report]\nto = 'near@example.org'\n"),
        ("_other", "max-delete = 4\n"),
        ("heir", "inherit = ['_other', '_near']\nsource = '/s'\n[report]\nfrom = 'heir@example.org'\n"),
        ("twin", "inherit = ['_near', '_other']\nsource = '/s2'\nexclude = []\n"),
    ]);
    assert_eq!(rendered(&loaded), "");
    assert_eq!(loaded.config.report.to, ["all@example.org"]);
    assert_eq!(loaded.config.report.account.as_deref(), Some("mail"));
    let [heir, twin] = loaded.config.profiles.as_slice() else { panic!("two profiles") };
    assert_eq!((job(heir).max_delete.entries, job(twin).max_delete.entries), (3, 4));
    assert_eq!((job(heir).mode, job(heir).flush), (Mode::Copy, false));
    assert_eq!((job(heir).filter.exclude.len(), job(twin).filter.exclude.len()), (1, 0));
    assert_eq!(heir.report.to, ["near@example.org"]);
    assert_eq!(heir.report.account.as_deref(), Some("mail"));
    let whence: BTreeMap<_, _> = crate::profile::show(heir, &loaded.origins["heir"])
        .into_iter()
        .map(|shown| (shown.key, shown.whence()))
        .collect();
    for (key, expected) in [
        ("source", "profiles/heir.toml:2"),
        ("max-delete", "inherited from _near (profiles/_near.toml:2)"),
        ("exclude", "inherited from _far (profiles/_far.toml:2)"),
        ("flush", "postkeep.toml:7 [defaults]"),
        ("report.account", "postkeep.toml:4 [report]"),
        ("report.to", "inherited from _near (profiles/_near.toml:5)"),
        ("one-file-system", "built in"),
    ] {
        assert_eq!(whence[key], expected, "{key}");
    }
}

#[test]
fn inheritance_that_leads_nowhere_is_told_once() {
    let loaded = files(&[
        ("a", &format!("inherit = 'b'\n{PLAIN}")),
        ("b", &format!("inherit = 'c'\n{PLAIN}")),
        ("c", &format!("inherit = 'b'\n{PLAIN}")),
        ("d", &format!("inherit = 'd'\n{PLAIN}")),
        ("e", "inherit = ['_bse', 'f']"),
        ("_base", ""),
        ("f", PLAIN),
    ]);
    let text = rendered(&loaded);
    assert_eq!(text.matches("in a circle").count(), 2, "{text}");
    assert!(text.contains("b -> c -> b") && text.contains("d -> d"), "{text}");
    assert!(
        text.contains("there is no profile file \"_bse\"") && text.contains("did you mean \"_base\"?"),
        "{text}"
    );
    // What e lacks may be in the file that was not found.
    assert!(!text.contains("is missing"), "{text}");
    assert_eq!(names(&loaded), ["f"]);
    let circle = loaded.problems.iter().find(|problem| problem.message.contains("b -> c"));
    assert_eq!(
        circle.and_then(|problem| problem.profiles.clone()),
        Some(vec!["a".into(), "b".into(), "c".into()])
    );
}

#[test]
fn many_ways_to_one_template_cost_no_more_than_its_files() {
    let mut texts = vec![("_t0".to_owned(), PLAIN.to_owned())];
    for level in 1..60 {
        let both = format!("inherit = ['_t{0}', '_u{0}']", level - 1);
        let text = if level == 1 { "inherit = '_t0'".into() } else { both };
        texts.push((format!("_t{level}"), text.clone()));
        texts.push((format!("_u{level}"), text));
    }
    texts.push(("last".into(), "inherit = '_t59'".into()));
    let texts: Vec<_> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(names(&files(&texts)), ["last"]);
}

#[test]
fn names_of_profiles() {
    let long = "a".repeat(65);
    for bad in ["", "A", ".a", "-a", "a b", "é", "a/b", long.as_str()] {
        assert!(!is_name(bad), "{bad}");
    }
    for good in ["a", "0", "a.b_c-d", &long[1..]] {
        assert!(is_name(good), "{good}");
    }
}

#[test]
fn nothing_in_a_file_is_too_much() {
    let nested = "a.".repeat(70) + "a={";
    for text in [
        "[".repeat(200_000),
        "x = 1\n".repeat(100_000),
        "exclude = [".repeat(2_000),
        format!("exclude = {}", "[".repeat(100_000)),
        nested.repeat(70),
        format!("x = '{}", "y".repeat(1_000_000)),
        "\u{feff}\0\r\u{1b}".repeat(1_000),
        "= = = ".repeat(50_000),
    ] {
        let loaded = files(&[("x", &text)]);
        assert!(!loaded.problems.is_empty() && loaded.problems.len() <= 110, "{}", loaded.problems.len());
        assert!(rendered(&loaded).len() < 200_000);
    }
    let patterns: Vec<_> = (0..12_000).map(|number| format!("'*.x{number}'")).collect();
    let profile = one(&format!("{PLAIN}exclude = [{}]", patterns.join(",")));
    assert_eq!(job(&profile).filter.exclude.len(), 12_000);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "([a-z-]{1,6}|exclude|report|mode|size|[ =\\[\\]{}'\".,\n#]|[0-9]{1,3}|\\PC){0,60}") {
        let loaded = files(&[("x", &text), (MAIN_FILE, &text)]);
        proptest::prop_assert!(loaded.config.profiles.is_empty());
        rendered(&loaded);
    }
}

#[test]
fn a_mark_at_the_start_of_a_file_does_no_harm() {
    one(&format!("\u{feff}{}", PLAIN.replace('\n', "\r\n")));
}

#[test]
fn the_disk_brings_every_kind_of_file() {
    let dir = tempfile::tempdir().unwrap();
    let profiles = dir.path().join(PROFILES);
    assert_eq!(load(dir.path(), &env()).problems, []);
    std::fs::create_dir(&profiles).unwrap();
    std::fs::write(profiles.join("good.toml"), PLAIN).unwrap();
    std::fs::write(profiles.join("latin.toml"), b"kind = 'sync'\ndescription = 'caf\xe9'\n").unwrap();
    std::fs::write(profiles.join("large.toml"), vec![b'#'; MOST_BYTES as usize + 1]).unwrap();
    std::fs::write(profiles.join("UPPER.TOML"), PLAIN).unwrap();
    for ignored in ["README.md", ".hidden.toml", ".#good.toml", "good.toml~"] {
        std::fs::write(profiles.join(ignored), "junk").unwrap();
    }
    std::fs::create_dir(profiles.join("folder.toml")).unwrap();
    std::os::unix::fs::symlink("nowhere", profiles.join("gone.toml")).unwrap();
    let pipe = profiles.join("pipe.toml");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();

    // On a thread of its own: opening the pipe would never come back.
    let (send, receive) = std::sync::mpsc::channel();
    let path = dir.path().to_owned();
    std::thread::spawn(move || drop(send.send(load(&path, &env()))));
    let loaded = receive.recv_timeout(Duration::from_secs(60)).expect("a pipe is not opened");
    assert_eq!(names(&loaded), ["good"]);
    let text = rendered(&loaded);
    let heads: Vec<_> = text.lines().filter(|line| line.contains("error: ")).collect();
    for (head, part) in heads.iter().zip([
        "UPPER.TOML: error: \"UPPER\" cannot be the name of a profile",
        "folder.toml: error: is not a regular file",
        "gone.toml: error: cannot be read: No such file",
        "large.toml: error: is larger than 1 MiB",
        "latin.toml:2:19: error: the file is not UTF-8 from here on",
        "pipe.toml: error: is not a regular file",
    ]) {
        assert!(head.contains(part), "{head}");
    }
    assert_eq!(heads.len(), 6, "{text}");
    assert!(serde_json::to_string(&loaded.problems).unwrap().contains("\"line\":2"));
}

//! The sample profiles load, and the documentation has exactly the keys that the schema has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use postkeep::profile::{Env, FileKind, FileText, Job, MAIN_FILE, Seen, Severity, check, schema, understand};
use serde_json::Value;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_sample_loads_without_a_problem() {
    let main = FileText {
        file: MAIN_FILE.into(),
        content: Ok(read(&project("profiles/main/postkeep.toml")).into_bytes()),
    };
    let mut files = vec![main];
    for entry in std::fs::read_dir(project("profiles")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let file = Path::new("profiles").join(path.file_name().unwrap());
            files.push(FileText { file, content: Ok(read(&path).into_bytes()) });
        }
    }
    let env = Env { home: Some("/home/me".into()), cwd: "/".into(), var: &|_| None };
    let loaded = understand(Path::new("/home/me/.config/postkeep"), files, &env);
    let problems: String = loaded.problems.iter().map(|problem| problem.render(false)).collect();
    assert_eq!(problems, "");
    let names: Vec<_> = loaded.config.profiles.iter().map(|profile| profile.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "database",
            "documents-mirror",
            "home-backup",
            "keys",
            "mail",
            "music",
            "notes-live",
            "photos-copy",
            "projects",
            "small-files-only"
        ]
    );
    // Nor is there one between them, where all folders are there. (What is of this machine is only a warning.)
    let look = |path: &Path| Seen::Folder(path.to_owned());
    let between = check(&loaded, Path::new("/home/me/.local/state/postkeep"), &look);
    let between = between.iter().filter(|problem| problem.severity == Severity::Error);
    assert_eq!(between.map(|problem| problem.render(false)).collect::<String>(), "");
    // The only one that runs by hand alone.
    let by_hand = loaded.config.profiles.iter().filter(|profile| !profile.timing.is_automatic());
    assert_eq!(by_hand.map(|profile| profile.name.as_str()).collect::<Vec<_>>(), ["small-files-only"]);
    assert!(loaded.config.profiles.iter().all(|profile| profile.report.account.as_deref() == Some("local")));
}

/// The keys below a table of a schema, with the tables before them.
fn keys(table: &Value, before: &str, found: &mut BTreeSet<String>) {
    let named = table["properties"].as_object().into_iter().flatten();
    let named = named.map(|(key, value)| (key.as_str(), value));
    let free = Some(("NAME", &table["additionalProperties"])).filter(|(_, value)| value.is_object());
    for (key, value) in named.chain(free) {
        let path = format!("{before}{key}");
        if value["type"] == "object" {
            keys(value, &format!("{path}."), found);
        } else {
            found.insert(path);
        }
    }
}

#[test]
fn the_documentation_has_the_keys_of_the_schema() {
    let mut known = BTreeSet::new();
    keys(&schema(FileKind::Profile), "", &mut known);
    let mut main = BTreeSet::new();
    keys(&schema(FileKind::Main), "", &mut main);
    // The tables of shared values have the keys of a profile, which the documentation tells once.
    let own = |key: &String| key == "report.digest" || !key.starts_with("report.");
    known.extend(main.into_iter().filter(|key| own(key) && !key.starts_with("defaults.")));

    let text = read(&project("docs/profiles.md"));
    let rows = text.lines().filter(|line| line.matches(" | ").count() == 4 && line.starts_with("| `"));
    let rows: Vec<Vec<&str>> =
        rows.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect();
    let documented: BTreeSet<_> = rows.iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    assert_eq!(documented, known);
    assert_eq!(documented.len(), rows.len(), "a key is documented twice");
}

#[test]
fn every_example_of_the_documentation_is_sound() {
    let text = read(&project("docs/profiles.md"));
    let rows = text.lines().filter(|line| line.matches(" | ").count() == 4 && line.starts_with("| `"));
    let mut checked = 0;
    for row in rows {
        let cells: Vec<_> = row.trim_matches(['|', ' ']).split(" | ").collect();
        let (key, example) = (cells[0].trim_matches('`'), cells[4].trim_matches('`'));
        let (table, _) = key.rsplit_once('.').unwrap_or(("", key));
        // The example of a key of an inline table is the whole table.
        let table = match table {
            "retry" | "only-if" => "",
            table if table.starts_with("accounts") => "accounts.NAME",
            table => table,
        };
        let head =
            if table.is_empty() { String::new() } else { format!("[{}]\n", table.replace("NAME", "local")) };
        let main = "[accounts.local]\nmaildir = '~/Mail'\n";
        let of_main = ["accounts.NAME", "agent", "groups.NAME"].contains(&table) || key == "report.digest";
        let (main, profile) = match of_main {
            true => (format!("{head}{}{example}", what_else(key)), String::new()),
            false => (main.to_owned(), format!("{head}{example}")),
        };
        let file =
            |file: &str, text: &str| FileText { file: file.into(), content: Ok(text.as_bytes().to_vec()) };
        // A template: it need not be whole.
        let files =
            ["_base", "photos", "documents"].map(|name| file(&format!("profiles/{name}.toml"), SOUND));
        let files =
            [file(MAIN_FILE, &main), file("profiles/_x.toml", &profile)].into_iter().chain(files).collect();
        let env = Env { home: Some("/home/me".into()), cwd: "/".into(), var: &|_| None };
        let loaded = understand(Path::new("/c"), files, &env);
        let problems: String = loaded.problems.iter().map(|problem| problem.render(false)).collect();
        assert_eq!(problems, "", "{key}");
        checked += 1;
    }
    assert!(checked > 20);
}

/// A profile that has all it needs.
const SOUND: &str = "kind = 'sync'\nsource = '/s'\ntarget = '/t'\nmode = 'copy'\n";

/// What a table needs beside a key to be whole.
fn what_else(key: &str) -> &'static str {
    match key.trim_start_matches("accounts.NAME.") {
        "groups.NAME.schedule" => "profiles = 'photos'\n",
        key if key.starts_with("agent") || key.starts_with("groups") || key.starts_with("report") => "",
        "preset" => "user = 'me'\npassword-env = 'X'\n",
        "user" => "preset = 'gmail'\npassword-env = 'X'\n",
        "maildir" | "sendmail" => "",
        key if key.starts_with("smtp") => "",
        key if key.starts_with("imap") || key.starts_with("pop3") => "user = 'me'\npassword-env = 'X'\n",
        _ => "preset = 'gmail'\nuser = 'me'\n",
    }
}

#[test]
fn the_examples_about_the_agent_are_sound() {
    let text = read(&project("docs/agent.md"));
    let blocks = text.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap());
    let env = Env { home: Some("/home/me".into()), cwd: "/".into(), var: &|_| None };
    let mut checked = 0;
    for block in blocks {
        let file =
            |file: &str, text: &str| FileText { file: file.into(), content: Ok(text.as_bytes().to_vec()) };
        let (main, profile) = if block.starts_with('[') { (block, "") } else { ("", block) };
        let mut files = vec![file(MAIN_FILE, main), file("profiles/_x.toml", profile)];
        files.extend(["database", "documents"].map(|name| file(&format!("profiles/{name}.toml"), SOUND)));
        let problems: String =
            understand(Path::new("/c"), files, &env).problems.iter().map(|p| p.render(false)).collect();
        assert_eq!(problems, "", "{block}");
        checked += 1;
    }
    assert!(checked > 3, "{checked}");
}

#[test]
fn the_examples_about_mail_are_sound() {
    let text = read(&project("docs/mail.md"));
    let blocks: Vec<&str> =
        text.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    let part = |block: &str, report: bool| {
        let (accounts, rest) = block.split_once("[report]").unwrap_or((block, ""));
        if report { format!("[report]{rest}") } else { accounts.to_owned() }
    };
    let accounts: String = blocks.iter().map(|block| part(block, false)).collect();
    let reports = blocks.iter().filter(|block| block.contains("[report]"));
    let mut checked = 0;
    for report in reports {
        let main = accounts.clone() + &part(report, true);
        let main = FileText { file: MAIN_FILE.into(), content: Ok(main.into_bytes()) };
        let env = Env { home: Some("/home/me".into()), cwd: "/".into(), var: &|_| None };
        let loaded = understand(Path::new("/c"), vec![main], &env);
        let problems: String = loaded.problems.iter().map(|problem| problem.render(false)).collect();
        assert_eq!(problems, "");
        assert_eq!(loaded.config.accounts.len(), 6);
        let mailboxes: Vec<_> = loaded.config.mailboxes.keys().collect();
        assert_eq!(mailboxes, ["gmail", "office", "store"]);
        assert_eq!(loaded.config.maildrops.keys().collect::<Vec<_>>(), ["old"]);
        checked += 1;
    }
    assert_eq!(checked, 3);
}

/// The samples with the places of this machine: `/mnt` lies in the sandbox, and home is the sandbox's.
#[test]
fn every_sample_runs() {
    let sandbox = crate::common::Sandbox::new();
    let here = |text: String| text.replace("/mnt/", &format!("{}/", sandbox.path("mnt").display()));
    sandbox.write("config/postkeep.toml", &here(read(&project("profiles/main/postkeep.toml"))));
    for entry in std::fs::read_dir(project("profiles")).unwrap() {
        let path = entry.unwrap().path();
        // A vault wants a password and perhaps a mailbox: those profiles are run where these are there.
        let has_vault = |text: &str| {
            ["backup", "archive"].iter().any(|kind| text.contains(&format!("kind = \"{kind}\"")))
        };
        if path.is_file() && !has_vault(&read(&path)) {
            let name = path.file_name().unwrap().to_str().unwrap();
            sandbox.write(&format!("config/profiles/{name}"), &here(read(&path)));
        }
    }
    let home = Some(sandbox.path("home"));
    let env = Env { home, cwd: sandbox.path(""), var: &|_| None };
    let loaded = postkeep::profile::load(&sandbox.path("config"), &env);
    let jobs: Vec<_> = loaded.config.profiles.iter().map(|p| (&p.name, &p.job)).collect();
    assert!(jobs.len() >= 5, "{jobs:?}");
    for (_, job) in &jobs {
        let Job::Sync(job) = job else { panic!("{job:?}") };
        std::fs::create_dir_all(&job.source).unwrap();
        std::fs::write(job.source.join("a file of some hundred bytes"), vec![b'x'; 300]).unwrap();
        let made = if job.create_target { job.target.parent().unwrap() } else { &job.target };
        std::fs::create_dir_all(made).unwrap();
    }
    // The database of a sample.
    sandbox.write("bin/pg_dumpall", "#!/bin/sh\nseq 1000\n");
    let program = sandbox.path("bin/pg_dumpall");
    std::fs::set_permissions(program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", sandbox.path("bin").display(), std::env::var("PATH").unwrap());
    let ran = sandbox.command(&["run", "--all"]).env("PATH", path).output().unwrap();
    let ran = crate::common::Ran::from(ran).expect(0);
    for (name, job) in jobs {
        let Job::Sync(job) = job else { panic!("{job:?}") };
        // What a filter leaves out (files of a few minutes, of a few bytes) leaves nothing to do.
        let ended = [format!("{name}: ok"), format!("{name}: unchanged")];
        assert!(ended.iter().any(|line| ran.stdout.contains(line)), "{}", ran.stdout);
        assert!(job.target.is_dir(), "{name}");
    }
}

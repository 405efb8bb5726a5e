//! The configuration's folder, read and put together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::carrier::Sides;
use super::file::{MainFile, ProfileFile};
use super::inherit::{self, Family, Origins};
use super::paths::{Env, absolute, expand, stem};
use super::problem::{Problem, Severity};
use super::read::{self, Sheet};
use super::schema::FileKind;
use super::wrong::{Wrong, nearest, quote};
use super::{Account, Config, MailPlace, ReportRules, VaultPlace, carrier, group, kind, meant};

/// The name of the main file.
pub const MAIN_FILE: &str = "postkeep.toml";

/// The name of the folder of profile files.
pub const PROFILES: &str = "profiles";

/// The largest file that is read, in bytes. Ten thousand patterns take a quarter of it.
const MOST_BYTES: u64 = 1 << 20;

/// The most profile files that are read.
const MOST_FILES: usize = 10_000;

/// Everything that was found.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The sound profiles, with what they need.
    pub config: Config,
    /// All problems, by file and line.
    pub problems: Vec<Problem>,
    /// The names of all profiles, sound or not, sorted.
    pub names: Vec<String>,
    /// Where the values of each sound profile come from.
    pub origins: BTreeMap<String, Origins>,
}

impl Loaded {
    /// Adds problems, each at its place in the order; a profile that one of them stops is sound no more.
    pub fn add(&mut self, problems: Vec<Problem>) {
        self.problems.extend(problems);
        sort(&mut self.problems);
        let stopped = Stopped::by(&self.problems);
        self.config.profiles.retain(|profile| !stopped.has(&profile.name));
    }
}

/// A file of the configuration.
#[derive(Debug, Clone)]
pub struct FileText {
    /// Its path below the configuration's folder.
    pub file: PathBuf,
    /// Its content, or why it cannot be had.
    pub content: Result<Vec<u8>, Wrong>,
}

/// Whether `name` can be a profile's: `[a-z0-9][a-z0-9._-]{0,63}`.
pub fn is_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(inner)
}

fn is_template(name: &str) -> bool {
    name.starts_with('_')
}

/// Reads `postkeep.toml` and `profiles/*.toml` in `dir`. What is not there has no values and no problems.
pub fn load(dir: &Path, env: &Env) -> Loaded {
    understand(dir, files(&absolute(dir, env)), env)
}

/// The files of the configuration in `dir`, those that cannot be read among them.
pub fn files(dir: &Path) -> Vec<FileText> {
    let mut files: Vec<FileText> = Vec::new();
    files.extend(read_file(dir, MAIN_FILE.into()));
    match std::fs::read_dir(dir.join(PROFILES)) {
        Ok(entries) => {
            let mut names = Vec::new();
            let mut failed = None;
            for entry in entries {
                match entry {
                    Ok(entry) => names.push(PathBuf::from(PROFILES).join(entry.file_name())),
                    Err(error) => failed = Some(error),
                }
            }
            names.retain(|name| is_ours(name));
            names.sort_unstable();
            if names.len() > MOST_FILES {
                let wrong = Wrong::new(format!("there are more than {MOST_FILES} profile files"));
                files.push(FileText { file: PROFILES.into(), content: Err(wrong) });
                names.truncate(MOST_FILES);
            }
            files.extend(failed.map(|error| unreadable(PROFILES.into(), &error)));
            files.extend(names.into_iter().filter_map(|name| read_file(dir, name)));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => files.push(unreadable(PROFILES.into(), &error)),
    }
    files
}

/// Whether a file in `profiles/` is meant to be a profile: `*.toml`, whatever the case, but nothing hidden (editors
/// leave such files behind).
fn is_ours(file: &Path) -> bool {
    let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"))
}

fn unreadable(file: PathBuf, error: &std::io::Error) -> FileText {
    FileText { file, content: Err(Wrong::new(format!("cannot be read: {error}"))) }
}

fn read_file(dir: &Path, file: PathBuf) -> Option<FileText> {
    let path = dir.join(&file);
    let read = || -> std::io::Result<Result<Vec<u8>, Wrong>> {
        // Looked at before it is opened: opening a named pipe waits for a writer.
        if !std::fs::metadata(&path)?.is_file() {
            return Ok(Err(Wrong::new("is not a regular file")));
        }
        let mut bytes = Vec::new();
        File::open(&path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Ok(Err(Wrong::new("is larger than 1 MiB").hint("is it a profile at all?")));
        }
        Ok(Ok(bytes))
    };
    match read() {
        Ok(content) => Some(FileText { file, content }),
        // A dangling link is a file that someone meant to be there.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !path.is_symlink() => None,
        Err(error) => Some(unreadable(file, &error)),
    }
}

/// What the files mean, wherever they come from. `dir` is the folder that relative paths are relative to.
pub fn understand(dir: &Path, files: Vec<FileText>, env: &Env) -> Loaded {
    let dir = absolute(dir, env);
    let meaning = |path: &[String], text: &str| match path.last().map(String::as_str) {
        // Which of the two it may be is known with the profile's kind.
        Some("source") => {
            MailPlace::parse(text, &dir, env).map(drop).or_else(|_| expand(text, &dir, env).map(drop))
        }
        Some(
            "target"
            | "maildir"
            | "password-file"
            | "vault-password-file"
            | "ca-file"
            | "mounted"
            | "prometheus-file"
            | "status-file",
        ) => expand(text, &dir, env).map(drop),
        Some("vault" | "repository") => VaultPlace::parse(text, &dir, env).map(drop),
        _ => Ok(()),
    };
    let mut problems = Vec::new();
    let mut main = Sheet::default();
    let mut sheets = BTreeMap::new();
    for FileText { file, content } in files {
        if file.as_os_str() == MAIN_FILE {
            main = content.map_or_else(
                |wrong| lost(&file, wrong),
                |bytes| read::read::<MainFile>(&file, &bytes, FileKind::Main, &meaning),
            );
        } else if file.as_os_str() == PROFILES {
            problems.extend(content.err().map(|wrong| Problem::of_file(file, wrong)));
        } else {
            match profile_name(&file) {
                Ok(name) => {
                    let sheet = content.map_or_else(
                        |wrong| lost(&file, wrong),
                        |bytes| read::read::<ProfileFile>(&file, &bytes, FileKind::Profile, &meaning),
                    );
                    sheets.insert(name, (file, sheet));
                }
                Err(problem) => problems.push(*problem),
            }
        }
    }
    let main_file = Path::new(MAIN_FILE);
    let accounts = carrier::accounts(&mut main, &dir, env);
    if !main.unreadable {
        for check in [check_account, check_fallback] {
            check(&mut main, main_file, &accounts);
            for (file, sheet) in sheets.values_mut() {
                check(sheet, file, &accounts);
            }
        }
    }
    let agent = meant::agent(main.table(&["agent"]).unwrap_or_default(), &dir, env);
    let groups = group::groups(&mut main);
    problems.append(&mut main.problems);
    let defaults = inherit::defaults(&main, main_file);
    let mut family = Family::new(&sheets);
    let mut found = std::mem::take(&mut family.problems);
    let names: Vec<String> = sheets.keys().filter(|name| !is_template(name)).cloned().collect();
    let mut complete = BTreeMap::new();
    for name in &names {
        let Some((values, unreadable)) = family.values(name) else { continue };
        let mut values = meant::over(&defaults, values);
        let whole = !unreadable && !main.unreadable;
        let place = |text: &str| MailPlace::parse(text, &dir, env);
        problems.extend(kind::settle(name, &sheets[name].0, &mut values, whole, &place));
        complete.insert(name, values);
    }
    found.extend(sheets.values_mut().flat_map(|(_, sheet)| std::mem::take(&mut sheet.problems)));
    for mut problem in found {
        let mut concerned = stem(&problem.file).map_or_else(Vec::new, |name| family.concerned(name));
        concerned.retain(|name| !is_template(name));
        problem.profiles = Some(concerned);
        problems.push(problem);
    }
    sort(&mut problems);

    let mut profiles = Vec::new();
    let mut origins = BTreeMap::new();
    let stopped = Stopped::by(&problems);
    for (name, values) in complete {
        if stopped.has(name) {
            continue;
        }
        if let Some(profile) = meant::profile(name, &values, &dir, env) {
            let places = values.into_iter().map(|(path, (_, origin))| (path.join("."), origin));
            origins.insert(name.clone(), places.collect());
            profiles.push(profile);
        }
    }
    let wrong = group::apply(&groups, &names, &mut profiles, &main);
    if !wrong.is_empty() {
        // A group is of the main file: what is wrong with it concerns all, as with the rest of that file.
        profiles.clear();
        problems.extend(wrong);
        sort(&mut problems);
    }
    let sides: Vec<_> = accounts.into_iter().filter_map(|(name, sides)| Some((name, sides?))).collect();
    let mailboxes = sides.iter().filter_map(|(name, sides)| Some((name.clone(), sides.mailbox.clone()?)));
    let mailboxes: BTreeMap<_, _> = mailboxes.collect();
    let maildrops = sides.iter().filter_map(|(name, sides)| Some((name.clone(), sides.maildrop.clone()?)));
    let maildrops: BTreeMap<_, _> = maildrops.collect();
    let accounts = sides.into_iter().filter_map(|(name, sides)| Some((name, sides.carrier?)));
    let accounts: BTreeMap<_, _> = accounts.collect();
    let mut report = meant::main_report(&defaults);
    profiles
        .iter_mut()
        .map(|profile| &mut profile.report)
        .chain([&mut report])
        .for_each(|rules| own_reader(rules, &accounts));
    let config = Config { dir, accounts, mailboxes, maildrops, profiles, report, agent, groups };
    Loaded { config, problems, names, origins }
}

/// The profiles that problems keep from running.
struct Stopped {
    all: bool,
    names: BTreeSet<String>,
}

impl Stopped {
    fn by(problems: &[Problem]) -> Self {
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
        let all = errors.clone().any(|problem| problem.profiles.is_none());
        Self { all, names: errors.filter_map(|problem| problem.profiles.clone()).flatten().collect() }
    }

    fn has(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }
}

/// Puts problems in the order in which a person goes through files.
pub(super) fn sort(problems: &mut [Problem]) {
    let at = |problem: &Problem| problem.place.as_ref().map(|place| (place.line, place.column));
    problems.sort_by(|a, b| (&a.file, at(a)).cmp(&(&b.file, at(b))));
}

/// A file that could not be read at all.
fn lost(file: &Path, wrong: Wrong) -> Sheet {
    Sheet { problems: vec![Problem::of_file(file, wrong)], unreadable: true, ..Sheet::default() }
}

/// The profile's or template's name that a file's name makes.
fn profile_name(file: &Path) -> Result<String, Box<Problem>> {
    let name = stem(file).unwrap_or_default();
    if is_name(name) || name.strip_prefix('_').is_some_and(|rest| is_name(&format!("x{rest}"))) {
        return Ok(name.to_owned());
    }
    let shown = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let wrong = Wrong::new(format!("{} cannot be the name of a profile", quote(&shown))).hint(
        "name the file with small letters, digits, dots, - and _, at most 64 of them, and .toml at the end",
    );
    Err(Box::new(Problem { profiles: Some(vec![shown]), ..Problem::of_file(file, wrong) }))
}

/// What can be said of the accounts by name; none of one that is wrong.
type Accounts = BTreeMap<String, Option<Sides>>;

fn check_account(sheet: &mut Sheet, file: &Path, accounts: &Accounts) {
    let Some(leaf) = sheet.leaves.get_mut(["report".to_owned(), "account".to_owned()].as_slice()) else {
        return;
    };
    let Some(name) = leaf.value.as_ref().and_then(toml::Value::as_str) else { return };
    let Some(wrong) = no_carrier(name, accounts) else { return };
    sheet.problems.push(Problem::at(file, leaf.place.clone(), wrong));
    leaf.value = None;
}

fn check_fallback(sheet: &mut Sheet, file: &Path, accounts: &Accounts) {
    let Some(leaf) = sheet.leaves.get_mut(["report".to_owned(), "fallback".to_owned()].as_slice()) else {
        return;
    };
    let Some(value) = &leaf.value else { return };
    let names = value.as_array().map_or_else(|| vec![value], |items| items.iter().collect());
    let others = names
        .into_iter()
        .filter_map(toml::Value::as_str)
        .filter(|name| !["webhook", super::Way::IMAP_APPEND].contains(name));
    if let Some(wrong) = others.filter_map(|name| no_carrier(name, accounts)).next() {
        sheet.problems.push(Problem::at(file, leaf.place.clone(), wrong));
        leaf.value = None;
    }
}

/// Why no letter can go by this account. One that is wrong in itself was told of already.
fn no_carrier(name: &str, accounts: &Accounts) -> Option<Wrong> {
    match accounts.get(name) {
        Some(Some(sides)) if sides.carrier.is_none() => {
            let kinds = [("imap", sides.mailbox.is_some()), ("pop3", sides.maildrop.is_some())];
            let kinds: Vec<_> = kinds.into_iter().filter(|(_, there)| *there).map(|(kind, _)| kind).collect();
            let (name, kinds) = (quote(name), kinds.join(" and "));
            Some(
                Wrong::new(format!("the account {name} carries no letters: it only has {kinds}"))
                    .hint("add the server that takes letters: smtp = { host = \"smtp.example.org\" }"),
            )
        }
        Some(_) => None,
        None => Some(no_account(name, accounts)),
    }
}

fn no_account(name: &str, accounts: &Accounts) -> Wrong {
    let wrong = Wrong::new(format!("there is no account {}", quote(name)));
    match nearest(name, accounts.keys().map(String::as_str)) {
        Some(near) => wrong.hint(format!("did you mean {}?", quote(near))),
        None => wrong.hint("an account is a table in postkeep.toml: [accounts.NAME]"),
    }
}

/// Who names nobody gets the reports himself, where the account has an address of its own.
fn own_reader(rules: &mut ReportRules, accounts: &BTreeMap<String, Account>) {
    let account = rules.account.as_ref().and_then(|name| accounts.get(name));
    if let Some(own) = account.and_then(Account::own_address).filter(|_| rules.to.is_empty()) {
        rules.to.push(own.to_owned());
    }
}

#[cfg(test)]
pub(crate) mod tests;

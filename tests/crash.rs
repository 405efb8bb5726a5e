//! Killed at any moment, again and again: no half file under a final name, nothing lost, every run accounted for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{Chance, Sandbox, long, tree};

/// The content of a file's version: it tells which it is, and whether it is whole.
fn content(path: &str, version: u64) -> Vec<u8> {
    let line = format!("{path} v{version}\n");
    let bytes = path.bytes().map(u64::from).sum::<u64>() * (version + 7) % 97;
    let size = if bytes == 0 { 3_000_000 } else { bytes * 700 };
    line.bytes().cycle().take(usize::try_from(size).unwrap() + line.len()).collect()
}

/// The versions of the files below a folder, by path; panics at a file that is not whole.
fn whole_files(root: &Path) -> BTreeSet<(String, u64)> {
    let mut found = BTreeSet::new();
    // What is not finished has a name of ours, or lies in a folder that has.
    let finished =
        |entry: &walkdir::DirEntry| !entry.file_name().to_string_lossy().starts_with(".postkeep-tmp-");
    let walk = walkdir::WalkDir::new(root).into_iter().filter_entry(finished).filter_map(Result::ok);
    for entry in walk.filter(|entry| entry.file_type().is_file()) {
        let bytes = fs::read(entry.path()).unwrap();
        let line = String::from_utf8_lossy(bytes.split(|b| *b == b'\n').next().unwrap()).into_owned();
        let (path, version) =
            line.rsplit_once(" v").unwrap_or_else(|| panic!("{:?} is not whole", entry.path()));
        let version = version.parse().unwrap();
        assert!(bytes == content(path, version), "{:?} is not whole ({} bytes)", entry.path(), bytes.len());
        found.insert((path.to_owned(), version));
    }
    found
}

/// Changes about a tenth of the files.
fn change(sandbox: &Sandbox, files: &mut BTreeMap<String, u64>, round: u64, chance: &mut Chance) {
    for n in 0..200 {
        let path = format!("d{}/e{}/f{n}", n % 3, n % 7);
        if chance.below(10) > 0 && files.contains_key(&path) {
            continue;
        }
        let full = sandbox.path("source").join(&path);
        if files.contains_key(&path) && chance.below(3) == 0 {
            fs::remove_file(full).unwrap();
            files.remove(&path);
            continue;
        }
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, content(&path, round)).unwrap();
        files.insert(path, round);
    }
}

#[test]
fn killed_at_any_moment_nothing_is_half_done_lost_or_untold() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("source")).unwrap();
    sandbox.profile("docs", "mode = \"mirror\"\nmax-delete = false");
    let (seed, kills) = (0x706f_7374, if long() { 250 } else { 30 });
    let mut chance = Chance(seed);
    let mut files = BTreeMap::new();
    change(&sandbox, &mut files, 0, &mut chance);
    sandbox.run(&["run", "docs"]).expect(0);
    change(&sandbox, &mut files, 1, &mut chance);
    let begun = Instant::now();
    sandbox.run(&["run", "docs"]).expect(0);
    let usual = u64::try_from(begun.elapsed().as_micros()).unwrap();

    let target = sandbox.path("target");
    let mut killed = 0;
    for round in 2..kills + 2 {
        change(&sandbox, &mut files, round, &mut chance);
        let before = whole_files(&target);
        let mut run = sandbox.command(&["run", "docs"]);
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(chance.below(usual)));
        run.kill().unwrap();
        let status = run.wait().unwrap();
        killed += u64::from(status.code().is_none());
        // Old versions lie below the target too: what was there before is somewhere.
        let after = whole_files(&target);
        let lost: Vec<_> = before.difference(&after).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?} are gone");
        // Now and then a run comes to its end.
        if round % 10 == 0 {
            sandbox.run(&["run", "docs"]).expect(0);
            assert_eq!(tree(&target), tree(&sandbox.path("source")), "round {round}");
        }
    }
    assert!(killed * 3 > kills, "only {killed} of {kills} were killed at work");
    sandbox.run(&["run", "docs"]).expect(0);
    assert_eq!(tree(&target), tree(&sandbox.path("source")));
    let left = walkdir::WalkDir::new(&target).into_iter().map(|entry| entry.unwrap().path().to_owned());
    let left: Vec<_> = left.filter(|path| path.to_string_lossy().contains(".postkeep-tmp-")).collect();
    assert!(left.is_empty(), "{left:?} are left");

    // Every run that began is told of, once.
    let history = sandbox.history();
    let letters = sandbox.letters();
    let mut told = BTreeMap::<String, u64>::new();
    for letter in &letters {
        let letter = mail_parser::MessageParser::default().parse(letter).unwrap();
        *told.entry(letter.message_id().unwrap().split('.').next().unwrap().to_owned()).or_default() += 1;
    }
    let mut interrupted = 0;
    for run in &history {
        let (id, status) = (run["id"].as_str().unwrap(), run["status"].as_str().unwrap());
        assert!(["ok", "unchanged", "interrupted"].contains(&status), "{run}");
        interrupted += u64::from(status == "interrupted");
        let letters = told.get(id).copied().unwrap_or(0);
        // That nothing had to be done is only told where it is the recovery from an interruption.
        assert!(letters == 1 || letters == 0 && status == "unchanged", "{letters} letters of the run {run}");
    }
    assert!(interrupted > 0 && interrupted <= killed, "{interrupted} interrupted, {killed} killed");
    eprintln!("{killed} of {kills} kills hit a run at work, {interrupted} left an interrupted run");
}

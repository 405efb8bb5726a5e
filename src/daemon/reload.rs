//! The configuration while the agent runs: what is edited is taken up, and a broken edit changes nothing but the mail.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::agent;
use crate::error::Result;
use crate::profile::{Config, Severity};

/// How long a problem has to be there before it is mailed: somebody may be in the middle of an edit.
const PATIENCE: SignedDuration = SignedDuration::from_mins(1);

/// How often problems that stay are told to the agent, who knows when they are to be mailed again.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// The configuration that is followed, and what is wrong with the one that lies in the folder.
pub(super) struct Settings {
    dir: PathBuf,
    state_dir: PathBuf,
    /// What is followed.
    pub config: Arc<Config>,
    /// What is wrong, for people.
    pub problems: Vec<String>,
    /// Profiles that go on with their last good version.
    pub kept: Vec<String>,
    /// Profiles that do not run.
    pub stopped: Vec<String>,
    /// When the problems are to be told; None where there are none, and that is known.
    tell_at: Option<Timestamp>,
    stamp: Stamp,
}

impl Settings {
    /// Reads the configuration for the first time.
    ///
    /// # Errors
    /// There is no configuration folder.
    pub fn load(dir: &Path, state_dir: &Path, now: Timestamp) -> Result<Self> {
        let stamp = Stamp::take(dir);
        let loaded = agent::configuration(dir, state_dir)?;
        let mut settings = Self {
            dir: dir.to_owned(),
            state_dir: state_dir.to_owned(),
            config: Arc::new(loaded.config.clone()),
            problems: Vec::new(),
            kept: Vec::new(),
            stopped: Vec::new(),
            tell_at: Some(now),
            stamp,
        };
        settings.judge(&loaded, now);
        Ok(settings)
    }

    /// Whether a file was changed since it was read last.
    pub fn is_stale(&self) -> bool {
        !self.stamp.holds(&self.dir)
    }

    /// Reads it again. Sound profiles are taken up; one that cannot be used any more goes on as it was.
    pub fn reload(&mut self, now: Timestamp) {
        let stamp = Stamp::take(&self.dir);
        let loaded = match agent::configuration(&self.dir, &self.state_dir) {
            Ok(loaded) => loaded,
            Err(error) => {
                // All of it is gone: nothing changes but the mail.
                let kept = self.config.profiles.iter().map(|profile| profile.name.clone()).collect();
                self.judged(vec![error.one_line()], kept, Vec::new(), now);
                self.stamp = stamp;
                return;
            }
        };
        self.stamp = stamp;
        self.judge(&loaded, now);
        let errors = || loaded.problems.iter().filter(|problem| problem.severity == Severity::Error);
        // An error that is of no profile is of the main file: what it says of accounts and readers is not to be trusted.
        if errors().any(|problem| problem.profiles.is_none()) {
            return;
        }
        let mut config = loaded.config;
        let old = self.config.profiles.iter().filter(|profile| self.kept.contains(&profile.name));
        config.profiles.extend(old.cloned());
        config.profiles.sort_by(|a, b| a.name.cmp(&b.name));
        self.config = Arc::new(config);
    }

    fn judge(&mut self, loaded: &crate::profile::Loaded, now: Timestamp) {
        let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error);
        let problems: Vec<String> = errors.map(|problem| problem.render(false)).collect();
        let sound: BTreeSet<&str> =
            loaded.config.profiles.iter().map(|profile| profile.name.as_str()).collect();
        let known: BTreeSet<&str> =
            self.config.profiles.iter().map(|profile| profile.name.as_str()).collect();
        let broken = loaded.names.iter().filter(|name| !sound.contains(name.as_str()));
        let (kept, stopped): (Vec<String>, Vec<String>) =
            broken.cloned().partition(|name| known.contains(name.as_str()));
        self.judged(problems, kept, stopped, now);
    }

    fn judged(&mut self, problems: Vec<String>, kept: Vec<String>, stopped: Vec<String>, now: Timestamp) {
        if problems != self.problems || stopped != self.stopped {
            let patience = if problems.is_empty() { SignedDuration::ZERO } else { PATIENCE };
            self.tell_at = now.checked_add(patience).ok();
        }
        (self.problems, self.kept, self.stopped) = (problems, kept, stopped);
    }

    /// Whether the problems are to be told now, or that there are none any more.
    pub fn is_to_be_told(&self, now: Timestamp) -> bool {
        self.tell_at.is_some_and(|at| now >= at)
    }

    /// They were told.
    pub fn told(&mut self, now: Timestamp) {
        self.tell_at = if self.problems.is_empty() { None } else { now.checked_add(AGAIN).ok() };
    }
}

/// What a file or folder is known by: when it was changed, and how large it is; None if it is not there.
type Seen = Option<(i64, i64, u64)>;

/// What changes when the configuration is edited: the folder of profiles, and each file.
#[derive(PartialEq)]
struct Stamp {
    folder: Seen,
    files: Vec<(PathBuf, Seen)>,
}

impl Stamp {
    fn take(dir: &Path) -> Self {
        let profiles = dir.join(crate::profile::PROFILES);
        let mut files = vec![dir.join(crate::profile::MAIN_FILE)];
        // Before the list: what is added meanwhile is found by the next look.
        let folder = seen(&profiles);
        files.extend(std::fs::read_dir(&profiles).into_iter().flatten().flatten().map(|entry| entry.path()));
        Self { folder, files: files.into_iter().map(|file| (file.clone(), seen(&file))).collect() }
    }

    /// Whether all is as it was. Nothing is opened or listed for that: each minute that would raise events, and wake up
    /// the thread that waits for those of others.
    fn holds(&self, dir: &Path) -> bool {
        let folder = seen(&dir.join(crate::profile::PROFILES));
        folder == self.folder && self.files.iter().all(|(file, was)| seen(file) == *was)
    }
}

fn seen(path: &Path) -> Seen {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.mtime(), meta.mtime_nsec(), meta.size()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_broken_edit_keeps_the_last_good_version() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("config");
        fs::create_dir_all(dir.join("profiles")).unwrap();
        let plain = |target: &str, more: &str| {
            format!("kind = 'sync'\nsource = '/s'\ntarget = '/{target}'\nmode = 'copy'\n{more}\n")
        };
        let write =
            |name: &str, text: &str| fs::write(dir.join(format!("profiles/{name}.toml")), text).unwrap();
        write("a", &plain("a", "every = '1h'"));
        write("b", &plain("b", ""));
        let at = |minutes: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        let mut settings = Settings::load(&dir, &temp.path().join("state"), at(0)).unwrap();
        let names = |settings: &Settings| -> Vec<String> {
            settings.config.profiles.iter().map(|profile| profile.name.clone()).collect()
        };
        assert_eq!(names(&settings), ["a", "b"]);
        assert!(settings.is_to_be_told(at(0)) && !settings.is_stale());
        settings.told(at(0));

        write("a", &plain("a", "evry = '2h'"));
        write("c", &plain("c", "source = 5"));
        assert!(settings.is_stale());
        settings.reload(at(1));
        assert_eq!(names(&settings), ["a", "b"]);
        assert_eq!((settings.kept.clone(), settings.stopped.clone()), (vec!["a".into()], vec!["c".into()]));
        assert!(settings.config.profiles[0].timing.is_automatic());
        assert!(!settings.is_to_be_told(at(1)) && settings.is_to_be_told(at(2)));
        settings.told(at(2));
        settings.reload(at(3));
        assert!(!settings.is_to_be_told(at(9)), "the same problems are told once");
        assert!(settings.is_to_be_told(at(62)), "but not forgotten");

        // The main file is broken: nothing is believed, everything goes on.
        fs::write(dir.join("postkeep.toml"), "x = 1").unwrap();
        write("b", &plain("other", ""));
        settings.reload(at(10));
        assert_eq!(names(&settings), ["a", "b"]);
        fs::remove_file(dir.join("postkeep.toml")).unwrap();
        write("a", &plain("a", ""));
        fs::remove_file(dir.join("profiles/b.toml")).unwrap();
        fs::remove_file(dir.join("profiles/c.toml")).unwrap();
        settings.reload(at(11));
        assert_eq!((names(&settings), settings.kept.len()), (vec!["a".to_owned()], 0));
        assert!(settings.is_to_be_told(at(11)), "that all is well again is remembered at once");
        fs::remove_dir_all(&dir).unwrap();
        assert!(settings.is_stale());
        settings.reload(at(12));
        assert_eq!((names(&settings), settings.problems.len()), (vec!["a".to_owned()], 1));
    }
}

//! Which path concerns whom, and how often he hears of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use notify::EventKind;

use super::super::event::Event;
use crate::filter::Filter;
use crate::profile::Profile;

/// A profile that wants to hear of its source.
struct Route {
    profile: String,
    /// The source as it is written.
    source: PathBuf,
    /// The name under which its events come.
    root: PathBuf,
    /// Ours, or the run's own work: a target that lies in the source.
    not: Vec<PathBuf>,
    filter: Option<Filter>,
}

/// All of them.
pub(super) struct Routes {
    events: Sender<Event>,
    routes: Vec<Route>,
    config: Option<PathBuf>,
    told: BTreeMap<String, Instant>,
    again: Duration,
    limit: bool,
}

impl Routes {
    /// Tells of the same profile again after `again` at the earliest.
    pub fn new(events: Sender<Event>, again: Duration) -> Self {
        Self { events, routes: Vec::new(), config: None, told: BTreeMap::new(), again, limit: false }
    }

    pub fn set_config(&mut self, folder: &Path) {
        self.config = Some(folder.to_owned());
    }

    pub fn clear(&mut self) {
        self.routes.clear();
    }

    /// Events below `root`, which is the profile's `source` without links, concern it.
    pub fn add(&mut self, profile: &Profile, source: &Path, root: &Path, state: &Path) {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        // Ages do not matter to names, so neither does the time.
        let filter = profile.job.filter().and_then(|rules| Filter::new(rules, Timestamp::UNIX_EPOCH).ok());
        let not = profile.job.written().into_iter().chain([state]).map(real).collect();
        let (source, root) = (source.to_owned(), root.to_owned());
        self.routes.push(Route { profile: profile.name.clone(), source, root, not, filter });
    }

    /// This source has another name now under which its events come.
    pub fn moved(&mut self, source: &Path, root: &Path) {
        for route in self.routes.iter_mut().filter(|route| route.source == source) {
            root.clone_into(&mut route.root);
        }
    }

    /// Whether more folders would have to be watched than may be; asked once.
    pub fn take_limit(&mut self) -> bool {
        std::mem::take(&mut self.limit)
    }

    /// Takes what the kernel says.
    pub fn hear(&mut self, event: notify::Result<notify::Event>) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                self.limit |= matches!(error.kind, notify::ErrorKind::MaxFilesWatch);
                return self.tell_all();
            }
        };
        // Reading raises events too, our own reading first of all.
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        if event.need_rescan() {
            return self.tell_all();
        }
        for path in &event.paths {
            if self.config.as_ref().is_some_and(|config| path.starts_with(config)) {
                let _ = self.events.send(Event::Configuration);
            }
            let concerned: Vec<String> = self
                .routes
                .iter()
                .filter(|route| route.takes(path))
                .map(|route| route.profile.clone())
                .collect();
            concerned.iter().for_each(|profile| self.tell(profile));
        }
    }

    fn tell_all(&mut self) {
        let all: Vec<String> = self.routes.iter().map(|route| route.profile.clone()).collect();
        all.iter().for_each(|profile| self.tell(profile));
    }

    /// Tells that something changed, unless it was told just now: in a storm there are thousands a second.
    pub fn tell(&mut self, profile: &str) {
        let now = Instant::now();
        if self.told.get(profile).is_some_and(|told| now.duration_since(*told) < self.again) {
            return;
        }
        self.told.insert(profile.to_owned(), now);
        let _ = self.events.send(Event::Changed(profile.to_owned()));
    }
}

impl Route {
    fn takes(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.root) else { return false };
        let ours = self.not.iter().any(|not| not != &self.root && path.starts_with(not));
        !ours && !self.filter.as_ref().is_some_and(|filter| filter.excludes_name(below))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use notify::event::{AccessKind, CreateKind, Flag};

    use super::*;

    fn routes(keys: &str) -> (Routes, mpsc::Receiver<Event>) {
        let text = format!(
            "kind = 'sync'\nsource = '/src'\ntarget = '/src/copy'\nmode = 'copy'\non-change = true\n{keys}\n"
        );
        let profile = crate::profile::testing::one(&text);
        let (events, heard) = mpsc::channel();
        let mut routes = Routes::new(events, Duration::from_millis(200));
        routes.add(&profile, Path::new("/src"), Path::new("/src"), Path::new("/src/.state"));
        (routes, heard)
    }

    #[test]
    fn only_what_a_run_would_look_at_is_told() {
        for (path, told) in [
            ("/src/a", true),
            ("/src/deep/b.txt", true),
            ("/src", true),
            ("/srcs/a", false),
            ("/src/copy/a", false),
            ("/src/.state/state.db-wal", false),
            ("/src/x.tmp", false),
            ("/src/cache/x/y", false),
            ("/src/.postkeep-tmp-1", false),
        ] {
            let (mut routes, heard) = routes("exclude = ['*.tmp', '/cache/', '/copy']");
            let event = notify::Event::new(EventKind::Create(CreateKind::Any)).add_path(path.into());
            routes.hear(Ok(event));
            assert_eq!(heard.try_recv().is_ok(), told, "{path}");
        }
    }

    #[test]
    fn each_source_of_a_backup_is_heard_by_its_own_paths() {
        let profile = crate::profile::testing::one(
            "kind = 'backup'\nsource = ['/a', '/b', '/c/file']\nvault = '/a/vault'\nvault-keyring = true\n\
             exclude = ['/vault', '/cache']\non-change = true\n",
        );
        let (events, heard) = mpsc::channel();
        let mut routes = Routes::new(events, Duration::ZERO);
        for (source, root) in [("/a", "/a"), ("/b", "/real/b"), ("/c/file", "/c/file")] {
            routes.add(&profile, Path::new(source), Path::new(root), Path::new("/state"));
        }
        let hear = |routes: &mut Routes, path: &str| {
            let event = notify::Event::new(EventKind::Create(CreateKind::Any)).add_path(path.into());
            routes.hear(Ok(event));
            heard.try_iter().count() > 0
        };
        for (path, told) in [
            ("/a/x", true),
            ("/a/cache/x", false),
            ("/a/vault/data/00", false),
            ("/real/b/x", true),
            ("/real/b/cache/x", false),
            ("/b/x", false),
            ("/c/file", true),
            ("/c/other", false),
        ] {
            assert_eq!(hear(&mut routes, path), told, "{path}");
        }
        routes.moved(Path::new("/b"), Path::new("/other/b"));
        assert!(
            hear(&mut routes, "/other/b/x") && !hear(&mut routes, "/real/b/x") && hear(&mut routes, "/a/x")
        );
    }

    #[test]
    fn a_storm_is_told_a_few_times_and_a_lost_event_to_all() {
        let (mut routes, heard) = routes("");
        for n in 0..10_000 {
            let event =
                notify::Event::new(EventKind::Create(CreateKind::Any)).add_path(format!("/src/{n}").into());
            routes.hear(Ok(event));
        }
        assert!((1..20).contains(&heard.try_iter().count()));
        let (mut routes, heard) = self::routes("");
        routes.hear(Ok(notify::Event::new(EventKind::Access(AccessKind::Any)).add_path("/src/a".into())));
        assert!(heard.try_recv().is_err());
        routes.hear(Ok(notify::Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        assert!(matches!(heard.try_recv(), Ok(Event::Changed(_))));
        let (mut routes, heard) = self::routes("");
        routes.hear(Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)));
        assert!(heard.try_recv().is_ok() && routes.take_limit() && !routes.take_limit());
    }
}

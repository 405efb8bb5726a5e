//! Watches the sources of profiles that run on changes, and the configuration.
//!
//! Events are hints: they say that something changed, never what. A run compares everything itself, so a lost event
//! costs time and no file. What inotify does not tell is found by a look each minute: a root that was deleted and made
//! anew, or that something was mounted over. What it cannot tell at all (network file systems, more folders than may be
//! watched) is run every few minutes instead, and the status says why.

mod root;
mod route;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use self::root::Root;
use self::route::Routes;
use super::event::Event;
use super::protocol::Watched;
use crate::error::{Context, Result};
use crate::mutex::lock;
use crate::profile::Profile;

/// Of so many looks, one a minute, each lets a profile run whose source cannot be watched.
const POLL: u32 = 10;

/// What the thread is told.
enum Command {
    /// Watch the sources of these profiles from now on.
    Set(Vec<Profile>),
    /// Look whether the roots are still those that are watched.
    Look,
}

/// The watcher.
pub(super) struct Watch {
    tell: Sender<Command>,
    seen: Arc<Mutex<Vec<Watched>>>,
}

impl Watch {
    /// Begins with nothing but the configuration in `config_dir`.
    pub fn new(config_dir: PathBuf, state_dir: PathBuf, events: Sender<Event>, pace: u32) -> Result<Self> {
        let (tell, told) = mpsc::channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let keeper = Keeper {
            state_dir,
            config_dir,
            routes: Arc::new(Mutex::new(Routes::new(events, AGAIN / pace.max(1)))),
            seen: Arc::clone(&seen),
            roots: BTreeMap::new(),
            watcher: None,
            looks: 0,
        };
        let thread = std::thread::Builder::new().name("watch".into());
        thread.spawn(move || keeper.work(&told)).context(|| "cannot watch folders".into())?;
        Ok(Self { tell, seen })
    }

    /// Watches the sources of those profiles that run on changes.
    pub fn set(&self, profiles: &[Profile]) {
        let on_change = profiles.iter().filter(|profile| profile.timing.on_change.is_some());
        let _ = self.tell.send(Command::Set(on_change.cloned().collect()));
    }

    /// To be called each minute.
    pub fn look(&self) {
        // Where nothing is watched nobody is woken up.
        if !lock(&self.seen).is_empty() {
            let _ = self.tell.send(Command::Look);
        }
    }

    /// How the sources are watched.
    pub fn seen(&self) -> Vec<Watched> {
        lock(&self.seen).clone()
    }
}

/// The thread: it may hang in a dead network file system, and nothing else does then.
struct Keeper {
    state_dir: PathBuf,
    config_dir: PathBuf,
    routes: Arc<Mutex<Routes>>,
    seen: Arc<Mutex<Vec<Watched>>>,
    /// By source as it is written.
    roots: BTreeMap<PathBuf, Root>,
    watcher: Option<RecommendedWatcher>,
    looks: u32,
}

impl Keeper {
    fn work(mut self, told: &Receiver<Command>) {
        self.begin();
        while let Ok(command) = told.recv() {
            match command {
                Command::Set(profiles) => self.set(&profiles),
                Command::Look => self.look(),
            }
            self.tell();
        }
    }

    fn begin(&mut self) {
        let routes = Arc::clone(&self.routes);
        let heard = move |event: notify::Result<notify::Event>| {
            lock(&routes).hear(event);
        };
        let config = notify::Config::default().with_follow_symlinks(false);
        // Without events everything is looked through now and then.
        self.watcher = RecommendedWatcher::new(heard, config).ok();
        for folder in [self.config_dir.clone(), self.config_dir.join(crate::profile::PROFILES)] {
            if let Some(watcher) = &mut self.watcher {
                // Where it cannot be watched, the look each minute finds what changed.
                let _ = watcher.watch(&folder, RecursiveMode::NonRecursive);
            }
        }
        self.lock().set_config(&self.config_dir);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Routes> {
        lock(&self.routes)
    }

    fn set(&mut self, profiles: &[Profile]) {
        let mut wanted: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
        for profile in profiles {
            for source in profile.job.sources() {
                wanted.entry(source.to_owned()).or_default().push(profile.name.clone());
            }
        }
        let gone: Vec<_> =
            self.roots.keys().filter(|source| !wanted.contains_key(*source)).cloned().collect();
        let mut let_go = !gone.is_empty();
        for source in gone {
            if let Some(mut root) = self.roots.remove(&source) {
                root.unwatch(self.watcher.as_mut());
            }
        }
        for (source, names) in wanted {
            let root = self.roots.entry(source.clone()).or_insert_with(|| Root::new(source));
            root.profiles = names;
            let_go |= root.look(self.watcher.as_mut());
        }
        if let_go {
            self.again();
        }
        self.route(profiles);
    }

    /// Says which path concerns whom. Roots are known by the names under which they are watched.
    fn route(&self, profiles: &[Profile]) {
        let mut routes = self.lock();
        routes.clear();
        for profile in profiles {
            for source in profile.job.sources() {
                let Some(real) = self.roots.get(source).and_then(Root::real) else { continue };
                routes.add(profile, source, real, &self.state_dir);
            }
        }
    }

    fn look(&mut self) {
        self.looks = self.looks.wrapping_add(1);
        let limit = self.lock().take_limit();
        let mut changed = Vec::new();
        let mut moved = false;
        for root in self.roots.values_mut() {
            if limit {
                root.give_up(self.watcher.as_mut());
            }
            let is_new = root.look(self.watcher.as_mut());
            moved |= is_new;
            if is_new || (root.polled().is_some() && self.looks.is_multiple_of(POLL)) {
                changed.extend(root.profiles.iter().cloned());
            }
        }
        if moved || limit {
            self.again();
        }
        let mut routes = self.lock();
        if moved {
            for (source, root) in &self.roots {
                if let Some(real) = root.real() {
                    routes.moved(source, real);
                }
            }
        }
        changed.iter().for_each(|profile| routes.tell(profile));
    }

    /// Sources may lie in each other: to let one go lets parts of others go.
    fn again(&mut self) {
        for root in self.roots.values_mut() {
            root.again(self.watcher.as_mut());
        }
    }

    fn tell(&self) {
        // Of several sources the one that cannot be watched says how soon all are looked at.
        let mut seen: BTreeMap<&str, Option<String>> = BTreeMap::new();
        for root in self.roots.values() {
            let polled = root.polled().map(|why| format!("{why}; it is looked through every {POLL} minutes"));
            for profile in &root.profiles {
                let known = seen.entry(profile).or_default();
                *known = known.take().or_else(|| polled.clone());
            }
        }
        let seen = seen.into_iter().map(|(profile, polled)| Watched { profile: profile.into(), polled });
        *lock(&self.seen) = seen.collect();
    }
}

/// How soon the same profile is told again. It is less than any time of quiet that a profile can ask for: what happens
/// in between, and is not told, happens before the run that is.
const AGAIN: Duration = Duration::from_millis(200);

//! The configuration as it lies on this machine: read, and checked against the disk.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use crate::error::{Context as _, Error, Kind, Result};
use crate::mutex::lock;
use crate::profile::{self, Env, Loaded, Seen};

/// Everything that is in the configuration's folder `dir`, checked against the disk too. `state` is the state folder.
///
/// # Errors
/// There is no such folder. What is wrong with the files is in the problems of what is loaded.
pub fn configuration(dir: &Path, state: &Path) -> Result<Loaded> {
    match std::fs::metadata(dir) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Err(Error::new(Kind::Config, format!("{} is not a folder", dir.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::new(
                Kind::Config,
                format!("there is no configuration: {} does not exist", dir.display()),
            )
            .hint("`postkeep init` asks a few questions and writes a first profile"));
        }
        Err(error) => {
            let message = format!("cannot look at the configuration folder {}", dir.display());
            return Err(Error::new(Kind::Config, message).caused_by(error));
        }
    }
    let mut loaded = profile::load(dir, &environment()?);
    let state = std::path::absolute(state).context(|| "cannot tell where the state folder is".into())?;
    // Of a thousand profiles many look at the same folders.
    let known = RefCell::new(BTreeMap::new());
    let look = |path: &Path| -> Seen {
        let mut known = known.borrow_mut();
        known.entry(path.to_owned()).or_insert_with(|| look_in_time(path)).clone()
    };
    loaded.add(profile::check(&loaded, &state, &look));
    Ok(loaded)
}

/// This process's environment.
///
/// # Errors
/// There is no current folder.
pub fn environment() -> Result<Env<'static>> {
    Ok(Env {
        home: std::env::home_dir(),
        cwd: std::env::current_dir().context(|| "cannot tell the current folder".into())?,
        var: &|name| std::env::var_os(name),
    })
}

/// How long a look at a path may take. A dead network file system does not even say that it is dead.
const PATIENCE: Duration = Duration::from_secs(2);

/// A thread that looks at paths, and may never come back.
struct Looker {
    ask: Sender<PathBuf>,
    seen: Receiver<Seen>,
}

/// The one that looks, and the paths at which others before it still do.
#[derive(Default)]
struct Looking {
    looker: Option<Looker>,
    lost: Arc<Mutex<BTreeSet<PathBuf>>>,
}

/// What this machine has at a path, as [`look_at`] says it; unknown if that takes too long, or took too long for a
/// folder above it and is not over yet.
pub fn look_in_time(path: &Path) -> Seen {
    static LOOKING: LazyLock<Mutex<Looking>> = LazyLock::new(Mutex::default);
    let mut looking = lock(&LOOKING);
    let lost = Arc::clone(&looking.lost);
    if lock(&lost).iter().any(|lost| path.starts_with(lost)) {
        return Seen::Unknown;
    }
    let looker = looking.looker.get_or_insert_with(|| Looker::start(Arc::clone(&lost)));
    // It takes the path off the list when it has looked, however late that is.
    lock(&lost).insert(path.to_owned());
    let asked = looker.ask.send(path.to_owned());
    if asked.is_err() {
        lock(&lost).remove(path);
    }
    let answer = asked.ok().and_then(|()| looker.seen.recv_timeout(PATIENCE).ok());
    answer.unwrap_or_else(|| {
        // Somebody else looks from now on.
        looking.looker = None;
        Seen::Unknown
    })
}

impl Looker {
    fn start(lost: Arc<Mutex<BTreeSet<PathBuf>>>) -> Self {
        let (ask, asked) = mpsc::channel::<PathBuf>();
        let (tell, seen) = mpsc::channel();
        let thread = std::thread::Builder::new().name("look".into()).spawn(move || {
            while let Ok(path) = asked.recv() {
                let found = look_at(&path);
                lock(&lost).remove(&path);
                if tell.send(found).is_err() {
                    return;
                }
            }
        });
        // Without a thread nobody answers, and all is unknown.
        drop(thread);
        Self { ask, seen }
    }
}

/// What this machine has at a path.
pub fn look_at(path: &Path) -> Seen {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match (std::fs::metadata(path), std::fs::canonicalize(path)) {
        (Ok(meta), Ok(real)) if meta.is_dir() => Seen::Folder(real),
        (Ok(_), Ok(real)) => Seen::Other(real),
        (Err(error), _) if matches!(error.kind(), NotFound | NotADirectory) => Seen::Missing,
        _ => Seen::Unknown,
    }
}

//! The configuration as it lies on this machine: read, and checked against the disk.

use std::path::Path;

use crate::error::{Context as _, Error, Kind, Result};
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
    loaded.add(profile::check(&loaded, &state, &look_at));
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

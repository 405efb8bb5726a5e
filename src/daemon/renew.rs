//! The agent takes up a new version of itself: when its program was replaced, and nothing runs.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// How long a new program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a file is known by.
type Identity = (u64, u64, i64, i64, u64);

/// The program that runs, as it was at the start.
pub(super) struct Program {
    path: PathBuf,
    was: Identity,
    /// What lay there at the last look: a copy that is still being written changes from look to look.
    last: Identity,
    /// One that does not work is not tried again.
    refused: Option<Identity>,
}

impl Program {
    /// This program; None where the system does not say which it is.
    pub fn this() -> Option<Self> {
        let path = std::env::current_exe().ok()?;
        let was = identity(&path)?;
        Some(Self { path, was, last: was, refused: None })
    }

    /// Whether another program lies in its place since the last look at least, and works. To be asked each minute.
    pub fn is_replaced(&mut self) -> Result<bool, String> {
        let Some(now) = identity(&self.path) else { return Ok(false) };
        let settled = std::mem::replace(&mut self.last, now) == now;
        if now == self.was || !settled || self.refused == Some(now) {
            return Ok(false);
        }
        let mut command = Command::new(&self.path);
        command.arg("--version");
        match crate::child::run(command, Vec::new(), PATIENCE) {
            Ok(ended) if ended.status.success() && ended.stdout.starts_with(b"postkeep ") => Ok(true),
            _ => {
                self.refused = Some(now);
                Err(format!(
                    "{} was replaced by something that is no postkeep; this one goes on",
                    self.path.display()
                ))
            }
        }
    }

    /// Becomes the new program, with the same arguments. Comes back only if that fails.
    pub fn become_it(&self) -> std::io::Error {
        Command::new(&self.path).args(std::env::args_os().skip(1)).exec()
    }
}

fn identity(path: &std::path::Path) -> Option<Identity> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.size()))
}

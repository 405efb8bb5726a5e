//! What the agent says of itself: `agent.log` in the state folder, and standard error for whoever started it.
//!
//! A line has the time and a message. At 1 MiB the file becomes `agent.log.1`, in the place of an older one.

mod read;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use self::read::Reader;
use crate::entry::show;
use crate::error::{Context, Result};
use crate::mutex::lock;

/// The file's name in the state folder.
const NAME: &str = "agent.log";
/// The name of the one before it.
const EARLIER: &str = "agent.log.1";
/// How long a file gets.
const MOST: u64 = 1 << 20;

/// The agent's log. What cannot be written is not written: a full disk does not stop an agent.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    earlier: PathBuf,
    to: Mutex<To>,
    /// Standard error goes to journald, which knows the time by itself.
    bare: bool,
    most: u64,
}

#[derive(Debug)]
struct To {
    file: File,
    size: u64,
    /// The last line is not whole: the disk was full.
    torn: bool,
}

impl Journal {
    /// Opens the log in the state folder, which is made if need be. Only one process may write it at a time: the one
    /// that holds the agent's lock.
    ///
    /// # Errors
    /// The file cannot be opened or made.
    pub fn open(state_dir: &Path) -> Result<Self> {
        let path = state_dir.join(NAME);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(state_dir);
        let opened = made.and_then(|()| To::open(&path));
        let to = opened.context(|| format!("cannot open the agent's log {}", path.display()))?;
        let earlier = state_dir.join(EARLIER);
        Ok(Self { path, earlier, to: Mutex::new(to), bare: is_journald(), most: MOST })
    }

    /// Says a line. Whatever is in it, it stays one harmless line.
    pub fn say(&self, now: Timestamp, line: &str) {
        let line = show(line.as_bytes());
        let time = now.to_zoned(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%:z");
        let stamped = format!("{time} {line}\n");
        let heard = if self.bare { format!("{line}\n") } else { stamped.clone() };
        let _ = io::stderr().lock().write_all(heard.as_bytes());
        let mut to = lock(&self.to);
        if to.size > 0 && to.size + stamped.len() as u64 > self.most {
            let _ = fs::rename(&self.path, &self.earlier);
        }
        // Renamed just now; or somebody removed the file, or put another in its place.
        if !to.is_at(&self.path) {
            let Ok(new) = To::open(&self.path) else { return };
            *to = new;
        }
        to.write(stamped.as_bytes());
    }
}

impl To {
    fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        let file = options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()).open(path)?;
        let meta = file.metadata()?;
        if meta.mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(meta.mode() & 0o700))?;
        }
        Ok(Self { file, size: meta.len(), torn: false })
    }

    fn is_at(&self, path: &Path) -> bool {
        let same = |there: fs::Metadata| {
            self.file.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
        };
        fs::symlink_metadata(path).is_ok_and(same)
    }

    fn write(&mut self, line: &[u8]) {
        if self.torn && self.file.write_all(b"\n").is_err() {
            return;
        }
        self.torn = self.file.write_all(line).is_err();
        self.size = self.file.metadata().map_or(self.size, |meta| meta.len());
    }
}

/// Whether standard error is the socket that systemd names in `JOURNAL_STREAM`. The variable alone says little: whoever
/// is started from a service has it, with whatever standard error.
fn is_journald() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else { return false };
    let here = rustix::fs::fstat(io::stderr()).map(|stat| format!("{}:{}", stat.st_dev, stat.st_ino));
    here.is_ok_and(|here| stream == here.as_str())
}

#[cfg(test)]
mod tests;

//! The locks that mail programs hold while they write into an mbox.
//!
//! They agree on no kind of lock, so all are looked at that mutt, Dovecot, Postfix and Python use: fcntl, flock, and a
//! file `NAME.lock` beside it. That file is only looked for: where mail lies nothing is written.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::io::Errno;

/// How long a lock is waited for: a delivery takes less.
const WAIT: Duration = if cfg!(test) { Duration::from_millis(200) } else { Duration::from_secs(10) };

/// How long to rest between two tries.
const REST: Duration = Duration::from_millis(50);

/// What left a file `NAME.lock` behind for so long is gone. Postfix gives it 500 seconds.
const STALE: Duration = Duration::from_secs(600);

/// A file that nobody else writes into who asks before. Programs that only read are not kept out.
pub(super) struct Lock<'a>(&'a File);

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        let _ = fcntl_lock(self.0, FlockOperation::Unlock);
        let _ = flock(self.0, FlockOperation::Unlock);
    }
}

/// Locks a file, whose name is `path`. An error is the sentence that says who holds it.
pub(super) fn lock<'a>(file: &'a File, path: &Path) -> Result<Lock<'a>, String> {
    let beside = beside(path);
    let start = Instant::now();
    loop {
        match attempt(file, &beside) {
            Err(_) if start.elapsed() < WAIT => std::thread::sleep(REST),
            done => return done,
        }
    }
}

fn attempt<'a>(file: &'a File, beside: &Path) -> Result<Lock<'a>, String> {
    // What was locked before something else was not is unlocked when this goes.
    let lock = Lock(file);
    for ask in [fcntl_lock::<&File>, flock] {
        let asked = ask(file, FlockOperation::NonBlockingLockShared);
        // A file system without locks has none that could be held.
        if let Err(Errno::AGAIN | Errno::ACCESS | Errno::INTR) = asked {
            return Err("another program holds a lock on it".into());
        }
    }
    match held(beside) {
        true => Err(format!("{} says that another program writes into it", beside.display())),
        false => Ok(lock),
    }
}

fn held(beside: &Path) -> bool {
    let modified = std::fs::symlink_metadata(beside).and_then(|meta| meta.modified());
    modified.is_ok_and(|time| near(time) < STALE)
}

/// How far a time is from now. That of another machine may lie ahead.
pub(super) fn near(time: SystemTime) -> Duration {
    SystemTime::now().duration_since(time).unwrap_or_else(|ahead| ahead.duration())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

//! Who is at work: one run per profile, one delivery at a time, and no two runs in each other's folders.
//!
//! All locks are `flock`s on files below `locks/`: the kernel frees them when their holder ends, however it ends.
//! They exclude runs that use the same state folder.
//!
//! **Names.** `profile-NAME` and `outbox` are files that stay; holding one is holding its exclusive lock.
//!
//! **Folders.** A run reads its source and writes its target. Two runs go together unless one writes a folder
//! that is, contains or lies inside a folder which the other reads or writes:
//!
//! | held / wanted | read inside, around or same | write inside, around or same |
//! |---|---|---|
//! | **read**      | yes                         | no                           |
//! | **write**     | no                          | no                           |
//!
//! Shared and exclusive locks on the folder and those above it cannot say this: a reader of `/a` would have to
//! keep out the writer of `/a/b`, and not the writer of `/a/b` that of `/a/c`, so two groups exclude each other
//! of which both share among themselves. Instead the holders are listed: each held folder is a file in
//! `locks/folders/`, exclusively locked by its holder, that says how it is used, by whom, and where it is. Who
//! wants a folder takes the short lock `gate`, reads the files that are locked, compares, and adds its own. A file
//! that can be locked belongs to a run that is over and is removed: nobody opens one without holding the gate, so
//! none is removed from under somebody who is about to lock it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::private;
use crate::entry::show;
use crate::error::{Context, Error, Kind, Result};

/// How often a short lock is tried, and how long to wait in between: ten seconds in all.
const GATE_TRIES: u32 = 1_000;
const GATE_WAIT: Duration = Duration::from_millis(10);

/// The most that is read of a file that says who holds a folder.
const MAX_HOLDER: u64 = 64 << 10;

/// The locks of a state folder.
pub struct Locks {
    dir: PathBuf,
}

/// Locks that are held until this is dropped or the process ends.
#[derive(Debug)]
#[must_use = "a lock is free again as soon as its guard is dropped"]
pub struct Guard {
    _files: Vec<File>,
}

/// How a run uses a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It only reads, as in a source.
    Read,
    /// It writes, as in a target.
    Write,
}

/// A folder that a run uses, with everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The folder; absolute. It need not exist.
    pub path: PathBuf,
    /// How it is used.
    pub access: Access,
}

impl Locks {
    pub(super) fn new(state: &Path) -> Self {
        Self { dir: state.join("locks") }
    }

    /// Takes the lock of a profile; None if a run of it is at work.
    ///
    /// # Errors
    /// The name is none of a profile, or the lock file cannot be made.
    pub fn profile(&self, name: &str) -> Result<Option<Guard>> {
        if name.is_empty() || name.bytes().any(|b| matches!(b, b'/' | 0)) {
            return Err(Error::new(Kind::Usage, format!("{name:?} cannot be the name of a profile")));
        }
        self.named(&format!("profile-{name}"))
    }

    /// Whether a run of the profile is at work.
    ///
    /// # Errors
    /// As [`Locks::profile`].
    pub fn is_held(&self, profile: &str) -> Result<bool> {
        Ok(self.profile(profile)?.is_none())
    }

    /// Takes the lock of the outbox; None if a delivery is at work.
    ///
    /// # Errors
    /// The lock file cannot be made.
    pub fn outbox(&self) -> Result<Option<Guard>> {
        self.named("outbox")
    }

    /// Takes the lock of the agent; None if one is at work with this state folder.
    ///
    /// # Errors
    /// The lock file cannot be made.
    pub fn agent(&self) -> Result<Option<Guard>> {
        self.named("agent")
    }

    /// Takes all of a run's folders, or none; `holder` is how the run is called when it is in another's way. The
    /// folders of one call may overlap.
    ///
    /// # Errors
    /// [`Kind::Locked`] if another run uses one of them in a way that does not go together with this; or a path
    /// cannot be resolved, or the lock files cannot be made.
    pub fn roots(&self, roots: &[Root], holder: &str) -> Result<Guard> {
        let wanted = roots
            .iter()
            .map(|root| Ok(Root { path: resolved(&root.path)?, access: root.access }))
            .collect::<Result<Vec<_>>>()?;
        let dir = self.dir.join("folders");
        private::make(&dir)?;
        let _gate = self.gate("gate")?;
        for held in at_work(&dir)? {
            if let Some(root) = wanted.iter().find(|root| held.excludes(root)) {
                return Err(held.refuses(root));
            }
        }
        let files = wanted.iter().map(|root| add(&dir, root, holder)).collect::<Result<_>>()?;
        Ok(Guard { _files: files })
    }

    /// Takes a lock that is only ever held for a moment, and waits for it up to ten seconds.
    pub(super) fn gate(&self, name: &str) -> Result<Guard> {
        for attempt in 0..GATE_TRIES {
            if attempt > 0 {
                std::thread::sleep(GATE_WAIT);
            }
            if let Some(guard) = self.named(name)? {
                return Ok(guard);
            }
        }
        Err(Error::new(
            Kind::Locked,
            format!("another postkeep holds {} for too long", self.dir.join(name).display()),
        )
        .hint("try again; if it stays so, look for a postkeep process that hangs"))
    }

    fn named(&self, name: &str) -> Result<Option<Guard>> {
        private::make(&self.dir)?;
        let path = self.dir.join(name);
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.context(|| format!("cannot open the lock {}", path.display()))?;
        Ok(lock(&file, &path)?.then(|| Guard { _files: vec![file] }))
    }
}

/// Tries to lock a file; false if somebody else holds it.
fn lock(file: &File, path: &Path) -> Result<bool> {
    loop {
        return match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(Errno::INTR) => continue,
            Err(cause) => Err(Error::other(format!("cannot lock {}", path.display()))
                .caused_by(cause)
                .hint("use a state folder on a local disk with --state DIR")),
        };
    }
}

/// A folder that a run at work holds.
struct Held {
    path: PathBuf,
    access: Access,
    holder: String,
}

impl Held {
    fn excludes(&self, root: &Root) -> bool {
        let overlap = self.path.starts_with(&root.path) || root.path.starts_with(&self.path);
        overlap && (self.access, root.access) != (Access::Read, Access::Read)
    }

    fn refuses(&self, root: &Root) -> Error {
        let does = match self.access {
            Access::Read => "reads",
            Access::Write => "writes",
        };
        let shown = |path: &Path| show(path.as_os_str().as_bytes());
        let (wanted, held) = (shown(&root.path), shown(&self.path));
        Error::new(Kind::Locked, format!("{wanted} is in use: {} {does} {held}", self.holder))
            .hint("run it again when the other has ended; `postkeep status` shows what is at work")
    }

    /// How a held folder is written down: three parts, a line each, of which the path may go on over lines.
    fn write(root: &Root, holder: &str) -> Vec<u8> {
        let access = match root.access {
            Access::Read => "reads",
            Access::Write => "writes",
        };
        let mut text = format!("{}\n{access}\n", holder.replace('\n', " ")).into_bytes();
        text.extend_from_slice(root.path.as_os_str().as_bytes());
        text
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = text.splitn(3, |b| *b == b'\n');
        let holder = String::from_utf8_lossy(parts.next()?).into_owned();
        let access = match parts.next()? {
            b"reads" => Access::Read,
            b"writes" => Access::Write,
            _ => return None,
        };
        let path = PathBuf::from(std::ffi::OsString::from_vec(parts.next()?.to_vec()));
        Some(Self { path, access, holder })
    }
}

/// The folders that are held; removes the files of holders that are gone. The gate must be held.
fn at_work(dir: &Path) -> Result<Vec<Held>> {
    let failed = || format!("cannot read the locks in {}", dir.display());
    let mut held = Vec::new();
    for entry in fs::read_dir(dir).context(failed)? {
        let path = entry.context(failed)?.path();
        let file = File::open(&path).context(failed)?;
        if lock(&file, &path)? {
            fs::remove_file(&path).context(failed)?;
            continue;
        }
        let mut text = Vec::new();
        file.take(MAX_HOLDER).read_to_end(&mut text).context(failed)?;
        held.push(Held::parse(&text).ok_or_else(|| {
            Error::new(Kind::Locked, format!("the lock {} cannot be read", path.display()))
                .hint("a postkeep of another version is at work; run it again when that has ended")
        })?);
    }
    Ok(held)
}

/// Writes down that a folder is held, and holds it. The gate must be held.
fn add(dir: &Path, root: &Root, holder: &str) -> Result<File> {
    let hash = blake3::hash(root.path.as_os_str().as_bytes()).to_hex();
    let failed = || format!("cannot lock the folder {}", root.path.display());
    // Several readers may hold one folder: each has a file of its own.
    for number in 0..u32::MAX {
        let path = dir.join(format!("{}-{number}", &hash[..16]));
        let mut file = match private::new_file(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            file => file.context(failed)?,
        };
        if !lock(&file, &path)? {
            break;
        }
        file.write_all(&Held::write(root, holder)).context(failed)?;
        return Ok(file);
    }
    Err(Error::new(Kind::Locked, failed()))
}

/// A path without symbolic links and `..`, as far as it exists: one folder has one name.
fn resolved(path: &Path) -> Result<PathBuf> {
    let mut missing = Vec::new();
    let mut there = path;
    loop {
        match there.canonicalize() {
            Ok(mut whole) => {
                whole.extend(missing.iter().rev());
                return Ok(whole);
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                let (Some(above), Some(name)) = (there.parent(), there.file_name()) else {
                    return Err(
                        Error::other(format!("cannot resolve the path {}", path.display())).caused_by(error)
                    );
                };
                missing.push(name);
                there = above;
            }
            Err(error) => {
                return Err(error).context(|| format!("cannot resolve the path {}", path.display()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Access::{Read as R, Write as W};
    use super::*;

    fn root(path: impl Into<PathBuf>, access: Access) -> Root {
        Root { path: path.into(), access }
    }

    #[test]
    fn a_name_is_held_once_and_freed_with_its_guard() {
        let temp = tempfile::tempdir().unwrap();
        let locks = Locks::new(temp.path());
        let held = locks.profile("outbox").unwrap().unwrap();
        assert!(Locks::new(temp.path()).profile("outbox").unwrap().is_none());
        assert!(locks.outbox().unwrap().is_some() && locks.profile("docs").unwrap().is_some());
        drop(held);
        assert!(locks.profile("outbox").unwrap().is_some());
        for bad in ["", "a/b", "../x"] {
            assert_eq!(locks.profile(bad).unwrap_err().kind(), Kind::Usage, "{bad}");
        }
    }

    #[test]
    fn writers_exclude_all_that_overlaps_and_readers_do_not() {
        let temp = tempfile::tempdir().unwrap();
        let locks = Locks::new(temp.path());
        let together = [
            // same, inside, around, beside, and a name that only begins alike
            ("/x/a", "/x/a", false),
            ("/x/a", "/x/a/b/c", false),
            ("/x/a/b/c", "/x/a", false),
            ("/x/a", "/", false),
            ("/x/a", "/x/b", true),
            ("/x/a", "/x/ab", true),
        ];
        for (held, wanted, apart) in together {
            for (first, second) in [(R, R), (R, W), (W, R), (W, W)] {
                let guard = locks.roots(&[root(held, first)], "docs").unwrap();
                let got = locks.roots(&[root("/elsewhere", W), root(wanted, second)], "music");
                let expected = apart || (first, second) == (R, R);
                assert_eq!(got.is_ok(), expected, "{held} {first:?}, {wanted} {second:?}");
                if let Err(error) = &got {
                    assert_eq!(error.kind(), Kind::Locked);
                    let line = error.one_line();
                    assert!(line.contains("docs") && line.contains(held) && line.contains(wanted), "{line}");
                }
                drop((guard, got));
                // Refused or freed: nothing is left behind.
                drop(locks.roots(&[root("/", W)], "all").unwrap());
            }
        }
    }

    #[test]
    fn a_folder_has_one_name() {
        let temp = tempfile::tempdir().unwrap();
        let locks = Locks::new(&temp.path().join("state"));
        let (real, link) = (temp.path().join("real"), temp.path().join("link"));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let _guard = locks.roots(&[root(link.join("new/sub\nfolder"), W)], "docs").unwrap();
        for same in ["new", "new/sub\nfolder", "../real/new/sub\nfolder/x"] {
            assert!(locks.roots(&[root(real.join(same), R)], "music").is_err(), "{same:?}");
        }
        assert!(locks.roots(&[root(real.join("new/sub"), R)], "music").is_ok());
    }

    #[test]
    fn files_of_the_dead_do_not_pile_up() {
        let temp = tempfile::tempdir().unwrap();
        let locks = Locks::new(temp.path());
        for _ in 0..5 {
            drop(locks.roots(&[root("/a", R), root("/b", W)], "docs").unwrap());
        }
        let _two = [(); 2].map(|()| locks.roots(&[root("/a", R)], "docs").unwrap());
        assert_eq!(fs::read_dir(temp.path().join("locks/folders")).unwrap().count(), 2);
    }

    #[test]
    fn a_killed_process_frees_what_it_held() {
        let temp = tempfile::tempdir().unwrap();
        let locks = Locks::new(temp.path());
        drop(locks.profile("docs").unwrap());
        let path = temp.path().join("locks/profile-docs");
        // Another process holds the lock and says so.
        let mut child = std::process::Command::new("flock")
            .arg("--no-fork")
            .arg(&path)
            .args(["sh", "-c", "echo held; exec cat"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 5];
        child.stdout.take().unwrap().read_exact(&mut said).unwrap();
        assert!(locks.profile("docs").unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(locks.profile("docs").unwrap().is_some());
    }
}

//! The objects as files, each read and written by itself.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::dir::{self, Dir};
use crate::entry::show;
use crate::error::{Context, Error, Result};
use crate::vault::store::{Counter, Found, Id, Kind, fits_memory, not_there, taken, within};

/// How old an unfinished file is when nobody can be at work on it any more.
const ABANDONED: SignedDuration = SignedDuration::from_hours(36);

/// The kinds of which each object is a file in one folder.
const FLAT: [Kind; 4] = [Kind::Key, Kind::Lock, Kind::Index, Kind::Snapshot];

/// The files of a vault in a folder.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) path: PathBuf,
    opened: Timestamp,
    pub(super) counter: Counter,
}

/// Modes of what is made.
#[derive(Clone, Copy)]
struct Modes {
    folder: u32,
    file: u32,
}

impl Files {
    pub(super) fn new(path: &Path, now: Timestamp) -> Self {
        Self { path: path.to_owned(), opened: now, counter: Counter::default() }
    }

    /// The folder, for people.
    pub(super) fn place(&self) -> String {
        show(self.path.as_os_str().as_encoded_bytes())
    }

    pub(super) fn create(&self) -> Result<()> {
        let cannot = || format!("cannot make a vault in {}", self.place());
        if let Some(name) = self.foreign().context(cannot)? {
            return Err(Error::other(format!("{} is no vault, and there is {name} in it", self.place()))
                .hint("give a new or empty folder"));
        }
        self.make().context(cannot)
    }

    pub(super) fn list(&self, kind: Kind) -> Result<Vec<Found>> {
        self.found(kind).context(|| format!("cannot list each {} in {}", kind.word(), self.place()))
    }

    pub(super) fn read(&self, kind: Kind, id: &Id) -> Result<Bytes> {
        let (file, size) = self.open(kind, id)?;
        fits_memory(&self.place(), kind, id, size)?;
        let mut object = vec![0; size as usize];
        file.read_exact_at(&mut object, 0).context(|| self.cannot("read", kind, id))?;
        self.counter.down(size);
        Ok(object.into())
    }

    pub(super) fn read_range(&self, kind: Kind, id: &Id, range: Range<u64>) -> Result<Bytes> {
        let (file, size) = self.open(kind, id)?;
        within(&self.place(), kind, id, &range, size)?;
        let mut part = vec![0; (range.end - range.start) as usize];
        file.read_exact_at(&mut part, range.start).context(|| self.cannot("read", kind, id))?;
        self.counter.down(part.len() as u64);
        Ok(part.into())
    }

    /// Writes an object, or leaves one of the same size as it is.
    ///
    /// # Errors
    /// It cannot be written, with a hint where the cause has one.
    pub(super) fn write(&self, kind: Kind, id: &Id, object: &[u8]) -> Result<()> {
        self.put(kind, id, object).map_err(|cause| self.unwritten(kind, id, cause))
    }

    /// Writes the config, if there is none at that moment.
    ///
    /// # Errors
    /// There is one, or it cannot be written.
    pub(super) fn write_first(&self, config: &[u8]) -> Result<()> {
        let root = Dir::root(&self.path);
        let put = root.and_then(|root| root.put_new("config", config, modes(&root).file));
        put.map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => taken(&self.place()),
            _ => self.unwritten(Kind::Config, &Id::NONE, cause),
        })?;
        self.counter.up(config.len() as u64);
        Ok(())
    }

    fn unwritten(&self, kind: Kind, id: &Id, cause: io::Error) -> Error {
        let hint = match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("make room on that disk"),
            io::ErrorKind::NotFound => Some("is the disk mounted that holds the vault?"),
            io::ErrorKind::ReadOnlyFilesystem => Some("mount it writable"),
            io::ErrorKind::NotADirectory => {
                Some("something else has the name of the vault's folder there: move it away")
            }
            _ => None,
        };
        let error = Error::other(self.cannot("write", kind, id)).caused_by(cause);
        hint.into_iter().fold(error, Error::hint)
    }

    pub(super) fn remove(&self, kind: Kind, ids: &[Id]) -> Result<()> {
        for id in ids {
            let removed = self.dir_of(kind, id).and_then(|dir| dir.remove(&name(kind, id)));
            there(removed).context(|| self.cannot("remove", kind, id))?;
        }
        Ok(())
    }

    /// The folder of an object, if there is one.
    fn dir_of(&self, kind: Kind, id: &Id) -> io::Result<Dir> {
        let root = Dir::root(&self.path)?;
        match kind {
            Kind::Config => Ok(root),
            Kind::Pack => root.enter(folder(kind))?.enter(&id.to_string()[..2]),
            _ => root.enter(folder(kind)),
        }
    }

    fn open(&self, kind: Kind, id: &Id) -> Result<(std::fs::File, u64)> {
        match self.dir_of(kind, id).and_then(|dir| dir.open(&name(kind, id))) {
            Ok(opened) => Ok(opened),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(not_there(&self.place(), kind, id)),
            Err(error) => Err(error).context(|| self.cannot("read", kind, id)),
        }
    }

    fn put(&self, kind: Kind, id: &Id, object: &[u8]) -> io::Result<()> {
        let root = Dir::root(&self.path)?;
        let modes = modes(&root);
        let dir = match kind {
            Kind::Config => root,
            // Only `create` makes the other folders: where they are missing, something else is mounted now.
            Kind::Pack => root.enter(folder(kind))?.make(&id.to_string()[..2], modes.folder)?,
            _ => root.enter(folder(kind))?,
        };
        let name = name(kind, id);
        let there = dir.look(&name)?.is_some_and(|there| there.size == object.len() as u64);
        if there && kind != Kind::Config {
            return Ok(());
        }
        dir.put(&name, object, modes.file)?;
        self.counter.up(object.len() as u64);
        Ok(())
    }

    /// The objects among the files of a folder. Unfinished ones that are old are removed.
    fn objects(&self, dir: &Dir, mut found: impl FnMut(Found)) -> io::Result<()> {
        for name in dir.names()? {
            let Ok(name) = str::from_utf8(&name) else { continue };
            if let Ok(id) = name.parse::<Id>() {
                if let Some(file) = dir.look(name)? {
                    found(Found { id, size: file.size });
                }
            } else if dir::unfinished(name).is_some_and(|of| of == "config" || of.parse::<Id>().is_ok()) {
                self.sweep(dir, name);
            }
        }
        Ok(())
    }

    fn sweep(&self, dir: &Dir, name: &str) {
        let limit = self.opened.saturating_sub(ABANDONED).map_or(i64::MIN, Timestamp::as_second);
        if let Ok(Some(file)) = dir.look(name)
            && file.written < limit
        {
            // It is in nobody's way.
            let _ = dir.remove(name);
        }
    }

    fn found(&self, kind: Kind) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        // Only a folder that is not there is empty. Every other error is one.
        let Some(root) = there(Dir::root(&self.path))? else { return Ok(found) };
        let Some(dir) = there(root.enter(folder(kind)))? else { return Ok(found) };
        match kind {
            Kind::Config => {
                self.objects(&dir, |_| {})?;
                found.extend(dir.look("config")?.map(|file| Found { id: Id::NONE, size: file.size }));
            }
            Kind::Pack => {
                for name in dir.names()? {
                    let Some(name) = str::from_utf8(&name).ok().filter(|name| is_byte(name)) else {
                        continue;
                    };
                    let sub = match there(dir.enter(name)) {
                        Ok(Some(sub)) => sub,
                        Ok(None) => continue,
                        // A foreign file holds no packs. A link may lead to some, and is not passed over.
                        Err(_) if dir.look(name)?.is_some() => continue,
                        Err(error) => return Err(error),
                    };
                    self.objects(&sub, |pack| {
                        // A file in the wrong folder would not be found by its name.
                        found.extend(pack.id.to_string().starts_with(name).then_some(pack));
                    })?;
                }
            }
            _ => self.objects(&dir, |object| found.push(object))?,
        }
        Ok(found)
    }

    fn cannot(&self, verb: &str, kind: Kind, id: &Id) -> String {
        let path = match kind {
            Kind::Config => self.path.join("config"),
            Kind::Pack => self.path.join("data").join(&id.to_string()[..2]).join(id.to_string()),
            _ => self.path.join(folder(kind)).join(id.to_string()),
        };
        format!("cannot {verb} {}", show(path.as_os_str().as_encoded_bytes()))
    }

    fn make(&self) -> io::Result<()> {
        std::os::unix::fs::DirBuilderExt::mode(std::fs::DirBuilder::new().recursive(true), 0o700)
            .create(&self.path)?;
        let root = Dir::root(&self.path)?;
        let modes = modes(&root);
        for kind in FLAT {
            root.make(folder(kind), modes.folder)?;
        }
        let data = root.make(folder(Kind::Pack), modes.folder)?;
        for byte in 0..=u8::MAX {
            data.make(&format!("{byte:02x}"), modes.folder)?;
        }
        root.sync()
    }

    /// What is in the folder that no vault has.
    fn foreign(&self) -> io::Result<Option<String>> {
        let root = match Dir::root(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            root => root?,
        };
        let names = root.names()?;
        let has = |wanted: &str| names.iter().any(|name| name == wanted.as_bytes());
        if has("config") || FLAT.iter().chain([&Kind::Pack]).all(|kind| has(folder(*kind))) {
            return Ok(None);
        }
        let ours = |name: &[u8]| {
            name.starts_with(b".")
                || name == b"lost+found"
                || name == folder(Kind::Pack).as_bytes()
                || FLAT.iter().any(|kind| name == folder(*kind).as_bytes())
                || str::from_utf8(name).ok().and_then(dir::unfinished) == Some("config")
        };
        Ok(names.iter().find(|name| !ours(name)).map(|name| show(name)))
    }
}

/// None for what is not there.
fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Whether it is the name of a folder of packs: two hexadecimal digits.
fn is_byte(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// The folder of a kind.
fn folder(kind: Kind) -> &'static str {
    match kind {
        Kind::Config => ".",
        Kind::Key => "keys",
        Kind::Lock => "locks",
        Kind::Index => "index",
        Kind::Snapshot => "snapshots",
        Kind::Pack => "data",
    }
}

/// The name of an object's file.
fn name(kind: Kind, id: &Id) -> String {
    match kind {
        Kind::Config => "config".into(),
        _ => id.to_string(),
    }
}

/// For the owner alone; for his group as well if the vault is already so.
fn modes(root: &Dir) -> Modes {
    match root.mode("config") {
        Some(mode) if mode & 0o040 != 0 => Modes { folder: 0o750, file: 0o640 },
        _ => Modes { folder: 0o700, file: 0o600 },
    }
}

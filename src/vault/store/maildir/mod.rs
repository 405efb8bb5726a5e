//! A Maildir whose messages are the vault's objects. Whatever carries it to a mail server and back, it stays a vault.
//!
//! The letters are those of a mailbox ([`letter`]), with LF at line ends as is the custom in Maildirs; they are read
//! with CRLF as well. They lie in `cur/` as messages that were seen. Programs may change their flags and rename them.

mod files;

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use self::files::{Files, Letter};
use super::catalogue::{self, Catalogue, Object};
use super::letter::body::Cut;
use super::letter::{self, Head, LARGEST_HEAD, Label, LineEnd, VaultId};
use super::sticky::Sticky;
use super::which::Which;
use super::{Counter, Found, Id, Kind, Room, Store, Traffic, fits_memory, not_there, taken, within};
use crate::clock::Clock;
use crate::entry::show;
use crate::error::{Context, Error, Result};
use crate::mail;
use crate::mutex::lock;

/// The largest message, in bytes: what most mail servers take, so that the Maildir may move to one.
const MESSAGE: u64 = 24 << 20;

/// The largest pack that is one message, with what the last blob may add.
const PACK: u64 = 8 << 20;

/// A vault in a Maildir.
pub struct Maildir {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    /// Whether somebody said which vault is meant.
    told: bool,
    which: Which,
    seen: Mutex<Seen>,
    sticky: Sticky,
    counter: Counter,
}

/// What is known of the Maildir.
struct Seen {
    files: Files,
    catalogue: Catalogue<String>,
    read_me: bool,
    scanned: bool,
}

impl Seen {
    fn new() -> Self {
        let (files, catalogue) = (Files::default(), Catalogue::new());
        Self { files, catalogue, read_me: false, scanned: false }
    }
}

impl Maildir {
    /// The vault in the Maildir `path`, which may not be there yet. `vault` says which one; None: the one that is
    /// there, or a new one if none is.
    pub fn new(path: &Path, vault: Option<VaultId>, clock: Arc<dyn Clock>) -> Self {
        Self {
            path: path.to_owned(),
            clock,
            told: vault.is_some(),
            which: Which::new(vault),
            seen: Mutex::new(Seen::new()),
            sticky: Sticky::default(),
            counter: Counter::default(),
        }
    }

    /// The vault's id, if there is a vault.
    ///
    /// # Errors
    /// The Maildir cannot be read, or holds several vaults.
    pub fn vault_id(&self) -> Result<Option<VaultId>> {
        drop(self.scan()?);
        Ok(self.which.get())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Looks at what is there now.
    fn scan(&self) -> Result<MutexGuard<'_, Seen>> {
        let mut seen = self.seen();
        let cannot = || format!("cannot look through the Maildir {}", self.place());
        if !seen.scanned {
            files::sweep(&self.path, self.clock.now());
        }
        let changes = seen.files.scan(&self.path).context(cannot).and_then(|changes| {
            let vaults: BTreeSet<VaultId> = changes.came.iter().map(|(_, head)| head.vault()).collect();
            Ok((changes, self.which.settle(&self.place(), &vaults, true)?))
        });
        let (changes, vault) = changes.inspect_err(|_| {
            // Half of what changed is known now: the next look begins anew.
            *seen = Seen::new();
        })?;
        for key in &changes.went {
            seen.catalogue.remove(key);
        }
        for (key, head) in changes.came {
            match head {
                Head::Object(label) if Some(label.vault) == vault => seen.catalogue.insert(key, label),
                Head::ReadMe(other) => seen.read_me |= Some(other) == vault,
                Head::Object(_) => seen.files.ignore(&key),
            }
        }
        seen.scanned = true;
        Ok(seen)
    }

    /// An object, and where its letters are.
    fn find(&self, kind: Kind, id: &Id) -> Result<(Object<String>, Vec<Letter>)> {
        let look = |seen: &Seen| {
            let object = seen.catalogue.find(kind, id)?;
            let letters: Option<Vec<Letter>> =
                object.letters.iter().map(|key| seen.files.get(key).cloned()).collect();
            let letters = letters?;
            // Another program may have renamed it, or another machine replaced it.
            let there = kind != Kind::Config && letters.iter().all(|letter| letter.path.exists());
            there.then_some((object, letters))
        };
        if let Some(found) = look(&self.seen()) {
            return Ok(found);
        }
        let seen = self.scan()?;
        let found = seen.catalogue.find(kind, id).and_then(|object| {
            let letters = object.letters.iter().map(|key| seen.files.get(key).cloned());
            Some((letters.collect::<Option<Vec<Letter>>>()?, object))
        });
        let (letters, object) = found.ok_or_else(|| not_there(&self.place(), kind, id))?;
        Ok((object, letters))
    }

    /// Reads bytes of one letter's part.
    fn piece(&self, letter: &Letter, label: &Label, range: Range<u64>) -> io::Result<Vec<u8>> {
        let part = label.range();
        if range != (0..part.end - part.start) {
            let file = files::open(&letter.path)?.ok_or(io::ErrorKind::NotFound)?;
            let cut = Cut::new(range.clone(), letter.end);
            let mut wire = vec![0; (cut.wire.end - cut.wire.start) as usize];
            file.read_exact_at(&mut wire, letter.body + cut.wire.start)?;
            self.counter.down(wire.len() as u64);
            if let Some(piece) = cut.decode(&wire) {
                return Ok(piece);
            }
            // Somebody broke its lines anew: the whole will tell.
        }
        let most = LARGEST_HEAD as u64 + 2 * LineEnd::CrLf.length(part.end - part.start);
        let message = files::read_whole(&letter.path, most)?;
        self.counter.down(message.len() as u64);
        let read = letter::read(&message).filter(|(read, _)| read == label);
        let (_, mut whole) = read.ok_or_else(|| io::Error::other("the message is damaged"))?;
        whole.truncate(range.end as usize);
        Ok(whole.split_off(range.start as usize))
    }

    fn pieces(&self, kind: Kind, id: &Id, range: Option<Range<u64>>) -> Result<Bytes> {
        let (object, letters) = self.find(kind, id)?;
        let size = object.label.size;
        let range = range.unwrap_or(0..size);
        within(&self.place(), kind, id, &range, size)?;
        if range == (0..size) {
            fits_memory(&self.place(), kind, id, size)?;
        }
        let mut bytes = Vec::new();
        for (key, label, piece) in object.pieces(range) {
            let at = object.letters.iter().position(|letter| letter == key).unwrap_or_default();
            let letter = &letters[at];
            let read = self.piece(letter, &label, piece);
            let mut read =
                read.context(|| format!("cannot read {}", show(letter.path.as_os_str().as_encoded_bytes())))?;
            if bytes.is_empty() {
                bytes = read;
            } else {
                bytes.append(&mut read);
            }
        }
        Ok(bytes.into())
    }

    fn put(&self, kind: Kind, hash: Id, object: &[u8], first: bool) -> Result<()> {
        let mut seen = if kind == Kind::Config { self.scan()? } else { self.scanned()? };
        let vault = self.which.get_or_new();
        let mut whole = Label { vault, kind, hash, size: object.len() as u64, part: 1, parts: 1, serial: 0 };
        if kind == Kind::Config {
            if seen.catalogue.find(kind, &Id::NONE).is_some_and(|config| config.label.hash == hash) {
                return Ok(());
            }
            if first && seen.catalogue.find(kind, &Id::NONE).is_some() {
                return Err(taken(&self.place()));
            }
            whole.serial = seen.catalogue.serial() + 1;
        } else if seen.catalogue.find(kind, &hash).is_some_and(|there| there.label.size == whole.size) {
            return Ok(());
        }
        let before = if kind == Kind::Config { seen.catalogue.all(kind, &Id::NONE) } else { Vec::new() };
        for label in catalogue::labels(whole, Some(MESSAGE))? {
            if kind != Kind::Config && seen.catalogue.part(&label).is_some() {
                continue;
            }
            // Others may look meanwhile, and write too.
            drop(seen);
            let message = letter::compose(&label, object, self.clock.now(), LineEnd::Lf);
            let (key, letter) =
                self.deliver(&message, first.then(|| files::first_config(vault)).as_deref())?;
            seen = self.seen();
            seen.files.insert(key.clone(), letter);
            seen.catalogue.insert(key, label);
        }
        self.unlink(&mut seen, &before)
    }

    /// What is known, looked at once at least.
    fn scanned(&self) -> Result<MutexGuard<'_, Seen>> {
        let seen = self.seen();
        match seen.scanned {
            true => Ok(seen),
            false => {
                drop(seen);
                self.scan()
            }
        }
    }

    fn deliver(&self, message: &[u8], name: Option<&str>) -> Result<(String, Letter)> {
        let delivered = files::deliver(&self.path, message, name, self.clock.now()).map_err(|cause| {
            if name.is_some() && cause.kind() == io::ErrorKind::AlreadyExists {
                return taken(&self.place());
            }
            let hint = match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("make room on that disk"),
                io::ErrorKind::NotFound => Some("is the disk mounted that holds the Maildir?"),
                _ => None,
            };
            let error =
                Error::other(format!("cannot write into the Maildir {}", self.place())).caused_by(cause);
            hint.into_iter().fold(error, Error::hint)
        });
        let (key, path) = delivered?;
        self.counter.up(message.len() as u64);
        let body = letter::body_offset(message).unwrap_or_default() as u64;
        Ok((key, Letter { path, body, end: LineEnd::Lf }))
    }

    /// Removes letters.
    fn unlink(&self, seen: &mut Seen, keys: &[String]) -> Result<()> {
        for key in keys {
            let Some(letter) = seen.files.get(key) else { continue };
            match std::fs::remove_file(&letter.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).context(|| {
                        format!("cannot remove {}", show(letter.path.as_os_str().as_encoded_bytes()))
                    });
                }
                _ => {}
            }
            seen.catalogue.remove(key);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Maildir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Maildir({})", self.place())
    }
}

impl Store for Maildir {
    fn place(&self) -> String {
        format!("maildir:{}", show(self.path.as_os_str().as_encoded_bytes()))
    }

    fn largest_pack(&self) -> Option<u64> {
        Some(PACK)
    }

    fn create(&self) -> Result<()> {
        mail::maildir::Maildir::open_or_create(&self.path)?;
        let seen = self.scan()?;
        if !seen.read_me {
            drop(seen);
            let vault = self.which.get_or_new();
            // Where it was told which vault is meant, others may lie beside it.
            let name = (!self.told).then(files::first_letter);
            self.deliver(&letter::read_me(vault, self.clock.now(), LineEnd::Lf), name.as_deref())?;
        }
        Ok(())
    }

    fn list(&self, kind: Kind) -> Result<Vec<Found>> {
        Ok(self.scan()?.catalogue.list(kind))
    }

    fn read(&self, kind: Kind, id: &Id) -> Result<Bytes> {
        self.pieces(kind, id, None)
    }

    fn read_range(&self, kind: Kind, id: &Id, range: Range<u64>) -> Result<Bytes> {
        self.pieces(kind, id, Some(range))
    }

    fn write(&self, kind: Kind, id: &Id, object: Bytes) -> Result<()> {
        self.sticky.check()?;
        let hash = if kind == Kind::Config { Id::of(&object) } else { *id };
        self.sticky.keep(self.put(kind, hash, &object, false))
    }

    fn write_first(&self, config: Bytes) -> Result<()> {
        self.sticky.check()?;
        self.put(Kind::Config, Id::of(&config), &config, true)
    }

    fn flush(&self) -> Result<()> {
        self.sticky.check()
    }

    fn remove(&self, kind: Kind, ids: &[Id]) -> Result<()> {
        let mut seen = self.scan()?;
        let mut keys: Vec<String> = ids.iter().flat_map(|id| seen.catalogue.all(kind, id)).collect();
        if kind == Kind::Pack {
            // What a repeated delivery left.
            keys.extend(seen.catalogue.doubles());
        }
        self.unlink(&mut seen, &keys)
    }

    fn letters(&self) -> Option<VaultId> {
        self.which.get()
    }

    fn traffic(&self) -> Traffic {
        self.counter.traffic()
    }

    fn room(&self) -> Result<Option<Room>> {
        super::folder::room(&self.path)
    }
}

//! What a vault is kept on: restic's objects as whole values, wherever they lie.
//!
//! A [`Store`] knows neither encryption nor chunks. It keeps objects under names, and promises one thing that the
//! rest is built on: **what it says is stored, is stored**. One suite of tests proves that of every store
//! (`tests/stores/contract.rs`).
//!
//! | store | an object is |
//! |---|---|
//! | [`folder`] | a file, in restic's own layout |
//! | [`maildir`] | a message as a file, or several |
//! | [`mailbox`] | a message on a mail server, or several |
//! | [`memory`] | a value, for tests |

mod behind;
mod catalogue;
pub mod folder;
pub mod letter;
pub mod mailbox;
pub mod maildir;
pub mod memory;
mod sticky;
mod which;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use sha2::Digest as _;

use crate::error::{Error, Result};

/// How many threads read at once from what answers quickly, and how many bytes.
const READERS: usize = 4;
const STRETCH: u64 = 4 << 20;

/// restic's kinds of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The repository's parameters. There is one, and its id is [`Id::NONE`].
    Config,
    /// The master key, encrypted with a password.
    Key,
    /// Says that somebody is at work.
    Lock,
    /// Which blobs are in which packs.
    Index,
    /// A snapshot.
    Snapshot,
    /// Blobs of data or trees.
    Pack,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Config, Self::Key, Self::Lock, Self::Index, Self::Snapshot, Self::Pack];

    /// The word in names of messages, and for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Key => "key",
            Self::Lock => "lock",
            Self::Index => "index",
            Self::Snapshot => "snapshot",
            Self::Pack => "pack",
        }
    }

    /// The most bytes that an object of this kind may have to be read as a whole: its size comes from outside, and it
    /// has to fit into memory.
    pub fn largest(self) -> u64 {
        match self {
            Self::Config | Self::Key | Self::Lock => 1 << 20,
            Self::Snapshot => 64 << 20,
            Self::Index => 1 << 30,
            Self::Pack => u32::MAX as u64,
        }
    }
}

/// The name of an object: the SHA-256 of its content, but for the config, which is always [`Id::NONE`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub [u8; 32]);

impl Id {
    /// The config's.
    pub const NONE: Self = Self([0; 32]);
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = ();

    /// Reads 64 lower-case hexadecimal digits, and nothing else: names come from outside.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(()),
        };
        let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| ())?;
        let mut id = [0; 32];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(id))
    }
}

/// An object in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its name.
    pub id: Id,
    /// Its size in bytes, exactly.
    pub size: u64,
}

impl Id {
    /// Enough of it to tell it from others, for people: eight digits, as restic shows them.
    pub fn short(&self) -> String {
        self.0[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The name that this content has.
    pub fn of(content: &[u8]) -> Self {
        Self(sha2::Sha256::digest(content).into())
    }
}

/// What a store has carried since it was opened, in bytes on the wire or disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// To it.
    pub up: u64,
    /// From it.
    pub down: u64,
}

/// The room of a store, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Used, by whatever.
    pub used: u64,
    /// In all.
    pub limit: u64,
}

/// A place for the objects of one repository.
///
/// An object is never changed but for the config. Methods are called from several threads at once. An object is there
/// as a whole or not at all, whenever the process is killed. What is in the place beside it is left alone.
///
/// `write` of a pack may return before the pack is stored; how many bytes wait is bounded. Everything else is stored
/// when `write` returns, and before it is begun, all packs that were given earlier are. A failure to store is sticky:
/// each later `write`, and each `flush`, fails with it. So no index can name a pack that is not there.
pub trait Store: Send + Sync + fmt::Debug {
    /// The place, for people.
    fn place(&self) -> String;

    /// The largest pack that it likes to take, in bytes; None: it does not care.
    fn largest_pack(&self) -> Option<u64> {
        None
    }

    /// Makes the place, if it is not there.
    ///
    /// # Errors
    /// It cannot be made, or holds something that is no vault's.
    fn create(&self) -> Result<()>;

    /// All objects of a kind, in no order. A place that is not there has none.
    ///
    /// # Errors
    /// The place cannot be listed.
    fn list(&self, kind: Kind) -> Result<Vec<Found>>;

    /// All objects of a kind, as they were when another kind was listed a moment ago: where each look takes its time,
    /// one may serve several listings.
    ///
    /// # Errors
    /// As of [`Store::list`].
    fn list_again(&self, kind: Kind) -> Result<Vec<Found>> {
        self.list(kind)
    }

    /// A whole object. Whether it fits its name is for the caller to see.
    ///
    /// # Errors
    /// It is not there, or cannot be read. One that [is away](crate::error::Kind::is_away) says nothing of the object.
    fn read(&self, kind: Kind, id: &Id) -> Result<Bytes>;

    /// Bytes of an object: exactly those of `range`, which may be empty.
    ///
    /// # Errors
    /// It is not there, cannot be read, or ends before the range does.
    fn read_range(&self, kind: Kind, id: &Id, range: Range<u64>) -> Result<Bytes>;

    /// Keeps an object. One that is there already, of the same size, is left as it is; the config takes the place of
    /// the one before it, and at every moment there is the old or the new one.
    ///
    /// # Errors
    /// It, or one given earlier, cannot be stored.
    fn write(&self, kind: Kind, id: &Id, object: Bytes) -> Result<()>;

    /// Keeps the config of a new vault. Of two who make one here at the same time one fails, where the place has a way
    /// to make a name that is not there in one step; else where it is seen in time.
    ///
    /// # Errors
    /// There is a config by now; and those of [`write`](Self::write).
    fn write_first(&self, config: Bytes) -> Result<()> {
        match self.list(Kind::Config)?.is_empty() {
            true => self.write(Kind::Config, &Id::NONE, config),
            false => Err(taken(&self.place())),
        }
    }

    /// Waits until everything is stored.
    ///
    /// # Errors
    /// Something given earlier cannot be stored.
    fn flush(&self) -> Result<()>;

    /// Removes objects; those that are not there are none to remove.
    ///
    /// # Errors
    /// One of them is still there.
    fn remove(&self, kind: Kind, ids: &[Id]) -> Result<()>;

    /// How many bytes of a pack are best read at once, where they are needed.
    fn stretch(&self) -> u64 {
        STRETCH
    }

    /// How many threads should read at once, so that it is always busy.
    fn readers(&self) -> usize {
        READERS
    }

    /// What it carried so far.
    fn traffic(&self) -> Traffic;

    /// Somebody waits for the end: from now on nothing is tried again after a while.
    fn hurry(&self) {}

    /// Its room; None: it does not say.
    ///
    /// # Errors
    /// It cannot be asked.
    fn room(&self) -> Result<Option<Room>> {
        Ok(None)
    }

    /// The vault's id in its messages, once they were looked at; None: its objects are no messages.
    fn letters(&self) -> Option<letter::VaultId> {
        None
    }
}

/// Fails with an error that says nothing of what is in the vault, only that it gives nothing now.
pub(super) fn unless_away(error: Error) -> Result<Error> {
    if error.kind().is_away() { Err(error) } else { Ok(error) }
}

/// Says that there is a vault where one was to be made.
pub(crate) fn taken(place: &str) -> Error {
    Error::other(format!("there is a vault in {place} already"))
        .hint("choose another place, or use this one as it is, with its own password")
}

/// Says that an object is not there.
fn not_there(place: &str, kind: Kind, id: &Id) -> Error {
    let error = match kind {
        Kind::Config => Error::new(crate::error::Kind::NoVault, format!("there is no vault in {place}")),
        _ => Error::other(format!("the {} {} is not in {place}", kind.word(), id.short())),
    };
    error.hint("does another process prune this vault, or was something in it deleted by hand?")
}

/// Checks a range against the size of an object.
fn within(place: &str, kind: Kind, id: &Id, range: &Range<u64>, size: u64) -> Result<()> {
    if range.start <= range.end && range.end <= size {
        return Ok(());
    }
    Err(Error::other(format!(
        "the {} {} in {place} has {size} bytes, not those from {} to {}",
        kind.word(),
        id.short(),
        range.start,
        range.end
    ))
    .hint("it is damaged; what that costs is told by: postkeep verify PROFILE"))
}

/// Checks that an object may be read as a whole.
fn fits_memory(place: &str, kind: Kind, id: &Id, size: u64) -> Result<()> {
    if size <= kind.largest() {
        return Ok(());
    }
    Err(Error::other(format!(
        "the {} {} in {place} has {size} bytes, more than one can have",
        kind.word(),
        id.short()
    )))
}

/// Counts what a store carries.
#[derive(Debug, Default)]
struct Counter {
    up: AtomicU64,
    down: AtomicU64,
}

impl Counter {
    fn up(&self, bytes: u64) {
        self.up.fetch_add(bytes, Relaxed);
    }

    fn down(&self, bytes: u64) {
        self.down.fetch_add(bytes, Relaxed);
    }

    fn traffic(&self) -> Traffic {
        Traffic { up: self.up.load(Relaxed), down: self.down.load(Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_64_lower_case_digits_and_nothing_else() {
        let id = Id([0xab; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "ab", &"AB".repeat(32), &"g0".repeat(32), &"ab".repeat(33), &"ä".repeat(32)] {
            assert_eq!(bad.parse::<Id>(), Err(()), "{bad}");
        }
    }
}

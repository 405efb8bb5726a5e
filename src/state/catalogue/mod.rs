//! What an archive of mail has: which messages of which folder, how far each folder was seen, and what could not be
//! fetched.
//!
//! There is one database for each profile and vault, `archive/<profile>.<vault>.db` in the state folder. All but the
//! quarantine can be read from the vault again, and is when the database is lost, or is of another snapshot.

mod read;
mod schema;
#[cfg(test)]
mod tests;
mod values;
mod write;

use std::fs;
use std::path::{Path, PathBuf};

pub use self::values::{
    Change, Commit, Content, Facts, Folder, FolderId, Found, Look, Mark, Message, MessageId, Quarantined,
};
pub use self::write::Take;
use super::db::{Book, Db, is_damaged};
use super::locks::Locks;
use super::{private, schema as layout};
use crate::error::{Context, Error, Kind, Result};

/// The folder of all catalogues in the state.
const DIR: &str = "archive";

/// How many digits of a vault's id are in a file's name.
const DIGITS: usize = 16;

/// How much of the database is held in memory, in KiB: with less, each insert into an index of a million reads the disk.
const CACHE: i64 = 64 << 10;

/// The catalogue of one archive.
pub struct Catalogue {
    db: Db,
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Catalogue({})", self.db.path().display())
    }
}

impl Catalogue {
    /// Opens the catalogue of a profile's archive in the vault with the id `vault` (64 hexadecimal digits). It is made
    /// if it is not there. One that is damaged is removed and made anew: it has no snapshot then, and is to be rebuilt.
    ///
    /// # Errors
    /// A name that is none; a folder that others can write; a database of another program or a newer postkeep; or the
    /// disk.
    pub fn open(state: &Path, profile: &str, vault: &str) -> Result<Self> {
        let path = path(state, profile, vault)?;
        private::folder(state)?;
        private::folder(&state.join(DIR))?;
        let _gate = Locks::new(state).gate("catalogue")?;
        let open = || {
            private::file(&path)?;
            layout::open_as(&path, schema::MIGRATIONS, Book::Catalogue)
        };
        let db = match open() {
            Err(_) if is_damaged(&path) => {
                remove(&path)?;
                open()?
            }
            opened => opened?,
        };
        db.read("open the catalogue", |conn| Ok(conn.pragma_update(None, "cache_size", -CACHE)?))?;
        Ok(Self { db })
    }

    /// The same for another thread: a connection of its own, which only reads.
    ///
    /// # Errors
    /// The database cannot be opened.
    pub fn reader(&self) -> Result<Self> {
        Ok(Self { db: Db::connect(self.db.path(), true, Book::Catalogue)? })
    }

    /// Whether there is one.
    pub fn exists(state: &Path, profile: &str, vault: &str) -> bool {
        path(state, profile, vault).is_ok_and(|path| path.exists())
    }

    /// Clears the catalogues of all profiles' archives in a vault: something was lost there, and the next run of each
    /// reads anew what is left.
    ///
    /// # Errors
    /// One cannot be read or written.
    pub fn clear_all(state: &Path, vault: &str) -> Result<()> {
        let end = path(state, "x", vault)?;
        let end =
            end.file_name().and_then(|name| name.to_str()).and_then(|name| name.get(1..)).unwrap_or_default();
        let entries = match fs::read_dir(state.join(DIR)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.context(|| format!("cannot list {}", state.join(DIR).display()))?,
        };
        for entry in entries {
            let entry = entry.context(|| format!("cannot list {}", state.join(DIR).display()))?;
            let name = entry.file_name();
            let Some(profile) = name.to_str().and_then(|name| name.strip_suffix(end)) else { continue };
            Self::open(state, profile, vault)?.clear()?;
        }
        Ok(())
    }

    /// Removes the catalogue of an archive. What is in the vault stays.
    ///
    /// # Errors
    /// As [`Catalogue::open`].
    pub fn remove(state: &Path, profile: &str, vault: &str) -> Result<()> {
        remove(&path(state, profile, vault)?)
    }
}

fn path(state: &Path, profile: &str, vault: &str) -> Result<PathBuf> {
    let digits = vault.get(..DIGITS).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let named = !profile.is_empty() && !profile.bytes().any(|b| matches!(b, b'/' | 0));
    let Some(digits) = digits.filter(|_| named) else {
        return Err(Error::new(Kind::Usage, format!("{profile:?} and {vault:?} name no archive")));
    };
    Ok(state.join(DIR).join(format!("{profile}.{digits}.db")))
}

fn remove(path: &Path) -> Result<()> {
    for suffix in ["-wal", "-shm", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).context(|| format!("cannot remove {}", Path::new(&name).display()));
            }
            _ => {}
        }
    }
    Ok(())
}

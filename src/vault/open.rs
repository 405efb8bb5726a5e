//! From the place of a vault to the vault: the one list of the kinds of stores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Vault;
use super::ledger::Ledger;
use super::login::Guard;
use super::store::{Store, folder, mailbox, maildir};
use crate::clock::{Clock, System};
use crate::error::{Error, Kind, Result};
use crate::mail::secret::{self, Secret};
use crate::profile::{Imap, SecretSource, VaultPlace};

/// Where this machine keeps what makes vaults quick to open.
#[derive(Debug, Clone)]
pub struct Local {
    /// Sealed master keys.
    pub keys: PathBuf,
    /// Copies of the vaults' small objects: may be deleted at any time.
    pub cache: PathBuf,
    /// What is known of mailboxes: may be deleted at any time.
    pub mailboxes: PathBuf,
    /// The state folder, with the accounts of what mailboxes carried.
    pub state: PathBuf,
}

impl Local {
    /// Below the state folder, and below XDG's cache folder or `~/.cache`; without a home in the state folder too.
    pub fn new(state: &Path) -> Self {
        let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        let cache = cache.map_or_else(|| state.join("cache"), |cache| cache.join("postkeep"));
        Self {
            keys: state.join("keys"),
            cache: cache.join("vaults"),
            mailboxes: cache.join("mailboxes"),
            state: state.to_owned(),
        }
    }
}

/// The password of a vault, from where it is kept.
///
/// # Errors
/// It cannot be had. Where the file with it is not there yet, the hints say how it comes to be.
pub fn password(source: &SecretSource) -> Result<Secret> {
    secret::fetch(source).map_err(|error| match source {
        SecretSource::File(path) if path.symlink_metadata().is_err() => error
            .hint("for a new vault: postkeep vault init PROFILE asks for a password, and writes that file")
            .hint("for one that is there: write its password into that file, for you alone to read"),
        _ => error,
    })
}

/// Opens vaults.
#[derive(Debug)]
pub struct Opener<'a> {
    /// The accounts with a mailbox, by name.
    pub mailboxes: &'a BTreeMap<String, Imap>,
    /// What this machine keeps.
    pub local: Local,
}

impl Opener<'_> {
    /// The store at a place, whose traffic goes on the account `ledger`.
    ///
    /// # Errors
    /// The place cannot be reached.
    pub fn store(&self, place: &VaultPlace, ledger: Option<Arc<Ledger>>) -> Result<Arc<dyn Store>> {
        let clock = Arc::new(System);
        match place {
            VaultPlace::Folder(path) => Ok(Arc::new(folder::Folder::new(path, clock.now()))),
            VaultPlace::Maildir(path) => Ok(Arc::new(maildir::Maildir::new(path, None, clock))),
            VaultPlace::Mailbox { account, folder } => {
                let server = self.mailbox(account)?.clone();
                let guard = Guard {
                    state: self.local.state.clone(),
                    account: account.clone(),
                    mailbox: server.clone(),
                };
                let (fetch, heard) = guard.ways();
                let mut options = mailbox::Options::new(server, fetch, folder, clock);
                options.heard = heard;
                options.cache = Some(self.local.mailboxes.clone());
                if let Some(ledger) = ledger {
                    options.budget = ledger;
                }
                Ok(Arc::new(mailbox::Mailbox::new(options)))
            }
        }
    }

    /// Opens the vault at a place.
    ///
    /// # Errors
    /// [`Vault::open`]'s, and the place cannot be reached.
    pub fn open(&self, place: &VaultPlace, password: &str, ledger: Option<Arc<Ledger>>) -> Result<Vault> {
        self.open_on(self.store(place, ledger)?, password)
    }

    /// Opens the vault that is kept on this.
    ///
    /// # Errors
    /// [`Vault::open`]'s.
    pub fn open_on(&self, store: Arc<dyn Store>, password: &str) -> Result<Vault> {
        Vault::open(store, password, &self.local.keys, &self.local.cache)
    }

    /// The account of what a mailbox carried; None where its provider limits nothing.
    ///
    /// # Errors
    /// There is no such mailbox, or the state cannot be used.
    pub fn ledger(&self, account: &str) -> Result<Option<Arc<Ledger>>> {
        let limits = self.mailbox(account)?.limits;
        if limits.upload_per_day.is_none() && limits.download_per_day.is_none() {
            return Ok(None);
        }
        Ledger::open(&self.local.state, account, limits, Arc::new(System))
            .map(|ledger| Some(Arc::new(ledger)))
    }

    fn mailbox(&self, account: &str) -> Result<&Imap> {
        self.mailboxes.get(account).ok_or_else(|| no_server(account, "imap"))
    }
}

/// Says that there is no account with a server for `imap` or `pop3`.
pub fn no_server(account: &str, protocol: &str) -> Error {
    let preset = if protocol == "imap" { ", or a preset" } else { "" };
    Error::new(Kind::Config, format!("there is no account {account:?} with a server for {protocol}"))
        .hint(format!("[accounts.{account}] in postkeep.toml needs {protocol} = {{ host = ... }}{preset}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_that_is_not_there_yet_says_how_it_comes_to_be() {
        let temp = tempfile::tempdir().unwrap();
        let gone = SecretSource::File(temp.path().join("gone"));
        let hints = password(&gone).unwrap_err().hints().concat();
        assert!(hints.contains("postkeep vault init PROFILE"), "{hints}");
        // One that others can read is no new one.
        std::fs::write(temp.path().join("open"), "x").unwrap();
        let open = SecretSource::File(temp.path().join("open"));
        assert!(!password(&open).unwrap_err().hints().concat().contains("init"));
    }
}

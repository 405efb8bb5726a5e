//! From the place of a vault to the vault: the one list of the kinds of stores.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::Vault;
use super::store::{Store, folder, mailbox as letters, maildir};
use crate::clock::System;
use crate::error::{Error, Kind, Result};
use crate::mail::secret;
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
}

impl Local {
    /// Below the state folder, and below XDG's cache folder or `~/.cache`; without a home in the state folder too.
    pub fn new(state: &Path) -> Self {
        let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        let cache = cache.map_or_else(|| state.join("cache"), |cache| cache.join("postkeep"));
        Self { keys: state.join("keys"), cache: cache.join("vaults"), mailboxes: cache.join("mailboxes") }
    }
}

/// The store at a place. `mailbox` is the account of a place in a mailbox.
///
/// # Errors
/// The place cannot be reached.
pub fn store(
    place: &VaultPlace,
    mailbox: Option<&Imap>,
    local: &Local,
    now: Timestamp,
) -> Result<Arc<dyn Store>> {
    match (place, mailbox) {
        (VaultPlace::Folder(path), _) => Ok(Arc::new(folder::Folder::new(path, now))),
        (VaultPlace::Maildir(path), _) => Ok(Arc::new(maildir::Maildir::new(path, None, Arc::new(System)))),
        (VaultPlace::Mailbox { account, .. }, None) => {
            Err(Error::new(Kind::Config, format!("there is no account {account:?} with a mailbox"))
                .hint(format!("[accounts.{account}] in postkeep.toml needs imap = {{ ... }} or a preset")))
        }
        (VaultPlace::Mailbox { folder, .. }, Some(account)) => {
            let source = account.login.secret.clone();
            let secret = Box::new(move || secret::fetch(&source));
            let mut options = letters::Options::new(account.clone(), secret, folder, Arc::new(System));
            options.cache = Some(local.mailboxes.clone());
            Ok(Arc::new(letters::Mailbox::new(options)))
        }
    }
}

/// Opens the vault at a place.
///
/// # Errors
/// [`Vault::open`]'s, and those of the password's source.
pub fn open(
    place: &VaultPlace,
    mailbox: Option<&Imap>,
    password: &SecretSource,
    local: &Local,
    now: Timestamp,
) -> Result<Vault> {
    let store = store(place, mailbox, local, now)?;
    let password = secret::fetch(password)?;
    Vault::open(store, password.expose(), &local.keys, &local.cache)
}

//! Vaults: restic repositories in a folder, a Maildir or a mailbox.
//!
//! All words in here are restic's: snapshot, tree, blob, pack, index, key, prune. What a vault is kept on is a
//! [`store`]; the format itself is rustic_core's work, behind one adapter.

mod adapter;
pub mod add;
pub mod ahead;
pub mod archive;
pub mod blob;
pub mod choice;
pub mod content;
mod create;
mod crypt;
pub mod diff;
pub mod forget;
mod guard;
pub mod indexed;
pub mod keys;
pub mod ledger;
mod lock;
pub mod login;
pub(crate) mod names;
pub mod node;
pub mod open;
pub mod patience;
pub mod prune;
mod ranges;
pub mod repair;
pub mod restore;
mod save;
mod seal;
pub mod several;
pub mod snapshot;
mod snapshots;
mod sound;
mod source;
pub mod store;
pub mod tree;
mod unpacked;
pub mod verify;
mod warnings;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustic_core::repofile::MasterKey;
use rustic_core::{
    Credentials, IndexedFullStatus, OpenStatus, Repository, RepositoryBackends, RepositoryOptions,
    RusticResult,
};

use self::adapter::Adapter;
pub use self::create::{Holding, Options};
use self::crypt::Key;
use self::guard::Failed;
pub use self::lock::{Access, Lock, Unlocked};
pub use self::save::{Request, Saved};
pub use self::source::Estimate;
use self::store::{Id, Kind, Store};
use crate::error::{Error, Result};

/// An opened vault.
///
/// rustic_core's handle on a repository holds an index that is out of date as soon as something is written, so each piece
/// of work takes a new one. That costs no question to the store, but for the index.
pub struct Vault {
    store: Arc<dyn Store>,
    backend: Arc<Adapter>,
    master: MasterKey,
    key: Key,
    key_id: Option<Id>,
    id: String,
    cache: PathBuf,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({}, {})", self.id, self.store.place())
    }
}

impl Vault {
    /// Makes a vault.
    ///
    /// # Errors
    /// There is one already, or it cannot be written.
    pub fn create(store: Arc<dyn Store>, password: &str, options: &Options) -> Result<()> {
        create::create(store, password, options)
    }

    /// Opens a vault. `keys` is the folder in which its master key is kept for the next time; `cache` the one that rustic
    /// keeps copies of its small objects in.
    ///
    /// # Errors
    /// [`NoVault`](crate::error::Kind::NoVault), [`WrongPassword`](crate::error::Kind::WrongPassword), or the store
    /// cannot be read.
    pub fn open(store: Arc<dyn Store>, password: &str, keys: &Path, cache: &Path) -> Result<Self> {
        let place = store.place();
        let present = store.list(Kind::Key)?;
        let sealed = seal::unseal(keys, password, present.iter().map(|found| found.id));
        let (credentials, key_id) = match sealed {
            Some((id, master)) => (Credentials::Masterkey(master), Some(id)),
            None => (Credentials::password(password), None),
        };
        let backend = Arc::new(Adapter::new(Arc::clone(&store)));
        backend.looked();
        let what = || format!("cannot open the vault {place}");
        let config = guard::call(&backend, what, || backend.has_config())?;
        if !config {
            return Err(no_vault(&place));
        }
        let what =
            || format!("the vault {place} cannot be opened: its config is damaged, or of a newer format");
        let opened = guard::attempt(&backend, what, || handle(&backend, cache)?.open(&credentials));
        let repository = opened.map_err(|failed| match failed {
            Failed::Store(error) => error,
            Failed::Library(error) => match error.kind() {
                crate::error::Kind::WrongPassword if present.is_empty() => no_key(&place),
                // It may be the one that the password is for.
                crate::error::Kind::WrongPassword => backend.bad_key().map_or_else(
                    || wrong_password(&place),
                    |bad| bad.hint("no other key of the vault opens with this password"),
                ),
                // The key is open, and nothing else is read then.
                _ => error
                    .hint("bring the config back from a copy of the vault: an old one will do")
                    .hint("without a copy remove nothing: what is stored is still there, and only the config is lost"),
            },
        })?;
        let master = repository.key();
        let key_id = match (key_id, repository.key_id()) {
            (None, Some(id)) => {
                let id = adapter::ours(id);
                // Without it the next opening is slow, no more.
                let _ = seal::seal(keys, password, &id, &master);
                Some(id)
            }
            (known, _) => known,
        };
        let id = repository.config().id.to_hex().to_string();
        Ok(Self { key: Key::of(&master)?, store, backend, master, key_id, id, cache: cache.to_owned() })
    }

    /// What it is kept on.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The repository's id, 64 hexadecimal digits: the same wherever it is copied to.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key that our password opened.
    pub fn key_id(&self) -> Option<&Id> {
        self.key_id.as_ref()
    }

    /// A handle without an index.
    pub(crate) fn repository(&self) -> Result<Repository<OpenStatus>> {
        self.call("cannot open the vault", || self.reopened())
    }

    /// A handle that knows where all blobs are.
    pub(crate) fn indexed(&self) -> Result<Repository<IndexedFullStatus>> {
        self.call("cannot read the index", || self.reopened()?.to_indexed())
    }

    /// Lets rustic_core work. Its panics become errors, and errors of the store come out as they went in. `what` begins
    /// the sentence: "cannot list the snapshots".
    pub(crate) fn call<T>(&self, what: &str, work: impl FnOnce() -> RusticResult<T>) -> Result<T> {
        guard::call(&self.backend, || format!("{what} of {}", self.store.place()), work)
    }

    fn reopened(&self) -> RusticResult<Repository<OpenStatus>> {
        handle(&self.backend, &self.cache)?.open(&Credentials::Masterkey(self.master.clone()))
    }
}

fn handle(backend: &Arc<Adapter>, cache: &Path) -> RusticResult<Repository<()>> {
    let options = RepositoryOptions::default().cache_dir(cache);
    Repository::new(&options, &RepositoryBackends::new(Arc::clone(backend) as _, None))
}

fn wrong_password(place: &str) -> Error {
    Error::new(crate::error::Kind::WrongPassword, format!("the password does not open the vault {place}"))
        .hint("look at what the profile's vault-password-... key names, or give another password")
}

fn no_key(place: &str) -> Error {
    let text = format!("the vault {place} has no key: no password opens it");
    Error::new(crate::error::Kind::WrongPassword, text).hint("bring its keys back from a copy of the vault")
}

fn no_vault(place: &str) -> Error {
    let look = match place.starts_with("imap:") {
        true => "look whether the account and the folder's name are right",
        false => "look whether the disk is mounted and the name is right",
    };
    Error::new(crate::error::Kind::NoVault, format!("there is no vault in {place}"))
        .hint(look)
        .hint("to make a new one: postkeep vault init PROFILE")
}

#[cfg(test)]
mod tests {
    use super::store::memory::Memory;
    use super::*;
    use crate::error;

    fn options() -> Options {
        Options { compression: 3, host: "nas".into(), ..Options::default() }
    }

    #[test]
    fn a_vault_is_made_once_and_opens_with_its_password_alone() {
        let temp = tempfile::tempdir().unwrap();
        let (keys, cache) = (temp.path().join("keys"), temp.path().join("cache"));
        let heap = Arc::new(Memory::default());
        let store = || Arc::clone(&heap) as Arc<dyn Store>;
        let open = |password| Vault::open(store(), password, &keys, &cache);

        let error = open("right").unwrap_err();
        assert_eq!(error.kind(), error::Kind::NoVault, "{error:?}");

        Vault::create(store(), "right", &options()).unwrap();
        assert!(Vault::create(store(), "right", &options()).unwrap_err().to_string().contains("already"));
        assert_eq!(heap.list(Kind::Key).unwrap().len(), 1);

        assert_eq!(open("wrong").unwrap_err().kind(), error::Kind::WrongPassword);
        assert!(!keys.exists(), "a wrong password left a key");
        let first = open("right").unwrap();
        assert_eq!(std::fs::read_dir(&keys).unwrap().count(), 1);
        let second = open("right").unwrap();
        assert_eq!((first.id(), first.key_id()), (second.id(), second.key_id()));
        assert!(second.key_id().is_some());
        assert_eq!(open("wrong").unwrap_err().kind(), error::Kind::WrongPassword, "the sealed key let it in");

        heap.remove(Kind::Key, &[*first.key_id().unwrap()]).unwrap();
        assert_eq!(
            open("right").unwrap_err().kind(),
            error::Kind::WrongPassword,
            "a removed key opens the vault"
        );
    }

    #[test]
    fn what_to_do_without_a_vault_fits_its_place() {
        for (place, word) in
            [("/srv/vault", "disk"), ("maildir:/srv/m", "disk"), ("imap:a@b/Vault", "account")]
        {
            assert!(no_vault(place).hints()[0].contains(word), "{place}");
        }
    }

    #[test]
    fn two_who_remove_each_others_keys_leave_one() {
        let temp = tempfile::tempdir().unwrap();
        let heap = Arc::new(Memory::default());
        let store = || Arc::clone(&heap) as Arc<dyn Store>;
        let open = |password| {
            Vault::open(store(), password, &temp.path().join("keys"), &temp.path().join("cache")).unwrap()
        };
        Vault::create(store(), "one", &options()).unwrap();
        let first = open("one");
        first.add_key("two", "nas", "bob").unwrap();
        let second = open("two");
        let (mine, yours) = (*first.key_id().unwrap(), *second.key_id().unwrap());
        first.remove_key(&yours.to_string()).unwrap();
        let error = second.remove_key(&mine.to_string()).unwrap_err();
        assert!(error.to_string().contains("your own password opens"), "{error:?}");
        assert_eq!(heap.list(Kind::Key).unwrap().len(), 1, "nothing opens the vault any more");
    }
}

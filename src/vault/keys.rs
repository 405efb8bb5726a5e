//! The keys of a vault: each is the same master key, encrypted with another password.

use jiff::Timestamp;
use rustic_core::KeyOptions;
use rustic_core::repofile::KeyFile;

use super::store::{Id, Kind};
use super::{Access, Vault};
use crate::error::{Error, Kind as Sort, Result};

/// A key.
#[derive(Debug)]
pub struct Listed {
    /// Its id.
    pub id: Id,
    /// Whether it is the one that our password opened.
    pub own: bool,
    /// The machine that made it.
    pub host: String,
    /// The user who made it.
    pub user: String,
    /// When.
    pub created: Option<Timestamp>,
    /// Whether it is sound: its password opens the vault.
    pub readable: bool,
}

impl Vault {
    /// All keys, oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn keys(&self) -> Result<Vec<Listed>> {
        let mut keys = Vec::new();
        for found in self.store().list(Kind::Key)? {
            let file = self.sound_key(&found.id).ok();
            let file = file.and_then(|json| serde_json::from_slice::<KeyFile>(&json).ok());
            // What it says is not encrypted, and anybody's who can write into the store.
            let said = |text: Option<&String>| text.cloned().unwrap_or_default();
            keys.push(Listed {
                id: found.id,
                own: self.key_id() == Some(&found.id),
                host: said(file.as_ref().and_then(|file| file.hostname.as_ref())),
                user: said(file.as_ref().and_then(|file| file.username.as_ref())),
                created: file.as_ref().and_then(|file| file.created.as_ref()).map(jiff::Zoned::timestamp),
                readable: file.is_some(),
            });
        }
        keys.sort_by_key(|key| (key.created, key.id));
        Ok(keys)
    }

    /// A key's content, if it is what was stored.
    ///
    /// # Errors
    /// It is damaged, or cannot be read.
    pub(super) fn sound_key(&self, id: &Id) -> Result<bytes::Bytes> {
        let read = self.looked_for(Kind::Key, id)?;
        super::sound::sound_key(&read, id, &self.store().place())?;
        Ok(read)
    }

    /// Adds a key for another password.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn add_key(&self, password: &str, host: &str, user: &str) -> Result<Id> {
        let _lock = self.lock(Access::Shared)?;
        let options = KeyOptions::default().hostname(host.to_owned()).username(user.to_owned());
        let options = options.with_created(true);
        let repo = self.repository()?;
        let id = self.call("cannot add the key", || repo.add_key(password, &options))?;
        self.store().flush()?;
        Ok(super::adapter::ours(&id))
    }

    /// Removes a key that is named by the beginning of its id: its password opens the vault no more. Never the one that
    /// our own password opened, so that one is left always.
    ///
    /// # Errors
    /// None or several are meant, or it is our own (usage errors).
    pub fn remove_key(&self, name: &str) -> Result<Id> {
        let _lock = self.lock(Access::Exclusive)?;
        let keys = self.keys()?;
        let mut fits = keys.iter().filter(|key| !name.is_empty() && key.id.to_string().starts_with(name));
        let wrong = |why: String| {
            Err(Error::new(Sort::Usage, why).hint("`postkeep key list PROFILE` shows the keys and their ids"))
        };
        let key = match (fits.next(), fits.next()) {
            (Some(key), None) => key,
            (None, _) => return wrong(format!("no key's id begins with {}", crate::profile::quote(name))),
            (Some(_), Some(_)) => return wrong(format!("several keys' ids begin with {name}")),
        };
        // Opened by a master key alone it is not known which one is ours: then all may be.
        if key.own || self.key_id().is_none() {
            return Err(Error::new(Sort::Usage, "this key is the one that your password opens").hint(
                "open the vault with another password to remove it, or change this one: postkeep key passwd",
            ));
        }
        // The sealed key opens the vault as long as a key of this name is there, and somebody may have removed ours since.
        if !keys.iter().any(|key| key.own && key.readable) {
            return Err(Error::other(
                "no key is removed: the one that your own password opens is damaged or gone, and another may be the last \
                 that opens the vault",
            )
            .hint("make a sound one first: postkeep key add PROFILE, with another password"));
        }
        self.store().remove(Kind::Key, &[key.id])?;
        Ok(key.id)
    }
}

//! Folders of the lab's mailboxes.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use postkeep::clock::System;
use postkeep::mail::imap::{Appended, Dialer, Outgoing, Session};
use postkeep::mail::secret::{self, Secret};
use postkeep::profile::{Imap, SecretSource, Tls};
use postkeep::vault::store::Store;
use postkeep::vault::store::letter::VaultId;
use postkeep::vault::store::mailbox::{Mailbox, Options};
use tempfile::TempDir;

use crate::lab::{Lab, PASSWORD};
use crate::stores::contract::{Mend, Place};
use crate::stores::foreign_messages;

/// A folder that nobody else has.
pub struct InMailbox {
    pub account: Imap,
    pub folder: String,
    pub cache: TempDir,
    /// Told to the store as soon as there are letters of another one.
    vault: OnceLock<VaultId>,
}

pub fn secret() -> Secret {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, PASSWORD).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    secret::fetch(&SecretSource::File(path)).unwrap()
}

impl InMailbox {
    pub fn new(lab: &Lab, user: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = format!("Backups/Büro {}", NEXT.fetch_add(1, Relaxed));
        let cache = tempfile::tempdir().unwrap();
        Self { account: lab.mailbox(user, Tls::None), folder, cache, vault: OnceLock::new() }
    }

    /// The usual options, but without waiting.
    pub fn options(&self) -> Options {
        let get = || Ok(secret());
        let mut options = Options::new(self.account.clone(), Box::new(get), &self.folder, Arc::new(System));
        options.vault = self.vault.get().copied();
        options.cache = Some(self.cache.path().to_owned());
        options.retries = vec![Duration::ZERO; 5];
        options.sleep = Box::new(|_| ());
        options
    }

    pub fn store(&self) -> Mailbox {
        Mailbox::new(self.options())
    }

    /// A session with the folder open.
    pub fn session(&self) -> Session {
        let mut session = Dialer::new(self.account.clone(), secret()).open().unwrap();
        session.select(&self.folder).unwrap();
        session
    }

    /// Puts messages there by hand.
    pub fn append(&self, messages: impl IntoIterator<Item = Vec<u8>>) {
        let outgoing = |body| Outgoing { body: Box::new(body), flags: &[], internal_date: None };
        let messages = messages.into_iter().map(outgoing).collect();
        let (results, failed) = self.session().append_all(&self.folder, messages);
        assert!(failed.is_none(), "{failed:?}");
        let stored = |result: &Appended| matches!(result, Appended::Stored(_));
        assert!(results.iter().all(stored), "{results:?}");
    }
}

impl Drop for InMailbox {
    /// The folders of all tests would not fit into one mailbox.
    fn drop(&mut self) {
        if let Ok(mut session) = Dialer::new(self.account.clone(), secret()).open() {
            let _ = session.delete(&self.folder);
        }
    }
}

impl Place for InMailbox {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store())
    }

    fn open_broken(&self) -> (Arc<dyn Store>, Mend) {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut options = self.options();
        options.account.port = nobody;
        (Arc::new(Mailbox::new(options)), Box::new(|| ()))
    }

    fn litter(&self) {
        let vault = self.store().vault_id().unwrap().unwrap();
        self.vault.set(vault).unwrap();
        // No server takes a message of nothing.
        let messages = foreign_messages(vault).into_iter().filter(|text| !text.is_empty());
        self.append(messages.map(|text| text.replace('\n', "\r\n").into_bytes()));
    }
}

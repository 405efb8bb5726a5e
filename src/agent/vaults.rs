//! The vaults of the configuration, opened for a run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::backup;
use crate::error::Result;
use crate::profile::{Imap, SecretSource, VaultPlace};
use crate::vault::Vault;
use crate::vault::ledger::{Ledger, Pause};
use crate::vault::open::{Local, Opener, password};
use crate::vault::store::Store;

/// The vaults of one profile.
pub(super) struct Vaults<'a> {
    opener: Opener<'a>,
    password: &'a SecretSource,
    /// The accounts that were asked for.
    ledgers: RefCell<BTreeMap<String, Option<Arc<Ledger>>>>,
}

impl<'a> Vaults<'a> {
    pub(super) fn new(
        state: &Path,
        mailboxes: &'a BTreeMap<String, Imap>,
        password: &'a SecretSource,
    ) -> Self {
        let opener = Opener { mailboxes, local: Local::new(state) };
        Self { opener, password, ledgers: RefCell::default() }
    }

    fn ledger(&self, place: &VaultPlace) -> Option<Arc<Ledger>> {
        let VaultPlace::Mailbox { account, .. } = place else { return None };
        self.ledger_of(account)
    }

    /// What a mailbox carried. An account that cannot be read limits nothing here: opening the vault tells of it.
    pub(super) fn ledger_of(&self, account: &str) -> Option<Arc<Ledger>> {
        let mut ledgers = self.ledgers.borrow_mut();
        let known = ledgers.entry(account.to_owned());
        known.or_insert_with(|| self.opener.ledger(account).ok().flatten()).clone()
    }
}

impl Vaults<'_> {
    /// What a vault is kept on; nothing is connected yet.
    pub(super) fn store(&self, place: &VaultPlace) -> Result<Arc<dyn Store>> {
        self.opener.store(place, self.ledger(place))
    }

    /// Opens the vault that is kept on this.
    pub(super) fn open_on(&self, store: Arc<dyn Store>) -> Result<Vault> {
        self.opener.open_on(store, password(self.password)?.expose())
    }
}

impl backup::Vaults for Vaults<'_> {
    fn open(&self, place: &VaultPlace) -> Result<Vault> {
        self.open_on(self.store(place)?)
    }

    fn budget(&self, place: &VaultPlace) -> Option<(u64, u64)> {
        self.ledger(place)?.sent()
    }

    fn pause(&self, place: &VaultPlace) -> Option<Pause> {
        self.ledger(place)?.pause()
    }
}

//! The places of the configuration that an archive reads and writes, opened for a run.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::vaults::Vaults;
use crate::archive::imap::{self, Imap};
use crate::archive::maildir::Maildir;
use crate::archive::mbox::Mbox;
use crate::archive::pop3::{self, Pop3};
use crate::archive::run;
use crate::archive::source::Source;
use crate::backup::Vaults as _;
use crate::error::{Context, Result};
use crate::profile::{ArchiveJob, MailPlace, VaultPlace};
use crate::progress::Wish;
use crate::state::catalogue::Catalogue;
use crate::vault::Vault;
use crate::vault::ledger::Pause;
use crate::vault::login::Guard;
use crate::vault::open::no_server;
use crate::vault::store::Store;

/// The accounts that messages may come from.
#[derive(Clone, Copy)]
pub(super) struct Accounts<'a> {
    pub mailboxes: &'a BTreeMap<String, crate::profile::Imap>,
    pub maildrops: &'a BTreeMap<String, crate::profile::Pop3>,
}

/// The places of one profile.
pub(super) struct Places<'a> {
    profile: &'a str,
    state: PathBuf,
    accounts: Accounts<'a>,
    vaults: Vaults<'a>,
    gmail_query: Option<&'a str>,
    wish: Wish,
}

impl<'a> Places<'a> {
    /// Of a profile with this job. `wish` is the wish to stop.
    pub(super) fn new(
        profile: &'a str,
        state: &Path,
        accounts: Accounts<'a>,
        job: &'a ArchiveJob,
        wish: Wish,
    ) -> Self {
        Self {
            profile,
            state: state.to_owned(),
            accounts,
            vaults: Vaults::new(state, accounts.mailboxes, &job.keeping.password),
            gmail_query: job.gmail_query.as_deref(),
            wish,
        }
    }

    /// What is known of the archive in a vault, if anything is.
    pub(super) fn known(&self, place: &VaultPlace) -> Result<Option<Catalogue>> {
        match Catalogue::exists(&self.state, self.profile, &called(place)) {
            true => Catalogue::open(&self.state, self.profile, &called(place)).map(Some),
            false => Ok(None),
        }
    }

    /// A folder for what is too large for memory, while it comes.
    fn spool(&self) -> Result<PathBuf> {
        let spool = self.state.join("spool");
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&spool);
        made.context(|| format!("cannot make {}", spool.display()))?;
        Ok(spool)
    }

    fn imap(&self, account: &str) -> Result<Imap> {
        let server = self.accounts.mailboxes.get(account).ok_or_else(|| no_server(account, "imap"))?;
        let guard = Guard { state: self.state.clone(), account: account.to_owned(), mailbox: server.clone() };
        let (fetch, heard) = guard.ways();
        let name = MailPlace::Imap(account.to_owned()).to_string();
        let mut options = imap::Options::new(&name, server.clone(), fetch, self.spool()?);
        options.heard = heard;
        let wish = self.wish.clone();
        options.is_cancelled = Arc::new(move || wish.is_cancelled());
        options.gmail_query = self.gmail_query.map(str::to_owned);
        if let Some(ledger) = self.vaults.ledger_of(account) {
            options.budget = ledger;
        }
        Ok(Imap::new(options))
    }

    fn pop3(&self, account: &str) -> Result<Pop3> {
        let server = self.accounts.maildrops.get(account).ok_or_else(|| no_server(account, "pop3"))?;
        let guard = Guard { state: self.state.clone(), account: account.to_owned(), mailbox: server.clone() };
        let (fetch, heard) = guard.ways();
        let mut options = pop3::Options::new(server.clone(), account, fetch, self.spool()?);
        options.heard = heard;
        let wish = self.wish.clone();
        options.is_cancelled = Arc::new(move || wish.is_cancelled());
        Ok(Pop3::new(options))
    }
}

/// What a vault is called in the name of its catalogue. It is not opened for that, so it is called by its place.
fn called(place: &VaultPlace) -> String {
    blake3::hash(place.word().as_encoded_bytes()).to_hex().to_string()
}

/// Something was lost in a vault: what is known of archives in it is read from it anew by their next runs.
///
/// # Errors
/// The state cannot be written.
pub fn lost_in(state: &Path, place: &VaultPlace) -> Result<()> {
    Catalogue::clear_all(state, &called(place))
}

impl run::Places for Places<'_> {
    fn store(&self, place: &VaultPlace) -> Result<Arc<dyn Store>> {
        self.vaults.store(place)
    }

    fn vault(&self, store: Arc<dyn Store>) -> Result<Vault> {
        self.vaults.open_on(store)
    }

    fn source(&self, place: &MailPlace) -> Result<Box<dyn Source>> {
        Ok(match place {
            MailPlace::Imap(account) => Box::new(self.imap(account)?),
            MailPlace::Pop3(account) => Box::new(self.pop3(account)?),
            MailPlace::Maildir(path) => Box::new(Maildir::new(path)),
            MailPlace::Mbox(path) => Box::new(Mbox::new(path, &self.spool()?)),
        })
    }

    fn catalogue(&self, place: &VaultPlace) -> Result<Catalogue> {
        Catalogue::open(&self.state, self.profile, &called(place))
    }

    fn budget(&self, place: &VaultPlace) -> Option<(u64, u64)> {
        self.vaults.budget(place)
    }

    fn pause(&self, account: &str) -> Option<Pause> {
        self.vaults.ledger_of(account)?.pause()
    }
}

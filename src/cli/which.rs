//! Which vault a verb works on: one of a profile's, or one that is named on the command line.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{Context, config, usage};
use crate::agent;
use crate::error::{Error, Kind, Result};
use crate::profile::{Imap, Job, Keeping, SecretSource, VaultPlace, quote};
use crate::vault::ledger::Ledger;
pub(super) use crate::vault::names::host;
use crate::vault::open::{Local, Opener, password};
use crate::vault::snapshot::Scope;
use crate::vault::store::Store;
use crate::vault::{Holding, Vault};

/// What those verbs say about naming a vault without a profile.
pub(super) const BARE: &str = "\
Without a profile, on a bare machine for example, name the vault and its password, and leave PROFILE out:
  --vault PLACE --vault-password-file FILE        PLACE as in a profile: /srv/vault, imap:ACCOUNT/FOLDER";

/// The options.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The profile's vault number N (the first is 1), or the vault at this place
    #[arg(long, value_name = "N|PLACE", help_heading = HEADING)]
    vault: Option<String>,
    /// A file whose first line is the vault's password; no PROFILE is named then
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    vault_password_file: Option<PathBuf>,
    /// A command that prints the vault's password; no PROFILE is named then
    #[arg(long, value_name = "COMMAND", help_heading = HEADING, conflicts_with = "vault_password_file")]
    vault_password_command: Option<String>,
}

const HEADING: &str = "Which vault";

/// A vault that was chosen.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Where it is.
    pub place: VaultPlace,
    /// Where its password comes from.
    pub password: SecretSource,
    /// The profile it is one of.
    pub profile: Option<(String, Job)>,
    /// The accounts with a mailbox, by name.
    mailboxes: BTreeMap<String, Imap>,
    local: Local,
}

impl Which {
    /// Does `work` with the vault that is chosen, and the words that follow the profile's name. The hints of what goes
    /// wrong name it.
    ///
    /// # Errors
    /// Those of `work`; or nothing is chosen, or something that is not there.
    pub fn with<'a, T>(
        &self,
        words: &'a [String],
        ctx: &Context,
        work: impl FnOnce(&Chosen, &'a [String]) -> Result<T>,
    ) -> Result<T> {
        let (chosen, words) = self.choose(words, ctx)?;
        work(&chosen, words).map_err(|error| error.naming(&chosen.words()))
    }

    fn choose<'a>(&self, words: &'a [String], ctx: &Context) -> Result<(Chosen, &'a [String])> {
        if let Some(password) = self.password()? {
            let place = self.vault.as_deref().ok_or_else(|| {
                usage("--vault is missing")
                    .hint("name the vault: --vault /srv/vault, or --vault imap:ACCOUNT/FOLDER")
            })?;
            return Ok((self.bare(place, password, ctx)?, words));
        }
        let Some((name, rest)) = words.split_first() else {
            return Err(usage("no profile is named").hint(
                "name the profile whose vault is meant; or a vault: --vault PLACE --vault-password-file FILE",
            ));
        };
        let (config, _) = config::load_some(ctx, std::slice::from_ref(name))?;
        let profile = config.profiles.into_iter().next();
        let job = profile.map(|profile| profile.job);
        let Some(keeping) = job.as_ref().and_then(Job::keeping) else {
            return Err(usage(format!("{} is a sync, so it has no vault", quote(name)))
                .hint("profiles with kind = \"backup\" or \"archive\" have one"));
        };
        let place = self.one_of(keeping)?.clone();
        let password = keeping.password.clone();
        let profile = job.map(|job| (name.clone(), job));
        let (mailboxes, local) = (config.mailboxes, Local::new(&ctx.state_dir));
        Ok((Chosen { place, password, profile, mailboxes, local }, rest))
    }

    fn password(&self) -> Result<Option<SecretSource>> {
        if let Some(command) = &self.vault_password_command {
            return Ok(Some(SecretSource::Command(command.clone())));
        }
        let absolute = |path: &PathBuf| {
            let path = std::path::absolute(path);
            path.map(SecretSource::File).map_err(|_| usage("--vault-password-file names no file"))
        };
        self.vault_password_file.as_ref().map(absolute).transpose()
    }

    fn bare(&self, text: &str, password: SecretSource, ctx: &Context) -> Result<Chosen> {
        let place = parse(text)?;
        let mailboxes = match &place {
            VaultPlace::Mailbox { .. } => config::load_some(ctx, &[])?.0.mailboxes,
            // On a bare machine there is no configuration.
            _ => BTreeMap::new(),
        };
        Ok(Chosen { place, password, profile: None, mailboxes, local: Local::new(&ctx.state_dir) })
    }

    /// The profile's vault that is meant.
    fn one_of<'a>(&self, keeping: &'a Keeping) -> Result<&'a VaultPlace> {
        let Some(text) = &self.vault else {
            return keeping.vaults.first().ok_or_else(|| usage("the profile has no vault"));
        };
        let found = match text.parse::<usize>() {
            Ok(number) => number.checked_sub(1).and_then(|at| keeping.vaults.get(at)),
            Err(_) => {
                let place = parse(text)?;
                keeping.vaults.iter().find(|vault| **vault == place)
            }
        };
        found.ok_or_else(|| {
            let vaults = keeping.vaults.iter().enumerate().map(|(n, vault)| format!("{} is {vault}", n + 1));
            usage(format!("the profile has no vault {}", quote(text)))
                .hint(vaults.collect::<Vec<_>>().join(", "))
        })
    }
}

/// A place as it is written on the command line.
fn parse(text: &str) -> Result<VaultPlace> {
    let env = agent::environment()?;
    let base = env.cwd.clone();
    // A relative path begins where the user is.
    Ok(VaultPlace::parse(text, &base, &env)?)
}

impl Chosen {
    /// Opens it.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&self) -> Result<Vault> {
        let password = password(&self.password).map_err(|error| error.naming(&self.words()))?;
        self.open_with(password.expose())
    }

    /// Opens it with a password that is known already.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open_with(&self, password: &str) -> Result<Vault> {
        self.opener().open(&self.place, password, self.ledger()?)
    }

    /// What it is kept on.
    ///
    /// # Errors
    /// The place cannot be reached.
    pub fn store(&self) -> Result<Arc<dyn Store>> {
        self.opener().store(&self.place, self.ledger()?)
    }

    /// The account of a vault in a mailbox.
    pub fn mailbox(&self) -> Option<&Imap> {
        match &self.place {
            VaultPlace::Mailbox { account, .. } => self.mailboxes.get(account),
            _ => None,
        }
    }

    fn opener(&self) -> Opener<'_> {
        Opener { mailboxes: &self.mailboxes, local: self.local.clone() }
    }

    fn ledger(&self) -> Result<Option<Arc<Ledger>>> {
        match &self.place {
            VaultPlace::Mailbox { account, .. } => self.opener().ledger(account),
            _ => Ok(None),
        }
    }

    /// Whose snapshots are meant where none is named.
    pub fn scope(&self) -> Scope {
        match &self.profile {
            Some((name, _)) => Scope { label: Some(name.clone()), host: Some(host()) },
            None => Scope::default(),
        }
    }

    /// How its profile keeps snapshots.
    pub fn keeping(&self) -> Option<&Keeping> {
        self.profile.as_ref().and_then(|(_, job)| job.keeping())
    }

    /// What is mostly kept in it.
    pub fn holding(&self) -> Holding {
        match &self.profile {
            Some((_, Job::Archive(_))) => Holding::Messages,
            _ => Holding::Files,
        }
    }

    /// What stands for it in the command lines of hints.
    pub fn words(&self) -> String {
        match &self.profile {
            Some((name, job)) => {
                job.keeping().map_or_else(|| name.clone(), |keeping| keeping.named(name, &self.place))
            }
            None => format!("--vault {} --vault-password-file FILE", self.place),
        }
    }
}

/// This user's name, else his number.
pub(super) fn user() -> String {
    let named = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let uid = rustix::process::getuid().as_raw();
    let known = named.filter(|name| !name.is_empty()).or_else(|| crate::vault::names::user(uid));
    known.unwrap_or_else(|| uid.to_string())
}

/// Refuses words that no place is left for.
pub(super) fn too_many(words: &[String], most: usize) -> Result<()> {
    match words.get(most) {
        Some(word) => Err(Error::new(Kind::Usage, format!("{} is one word too many", quote(word)))),
        None => Ok(()),
    }
}

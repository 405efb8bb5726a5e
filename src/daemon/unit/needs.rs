//! What a configuration asks of the unit that it runs in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::profile::{Account, Config, SecretSource};

/// The variable in which a unit tells the agent what it was made for.
pub const VARIABLE: &str = "POSTKEEP_UNIT";

/// What `ProtectSystem=full` takes the right to write from. systemd 252 knows these; `/efi` is a boot partition too.
const SYSTEM: [&str; 4] = ["/usr", "/boot", "/efi", "/etc"];

/// What a sandbox must leave possible.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Commands of the user's are run: around runs, or for a secret. They may do whatever they like.
    pub programs: bool,
    /// Letters go out by the machine's own mail system, whose programs have set-id bits.
    pub sendmail: bool,
    /// The system's folders must be as they are: something is written there, or they are copied with what is above
    /// them.
    pub system_folders: bool,
    /// The names of credentials that systemd is to hand over.
    pub credentials: BTreeSet<String>,
}

impl Needs {
    /// What this configuration needs. `real` resolves symbolic links, as far as a path exists.
    pub fn of(config: &Config, state: &Path, real: &dyn Fn(&Path) -> PathBuf) -> Self {
        let mut needs = Self::default();
        let mut written = vec![state];
        written.extend(config.agent.prometheus_file.as_deref());
        written.extend(config.agent.status_file.as_deref());
        for account in config.accounts.values() {
            match account {
                Account::Maildir(path) => written.push(path),
                Account::Sendmail(_) => needs.sendmail = true,
                Account::Smtp(smtp) => needs.secret(smtp.login.as_ref().map(|login| &login.secret)),
            }
        }
        for mailbox in config.mailboxes.values() {
            needs.secret(Some(&mailbox.login.secret));
        }
        for maildrop in config.maildrops.values() {
            needs.secret(Some(&maildrop.login.secret));
        }
        for profile in &config.profiles {
            needs.programs |= !profile.hooks.is_empty();
            if let Some(keeping) = profile.job.keeping() {
                needs.secret(Some(&keeping.password));
            }
            written.extend(profile.job.written());
            // A folder that is protected is a mount point of its own, and those are left out of a copy.
            let above =
                |source: &Path| SYSTEM.iter().any(|system| Path::new(system).starts_with(real(source)));
            needs.system_folders |= profile.job.sources().into_iter().any(above);
        }
        needs.system_folders |= written.iter().any(|path| {
            let path = real(path);
            SYSTEM.iter().any(|system| path.starts_with(system) || Path::new(system).starts_with(&path))
        });
        needs
    }

    fn secret(&mut self, source: Option<&SecretSource>) {
        match source {
            Some(SecretSource::Command(_)) => self.programs = true,
            Some(SecretSource::Credential(name)) => {
                self.credentials.insert(name.clone());
            }
            _ => {}
        }
    }

    /// These needs in one word, for [`VARIABLE`].
    pub(super) fn words(&self) -> String {
        let words: Vec<_> =
            self.all().into_iter().filter(|(needed, _, _)| *needed).map(|(_, w, _)| w).collect();
        if words.is_empty() { "nothing".into() } else { words.join(",") }
    }

    /// What is needed beyond what the unit was made for, whose [`VARIABLE`] is `made_for`: a sentence for each. An
    /// agent that systemd did not start has no such variable, and no sandbox.
    pub fn beyond(&self, made_for: &str) -> Vec<&'static str> {
        let had = |word: &str| made_for.split(',').any(|had| had == word);
        // Who may run any program has no sandbox at all.
        let all = self.all().into_iter();
        let missing = all.filter(|(needed, word, _)| *needed && !had(word) && !had("programs"));
        missing.map(|(_, _, sentence)| sentence).collect()
    }

    fn all(&self) -> [(bool, &'static str, &'static str); 3] {
        [
            (
                self.programs,
                "programs",
                "commands of yours are run now, and the agent's unit keeps much from them",
            ),
            (
                self.sendmail,
                "sendmail",
                "an account uses sendmail now, and the agent's unit may keep it from working",
            ),
            (
                self.system_folders,
                "system-folders",
                "folders of the system are synced or written now, and the agent's unit protects them",
            ),
        ]
    }
}

//! An archive against the accounts and the disk.

use super::super::wrong::{Wrong, nearest, quote};
use super::super::{ArchiveJob, Config, MailPlace, VaultPlace};
use super::backup::{apart, there};
use super::vault::{self, Source};
use super::{Disk, Told, real};

/// Checks one archive.
pub(super) fn check(job: &ArchiveJob, config: &Config, disk: &Disk, told: &mut Told) {
    for (index, place) in job.sources.iter().enumerate() {
        match place {
            MailPlace::Imap(account) => {
                reached(place, account, "imap", config.mailboxes.keys(), config, told);
                own_vault(job, account, told);
            }
            MailPlace::Pop3(account) => {
                reached(place, account, "pop3", config.maildrops.keys(), config, told);
            }
            MailPlace::Maildir(_) | MailPlace::Mbox(_) => {}
        }
        // Their messages would lie under one name, as if they were of one mailbox.
        if let Some(other) = job.sources[..index].iter().find(|other| other.name() == place.name()) {
            let wrong = if other == place {
                Wrong::new(format!("the source {place} is named twice")).hint("leave one out")
            } else {
                Wrong::new(format!("the sources {other} and {place} would be kept under one name"))
                    .hint("write a profile for each: both may use the same vault")
            };
            told.error("source", wrong);
        }
    }
    let paths = job.sources.iter().filter_map(|place| place.path().map(ToOwned::to_owned));
    let paths: Vec<_> = paths.collect();
    let sources: Vec<Source<'_>> = paths.iter().map(|path| (path, real(path, disk.look))).collect();
    for (index, (source, path)) in sources.iter().enumerate() {
        there(source, disk, told);
        apart(source, path, &sources[..index], told);
    }
    vault::check(&job.keeping, &sources, &|_, _| false, config, disk, told);
}

fn reached<'a>(
    place: &MailPlace,
    account: &str,
    server: &str,
    mut known: impl Iterator<Item = &'a String> + Clone,
    config: &Config,
    told: &mut Told,
) {
    if known.clone().any(|name| name == account) {
        return;
    }
    let any = config.mailboxes.contains_key(account)
        || config.maildrops.contains_key(account)
        || config.accounts.contains_key(account);
    if any {
        let wrong = Wrong::new(format!(
            "the account {} has no {server} server, and {place} needs one",
            quote(account)
        ));
        let hint = format!("add it in postkeep.toml: {server} = {{ host = \"{server}.example.org\" }}");
        return told.error("source", wrong.hint(hint));
    }
    let wrong = Wrong::new(format!("there is no account {}", quote(account)));
    let near = nearest(account, known.by_ref().map(String::as_str));
    told.error(
        "source",
        match near {
            Some(near) => wrong.hint(format!("did you mean {}?", quote(near))),
            None => wrong.hint(format!(
                "an account is a table in postkeep.toml: [accounts.NAME] with preset or {server}"
            )),
        },
    );
}

/// A vault in the mailbox that is archived: its letters are never archived, but listing them takes time.
fn own_vault(job: &ArchiveJob, account: &str, told: &mut Told) {
    for vault in &job.keeping.vaults {
        let VaultPlace::Mailbox { account: other, folder } = vault else { continue };
        let without = job.folders.iter().any(|pattern| pattern.strip_prefix('!') == Some(folder));
        if other == account && job.folders.iter().any(|pattern| pattern == "*") && !without {
            let wrong = Wrong::new(format!("the vault {vault} lies in the mailbox that is archived"));
            let hint = format!(
                "its messages are skipped one by one; leave the folder out: folders = [\"*\", \"!{folder}\"]"
            );
            told.warning("source", wrong.hint(hint));
        }
    }
}

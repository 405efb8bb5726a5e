//! The vaults of a profile against the disk and the accounts, and against what other profiles write.

use std::path::{Path, PathBuf};

use super::super::problem::show_file;
use super::super::wrong::{Wrong, nearest, quote};
use super::super::{Config, Keeping, Profile, SecretSource, VaultPlace, show_size};
use super::sync::Targets;
use super::{Disk, Seen, Tell, Told, exclude, real};

/// Bytes that a message with a whole pack may have: a smaller daily budget would never send one.
const LEAST_BUDGET: u64 = 24_000_000;

/// Vaults in folders of this machine: whose, where, and the path without links.
pub(super) type Vaults<'a> = Vec<(&'a Profile, &'a VaultPlace, PathBuf)>;

/// Those of one profile.
pub(super) fn folders<'a>(profile: &'a Profile, keeping: &'a Keeping, disk: &Disk) -> Vaults<'a> {
    let real = |vault: &'a VaultPlace| Some((profile, vault, real(vault.folder()?, disk.look)));
    keeping.vaults.iter().filter_map(real).collect()
}

/// A source with its path without links.
pub(super) type Source<'a> = (&'a PathBuf, PathBuf);

/// Whether what is below a source is left out; whether that is a folder.
type Excluded<'a> = &'a dyn Fn(&Path, bool) -> bool;

/// Checks the vaults of one profile.
pub(super) fn check(
    keeping: &Keeping,
    sources: &[Source<'_>],
    excluded: Excluded<'_>,
    config: &Config,
    disk: &Disk,
    told: &mut Told,
) {
    for (index, vault) in keeping.vaults.iter().enumerate() {
        if keeping.vaults[..index].contains(vault) {
            told.error(
                "vault",
                Wrong::new(format!("the vault {vault} is named twice")).hint("leave one out"),
            );
            continue;
        }
        match vault {
            VaultPlace::Mailbox { account, .. } => mailbox(vault, account, config, told),
            VaultPlace::Folder(folder) | VaultPlace::Maildir(folder) => {
                let path = real(folder, disk.look);
                within(vault, &path, sources, excluded, told);
                ours(vault, &path, disk, told);
                kept(vault, folder, disk, told);
            }
        }
    }
    password(keeping, sources, excluded, disk, told);
    one_basket(keeping, told);
}

/// A vault that saves itself grows with each run.
fn within(vault: &VaultPlace, path: &Path, sources: &[Source<'_>], excluded: Excluded<'_>, told: &mut Told) {
    for (source, source_path) in sources {
        if let Ok(below) = path.strip_prefix(source_path) {
            if below.as_os_str().is_empty() {
                let wrong = Wrong::new(format!("{} is source and vault at once", show_file(source)));
                told.error("vault", wrong.hint("choose another folder for the vault"));
            } else if !excluded(below, true) {
                let wrong =
                    Wrong::new(format!("the vault {vault} lies inside the source {}", show_file(source)));
                let hint = format!("choose another place, or leave it out: {}", exclude(below));
                told.error("vault", wrong.hint(hint));
            }
        } else if source_path.starts_with(path) {
            let wrong = Wrong::new(format!("the source {} lies inside the vault {vault}", show_file(source)));
            told.error("vault", wrong.hint("choose a folder of its own for the vault"));
        }
    }
}

/// Our own folders hold no vaults: somebody may delete them to begin anew. A Maildir of letters is none for objects.
fn ours(vault: &VaultPlace, path: &Path, disk: &Disk, told: &mut Told) {
    for (name, folder) in &disk.own {
        let shown = show_file(folder);
        let inside = path.starts_with(folder);
        let wrong = if path == folder {
            format!("the vault {vault} is postkeep's {name} folder, {shown}")
        } else if inside && matches!(name.as_str(), "configuration" | "state") {
            format!("the vault {vault} lies inside postkeep's {name} folder, {shown}")
        } else if folder.starts_with(path) {
            format!("postkeep's {name} folder, {shown}, lies inside the vault {vault}")
        } else {
            continue;
        };
        told.error("vault", Wrong::new(wrong).hint("choose a folder of its own for the vault"));
    }
}

fn kept(vault: &VaultPlace, folder: &Path, disk: &Disk, told: &mut Told) {
    match (disk.look)(folder) {
        Seen::Other(_) => told.warning("vault", Wrong::new(format!("the vault {vault} is not a folder"))),
        Seen::Missing if folder.parent().map(disk.look) == Some(Seen::Missing) => {
            let wrong = Wrong::new(format!(
                "neither the vault {vault} nor the folder that it would be made in exists now"
            ));
            told.warning("vault", wrong.hint("is its disk mounted?"));
        }
        Seen::Missing | Seen::Folder(_) | Seen::Unknown => {}
    }
}

fn mailbox(vault: &VaultPlace, account: &str, config: &Config, told: &mut Told) {
    if let Some(known) = config.mailboxes.get(account) {
        let budget = known.limits.upload_per_day.unwrap_or(u64::MAX);
        if budget < LEAST_BUDGET.min(known.limits.message.unwrap_or(u64::MAX)) {
            let wrong = Wrong::new(format!(
                "the budget of {} a day for the account {} is less than one message of a vault",
                show_size(budget),
                quote(account)
            ));
            told.error("vault", wrong.hint("nothing would ever be stored; allow 24 MB a day or more"));
        }
        return;
    }
    if config.accounts.contains_key(account) {
        let wrong = Wrong::new(format!(
            "the vault {vault} is to be in the account {}, which has no mailbox",
            quote(account)
        ));
        let hint = "add the server that keeps messages: imap = { host = \"imap.example.org\" }; for a Maildir write maildir:PATH";
        return told.error("vault", wrong.hint(hint));
    }
    let wrong = Wrong::new(format!("there is no account {}", quote(account)));
    let known = config.mailboxes.keys().map(String::as_str);
    told.error(
        "vault",
        match nearest(account, known) {
            Some(near) => wrong.hint(format!("did you mean {}?", quote(near))),
            None => wrong.hint("an account is a table in postkeep.toml: [accounts.NAME] with preset or imap"),
        },
    );
}

/// Whoever needs the vault has lost what it protects.
fn password(keeping: &Keeping, sources: &[Source<'_>], excluded: Excluded<'_>, disk: &Disk, told: &mut Told) {
    let SecretSource::File(file) = &keeping.password else { return };
    let path = real(file, disk.look);
    let inside = sources
        .iter()
        .find(|(_, source)| path.strip_prefix(source).is_ok_and(|below| !excluded(below, false)));
    let Some((source, _)) = inside else { return };
    let wrong = Wrong::new(format!(
        "the vault's password is in the source {} that it protects: with the disk gone, so is the password",
        show_file(source)
    ));
    told.warning(
        "vault-password-file",
        wrong.hint("keep a copy elsewhere: `postkeep vault sheet` prints one"),
    );
}

/// One mailbox that is locked or full takes the backup, and the news of it.
fn one_basket(keeping: &Keeping, told: &mut Told) {
    let [VaultPlace::Mailbox { account, .. }] = keeping.vaults.as_slice() else { return };
    let report = &told.profile.report;
    if report.account.as_ref() == Some(account) && report.fallback.is_empty() {
        let wrong = Wrong::new(format!(
            "the account {} has the only vault and carries the reports too: should it be locked, you hear of nothing",
            quote(account)
        ));
        let hint = "add another way for reports (fallback under [report]), or a second vault";
        told.warning("vault", wrong.hint(hint));
    }
}

/// Vaults that lie in what another profile writes, or in each other. That two profiles save into one is fine.
pub(super) fn between<'a>(vaults: &Vaults<'a>, targets: &Targets<'a>, tell: Tell<'_, 'a>) {
    for (index, (profile, vault, path)) in vaults.iter().enumerate() {
        for (target, writers) in targets {
            let (sync, written) = &writers[0];
            let how = if path.starts_with(target) {
                format!("the vault {vault} lies inside the target {} of the profile", show_file(written))
            } else if target.starts_with(path) {
                format!("the vault {vault} holds the target {} of the profile", show_file(written))
            } else {
                continue;
            };
            let wrong = Wrong::new(format!("{how} \"{}\"", sync.name));
            tell(
                profile,
                "vault",
                wrong.hint("give each a folder of its own: a mirror deletes what is not its own"),
                sync,
            );
        }
        let other = vaults[..index].iter().find(|(_, other, other_path)| {
            let nested = path.starts_with(other_path) || other_path.starts_with(path);
            nested && (path != other_path || other != vault)
        });
        if let Some((other, place, _)) = other {
            let wrong = Wrong::new(format!(
                "the vaults {vault} and {place} of the profile \"{}\" lie in each other",
                other.name
            ));
            tell(profile, "vault", wrong.hint("give each vault a folder of its own"), other);
        }
    }
}

//! From what is written to a [`BackupJob`].

use std::path::Path;

use super::file::ProfileFile;
use super::paths::{Env, expand};
use super::{BackupJob, FilterRules, Keep, Keeping, SecretSource, VaultPlace};

/// How many bytes of new files are saved between two checkpoints unless told otherwise: a day's budget at Gmail.
const CHECKPOINT: u64 = 500_000_000;

/// How much is compressed unless told otherwise: zstd's own choice.
const COMPRESSION: i32 = 3;

/// The job that sound values of the profile `name` make; None if one is missing or wrong.
pub(super) fn job(
    name: &str,
    file: &mut ProfileFile,
    filter: FilterRules,
    base: &Path,
    env: &Env,
) -> Option<BackupJob> {
    let sources = file.source.take()?.0.into_iter().map(|text| expand(&text.0, base, env).ok());
    Some(BackupJob {
        sources: sources.collect::<Option<_>>()?,
        keeping: keeping(name, file, base, env)?,
        filter,
        one_file_system: file.one_file_system.unwrap_or(true),
        allow_empty_source: file.allow_empty_source.unwrap_or(false),
    })
}

/// The vaults of the profile `name`, and what stays there.
pub(super) fn keeping(name: &str, file: &mut ProfileFile, base: &Path, env: &Env) -> Option<Keeping> {
    let vaults = file.vault.take()?.0.into_iter().map(|text| VaultPlace::parse(&text.0, base, env).ok());
    Some(Keeping {
        vaults: vaults.collect::<Option<_>>()?,
        password: password(name, file, base, env)?,
        keep: keep(file),
        checkpoint: file.checkpoint.take().map_or(CHECKPOINT, |size| size.0),
        compression: file.compression.take().map_or(COMPRESSION, |level| level.0),
    })
}

fn password(name: &str, file: &mut ProfileFile, base: &Path, env: &Env) -> Option<SecretSource> {
    if let Some(command) = file.vault_password_command.take() {
        return Some(SecretSource::Command(command.0));
    }
    if let Some(path) = file.vault_password_file.take() {
        return expand(&path.0, base, env).ok().map(SecretSource::File);
    }
    let named = file.vault_password_env.take().map(SecretSource::Env);
    let named = named.or_else(|| file.vault_password_credential.take().map(SecretSource::Credential));
    // The keyring's entries of accounts have their names; a vault's cannot be taken for one of them.
    let keyring = || SecretSource::Keyring { account: format!("vault:{name}") };
    named.or_else(|| file.vault_keyring.filter(|is| *is).map(|_| keyring()))
}

fn keep(file: &ProfileFile) -> Option<Keep> {
    let number = |number: &Option<super::value::Number>| number.as_ref().map(|number| number.0);
    let keep = Keep {
        last: number(&file.keep_last),
        hourly: number(&file.keep_hourly),
        daily: number(&file.keep_daily),
        weekly: number(&file.keep_weekly),
        monthly: number(&file.keep_monthly),
        yearly: number(&file.keep_yearly),
        within: file.keep_within.as_ref().map(|length| length.0),
    };
    (keep != Keep::default()).then_some(keep)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::super::load::tests::one;
    use super::super::{Job, Profile};
    use super::*;

    const PLAIN: &str = "kind = 'backup'\nsource = '~/a'\n";

    fn backup(profile: &Profile) -> &BackupJob {
        let Job::Backup(job) = &profile.job else { panic!("a backup") };
        job
    }

    #[test]
    fn a_backup_is_absolute_and_has_all_defaults() {
        let profile = one(&format!("{PLAIN}vault = '~/v'\nvault-keyring = true\n"));
        let expected = BackupJob {
            sources: vec!["/home/me/a".into()],
            keeping: Keeping {
                vaults: vec![VaultPlace::Folder("/home/me/v".into())],
                password: SecretSource::Keyring { account: "vault:one".into() },
                keep: None,
                checkpoint: 500_000_000,
                compression: 3,
            },
            filter: FilterRules::default(),
            one_file_system: true,
            allow_empty_source: false,
        };
        assert_eq!(backup(&profile), &expected);
        assert_eq!(profile.timing.timeout, Some(SignedDuration::from_hours(24)));
        let mailbox = one(&format!("{PLAIN}vault = ['/v', 'imap:m/V']\nvault-keyring = true\n"));
        assert_eq!(mailbox.timing.timeout, Some(SignedDuration::from_hours(7 * 24)));
        let limited = one(&format!("{PLAIN}vault = 'imap:m/V'\nvault-keyring = true\ntimeout = '1h'\n"));
        assert_eq!(limited.timing.timeout, Some(SignedDuration::from_hours(1)));
    }

    #[test]
    fn each_key_means_what_it_says() {
        let profile =
            one("kind = 'backup'\nsource = ['~/a', '/b']\nvault = ['/v', 'maildir:~/M', 'imap:m/V']
vault-password-command = 'pass v'\nexclude = '*.tmp'\none-file-system = false\nallow-empty-source = true
keep-last = 1\nkeep-hourly = 2\nkeep-daily = 3\nkeep-weekly = 4\nkeep-monthly = 5\nkeep-yearly = 6
keep-within = '2w'\ncheckpoint = '1GiB'\ncompression = -7\nschedule = '@daily'\nrun-before = 'true'\n");
        let job = backup(&profile);
        assert_eq!(job.sources, [Path::new("/home/me/a"), Path::new("/b")]);
        let vaults: Vec<_> = job.keeping.vaults.iter().map(VaultPlace::to_string).collect();
        assert_eq!(vaults, ["/v", "maildir:/home/me/M", "imap:m/V"]);
        assert_eq!(job.filter.exclude, ["*.tmp"]);
        assert!(!job.one_file_system && job.allow_empty_source);
        let keep = Keep {
            last: Some(1),
            hourly: Some(2),
            daily: Some(3),
            weekly: Some(4),
            monthly: Some(5),
            yearly: Some(6),
            within: Some(SignedDuration::from_hours(14 * 24)),
        };
        assert_eq!(job.keeping.keep, Some(keep));
        assert_eq!((job.keeping.checkpoint, job.keeping.compression), (1 << 30, -7));
        assert!(profile.timing.is_automatic() && profile.hooks.before == ["true"]);
    }

    #[test]
    fn each_password_has_its_key() {
        for (key, source) in [
            ("vault-password-command = 'pass v'", SecretSource::Command("pass v".into())),
            ("vault-password-file = '~/v'", SecretSource::File("/home/me/v".into())),
            ("vault-password-env = 'V'", SecretSource::Env("V".into())),
            ("vault-password-credential = 'v'", SecretSource::Credential("v".into())),
            ("vault-keyring = true", SecretSource::Keyring { account: "vault:one".into() }),
        ] {
            assert_eq!(
                backup(&one(&format!("{PLAIN}vault = '/v'\n{key}\n"))).keeping.password,
                source,
                "{key}"
            );
        }
    }
}

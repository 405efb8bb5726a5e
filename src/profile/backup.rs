//! From what is written to a [`BackupJob`].

use std::path::Path;

use super::file::ProfileFile;
use super::paths::{Env, expand};
use super::{BackupJob, FilterRules, Keep, SecretSource, VaultPlace};

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
    let vaults = file.vault.take()?.0.into_iter().map(|text| VaultPlace::parse(&text.0, base, env).ok());
    Some(BackupJob {
        sources: sources.collect::<Option<_>>()?,
        vaults: vaults.collect::<Option<_>>()?,
        password: password(name, file, base, env)?,
        filter,
        one_file_system: file.one_file_system.unwrap_or(true),
        allow_empty_source: file.allow_empty_source.unwrap_or(false),
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

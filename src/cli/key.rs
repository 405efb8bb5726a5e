//! `postkeep key`: the passwords that open a vault.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;
use zeroize::Zeroizing;

use super::which::{BARE, Chosen, Which, host, too_many, user};
use super::{Context, out, password, table, usage};
use crate::entry::show;
use crate::error::{Error, Result};
use crate::mail::secret;
use crate::profile::SecretSource;
use crate::vault::keys::Listed;

/// The keys of a vault: list, add or remove one, change the password
///
/// A vault has one or more passwords; each opens all of it. Who once knew one may have copied what it opens: after a
/// password has leaked, a new vault is the only sure way.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(ListArgs),
    Add(AddArgs),
    Remove(RemoveArgs),
    Passwd(PasswdArgs),
}

/// List the keys: who made them, and when
#[derive(Debug, Args)]
#[command(override_usage = "postkeep key list [OPTIONS] [PROFILE]", after_help = format!("\
{BARE}

Exit codes: 0 done, 1 it failed, 2 usage, 10 no vault, 12 wrong password."))]
struct ListArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    words: Vec<String>,
    #[command(flatten)]
    which: Which,
}

/// Add a key: another password that opens the vault, for another person or machine
#[derive(Debug, Args)]
#[command(override_usage = "postkeep key add [OPTIONS] [PROFILE]", after_help = format!("\
Examples:
  postkeep key add documents                                asks for the new password twice
  postkeep key add documents --new-password-file ~/.vault2

{BARE}

Exit codes: 0 done, 1 it failed, 2 usage, 10 no vault, 11 locked, 12 wrong password."))]
struct AddArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    words: Vec<String>,
    /// A file whose first line is the new password [default: it is asked for]
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
}

/// Remove a key: its password opens the vault no more
#[derive(Debug, Args)]
#[command(override_usage = "postkeep key remove [OPTIONS] [PROFILE] KEY", after_help = format!("\
Examples:
  postkeep key remove documents 1a2b3c4d

The key that your own password opens cannot be removed; `postkeep key passwd` changes it.

{BARE}

Exit codes: 0 done, 1 it failed, 2 usage, 10 no vault, 11 locked, 12 wrong password."))]
struct RemoveArgs {
    /// The profile, and the beginning of the key's id
    #[arg(value_name = "PROFILE] [KEY")]
    words: Vec<String>,
    #[command(flatten)]
    which: Which,
}

/// Change the password that you open the vault with
///
/// A key for the new password is added, the vault is opened with it, and only then the old key is removed. Where the
/// profile takes the password from must have the new one from then on.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep key passwd [OPTIONS] [PROFILE]", after_help = format!("\
Examples:
  postkeep key passwd documents

{BARE}

Exit codes: 0 done, 1 it failed, 2 usage, 10 no vault, 11 locked, 12 wrong password."))]
struct PasswdArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    words: Vec<String>,
    /// A file whose first line is the new password [default: it is asked for]
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(args: &KeyArgs, ctx: &Context) -> Result<ExitCode> {
    match &args.verb {
        Verb::List(args) => list(args, ctx),
        Verb::Add(args) => add(args, ctx),
        Verb::Remove(args) => remove(args, ctx),
        Verb::Passwd(args) => passwd(args, ctx),
    }
}

fn list(args: &ListArgs, ctx: &Context) -> Result<ExitCode> {
    args.which.with(&args.words, ctx, |chosen, words| listed(ctx, chosen, words))
}

fn listed(ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 0)?;
    let keys = chosen.open()?.keys()?;
    if ctx.json {
        let list: Vec<_> = keys.iter().map(as_json).collect();
        out::print(&format!("{}\n", serde_json::Value::Array(list)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let head = ["id", "made", "user", "host", ""].map(str::to_owned).to_vec();
    let row = |key: &Listed| {
        let note = match key {
            Listed { own: true, readable: false, .. } => "yours, damaged",
            Listed { own: true, .. } => "yours",
            Listed { readable: false, .. } => "damaged",
            _ => "",
        };
        vec![
            key.id.to_string()[..8].to_owned(),
            key.created.map_or_else(String::new, table::when),
            show(key.user.as_bytes()),
            show(key.host.as_bytes()),
            note.to_owned(),
        ]
    };
    out::print(&table::table(&std::iter::once(head).chain(keys.iter().map(row)).collect::<Vec<_>>()))?;
    Ok(ExitCode::SUCCESS)
}

fn as_json(key: &Listed) -> serde_json::Value {
    json!({
        "id": key.id.to_string(),
        "created": key.created.map(|time| time.to_string()),
        "user": key.user,
        "host": key.host,
        "own": key.own,
        "readable": key.readable,
    })
}

/// The new password: from a file, or typed twice.
fn new_password(file: Option<&PathBuf>) -> Result<Zeroizing<String>> {
    match file {
        Some(file) => {
            let secret = secret::fetch(&SecretSource::File(file.clone()))?;
            Ok(Zeroizing::new(secret.expose().to_owned()))
        }
        None => password::ask_twice(),
    }
}

fn add(args: &AddArgs, ctx: &Context) -> Result<ExitCode> {
    args.which.with(&args.words, ctx, |chosen, words| added(args, ctx, chosen, words))
}

fn added(args: &AddArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 0)?;
    let vault = chosen.open()?;
    let id = vault.add_key(&new_password(args.new_password_file.as_ref())?, &host(), &user())?;
    tell(ctx, "added", &id.to_string())
}

fn remove(args: &RemoveArgs, ctx: &Context) -> Result<ExitCode> {
    args.which.with(&args.words, ctx, |chosen, words| removed(ctx, chosen, words))
}

fn removed(ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 1)?;
    let key = words.first().ok_or_else(|| {
        usage("no key is named")
            .hint("name it by the beginning of its id: `postkeep key list PROFILE` shows them")
    })?;
    let id = chosen.open()?.remove_key(key)?;
    tell(ctx, "removed", &id.to_string())
}

fn passwd(args: &PasswdArgs, ctx: &Context) -> Result<ExitCode> {
    args.which.with(&args.words, ctx, |chosen, words| changed(args, ctx, chosen, words))
}

fn changed(args: &PasswdArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 0)?;
    let vault = chosen.open()?;
    let Some(old) = vault.key_id().copied() else {
        return Err(Error::other("it is not known which key your password opens")
            .hint("add a key with `postkeep key add PROFILE`, and remove the old one with `postkeep key remove PROFILE`"));
    };
    let password = new_password(args.new_password_file.as_ref())?;
    vault.add_key(&password, &host(), &user())?;
    // Whoever cannot open it with the new one keeps the old one.
    let opened = chosen.open_with(&password)?;
    opened.remove_key(&old.to_string())?;
    if !ctx.quiet {
        out::warn(&format!("the password of {} is changed", chosen.place));
        out::warn(&format!("  hint: {}", source_hint(chosen)));
    }
    tell(ctx, "changed", &opened.key_id().map(ToString::to_string).unwrap_or_default())
}

/// What has to follow a change of the password.
fn source_hint(chosen: &Chosen) -> String {
    let source = match &chosen.password {
        SecretSource::File(path) => {
            format!("write the new password into {}", show(path.as_os_str().as_encoded_bytes()))
        }
        SecretSource::Command(_) => {
            "let the profile's vault-password-command print the new password".to_owned()
        }
        SecretSource::Env(name) => format!("set the variable {} to the new password", show(name.as_bytes())),
        SecretSource::Credential(name) => {
            format!("put the new password into the credential {}", show(name.as_bytes()))
        }
        SecretSource::Keyring { .. } => "put the new password into the keyring".to_owned(),
    };
    format!("{source}, or the next run fails; and print a new sheet: postkeep vault sheet {}", chosen.words())
}

fn tell(ctx: &Context, what: &str, id: &str) -> Result<ExitCode> {
    if ctx.json {
        out::print(&format!("{}\n", json!({ what: id })))?;
    } else if !ctx.quiet {
        out::print(&format!("{what}: key {}\n", id.get(..8).unwrap_or(id)))?;
    }
    Ok(ExitCode::SUCCESS)
}

//! `postkeep vault init`: a new vault.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::which::{BARE, Chosen, Which, host, too_many, user};
use crate::cli::{Context, out, password};
use crate::entry::show;
use crate::error::Result;
use crate::profile::SecretSource;
use crate::vault::store::{Kind, taken};
use crate::vault::{Options, Vault};

/// How much a vault without a profile is compressed.
const COMPRESSION: i32 = 3;

/// Make a new vault
///
/// Its password comes from where the profile says. Where that is a file that is not there yet, the password is asked for
/// twice and written there, for its owner alone to read.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep vault init [OPTIONS] [PROFILE]", after_help = format!("\
Examples:
  postkeep vault init documents                the profile's first vault
  postkeep vault init documents --vault 2      its second
  postkeep vault init --vault /srv/vault --vault-password-file ~/.vault

{BARE}

Exit codes: 0 done, 1 it failed or there is one already, 2 usage."))]
pub(super) struct InitArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    words: Vec<String>,
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(args: &InitArgs, ctx: &Context) -> Result<ExitCode> {
    args.which.with(&args.words, ctx, |chosen, words| made(ctx, chosen, words))
}

fn made(ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 0)?;
    let store = chosen.store()?;
    // Before a password is asked for in vain.
    if !store.list(Kind::Config)?.is_empty() {
        return Err(taken(&store.place()));
    }
    let (password, written) = password::new_or_known(&chosen.password)?;
    let compression = chosen.keeping().map_or(COMPRESSION, |keeping| keeping.compression);
    let holding = chosen.holding();
    let options = Options { compression, holding, host: host(), user: user() };
    Vault::create(store, &password, &options)?;
    let vault = chosen.open_with(&password)?;
    if ctx.json {
        let place = chosen.place.to_string();
        out::print(&format!(
            "{}\n",
            json!({ "vault": place, "id": vault.id(), "password-written": written })
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let whence = match &chosen.password {
        SecretSource::File(path) if written => {
            let path = show(path.as_os_str().as_encoded_bytes());
            format!("Its password was written to\n{path}, which only you can read.\n")
        }
        _ => String::new(),
    };
    let words = chosen.words();
    if ctx.quiet {
        out::warn(&format!(
            "WITHOUT ITS PASSWORD EVERYTHING IN THE VAULT IS LOST: keep a copy elsewhere (postkeep vault sheet {words})"
        ));
        return Ok(ExitCode::SUCCESS);
    }
    out::print(&format!(
        "\
A new vault is in {place}.
{whence}
WITHOUT ITS PASSWORD EVERYTHING IN IT IS LOST. Nobody can restore a file
without it: not you, not us, not the provider. A copy of it must be where a
fire, a thief or a broken disk does not take it along with this machine.

{next}",
        place = chosen.place,
        next = next(chosen, &words),
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// What comes next, command by command.
fn next(chosen: &Chosen, words: &str) -> String {
    let mut steps = vec![(
        format!("vault sheet {words}"),
        "prints a sheet for your papers; write the\npassword on it by hand".to_owned(),
    )];
    if let Some((name, _)) = &chosen.profile {
        let limited = chosen.mailbox().is_some_and(|imap| imap.limits.upload_per_day.is_some());
        let days = if limited { ",\nand how many days that takes" } else { "" };
        steps.push((format!("plan {name}"), format!("says how much there is to save{days}")));
        steps.push((format!("run {name}"), "does it, and reports".to_owned()));
    }
    let width = steps.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    let indent = format!("\n{:1$}", "", "  postkeep ".len() + width + 4);
    let lines = steps
        .iter()
        .map(|(command, what)| format!("  postkeep {command:<width$}    {}\n", what.replace('\n', &indent)));
    lines.collect()
}

//! `postkeep vault`: making a vault, its recovery sheet, its locks, its repair.

mod init;
mod repair;
mod sheet;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::which::{BARE, Chosen, Which, too_many};
use super::{Context, out};
use crate::error::Result;
use crate::figures::of;

/// Make a vault, print its recovery sheet, remove its stale locks, repair it
#[derive(Debug, Args)]
pub(crate) struct VaultArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::InitArgs),
    Sheet(sheet::SheetArgs),
    Unlock(UnlockArgs),
    Repair(repair::RepairArgs),
}

/// Remove locks that nobody holds any more
///
/// A lock is renewed every five minutes by who holds it; one that was not for half an hour, or whose process on this
/// machine is gone, is stale. Runs remove stale locks by themselves.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep vault unlock [OPTIONS] [PROFILE]", after_help = format!("\
Examples:
  postkeep vault unlock documents
  postkeep vault unlock documents --remove-all    also locks that seem to be held: only when nobody is at work

{BARE}

Exit codes: 0 done, 1 it failed, 2 usage, 10 no vault, 12 wrong password."))]
struct UnlockArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    words: Vec<String>,
    /// Remove the locks of the living, too
    #[arg(long)]
    remove_all: bool,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(args: &VaultArgs, ctx: &Context) -> Result<ExitCode> {
    match &args.verb {
        Verb::Init(args) => init::run(args, ctx),
        Verb::Sheet(args) => sheet::run(args, ctx),
        Verb::Unlock(args) => unlock(args, ctx),
        Verb::Repair(args) => repair::run(args, ctx),
    }
}

fn unlock(args: &UnlockArgs, ctx: &Context) -> Result<ExitCode> {
    args.which.with(&args.words, ctx, |chosen, words| unlocked(args, ctx, chosen, words))
}

fn unlocked(args: &UnlockArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 0)?;
    let unlocked = chosen.open()?.unlock(args.remove_all)?;
    if ctx.json {
        out::print(&format!("{}\n", json!({ "removed": unlocked.removed, "left": unlocked.left })))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !ctx.quiet {
        out::print(&format!("{} removed\n", of(unlocked.removed as u64, "lock", "locks")))?;
    }
    for holder in &unlocked.left {
        out::print(&format!("still locked by {}\n", crate::entry::show(holder.as_bytes())))?;
    }
    Ok(ExitCode::SUCCESS)
}

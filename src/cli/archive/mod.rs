//! `postkeep archive`: what is in an archive of mail, and how it gets out again.

mod export;
mod ls;
mod pick;
mod restore;
mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde_json::json;

use super::which::Chosen;
use super::{Context, budget, out};
use crate::archive::read::{Archive, Found, Walked, choose};
use crate::archive::stored::Stored;
use crate::error::Result;

/// How many digits of an id are shown.
const SHORT: usize = 10;

/// Look into an archive of mail, and get messages out of it
#[derive(Debug, Args)]
pub(crate) struct ArchiveArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Ls(ls::LsArgs),
    Show(show::ShowArgs),
    Export(export::ExportArgs),
    Restore(restore::RestoreArgs),
}

pub(crate) fn run(args: &ArchiveArgs, ctx: &Context) -> Result<ExitCode> {
    match &args.verb {
        Verb::Ls(args) => ls::run(args, ctx),
        Verb::Show(args) => show::run(args, ctx),
        Verb::Export(args) => export::run(args, ctx),
        Verb::Restore(args) => restore::run(args, ctx),
    }
}

/// Does `work` with the archive as a snapshot has it.
fn opened<T>(chosen: &Chosen, snapshot: &str, work: impl FnOnce(&Archive<'_>) -> Result<T>) -> Result<T> {
    let vault = chosen.open()?;
    let label = chosen.profile.as_ref().map(|(name, _)| name.as_str());
    let snapshot = choose(vault.readable_snapshots()?, snapshot, label, &TimeZone::system())?;
    let vault = vault.read()?;
    work(&Archive::of(&vault, &snapshot))
}

/// Tells what could not be looked through; the exit code that comes of it.
fn told(walked: &Walked) -> u8 {
    let mut code = 0;
    for (path, why) in &walked.broken {
        code = budget::code(code, why);
        out::warn(&format!("/{path}: {why}"));
    }
    if walked.more > 0 {
        out::warn(&format!("and {} more folders cannot be read", walked.more));
    }
    code
}

/// A message for a program.
fn as_json(found: &Found) -> serde_json::Value {
    let Stored { place, marks, size } = &found.message;
    json!({
        "id": marks.id(),
        "account": place.account,
        "folder": place.folder,
        "date": place.date.to_string(),
        "bytes": size,
        "from": marks.from,
        "subject": marks.subject,
        "flags": marks.flags,
        "labels": marks.labels,
        "message-id": marks.message_id,
        "path": format!("/{}", found.path),
    })
}

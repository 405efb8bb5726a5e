//! `postkeep archive`: what is in an archive of mail, and how it gets out again.

mod export;
mod ls;
mod pick;
mod restore;
mod show;

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use rustic_core::repofile::SnapshotFile;
use serde_json::json;

use super::which::Chosen;
use super::{Context, budget, out, usage};
use crate::archive::read::{Archive, Found, Walked, choose, hosts};
use crate::archive::stored::Stored;
use crate::entry::show;
use crate::error::Result;
use crate::profile::quote;
use crate::vault::snapshot::{Readable, full};

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

/// As what the archive is looked at: the options.
#[derive(Debug, Args)]
struct State {
    /// As it was in this snapshot: an id, latest~1, or a date
    #[arg(long, short, value_name = "SNAPSHOT", default_value = "latest")]
    snapshot: String,
    /// As this machine archived it, where several archive into one vault [default: the one at hand]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

impl State {
    /// The snapshot that is meant, of those that the vault has.
    fn choose(&self, all: &Readable, chosen: &Chosen, ctx: &Context) -> Result<SnapshotFile> {
        let mut scope = chosen.scope();
        let mut hosts = hosts(all, scope.label.as_deref());
        let list = |hosts: &BTreeSet<String>| {
            hosts.iter().map(|host| show(host.as_bytes())).collect::<Vec<_>>().join(", ")
        };
        if let Some(host) = &self.host {
            if !hosts.contains(host) {
                let error = usage(format!("no machine of the name {} archived into this vault", quote(host)));
                return Err(error.hint(format!("those that did: {}", list(&hosts))));
            }
            scope.host = Some(host.clone());
        }
        let snapshot = choose(all, &self.snapshot, &scope, &TimeZone::system())?;
        let named = self.host.is_some() || full(&snapshot.id).starts_with(&self.snapshot);
        hosts.remove(&snapshot.hostname);
        if !named && !hosts.is_empty() && !ctx.quiet {
            out::warn(&format!(
                "note: this is what {} archived; the vault has archives of other machines, too: --host {}",
                show(snapshot.hostname.as_bytes()),
                list(&hosts)
            ));
        }
        Ok(snapshot)
    }
}

/// Does `work` with the archive as a snapshot has it.
fn opened<T>(
    chosen: &Chosen,
    state: &State,
    ctx: &Context,
    work: impl FnOnce(&Archive<'_>) -> Result<T>,
) -> Result<T> {
    let vault = chosen.open()?;
    let snapshot = state.choose(&vault.readable_snapshots()?, chosen, ctx)?;
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

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
use crate::failures::Failures;
use crate::figures::count;
use crate::profile::{Job, quote};
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

/// Does `work` with the archive as a snapshot has it. `lock`: for so long that others should remove nothing meanwhile.
fn opened<T>(
    chosen: &Chosen,
    (state, lock): (&State, bool),
    ctx: &Context,
    work: impl FnOnce(&Archive<'_>) -> Result<T>,
) -> Result<T> {
    if let Some((name, Job::Backup(_))) = &chosen.profile {
        let error = usage(format!("{} is a backup, not an archive of mail", quote(name)));
        return Err(error.hint("postkeep ls, find and restore are for backups"));
    }
    let vault = chosen.open()?;
    let _lock = lock.then(|| super::restore::lock(&vault)).flatten();
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

/// The exit code of a verb that was to do something with messages, where there are none: more was expected.
fn unless_none(walked: &Walked, code: u8) -> u8 {
    if walked.visited > 0 || code > 0 {
        return code;
    }
    out::warn("postkeep: no message of the archive matches what was asked for");
    out::warn("  hint: `postkeep archive ls` with the same options shows which ones do");
    1
}

/// Tells what failed, by name as far as it was kept.
fn failed(failures: &Failures) {
    for failure in &failures.list {
        out::warn(&format!("{}: {}", failure.path, failure.cause));
    }
    let more = (failures.errors + failures.warnings).saturating_sub(failures.list.len() as u64);
    if more > 0 {
        out::warn(&format!("and {} more", count(more)));
    }
}

/// A value as JSON in one line. Programs get every character, and a terminal none that it obeys.
fn json_line(value: &serde_json::Value) -> String {
    let mut line = String::new();
    for c in value.to_string().chars() {
        match c {
            // Outside of texts there are none.
            '\u{7f}'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                line.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => line.push(c),
        }
    }
    line
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_no_json() {
        let value = json!({ "subject": "a\u{9b}31m \u{1b}[1m\u{7f}\u{202e}ü\\u009b" });
        let line = json_line(&value);
        assert_eq!(line, "{\"subject\":\"a\\u009b31m \\u001b[1m\\u007f\\u202eü\\\\u009b\"}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
    }
}

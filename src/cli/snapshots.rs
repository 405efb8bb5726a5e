//! `postkeep snapshots`: what a vault holds.

use std::process::ExitCode;

use clap::Args;
use rustic_core::repofile::SnapshotFile;
use serde_json::{Value, json};

use super::which::{BARE, Chosen, Which, too_many};
use super::{Context, out, table};
use crate::clock::{Clock as _, System};
use crate::entry::show;
use crate::error::Result;
use crate::figures::{of, size};
use crate::vault::snapshot::{self, Readable};

/// List the snapshots in a vault, oldest first
#[derive(Debug, Args)]
#[command(override_usage = "postkeep snapshots [OPTIONS] [PROFILE]", after_help = format!("\
Examples:
  postkeep snapshots documents             those of this profile, from this machine
  postkeep snapshots documents --all       all that the vault holds, of every machine and profile
  postkeep snapshots documents --json | jq -r '.[-1].id'

{BARE}

Exit codes: 0 done, 1 some cannot be read, 2 usage, 10 no vault, 12 wrong password."))]
pub(crate) struct SnapshotsArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    words: Vec<String>,
    /// Those of all machines and profiles, too
    #[arg(long)]
    all: bool,
    /// Only those with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(args: &SnapshotsArgs, ctx: &Context) -> Result<ExitCode> {
    args.which.with(&args.words, ctx, |chosen, words| listed(args, ctx, chosen, words))
}

fn listed(args: &SnapshotsArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 0)?;
    let Readable { all, lost } = chosen.open()?.readable_snapshots()?;
    lost.iter().for_each(|lost| out::warn(&format!("warning: {lost}")));
    let code = ExitCode::from(u8::from(!lost.is_empty()));
    let scope = chosen.scope();
    let tagged = |snapshot: &&SnapshotFile| args.tag.as_ref().is_none_or(|tag| snapshot.tags.contains(tag));
    let listed: Vec<_> =
        all.iter().filter(|snapshot| args.all || scope.has(snapshot)).filter(tagged).collect();
    // Those of one profile are what `latest` chooses from.
    if let Some(note) = snapshot::ahead(scope.of(&all), System.now()) {
        out::warn(&format!("warning: {note}"));
        out::warn(&format!("  hint: if it is not needed: postkeep forget {} and its id", chosen.words()));
    }
    if ctx.json {
        let list: Vec<_> = listed.iter().map(|snapshot| as_json(snapshot)).collect();
        out::print(&format!("{}\n", Value::Array(list)))?;
        return Ok(code);
    }
    if !listed.is_empty() {
        out::print(&rows(&listed))?;
    }
    // Of those that fit the tag: only they would come with --all.
    let others = all.iter().filter(tagged).count() - listed.len();
    let mut line = of(listed.len() as u64, "snapshot", "snapshots");
    if others > 0 {
        line.push_str(&format!("; {} more of other machines or profiles (--all)", others));
    }
    out::print(&format!("{line}\n"))?;
    Ok(code)
}

fn rows(list: &[&SnapshotFile]) -> String {
    let head = ["id", "time", "host", "profile", "tags", "size", "paths"].map(str::to_owned).to_vec();
    let row = |snapshot: &&SnapshotFile| {
        let summary = snapshot.summary.as_ref();
        vec![
            snapshot::short(snapshot),
            table::when(snapshot.time.timestamp()),
            show(snapshot.hostname.as_bytes()),
            show(snapshot.label.as_bytes()),
            show(snapshot.tags.to_string().as_bytes()),
            summary.map_or_else(String::new, |summary| size(summary.total_bytes_processed)),
            show(snapshot.paths.to_string().as_bytes()),
        ]
    };
    let rows: Vec<_> = std::iter::once(head).chain(list.iter().map(row)).collect();
    table::table(&rows)
}

/// A snapshot for a program.
pub(super) fn as_json(snapshot: &SnapshotFile) -> Value {
    let summary = snapshot.summary.as_ref();
    json!({
        "id": snapshot::full(&snapshot.id),
        "time": snapshot.time.timestamp().to_string(),
        "host": snapshot.hostname,
        "profile": snapshot.label,
        "user": snapshot.username,
        "tags": snapshot.tags.iter().collect::<Vec<_>>(),
        "paths": snapshot.paths.iter().collect::<Vec<_>>(),
        "tree": snapshot::full(&snapshot.tree),
        "parent": snapshot.parent.map(|id| snapshot::full(&id)),
        "files": summary.map(|summary| summary.total_files_processed),
        "bytes": summary.map(|summary| summary.total_bytes_processed),
        "added-bytes": summary.map(|summary| summary.data_added_packed),
    })
}

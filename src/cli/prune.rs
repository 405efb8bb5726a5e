//! `postkeep prune`: room that no snapshot needs any more.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::which::{BARE, Chosen, Which, too_many};
use super::{Context, out, usage};
use crate::error::Result;
use crate::figures::{of, size};
use crate::profile::quote;
use crate::vault::Vault;
use crate::vault::prune::{Freed, Thrift};

/// Free the room that no snapshot needs any more
///
/// In two steps: what is needed no more is marked now, and removed by the first prune after 23 hours, so that a backup
/// that runs on another machine meanwhile is never left without it. Nobody else may use the vault while this works.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep prune [OPTIONS] [PROFILE]", after_help = format!("\
Examples:
  postkeep prune documents -n                 what it would free
  postkeep prune documents
  postkeep prune documents --max-unused 0     free everything, however much must be written anew for it

{BARE}

Exit codes: 0 done, 1 it failed, 2 usage, 10 no vault, 11 locked, 12 wrong password."))]
pub(crate) struct PruneArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    words: Vec<String>,
    /// How much of the vault may stay unused, in percent: less costs more writing
    #[arg(long, value_name = "PERCENT", default_value = "5%")]
    max_unused: String,
    /// Say what would be freed, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(args: &PruneArgs, ctx: &Context) -> Result<ExitCode> {
    args.which.with(&args.words, ctx, |chosen, words| pruned(args, ctx, chosen, words))
}

fn pruned(args: &PruneArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 0)?;
    let text = args.max_unused.strip_suffix('%').unwrap_or(&args.max_unused);
    let max_unused = text.parse().ok().filter(|percent| *percent <= 100).ok_or_else(|| {
        usage(format!("{} is no share", quote(&args.max_unused)))
            .hint("a whole number up to 100: --max-unused 5%")
    })?;
    let thrift = Thrift { max_unused, max_repack: None };
    let freed = prune(ctx, &chosen.open()?, thrift, args.dry_run)?;
    if ctx.json {
        out::print(&format!("{}\n", as_json(&freed, args.dry_run)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prunes and, where text is wanted, says what that did.
pub(super) fn prune(ctx: &Context, vault: &Vault, thrift: Thrift, dry: bool) -> Result<Freed> {
    let freed = vault.prune(thrift, dry)?;
    if !ctx.json && !ctx.quiet {
        out::print(&text(&freed, dry))?;
    }
    Ok(freed)
}

fn text(freed: &Freed, dry: bool) -> String {
    let would = if dry { "would be " } else { "" };
    let mut text = String::new();
    let mut line = |line: String| text.push_str(&format!("{line}\n"));
    if freed.removed > 0 {
        let packs = of(freed.removed, "pack", "packs");
        line(format!("{would}removed: {packs}, {}, marked by an earlier prune", size(freed.removed_bytes)));
    }
    if freed.marked_bytes > 0 {
        line(format!(
            "{would}marked: {}, to be removed by the first prune after 23 hours",
            size(freed.marked_bytes)
        ));
    }
    if freed.repacked_bytes > 0 {
        line(format!("{would}written anew: {}", size(freed.repacked_bytes)));
    }
    if freed.unknown > 0 {
        let packs = of(freed.unknown, "pack", "packs");
        line(format!("{would}marked: {packs}, {}, left by interrupted runs", size(freed.unknown_bytes)));
    }
    if freed.recovered > 0 {
        line(format!("kept after all: {} that a snapshot needs again", of(freed.recovered, "pack", "packs")));
    }
    if freed.waiting_bytes > 0 {
        let when = freed.waiting_until.map_or_else(|| "23 hours".to_owned(), super::table::when);
        line(format!("{} are marked, and go after {when}", size(freed.waiting_bytes)));
    }
    if text.is_empty() {
        text.push_str("nothing to free\n");
    }
    // What waits to go is not what stays unused.
    let unused = freed.unused_bytes.saturating_sub(freed.waiting_bytes);
    text.push_str(&format!("in use: {}; unused: {}\n", size(freed.used_bytes), size(unused)));
    text
}

/// What was freed, for a program.
pub(super) fn as_json(freed: &Freed, dry: bool) -> serde_json::Value {
    json!({
        "dry-run": dry,
        "removed-packs": freed.removed,
        "removed-bytes": freed.removed_bytes,
        "marked-bytes": freed.marked_bytes,
        "waiting-bytes": freed.waiting_bytes,
        "rewritten-bytes": freed.repacked_bytes,
        "unknown-packs": freed.unknown,
        "unknown-bytes": freed.unknown_bytes,
        "recovered-packs": freed.recovered,
        "used-bytes": freed.used_bytes,
        "unused-bytes": freed.unused_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_freed_is_told_in_its_two_steps() {
        assert_eq!(text(&Freed::default(), false), "nothing to free\nin use: 0 bytes; unused: 0 bytes\n");
        let waiting = Freed {
            waiting_bytes: 4710,
            waiting_until: Some(jiff::Timestamp::UNIX_EPOCH),
            unused_bytes: 4000,
            ..Freed::default()
        };
        let told = text(&waiting, false);
        assert!(told.starts_with("4.6 KiB are marked, and go after ") && told.contains("1970"), "{told}");
        assert!(told.ends_with("unused: 0 bytes\n") && !told.contains("nothing to free"), "{told}");
        let freed =
            Freed { removed: 1, removed_bytes: 2048, marked_bytes: 4096, used_bytes: 1, ..Freed::default() };
        let told = text(&freed, true);
        for part in
            ["would be removed: 1 pack, 2.0 KiB", "would be marked: 4.0 KiB", "23 hours", "in use: 1 byte;"]
        {
            assert!(told.contains(part), "{told}");
        }
    }
}

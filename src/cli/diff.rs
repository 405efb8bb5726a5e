//! `postkeep diff`: what differs between two snapshots.

use std::process::ExitCode;

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::json;

use super::which::{BARE, Chosen, Which, too_many};
use super::{Context, budget, out, usage};
use crate::entry::Kind;
use crate::error::Result;
use crate::figures::{count, size};
use crate::vault::diff::{Change, Line, diff};
use crate::vault::{node, snapshot, tree};

/// Show what differs between two snapshots
///
/// Each line begins with + for what only the second has, - for what only the first has, M for another content, U where
/// only mode, owner, times or attributes are others, T for what became something else.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep diff [OPTIONS] [PROFILE] [FIRST[:PATH]] [SECOND[:PATH]]", after_help = format!("\
Examples:
  postkeep diff documents                          the last two snapshots
  postkeep diff documents 2026-11-01 latest        what has changed since then
  postkeep diff documents latest~1:/home/ann latest:/home/ann

{BARE}

Exit codes: 0 done, whether or not something differs; 1 something cannot be read, 2 usage, \
3 paused by a provider's budget, 10 no vault, 12 wrong password."))]
pub(crate) struct DiffArgs {
    /// The profile, and two snapshots [default: latest~1 latest]
    #[arg(value_name = "PROFILE] [FIRST] [SECOND")]
    words: Vec<String>,
    /// Do not show where only metadata differs
    #[arg(long)]
    no_metadata: bool,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(args: &DiffArgs, ctx: &Context) -> Result<ExitCode> {
    let done = args.which.with(&args.words, ctx, |chosen, words| differs(args, ctx, chosen, words));
    done.map_err(budget::hinted)
}

fn differs(args: &DiffArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 2)?;
    let (first, second) = match words {
        [] => ("latest~1", "latest"),
        [first, second] => (first.as_str(), second.as_str()),
        _ => return Err(usage("one snapshot is named, but two are compared").hint("name both, or none")),
    };
    let vault = chosen.open()?;
    let all = vault.readable_snapshots()?;
    let vault = vault.read()?;
    let side = |text: &str| {
        let (name, path) = snapshot::split(text);
        let snapshot = all.choose(name, &chosen.scope(), &TimeZone::system())?;
        let (at, node) = tree::at(&vault, snapshot.tree, path.unwrap_or("/").as_bytes())?;
        if !node.is_dir() {
            return Err(usage(format!("{} is no folder", crate::profile::quote(text)))
                .hint("folders are compared: name the one that it is in"));
        }
        let top = format!("/{at}");
        Ok((top.trim_end_matches('/').to_owned(), node))
    };
    let ((_, first), (top, second)) = (side(first)?, side(second)?);
    let mut sums = Sums::default();
    out::write(|to| {
        diff(&vault, &first, &second, &mut |line| match line {
            Line::Differs(Change::Metadata, ..) if args.no_metadata => Ok(()),
            Line::Differs(change, path, entry) => {
                let bytes = if node::kind(entry) == Kind::File { entry.meta.size } else { 0 };
                sums.add(change, bytes);
                if ctx.json {
                    let sign = change.sign().to_string();
                    writeln!(
                        to,
                        "{}",
                        json!({ "change": sign, "path": format!("{top}/{path}"), "bytes": bytes })
                    )
                } else {
                    writeln!(to, "{} {top}/{path}", change.sign())
                }
            }
            Line::Broken(path, why) => {
                sums.code = budget::code(sums.code, why);
                out::warn(&format!("{top}/{path}: {why}"));
                Ok(())
            }
        })?;
        if !ctx.json {
            writeln!(to, "{sums}")?;
        }
        Ok(())
    })?;
    Ok(ExitCode::from(sums.code))
}

#[derive(Default)]
struct Sums {
    added: u64,
    removed: u64,
    modified: u64,
    metadata: u64,
    added_bytes: u64,
    removed_bytes: u64,
    code: u8,
}

impl Sums {
    fn add(&mut self, change: Change, bytes: u64) {
        match change {
            Change::Added => (self.added, self.added_bytes) = (self.added + 1, self.added_bytes + bytes),
            Change::Removed => {
                (self.removed, self.removed_bytes) = (self.removed + 1, self.removed_bytes + bytes);
            }
            Change::Modified | Change::Type => self.modified += 1,
            Change::Metadata => self.metadata += 1,
        }
    }
}

impl std::fmt::Display for Sums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} added ({}), {} removed ({}), {} modified, {} with other metadata",
            count(self.added),
            size(self.added_bytes),
            count(self.removed),
            size(self.removed_bytes),
            count(self.modified),
            count(self.metadata)
        )
    }
}

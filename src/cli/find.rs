//! `postkeep find`: in which snapshots a file is.

use std::collections::{BTreeMap, HashSet};
use std::process::ExitCode;

use clap::Args;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use jiff::tz::TimeZone;
use rustic_core::TreeId;
use rustic_core::repofile::{Node, SnapshotFile};
use serde_json::json;

use super::which::{BARE, Chosen, Which, too_many};
use super::{Context, budget, ls, out, usage};
use crate::entry::RelPath;
use crate::error::Result;
use crate::figures::of;
use crate::profile::check_pattern;
use crate::vault::tree::{self, Step};
use crate::vault::{node, snapshot};

/// Find files by name in one or all snapshots
///
/// A name, or a glob of .gitignore: *.odt is looked for everywhere, /home/ann/*.odt only there. Each version of a file is
/// one line, with the snapshots that hold it.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep find [OPTIONS] [PROFILE] PATTERN", after_help = format!("\
Examples:
  postkeep find documents taxes.ods
  postkeep find documents '*.odt' --snapshot 2026-11-01
  postkeep find documents '/home/ann/**/letter*' --ignore-case

{BARE}

Exit codes: 0 found, 1 nothing found, or something cannot be read, 2 usage, 3 paused by a provider's budget, \
10 no vault, 12 wrong password."))]
pub(crate) struct FindArgs {
    /// The profile, and what to look for
    #[arg(value_name = "PROFILE] [PATTERN")]
    words: Vec<String>,
    /// Only in this snapshot
    #[arg(long, short, value_name = "SNAPSHOT")]
    snapshot: Option<String>,
    /// Whether letters are large or small does not matter
    #[arg(long, short)]
    ignore_case: bool,
    #[command(flatten)]
    which: Which,
}

/// The versions of what was found, by path; of each the snapshots that have it, newest first.
type Hits = BTreeMap<RelPath, Vec<(Node, Vec<usize>)>>;

pub(crate) fn run(args: &FindArgs, ctx: &Context) -> Result<ExitCode> {
    let done = args.which.with(&args.words, ctx, |chosen, words| found(args, ctx, chosen, words));
    done.map_err(budget::hinted)
}

fn found(args: &FindArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 1)?;
    let pattern = words.first().ok_or_else(|| usage("nothing to look for is named"))?;
    let globs = compile(pattern, args.ignore_case)?;
    let vault = chosen.open()?;
    let all = vault.readable_snapshots()?;
    let searched: Vec<&SnapshotFile> = match &args.snapshot {
        Some(name) => vec![all.choose(name, &chosen.scope(), &TimeZone::system())?],
        None => all.all.iter().rev().collect(),
    };
    // The others of these are searched; those may have what is looked for.
    let missed = if args.snapshot.is_none() { all.lost.as_slice() } else { &[] };
    missed.iter().for_each(|lost| out::warn(&format!("warning: {lost}")));
    let vault = vault.read()?;
    let mut hits = Hits::new();
    let (mut broken, mut code) = (HashSet::new(), 0);
    // Folders of which it is known that nothing in them fits: most are the same in all snapshots.
    let mut barren: HashSet<(TreeId, RelPath)> = HashSet::new();
    for (n, snapshot) in searched.iter().enumerate() {
        let mut fruitful: Vec<usize> = Vec::new();
        let mut found = 0;
        let walked: Result<(), std::convert::Infallible> =
            tree::walk(&vault, &RelPath::root(), &tree::root(snapshot.tree), &mut |step| {
                match step {
                    Step::Entry(path, node) => {
                        if globs.matched(path.as_path(), node.is_dir()).is_ignore() {
                            found += 1;
                            note(&mut hits, path, node, n);
                        }
                        if let Some(tree) = node.subtree {
                            if barren.contains(&(tree, path.clone())) {
                                return Ok(false);
                            }
                            fruitful.push(found);
                        }
                    }
                    Step::End(path, node) => {
                        let before = fruitful.pop();
                        if let (Some(tree), true) = (node.subtree, before == Some(found)) {
                            barren.insert((tree, path.clone()));
                        }
                    }
                    Step::Broken(path, why) => {
                        code = budget::code(code, why);
                        if broken.insert(path.clone()) {
                            out::warn(&format!("/{path}: {why}"));
                        }
                    }
                }
                Ok(true)
            });
        let Ok(()) = walked;
    }
    print(ctx, &hits, &searched)?;
    Ok(ExitCode::from(match code {
        0 | 3 if !missed.is_empty() => 1,
        0 => u8::from(hits.is_empty()),
        code => code,
    }))
}

fn compile(pattern: &str, ignore_case: bool) -> Result<Gitignore> {
    check_pattern(pattern)?;
    let wrong = |cause| usage(format!("{} is no pattern", crate::profile::quote(pattern))).caused_by(cause);
    let mut builder = GitignoreBuilder::new("");
    builder.case_insensitive(ignore_case).map_err(wrong)?;
    builder.add_line(None, pattern).map_err(wrong)?;
    builder.build().map_err(wrong)
}

fn note(hits: &mut Hits, path: &RelPath, node: &Node, snapshot: usize) {
    let versions = hits.entry(path.clone()).or_default();
    let same = |(seen, _): &&mut (Node, Vec<usize>)| {
        node::kind(seen) == node::kind(node)
            && (node.is_dir()
                || seen.meta.mtime == node.meta.mtime
                    && seen.content == node.content
                    && seen.node_type == node.node_type)
    };
    match versions.iter_mut().find(same) {
        Some((_, snapshots)) => snapshots.push(snapshot),
        None => versions.push((node.clone(), vec![snapshot])),
    }
}

fn print(ctx: &Context, hits: &Hits, searched: &[&SnapshotFile]) -> Result<()> {
    let versions = || hits.iter().flat_map(|(path, versions)| versions.iter().map(move |of| (path, of)));
    out::write(|to| {
        for (path, (node, snapshots)) in versions() {
            let newest = snapshots.first().map(|n| snapshot::short(searched[*n])).unwrap_or_default();
            if ctx.json {
                let mut line = ls::as_json(path, node);
                line["snapshots"] =
                    json!(snapshots.iter().map(|n| snapshot::full(&searched[*n].id)).collect::<Vec<_>>());
                writeln!(to, "{line}")?;
            } else {
                let held = match snapshots.len() {
                    1 => format!("in {newest}"),
                    n => format!("in {newest} and {}", of(n as u64 - 1, "older one", "older ones")),
                };
                writeln!(to, "{}  ({held})", ls::long(&format!("/{path}"), node))?;
            }
        }
        if hits.is_empty() && !ctx.json {
            writeln!(to, "nothing found in {}", of(searched.len() as u64, "snapshot", "snapshots"))?;
        }
        Ok(())
    })
}

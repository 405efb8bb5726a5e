//! `postkeep ls`: what is in a snapshot.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustic_core::repofile::Node;
use serde_json::{Value, json};

use super::which::{BARE, Chosen, Which, too_many};
use super::{Context, budget, out, table};
use crate::entry::{Kind, RelPath, show};
use crate::error::Result;
use crate::figures::size;
use crate::vault::tree::{self, Step};
use crate::vault::{node, snapshot};

/// List what a folder of a snapshot holds
#[derive(Debug, Args)]
#[command(override_usage = "postkeep ls [OPTIONS] [PROFILE] [SNAPSHOT[:PATH]]", after_help = format!("\
Examples:
  postkeep ls documents                            the top of the latest snapshot
  postkeep ls documents latest~1:/home/ann         a folder in the one before
  postkeep ls documents 2026-11-01 --recursive     everything, as it was then

{BARE}

Exit codes: 0 done, 1 something cannot be read, 2 usage, 3 paused by a provider's budget, \
10 no vault, 12 wrong password."))]
pub(crate) struct LsArgs {
    /// The profile, and the snapshot with the path in it [default: latest:/]
    #[arg(value_name = "PROFILE] [SNAPSHOT[:PATH]")]
    words: Vec<String>,
    /// Everything below, too
    #[arg(long, short)]
    recursive: bool,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(args: &LsArgs, ctx: &Context) -> Result<ExitCode> {
    let done = args.which.with(&args.words, ctx, |chosen, words| listed(args, ctx, chosen, words));
    done.map_err(budget::hinted)
}

fn listed(args: &LsArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 1)?;
    let (name, path) = words.first().map_or(("latest", None), |word| snapshot::split(word));
    let vault = chosen.open()?;
    let all = vault.readable_snapshots()?;
    let snapshot = all.choose(name, &chosen.scope(), &TimeZone::system())?;
    let vault = vault.read()?;
    let (at, found) = tree::at(&vault, snapshot.tree, path.unwrap_or("/").as_bytes())?;
    let mut code = 0;
    out::write(|to| {
        if !found.is_dir() {
            return line(to, ctx.json, &at, &found);
        }
        tree::walk(&vault, &at, &found, &mut |step| {
            match step {
                Step::Entry(path, node) => line(to, ctx.json, path, node)?,
                Step::Broken(path, why) => {
                    code = budget::code(code, why);
                    out::warn(&format!("/{path}: {why}"));
                }
                Step::End(..) => {}
            }
            Ok(args.recursive)
        })
    })?;
    Ok(ExitCode::from(code))
}

fn line(to: &mut dyn Write, json: bool, path: &RelPath, node: &Node) -> std::io::Result<()> {
    if json {
        return writeln!(to, "{}", as_json(path, node));
    }
    writeln!(to, "{}", long(&format!("/{path}"), node))
}

/// An entry in the columns of `ls -l`.
pub(super) fn long(path: &str, node: &Node) -> String {
    let kind = node::kind(node);
    let bytes = if kind == Kind::File { size(node.meta.size) } else { String::new() };
    let time = node.meta.mtime.map_or_else(String::new, when);
    let link = node::link(node).map_or_else(String::new, |target| format!(" -> {}", show(&target)));
    format!("{} {bytes:>11}  {time:<17}  {path}{link}", modes(kind, node::mode(&node.meta).unwrap_or(0)))
}

/// A file's time may be outside of what a calendar has a zone for.
fn when(time: Timestamp) -> String {
    table::when(time)
}

/// `drwxr-xr-x`.
fn modes(kind: Kind, mode: u32) -> String {
    let mut text = String::from(match kind {
        Kind::File => "-",
        Kind::Folder => "d",
        Kind::Symlink => "l",
        Kind::Fifo => "p",
        Kind::Socket => "s",
        Kind::CharDevice => "c",
        Kind::BlockDevice => "b",
    });
    for (shift, special, bit) in [(6, 's', 0o4000), (3, 's', 0o2000), (0, 't', 0o1000)] {
        let bits = mode >> shift;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(match (bits & 1 != 0, mode & bit != 0) {
            (false, false) => '-',
            (true, false) => 'x',
            (true, true) => special,
            (false, true) => special.to_ascii_uppercase(),
        });
    }
    text
}

/// An entry for a program.
pub(super) fn as_json(path: &RelPath, node: &Node) -> Value {
    let meta = &node.meta;
    json!({
        "path": format!("/{path}"),
        "kind": node::kind(node).word(),
        "bytes": meta.size,
        "mtime": meta.mtime.map(|time| time.to_string()),
        "mode": node::mode(meta).map(|mode| format!("{mode:04o}")),
        "uid": meta.uid,
        "gid": meta.gid,
        "link": node::link(node).map(|target| show(&target)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_as_everywhere() {
        for (kind, mode, expected) in [
            (Kind::File, 0o644, "-rw-r--r--"),
            (Kind::Folder, 0o1777, "drwxrwxrwt"),
            (Kind::File, 0o6755, "-rwsr-sr-x"),
            (Kind::File, 0o6644, "-rwSr-Sr--"),
            (Kind::Symlink, 0o777, "lrwxrwxrwx"),
        ] {
            assert_eq!(modes(kind, mode), expected);
        }
    }
}

//! `postkeep log`: what a run did to each path.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{Context, out};
use crate::agent;
use crate::error::{Context as _, Error, Result};
use crate::figures::size;
use crate::state::{Query, RunRow, State};

/// Show what a run did to each path
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep log 01KA2Q7MZR3XB                   everything
  postkeep log 01KA2Q7MZR3XB | grep ^deleted   what went
  postkeep log 01KA2Q7MZR3XB --json            a JSON object per line

A line begins with what was done: created, replaced, updated (mode, owner, times or attributes), linked, deleted, \
swept (left half done by a run that was killed), failed, warning. hook is a line of a command around the run.

Paths are shown on one line whatever is in them: \\n is a line end, \\xff a byte that is no UTF-8, \\\\ a backslash.")]
pub(crate) struct LogArgs {
    /// The run's id, or its beginning; `postkeep history` lists them
    run: String,
}

pub(crate) fn run(args: &LogArgs, ctx: &Context) -> Result<ExitCode> {
    let state = open(ctx)?;
    let row = find(&state, &args.run)?;
    let Some(log) = state.history().log(row.id)? else {
        return Err(Error::other(format!("run {} has no log", row.id))
            .hint("logs are kept for 400 days; a run that is at work has one when it has ended"));
    };
    let mut unreadable = None;
    out::write(|out| {
        for line in log.lines() {
            match line {
                Ok(line) => print(out, &line, ctx.json)?,
                Err(error) => {
                    unreadable = Some(error);
                    break;
                }
            }
        }
        Ok(())
    })?;
    unreadable.map_or(Ok(()), Err).context(|| format!("cannot read the log of run {}", row.id))?;
    Ok(ExitCode::SUCCESS)
}

/// A run by the beginning of its id, or by the name of the profile whose last run it is; with its failures.
pub(super) fn find(state: &State, asked: &str) -> Result<RunRow> {
    let history = state.history();
    let last = history.runs(&Query { profile: Some(asked), limit: 1, before: None })?.pop();
    history.find(&last.map_or_else(|| asked.to_owned(), |row| row.id.to_string()))
}

/// The state, which must be there.
pub(super) fn open(ctx: &Context) -> Result<State> {
    agent::look(&ctx.state_dir)?.ok_or_else(|| {
        Error::other(format!("nothing was ever run with the state folder {}", ctx.state_dir.display()))
            .hint("run a profile first, or name the folder with --state")
    })
}

fn print(out: &mut dyn Write, line: &str, as_json: bool) -> std::io::Result<()> {
    let mut fields = line.splitn(4, '\t');
    let mut field = || fields.next().unwrap_or_default();
    let (op, bytes, path, note) = (field(), field().parse::<u64>().unwrap_or(0), field(), field());
    if as_json {
        return writeln!(out, "{}", json!({ "op": op, "bytes": bytes, "path": path, "note": note }));
    }
    let bytes = if bytes > 0 { size(bytes) } else { String::new() };
    let note = if note.is_empty() { String::new() } else { format!("  ({note})") };
    writeln!(out, "{op:<9}{bytes:>11}  {path}{note}")
}

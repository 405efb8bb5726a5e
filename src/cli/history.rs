//! `postkeep history`: the runs of the past.

use std::process::ExitCode;

use clap::Args;

use super::{Context, out, table};
use crate::agent;
use crate::cli::standing::run_json;
use crate::error::Result;
use crate::figures::{count, duration, size};
use crate::profile::quote;
use crate::run::Status;
use crate::state::{Query, RunRow};

/// List the runs, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep history documents           the last 20 runs of one profile
  postkeep history --limit 100 --json  for a program

The first column is the run's id, shortened, for `postkeep report` and `postkeep log`. It may be shortened further \
as long as it fits one run only.")]
pub(crate) struct HistoryArgs {
    /// Only the runs of this profile
    #[arg(value_name = "PROFILE")]
    profile: Option<String>,
    /// At most this many
    #[arg(long, short = 'l', value_name = "N", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Only runs before this one, given by its id: the next page
    #[arg(long, value_name = "RUN")]
    before: Option<String>,
}

pub(crate) fn run(args: &HistoryArgs, ctx: &Context) -> Result<ExitCode> {
    let mut rows = Vec::new();
    if let Some(state) = agent::look(&ctx.state_dir)? {
        let history = state.history();
        let before = args.before.as_deref().map(|id| history.find(id)).transpose()?.map(|row| row.id);
        rows = history.runs(&Query { profile: args.profile.as_deref(), limit: args.limit, before })?;
        for row in rows.iter_mut().filter(|row| row.status == Status::Running) {
            // Nobody holds its profile's lock: it was killed, and is reported at the next start.
            if !state.locks().is_held(&row.profile)? {
                row.status = Status::Interrupted;
            }
        }
    }
    if ctx.json {
        let rows = serde_json::Value::Array(rows.iter().map(run_json).collect());
        out::print(&format!("{rows}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if rows.is_empty() {
        let earlier = if args.before.is_some() { "no earlier runs" } else { "no runs yet" };
        out::print(&match &args.profile {
            Some(profile) => format!("{earlier} of {}\n", quote(profile)),
            None => format!("{earlier}\n"),
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let head =
        ["RUN", "PROFILE", "STARTED", "TOOK", "RESULT", "CHANGED", "COPIED"].map(str::to_owned).to_vec();
    let lines: Vec<_> = std::iter::once(head).chain(rows.iter().map(|row| line(row, ctx.color()))).collect();
    out::print(&table::table(&lines))?;
    Ok(ExitCode::SUCCESS)
}

fn line(row: &RunRow, color: bool) -> Vec<String> {
    let counts = row.outcome.as_ref().map(|outcome| outcome.counts).unwrap_or_default();
    let changed = counts.created + counts.replaced + counts.updated + counts.deleted;
    vec![
        table::short(row.id),
        row.profile.clone(),
        table::when(row.started),
        row.ended.map_or_else(String::new, |ended| duration(ended.duration_since(row.started))),
        table::status(row.status, color),
        if changed > 0 { count(changed) } else { "-".into() },
        if counts.copied_bytes > 0 { size(counts.copied_bytes) } else { "-".into() },
    ]
}

//! `postkeep status`: how each profile stands.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{Context, config, table};
use crate::error::Result;
use crate::figures::of;
use crate::run::{RunId, Status};
use crate::state::{Query, RunRow, State};

/// Show how each profile stands: its last run, its last success, what runs now
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  postkeep status --json | jq '.profiles[] | select(.status == \"failed\")'

The last column is the run's id, for `postkeep report` and `postkeep log`.
Exit code: 0 whatever the runs came to.")]
pub(crate) struct StatusArgs {}

/// How one profile stands.
struct Standing {
    profile: String,
    last: Option<RunRow>,
    success: Option<RunRow>,
    at_work: bool,
}

pub(crate) fn run(_: &StatusArgs, ctx: &Context) -> Result<ExitCode> {
    let (config, _) = config::load_some(ctx, &[])?;
    let state = State::open_read_only(&ctx.state_dir)?;
    let mut standings = Vec::new();
    for profile in &config.profiles {
        standings.push(standing(state.as_ref(), &profile.name)?);
    }
    let waiting = state.map(|state| state.outbox().pending(1_000)).transpose()?.unwrap_or_default().len();
    if ctx.json {
        let profiles: Vec<_> = standings.iter().map(as_json).collect();
        println!("{}", json!({ "profiles": profiles, "reports-waiting": waiting }));
        return Ok(ExitCode::SUCCESS);
    }
    if standings.is_empty() {
        println!("no profiles yet: `postkeep init` makes the first");
        return Ok(ExitCode::SUCCESS);
    }
    let head = ["PROFILE", "RESULT", "LAST RUN", "LAST SUCCESS", "RUN"].map(str::to_owned).to_vec();
    let rows = standings.iter().map(|standing| line(standing, ctx.color()));
    print!("{}", table::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    if waiting > 0 {
        println!(
            "\n{} could not be delivered yet; the next run tries again",
            of(waiting as u64, "report", "reports")
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn standing(state: Option<&State>, profile: &str) -> Result<Standing> {
    let mut standing = Standing { profile: profile.into(), last: None, success: None, at_work: false };
    let Some(state) = state else { return Ok(standing) };
    let history = state.history();
    standing.last = history.runs(&Query { profile: Some(profile), limit: 1, before: None })?.pop();
    standing.success = match &standing.last {
        Some(last) if last.status.is_success() => standing.last.clone(),
        Some(last) => history.last_success(profile, last.id)?,
        None => None,
    };
    if standing.last.as_ref().is_some_and(|last| last.status == Status::Running) {
        standing.at_work = state.locks().is_held(profile)?;
    }
    Ok(standing)
}

/// The word for the last run: one that says it runs, while nobody holds its lock, was interrupted.
fn word(standing: &Standing) -> Option<Status> {
    let last = standing.last.as_ref()?;
    Some(if last.status == Status::Running && !standing.at_work { Status::Interrupted } else { last.status })
}

fn line(standing: &Standing, color: bool) -> Vec<String> {
    let when =
        |row: &Option<RunRow>| row.as_ref().map_or_else(|| "never".into(), |row| table::when(row.started));
    let id = |row: &RunRow| -> RunId { row.id };
    vec![
        standing.profile.clone(),
        word(standing).map_or_else(|| "-".into(), |status| table::status(status, color)),
        when(&standing.last),
        when(&standing.success),
        standing.last.as_ref().map_or_else(String::new, |row| table::short(id(row))),
    ]
}

fn as_json(standing: &Standing) -> serde_json::Value {
    json!({
        "profile": standing.profile,
        "status": word(standing),
        "last-run": standing.last.as_ref().map(super::history::as_json),
        "last-success": standing.success.as_ref().map(|row| row.ended),
    })
}

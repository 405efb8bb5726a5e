//! `postkeep status`: how each profile stands.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{Context, config, out, table};
use crate::agent;
use crate::entry::show;
use crate::error::Result;
use crate::figures::of;
use crate::profile::Problem;
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
    /// Its file cannot be used as it is written: it does not run.
    broken: bool,
}

pub(crate) fn run(_: &StatusArgs, ctx: &Context) -> Result<ExitCode> {
    let (config, problems) = config::load_some(ctx, &[])?;
    let state = agent::look(&ctx.state_dir)?;
    let mut names: BTreeMap<&str, bool> = broken(&problems);
    names.extend(config.profiles.iter().map(|profile| (profile.name.as_str(), false)));
    let mut standings = Vec::new();
    for (name, broken) in names {
        standings.push(Standing { broken, ..standing(state.as_ref(), name)? });
    }
    let waiting = state.map(|state| state.outbox().pending(1_000)).transpose()?.unwrap_or_default().len();
    if ctx.json {
        let profiles: Vec<_> = standings.iter().map(as_json).collect();
        out::print(&format!("{}\n", json!({ "profiles": profiles, "reports-waiting": waiting })))?;
        return Ok(ExitCode::SUCCESS);
    }
    if standings.is_empty() {
        out::print("no profiles yet: `postkeep init` makes the first\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let head = ["PROFILE", "RESULT", "LAST RUN", "LAST SUCCESS", "RUN"].map(str::to_owned).to_vec();
    let rows = standings.iter().map(|standing| line(standing, ctx.color()));
    let mut text = table::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    if standings.iter().any(|standing| standing.broken) {
        text.push_str(
            "\na broken profile does not run: `postkeep config check` says what is wrong with it\n",
        );
    }
    if waiting > 0 {
        let reports = of(waiting as u64, "report", "reports");
        text.push_str(&format!("\n{reports} could not be delivered yet; the next run tries again\n"));
    }
    out::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The profiles that a problem keeps from running. A template is none.
fn broken(problems: &[Problem]) -> BTreeMap<&str, bool> {
    let names = problems.iter().filter_map(|problem| problem.profiles.as_ref()).flatten();
    names.filter(|name| !name.starts_with('_')).map(|name| (name.as_str(), true)).collect()
}

fn standing(state: Option<&State>, profile: &str) -> Result<Standing> {
    let mut standing =
        Standing { profile: profile.into(), last: None, success: None, at_work: false, broken: false };
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
    let result = match word(standing) {
        _ if standing.broken => table::paint("31", "broken", color),
        Some(status) => table::status(status, color),
        None => "-".into(),
    };
    vec![
        show(standing.profile.as_bytes()),
        result,
        when(&standing.last),
        when(&standing.success),
        standing.last.as_ref().map_or_else(String::new, |row| table::short(id(row))),
    ]
}

fn as_json(standing: &Standing) -> serde_json::Value {
    json!({
        "profile": standing.profile,
        "status": word(standing),
        "broken": standing.broken,
        "last-run": standing.last.as_ref().map(super::history::as_json),
        "last-success": standing.success.as_ref().map(|row| row.ended),
    })
}

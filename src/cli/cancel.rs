//! `postkeep cancel`: stops a run of the agent's.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::outlook::Outlook;
use super::{Context, out, table};
use crate::daemon::client;
use crate::daemon::protocol::Ask;
use crate::error::{Error, Result};
use crate::profile::{nearest, quote};
use crate::state::{Query, RunRow};
use crate::{entry::show, run::Status};

/// Stop a run of the agent's, after the file at hand
///
/// What was copied so far stays; the next run does the rest. The run is recorded and reported as cancelled.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep cancel documents        the run of this profile
  postkeep cancel 01KA2Q7MZR3XB    the run with this id, or one that begins so

A run that was started with `postkeep run` in another terminal is stopped there, with Ctrl-C.")]
pub(crate) struct CancelArgs {
    /// The run's id, or its beginning, or the name of its profile
    #[arg(value_name = "RUN")]
    run: String,
}

pub(crate) fn run(args: &CancelArgs, ctx: &Context) -> Result<ExitCode> {
    let outlook = Outlook::look(ctx, &[])?;
    let asked = args.run.as_str();
    let row = find(&outlook, asked)?;
    let profile = row.as_ref().map_or(asked, |row| row.profile.as_str());
    let name = show(profile.as_bytes());
    let works =
        outlook.status().is_some_and(|agent| agent.at_work.iter().any(|work| work.profile == profile));
    if works {
        client::ask(&ctx.state_dir, Ask::Cancel(profile.to_owned()))?;
        let value = json!({ "profile": profile, "run": row.as_ref().map(|row| row.id), "cancelled": true });
        if ctx.json {
            out::print(&format!("{value}\n"))?;
        } else if !ctx.quiet {
            out::say(&format!("{name}: its run stops after the file at hand"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let waits =
        outlook.status().and_then(|agent| agent.waiting.iter().find(|waits| waits.profile == profile));
    let at_work = outlook.state.locks();
    Err(match row {
        Some(row) if row.status == Status::Running && at_work.is_held(profile)? => {
            // The agent may be the one that holds it, and not say so.
            outlook.agent?;
            Error::other(format!("the run of {name} is at work in another process, not in the agent"))
                .hint("press Ctrl-C there, or send that process SIGTERM")
        }
        _ if waits.is_some() => Error::other(format!("no run of {name} is at work yet: it waits"))
            .hint("it can be cancelled when it has begun; `postkeep status` says what it waits for"),
        _ => Error::other(format!("no run of {name} is at work"))
            .hint("`postkeep status` shows what is at work"),
    })
}

/// The run that is meant: the last one of a profile, or the one whose id begins so; None for a profile that never ran.
fn find(outlook: &Outlook, asked: &str) -> Result<Option<RunRow>> {
    let history = outlook.state.history();
    let last = history.runs(&Query { profile: Some(asked), limit: 1, before: None })?.pop();
    if last.is_some() || outlook.config.profiles.iter().any(|profile| profile.name == asked) {
        return Ok(last);
    }
    let found = history.find(asked).map_err(|error| {
        let names = outlook.config.profiles.iter().map(|profile| profile.name.as_str());
        match nearest(asked, names) {
            Some(near) => error.hint(format!("did you mean {}?", quote(near))),
            None => error,
        }
    })?;
    if found.status == Status::Running {
        return Ok(Some(found));
    }
    let (id, name) = (table::short(found.id), show(found.profile.as_bytes()));
    Err(Error::other(format!("the run {id} of {name} has ended: {}", found.status.word())))
}

//! `postkeep ack`: "I know".

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{Context, log, out, table};
use crate::entry::show;
use crate::error::{Error, Result};
use crate::figures::of;
use crate::run::Status;
use crate::state::{Ack, Query, State, failure_set};

/// Say that you know of a run's failures: runs with the very same ones are not mailed
///
/// The runs go on as before, with the same result in `status` and the same exit code. As soon as one failure is new or
/// gone, the run is mailed and what you said is forgotten.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep ack 01KA2Q7MZR3XB     the failures of this run, which must be the profile's last
  postkeep ack documents         those of the last run of documents
  postkeep ack documents --undo  mail them again")]
pub(crate) struct AckArgs {
    /// The run's id, or its beginning, or the name of a profile: its last run
    run: String,
    /// Forget it again
    #[arg(long)]
    undo: bool,
}

pub(crate) fn run(args: &AckArgs, ctx: &Context) -> Result<ExitCode> {
    drop(log::open(ctx)?);
    let state = State::open(&ctx.state_dir)?;
    let row = log::find(&state, &args.run)?;
    let history = state.history();
    let profile = show(row.profile.as_bytes());
    if args.undo {
        let was = history.forget_ack(&row.profile)?;
        let said = if was { "failures are mailed again" } else { "nothing was acknowledged" };
        tell(ctx, json!({ "profile": row.profile, "acknowledged": false }), &format!("{profile}: {said}"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let short = table::short(row.id);
    let last = history.runs(&Query { profile: Some(&row.profile), limit: 1, before: None })?.pop();
    if let Some(last) = last.filter(|last| last.id != row.id) {
        let error =
            Error::other(format!("{short} is not the last run of {profile}: its failures may be others now"));
        return Err(error.hint(format!("the last one is {}", table::short(last.id))));
    }
    let outcome = row.outcome.filter(|_| matches!(row.status, Status::Warning | Status::Failed));
    let Some(outcome) = outcome.filter(|outcome| !outcome.failures.is_empty()) else {
        let error =
            Error::other(format!("run {short} of {profile} has no failures by name ({})", row.status.word()));
        return Err(error.hint("only failures of single files can be acknowledged"));
    };
    let named = outcome.failures.len() as u64;
    if outcome.error.is_some() || outcome.stop.is_some() || outcome.errors + outcome.warnings != named {
        return Err(Error::other(format!(
            "run {short} of {profile} has more failures than are kept by name"
        ))
        .hint("what nobody can name cannot be recognised again; mend some of them first"));
    }
    let ack = Ack { run: row.id, failures: failure_set(&outcome.failures), at: jiff::Timestamp::now() };
    history.acknowledge(&row.profile, &ack)?;
    let failures = of(named, "failure", "failures");
    let text = format!("{profile}: runs with exactly these {failures} are not mailed any more");
    tell(
        ctx,
        json!({ "profile": row.profile, "acknowledged": true, "run": row.id, "failures": named }),
        &text,
    )?;
    Ok(ExitCode::SUCCESS)
}

fn tell(ctx: &Context, value: serde_json::Value, text: &str) -> Result<()> {
    if ctx.json {
        return out::print(&format!("{value}\n"));
    }
    if !ctx.quiet {
        out::say(text);
    }
    Ok(())
}

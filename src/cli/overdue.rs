//! `postkeep overdue`: which runs did not happen.

use std::process::ExitCode;

use clap::Args;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::deliveries::Deliveries;
use super::outlook::Outlook;
use super::{Context, out, status, table};
use crate::agent::{self, Agent, condition};
use crate::cli::standing::Standing;
use crate::clock::{self, System};
use crate::daemon::client;
use crate::entry::show;
use crate::error::Result;
use crate::figures::roughly;
use crate::profile::{OverdueAfter, Rhythm, Severity};
use crate::scheduler::{Action, Late, RETRY_PATIENCE};

/// How long after the start of the machine nothing is judged: the agent is about to make good what was missed.
const EARLY: SignedDuration = SignedDuration::from_mins(10);

/// Tell which profiles should have run and did not
///
/// A profile is overdue when a due time and the grace after it passed without a run, or when its last success is
/// longer ago than `overdue-after` says. A run that failed is not overdue: its own report told of it. Paused profiles
/// and those whose condition is not met are left out.
///
/// It does not need the agent: it is there for when the agent is not. The timer that `postkeep agent install` sets up
/// runs it once an hour with --mail.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep overdue
  postkeep overdue --quiet --mail    from cron, where there is no systemd

Exit codes: 0 nothing is overdue, 3 something is, 1 it could not look. In the first ten minutes after a start of the \
machine nothing is judged.")]
pub(crate) struct OverdueArgs {
    /// Mail it too, unless the agent is there to do so: once, after three days, and then every week
    #[arg(long)]
    mail: bool,
}

pub(crate) fn run(args: &OverdueArgs, ctx: &Context) -> Result<ExitCode> {
    let mut outlook = match Outlook::look(ctx, &[]) {
        Ok(outlook) => outlook,
        Err(error) => {
            // Without an agent nobody else would tell that nothing can run.
            if args.mail && !matches!(client::status(&ctx.state_dir), Ok(Some(_))) {
                mail_problems(ctx)?;
            }
            return Err(error);
        }
    };
    if matches!(outlook.agent, Ok(None)) && tidy(&outlook, ctx)? {
        outlook = Outlook::look(ctx, &[])?;
    }
    if outlook.status().is_none() {
        // What an agent that is gone waited for may be there now.
        for profile in &outlook.config.profiles {
            if condition::unmet(&profile.timing.only_if, &condition::Machine).is_none() {
                outlook.scheduler.unskip(&profile.name);
            }
        }
    }
    let judged = |profile: &crate::profile::Profile| {
        profile.timing.rhythm != Rhythm::None || matches!(profile.timing.overdue, OverdueAfter::Success(_))
    };
    // Where no agent runs there may be something else to be mailed.
    let mails = args.mail && outlook.status().is_none();
    let none = "no profile has a schedule or overdue-after: nothing can be overdue";
    let none = (!outlook.config.profiles.iter().any(judged)).then_some(none);
    if !mails && none.is_some() {
        return tell(ctx, &outlook, &[], none, Vec::new());
    }
    let up = outlook.now.duration_since(clock::booted(outlook.now));
    if up < EARLY {
        let said = format!("the machine started {} ago: nothing is judged yet", roughly(up));
        return tell(ctx, &outlook, &[], Some(&said), Vec::new());
    }
    let standings = outlook.standings()?.profiles;
    let overdue: Vec<&Standing> = standings.iter().filter(|one| one.overdue().is_some()).collect();
    let mut deliveries = Deliveries::default();
    if args.mail {
        match outlook.status() {
            Some(_) => {
                if !ctx.quiet && !ctx.json {
                    out::say("the agent is running: it mails by itself");
                }
            }
            None => mail(&outlook, &standings, &mut deliveries, ctx)?,
        }
    }
    if ctx.quiet && args.mail && !ctx.json && !deliveries.incomplete {
        // It was mailed, now or before: who lets cron run this wants no second mail.
        return Ok(code(&overdue));
    }
    tell(ctx, &outlook, &overdue, none, deliveries.json)
}

/// Does what an agent does when it starts: runs that ended without a word are recorded, and profiles that are new
/// count from now on. Whether something changed.
fn tidy(outlook: &Outlook, ctx: &Context) -> Result<bool> {
    let saves = outlook.unkept.iter().any(|action| matches!(action, Action::Save(_)));
    if !outlook.recorded && !saves {
        return Ok(false);
    }
    let agent = Agent::open(&ctx.state_dir, &outlook.config, &System)?;
    let interrupted = agent.notice_interrupted()?;
    for run in &interrupted {
        let name = show(run.profile.as_bytes());
        if !ctx.json {
            out::warn(&format!("{name}: the run of {} ended without a word", table::when(run.started)));
        }
    }
    for action in &outlook.unkept {
        if let Action::Save(save) = action {
            agent.state().memories().save(save)?;
        }
    }
    Ok(!interrupted.is_empty() || saves)
}

/// Mails what is overdue and was not told yet.
fn mail(outlook: &Outlook, standings: &[Standing], told: &mut Deliveries, ctx: &Context) -> Result<()> {
    let why = match outlook.agent {
        Ok(_) => "no agent is running",
        Err(_) => "the agent does not answer",
    };
    let works = |late: &Late| standings.iter().any(|one| one.profile == late.profile && one.at_work);
    let mut late = outlook.scheduler.late(outlook.now);
    late.retain(|late| !works(late));
    for one in &mut late {
        one.why = Some(why.into());
    }
    let agent = Agent::open(&ctx.state_dir, &outlook.config, &System)?;
    // Failures that were kept back for a try which does not come.
    for (name, memory) in agent.state().memories().all()? {
        let retry = memory.retry.filter(|retry| outlook.now.duration_since(retry.at) >= RETRY_PATIENCE);
        if let Some(retry) = retry {
            agent.tell_after_all(retry.run, &name)?;
        }
    }
    let problems: Vec<String> = outlook.problems.iter().map(|problem| problem.render(false)).collect();
    let stopped: Vec<String> =
        standings.iter().filter(|one| one.broken).map(|one| one.profile.clone()).collect();
    agent.tell_problems(&problems, &[], &stopped)?;
    if !late.is_empty() {
        // As long as no agent is there, no next run comes.
        agent.tell_late(&late, &|_| None)?;
    }
    // Nobody else tries again what could not be delivered, the report of an interrupted run among it.
    told.tell(&agent.deliver(true)?, ctx);
    Ok(())
}

/// Mails that the configuration cannot be used at all, by what it says of accounts.
fn mail_problems(ctx: &Context) -> Result<()> {
    let loaded = agent::configuration(&ctx.config_dir, &ctx.state_dir)?;
    let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error);
    let problems: Vec<String> = errors.map(|problem| problem.render(false)).collect();
    let agent = Agent::open(&ctx.state_dir, &loaded.config, &System)?;
    agent.tell_problems(&problems, &[], &loaded.names)?;
    agent.deliver(true).map(drop)
}

/// Says it, and what it comes to.
fn tell(
    ctx: &Context,
    outlook: &Outlook,
    overdue: &[&Standing],
    instead: Option<&str>,
    deliveries: Vec<Value>,
) -> Result<ExitCode> {
    let due = |standing: &Standing| standing.overdue().unwrap_or(outlook.now);
    if ctx.json {
        let row = |standing: &&Standing| {
            json!({
                "profile": standing.profile,
                "due": standing.overdue(),
                "last-success": standing.success.as_ref().map(|row| row.ended),
            })
        };
        let value = json!({
            "overdue": overdue.iter().map(row).collect::<Vec<_>>(),
            "agent": outlook.status().is_some(),
            "note": instead,
            "deliveries": deliveries,
        });
        out::print(&format!("{value}\n"))?;
    } else if overdue.is_empty() {
        if !ctx.quiet {
            out::say(instead.unwrap_or("nothing is overdue"));
        }
    } else {
        let line = |standing: &&Standing| {
            let words = status::overdue(standing, due(standing), outlook.now);
            format!("{}: {words}\n", show(standing.profile.as_bytes()))
        };
        let mut text: String = overdue.iter().map(line).collect();
        text.extend(outlook.without_agent("nothing starts by itself").map(|line| line + "\n"));
        out::print(&text)?;
    }
    Ok(code(overdue))
}

/// As of a run with warnings: 1 is that it could not even look.
fn code(overdue: &[&Standing]) -> ExitCode {
    ExitCode::from(if overdue.is_empty() { 0 } else { 3 })
}

//! `postkeep agent status`: whether the agent runs, and what it does.

use std::process::ExitCode;

use clap::Args;

use crate::cli::at_work::Pace;
use crate::cli::outlook::Outlook;
use crate::cli::{Context, out, status, table};
use crate::entry::show;
use crate::error::Result;
use crate::figures::{duration, of};

/// Show whether the agent runs, what it does and what is worth a look
///
/// Besides the agent itself it tells what `postkeep status` tells below its table.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 it runs, 3 no agent is running, 1 it does not answer.")]
pub(super) struct StatusArgs {}

pub(super) fn run(_: &StatusArgs, ctx: &Context) -> Result<ExitCode> {
    let outlook = Outlook::look(ctx, &[])?;
    let standings = outlook.standings()?;
    if ctx.json {
        out::print(&format!("{}\n", standings.json()))?;
    }
    let outlook = match outlook.agent {
        Err(error) => return Err(error),
        Ok(_) => outlook,
    };
    let Some(agent) = outlook.status() else {
        if !ctx.json {
            out::print("no agent is running with this state folder (postkeep agent install)\n")?;
        }
        return Ok(ExitCode::from(3));
    };
    if ctx.json {
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!(
        "postkeep {} is running as process {} since {} ({})\n",
        show(agent.version.as_bytes()),
        agent.pid,
        table::when(agent.started),
        duration(outlook.now.duration_since(agent.started))
    );
    if agent.version != env!("CARGO_PKG_VERSION") {
        text.push_str(&format!(
            "  hint: this is version {}; `systemctl --user restart postkeep` starts it anew\n",
            env!("CARGO_PKG_VERSION")
        ));
    }
    let (works, waits) = (agent.at_work.len() as u64, agent.waiting.len() as u64);
    let waiting =
        if waits > 0 { format!(", {} for their turn", of(waits, "waits", "wait")) } else { String::new() };
    text.push_str(&match works {
        0 => format!("nothing is at work{waiting}\n"),
        works => format!("{} at work{waiting}\n", of(works, "run is", "runs are")),
    });
    if !agent.problems.is_empty() {
        text.push_str("\nwhat is wrong with the configuration (postkeep config check):\n");
        let lines = agent.problems.iter().flat_map(|problem| problem.lines());
        text.extend(lines.map(|line| format!("  {}\n", show(line.as_bytes()))));
    }
    text.push_str(&status::below(&standings, &outlook, &mut Pace::default(), None));
    out::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

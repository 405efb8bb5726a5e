//! `postkeep digest`: the letter about all profiles, now.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::deliveries::Deliveries;
use super::outlook::Outlook;
use super::{Context, out};
use crate::agent::{self, Agent};
use crate::cli::standing;
use crate::clock::System;
use crate::error::{Context as _, Result};

/// Show the digest as it would be mailed now, or mail it
///
/// A digest tells of all profiles since the last one: what needs a look, and how each stands. With `digest` under
/// [report] in postkeep.toml the agent mails one when its time comes; this works without.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep digest                       the text
  postkeep digest --html digest.html    the HTML, to be opened in a browser
  postkeep digest --json                for a program
  postkeep digest --send                mail it now: the next one tells what comes after it

Exit codes of --send: 0 it was delivered, 3 it waits in the outbox.")]
pub(crate) struct DigestArgs {
    /// Write the HTML to a file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Mail it, to those who get the reports under [report]
    #[arg(long, conflicts_with = "html")]
    send: bool,
}

pub(crate) fn run(args: &DigestArgs, ctx: &Context) -> Result<ExitCode> {
    let outlook = Outlook::look(ctx, &[])?;
    let broken: Vec<String> = standing::broken(&outlook.problems).into_iter().collect();
    let views = outlook.scheduler.views(outlook.now);
    let known = agent::Outlook {
        views: &views,
        paused: outlook.scheduler.paused().filter(|pause| pause.holds(outlook.now)),
        broken: &broken,
        next: outlook.scheduler.next_digest(outlook.now),
    };
    let agent = Agent::open(&ctx.state_dir, &outlook.config, &System)?;
    if args.send {
        agent.send_digest(&known)?;
        let mut told = Deliveries::default();
        told.tell(&agent.deliver(false)?, ctx);
        if ctx.json {
            out::print(&format!("{}\n", serde_json::Value::Array(std::mem::take(&mut told.json))))?;
        }
        return Ok(told.code());
    }
    let (_, rendered) = agent.digest(&known)?;
    match &args.html {
        Some(file) if file.as_os_str() == "-" => out::print(&rendered.html)?,
        Some(file) => {
            std::fs::write(file, rendered.html.as_bytes())
                .context(|| format!("cannot write {}", file.display()))?;
            if !ctx.quiet {
                out::say(&format!("written to {}", file.display()));
            }
        }
        None if ctx.json => out::print(&format!("{}\n", rendered.json))?,
        None => out::print(&rendered.text)?,
    }
    Ok(ExitCode::SUCCESS)
}

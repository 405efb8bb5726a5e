//! `postkeep agent`: the background process, and what keeps it alive.

mod install;
mod logs;
mod place;
mod status;
mod uninstall;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::Context;
use crate::clock::{Clock, Paced, System};
use crate::daemon::{self, Options};
use crate::error::Result;

/// Run profiles when they are due; install that as a service of systemd
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep agent install     from now on it runs in the background
  postkeep agent status      what it does
  postkeep agent logs -f     what it says, as it says it
  postkeep agent             run it here, until Ctrl-C: to try it, or for another service manager")]
pub(crate) struct AgentArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Let time pass so many times as fast: for tests
    #[arg(long, hide = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pace: u32,
    /// Since when it does
    #[arg(long, hide = true, requires = "pace")]
    pace_since: Option<jiff::Timestamp>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Install(install::InstallArgs),
    Uninstall(uninstall::UninstallArgs),
    Logs(logs::LogsArgs),
    Status(status::StatusArgs),
}

pub(crate) fn run(args: &AgentArgs, ctx: &Context) -> Result<ExitCode> {
    match &args.verb {
        None => foreground(args, ctx),
        Some(Verb::Install(args)) => install::run(args, ctx),
        Some(Verb::Uninstall(args)) => uninstall::run(args, ctx),
        Some(Verb::Logs(args)) => logs::run(args, ctx),
        Some(Verb::Status(args)) => status::run(args, ctx),
    }
}

/// Runs the agent in this process.
fn foreground(args: &AgentArgs, ctx: &Context) -> Result<ExitCode> {
    let clock: Arc<dyn Clock> = match args.pace {
        1 => Arc::new(System),
        pace => Arc::new(Paced { pace, since: args.pace_since.unwrap_or_else(|| System.now()) }),
    };
    let (config_dir, state_dir) = (ctx.config_dir.clone(), ctx.state_dir.clone());
    daemon::run(Options { config_dir, state_dir, clock, pace: args.pace })?;
    Ok(ExitCode::SUCCESS)
}

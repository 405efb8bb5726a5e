//! `postkeep agent`: the background process, and what keeps it alive.

mod install;
mod logs;
mod place;
mod status;
mod uninstall;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Context;
use crate::error::{Error, Result};

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
        None => foreground(ctx),
        Some(Verb::Install(args)) => install::run(args, ctx),
        Some(Verb::Uninstall(args)) => uninstall::run(args, ctx),
        Some(Verb::Logs(args)) => logs::run(args, ctx),
        Some(Verb::Status(args)) => status::run(args, ctx),
    }
}

/// Runs the agent in this process.
fn foreground(_: &Context) -> Result<ExitCode> {
    Err(Error::other("the agent itself is not there yet"))
}

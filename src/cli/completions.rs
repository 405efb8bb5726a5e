//! `postkeep completions`: completion scripts for shells.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::out;
use crate::error::Result;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep completions bash > ~/.local/share/bash-completion/completions/postkeep
  postkeep completions fish > ~/.config/fish/completions/postkeep.fish
  postkeep completions zsh  > ~/.zfunc/_postkeep")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "postkeep", &mut script);
    out::write(|out| out.write_all(&script))?;
    Ok(ExitCode::SUCCESS)
}

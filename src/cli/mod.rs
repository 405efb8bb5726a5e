//! The command line: one file per verb. A verb parses its arguments, calls the library and prints.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::error::{Error, Kind, Result};

/// Runs your sync profiles and e-mails you what happened.
#[derive(Debug, Parser)]
#[command(name = "postkeep", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Folder with postkeep.toml and profiles/ [default: ~/.config/postkeep]
    #[arg(long, global = true, value_name = "DIR", env = "POSTKEEP_CONFIG")]
    config: Option<PathBuf>,
    /// Folder for history, outbox and locks [default: ~/.local/state/postkeep]
    #[arg(long, global = true, value_name = "DIR", env = "POSTKEEP_STATE")]
    state: Option<PathBuf>,
    /// Print JSON instead of text, where a verb lists something
    #[arg(long, global = true)]
    json: bool,
    /// Print only problems
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {}

/// What a verb works with.
pub(crate) struct Context {
    /// Where the configuration is.
    pub config_dir: PathBuf,
    /// Where the state is.
    pub state_dir: PathBuf,
    /// `--json`.
    pub json: bool,
    /// `--quiet`.
    pub quiet: bool,
}

impl Context {
    /// Whether to write colours to standard output: a terminal, and neither `NO_COLOR` nor `TERM=dumb`.
    pub fn color(&self) -> bool {
        let off = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        !off && std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }
}

/// Runs the process: parses, calls the verb, prints an error as message, causes and hints.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result: Result<ExitCode> = match cli.verb {};
    result.unwrap_or_else(|error| fail(&error))
}

fn fail(error: &Error) -> ExitCode {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "postkeep: {}", error.one_line());
    for hint in error.hints() {
        let _ = writeln!(err, "  hint: {hint}");
    }
    ExitCode::from(error.exit_code())
}

/// An error of usage.
pub(crate) fn usage(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message)
}

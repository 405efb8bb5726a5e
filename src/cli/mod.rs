//! The command line: one file per verb. A verb parses its arguments, calls the library and prints.

mod config;
mod init;

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
enum Verb {
    Config(config::ConfigArgs),
    Init(init::InitArgs),
}

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
    /// The folders asked for, else those of the XDG rules.
    fn new(global: Global) -> Result<Self> {
        let folder = |asked: Option<PathBuf>, variable: &str, below_home: &str| {
            let xdg = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
            let xdg = xdg.or_else(|| Some(std::env::home_dir()?.join(below_home)));
            asked.or_else(|| Some(xdg?.join("postkeep"))).ok_or_else(|| {
                usage("there is no home folder")
                    .hint("set the variable HOME, or give --config DIR and --state DIR")
            })
        };
        Ok(Self {
            config_dir: folder(global.config, "XDG_CONFIG_HOME", ".config")?,
            state_dir: folder(global.state, "XDG_STATE_HOME", ".local/state")?,
            json: global.json,
            quiet: global.quiet,
        })
    }

    /// Whether to write colours to standard output: a terminal, and neither `NO_COLOR` nor `TERM=dumb`.
    pub fn color(&self) -> bool {
        let off = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        !off && std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }
}

/// Runs the process: parses, calls the verb, prints an error as message, causes and hints.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = Context::new(cli.global).and_then(|ctx| match cli.verb {
        Verb::Config(args) => config::run(args, &ctx),
        Verb::Init(args) => init::run(&args, &ctx),
    });
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

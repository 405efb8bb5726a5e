//! The command line: one file per verb. A verb parses its arguments, calls the library and prints.

mod completions;
mod config;
mod history;
mod init;
mod log;
mod plan;
mod progress;
mod report;
mod run;
mod signals;
mod status;
mod table;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::error::{Context as _, Error, Kind, Result};

/// Runs your sync profiles and e-mails you what happened.
#[derive(Debug, Parser)]
#[command(
    name = "postkeep",
    version,
    about,
    disable_help_subcommand = true,
    after_help = "\
To start with:
  postkeep init          asks a few questions and writes a first profile
  postkeep plan NAME     shows what a run of it would do, and does nothing
  postkeep run NAME      does it, and writes you a report

Where things are, unless --config, --state or XDG's variables say otherwise:
  ~/.config/postkeep/postkeep.toml         what all profiles share
  ~/.config/postkeep/profiles/NAME.toml    one profile each
  ~/.local/state/postkeep/                 history, logs, reports that wait, locks
  ~/.local/state/postkeep/mail/            the reports: a Maildir, which mail programs can open

`postkeep COMMAND --help` has examples and exit codes."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// The heading in a verb's help under which the options stand that all verbs take.
const EVERYWHERE: &str = "Options of every command";

/// What every verb takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Folder with postkeep.toml and profiles/ [default: ~/.config/postkeep]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "DIR", env = "POSTKEEP_CONFIG")]
    config: Option<PathBuf>,
    /// Folder for history, reports and locks [default: ~/.local/state/postkeep]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "DIR", env = "POSTKEEP_STATE")]
    state: Option<PathBuf>,
    /// Print JSON instead of text (all commands but init and completions)
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// Print nothing while all goes well: for `run` from cron
    #[arg(long, short, global = true, help_heading = EVERYWHERE)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::InitArgs),
    Config(config::ConfigArgs),
    Plan(plan::PlanArgs),
    Run(run::RunArgs),
    Status(status::StatusArgs),
    History(history::HistoryArgs),
    Log(log::LogArgs),
    Report(report::ReportArgs),
    Completions(completions::CompletionsArgs),
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
    /// Whether to write colours to standard output: a terminal, and neither `NO_COLOR` nor `TERM=dumb`.
    pub fn color(&self) -> bool {
        let off = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        !off && std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }
}

/// Runs the process: parses, calls the verb, prints an error as message, causes and hints.
pub fn main() -> ExitCode {
    let Cli { global, verb } = Cli::parse();
    let result = context(global).and_then(|ctx| match verb {
        Verb::Init(args) => init::run(&args, &ctx),
        Verb::Config(args) => config::run(args, &ctx),
        Verb::Plan(args) => plan::run(&args, &ctx),
        Verb::Run(args) => run::run(&args, &ctx),
        Verb::Status(args) => status::run(&args, &ctx),
        Verb::History(args) => history::run(&args, &ctx),
        Verb::Log(args) => log::run(&args, &ctx),
        Verb::Report(args) => report::run(&args, &ctx),
        Verb::Completions(args) => completions::run(&args),
    });
    result.unwrap_or_else(|error| fail(&error))
}

/// Where things are: as asked, else where XDG's rules put them.
fn context(global: Global) -> Result<Context> {
    let folder = |asked: Option<PathBuf>, xdg: &str, below_home: &str| {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let absolute = set(xdg).filter(|path| path.is_absolute());
        let found = asked
            .or_else(|| absolute.map(|path| path.join("postkeep")))
            .or_else(|| set("HOME").map(|home| home.join(below_home).join("postkeep")));
        found.ok_or_else(|| usage("HOME is not set").hint("name the folders: --config DIR --state DIR"))
    };
    let absolute = |path: PathBuf| {
        std::path::absolute(&path).context(|| format!("cannot find the folder {}", path.display()))
    };
    Ok(Context {
        config_dir: absolute(folder(global.config, "XDG_CONFIG_HOME", ".config")?)?,
        state_dir: absolute(folder(global.state, "XDG_STATE_HOME", ".local/state")?)?,
        json: global.json,
        quiet: global.quiet,
    })
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

//! The command line: one file per verb. A verb parses its arguments, calls the library and prints.

mod account;
mod ack;
mod agent;
mod archive;
mod ask;
mod at_work;
mod budget;
mod cancel;
mod completions;
mod config;
mod deliveries;
mod diff;
mod digest;
mod dump;
mod find;
mod forget;
mod history;
mod init;
mod key;
mod log;
mod ls;
mod next;
mod out;
mod outbox;
mod outlook;
mod overdue;
mod password;
mod pause;
mod plan;
mod progress;
mod prune;
mod report;
mod restore;
mod run;
mod signals;
mod snapshots;
mod standing;
mod status;
mod table;
mod vault;
mod verify;
mod watched;
mod when;
mod which;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::error::{Context as _, Error, Kind, Result};

/// Syncs and backs up your folders, and writes you a mail about each run
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
  ~/.local/state/postkeep/mail/            the reports, without an account: a Maildir

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
    /// Folder with postkeep.toml and profiles/ [default: $POSTKEEP_CONFIG, else ~/.config/postkeep]
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    config: Option<PathBuf>,
    /// Folder for history, reports and locks [default: $POSTKEEP_STATE, else ~/.local/state/postkeep]
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
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
    Account(account::AccountArgs),
    Plan(plan::PlanArgs),
    Run(run::RunArgs),
    Status(status::StatusArgs),
    Next(next::NextArgs),
    Overdue(overdue::OverdueArgs),
    History(history::HistoryArgs),
    Log(log::LogArgs),
    Report(report::ReportArgs),
    Outbox(outbox::OutboxArgs),
    Digest(digest::DigestArgs),
    Ack(ack::AckArgs),
    Pause(pause::PauseArgs),
    Resume(pause::ResumeArgs),
    Cancel(cancel::CancelArgs),
    Agent(agent::AgentArgs),
    Snapshots(snapshots::SnapshotsArgs),
    Ls(ls::LsArgs),
    Find(find::FindArgs),
    Diff(diff::DiffArgs),
    Restore(restore::RestoreArgs),
    Dump(dump::DumpArgs),
    Forget(forget::ForgetArgs),
    Prune(prune::PruneArgs),
    #[command(visible_alias = "check")]
    Verify(verify::VerifyArgs),
    Key(key::KeyArgs),
    Vault(vault::VaultArgs),
    Archive(archive::ArchiveArgs),
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
    let ctx = || context(global);
    let result = match verb {
        Verb::Init(args) => ctx().and_then(|ctx| init::run(&args, &ctx)),
        Verb::Config(args) => ctx().and_then(|ctx| config::run(args, &ctx)),
        Verb::Plan(args) => ctx().and_then(|ctx| plan::run(&args, &ctx)),
        Verb::Run(args) => ctx().and_then(|ctx| run::run(&args, &ctx)),
        Verb::Status(args) => ctx().and_then(|ctx| status::run(&args, &ctx)),
        Verb::Next(args) => ctx().and_then(|ctx| next::run(&args, &ctx)),
        Verb::Overdue(args) => ctx().and_then(|ctx| overdue::run(&args, &ctx)),
        Verb::Digest(args) => ctx().and_then(|ctx| digest::run(&args, &ctx)),
        Verb::Pause(args) => ctx().and_then(|ctx| pause::pause(&args, &ctx)),
        Verb::Resume(args) => ctx().and_then(|ctx| pause::resume(&args, &ctx)),
        Verb::Cancel(args) => ctx().and_then(|ctx| cancel::run(&args, &ctx)),
        Verb::History(args) => ctx().and_then(|ctx| history::run(&args, &ctx)),
        Verb::Log(args) => ctx().and_then(|ctx| log::run(&args, &ctx)),
        Verb::Ack(args) => ctx().and_then(|ctx| ack::run(&args, &ctx)),
        Verb::Agent(args) => ctx().and_then(|ctx| agent::run(&args, &ctx)),
        Verb::Archive(args) => ctx().and_then(|ctx| archive::run(&args, &ctx)),
        Verb::Outbox(args) => ctx().and_then(|ctx| outbox::run(&args, &ctx)),
        Verb::Account(args) => ctx().and_then(|ctx| account::run(&args, &ctx)),
        Verb::Report(args) => ctx().and_then(|ctx| report::run(&args, &ctx)),
        Verb::Snapshots(args) => ctx().and_then(|ctx| snapshots::run(&args, &ctx)),
        Verb::Ls(args) => ctx().and_then(|ctx| ls::run(&args, &ctx)),
        Verb::Find(args) => ctx().and_then(|ctx| find::run(&args, &ctx)),
        Verb::Diff(args) => ctx().and_then(|ctx| diff::run(&args, &ctx)),
        Verb::Dump(args) => ctx().and_then(|ctx| dump::run(&args, &ctx)),
        Verb::Forget(args) => ctx().and_then(|ctx| forget::run(&args, &ctx)),
        Verb::Prune(args) => ctx().and_then(|ctx| prune::run(&args, &ctx)),
        Verb::Verify(args) => ctx().and_then(|ctx| verify::run(&args, &ctx)),
        Verb::Key(args) => ctx().and_then(|ctx| key::run(&args, &ctx)),
        Verb::Vault(args) => ctx().and_then(|ctx| vault::run(&args, &ctx)),
        Verb::Restore(args) => ctx().and_then(|ctx| restore::run(&args, &ctx)),
        // A script for a shell needs no folders, nor a home to find them in.
        Verb::Completions(args) => completions::run(&args),
    };
    result.unwrap_or_else(|error| fail(&error))
}

/// Where things are: as asked, else where XDG's rules put them.
fn context(global: Global) -> Result<Context> {
    // Not clap's `env`: it would name the variables' values as options in what it says of other mistakes.
    let folder = |asked: Option<PathBuf>, own: &str, xdg: &str, below_home: &str| {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let absolute = set(xdg).filter(|path| path.is_absolute());
        let found = asked
            .or_else(|| set(own))
            .or_else(|| absolute.map(|path| path.join("postkeep")))
            .or_else(|| set("HOME").map(|home| home.join(below_home).join("postkeep")));
        found.ok_or_else(|| usage("HOME is not set").hint("name the folders: --config DIR --state DIR"))
    };
    let absolute = |path: PathBuf| {
        std::path::absolute(&path).context(|| format!("cannot find the folder {}", path.display()))
    };
    Ok(Context {
        config_dir: absolute(folder(global.config, "POSTKEEP_CONFIG", "XDG_CONFIG_HOME", ".config")?)?,
        state_dir: absolute(folder(global.state, "POSTKEEP_STATE", "XDG_STATE_HOME", ".local/state")?)?,
        json: global.json,
        quiet: global.quiet,
    })
}

fn fail(error: &Error) -> ExitCode {
    out::warn(&format!("postkeep: {}", error.one_line()));
    error.hints().iter().for_each(|hint| out::warn(&format!("  hint: {hint}")));
    ExitCode::from(error.exit_code())
}

/// An error of usage.
pub(crate) fn usage(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message)
}

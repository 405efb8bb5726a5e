//! `postkeep archive export`: messages as files that other programs read.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use serde_json::json;

use super::super::watched::watched;
use super::super::which::{BARE, Chosen, Which, too_many};
use super::super::{Context, budget, out, signals, usage};
use super::pick::Pick;
use super::{State, failed, json_line, opened, told, unless_none};
use crate::archive::export::{self, Export, Exported};
use crate::archive::read::{Found, Visitor};
use crate::clock::{Clock, System};
use crate::error::{Error, Kind, Result};
use crate::figures::{count, of, size};
use crate::progress::Meter;
use crate::run::RunId;

/// Write messages of an archive as files that other programs read
///
/// eml: each message a file, byte for byte, in folders as in the mailbox. maildir: the same with its flags, for mail
/// programs and servers. mbox: one file for each folder, for Thunderbird, mutt and scripts; lines end with LF there, and
/// flags are left out. A second export of eml or maildir into the same folder writes only what is new.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep archive export [OPTIONS] --to DIR [PROFILE]", after_help = format!("\
With --account the folders of that account are the topmost ones; else the accounts are.

Examples:
  postkeep archive export mail --to ~/mail-export
  postkeep archive export mail --format mbox --folder INBOX --since 2025 --to ~/inbox-2025
  postkeep archive export mail --format maildir --account gmail --to ~/Maildir-gmail

{BARE}

Exit codes: 0 done, 1 something could not be exported, 2 usage, 3 paused by a provider's budget, \
10 no vault, 12 wrong password, 130 cancelled."))]
pub(crate) struct ExportArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    words: Vec<String>,
    /// The folder that the files are written into: a new or empty one, or that of an earlier export
    #[arg(long, short, value_name = "DIR")]
    to: Option<PathBuf>,
    /// What is written
    #[arg(long, value_enum, default_value = "eml")]
    format: Format,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    pick: Pick,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Eml,
    Mbox,
    Maildir,
}

impl From<Format> for export::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Eml => Self::Eml,
            Format::Mbox => Self::Mbox,
            Format::Maildir => Self::Maildir,
        }
    }
}

pub(super) fn run(args: &ExportArgs, ctx: &Context) -> Result<ExitCode> {
    let done = args.which.with(&args.words, ctx, |chosen, words| exported(args, ctx, chosen, words));
    done.map_err(budget::hinted)
}

fn exported(args: &ExportArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 0)?;
    let to = args.to.as_ref().ok_or_else(|| {
        usage("--to is missing").hint("name a new folder: postkeep archive export PROFILE --to ~/mail-export")
    })?;
    let wanted = args.pick.wanted(&[], &TimeZone::system())?;
    let meter = Arc::new(Meter::default());
    meter.of_messages(true);
    signals::cancel(&meter)?;
    opened(chosen, (&args.state, true), ctx, |archive| {
        let run = RunId::new(System.now(), u128::from(std::process::id()));
        // Of one account its folders are the topmost ones.
        let export = Export::open(to, args.format.into(), wanted.account.is_none(), run)?;
        let mut writer = Writer { export, meter: &meter };
        let walked =
            watched(ctx, "export", (&meter, archive.store()), || archive.visit(&wanted, &mut writer));
        let walked = match meter.is_cancelled() {
            // Whatever else it was: nothing was waited for any more.
            true => Err(Error::new(Kind::Cancelled, "stopped before everything was exported")),
            false => walked,
        };
        if walked.is_err() && matches!(args.format, Format::Mbox) {
            // A part of a folder would look like all of it.
            return walked.map(|_| ExitCode::SUCCESS).map_err(|error| {
                error
                    .hint("no mbox file was written; with --folder or --since they can be written one by one")
            });
        }
        let done = writer.export.finish();
        if let Ok(done) = &done {
            report(done, ctx, to)?;
        }
        let walked = walked.map_err(|error| match error.kind() {
            kind if kind.is_away() => {
                error.hint("the same command goes on: what is there is not written again")
            }
            _ => error,
        })?;
        let done = done?;
        let code = told(&walked).max(u8::from(done.failures.errors > 0));
        Ok(ExitCode::from(unless_none(&walked, code)))
    })
}

/// Writes messages as they come.
struct Writer<'m> {
    export: Export,
    meter: &'m Meter,
}

impl Visitor for Writer<'_> {
    fn wants(&mut self, found: &Found) -> bool {
        self.export.wants(&found.message)
    }

    fn visit(&mut self, found: Found, bytes: Result<&mut dyn Read>) -> Result<bool> {
        self.export.add(&found.message, bytes)?;
        self.meter.bytes(found.message.size);
        self.meter.file();
        Ok(!self.meter.is_cancelled())
    }
}

fn report(done: &Exported, ctx: &Context, to: &std::path::Path) -> Result<()> {
    failed(&done.failures);
    if ctx.json {
        let value = json!({
            "written": done.written,
            "bytes": done.bytes,
            "present": done.present,
            "errors": done.failures.errors,
            "failures": done.failures.list,
        });
        return out::print(&format!("{}\n", json_line(&value)));
    }
    if !ctx.quiet {
        let to = crate::entry::show(to.as_os_str().as_encoded_bytes());
        let mut said =
            format!("{} written to {to}, {}", of(done.written, "message", "messages"), size(done.bytes));
        if done.present > 0 {
            said.push_str(&format!("; {} there already", of(done.present, "was", "were")));
        }
        if done.failures.errors > 0 {
            said.push_str(&format!("; {} could not be exported", count(done.failures.errors)));
        }
        out::say(&said);
    }
    Ok(())
}

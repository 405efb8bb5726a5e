//! `postkeep agent logs`: what the agent said.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::cli::{Context, out};
use crate::daemon::journal::Reader;
use crate::error::{Error, Result};

/// How often the log is looked at again.
const LOOK: Duration = Duration::from_millis(250);

/// Show what the agent said: what it ran, when and why, and what it could not
///
/// The log is in the state folder, so it is there without an agent too. What a run did to each path is in `postkeep log`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep agent logs
  postkeep agent logs -f -n 0        from now on, until Ctrl-C
  postkeep agent logs -n 100000 | grep documents")]
pub(super) struct LogsArgs {
    /// How many of the last lines
    #[arg(long, short = 'n', value_name = "LINES", default_value_t = 50)]
    lines: usize,
    /// Go on with what it says from now on
    #[arg(long, short)]
    follow: bool,
}

pub(super) fn run(args: &LogsArgs, ctx: &Context) -> Result<ExitCode> {
    let (mut reader, last) = Reader::open(&ctx.state_dir, args.lines)?;
    if !reader.exists() && !args.follow {
        return Err(Error::other(format!(
            "no agent ever ran with the state folder {}",
            ctx.state_dir.display()
        ))
        .hint("`postkeep agent install` starts one, or name the folder with --state"));
    }
    let mut unreadable = None;
    out::write(|out| {
        print(out, &last, ctx.json)?;
        if !args.follow {
            return Ok(());
        }
        loop {
            std::thread::sleep(LOOK);
            match reader.more() {
                Ok(lines) => print(out, &lines, ctx.json)?,
                Err(error) => {
                    unreadable = Some(error);
                    return Ok(());
                }
            }
        }
    })?;
    unreadable.map_or(Ok(ExitCode::SUCCESS), Err)
}

fn print(out: &mut dyn Write, lines: &[String], as_json: bool) -> io::Result<()> {
    for line in lines {
        if as_json {
            let (time, text) = match line.split_once(' ') {
                Some((time, text)) if time.parse::<jiff::Timestamp>().is_ok() => (Some(time), text),
                _ => (None, line.as_str()),
            };
            writeln!(out, "{}", json!({ "time": time, "text": text }))?;
        } else {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()
}

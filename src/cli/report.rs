//! `postkeep report`: the report of a run, as it was written.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mail_parser::MessageParser;

use super::deliveries::Deliveries;
use super::{Context, config, out};
use crate::agent::Agent;
use crate::clock::System;
use crate::error::{Context as _, Error, Result};
use crate::state::RunRow;

/// Show the report of a run
///
/// Shows the text of the mail, exactly as it was written when the run ended.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep report 01KA2Q7MZR3XB                       the text
  postkeep report 01KA2Q7MZR3XB --html report.html    the HTML, to be opened in a browser
  postkeep report 01KA2Q7MZR3XB --json                for a program
  postkeep report 01KA2Q7MZR3XB --raw                 the whole mail
  postkeep report 01KA2Q7MZR3XB --send                send it once more")]
pub(crate) struct ReportArgs {
    /// The run's id, or its beginning; `postkeep history` lists them
    run: String,
    /// Write the HTML to a file; `-` is standard output
    #[arg(long, value_name = "FILE", conflicts_with = "raw")]
    html: Option<PathBuf>,
    /// Write the whole mail to standard output
    #[arg(long)]
    raw: bool,
    /// Send it once more, to those who get the profile's reports now
    #[arg(long, conflicts_with_all = ["html", "raw"])]
    send: bool,
}

pub(crate) fn run(args: &ReportArgs, ctx: &Context) -> Result<ExitCode> {
    let state = super::log::open(ctx)?;
    let row = super::log::find(&state, &args.run)?;
    let Some(mail) = state.history().report(row.id)? else {
        let error = Error::other(format!("run {} has no report", row.id));
        return Err(if row.ended.is_none() {
            error.hint("it is at work; its report is written when it has ended")
        } else {
            error.hint("reports are kept for 400 days")
        });
    };
    if args.raw {
        out::write(|out| out.write_all(&mail))?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.send {
        return send(&row, ctx);
    }
    let unreadable = || Error::other(format!("the report of run {} cannot be read back", row.id));
    let message = MessageParser::default().parse(&mail).ok_or_else(unreadable)?;
    if ctx.json {
        let json = crate::report::json_of(&mail).ok_or_else(unreadable)?;
        out::print(&lines(&String::from_utf8_lossy(&json)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(file) = &args.html else {
        let text = message.body_text(0).ok_or_else(unreadable)?;
        out::print(&lines(&text))?;
        return Ok(ExitCode::SUCCESS);
    };
    let html = lines(&message.body_html(0).ok_or_else(unreadable)?);
    if file.as_os_str() == "-" {
        out::print(&html)?;
    } else {
        std::fs::write(file, html.as_bytes()).context(|| format!("cannot write {}", file.display()))?;
        if !ctx.quiet {
            out::say(&format!("written to {}", file.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn send(row: &RunRow, ctx: &Context) -> Result<ExitCode> {
    let (config, _) = config::load_some(ctx, &[])?;
    let agent = Agent::open(&ctx.state_dir, &config, &System)?;
    let mut told = Deliveries::default();
    told.tell(&agent.send_again(row.id, &row.profile)?, ctx);
    if ctx.json {
        out::print(&format!("{}\n", serde_json::Value::Array(std::mem::take(&mut told.json))))?;
    }
    Ok(told.code())
}

/// A part of a mail with the line ends of this system.
fn lines(part: &str) -> String {
    part.replace("\r\n", "\n")
}

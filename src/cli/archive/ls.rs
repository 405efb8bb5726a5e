//! `postkeep archive ls`: which messages are in an archive.

use std::process::ExitCode;

use clap::Args;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use super::super::progress::cut;
use super::super::which::{BARE, Chosen, Which, too_many};
use super::super::{Context, budget, out, table};
use super::pick::Pick;
use super::{SHORT, State, as_json, json_line, opened, told};
use crate::archive::stored::Stored;
use crate::entry::show;
use crate::error::Result;
use crate::figures::{of, size};

/// List the messages of an archive, by folder and date
///
/// Each line is a message: the beginning of its id, when it came, its size, its folder, who sent it, and what about. A
/// message that lies in several folders comes several times, with one id.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep archive ls [OPTIONS] [PROFILE]", after_help = format!("\
Examples:
  postkeep archive ls mail
  postkeep archive ls mail --folder INBOX --since 2026-11
  postkeep archive ls mail --from ann@example.org --subject invoice

{BARE}

Exit codes: 0 done, 1 something cannot be read, 2 usage, 3 paused by a provider's budget, \
10 no vault, 12 wrong password."))]
pub(crate) struct LsArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    words: Vec<String>,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    pick: Pick,
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(args: &LsArgs, ctx: &Context) -> Result<ExitCode> {
    let done = args.which.with(&args.words, ctx, |chosen, words| listed(args, ctx, chosen, words));
    done.map_err(budget::hinted)
}

fn listed(args: &LsArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 0)?;
    let wanted = args.pick.wanted(&[], &TimeZone::system())?;
    opened(chosen, (&args.state, false), ctx, |archive| {
        let (mut code, mut bytes) = (0, 0);
        out::write(|to| {
            let mut closed = None;
            let walked = archive.walk(&wanted, &mut |found| {
                bytes += found.message.size;
                let line = if ctx.json { json_line(&as_json(&found)) } else { line(&found.message) };
                closed = writeln!(to, "{line}").err();
                Ok(closed.is_none())
            });
            if let Some(error) = closed {
                return Err(error);
            }
            let walked = walked.map_err(std::io::Error::other)?;
            code = told(&walked);
            if !ctx.json && !ctx.quiet {
                writeln!(to, "{}, {}", of(walked.visited, "message", "messages"), size(bytes))?;
            }
            Ok(())
        })?;
        Ok(ExitCode::from(code))
    })
}

fn line(message: &Stored) -> String {
    let id: String = message.marks.id().chars().take(SHORT).collect();
    // In columns, of which some characters take two.
    let text = |text: &str, least: usize, most: usize| {
        let shown = cut(&show(text.as_bytes()), most);
        let room = least.saturating_sub(shown.width());
        shown + &" ".repeat(room)
    };
    format!(
        "{id}  {}  {:>10}  {}  {}  {}",
        table::when(message.place.date),
        size(message.size),
        text(&message.place.folder, 20, 40),
        text(&message.marks.from, 28, 28),
        text(&message.marks.subject, 0, 80)
    )
    .trim_end()
    .to_owned()
}

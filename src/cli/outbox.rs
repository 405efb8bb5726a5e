//! `postkeep outbox`: the letters that are not with their readers.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mail_parser::MessageParser;
use serde_json::json;

use super::deliveries::Deliveries;
use super::{Context, config, log, out, table, usage};
use crate::agent::Agent;
use crate::clock::System;
use crate::entry::show;
use crate::error::{Context as _, Error, Result};
use crate::figures::of;
use crate::run::RunId;
use crate::state::{Envelope, Recipient, RecipientState, State, Waiting};

/// The letters that wait: list them, look at one, send them now, give one up
#[derive(Debug, Args)]
#[command(after_help = "\
A letter waits until its account takes it: after 1, 5, 15 and 30 minutes, then hourly, after five days daily. One that \
the server refused for good is kept too, and is tried again when it is named.

Examples:
  postkeep outbox                       the letters that wait, and why
  postkeep outbox show 01KA2Q7MZR3XB    one of them
  postkeep outbox flush                 try all that wait now
  postkeep outbox flush 01KA2Q7MZR3XB   try one, also where it was refused
  postkeep outbox drop 01KA2Q7MZR3XB    give one up; the report stays in the history")]
pub(crate) struct OutboxArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(ListArgs),
    Show(ShowArgs),
    Flush(FlushArgs),
    Drop(DropArgs),
}

/// List the letters that wait or were refused (as without a word)
#[derive(Debug, Args)]
struct ListArgs {}

/// Show a letter: for whom it is, how far it is with each, and what it says
#[derive(Debug, Args)]
struct ShowArgs {
    /// The letter's id, or its beginning
    id: String,
    /// Write the whole mail to standard output
    #[arg(long)]
    raw: bool,
}

/// Try to send all letters that wait, or those that are named
///
/// Exit codes: 0 all are with their readers, 3 some wait or were refused.
#[derive(Debug, Args)]
struct FlushArgs {
    /// The letters' ids, or their beginnings; they are tried even where they were refused
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

/// Give letters up for whoever does not have them
///
/// The reports stay in the history: `postkeep report` shows them, and `postkeep report RUN --send` sends one again.
#[derive(Debug, Args)]
struct DropArgs {
    /// The letters' ids, or their beginnings
    #[arg(value_name = "ID", required_unless_present = "all")]
    ids: Vec<String>,
    /// All that wait or were refused
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// The most letters that a list has.
const MOST: u32 = 1_000;

pub(crate) fn run(args: &OutboxArgs, ctx: &Context) -> Result<ExitCode> {
    match &args.verb {
        None | Some(Verb::List(_)) => list(ctx),
        Some(Verb::Show(args)) => one(args, ctx),
        Some(Verb::Flush(args)) => flush(args, ctx),
        Some(Verb::Drop(args)) => give_up(args, ctx),
    }
}

fn list(ctx: &Context) -> Result<ExitCode> {
    let state = crate::agent::look(&ctx.state_dir)?;
    let waiting = state.map(|state| state.outbox().pending(MOST)).transpose()?.unwrap_or_default();
    if ctx.json {
        let letters: Vec<_> = waiting.iter().map(as_json).collect();
        out::print(&format!("{}\n", json!({ "letters": letters })))?;
        return Ok(ExitCode::SUCCESS);
    }
    if waiting.is_empty() {
        out::print("the outbox is empty\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for letter in &waiting {
        let to = &letter.recipient;
        text.push_str(&format!(
            "{}  {}\n               for {} by {}, written {}\n               {}\n",
            table::short(letter.id),
            show(letter.subject.as_bytes()),
            show(to.address.as_bytes()),
            show(letter.account.as_bytes()),
            table::when(letter.created),
            how_far(to),
        ));
    }
    out::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// How far a letter is with a recipient, in one line.
fn how_far(to: &Recipient) -> String {
    let said =
        to.last_error.as_deref().map(|said| format!(": {}", show(said.as_bytes()))).unwrap_or_default();
    let tries = of(u64::from(to.tries), "try", "tries");
    match to.state {
        RecipientState::Queued if to.tries == 0 => "not tried yet".into(),
        RecipientState::Queued => format!("waits after {tries}, next {}{said}", table::when(to.next_try)),
        RecipientState::Refused => format!("REFUSED{said}"),
        RecipientState::Sent => {
            let when = to.settled_at.map(|at| format!(" {}", table::when(at))).unwrap_or_default();
            let via =
                to.via.as_deref().map(|via| format!(" by {}", show(via.as_bytes()))).unwrap_or_default();
            format!("sent{when}{via}")
        }
    }
}

fn as_json(letter: &Waiting) -> serde_json::Value {
    let to = &letter.recipient;
    json!({
        "id": letter.id,
        "kind": letter.kind,
        "account": letter.account,
        "subject": letter.subject,
        "created": letter.created,
        "recipient": recipient_json(to),
    })
}

fn recipient_json(to: &Recipient) -> serde_json::Value {
    json!({
        "address": to.address,
        "state": to.state.word(),
        "tries": to.tries,
        "next-try": (to.state == RecipientState::Queued).then_some(to.next_try),
        "last-error": to.last_error,
        "settled": to.settled_at,
        "via": to.via,
    })
}

/// The letter whose id begins so.
fn find(state: &State, asked: &str) -> Result<Envelope> {
    let wanted = asked.to_ascii_uppercase();
    let found = state.outbox().ids(&wanted, 2)?;
    let shown = show(asked.as_bytes());
    let id = match found.as_slice() {
        [id] if !wanted.is_empty() => *id,
        [] => {
            return Err(usage(format!("there is no letter {shown}"))
                .hint("`postkeep outbox` lists those that wait, `postkeep history` all runs"));
        }
        _ => return Err(usage(format!("several letters begin with {shown}")).hint("write more of the id")),
    };
    let none = || usage(format!("there is no letter {shown} any more"));
    state.outbox().envelope(id)?.ok_or_else(none)
}

fn one(args: &ShowArgs, ctx: &Context) -> Result<ExitCode> {
    let state = log::open(ctx)?;
    let letter = find(&state, &args.id)?;
    let gone = || Error::other(format!("the letter {} is not kept any more", letter.id));
    let mail = state.history().report(letter.id)?.ok_or_else(gone)?;
    if args.raw {
        out::write(|out| out.write_all(&mail))?;
        return Ok(ExitCode::SUCCESS);
    }
    if ctx.json {
        let recipients: Vec<_> = letter.recipients.iter().map(recipient_json).collect();
        let text = json!({
            "id": letter.id, "kind": letter.kind, "account": letter.account, "sender": letter.sender,
            "subject": letter.subject, "message-id": letter.message_id, "created": letter.created,
            "told": letter.told, "recipients": recipients,
        });
        out::print(&format!("{text}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!(
        "{}\n  subject    {}\n  message-id {}\n  written    {}\n  account    {}\n",
        letter.id,
        show(letter.subject.as_bytes()),
        show(letter.message_id.as_bytes()),
        table::when(letter.created),
        show(letter.account.as_bytes()),
    );
    for to in &letter.recipients {
        text.push_str(&format!("  for        {}: {}\n", show(to.address.as_bytes()), how_far(to)));
    }
    if let Some(told) = letter.told {
        text.push_str(&format!("  told       another way, {}\n", table::when(told)));
    }
    let message = MessageParser::default().parse(&mail);
    let body = message.as_ref().and_then(|message| message.body_text(0)).unwrap_or_default();
    text.push_str(&format!("\n{}", body.replace("\r\n", "\n")));
    out::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn flush(args: &FlushArgs, ctx: &Context) -> Result<ExitCode> {
    let (config, _) = config::load_some(ctx, &[])?;
    let agent = Agent::open(&ctx.state_dir, &config, &System)?;
    let deliveries = if args.ids.is_empty() {
        agent.deliver(true)?
    } else {
        let mut ids = Vec::new();
        for asked in &args.ids {
            let id = find(agent.state(), asked)?.id;
            agent.state().outbox().queue_refused(id, jiff::Timestamp::now())?;
            ids.push(id);
        }
        agent.deliver_these(&ids)?
    };
    let mut told = Deliveries::default();
    told.tell(&deliveries, ctx);
    // What was refused long ago is not with its readers either.
    let left = agent.state().outbox().pending(MOST)?.len() as u64;
    told.incomplete |= args.ids.is_empty() && left > 0;
    if ctx.json {
        out::print(&format!("{}\n", json!({ "letters": told.json, "left": left })))?;
    } else if deliveries.is_empty() && !ctx.quiet {
        out::say(if left == 0 {
            "the outbox is empty"
        } else {
            "nothing waits; `postkeep outbox` lists what was refused"
        });
    }
    Ok(told.code())
}

fn give_up(args: &DropArgs, ctx: &Context) -> Result<ExitCode> {
    let state = log::open(ctx)?;
    let mut ids: Vec<RunId> = Vec::new();
    if args.all {
        ids.extend(state.outbox().pending(MOST)?.iter().map(|letter| letter.id));
        ids.dedup();
    }
    for asked in &args.ids {
        ids.push(find(&state, asked)?.id);
    }
    let letters = of(ids.len() as u64, "letter", "letters");
    if !args.yes && !ids.is_empty() && !sure(&letters)? {
        out::say("nothing was dropped");
        return Ok(ExitCode::FAILURE);
    }
    drop(state);
    let state = State::open(&ctx.state_dir)?;
    let mut dropped = Vec::new();
    for id in ids {
        if state.outbox().discard(id)? {
            dropped.push(id);
        }
    }
    if ctx.json {
        out::print(&format!("{}\n", json!({ "dropped": dropped })))?;
    } else if !ctx.quiet {
        let letters = of(dropped.len() as u64, "letter", "letters");
        out::say(&format!("{letters} dropped; what they told stays in the history (`postkeep report`)"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks a person; where there is none, --yes is wanted.
fn sure(letters: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(usage(format!("{letters} would be dropped")).hint("say --yes if that is meant"));
    }
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "Drop {letters}? [no] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context(|| "cannot read the answer".into())?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

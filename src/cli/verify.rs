//! `postkeep verify`: whether a vault still holds what it says.

mod archive;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use self::archive::Mail;
use super::watched::watched;
use super::which::{BARE, Chosen, Which, too_many};
use super::{Context, budget, out, signals, table, usage};
use crate::error::{Error, Kind, Result};
use crate::figures::{count, of, size};
use crate::profile::quote;
use crate::progress::Meter;
use crate::vault::verify::{Depth, Problem, Verified, Weight};

/// What to do where the vault went away.
const AGAIN: &str = "when it is there again, verify again: of what was not looked at nothing is known";

/// Check whether everything in a vault can be restored
///
/// Without --read-data: whether every snapshot, folder and piece of a file is where the index says, in packs that are
/// there in their full size. That reads the index and the folders' lists, and no content. With it, content is read and
/// compared with its checksums: all of it, or a share that chance picks, so that a few percent a week see everything
/// in time. What is damaged is named by the files that can no longer be restored. Nothing is changed.
///
/// In an archive of mail --read-data (all of it) reads each message of the newest snapshot, too, and compares it with what it
/// was when it was archived; some messages are fetched from their mailbox and compared byte for byte.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep verify [OPTIONS] [PROFILE]", after_help = format!("\
Examples:
  postkeep verify documents
  postkeep verify documents --read-data=5%     and read a twentieth of the data
  postkeep verify documents --read-data        and read everything
  postkeep verify mail --sample 100            and compare 100 messages with the mailbox

{BARE}

Exit codes: 0 all is well, 1 something is damaged, or not all could be looked at, 2 usage, 3 paused by a provider's budget, 10 no vault, 11 locked, 12 wrong password, \
130 cancelled."))]
pub(crate) struct VerifyArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    words: Vec<String>,
    /// Read the data too: all of it, or so many percent
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, require_equals = true, default_missing_value = "100%")]
    read_data: Option<String>,
    /// Fetch so many messages of an archive from their mailboxes and compare them [default: 20 with --read-data]
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(args: &VerifyArgs, ctx: &Context) -> Result<ExitCode> {
    let done = args.which.with(&args.words, ctx, |chosen, words| verified(args, ctx, chosen, words));
    done.map_err(budget::hinted)
}

fn verified(args: &VerifyArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 0)?;
    let depth = args.read_data.as_deref().map_or(Ok(Depth::Structure), percent)?;
    let vault = chosen.open()?;
    let meter = Arc::new(Meter::default());
    signals::cancel(&meter)?;
    let mut verified = watched(ctx, "verify", (&meter, vault.store()), || vault.verify(depth, &meter))?;
    let mail = match archive::look(args.sample, depth, ctx, (chosen, &vault), &meter, &mut verified) {
        // What was found until then is told all the same.
        Err(error) if error.kind().is_away() => {
            verified.stopped = Some(error);
            None
        }
        looked => looked?,
    };
    // Once it is to stop, nothing is waited for any more: what did not come then is no news.
    if let Some(error) = verified.stopped.as_ref().filter(|_| !verified.cancelled) {
        out::warn(&format!("postkeep: {}", error.one_line()));
        let todo = if is_paused(&verified) { budget::NOW } else { AGAIN };
        error.hints().iter().map(String::as_str).chain([todo]).for_each(|hint| {
            out::warn(&format!("  hint: {hint}"));
        });
    }
    if ctx.json {
        out::print(&format!("{}\n", as_json(&verified, mail.as_ref(), chosen)))?;
    } else {
        print(ctx, &verified, mail.as_ref(), depth, chosen)?;
    }
    Ok(ExitCode::from(match &verified {
        Verified { damaged: 1.., .. } => 1,
        Verified { cancelled: true, .. } => 130,
        Verified { stopped: Some(error), .. } => error.exit_code(),
        _ => 0,
    }))
}

fn percent(text: &str) -> Result<Depth> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>().ok();
    let number = number.filter(|number| *number > 0.0 && *number <= 100.0);
    number.map(Depth::Data).ok_or_else(|| {
        usage(format!("{} is no share of the data", quote(text))).hint("a number up to 100: --read-data=5%")
    })
}

fn print(
    ctx: &Context,
    verified: &Verified,
    mail: Option<&Mail>,
    depth: Depth,
    chosen: &Chosen,
) -> Result<()> {
    out::write(|to| {
        // What has the same remedy stands together, and the remedy below it once.
        let mut todos: Vec<&str> = Vec::new();
        for Problem { todo, .. } in &verified.problems {
            if !todos.contains(&todo.as_str()) {
                todos.push(todo);
            }
        }
        for todo in todos {
            for Problem { weight, what, .. } in verified.problems.iter().filter(|one| one.todo == todo) {
                let word = match weight {
                    Weight::Damage => table::paint("31", "damage", ctx.color()),
                    Weight::Note => table::paint("33", "note", ctx.color()),
                };
                writeln!(to, "{word}: {what}")?;
            }
            writeln!(to, "  hint: {}", named(todo, chosen))?;
        }
        let damaged = |problem: &&Problem| problem.weight == Weight::Damage;
        let listed = verified.problems.iter().filter(damaged).count() as u64;
        if verified.damaged > listed {
            writeln!(to, "and {} more", count(verified.damaged - listed))?;
        }
        if ctx.quiet && verified.problems.is_empty() && verified.stopped.is_none() {
            return Ok(());
        }
        let read = match depth {
            Depth::Structure => "data not read".to_owned(),
            Depth::Data(_) => {
                format!("{} ({}) read", of(verified.read, "pack", "packs"), size(verified.read_bytes))
            }
        };
        let end = match (verified.damaged, verified.cancelled) {
            (0, false) if is_paused(verified) => "paused before everything was looked at".to_owned(),
            (0, false) if verified.stopped.is_some() => "ended before everything was looked at".to_owned(),
            (0, false) => "all is well".to_owned(),
            (0, true) => "cancelled before everything was looked at".to_owned(),
            (n, _) => format!("DAMAGED: {}", of(n, "problem", "problems")),
        };
        let seen = [
            (verified.snapshots, "snapshot", "snapshots"),
            (verified.trees, "folder", "folders"),
            (verified.files, "file", "files"),
        ];
        // What could not be looked at is not nothing.
        let seen = seen.into_iter().filter(|(count, ..)| verified.damaged == 0 || *count > 0);
        let seen: String = seen.map(|(count, one, many)| of(count, one, many) + ", ").collect();
        let packs = of(verified.packs, "pack", "packs");
        let mail = mail.map(|mail| format!("; {}", mail.words())).unwrap_or_default();
        writeln!(to, "{seen}{packs} ({}); {read}{mail}: {end}", size(verified.bytes))
    })
}

/// Whether it goes on when a provider's budget allows it.
fn is_paused(verified: &Verified) -> bool {
    verified.stopped.as_ref().is_some_and(|error| error.kind() == Kind::Paused)
}

/// A remedy with the name of the profile, and of its vault.
fn named(todo: &str, chosen: &Chosen) -> String {
    let profile = chosen.profile.as_ref().map_or("PROFILE", |(name, _)| name);
    let words = chosen.words();
    let parts = todo.split("run PROFILE").map(|part| part.replace("PROFILE", &words)).collect::<Vec<_>>();
    parts.join(&format!("run {profile}"))
}

fn as_json(verified: &Verified, mail: Option<&Mail>, chosen: &Chosen) -> serde_json::Value {
    let problem = |problem: &Problem| {
        let weight = if problem.weight == Weight::Damage { "damage" } else { "note" };
        json!({ "weight": weight, "what": problem.what, "todo": named(&problem.todo, chosen) })
    };
    json!({
        "ok": verified.damaged == 0 && !verified.cancelled && verified.stopped.is_none(),
        "snapshots": verified.snapshots,
        "folders": verified.trees,
        "files": verified.files,
        "packs": verified.packs,
        "bytes": verified.bytes,
        "packs-read": verified.read,
        "bytes-read": verified.read_bytes,
        "messages-read": mail.map(|mail| mail.read),
        "messages-compared": mail.map(|mail| mail.compared),
        "damaged": verified.damaged,
        "paused": is_paused(verified),
        "away": verified.stopped.as_ref().filter(|_| !is_paused(verified)).map(Error::one_line),
        "cancelled": verified.cancelled,
        "problems": verified.problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

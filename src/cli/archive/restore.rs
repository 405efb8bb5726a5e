//! `postkeep archive restore`: messages back to a server.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::json;

use super::super::watched::watched;
use super::super::which::{BARE, Chosen, Which, too_many};
use super::super::{Context, budget, config, out, signals, usage};
use super::pick::Pick;
use super::{State, failed, json_line, opened, told, unless_none};
use crate::archive::put::{Done, LATER, Planned, Putting, Target, unknown_folder};
use crate::archive::read::{Archive, Walked};
use crate::archive::wanted::Wanted;
use crate::entry::show;
use crate::error::{Error, Kind, Result};
use crate::figures::{count, of, size};
use crate::mail::imap::Dialer;
use crate::profile::quote;
use crate::progress::Meter;
use crate::vault::login::Guard;
use crate::vault::open::{Local, Opener};

/// How many messages are put at once.
const BATCH: usize = 1000;

/// The largest message that is put, in bytes: no server takes more.
const MOST: u64 = 512 << 20;

/// Put messages of an archive back to a mail server
///
/// Each message comes into the folder that it was in, with its flags and its date; folders that are missing are made. A
/// message that is there already is not put again: the command can be repeated, and goes on where it was stopped. A message
/// of Gmail's All Mail comes into the folder of its first label, since other servers know no labels.
///
/// Of an archive with several accounts, name one (--account), or a folder: there each gets a folder of its name.
///
/// Nothing is ever removed or changed at the server.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep archive restore [OPTIONS] --to imap:ACCOUNT[/FOLDER] [PROFILE]", after_help = format!("\
Examples:
  postkeep archive restore mail --to imap:new -n               what would be put, by folder
  postkeep archive restore mail --to imap:new
  postkeep archive restore mail --to imap:new/Old --folder INBOX --before 2020

ACCOUNT is an account of postkeep.toml with imap. With /FOLDER all folders are made in that one.

{BARE}

Exit codes: 0 done, 1 something could not be put, 2 usage, 3 done with warnings, or paused by a provider's budget, \
10 no vault, 12 wrong password, 130 cancelled."))]
pub(crate) struct RestoreArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    words: Vec<String>,
    /// The account, and the folder in it that all folders are made in
    #[arg(long, short, value_name = "imap:ACCOUNT[/FOLDER]")]
    to: Option<String>,
    /// Only say what would be put
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    pick: Pick,
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(args: &RestoreArgs, ctx: &Context) -> Result<ExitCode> {
    let done = args.which.with(&args.words, ctx, |chosen, words| restored(args, ctx, chosen, words));
    done.map_err(|error| match error.hints().iter().any(|hint| hint == LATER) {
        // It is the target's budget, and not that of a vault in a mailbox.
        true => error,
        false => budget::hinted(error),
    })
}

fn restored(args: &RestoreArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 0)?;
    let wanted = args.pick.wanted(&[], &TimeZone::system())?;
    let to = args.to.as_deref().ok_or_else(|| {
        usage("--to is missing").hint("name an account: postkeep archive restore PROFILE --to imap:ACCOUNT")
    })?;
    let meter = Arc::new(Meter::default());
    meter.of_messages(true);
    signals::cancel(&meter)?;
    let mut target = target(to, ctx)?;
    opened(chosen, (&args.state, !args.dry_run), ctx, |archive| {
        target.apart = apart(&archive.accounts()?, &wanted, target.under.as_deref(), to)?;
        let mut putting = Putting::new(target, &meter);
        let code = if args.dry_run {
            plan(archive, &wanted, (&mut putting, to), ctx)?
        } else {
            let walked = watched(ctx, "restore", (&meter, archive.store()), || {
                put(archive, &wanted, &mut putting, &meter)
            });
            let done = putting.finish();
            report(&done, to, ctx)?;
            // Once it is to stop, nothing is waited for any more: what did not come then is no news.
            let walked = match walked {
                Err(_) if meter.is_cancelled() => Walked::default(),
                walked => walked?,
            };
            let code = match (told(&walked), &done.failures) {
                (_, failures) if failures.errors > 0 => 1,
                (0, failures) if failures.warnings > 0 => 3,
                (code, _) => code,
            };
            match meter.is_cancelled() {
                true => code,
                false => unless_none(&walked, code),
            }
        };
        if meter.is_cancelled() {
            return Err(Error::new(Kind::Cancelled, "stopped before everything was put")
                .hint("the same command goes on: what is there is not put again"));
        }
        Ok(ExitCode::from(code))
    })
}

/// The mailbox that is meant.
fn target(text: &str, ctx: &Context) -> Result<Target> {
    let no = || {
        usage(format!("{} names no mailbox", quote(text))).hint(
            "write --to imap:ACCOUNT, or imap:ACCOUNT/FOLDER; `postkeep account list` shows the accounts",
        )
    };
    let place = text.strip_prefix("imap:").ok_or_else(|| match text.starts_with("maildir:") {
        true => {
            no().hint("a Maildir is written by: postkeep archive export PROFILE --format maildir --to DIR")
        }
        false => no(),
    })?;
    let (account, folder) = match place.split_once('/') {
        Some((account, folder)) => (account, Some(folder.trim_matches('/')).filter(|name| !name.is_empty())),
        None => (place, None),
    };
    let (config, _) = config::load_some(ctx, &[])?;
    let mailbox = config.mailboxes.get(account).ok_or_else(no)?.clone();
    let opener = Opener { mailboxes: &config.mailboxes, local: Local::new(&ctx.state_dir) };
    let ledger = opener.ledger(account)?;
    let guard = Guard { state: ctx.state_dir.clone(), account: account.to_owned(), mailbox: mailbox.clone() };
    let (fetch, heard) = guard.ways();
    let mut target = Target::new(Dialer::new(mailbox, fetch()?), folder.map(str::to_owned));
    target.heard = heard;
    if let Some(ledger) = ledger {
        target.budget = ledger;
    }
    Ok(target)
}

/// Whether accounts are kept apart: wherever there are several, and a folder to have them in. It is no matter whether one
/// of them is named, so that the same message has the same place with and without its account's name.
///
/// # Errors
/// There are several, and their folders would become one: nobody gets them apart again.
fn apart(accounts: &BTreeSet<String>, wanted: &Wanted, under: Option<&str>, to: &str) -> Result<bool> {
    let several = accounts.len() > 1;
    if !several || under.is_some() || wanted.account.is_some() {
        return Ok(several && under.is_some());
    }
    let names: Vec<_> = accounts.iter().map(|name| show(name.as_bytes())).collect();
    let text = format!("the archive has several accounts, which would become one: {}", names.join(", "));
    Err(usage(text)
        .hint(format!(
            "to have them apart, each in a folder of its name: --to {}/FOLDER",
            show(to.trim_end_matches('/').as_bytes())
        ))
        .hint("to put one of them alone, add --account NAME; with /FOLDER it gets a folder of its name, too"))
}

fn put(archive: &Archive<'_>, wanted: &Wanted, putting: &mut Putting<'_>, meter: &Meter) -> Result<Walked> {
    let mut survey = putting.survey()?;
    // All of the archive, whatever is wanted: what an earlier run put is there, too.
    let surveyed = archive.walk(&Wanted::default(), &mut |found| {
        survey.add(&found.message, wanted.takes(&found.message));
        Ok(!meter.is_cancelled())
    })?;
    if meter.is_cancelled() {
        return Ok(Walked::default());
    }
    let rivals = survey.rivals();
    let mut walked = archive.batches(wanted, (BATCH, MOST), &mut |messages, bodies| {
        putting.put(messages, &rivals, bodies)?;
        Ok(!meter.is_cancelled())
    })?;
    // In a folder that cannot be read there may be a rival: then nobody can say that all is well.
    let told: BTreeSet<_> = walked.broken.iter().map(|(path, _)| path.clone()).collect();
    walked.broken.extend(surveyed.broken.into_iter().filter(|(path, _)| !told.contains(path)));
    walked.more = walked.more.max(surveyed.more);
    Ok(walked)
}

fn plan(
    archive: &Archive<'_>,
    wanted: &Wanted,
    (putting, to): (&mut Putting<'_>, &str),
    ctx: &Context,
) -> Result<u8> {
    let mut sum: BTreeMap<String, Planned> = BTreeMap::new();
    let mut unknown: BTreeSet<String> = BTreeSet::new();
    let walked = archive.batches(wanted, (BATCH, MOST), &mut |messages, _| {
        unknown.extend(messages.iter().filter_map(unknown_folder).map(str::to_owned));
        for (folder, more) in putting.plan(messages)? {
            let planned = sum.entry(folder).or_default();
            planned.put += more.put;
            planned.bytes += more.bytes;
            planned.present += more.present;
            planned.exists = more.exists;
            planned.problem = planned.problem.take().or(more.problem);
        }
        Ok(true)
    })?;
    if ctx.json {
        let folder = |(folder, one): (&String, &Planned)| {
            json!({ "folder": folder, "put": one.put, "bytes": one.bytes, "present": one.present,
                    "exists": one.exists, "problem": one.problem })
        };
        let value: Vec<_> = sum.iter().map(folder).collect();
        out::print(&format!("{}\n", json_line(&json!(value))))?;
    } else {
        out::write(|out| {
            for (folder, one) in &sum {
                let new = if one.exists { "" } else { "  (would be made)" };
                let problem = one.problem.as_ref().map_or_else(String::new, |why| format!("  {why}"));
                writeln!(
                    out,
                    "{:>8} to put {:>11}  {:>8} there  {}{new}{problem}",
                    count(one.put),
                    size(one.bytes),
                    count(one.present),
                    show(folder.as_bytes())
                )?;
            }
            let all = |number: fn(&Planned) -> u64| sum.values().map(number).sum::<u64>();
            writeln!(
                out,
                "{} would be put into {}, {}; {} there already",
                of(all(|one| one.put), "message", "messages"),
                show(to.as_bytes()),
                size(all(|one| one.bytes)),
                of(all(|one| one.present), "is", "are")
            )
        })?;
    }
    if !ctx.quiet {
        unknown.iter().for_each(|folder| out::warn(&unclear(folder)));
    }
    let problems = sum.values().any(|one| one.problem.is_some());
    Ok(unless_none(&walked, told(&walked).max(u8::from(problems))))
}

/// What is said of a folder of Gmail's own that has a name in a language that is not known here.
fn unclear(folder: &str) -> String {
    format!(
        "note: the name of {} does not say whether it is All Mail, Spam or Trash: what has a label would be put into the \
         folder of its label, and the rest into one of that name. If it is Spam or Trash, put each folder of the \
         archive by itself (--folder), and this one elsewhere (--to imap:ACCOUNT/FOLDER)",
        quote(folder)
    )
}

fn report(done: &Done, to: &str, ctx: &Context) -> Result<()> {
    failed(&done.failures);
    if ctx.json {
        let value = json!({
            "put": done.put,
            "bytes": done.bytes,
            "present": done.present,
            "made": done.made,
            "dropped-flags": done.dropped_flags,
            "errors": done.failures.errors,
            "warnings": done.failures.warnings,
            "failures": done.failures.list,
        });
        return out::print(&format!("{}\n", json_line(&value)));
    }
    if ctx.quiet {
        return Ok(());
    }
    let mut said = format!(
        "{} put into {}, {}",
        of(done.put, "message", "messages"),
        show(to.as_bytes()),
        size(done.bytes)
    );
    if done.present > 0 {
        said.push_str(&format!("; {} there already", of(done.present, "was", "were")));
    }
    if done.failures.errors > 0 {
        said.push_str(&format!("; {} could not be put", count(done.failures.errors)));
    }
    if done.failures.warnings > 0 {
        let [one, more] = ["may be there and was not put", "may be there and were not put"];
        said.push_str(&format!("; {}", of(done.failures.warnings, one, more)));
    }
    out::say(&said);
    if !done.made.is_empty() {
        out::say(&format!("folders made: {}", show(done.made.join(", ").as_bytes())));
    }
    if !done.dropped_flags.is_empty() {
        let flags: Vec<_> = done.dropped_flags.iter().map(String::as_str).collect();
        out::say(&format!("flags that this server does not keep: {}", flags.join(" ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_accounts_become_one_for_nobody_who_did_not_say_so() {
        let some = |text: &str| Some(text.to_owned());
        for (accounts, account, under, expected) in [
            (&["a"][..], None, None, Some(false)),
            (&["a"], None, some("Old"), Some(false)),
            (&["a"], some("a"), some("Old"), Some(false)),
            (&["a", "b"], None, None, None),
            (&["a", "b"], some("a"), None, Some(false)),
            // One of them goes where it goes together with the others.
            (&["a", "b"], some("a"), some("Old"), Some(true)),
            (&["a", "b"], None, some("Old"), Some(true)),
        ] {
            let accounts = accounts.iter().map(|name| (*name).to_owned()).collect();
            let wanted = Wanted { account, ..Wanted::default() };
            let told = apart(&accounts, &wanted, under.as_deref(), "imap:new");
            assert_eq!(told.as_ref().ok().copied(), expected, "{accounts:?} {wanted:?} {under:?}");
        }
    }
}

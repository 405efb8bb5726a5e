//! `postkeep status`: how each profile stands.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{Context, config, out, table};
use crate::agent::{self, EMBEDDED};
use crate::entry::show;
use crate::error::Result;
use crate::figures::of;
use crate::profile::{Config, Problem};
use crate::run::{RunId, Status};
use crate::state::{Health, Query, RecipientState, RunRow, State};

/// Show how each profile stands: its last run, its last success, what runs now
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  postkeep status --json | jq '.profiles[] | select(.status == \"failed\")'

The last column is the run's id, for `postkeep report` and `postkeep log`.
Exit code: 0 whatever the runs came to.")]
pub(crate) struct StatusArgs {}

/// How one profile stands.
struct Standing {
    profile: String,
    last: Option<RunRow>,
    success: Option<RunRow>,
    at_work: bool,
    /// A person knows of its failures, so they are not mailed.
    acknowledged: bool,
    /// Its file cannot be used as it is written: it does not run.
    broken: bool,
}

pub(crate) fn run(_: &StatusArgs, ctx: &Context) -> Result<ExitCode> {
    let (config, problems) = config::load_some(ctx, &[])?;
    let state = agent::look(&ctx.state_dir)?;
    let mut names: BTreeMap<&str, bool> = broken(&problems);
    names.extend(config.profiles.iter().map(|profile| (profile.name.as_str(), false)));
    let mut standings = Vec::new();
    for (name, broken) in names {
        standings.push(Standing { broken, ..standing(state.as_ref(), name)? });
    }
    let post = Post::look(state.as_ref(), &config)?;
    if ctx.json {
        let profiles: Vec<_> = standings.iter().map(as_json).collect();
        let accounts: Vec<_> = post.unwell.iter().map(unwell_json).collect();
        let text = json!({
            "profiles": profiles, "reports-waiting": post.queued, "reports-refused": post.refused, "accounts": accounts,
        });
        out::print(&format!("{text}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if standings.is_empty() {
        out::print("no profiles yet: `postkeep init` makes the first\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let head = ["PROFILE", "RESULT", "LAST RUN", "LAST SUCCESS", "RUN"].map(str::to_owned).to_vec();
    let rows = standings.iter().map(|standing| line(standing, ctx.color()));
    let mut text = table::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    for standing in standings.iter().filter(|standing| standing.acknowledged) {
        let name = show(standing.profile.as_bytes());
        text.push_str(&format!(
            "\n{name}: its failures are acknowledged, and not mailed until they change\n"
        ));
    }
    if standings.iter().any(|standing| standing.broken) {
        text.push_str(
            "\na broken profile does not run: `postkeep config check` says what is wrong with it\n",
        );
    }
    text.push_str(&post.in_words());
    out::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// How it stands with the letters and with what carries them.
#[derive(Default)]
struct Post {
    queued: u64,
    refused: u64,
    unwell: Vec<Health>,
}

impl Post {
    fn look(state: Option<&State>, config: &Config) -> Result<Self> {
        let Some(state) = state else { return Ok(Self::default()) };
        let letters = state.outbox().pending(1_000)?;
        let queued = letters.iter().filter(|letter| letter.recipient.state == RecipientState::Queued).count();
        let refused = letters.len() - queued;
        // What is said of an account that is gone helps nobody.
        let known = |health: &Health| health.name == EMBEDDED || config.accounts.contains_key(&health.name);
        let unwell = state.accounts().all()?.into_iter().filter(known).collect();
        Ok(Self { queued: queued as u64, refused: refused as u64, unwell })
    }

    fn in_words(&self) -> String {
        let mut text = String::new();
        for health in &self.unwell {
            let name = match health.name.as_str() {
                EMBEDDED => "Maildir in the state folder".to_owned(),
                name => format!("account {}", show(name.as_bytes())),
            };
            let since =
                health.down_since.map(|since| format!(" since {}", table::when(since))).unwrap_or_default();
            let reason = show(health.reason.as_deref().unwrap_or_default().as_bytes());
            text.push_str(&match health.refused_secret {
                Some(_) => format!(
                    "\nthe {name} refuses our login{since}, and is not tried again until its secret changes: \
                     {reason}\n  hint: postkeep account test {}\n",
                    show(health.name.as_bytes())
                ),
                None => format!("\nthe {name} takes no letters{since}: {reason}\n"),
            });
        }
        if self.queued > 0 {
            let reports = of(self.queued, "report", "reports");
            text.push_str(&format!(
                "\n{reports} could not be delivered yet; the next run tries again (postkeep outbox)\n"
            ));
        }
        if self.refused > 0 {
            let reports = of(self.refused, "report was", "reports were");
            text.push_str(&format!("\n{reports} refused by the mail server (postkeep outbox)\n"));
        }
        text
    }
}

fn unwell_json(health: &Health) -> serde_json::Value {
    json!({
        "name": health.name,
        "down-since": health.down_since,
        "login-refused": health.refused_secret.is_some(),
        "reason": health.reason,
    })
}

/// The profiles that a problem keeps from running. A template is none.
fn broken(problems: &[Problem]) -> BTreeMap<&str, bool> {
    let names = problems.iter().filter_map(|problem| problem.profiles.as_ref()).flatten();
    names.filter(|name| !name.starts_with('_')).map(|name| (name.as_str(), true)).collect()
}

fn standing(state: Option<&State>, profile: &str) -> Result<Standing> {
    let mut standing = Standing {
        profile: profile.into(),
        last: None,
        success: None,
        at_work: false,
        acknowledged: false,
        broken: false,
    };
    let Some(state) = state else { return Ok(standing) };
    let history = state.history();
    standing.last = history.runs(&Query { profile: Some(profile), limit: 1, before: None })?.pop();
    standing.success = match &standing.last {
        Some(last) if last.status.is_success() => standing.last.clone(),
        Some(last) => history.last_success(profile, last.id)?,
        None => None,
    };
    standing.acknowledged = history.ack(profile)?.is_some();
    if standing.last.as_ref().is_some_and(|last| last.status == Status::Running) {
        standing.at_work = state.locks().is_held(profile)?;
    }
    Ok(standing)
}

/// The word for the last run: one that says it runs, while nobody holds its lock, was interrupted.
fn word(standing: &Standing) -> Option<Status> {
    let last = standing.last.as_ref()?;
    Some(if last.status == Status::Running && !standing.at_work { Status::Interrupted } else { last.status })
}

fn line(standing: &Standing, color: bool) -> Vec<String> {
    let when =
        |row: &Option<RunRow>| row.as_ref().map_or_else(|| "never".into(), |row| table::when(row.started));
    let id = |row: &RunRow| -> RunId { row.id };
    let result = match word(standing) {
        _ if standing.broken => table::paint("31", "broken", color),
        Some(status) => table::status(status, color),
        None => "-".into(),
    };
    vec![
        show(standing.profile.as_bytes()),
        result,
        when(&standing.last),
        when(&standing.success),
        standing.last.as_ref().map_or_else(String::new, |row| table::short(id(row))),
    ]
}

fn as_json(standing: &Standing) -> serde_json::Value {
    json!({
        "profile": standing.profile,
        "status": word(standing),
        "acknowledged": standing.acknowledged,
        "broken": standing.broken,
        "last-run": standing.last.as_ref().map(super::history::as_json),
        "last-success": standing.success.as_ref().map(|row| row.ended),
    })
}

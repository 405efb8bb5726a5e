//! `postkeep plan`: shows what a run would do.

mod archive;
mod backup;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Args;
use serde_json::json;

use super::progress::Shown;
use super::{Context, config, out};
use crate::agent;
use crate::clock::System;
use crate::error::Result;
use crate::figures::{count, of, size};
use crate::mutex::lock;
use crate::profile::{Config, Job, Profile, SyncJob};
use crate::progress::{Event, Listener, Meter};
use crate::run::Stop;
use crate::sync::plan::{Line, LineAct, Plan};

/// Lines that are held to be sorted; a plan that is longer is cut, and says so.
const MOST: usize = 1_000_000;

/// Show what a run would do, and do nothing
///
/// Both sides are compared as a run would; nothing is written, not even to the history. Each line begins with what
/// would happen to the path: new, replace (new content), update (only mode, owner, times or attributes), link (it
/// becomes another name of a file), delete (a folder is one line, with all that is in it), cannot (and why).
///
/// Of an archive, folders and messages are counted, and how many of them are archived.
///
/// Of a backup, the sources are counted: how much a first run would save, and how many days that takes where a
/// provider limits what may be sent in a day. What a vault has already is not sent again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep plan documents
  postkeep plan documents --json | jq -r '.lines[] | select(.act == \"delete\") | .path'

Exit codes: 0 it would run, 4 a brake would stop it, 1 something cannot be read.
`postkeep run --help` says what the brakes are.")]
pub(crate) struct PlanArgs {
    /// The profiles, or groups of them, to look at
    #[arg(value_name = "PROFILE", required = true)]
    profiles: Vec<String>,
}

pub(crate) fn run(args: &PlanArgs, ctx: &Context) -> Result<ExitCode> {
    let (profiles, config, broken) = config::load_to_run(ctx, &args.profiles)?;
    let mut worst = super::run::Worst::default();
    super::run::tell_broken(&broken, &mut worst);
    show(&profiles, &config, worst, ctx)
}

/// Shows the plans of some profiles; the worst decides the exit code.
pub(super) fn show(
    profiles: &[Profile],
    config: &Config,
    mut worst: super::run::Worst,
    ctx: &Context,
) -> Result<ExitCode> {
    for profile in profiles {
        worst.note(match &profile.job {
            Job::Sync(job) => show_sync(profile, job, ctx)?,
            Job::Backup(job) => backup::show(profile, job, config, ctx)?,
            Job::Archive(job) => archive::show(profile, job, config, ctx)?,
        });
    }
    Ok(worst.code())
}

/// Shows the plan of a sync, and says its exit code.
fn show_sync(profile: &Profile, job: &SyncJob, ctx: &Context) -> Result<u8> {
    let held = Mutex::new((Vec::new(), 0_u64));
    let take = |line: Line| {
        let mut held = lock(&held);
        if held.0.len() < MOST { held.0.push(line) } else { held.1 += 1 }
    };
    let shown = Shown::new(ctx);
    shown.event(&Event::Started { profile: profile.name.clone() });
    let planned = agent::preview(&ctx.state_dir, profile, job, &System, &Meter::default(), &shown, &take);
    shown.clear();
    let (plan, stop) = planned?;
    let (mut lines, cut) = held.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    lines.sort_unstable();
    if ctx.json {
        out::print(&format!("{}\n", as_json(profile, &plan, stop.as_ref(), &lines, cut)))?;
    } else {
        out::write(|out| print(out, profile, &plan, stop.as_ref(), &lines, cut))?;
    }
    Ok(match stop {
        Some(_) => 4,
        None if plan.failures.errors > 0 => 1,
        None => 0,
    })
}

fn word(act: LineAct) -> &'static str {
    match act {
        LineAct::Create => "new",
        LineAct::Replace => "replace",
        LineAct::Mark => "update",
        LineAct::Delete => "delete",
        LineAct::Link => "link",
    }
}

fn print(
    out: &mut dyn Write,
    profile: &Profile,
    plan: &Plan,
    stop: Option<&Stop>,
    lines: &[Line],
    cut: u64,
) -> std::io::Result<()> {
    for line in lines {
        let bytes = if line.bytes > 0 { size(line.bytes) } else { String::new() };
        writeln!(out, "{:<8}{bytes:>11}  {}", word(line.act), super::table::path(&line.path.to_string()))?;
    }
    if cut > 0 {
        writeln!(out, "and {} more", count(cut))?;
    }
    for failure in &plan.failures.list {
        writeln!(out, "{:<8}{:>11}  {}: {}", "cannot", "", super::table::path(&failure.path), failure.cause)?;
    }
    let sums = &plan.sums;
    if lines.is_empty() && plan.failures.list.is_empty() {
        writeln!(out, "{}: nothing to do, {} compared", profile.name, of(sums.files, "file", "files"))?;
    } else {
        writeln!(
            out,
            "\n{}: {} new, {} replaced, {} updated, {} deleted; {} to copy",
            profile.name,
            count(sums.created),
            count(sums.replaced),
            count(sums.marked),
            count(sums.deleted),
            size(sums.copied_bytes)
        )?;
    }
    if let Some(stop) = stop {
        writeln!(out, "a brake would stop this run: {}", stop.reason)?;
        writeln!(out, "hint: {}", stop.hint)?;
        if let Some(token) = &stop.token {
            writeln!(out, "to run exactly this plan: postkeep run {} --approve {token}", profile.name)?;
        }
    }
    Ok(())
}

fn as_json(
    profile: &Profile,
    plan: &Plan,
    stop: Option<&Stop>,
    lines: &[Line],
    cut: u64,
) -> serde_json::Value {
    let sums = &plan.sums;
    let line =
        |line: &Line| json!({ "act": word(line.act), "path": line.path.to_string(), "bytes": line.bytes });
    json!({
        "profile": profile.name,
        "new": sums.created,
        "replaced": sums.replaced,
        "updated": sums.marked,
        "deleted": sums.deleted,
        "copied-bytes": sums.copied_bytes,
        "lines": lines.iter().map(line).collect::<Vec<_>>(),
        "lines-omitted": cut,
        "failures": plan.failures.list,
        "stop": stop,
    })
}

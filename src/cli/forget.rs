//! `postkeep forget`: snapshots that need not stay.

use std::process::ExitCode;

use clap::Args;
use jiff::Zoned;
use jiff::tz::TimeZone;
use rustic_core::repofile::{SnapshotFile, SnapshotId};
use serde_json::json;

use super::which::{BARE, Chosen, Which};
use super::{Context, out, prune, snapshots, table, usage};
use crate::clock::{Clock as _, System};
use crate::entry::show;
use crate::error::Result;
use crate::figures::of;
use crate::profile::{Keep, read_duration};
use crate::vault::forget::{Group, Judged, forgotten, plan};
use crate::vault::prune::Thrift;
use crate::vault::snapshot::{self, Lost, Readable, Scope};

/// Forget snapshots that the rules do not keep
///
/// The rules are the profile's keep-* keys, or those given here, which count alone then. Snapshots are judged in groups
/// of one machine, profile and set of paths; what any rule keeps stays. The newest of a group always stays. Their data
/// is freed by `postkeep prune`, or at once with --prune.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep forget [OPTIONS] [PROFILE] [SNAPSHOT]...", after_help = format!("\
Examples:
  postkeep forget documents -n                                   what the profile's rules would forget
  postkeep forget documents --keep-daily 7 --keep-monthly 12
  postkeep forget documents 1a2b3c4d                             exactly this snapshot
  postkeep forget documents --prune                              and free the room

{BARE}

Exit codes: 0 done, 1 it failed, 2 usage, 10 no vault, 11 locked, 12 wrong password."))]
pub(crate) struct ForgetArgs {
    /// The profile, and snapshots to forget whatever the rules say
    #[arg(value_name = "PROFILE] [SNAPSHOT")]
    words: Vec<String>,
    /// Keep the newest N
    #[arg(long, value_name = "N")]
    keep_last: Option<u32>,
    /// Keep the newest of each of N hours that have one
    #[arg(long, value_name = "N")]
    keep_hourly: Option<u32>,
    /// Of N days
    #[arg(long, value_name = "N")]
    keep_daily: Option<u32>,
    /// Of N weeks
    #[arg(long, value_name = "N")]
    keep_weekly: Option<u32>,
    /// Of N months
    #[arg(long, value_name = "N")]
    keep_monthly: Option<u32>,
    /// Of N years
    #[arg(long, value_name = "N")]
    keep_yearly: Option<u32>,
    /// Keep all that are at most so much older than the newest, such as 30d
    #[arg(long, value_name = "TIME")]
    keep_within: Option<String>,
    /// Judge the snapshots of all machines and profiles in the vault
    #[arg(long)]
    all: bool,
    /// Let the rules forget even the last snapshot of a group
    #[arg(long)]
    unsafe_allow_remove_all: bool,
    /// Say what would be forgotten, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Free the room of what is forgotten
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(args: &ForgetArgs, ctx: &Context) -> Result<ExitCode> {
    args.which.with(&args.words, ctx, |chosen, words| forgot(args, ctx, chosen, words))
}

fn forgot(args: &ForgetArgs, ctx: &Context, chosen: &Chosen, named: &[String]) -> Result<ExitCode> {
    let keep = if named.is_empty() { Some(rules(args, chosen)?) } else { None };
    let vault = chosen.open()?;
    // Rules judge all snapshots or none; one that is damaged can only be named.
    let all = match keep {
        Some(_) => Readable { all: vault.snapshots()?, lost: Vec::new() },
        None => vault.readable_snapshots()?,
    };
    let (damaged, named) = damaged(named, &all.lost);
    let scope = if args.all { Scope::default() } else { chosen.scope() };
    let groups = match keep {
        Some(keep) => {
            let now = Zoned::new(System.now(), TimeZone::system());
            plan(all.all, &keep, &scope, args.unsafe_allow_remove_all, &now)?
        }
        None => exactly(&named, &all, chosen, args.unsafe_allow_remove_all)?,
    };
    let mut ids = forgotten(&groups);
    ids.extend(&damaged);
    if !args.dry_run {
        vault.forget(&ids)?;
    }
    if !ctx.json {
        for id in &damaged {
            out::print(&format!("  forget  {}  damaged\n", snapshot::full(id).get(..8).unwrap_or_default()))?;
        }
        if damaged.is_empty() || !groups.is_empty() {
            out::print(&text(&groups, args.dry_run))?;
        }
    }
    let thrift = Thrift { max_unused: 5, max_repack: None };
    let freed =
        (args.prune && !args.dry_run).then(|| prune::prune(ctx, &vault, thrift, false)).transpose()?;
    if ctx.json {
        let freed = freed.map(|freed| prune::as_json(&freed, false));
        let damaged: Vec<_> = damaged.iter().map(|id| snapshot::full(id)).collect();
        let groups: Vec<_> = groups.iter().map(as_json).collect();
        out::print(&format!(
            "{}\n",
            json!({ "dry-run": args.dry_run, "groups": groups, "damaged": damaged, "prune": freed })
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The rules of the command line, else of the profile.
fn rules(args: &ForgetArgs, chosen: &Chosen) -> Result<Keep> {
    let within = args.keep_within.as_deref().map(read_duration).transpose();
    let within = within.map_err(|wrong| usage(format!("--keep-within: {}", wrong.message)))?;
    let given = Keep {
        last: args.keep_last,
        hourly: args.keep_hourly,
        daily: args.keep_daily,
        weekly: args.keep_weekly,
        monthly: args.keep_monthly,
        yearly: args.keep_yearly,
        within,
    };
    if given != Keep::default() {
        return Ok(given);
    }
    let of_profile = chosen.keeping().and_then(|keeping| keeping.keep.clone());
    of_profile.ok_or_else(|| {
        usage("there is no rule that says what to keep")
            .hint("give one: --keep-daily 7, or keep-daily = 7 in the profile")
    })
}

/// The damaged snapshots that are named, and the other names. What just cannot be read now may be sound.
fn damaged(named: &[String], lost: &[Lost]) -> (Vec<SnapshotId>, Vec<String>) {
    let (mut ids, mut others) = (Vec::new(), Vec::new());
    for name in named {
        let fits =
            |lost: &&Lost| lost.damaged && name.len() >= 4 && lost.id.to_string().starts_with(name.as_str());
        match lost.iter().find(fits) {
            Some(lost) => ids.push(lost.snapshot()),
            None => others.push(name.clone()),
        }
    }
    (ids, others)
}

/// The snapshots that are named, in a plan that keeps all others.
fn exactly(named: &[String], snapshots: &Readable, chosen: &Chosen, last: bool) -> Result<Vec<Group>> {
    let mut ids = Vec::new();
    for name in named {
        ids.push(snapshots.choose(name, &chosen.scope(), &TimeZone::system())?.id);
    }
    let group = |snapshot: &SnapshotFile| {
        (snapshot.hostname.clone(), snapshot.label.clone(), snapshot.paths.to_string())
    };
    let mut groups: Vec<Group> = Vec::new();
    let goes = |snapshot: &SnapshotFile| ids.contains(&snapshot.id);
    let all = &snapshots.all;
    for snapshot in all.iter().filter(|snapshot| goes(snapshot)) {
        let stays = |other: &&SnapshotFile| !goes(other) && group(other) == group(snapshot);
        if !last && !all.iter().any(|other| stays(&other)) {
            let short = snapshot::short(snapshot);
            return Err(usage(format!("{short} is among the last snapshots of its machine and paths"))
                .hint("if they shall go all the same: --unsafe-allow-remove-all"));
        }
        let (host, label, paths) = group(snapshot);
        let judged = Judged { snapshot: snapshot.clone(), keep: false, why: "named".into() };
        groups.push(Group { host, label, paths, snapshots: vec![judged] });
    }
    Ok(groups)
}

fn text(groups: &[Group], dry: bool) -> String {
    let mut text = String::new();
    for group in groups {
        let label = if group.label.is_empty() { String::new() } else { format!("{} ", group.label) };
        let head = format!("{label}on {}: {}", group.host, group.paths);
        text.push_str(&format!("{}\n", show(head.as_bytes())));
        let row = |one: &Judged| {
            vec![
                if one.keep { "  keep".to_owned() } else { "  forget".to_owned() },
                snapshot::short(&one.snapshot),
                table::when(one.snapshot.time.timestamp()),
                show(one.why.as_bytes()),
            ]
        };
        text.push_str(&table::table(&group.snapshots.iter().map(row).collect::<Vec<_>>()));
    }
    let judged = || groups.iter().flat_map(|group| &group.snapshots);
    let (kept, gone) = (judged().filter(|one| one.keep).count(), judged().filter(|one| !one.keep).count());
    let verb = if dry { "would be forgotten" } else { "forgotten" };
    text.push_str(&format!("{} kept, {gone} {verb}\n", of(kept as u64, "snapshot", "snapshots")));
    text
}

fn as_json(group: &Group) -> serde_json::Value {
    let one = |one: &Judged| {
        let mut json = snapshots::as_json(&one.snapshot);
        json["keep"] = one.keep.into();
        json["why"] = one.why.clone().into();
        json
    };
    let snapshots: Vec<_> = group.snapshots.iter().map(one).collect();
    json!({ "host": group.host, "profile": group.label, "paths": group.paths, "snapshots": snapshots })
}

//! `postkeep next`: the runs to come.

use std::process::ExitCode;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::outlook::Outlook;
use super::{Context, out, status, table, when};
use crate::agent;
use crate::cli::standing::Runs;
use crate::error::Result;
use crate::figures::{duration, roughly};
use crate::profile::{FULL_LOOK, Profile, Rhythm, shift};
use crate::scheduler::{Pause, View};

/// Show the next runs, in order of time
///
/// Lists what the clock brings about, digests among it. What runs only when something changes, when the agent starts,
/// or by hand is named below. Times are in this machine's zone, and jitter is in them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep next
  postkeep next documents -n 30
  postkeep next --json | jq -r '.runs[0].at'

WHY is schedule or every, as the profile says; retry after a run that failed; resume after one that \
paused; catch-up for due times that passed \
without a run. The last column tells what becomes of a time that the clock passes over, or that comes twice, on the \
days on which it is put forward or back.")]
pub(crate) struct NextArgs {
    /// Only these profiles, and no digests
    #[arg(value_name = "PROFILE")]
    profiles: Vec<String>,
    /// At most this many runs
    #[arg(short = 'n', long = "number", value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    number: u16,
}

/// One line of the list.
struct Row {
    at: Timestamp,
    /// None: a digest.
    profile: Option<String>,
    why: &'static str,
    note: Option<String>,
}

pub(crate) fn run(args: &NextArgs, ctx: &Context) -> Result<ExitCode> {
    let outlook = Outlook::look(ctx, &args.profiles)?;
    let named = |name: &str| args.profiles.is_empty() || args.profiles.iter().any(|known| known == name);
    let profiles: Vec<_> = outlook.config.profiles.iter().filter(|profile| named(&profile.name)).collect();
    let views = outlook.scheduler.views(outlook.now);
    let most = usize::from(args.number);
    let mut rows = if args.profiles.is_empty() { digests(&outlook, most)? } else { Vec::new() };
    for profile in &profiles {
        let rules = agent::schedule_rules(&outlook.state, profile)?;
        let Some(memory) = outlook.scheduler.memory(&profile.name) else { continue };
        let paused = both([memory.paused, outlook.scheduler.paused()], outlook.now);
        let runs = rules.upcoming(memory, outlook.now, outlook.awake, paused, most);
        rows.extend(runs.into_iter().map(|run| Row {
            at: run.at,
            profile: Some(profile.name.clone()),
            why: run.why.word(),
            note: join(run.note, elsewhere(profile, run.at)),
        }));
    }
    rows.sort_by(|a, b| (a.at, &a.profile).cmp(&(b.at, &b.profile)));
    rows.truncate(most);
    let others: Vec<(&str, String)> = profiles
        .iter()
        .filter_map(|profile| {
            let all = outlook.scheduler.paused().is_some_and(|pause| pause.holds(outlook.now));
            let words = other(profile, views.get(&profile.name)?, all, outlook.now)?;
            Some((profile.name.as_str(), words))
        })
        .collect();
    if ctx.json {
        let value = json!({
            "agent": outlook.status().is_some(),
            "runs": rows.iter().map(as_json).collect::<Vec<_>>(),
            "others": others.iter().map(|(name, how)| json!({ "profile": name, "how": how })).collect::<Vec<_>>(),
        });
        out::print(&format!("{value}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    out::print(&text(&outlook, &rows, &others))?;
    Ok(ExitCode::SUCCESS)
}

fn text(outlook: &Outlook, rows: &[Row], others: &[(&str, String)]) -> String {
    if outlook.config.profiles.is_empty() && rows.is_empty() {
        return "no profiles yet: `postkeep init` makes the first\n".into();
    }
    let head = ["WHEN", "IN", "PROFILE", "WHY"].map(str::to_owned).to_vec();
    let lines = rows.iter().map(|row| {
        let left = row.at.duration_since(outlook.now);
        // What is due already comes when somebody is there to start it.
        let left = match left <= SignedDuration::ZERO {
            true => "now".into(),
            false => roughly(left),
        };
        let name = row.profile.clone().unwrap_or_else(|| "(digest)".into());
        vec![when::full(row.at), left, name, row.why.into(), row.note.clone().unwrap_or_default()]
    });
    let mut sections = Vec::new();
    if !rows.is_empty() {
        sections.push(table::table(&std::iter::once(head).chain(lines).collect::<Vec<_>>()));
    }
    if !others.is_empty() {
        sections.push(others.iter().map(|(name, how)| format!("{name}: {how}\n")).collect());
    }
    if let Some(paused) = outlook.scheduler.paused().filter(|pause| pause.holds(outlook.now)) {
        sections.push(format!("{}\n", status::all_paused(paused, outlook.now)));
    }
    let automatic = outlook.config.profiles.iter().any(|profile| !Runs::of(profile).by_hand());
    if automatic || !rows.is_empty() {
        sections.extend(outlook.without_agent("nothing starts by itself").map(|line| line + "\n"));
    }
    sections.join("\n")
}

fn as_json(row: &Row) -> Value {
    json!({ "at": row.at, "profile": row.profile, "why": row.why, "note": row.note })
}

/// The digests to come.
fn digests(outlook: &Outlook, most: usize) -> Result<Vec<Row>> {
    let times = agent::digest_times(&outlook.state, &outlook.config, outlook.now)?;
    let Some((schedule, zone, _)) = times else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    let mut before = outlook.now;
    while let Some(at) = schedule.next_after(before, &zone).filter(|_| rows.len() < most) {
        let odd = schedule.oddity(at, &zone).map(|odd| odd.to_string());
        let note = odd.or_else(|| shift(before, at, &zone).map(str::to_owned));
        rows.push(Row { at, profile: None, why: "schedule", note });
        before = at;
    }
    Ok(rows)
}

/// The pause that two pauses make which hold at once: it lasts as long as one of them.
fn both(pauses: [Option<Pause>; 2], now: Timestamp) -> Option<Pause> {
    let hold = pauses.into_iter().flatten().filter(|pause| pause.holds(now));
    hold.reduce(|a, b| Pause {
        since: a.since.min(b.since),
        until: a.until.zip(b.until).map(|(a, b)| a.max(b)),
    })
}

/// What the clock says where a schedule is meant, if that is not here.
fn elsewhere(profile: &Profile, at: Timestamp) -> Option<String> {
    let (name, here) = (profile.timing.zone.as_deref()?, jiff::tz::TimeZone::system());
    let there = profile.timing.zone(&here);
    let differs = there.to_offset(at) != here.to_offset(at);
    differs.then(|| format!("{} in {name}", at.to_zoned(there).strftime("%H:%M")))
}

fn join(first: Option<String>, second: Option<String>) -> Option<String> {
    match (first, second) {
        (Some(first), Some(second)) => Some(format!("{second}; {first}")),
        (first, second) => first.or(second),
    }
}

/// How a profile runs besides the times that are listed, or why it does not.
fn other(profile: &Profile, view: &View, all_paused: bool, now: Timestamp) -> Option<String> {
    let mut parts = Vec::new();
    // That all are is said once.
    if let Some(pause) = view.paused.filter(|_| !all_paused) {
        parts.push(status::paused(pause, now));
    }
    if let Some(skipped) = &view.skipped {
        parts.push(status::skipped(skipped, now));
    }
    let runs = Runs::of(profile);
    if let Some(settle) = profile.timing.settle() {
        let rest = duration(settle).replace(".0 s", " s");
        let news = match (profile.timing.on_change.is_some(), profile.timing.on_mail) {
            (true, true) => "on change and new mail",
            (false, true) => "on new mail",
            (_, false) => "on change",
        };
        let looks = match profile.timing.rhythm == Rhythm::Every(FULL_LOOK) {
            true => ", and a full look every 6 hours",
            false => "",
        };
        parts.push(format!("{news}, after {rest} of quiet{looks}"));
    }
    if runs.start {
        parts.push("when the agent starts".into());
    }
    if runs.by_hand() {
        parts.push("by hand: it has no schedule".into());
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

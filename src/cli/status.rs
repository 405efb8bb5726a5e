//! `postkeep status`: how each profile stands.

mod watch;
mod words;

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::at_work::Pace;
use super::outlook::Outlook;
use super::{Context, out, table, when};
use crate::cli::standing::{Standing, Standings};
use crate::entry::show;
use crate::error::Result;
use crate::state::RunRow;

pub(super) use self::words::{all_paused, overdue, paused, skipped};

/// Show how each profile stands: its last run and success, the next run, what runs now
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep status
  postkeep status --watch    once a second, with bars, until Ctrl-C
  postkeep status --json | jq '.profiles[] | select(.status == \"failed\")'

NEXT is the next time by the clock, as `postkeep next` tells it in full; or that it runs on change, at the agent's \
start, or by hand; or why it does not: paused, skipped (a condition is not met), waiting, overdue. With --wide the \
last column is the run's id, for `postkeep report` and `postkeep log`.
Exit code: 0 whatever the runs came to.")]
pub(crate) struct StatusArgs {
    /// Go on showing it: every second on a terminal, else every ten seconds
    #[arg(long)]
    watch: bool,
    /// With the id of the last run
    #[arg(long)]
    wide: bool,
}

pub(crate) fn run(args: &StatusArgs, ctx: &Context) -> Result<ExitCode> {
    if args.watch {
        return watch::run(args.wide, ctx);
    }
    out::print(&page(args.wide, ctx, &mut Pace::default(), None)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The column that is left out first where a terminal is narrow.
const LAST_RUN: usize = 2;

/// All of it, as text or as JSON. `columns` is how wide a bar's line may be; None: no bars.
fn page(wide: bool, ctx: &Context, pace: &mut Pace, columns: Option<usize>) -> Result<String> {
    let outlook = Outlook::look(ctx, &[])?;
    let standings = outlook.standings()?;
    if ctx.json {
        return Ok(format!("{}\n", standings.json()));
    }
    if standings.profiles.is_empty() {
        return Ok("no profiles yet: `postkeep init` makes the first\n".into());
    }
    let mut head = vec!["PROFILE", "RESULT", "LAST RUN", "LAST SUCCESS", "NEXT"];
    head.extend(wide.then_some("RUN"));
    let rows = standings.profiles.iter().map(|standing| line(standing, wide, ctx.color(), outlook.now));
    let head = head.into_iter().map(str::to_owned).collect();
    let mut rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let mut text = table::table(&rows);
    let width = text.lines().map(table::seen).max().unwrap_or(0);
    if columns.is_some_and(|columns| width > columns) {
        // What comes next says more than when it ran last.
        rows.iter_mut().for_each(|row| drop(row.remove(LAST_RUN)));
        text = table::table(&rows);
    }
    Ok(text + &below(&standings, &outlook, pace, columns))
}

/// What there is to say besides the table.
pub(super) fn below(
    standings: &Standings,
    outlook: &Outlook,
    pace: &mut Pace,
    columns: Option<usize>,
) -> String {
    let agentless = outlook.without_agent("schedules are not followed");
    words::below(standings, agentless, pace, columns, outlook.now)
}

fn line(standing: &Standing, wide: bool, color: bool, now: Timestamp) -> Vec<String> {
    let when =
        |row: &Option<RunRow>| row.as_ref().map_or_else(|| "never".into(), |row| table::when(row.started));
    let result = match standing.status() {
        _ if standing.broken && !standing.kept => table::paint("31", "broken", color),
        Some(status) => table::status(status, color),
        None => "-".into(),
    };
    let mut cells = vec![
        show(standing.profile.as_bytes()),
        result,
        when(&standing.last),
        when(&standing.success),
        next(standing, color, now),
    ];
    if wide {
        cells.push(standing.last.as_ref().map_or_else(String::new, |row| table::short(row.id)));
    }
    cells
}

/// When it runs next, or why it does not.
fn next(standing: &Standing, color: bool, now: Timestamp) -> String {
    let view = standing.view.as_ref();
    let runs = standing.runs;
    match standing.next() {
        Some(next) if standing.kept => when::short(next, now),
        _ if standing.broken => "-".into(),
        // There is nothing that a pause would keep from happening.
        None if runs.by_hand() && standing.overdue().is_none() => "by hand".into(),
        _ if view.is_some_and(|view| view.paused.is_some()) => table::paint("33", "paused", color),
        _ if standing.overdue().is_some() => table::paint("31", "overdue", color),
        _ if standing.waits.is_some() => table::paint("33", "waiting", color),
        _ if view.is_some_and(|view| view.skipped.is_some()) => table::paint("33", "skipped", color),
        _ if runs.changes => "on change".into(),
        Some(next) => when::short(next, now),
        None if runs.start => "at start".into(),
        None => "-".into(),
    }
}

//! What there is to say below the table: what runs, what waits, what does not run and why.

use jiff::Timestamp;

use super::super::at_work::Pace;
use super::super::{table, when};
use crate::agent::EMBEDDED;
use crate::cli::standing::{Post, Standing, Standings};
use crate::entry::show;
use crate::figures::{ago, duration, of};
use crate::scheduler::{Pause, Skipped};
use crate::state::Side;

/// All that is worth a line, in paragraphs with an empty line before each. `columns` is how wide a line may be that
/// draws a bar; None: no bars.
pub(in crate::cli) fn below(
    standings: &Standings,
    agentless: Option<String>,
    pace: &mut Pace,
    columns: Option<usize>,
    now: Timestamp,
) -> String {
    let mut text = String::new();
    let mut paragraph = |lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n{}\n", lines.join("\n")));
        }
    };
    paragraph(at_work(standings, pace, columns, now));
    let mut quiet: Vec<String> = standings.paused.map(|pause| all_paused(pause, now)).into_iter().collect();
    quiet.extend(
        standings.profiles.iter().flat_map(|standing| idle(standing, standings.paused.is_some(), now)),
    );
    paragraph(quiet);
    paragraph(standings.profiles.iter().filter_map(as_kept).collect());
    if standings.profiles.iter().any(|standing| standing.broken && !standing.kept) {
        paragraph(vec![
            "a broken profile does not run: `postkeep config check` says what is wrong with it".into(),
        ]);
    }
    if standings.is_automatic() {
        paragraph(agentless.into_iter().collect());
    }
    text + &post(&standings.post, standings.agent.is_some())
}

/// The runs at work, and what waits for its turn.
fn at_work(standings: &Standings, pace: &mut Pace, columns: Option<usize>, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for standing in standings.profiles.iter().filter(|standing| standing.at_work) {
        let name = show(standing.profile.as_bytes());
        match (&standing.progress, &standing.last) {
            (Some(work), _) => lines.push(pace.line(&name, work, columns, now)),
            (None, Some(row)) => lines.push(format!(
                "{name}: at work in a process of its own since {}",
                when::short(row.started, now)
            )),
            (None, None) => lines.push(format!("{name}: at work")),
        }
    }
    let waits = |standing: &Standing| {
        let reason = standing.waits.as_ref()?;
        Some(format!("{}: waits: {}", show(standing.profile.as_bytes()), show(reason.as_bytes())))
    };
    lines.extend(standings.profiles.iter().filter_map(waits));
    lines
}

/// Why a profile does not run, and what else is odd about it.
fn idle(standing: &Standing, all_paused: bool, now: Timestamp) -> Vec<String> {
    let name = show(standing.profile.as_bytes());
    let mut lines = Vec::new();
    if let Some(due) = standing.overdue() {
        lines.push(format!("{name}: {}", overdue(standing, due, now)));
    }
    let view = standing.view.as_ref();
    if let Some(pause) = view.and_then(|view| view.paused).filter(|_| !all_paused) {
        lines.push(format!("{name}: {} (postkeep resume {name})", paused(pause, now)));
    }
    let pause = standing.last.as_ref().and_then(|row| row.outcome.as_ref()?.paused.as_ref());
    if let Some(pause) = pause.filter(|pause| pause.until > now && !standing.at_work) {
        lines.push(format!("{name}: its provider takes no more until {}", when::short(pause.until, now)));
    }
    if let Some(unmet) = view.and_then(|view| view.skipped.as_ref()) {
        lines.push(format!("{name}: {}", skipped(unmet, now)));
    }
    if let Some(reason) = &standing.polled {
        lines.push(format!("{name}: what is new is not heard of at once: {}", show(reason.as_bytes())));
    }
    if standing.acknowledged {
        lines.push(format!("{name}: its failures are acknowledged, and not mailed until they change"));
    }
    lines
}

fn as_kept(standing: &Standing) -> Option<String> {
    let name = show(standing.profile.as_bytes());
    standing.kept.then(|| {
        format!(
            "{name}: its file cannot be used; the agent goes on with its last good version \
             (postkeep config check)"
        )
    })
}

/// `due Mon 23 Nov 2026 03:00, 61 min ago; last success ...`.
pub(in crate::cli) fn overdue(standing: &Standing, due: Timestamp, now: Timestamp) -> String {
    let success = match standing.success.as_ref().and_then(|row| row.ended) {
        Some(ended) => format!("last success {}", when::full(ended)),
        None => "no success yet".into(),
    };
    match standing.view.as_ref().and_then(|view| view.after) {
        Some(after) => format!("no success for {}; {success}", duration(after)),
        None => format!("due {}, {}; {success}", when::full(due), ago(now.duration_since(due))),
    }
}

/// `paused since Mon 09:00 until Wed 09:00`.
pub(in crate::cli) fn paused(pause: Pause, now: Timestamp) -> String {
    let until = match pause.until {
        Some(until) => format!("until {}", when::short(until, now)),
        None => "until it is resumed".into(),
    };
    format!("paused since {} {until}", when::short(pause.since, now))
}

/// The same for all profiles.
pub(in crate::cli) fn all_paused(pause: Pause, now: Timestamp) -> String {
    let words = paused(pause, now).replace("until it is resumed", "until they are resumed");
    format!("all profiles are {words} (postkeep resume)")
}

/// `skipped since Mon 09:00: nothing is mounted at /mnt/nas`.
pub(in crate::cli) fn skipped(skipped: &Skipped, now: Timestamp) -> String {
    format!("skipped since {}: {}", when::short(skipped.since, now), show(skipped.reason.as_bytes()))
}

/// The letters that wait, and what cannot carry them. An agent tries again by itself.
fn post(post: &Post, agent: bool) -> String {
    let mut text = String::new();
    for health in &post.unwell {
        let account = Side::read(&health.name).map_or(health.name.as_str(), |(account, _)| account);
        let shown = show(account.as_bytes());
        let name = match health.name.as_str() {
            EMBEDDED => "Maildir in the state folder".to_owned(),
            name if name != account => format!("mailbox of the account {shown}"),
            _ => format!("account {shown}"),
        };
        let since =
            health.down_since.map(|since| format!(" since {}", table::when(since))).unwrap_or_default();
        let reason = show(health.reason.as_deref().unwrap_or_default().as_bytes());
        text.push_str(&match health.refused_secret {
            Some(_) => format!(
                "\nthe {name} refuses our login{since}, and is not tried again until its secret changes: \
                 {reason}\n  hint: postkeep account test {shown}\n"
            ),
            None => format!("\nthe {name} takes no letters{since}: {reason}\n"),
        });
    }
    let (waiting, who) = if agent { (post.tried, "the agent") } else { (post.queued, "the next run") };
    if waiting > 0 {
        let reports = of(waiting, "report", "reports");
        text.push_str(&format!(
            "\n{reports} could not be delivered yet; {who} tries again (postkeep outbox)\n"
        ));
    }
    if post.refused > 0 {
        let reports = of(post.refused, "report was", "reports were");
        text.push_str(&format!("\n{reports} refused by the mail server (postkeep outbox)\n"));
    }
    text
}

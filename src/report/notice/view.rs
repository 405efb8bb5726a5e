//! What text and HTML of a notice have in common, every string already fit to be shown.

use jiff::Timestamp;

use super::{Late, Notice, What};
use crate::report::verdict::Step;
use crate::report::{clean, numbers, when};
use crate::run::Status;

/// How many lines of a problem are shown.
const LINES: usize = 12;
/// How many names of profiles are listed in a sentence.
const NAMES: usize = 10;

/// A notice before it is text or HTML.
#[derive(Debug, Default, serde::Serialize)]
pub(super) struct View {
    /// The letter's subject.
    pub subject: String,
    /// Which colours fit.
    pub tone: &'static str,
    /// What it is, in a word.
    pub word: String,
    /// `documents on nas1`.
    pub about: String,
    /// What happened, in one sentence.
    pub sentence: String,
    /// Sentences that belong to it.
    pub more: Vec<String>,
    /// What to do.
    pub steps: Vec<Step>,
    /// Title of the items.
    pub title: &'static str,
    /// Each profile, if there are several, or each problem.
    pub items: Vec<Item>,
    /// How many more there are.
    pub more_items: Option<String>,
    /// What else there is to know: label and value.
    pub state: Vec<(&'static str, String)>,
    /// `nas1, postkeep 0.1.0, notice 01J...`.
    pub origin: String,
}

/// One of several.
#[derive(Debug, serde::Serialize)]
pub(super) struct Item {
    /// What it is about.
    pub name: String,
    /// Sentences about it.
    pub sentences: Vec<String>,
    /// Lines whose columns matter.
    pub lines: Vec<String>,
}

impl View {
    /// The view of a notice that names at most `named` profiles or problems.
    pub fn new(notice: &Notice<'_>, subject: &str, named: usize) -> Self {
        let told = match notice.what {
            What::Overdue([late]) => one_late(notice, late),
            What::Overdue(late) => many_late(notice, late, named),
            What::Config { problems, kept, stopped } => config(problems, kept, stopped, named),
            What::Stuck { profile, run, started } => Self {
                steps: vec![
                    step("See what it did last:", format!("postkeep log {run}")),
                    step("See whether it is still at work:", "postkeep status".into()),
                    step("See how the agent is:", "postkeep agent status".into()),
                ],
                state: vec![("Run", run.to_string()), ("Started", when(started, notice.origin.zone))],
                ..stuck(notice, profile, started)
            },
        };
        Self {
            subject: subject.to_owned(),
            tone: match notice.what {
                What::Overdue(_) => "stop",
                What::Config { .. } => "bad",
                What::Stuck { .. } => "cut",
            },
            word: notice.kind().to_uppercase(),
            about: notice.about(),
            origin: format!("{}, notice {}", notice.origin.line(), notice.id),
            ..told
        }
    }
}

fn step(text: &str, command: String) -> Step {
    Step { text: text.into(), command: Some(command) }
}

fn stuck(notice: &Notice<'_>, profile: &str, started: Timestamp) -> View {
    let name = clean::header(profile, 64);
    let since = when(started, notice.origin.zone);
    let ago = numbers::ago(notice.now.duration_since(started));
    View {
        sentence: format!("The run of {name} does not react any more: it started {since}, {ago}."),
        more: vec![
            "Most often a disk or a server that it works with does not answer.".into(),
            format!("As long as it is there, {name} does not run again."),
        ],
        ..View::default()
    }
}

fn one_late(notice: &Notice<'_>, late: &Late<'_>) -> View {
    let name = clean::header(late.profile, 64);
    let mut more: Vec<String> = why(late).into_iter().collect();
    if late.told > 0 {
        more.push(format!("This was told {} before.", numbers::of(late.told.into(), "time", "times")));
    }
    let ago = |time: Timestamp| {
        format!("{} ({})", when(time, notice.origin.zone), numbers::ago(notice.now.duration_since(time)))
    };
    let last_run = match late.last_run {
        Some((time, status)) => format!("{}: {}", ago(time), word(status)),
        None => "none so far".into(),
    };
    let mut state =
        vec![("Last run", last_run), ("Last success", late.last_success.map_or("none so far".into(), ago))];
    state.extend(late.next.map(|next| ("Next run", when(next, notice.origin.zone))));
    View {
        sentence: match late.after {
            Some(after) => format!("{name} has had no success for {}.", numbers::duration(after)),
            None => format!("{name} did not run: it was due {}.", due(notice, late)),
        },
        more,
        steps: steps(late.why, "Run it now:", &name),
        state,
        ..View::default()
    }
}

fn many_late(notice: &Notice<'_>, all: &[Late<'_>], named: usize) -> View {
    let item = |late: &Late<'_>| {
        let mut sentences = vec![match late.after {
            Some(after) => format!("It has had no success for {}.", numbers::duration(after)),
            None => format!("It was due {}.", due(notice, late)),
        }];
        sentences.extend(why(late));
        sentences.push(match late.last_success {
            Some(time) => format!("The last success was {}.", when(time, notice.origin.zone)),
            None => "There was no success so far.".into(),
        });
        sentences
            .extend(late.next.map(|next| format!("The next run is due {}.", when(next, notice.origin.zone))));
        Item { name: clean::header(late.profile, 64), sentences, lines: Vec::new() }
    };
    let profiles = numbers::of(all.len() as u64, "profile", "profiles");
    let first = all.first().map(|late| clean::header(late.profile, 64)).unwrap_or_default();
    View {
        sentence: format!("{profiles} did not run when they were due."),
        steps: steps(all.first().and_then(|late| late.why), "Run one of them now:", &first),
        title: "Which",
        items: all.iter().take(named).map(item).collect(),
        more_items: more(all.len().saturating_sub(named), "postkeep status"),
        ..View::default()
    }
}

fn config(problems: &[String], kept: &[String], stopped: &[String], named: usize) -> View {
    let item = |problem: &String| {
        let mut lines = problem.lines().filter(|line| !line.trim().is_empty());
        let name = clean::line(lines.next().unwrap_or("a problem without words"), 300);
        let mut shown: Vec<String> = lines.by_ref().take(LINES).map(|line| clean::line(line, 200)).collect();
        let left = lines.count();
        if left > 0 {
            shown.push(format!("  and {}", numbers::of(left as u64, "more line", "more lines")));
        }
        Item { name, sentences: Vec::new(), lines: shown }
    };
    let sentence = match problems.len() as u64 {
        1 => "The configuration has a problem.".into(),
        n => format!("The configuration has {}.", numbers::of(n, "problem", "problems")),
    };
    let mut sentences = Vec::new();
    if !stopped.is_empty() {
        let verb = if stopped.len() == 1 { "does" } else { "do" };
        sentences.push(format!("{} {verb} not run until that is mended.", list(stopped)));
    }
    if !kept.is_empty() {
        let (verb, whose) = if kept.len() == 1 { ("goes", "its") } else { ("go", "their") };
        sentences.push(format!("{} {verb} on with {whose} last good version.", list(kept)));
    }
    View {
        sentence,
        more: sentences,
        steps: vec![step("See all of them, with what to do:", "postkeep config check".into())],
        title: "Problems",
        items: problems.iter().take(named).map(item).collect(),
        more_items: more(problems.len().saturating_sub(named), "postkeep config check"),
        ..View::default()
    }
}

fn steps(why: Option<&str>, run: &str, name: &str) -> Vec<Step> {
    // The words of `postkeep overdue`, which looks from outside.
    let agent = match why.is_some_and(|why| why.contains("no agent")) {
        true => step("Start the agent; its log says why it ended:", "postkeep agent install".into()),
        false => step("See whether the agent is at work:", "postkeep agent status".into()),
    };
    vec![
        step("See what runs and what waits:", "postkeep status".into()),
        agent,
        step(run, format!("postkeep run {name}")),
    ]
}

/// `Mon 23 Nov 2026 03:00 CET, 61 min ago`.
fn due(notice: &Notice<'_>, late: &Late<'_>) -> String {
    format!("{}, {}", when(late.due, notice.origin.zone), numbers::ago(notice.now.duration_since(late.due)))
}

fn why(late: &Late<'_>) -> Option<String> {
    let why = clean::line(late.why?.trim_end_matches('.'), 300);
    Some(format!("What is known: {why}."))
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Unchanged => "ok, nothing to do",
        status => status.word(),
    }
}

/// `a, b and c`; of many the first.
fn list(names: &[String]) -> String {
    let mut said: Vec<String> = names.iter().take(NAMES).map(|name| clean::header(name, 64)).collect();
    if names.len() > NAMES {
        said.push(format!("{} more", numbers::count((names.len() - NAMES) as u64)));
    }
    match said.pop() {
        Some(last) if !said.is_empty() => format!("{} and {last}", said.join(", ")),
        last => last.unwrap_or_default(),
    }
}

fn more(left: usize, command: &str) -> Option<String> {
    (left > 0).then(|| format!("and {} more: {command}", numbers::count(left as u64)))
}

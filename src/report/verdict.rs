//! The sentences: how it ended, and what to do.

use super::{Facts, clean, failures, numbers, when};
use crate::run::{Counts, Outcome, Paused, Status, Trigger};

/// How many steps are named.
const STEPS: usize = 8;

/// How a run ended, in words. Read one after the other they are a sentence: `FAILED after 6 min 12 s: 3 entries
/// of 12,481 were not synced.`
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Verdict {
    /// `OK`, `WARNING`, `FAILED` ...
    pub word: &'static str,
    /// `after 6 min 12 s`, or empty.
    pub after: String,
    /// The rest of the sentence, with its full stop.
    pub what: String,
    /// Sentences that belong to it.
    pub more: Vec<String>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Step {
    /// In words.
    pub text: String,
    /// To be typed.
    pub command: Option<String>,
}

/// The verdict on a run.
pub(super) fn verdict(facts: &Facts<'_>) -> Verdict {
    let outcome = &facts.run.outcome;
    let after = format!("after {}", numbers::duration(facts.run.duration()));
    let (word, after, what) = match outcome.status {
        Status::Ok => ("OK", after, done(facts, changed(&outcome.counts))),
        Status::Unchanged => ("OK", after, done(facts, nothing(&outcome.counts))),
        Status::Warning => {
            let look = numbers::of(outcome.warnings, "entry needs a look", "entries need a look");
            (
                "WARNING",
                after,
                if outcome.warnings == 0 { "done.".into() } else { format!("done, but {look}.") },
            )
        }
        Status::Paused => ("PAUSED", after, paused(facts)),
        Status::Failed => ("FAILED", after, failed(facts)),
        Status::Stopped => ("STOPPED", "before anything was written".into(), stopped(facts)),
        Status::Cancelled => ("CANCELLED", after, cancelled(&outcome.counts)),
        Status::Interrupted if outcome.error.is_some() => ("INTERRUPTED", after, failed(facts)),
        Status::Interrupted | Status::Running => {
            let started = when(facts.run.started, facts.origin.zone);
            let what = format!(
                "the run that started on {started} ended without a word: a power cut, a crash, or it was \
                 killed."
            );
            ("INTERRUPTED", String::new(), what)
        }
    };
    Verdict { word, after, what, more: more(facts) }
}

/// Whether the run could not say how it ended: then its end is when somebody looked.
pub(super) fn without_a_word(outcome: &Outcome) -> bool {
    matches!(outcome.status, Status::Interrupted | Status::Running) && outcome.error.is_none()
}

fn done(facts: &Facts<'_>, what: String) -> String {
    match facts.recovered_after {
        Some(0) => format!("it runs again after it was overdue; {what}"),
        Some(runs) => {
            format!("recovered after {}; {what}", numbers::of(runs.into(), "failed run", "failed runs"))
        }
        None => what,
    }
}

fn changed(counts: &Counts) -> String {
    if !counts.changed() {
        return nothing(counts);
    }
    let copied = match counts.copied_bytes {
        0 => String::new(),
        bytes => format!("; {} {}", numbers::size(bytes), counts.moved()),
    };
    format!("{}{copied}.", numbers::kinds(counts))
}

fn nothing(counts: &Counts) -> String {
    match counts.files {
        0 => "nothing to do.".into(),
        _ if counts.messages => {
            format!(
                "nothing came; {} in the archive.",
                numbers::of(counts.files, "message is", "messages are")
            )
        }
        1 => "nothing to do, the one file is up to date.".into(),
        files => format!("nothing to do, all {} files are up to date.", numbers::count(files)),
    }
}

fn failed(facts: &Facts<'_>) -> String {
    let outcome = &facts.run.outcome;
    match &outcome.error {
        Some(error) => {
            let mut text = clean::line(error.text.trim_end_matches('.'), 600);
            text.push('.');
            text
        }
        None if outcome.errors == 0 => "the log says more.".into(),
        None => {
            let entries = numbers::of(outcome.errors, "entry was", "entries were");
            format!("{entries} {}.", outcome.undone())
        }
    }
}

/// What stopped it, and when it is done: the two things that somebody who waits wants to know.
fn paused(facts: &Facts<'_>) -> String {
    let Some(paused) = &facts.run.outcome.paused else { return "it goes on later.".into() };
    let (reason, _) = because(paused);
    let mut text =
        format!("{}; it can go on from {}", clean::line(reason, 300), when(paused.until, facts.origin.zone));
    if let Some(done) = paused.done {
        let day = done.to_zoned(facts.origin.zone.clone()).strftime("%a %-d %b %Y").to_string();
        text.push_str(&format!(", and is done about {day}"));
    }
    text.push('.');
    text
}

/// What stopped it, and what else there is to say of that.
fn because(paused: &Paused) -> (&str, Option<&str>) {
    let reason = paused.reason.trim_end_matches('.');
    reason.split_once("; ").map_or((reason, None), |(first, rest)| (first, Some(rest)))
}

fn stopped(facts: &Facts<'_>) -> String {
    match &facts.run.outcome.stop {
        Some(stop) => format!("{}.", clean::line(stop.reason.trim_end_matches('.'), 400)),
        None => "the log says why.".into(),
    }
}

fn cancelled(counts: &Counts) -> String {
    if counts.changed() {
        return format!("stopped by hand; until then {}", changed(counts));
    }
    "stopped by hand before anything was changed.".into()
}

fn more(facts: &Facts<'_>) -> Vec<String> {
    let outcome = &facts.run.outcome;
    let mut more = Vec::new();
    match outcome.status {
        Status::Failed if outcome.error.is_some() && outcome.errors > 0 => {
            let entries = numbers::of(outcome.errors, "entry was", "entries were");
            more.push(format!("Besides, {entries} {}.", outcome.undone()));
        }
        Status::Interrupted | Status::Running => {
            let mut whole =
                "Nothing is half done under a final name: every file has its old or its new content."
                    .to_owned();
            if without_a_word(outcome) {
                whole
                    .push_str(&format!(" This was noticed on {}.", when(facts.run.ended, facts.origin.zone)));
            }
            more.push(whole);
        }
        Status::Paused => {
            let rest = outcome.paused.as_ref().and_then(|paused| because(paused).1);
            more.extend(rest.map(|rest| clean::line(rest, 300) + "."));
        }
        Status::Cancelled if outcome.counts.changed() => {
            more.push("What was done stays; no file is half written under its final name.".into());
        }
        _ => {}
    }
    if outcome.status == Status::Failed && outcome.warnings > 0 {
        let entries = numbers::of(outcome.warnings, "more entry needs", "more entries need");
        more.push(format!("{entries} a look."));
    }
    if let Some((since, runs)) = facts.failing_since.filter(|(_, runs)| *runs > 1) {
        more.push(format!(
            "It is the {} run in a row without success, since {}.",
            ordinal(runs),
            when(since, facts.origin.zone)
        ));
    }
    if outcome.status == Status::Warning
        && let Some(runs @ 1..) = facts.recovered_after
    {
        let failed = numbers::of(runs.into(), "run that", "runs that");
        more.push(format!("It is the first to come to its end after {failed} failed."));
    }
    more
}

fn ordinal(n: u32) -> String {
    let ending = match (n % 100, n % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{}{ending}", numbers::count(n.into()))
}

/// What to do, the most urgent first; empty when all is well.
pub(super) fn steps(facts: &Facts<'_>) -> Vec<Step> {
    let outcome = &facts.run.outcome;
    let profile = clean::header(&facts.run.profile, 64);
    let say = |text: &str| Step { text: clean::line(text, 300), command: None };
    let mut steps = Vec::new();
    if let Some(stop) = &outcome.stop {
        steps.push(say(&stop.hint));
        if let Some(token) = &stop.token {
            steps.push(Step {
                text: "If that is what you want, let exactly this plan run:".into(),
                command: Some(format!("postkeep run {profile} --approve {}", clean::header(token, 80))),
            });
        }
    }
    if let Some(error) = &outcome.error {
        steps.extend(error.hints.iter().map(|hint| say(hint)));
    }
    // One that could say why it was cut short said what comes next, too.
    if outcome.status == Status::Cancelled || without_a_word(outcome) {
        // What the agent started it starts again.
        let by_itself = outcome.status == Status::Interrupted && facts.run.trigger != Trigger::Manual;
        let text = match by_itself {
            true => "It runs again by itself when the agent is at work. To have it at once:",
            false => "Run it again; it goes on with what is missing:",
        };
        steps.push(Step { text: text.into(), command: Some(format!("postkeep run {profile}")) });
    }
    if let (Status::Paused, Some(paused)) = (outcome.status, &outcome.paused) {
        steps.push(go_on(facts, paused, &profile));
    }
    for (hint, entries) in failures::hints(outcome) {
        let entries = numbers::of(entries, "entry", "entries");
        steps.push(Step { text: format!("{} ({entries})", clean::line(hint, 300)), command: None });
    }
    if steps.len() > STEPS {
        let more = numbers::of((steps.len() - STEPS) as u64, "more hint", "more hints");
        steps.truncate(STEPS);
        steps.push(Step { text: format!("and {more}: postkeep log {}", facts.run.id), command: None });
    }
    steps
}

/// Who lets a paused run go on. What a person started there need be no agent for.
fn go_on(facts: &Facts<'_>, paused: &Paused, profile: &str) -> Step {
    if facts.run.trigger != Trigger::Manual {
        return Step {
            text: "Nothing: what was sent stays, and the agent goes on from there.".into(),
            command: None,
        };
    }
    let when = when(paused.until, facts.origin.zone);
    Step {
        text: format!(
            "Nothing, if the agent is at work: it goes on from there. Without an agent, from {when} on:"
        ),
        command: Some(format!("postkeep run {profile}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_archive_it_is_messages_that_are_counted() {
        let counts = Counts { files: 2, messages: true, ..Counts::default() };
        assert_eq!(changed(&counts), "nothing came; 2 messages are in the archive.");
        let counts = Counts { created: 1, copied_bytes: 900, ..counts };
        assert_eq!(changed(&counts), "1 new; 900 bytes fetched.");
    }

    #[test]
    fn ordinals() {
        for (n, shown) in
            [(2, "2nd"), (3, "3rd"), (11, "11th"), (12, "12th"), (21, "21st"), (1112, "1,112th")]
        {
            assert_eq!(ordinal(n), shown);
        }
    }
}

//! What text and HTML have in common: everything a report says, in order, every string already fit to be shown.

use super::bars::{self, Bars};
use super::failures::{self, Section};
use super::log::Extract;
use super::numbers::{self, Number};
use super::vaults;
use super::verdict::{self, Step, Verdict};
use super::{Facts, about, clean, when};
use crate::profile::Mode;
use crate::run::{Counts, Status, Trigger};

/// How many notes are shown.
const NOTES: usize = 10;

/// A report before it is text or HTML.
#[derive(Debug, serde::Serialize)]
pub(super) struct View {
    /// The letter's subject.
    pub subject: String,
    /// Which colours fit: `ok`, `calm`, `warn`, `bad`, `stop`, `cut`.
    pub tone: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// `documents on nas1`.
    pub about: String,
    /// Which job it was: label and value.
    pub job: Vec<(&'static str, String)>,
    /// What to do.
    pub steps: Vec<Step>,
    /// The five numbers; empty where nothing was looked at.
    pub numbers: Vec<Number>,
    /// What the numbers are compared with: `median of 10 runs`, `one earlier run`.
    pub compared: Option<String>,
    /// What else there is to know: label and value.
    pub state: Vec<(&'static str, String)>,
    /// What went wrong, by name.
    pub failures: Vec<Section>,
    /// How many failures nobody kept by name, in words.
    pub unnamed: Option<String>,
    /// What needs no action.
    pub notes: Vec<String>,
    /// The last lines of the log, where the run cannot tell itself how it ended.
    pub last_lines: Vec<String>,
    /// The last runs.
    pub bars: Bars,
    /// `nas1, postkeep 0.1.0, run 01J...`.
    pub origin: String,
    /// Shows the log.
    pub log_command: String,
    /// Shows this report.
    pub report_command: String,
}

impl View {
    /// The view of a report that names at most `named` entries of each kind of failure.
    pub fn new(facts: &Facts<'_>, log: &Extract, subject: &str, named: usize) -> Self {
        let (run, outcome) = (facts.run, &facts.run.outcome);
        let usual = numbers::usual(facts.history);
        let has_numbers = outcome.status.is_success() || outcome.counts != Counts::default();
        let compared = |usual: &numbers::Usual| match usual.runs {
            1 => "one earlier run".into(),
            runs => format!("median of {runs} runs"),
        };
        let unnamed = failures::unnamed(outcome);
        let unnamed_text =
            || format!("{} more, by name only in the log: postkeep log {}", numbers::count(unnamed), run.id);
        Self {
            subject: subject.to_owned(),
            tone: tone(outcome.status),
            verdict: verdict::verdict(facts),
            about: about(&run.profile, facts.origin.host),
            job: job(facts),
            steps: verdict::steps(facts),
            numbers: match has_numbers {
                true => numbers(facts, usual.as_ref()),
                false => Vec::new(),
            },
            compared: usual.as_ref().filter(|_| has_numbers).map(compared),
            state: state(facts),
            failures: failures::sections(outcome, named),
            unnamed: (unnamed > 0).then(unnamed_text),
            notes: notes(facts, log),
            last_lines: match verdict::without_a_word(outcome) {
                true => log.last_lines.clone(),
                false => Vec::new(),
            },
            bars: bars::bars(facts),
            origin: format!("{}, run {}", facts.origin.line(), run.id),
            log_command: format!("postkeep log {}", run.id),
            report_command: format!("postkeep report {}", run.id),
        }
    }
}

fn numbers(facts: &Facts<'_>, usual: Option<&numbers::Usual>) -> Vec<Number> {
    let outcome = &facts.run.outcome;
    let mut five = numbers::five(&outcome.counts, facts.run.duration(), usual);
    // What a pause cut short was read; what of it is kept, the vaults' lines tell.
    if outcome.status == Status::Paused {
        five.iter_mut()
            .filter(|number| number.label == "Copied")
            .for_each(|number| number.label = "Read so far");
    }
    five
}

fn tone(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Unchanged | Status::Cancelled => "calm",
        Status::Warning | Status::Paused => "warn",
        Status::Failed => "bad",
        Status::Stopped => "stop",
        Status::Interrupted | Status::Running => "cut",
    }
}

fn job(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let mode = |mode| match mode {
        Mode::Copy => "copy: nothing is deleted in the target",
        Mode::Mirror => "mirror: the target becomes equal to the source",
    };
    let mut job = vec![("From", clean::path(facts.source, 160)), ("To", clean::path(facts.target, 160))];
    job.extend(facts.mode.map(|known| ("Mode", mode(known).to_owned())));
    job.extend(cause(facts.run.trigger).map(|cause| ("Started by", cause.to_owned())));
    job.push(("Started", when(facts.run.started, facts.origin.zone)));
    // When an interrupted run ended nobody knows.
    if !verdict::without_a_word(&facts.run.outcome) {
        job.push(("Ended", when(facts.run.ended, facts.origin.zone)));
    }
    job
}

/// What made a run start, where it was not a person.
fn cause(trigger: Trigger) -> Option<&'static str> {
    match trigger {
        Trigger::Manual => None,
        Trigger::Schedule => Some("its schedule"),
        Trigger::CatchUp => Some("its schedule, late: nothing could run when it was due"),
        Trigger::Change => Some("a change in the source"),
        Trigger::NewMail => Some("new mail"),
        Trigger::Start => Some("the start of the agent"),
        Trigger::Retry => Some("the failure of the run before, which is tried again"),
        Trigger::Resume => Some("the pause of the run before, which is over"),
    }
}

fn state(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let outcome = &facts.run.outcome;
    let success = outcome.status.is_success();
    let last = match facts.last_success {
        Some(time) => {
            let earlier = numbers::earlier(facts.run.started.duration_since(time));
            format!("{} ({earlier})", when(time, facts.origin.zone))
        }
        None if success => "none, this is the first".into(),
        None => "none so far".into(),
    };
    let mut state = vec![(if success { "Success before this" } else { "Last success" }, last)];
    state.extend(facts.next.map(|next| ("Next run", when(next, facts.origin.zone))));
    state.extend(vaults::rows(outcome));
    if let Some(free) = outcome.free_bytes {
        state.push(("Free in the target", numbers::size_exact(free)));
    }
    if let Some(versions) = outcome.versions {
        let entries = |n| numbers::of(n, "entry", "entries");
        if versions.kept > 0 {
            let size = numbers::size_exact(versions.kept_bytes);
            state.push(("Old versions kept", format!("{}, {size}", entries(versions.kept))));
        }
        if versions.removed > 0 {
            let size = numbers::size_exact(versions.removed_bytes);
            state.push(("Old versions removed", format!("{}, {size}", entries(versions.removed))));
        }
        if versions.kept == 0 && versions.removed == 0 {
            state.push(("Old versions", "none kept, none removed".into()));
        }
    }
    state
}

fn notes(facts: &Facts<'_>, log: &Extract) -> Vec<String> {
    let all = &facts.run.outcome.notes;
    let mut notes: Vec<String> = all.iter().take(NOTES).map(|note| clean::line(note, 300)).collect();
    if all.len() > NOTES {
        let more = numbers::count((all.len() - NOTES) as u64);
        notes.push(format!("and {more} more notes: postkeep log {}", facts.run.id));
    }
    if log.left_out > 0 {
        let lines = numbers::of(log.left_out, "line", "lines");
        notes.push(format!(
            "The attached log has its beginning and its end; {lines} between them are left out. All of it: \
             postkeep log {}",
            facts.run.id
        ));
    }
    notes.extend(log.problem.as_ref().map(|problem| clean::line(problem, 300)));
    notes
}

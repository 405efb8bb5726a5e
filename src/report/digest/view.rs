//! What text and HTML of a digest have in common, every string already fit to be shown.

use super::class::{self, Class};
use super::days::{self, Days, Mark};
use super::look::{self, Look};
use super::row::{self, Row};
use super::{Digest, verdict};
use crate::report::{PastRun, numbers, when};

/// How many profiles that need a look are told of at length.
const LOOKS: usize = 20;
/// How many notes are shown.
const NOTES: usize = 8;

/// A digest before it is text or HTML.
#[derive(Debug, serde::Serialize)]
pub(super) struct View {
    /// The letter's subject.
    pub subject: String,
    /// Which colours fit.
    pub tone: &'static str,
    /// The worst that there is, in a word.
    pub word: String,
    /// `backup digest of nas1`.
    pub about: String,
    /// What is paused.
    pub paused: Option<String>,
    /// How things are, in one sentence.
    pub sentence: String,
    /// How many there are of each class, if the sentence does not say it.
    pub tally: Option<String>,
    /// What needs a look.
    pub looks: Vec<Look>,
    /// How many more need one.
    pub more_looks: Option<String>,
    /// What else should be known.
    pub notes: Vec<String>,
    /// All profiles, as far as there is room.
    pub rows: Vec<Row>,
    /// Which are left out.
    pub more_rows: Option<String>,
    /// The first and the last of the days.
    pub span: (String, String),
    /// What the letters of days mean: letter, meaning, colour.
    pub legend: Vec<(char, &'static str, Option<&'static str>)>,
    /// About all together: label and value.
    pub state: Vec<(&'static str, String)>,
    /// `nas1, postkeep 0.1.0, digest 01J...`.
    pub origin: String,
}

impl View {
    /// The view of a digest that names at most `named` profiles.
    pub fn new(digest: &Digest<'_>, subject: &str, named: usize) -> Self {
        let all = digest.by_urgency();
        let (shown, left) = all.split_at(named.min(all.len()));
        let look: Vec<_> = all.iter().filter(|standing| Class::of(standing).needs_a_look()).collect();
        let told = look.len().min(LOOKS).min(named);
        let most = all.iter().map(|standing| row::copied(standing.runs)).max().unwrap_or(0);
        let days = Days::of(digest);
        let rows: Vec<Row> = shown.iter().map(|one| Row::new(digest, &days, one, most)).collect();
        let occurs = |mark: &Mark| {
            let (glyph, ..) = mark.letter();
            rows.iter().any(|row| row.days.iter().any(|day| day.glyph == glyph))
        };
        let worst = verdict::worst(digest);
        Self {
            subject: subject.to_owned(),
            tone: worst.tone(),
            word: worst.word().replace('-', " ").to_uppercase(),
            about: digest.about(),
            paused: verdict::paused(digest),
            sentence: verdict::sentence(digest),
            tally: verdict::tally(digest),
            looks: look[..told].iter().map(|standing| Look::new(digest, standing)).collect(),
            more_looks: more((look.len() - told) as u64, "needs a look", "need a look"),
            notes: notes(digest, named),
            legend: Mark::ALL.into_iter().filter(occurs).map(Mark::letter).collect(),
            rows,
            more_rows: left_out(left),
            span: (days::name(days.first), days::name(days.last)),
            state: state(digest),
            origin: format!("{}, digest {}", digest.origin.line(), digest.id),
        }
    }
}

fn more(n: u64, one: &str, many: &str) -> Option<String> {
    let verb = if n == 1 { one } else { many };
    (n > 0).then(|| format!("and {} more {verb}: postkeep status", numbers::count(n)))
}

/// Which profiles are not named: `and 940 more profiles, all OK`.
fn left_out(left: &[&super::Standing<'_>]) -> Option<String> {
    let profiles = numbers::of(left.len() as u64, "more profile", "more profiles");
    let fine = left.iter().all(|standing| Class::of(standing) == Class::Ok);
    match (left.len(), fine) {
        (0, _) => None,
        (1, true) => Some(format!("and {profiles}, OK")),
        (_, true) => Some(format!("and {profiles}, all OK")),
        (_, false) => Some(format!("and {profiles}: {}", class::tally(left.iter().copied()))),
    }
}

fn notes(digest: &Digest<'_>, named: usize) -> Vec<String> {
    let mut notes = look::notes(digest);
    let shown = NOTES.min(named);
    if notes.len() > shown {
        let more = numbers::count((notes.len() - shown) as u64);
        notes.truncate(shown);
        notes.push(format!("and {more} more that were skipped or never ran: postkeep status"));
    }
    notes
}

fn state(digest: &Digest<'_>) -> Vec<(&'static str, String)> {
    let now = when(digest.now, digest.origin.zone);
    let since = match digest.since {
        Some(since) => format!("{} to {now}", when(since, digest.origin.zone)),
        None => format!("up to {now}; this is the first digest"),
    };
    let sum = |of: fn(&[PastRun]) -> u64| {
        digest.profiles.iter().fold(0_u64, |sum, standing| sum.saturating_add(of(standing.runs)))
    };
    let mut state = vec![
        ("Time", since),
        ("Runs", numbers::count(sum(|runs| runs.len() as u64))),
        ("Changed", numbers::of(sum(row::changed), "entry", "entries")),
        ("Copied", numbers::size_exact(sum(row::copied))),
    ];
    if digest.letters_waiting > 0 {
        let letters = numbers::of(digest.letters_waiting, "letter waits", "letters wait");
        state.push(("Outbox", format!("{letters} to be delivered: postkeep outbox")));
    }
    state.extend(digest.next.map(|next| ("Next digest", when(next, digest.origin.zone))));
    state
}

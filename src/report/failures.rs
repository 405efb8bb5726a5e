//! Failures for people: the new ones first, equal causes together, a page of them and not ten thousand.

use std::collections::HashMap;

use super::{clean, numbers};
use crate::run::{Failure, Outcome, Severity};

/// How many entries of a section are named.
pub(super) const SHOWN: usize = 20;

/// Failures under one title.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Section {
    /// `Problems, new: 3`.
    pub title: String,
    /// By cause.
    pub groups: Vec<Group>,
    /// How many entries of the section are not named.
    pub more: u64,
    /// The same in words.
    pub more_text: String,
}

/// Entries with the same cause.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Group {
    /// What happened.
    pub cause: String,
    /// Whether it is a warning.
    pub warning: bool,
    /// How many entries it happened to.
    pub count: String,
    /// Some of them, or all.
    pub paths: Vec<String>,
}

/// The sections of a run, each naming at most `shown` entries: what is new, then what the last run had too.
pub(super) fn sections(outcome: &Outcome, shown: usize) -> Vec<Section> {
    let (known, new): (Vec<&Failure>, Vec<&Failure>) = outcome.failures.iter().partition(|f| f.known);
    let new_title = if known.is_empty() { "Problems" } else { "Problems, new" };
    [(new_title, new), ("Problems, as in the last run", known)]
        .into_iter()
        .filter(|(_, failures)| !failures.is_empty())
        .map(|(title, failures)| section(title, &failures, shown))
        .collect()
}

fn section(title: &str, failures: &[&Failure], shown: usize) -> Section {
    let causes = by_cause(failures);
    let mut left = shown.saturating_sub(causes.len().min(shown));
    let groups: Vec<Group> = causes
        .iter()
        .take(shown)
        .map(|(first, members)| {
            let further = left.min(members.len() - 1);
            left -= further;
            Group {
                cause: clean::line(&first.cause, 200),
                warning: first.severity == Severity::Warning,
                count: numbers::count(members.len() as u64),
                paths: members[..=further].iter().map(|failure| place(failure)).collect(),
            }
        })
        .collect();
    let named: usize = groups.iter().map(|group| group.paths.len()).sum();
    let more = (failures.len() - named) as u64;
    Section {
        title: format!("{title}: {}", numbers::count(failures.len() as u64)),
        groups,
        more,
        more_text: numbers::count(more),
    }
}

/// Failures of one cause and weight together, errors before warnings, otherwise in the order of their first.
fn by_cause<'a>(failures: &[&'a Failure]) -> Vec<(&'a Failure, Vec<&'a Failure>)> {
    let mut at: HashMap<(Severity, &str), usize> = HashMap::new();
    let mut groups: Vec<(&Failure, Vec<&Failure>)> = Vec::new();
    for failure in failures {
        let index = *at.entry((failure.severity, &failure.cause)).or_insert(groups.len());
        if index == groups.len() {
            groups.push((failure, Vec::new()));
        }
        groups[index].1.push(failure);
    }
    groups.sort_by_key(|(first, _)| std::cmp::Reverse(first.severity));
    groups
}

fn place(failure: &Failure) -> String {
    if failure.path.is_empty() { "the folder itself".into() } else { clean::path(&failure.path, 120) }
}

/// What the failures' hints ask for, each once, in the order of the failures: new before known, errors before
/// warnings. Each comes with the number of entries that it is about.
pub(super) fn hints(outcome: &Outcome) -> Vec<(&str, u64)> {
    let mut failures: Vec<&Failure> = outcome.failures.iter().filter(|f| f.hint.is_some()).collect();
    failures.sort_by_key(|f| (f.known, std::cmp::Reverse(f.severity)));
    let mut at: HashMap<&str, usize> = HashMap::new();
    let mut hints: Vec<(&str, u64)> = Vec::new();
    for hint in failures.iter().filter_map(|f| f.hint.as_deref()) {
        let index = *at.entry(hint).or_insert(hints.len());
        if index == hints.len() {
            hints.push((hint, 0));
        }
        hints[index].1 += 1;
    }
    hints
}

/// How many failures the run counted but did not keep by name.
pub(super) fn unnamed(outcome: &Outcome) -> u64 {
    outcome.errors.saturating_add(outcome.warnings).saturating_sub(outcome.failures.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Status;

    fn failure(path: &str, cause: &str, known: bool) -> Failure {
        let hint = cause.starts_with("denied").then(|| "ask".to_owned());
        Failure { severity: Severity::Error, path: path.into(), cause: cause.into(), hint, known }
    }

    fn outcome(failures: Vec<Failure>) -> Outcome {
        Outcome { errors: failures.len() as u64, failures, ..Outcome::new(Status::Failed) }
    }

    #[test]
    fn a_common_cause_does_not_hide_a_rare_one() {
        let mut failures: Vec<Failure> =
            (0..30).map(|n| failure(&format!("d/{n}"), "denied", false)).collect();
        failures.push(failure("x", "disk", false));
        let sections = sections(&outcome(failures), SHOWN);
        let shape: Vec<(&str, &str, usize)> =
            sections[0].groups.iter().map(|g| (&*g.cause, &*g.count, g.paths.len())).collect();
        assert_eq!(shape, [("denied", "30", 19), ("disk", "1", 1)]);
        assert_eq!((sections.len(), &*sections[0].title, sections[0].more), (1, "Problems: 31", 11));
    }

    #[test]
    fn new_comes_before_known() {
        let all = outcome(vec![failure("", "denied a", true), failure("b", "denied b", false)]);
        let sections = sections(&all, SHOWN);
        assert_eq!(sections[0].title, "Problems, new: 1");
        assert_eq!(sections[1].title, "Problems, as in the last run: 1");
        assert_eq!(sections[1].groups[0].paths, ["the folder itself"]);
        assert_eq!(hints(&all), [("ask", 2)]);
        assert_eq!(super::sections(&all, 0)[0].more, 1);
    }
}

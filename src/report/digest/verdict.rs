//! The sentences about all profiles together.

use super::class::{self, Class};
use super::{Digest, Pause};
use crate::report::{clean, numbers, when};

/// How many paused profiles are named.
const PAUSED: usize = 3;

/// The subject: `[3 OK, 1 warning, 1 failed] backup digest of nas1`.
pub(super) fn subject(digest: &Digest<'_>) -> String {
    let mut said = match digest.profiles.is_empty() {
        true => "no profiles".into(),
        false => class::tally(digest.profiles.iter()),
    };
    if digest.paused.is_some() {
        said.push_str(", all paused");
    }
    clean::header(&format!("[{said}] {}", digest.about()), 250)
}

/// The class of the profile that needs a look most.
pub(super) fn worst(digest: &Digest<'_>) -> Class {
    let classes = digest.profiles.iter().map(Class::of).chain(digest.paused.map(|_| Class::Paused));
    classes.min_by_key(|class| class.urgency()).unwrap_or(Class::Ok)
}

/// How things are, in one sentence.
pub(super) fn sentence(digest: &Digest<'_>) -> String {
    let all = digest.profiles.len() as u64;
    let look = digest.profiles.iter().filter(|standing| Class::of(standing).needs_a_look()).count() as u64;
    let fine = fine(digest);
    if digest.paused.is_some() && all > 0 {
        let needs = if look == 1 { "needs" } else { "need" };
        return match look {
            0 => "No profile runs. None needs a look besides.".into(),
            look => format!(
                "No profile runs, and {} of {} {needs} a look.",
                numbers::count(look),
                numbers::count(all)
            ),
        };
    }
    match (all, look) {
        (0, _) => "There are no profiles.".into(),
        (1, 0) if fine => "The one profile is well.".into(),
        (_, 0) if fine => format!("All {} profiles are well.", numbers::count(all)),
        (_, 0) => format!("Nothing needs a look: {}.", class::tally(digest.profiles.iter())),
        (1, _) => "The one profile needs a look.".into(),
        (_, look) if look == all => format!("All {} profiles need a look.", numbers::count(all)),
        (_, look) => format!(
            "{} of {} profiles {} a look.",
            numbers::count(look),
            numbers::count(all),
            if look == 1 { "needs" } else { "need" }
        ),
    }
}

/// How many there are of each class, where the sentence leaves that open.
pub(super) fn tally(digest: &Digest<'_>) -> Option<String> {
    let said = sentence(digest);
    let tally = class::tally(digest.profiles.iter());
    (!fine(digest) && !said.contains(&tally)).then_some(tally)
}

fn fine(digest: &Digest<'_>) -> bool {
    digest.profiles.iter().all(|standing| Class::of(standing) == Class::Ok)
}

/// What does not run because somebody said so: people forget it.
pub(super) fn paused(digest: &Digest<'_>) -> Option<String> {
    if let Some(pause) = &digest.paused {
        return Some(format!("PAUSED: all profiles, {}.", spell(digest, pause)));
    }
    let paused: Vec<String> = digest
        .profiles
        .iter()
        .filter_map(|one| Some((one.profile, one.paused?)))
        .map(|(name, pause)| format!("{}, {}", clean::header(name, 64), spell(digest, &pause)))
        .collect();
    let named = paused.iter().take(PAUSED).map(String::as_str).collect::<Vec<_>>().join("; ");
    match paused.len() {
        0 => None,
        n if n > PAUSED => {
            Some(format!("PAUSED: {named}; and {} more.", numbers::count((n - PAUSED) as u64)))
        }
        _ => Some(format!("PAUSED: {named}.")),
    }
}

fn spell(digest: &Digest<'_>, pause: &Pause) -> String {
    let since = when(pause.since, digest.origin.zone);
    match pause.until {
        Some(until) => format!("since {since}, until {}", when(until, digest.origin.zone)),
        None => format!("since {since}, without an end"),
    }
}

//! The digest for programs: as the report of a run, with `kind` = `digest`.

use serde_json::{Map, Value, json};

use super::class::Class;
use super::days::Days;
use super::{Digest, Pause, Standing, row, verdict};
use crate::report::json::{MOST, fill};
use crate::report::{clean, numbers};

/// The digest as a value. The profiles that need a look come first: they are never left out for those that do not.
pub(super) fn json(digest: &Digest<'_>) -> Value {
    let days = Days::of(digest);
    let all = digest.by_urgency();
    let tally: Map<String, Value> = Class::ALL
        .into_iter()
        .map(|class| (class, all.iter().filter(|standing| Class::of(standing) == class).count()))
        .map(|(class, count)| (class.word().to_owned(), count.into()))
        .collect();
    let mut value = json!({
        "schema": 1,
        "kind": "digest",
        "id": digest.id,
        "host": clean::line(digest.origin.host, 200),
        "install": clean::line(digest.origin.install_id, 200),
        "version": clean::line(digest.origin.version, 200),
        "written": digest.now.to_string(),
        "since": digest.since.map(|time| time.to_string()),
        "next": digest.next.map(|time| time.to_string()),
        "status": verdict::worst(digest).word(),
        "paused": digest.paused.map(pause),
        "letters-waiting": digest.letters_waiting,
        "tally": tally,
        "first-day": days.first.to_string(),
        "last-day": days.last.to_string(),
        "profiles": [],
        "profiles-omitted": 0,
    });
    let mut profiles = all.iter().map(|standing| profile(&days, standing));
    fill(&mut value, "profiles", &mut profiles, all.len() as u64, MOST);
    value
}

fn profile(days: &Days<'_>, standing: &Standing<'_>) -> Value {
    let letters: String = days.marks(standing).into_iter().map(|mark| mark.letter().0).collect();
    json!({
        "profile": clean::line(standing.profile, 200),
        "target": clean::path(standing.target, 500),
        "state": Class::of(standing).word(),
        "broken": standing.broken,
        "overdue": standing.overdue.map(|time| time.to_string()),
        "paused": standing.paused.map(pause),
        "skipped": standing.skipped.map(|skipped| json!({
            "since": skipped.since.to_string(),
            "times": skipped.times,
            "reason": clean::line(skipped.reason, 300),
        })),
        "last": standing.last.as_ref().map(|run| json!({
            "run": run.id,
            "started": run.started.to_string(),
            "duration-ms": numbers::millis(run.duration),
            "status": run.status,
        })),
        "last-error": standing.last_error.map(|text| clean::line(text, 500)),
        "last-success": standing.last_success.map(|time| time.to_string()),
        "next": standing.next.map(|time| time.to_string()),
        "on-change": standing.on_change,
        "failing-since": standing.failing_since.map(|(since, runs)| json!({
            "started": since.to_string(),
            "runs": runs,
        })),
        "runs": runs(standing),
        "changed": row::changed(standing.runs),
        "copied-bytes": row::copied(standing.runs),
        "free-bytes": standing.free_bytes,
        "days": letters,
    })
}

/// How many runs ended in each way that occurs.
fn runs(standing: &Standing<'_>) -> Map<String, Value> {
    let mut counts = std::collections::BTreeMap::new();
    for run in standing.runs {
        *counts.entry(run.status.word()).or_insert(0_u64) += 1;
    }
    counts.into_iter().map(|(word, count)| (word.to_owned(), count.into())).collect()
}

fn pause(pause: Pause) -> Value {
    json!({ "since": pause.since.to_string(), "until": pause.until.map(|time| time.to_string()) })
}

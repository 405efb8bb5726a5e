//! The report for programs: `report.json`, under 64 KiB. Times are UTC (RFC 3339), durations milliseconds, sizes
//! bytes. Keys are only ever added; a change of meaning raises `schema`.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Facts, clean, numbers};
use crate::profile::{Level, Mode};
use crate::run::{Failure, Kept};

/// The most bytes of a printed report.
pub(super) const MOST: usize = 64 << 10;
/// What everything but the failures may take; notes are left out above it.
const MOST_BEFORE_FAILURES: usize = 48 << 10;

/// The report as a value.
pub(super) fn json(facts: &Facts<'_>, level: Level) -> Value {
    let (run, outcome) = (facts.run, &facts.run.outcome);
    let usual = numbers::usual(facts.history).map(|usual| {
        json!({
            "runs": usual.runs,
            "files": usual.files,
            "changed": usual.changed,
            "copied-bytes": usual.copied_bytes,
            "duration-ms": usual.duration_ms,
            "bytes-per-second": usual.bytes_per_second,
        })
    });
    let cut = |text: &str| clean::line(text, 500);
    let mut report = json!({
        "schema": 1,
        "kind": "report",
        "run": run.id,
        "profile": clean::line(&run.profile, 200),
        "host": clean::line(facts.origin.host, 200),
        "install": clean::line(facts.origin.install_id, 200),
        "version": clean::line(facts.origin.version, 200),
        "trigger": run.trigger,
        "mode": facts.mode.map(Mode::word),
        "source": clean::path(facts.source, 2_000),
        "target": clean::path(facts.target, 2_000),
        "started": run.started.to_string(),
        "ended": run.ended.to_string(),
        "duration-ms": numbers::millis(run.duration()),
        "status": outcome.status,
        "level": level,
        "counts": outcome.counts,
        "usual": usual,
        "errors": outcome.errors,
        "warnings": outcome.warnings,
        "error": outcome.error.as_ref().map(|error| json!({
            "text": cut(&error.text),
            "hints": error.hints.iter().take(8).map(|hint| cut(hint)).collect::<Vec<_>>(),
        })),
        "stop": outcome.stop.as_ref().map(|stop| json!({
            "reason": cut(&stop.reason),
            "hint": cut(&stop.hint),
            "token": stop.token.as_deref().map(cut),
        })),
        "free-bytes": outcome.free_bytes,
        "versions": outcome.versions,
        "vaults": outcome.vaults.iter().take(64).map(|kept| Kept {
            vault: cut(&kept.vault),
            error: kept.error.as_deref().map(cut),
            ..kept.clone()
        }).collect::<Vec<_>>(),
        "paused": outcome.paused.as_ref().map(|paused| json!({
            "reason": cut(&paused.reason),
            "until": paused.until.to_string(),
            "done": paused.done.map(|done| done.to_string()),
        })),
        "last-success": facts.last_success.map(|time| time.to_string()),
        "failing-since": facts.failing_since.map(|(since, runs)| json!({
            "started": since.to_string(),
            "runs": runs,
        })),
        "recovered-after": facts.recovered_after,
        "still": facts.still,
        "next": facts.next.map(|time| time.to_string()),
        "notes": [],
        "notes-omitted": 0,
        "failures": [],
        "failures-omitted": 0,
    });
    let notes: Vec<String> = outcome.notes.iter().map(|note| cut(note)).collect();
    let total = outcome.notes.len() as u64;
    fill(&mut report, "notes", &mut notes.iter(), total, MOST_BEFORE_FAILURES);
    let (known, new): (Vec<&Failure>, Vec<&Failure>) = outcome.failures.iter().partition(|f| f.known);
    let total = outcome.errors.saturating_add(outcome.warnings).max(outcome.failures.len() as u64);
    fill(&mut report, "failures", &mut new.into_iter().chain(known), total, MOST);
    report
}

/// As it is attached: for programs first, but a person can read it.
pub(super) fn print(report: &Value) -> String {
    let mut text = format!("{report:#}");
    text.push('\n');
    text
}

/// Puts values into the list `key` as long as the printed report stays below `most`, and the number of the others
/// out of `total` into `KEY-omitted`.
pub(super) fn fill<T: Serialize>(
    report: &mut Value,
    key: &str,
    values: &mut dyn Iterator<Item = T>,
    total: u64,
    most: usize,
) {
    // Room for the digits of the count, for brackets and commas.
    let mut left = most.saturating_sub(print(report).len() + 64);
    let mut list = Vec::new();
    for value in values {
        let value = serde_json::to_value(value).unwrap_or_default();
        let printed = format!("{value:#}");
        // In the report every line is four columns further right.
        let takes = printed.len() + 4 * printed.lines().count() + 2;
        if takes > left {
            break;
        }
        left -= takes;
        list.push(value);
    }
    report[format!("{key}-omitted")] = total.saturating_sub(list.len() as u64).into();
    report[key] = list.into();
}

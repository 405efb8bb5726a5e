//! A notice for programs: as the report of a run, with its own `kind`.

use serde_json::{Value, json};

use super::{Late, Notice, What};
use crate::report::json::{MOST, fill};
use crate::report::{clean, numbers};

/// The notice as a value.
pub(super) fn json(notice: &Notice<'_>) -> Value {
    let mut value = json!({
        "schema": 1,
        "kind": notice.kind(),
        "id": notice.id,
        "host": clean::line(notice.origin.host, 200),
        "install": clean::line(notice.origin.install_id, 200),
        "version": clean::line(notice.origin.version, 200),
        "written": notice.now.to_string(),
    });
    match notice.what {
        What::Overdue(all) => {
            let mut late = all.iter().map(|late| profile(notice, late));
            fill(&mut value, "profiles", &mut late, all.len() as u64, MOST);
        }
        What::Config { problems, kept, stopped } => {
            let name = |name: &String| clean::line(name, 200);
            fill(&mut value, "stopped", &mut stopped.iter().map(name), stopped.len() as u64, MOST / 4);
            fill(&mut value, "kept", &mut kept.iter().map(name), kept.len() as u64, MOST / 2);
            let lines = |problem: &String| {
                problem.lines().take(30).map(|line| clean::line(line, 500)).collect::<Vec<_>>().join("\n")
            };
            fill(&mut value, "problems", &mut problems.iter().map(lines), problems.len() as u64, MOST);
        }
        What::Stuck { profile, run, started } => {
            value["profile"] = clean::line(profile, 200).into();
            value["run"] = run.to_string().into();
            value["started"] = started.to_string().into();
            value["runs-for-ms"] = numbers::millis(notice.now.duration_since(started)).into();
        }
    }
    value
}

fn profile(notice: &Notice<'_>, late: &Late<'_>) -> Value {
    json!({
        "profile": clean::line(late.profile, 200),
        "due": late.due.to_string(),
        "late-ms": numbers::millis(notice.now.duration_since(late.due)),
        "last-run": late.last_run.map(|(ended, status)| json!({ "ended": ended.to_string(), "status": status })),
        "last-success": late.last_success.map(|time| time.to_string()),
        "no-success-for-ms": late.after.map(numbers::millis),
        "why": late.why.map(|why| clean::line(why, 500)),
        "told": late.told,
        "next": late.next.map(|time| time.to_string()),
    })
}

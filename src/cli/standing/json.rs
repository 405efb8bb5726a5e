//! How everything stands, for programs.

use serde_json::{Value, json};

use super::{Post, Standing, Standings};
use crate::scheduler::{Pause, Skipped};
use crate::state::{Health, RunRow};

impl Standings {
    /// What `postkeep status --json` prints.
    pub fn json(&self) -> Value {
        let Post { queued, refused, unwell, .. } = &self.post;
        json!({
            "profiles": self.profiles.iter().map(standing).collect::<Vec<_>>(),
            "paused": self.paused.map(pause),
            "next-digest": self.next_digest,
            "agent": self.agent.as_ref().map(|agent| json!({
                "pid": agent.pid,
                "version": agent.version,
                "started": agent.started,
                "awake": agent.awake,
                "problems": agent.problems,
            })),
            "reports-waiting": queued,
            "reports-refused": refused,
            "accounts": unwell.iter().map(account).collect::<Vec<_>>(),
        })
    }
}

fn standing(standing: &Standing) -> Value {
    let view = standing.view.as_ref();
    json!({
        "profile": standing.profile,
        "status": standing.status(),
        "acknowledged": standing.acknowledged,
        "broken": standing.broken,
        "kept": standing.kept,
        "last-run": standing.last.as_ref().map(run),
        "last-success": standing.success.as_ref().map(|row| row.ended),
        "next": standing.next(),
        "on-change": standing.runs.changes,
        "on-start": standing.runs.start,
        "overdue": standing.overdue(),
        "paused": view.and_then(|view| view.paused).map(pause),
        "skipped": view.and_then(|view| view.skipped.as_ref()).map(skipped),
        "waits": standing.waits,
        "at-work": standing.at_work,
        "progress": standing.progress,
        "polled": standing.polled,
    })
}

fn pause(pause: Pause) -> Value {
    json!({ "since": pause.since, "until": pause.until })
}

fn skipped(skipped: &Skipped) -> Value {
    json!({ "since": skipped.since, "reason": skipped.reason })
}

fn account(health: &Health) -> Value {
    json!({
        "name": health.name,
        "down-since": health.down_since,
        "login-refused": health.refused_secret.is_some(),
        "reason": health.reason,
    })
}

/// A run without its failures by name, which [`History::find`](crate::state::History::find) gives.
pub fn run(row: &RunRow) -> Value {
    json!({
        "id": row.id,
        "profile": row.profile,
        "trigger": row.trigger,
        "started": row.started,
        "ended": row.ended,
        "status": row.status,
        "outcome": row.outcome,
    })
}

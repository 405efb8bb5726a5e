//! What became of letters, in words: the same after a run, a flush and a second sending.

use std::process::ExitCode;

use serde_json::json;

use super::{Context, out, table};
use crate::agent::Delivery;

/// Tells what became of letters, and keeps the exit code that this comes to.
#[derive(Default)]
pub(super) struct Deliveries {
    /// As JSON, in the order in which it happened.
    pub json: Vec<serde_json::Value>,
    /// Whether a letter waits or was refused.
    pub incomplete: bool,
}

impl Deliveries {
    pub(super) fn tell(&mut self, deliveries: &[Delivery], ctx: &Context) {
        for delivery in deliveries {
            let waits = !matches!(
                delivery,
                Delivery::Filed { .. } | Delivery::Sent { .. } | Delivery::Appended { to: Some(_), .. }
            );
            self.incomplete |= waits;
            if ctx.json {
                self.json.push(as_json(delivery));
            } else if waits {
                out::warn(&in_words(delivery));
            } else if !ctx.quiet {
                out::say(&in_words(delivery));
            }
        }
    }

    /// 0 when everything is with its readers, else 3.
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(if self.incomplete { 3 } else { 0 })
    }
}

fn in_words(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Filed { path, .. } => format!("report: {}", path.display()),
        Delivery::Sent { account, to, .. } => format!("report: sent to {} by {account}", to.join(", ")),
        Delivery::Waits { id, reason } => {
            format!("the report {} could not be delivered yet: {reason}", table::short(*id))
        }
        Delivery::Refused { id, to, reason } => {
            format!("the report {} was refused for {}: {reason}", table::short(*id), to.join(", "))
        }
        Delivery::Told { id, host } => {
            format!("the report {} waits for its account; the webhook at {host} was told", table::short(*id))
        }
        Delivery::Appended { account, to: Some(to), .. } => {
            format!("report: in the mailbox of {to}, by imap-append to {account}")
        }
        Delivery::Appended { id, account, to: None } => format!(
            "the report {} waits for its account; a copy is in the mailbox of {account}",
            table::short(*id)
        ),
    }
}

fn as_json(delivery: &Delivery) -> serde_json::Value {
    match delivery {
        Delivery::Filed { id, path } => json!({ "report": id, "file": path }),
        Delivery::Sent { id, account, to } => json!({ "report": id, "account": account, "sent": to }),
        Delivery::Waits { id, reason } => json!({ "report": id, "waits": reason }),
        Delivery::Refused { id, to, reason } => json!({ "report": id, "refused": to, "reason": reason }),
        Delivery::Told { id, host } => json!({ "report": id, "waits": "told by webhook", "webhook": host }),
        Delivery::Appended { id, account, to: Some(to) } => {
            json!({ "report": id, "account": account, "appended": to })
        }
        Delivery::Appended { id, account, to: None } => {
            json!({ "report": id, "waits": "told by imap-append", "account": account })
        }
    }
}

//! The room of a mailbox (RFC 9208), and what else limits it.

use imap::types::QuotaResourceName;

use super::Session;
use super::failed::Failed;
use crate::figures::size;
use crate::mail::probe::Step;

/// The room of a mailbox, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Used, by whatever.
    pub used: u64,
    /// In all.
    pub limit: u64,
}

impl Session {
    /// The room for a folder's messages: that of the quota with the least left. None: the server does not say.
    ///
    /// # Errors
    /// The server refuses, or the connection broke.
    pub fn quota(&mut self, folder: &str) -> Result<Option<Quota>, Failed> {
        if !self.offers.has("QUOTA") {
            return Ok(None);
        }
        let name = self.name(folder)?;
        let response = self.slow(|session| session.get_quota_root(&name))?;
        let storage = response.quotas().iter().flat_map(|quota| &quota.resources).filter_map(|resource| {
            // RFC 9208, 5.1: in units of 1024 bytes.
            let bytes = |units: u64| units.saturating_mul(1024);
            (resource.name == QuotaResourceName::Storage)
                .then(|| Quota { used: bytes(resource.usage), limit: bytes(resource.limit) })
        });
        Ok(storage.min_by_key(|quota| quota.limit.saturating_sub(quota.used)))
    }
}

/// What makes a mailbox quick or safe to work with, most telling first.
const TELLING: [&str; 10] = [
    "UIDPLUS",
    "MULTIAPPEND",
    "LITERAL+",
    "LITERAL-",
    "QUOTA",
    "MOVE",
    "CONDSTORE",
    "QRESYNC",
    "IDLE",
    "IMAP4REV2",
];

/// What a server can do, for a person.
pub(super) fn abilities(session: &Session) -> Step {
    let offers = session.offers();
    let mut said: Vec<&str> = TELLING.into_iter().filter(|name| offers.has(name)).collect();
    if !session.can_expunge() {
        said.push("no UIDPLUS: what a vault forgets stays in the mailbox");
    }
    Step::ok("offers", said.join(", "))
}

/// What a server takes, for a person.
pub(super) fn limits(session: &mut Session) -> Step {
    let message = match session.offers().append_limit() {
        Some(limit) => format!("messages up to {}", size(limit)),
        None => "says nothing about the size of messages".into(),
    };
    let room = match session.quota("INBOX") {
        Ok(Some(quota)) => format!(", {} of {} used", size(quota.used), size(quota.limit)),
        _ => String::new(),
    };
    Step::ok("limits", format!("{message}{room}"))
}

//! The room of a mailbox (RFC 9208), and what else limits it.

use super::Session;
use super::engine::Listen;
use super::failed::Failed;
use super::folders::quote;
use super::lexer::{Lex, Lexer};
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
        let command = format!("GETQUOTAROOT {}", quote(&name));
        let mut tightest = Tightest(None);
        self.work(|engine| engine.run(&command, &mut tightest))?.yes()?;
        Ok(tightest.0)
    }
}

/// Hears `* QUOTA root (STORAGE 10 512 MESSAGE 3 4)`; which roots there are does not matter. What cannot be read says
/// nothing.
struct Tightest(Option<Quota>);

impl Listen for Tightest {
    fn hear(&mut self, number: Option<u32>, word: &str, line: &mut Lexer<'_>) -> Result<(), Lex> {
        if number.is_some() || word != "QUOTA" {
            return Ok(());
        }
        line.string()?;
        line.spaces()?;
        line.expect(b'(')?;
        loop {
            line.spaces()?;
            if line.eat(b')')? {
                return Ok(());
            }
            let resource = line.word()?;
            line.spaces()?;
            let usage = line.number()?;
            line.spaces()?;
            let limit = line.number()?;
            if resource.eq_ignore_ascii_case("STORAGE") {
                // RFC 9208, 5.1: in units of 1024 bytes.
                let [used, limit] = [usage, limit].map(|units| units.saturating_mul(1024));
                let left = |quota: &Quota| quota.limit.saturating_sub(quota.used);
                let quota = Quota { used, limit };
                self.0 = self.0.into_iter().chain([quota]).min_by_key(left);
            }
        }
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

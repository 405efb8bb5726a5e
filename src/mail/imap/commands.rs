//! The small commands: search, flags, removal, goodbye.

use super::Session;
use super::engine::{Deaf, Listen};
use super::failed::Failed;
use super::folders::quote;
use super::lexer::{Lex, Lexer};
use super::uids;
use crate::entry::show;
use crate::error::Error;

/// The most UIDs that a search may find.
const MOST_FOUND: usize = 1 << 20;

/// What is done to flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// These are set.
    Add,
    /// These are taken away.
    Remove,
}

/// Hears what a search found.
#[derive(Default)]
pub(super) struct Found(Vec<u32>);

impl Found {
    /// What was found, lowest first.
    pub(super) fn sorted(mut self) -> Vec<u32> {
        self.0.sort_unstable();
        self.0.dedup();
        self.0
    }
}

impl Listen for Found {
    fn hear(&mut self, number: Option<u32>, word: &str, line: &mut Lexer<'_>) -> Result<(), Lex> {
        if number.is_some() || word != "SEARCH" {
            return Ok(());
        }
        while line.peek()?.is_ascii_digit() {
            let uid = u32::try_from(line.number()?).map_err(|_| Lex::Odd)?;
            if self.0.len() >= MOST_FOUND {
                return Err(Lex::Endless);
            }
            self.0.push(uid);
            line.spaces()?;
        }
        Ok(())
    }
}

impl Session {
    /// UIDs of the messages in the open folder whose header field `name` contains `value`, such as a Message-ID.
    /// Lowest first. A server may find more than asked (the search is for a part), so look at what it found.
    ///
    /// # Errors
    /// The server refuses, the connection broke, or the value cannot be asked for: it is not plain ASCII.
    pub fn search_header(&mut self, name: &str, value: &str) -> Result<Vec<u32>, Failed> {
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !plain(value) || !plain(name) || value.len() > 1000 || name.len() > 100 {
            return Err(Failed::Here(Error::other(format!(
                "no server can look for {}",
                show(value.as_bytes())
            ))));
        }
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let command = format!("UID SEARCH HEADER {} {}", quoted(name), quoted(value));
        let mut found = Found::default();
        self.work(|engine| engine.run(&command, &mut found))?.yes()?;
        Ok(found.sorted())
    }

    /// Changes flags of messages in the open folder. Those that are not there are passed over.
    ///
    /// # Errors
    /// The server refuses, or the connection broke: some may be changed.
    pub fn store(&mut self, uids: &[u32], change: Change, flags: &[&'static str]) -> Result<(), Failed> {
        let sign = match change {
            Change::Add => '+',
            Change::Remove => '-',
        };
        for set in uids::write(uids) {
            let command = format!("UID STORE {set} {sign}FLAGS.SILENT ({})", flags.join(" "));
            self.work(|engine| engine.run(&command, &mut Deaf))?.yes()?;
        }
        Ok(())
    }

    /// Whether messages can be removed one by one: UIDPLUS (RFC 4315).
    pub fn can_expunge(&self) -> bool {
        self.offers.has("UIDPLUS") || self.offers.has("IMAP4REV2")
    }

    /// Removes messages of the open folder for good, and no others.
    ///
    /// # Errors
    /// The server refuses or has no UIDPLUS: the plain EXPUNGE would take along what others marked. Or the connection
    /// broke: some may be gone.
    pub fn expunge(&mut self, uids: &[u32]) -> Result<(), Failed> {
        if !self.can_expunge() {
            return Err(Failed::Here(Error::other(format!(
                "{} can remove no single messages (it has no UIDPLUS), so none are removed",
                self.server
            ))));
        }
        // Not written ahead: while others change the folder, Dovecot removes nothing of what is not yet marked for all.
        self.store(uids, Change::Add, &["\\Deleted"])?;
        for set in uids::write(uids) {
            self.work(|engine| engine.run(&format!("UID EXPUNGE {set}"), &mut Deaf))?.yes()?;
        }
        Ok(())
    }

    /// Moves messages of the open folder to another one (RFC 6851). Those that are not there are passed over.
    ///
    /// # Errors
    /// The server refuses or has no MOVE; or the connection broke: some may be moved.
    pub fn move_to(&mut self, uids: &[u32], folder: &str) -> Result<(), Failed> {
        if !self.offers.has("MOVE") && !self.offers.has("IMAP4REV2") {
            return Err(Failed::Here(Error::other(format!("{} can move no messages", self.server))));
        }
        let folder = quote(&self.name(folder)?);
        for set in uids::write(uids) {
            self.work(|engine| engine.run(&format!("UID MOVE {set} {folder}"), &mut Deaf))?.yes()?;
        }
        Ok(())
    }

    /// Says nothing, so that the server does not forget us.
    ///
    /// # Errors
    /// The connection broke.
    pub fn noop(&mut self) -> Result<(), Failed> {
        self.work(|engine| engine.run("NOOP", &mut Deaf))?.yes()?;
        Ok(())
    }

    /// Says goodbye. What goes wrong with that harms nobody.
    pub fn logout(mut self) {
        let _ = self.wire.lock().set_silence(super::GOODBYE);
        let _ = self.slow(imap::Session::logout);
    }
}

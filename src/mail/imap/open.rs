//! Which folder is open, and what is in it.

use super::Session;
use super::engine::Listen;
use super::failed::Failed;
use super::folders::quote;
use super::lexer::{Lex, Lexer, number};
use crate::error::Error;

/// A folder that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected {
    /// How many messages are in it.
    pub messages: u32,
    /// UIDs mean something only as long as this is the same.
    pub uid_validity: u32,
    /// The least UID that the next message may get.
    pub uid_next: Option<u32>,
    /// The largest modification sequence (RFC 7162).
    pub highest_mod_seq: Option<u64>,
    /// Whether nothing can be changed in it.
    pub read_only: bool,
}

impl Session {
    /// Opens a folder, to read and to change.
    ///
    /// # Errors
    /// The server refuses (then none is open), or the connection broke.
    pub fn select(&mut self, folder: &str) -> Result<Selected, Failed> {
        let name = self.name(folder)?;
        let opened = selected(self.slow(|session| session.select(&name))?)?;
        self.messages = opened.messages;
        Ok(opened)
    }

    /// Opens a folder, to read only.
    ///
    /// # Errors
    /// As of [`Session::select`].
    pub fn examine(&mut self, folder: &str) -> Result<Selected, Failed> {
        let name = self.name(folder)?;
        self.examine_named(&name)
    }

    /// The same by the server's name of it: not every name comes back from our path of it.
    ///
    /// # Errors
    /// As of [`Session::select`].
    pub fn examine_named(&mut self, name: &str) -> Result<Selected, Failed> {
        // RFC 7162, 3.1.8: from then on the server tells of modification sequences.
        match self.has_mod_seq().then(|| self.open_as(name, " (CONDSTORE)")) {
            // Some offer it and do not understand it.
            Some(Err(Failed::No(no))) if no.bad => self.open_as(name, ""),
            Some(opened) => opened,
            None => self.open_as(name, ""),
        }
    }

    fn open_as(&mut self, name: &str, with: &str) -> Result<Selected, Failed> {
        let mut ear = Opened::default();
        self.work(|engine| engine.run(&format!("EXAMINE {}{with}", quote(name)), &mut ear))?.yes()?;
        self.messages = ear.messages;
        Ok(Selected {
            messages: ear.messages,
            uid_validity: ear.uid_validity.ok_or_else(no_validity)?,
            uid_next: ear.uid_next,
            highest_mod_seq: ear.highest_mod_seq,
            read_only: true,
        })
    }
}

/// Hears what is said of a folder as it is opened (RFC 9051, 6.3.2).
#[derive(Default)]
struct Opened {
    messages: u32,
    uid_validity: Option<u32>,
    uid_next: Option<u32>,
    highest_mod_seq: Option<u64>,
}

impl Listen for Opened {
    fn hear(&mut self, number: Option<u32>, word: &str, _: &mut Lexer<'_>) -> Result<(), Lex> {
        if let (Some(number), "EXISTS") = (number, word) {
            self.messages = number;
        }
        Ok(())
    }

    fn told(&mut self, text: &str) {
        let code = text.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let Some((word, told)) = code.and_then(|(code, _)| code.split_once(' ')) else { return };
        let told = number(told.trim());
        let small = told.and_then(|told| u32::try_from(told).ok()).filter(|told| *told > 0);
        match word.to_ascii_uppercase().as_str() {
            "UIDVALIDITY" => self.uid_validity = small,
            "UIDNEXT" => self.uid_next = small,
            "HIGHESTMODSEQ" => self.highest_mod_seq = told.filter(|told| *told > 0),
            _ => {}
        }
    }
}

fn no_validity() -> Failed {
    Failed::Here(Error::other(
        "the server gives its messages no lasting numbers (UIDVALIDITY), so nothing can be kept there",
    ))
}

fn selected(mailbox: imap::types::Mailbox) -> Result<Selected, Failed> {
    Ok(Selected {
        messages: mailbox.exists,
        uid_validity: mailbox.uid_validity.ok_or_else(no_validity)?,
        uid_next: mailbox.uid_next,
        highest_mod_seq: mailbox.highest_mod_seq,
        read_only: mailbox.is_read_only,
    })
}

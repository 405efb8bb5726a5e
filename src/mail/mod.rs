//! Where letters go: the accounts that carry a rendered report to its reader.
//!
//! An account takes the bytes of a mail as they are and says for each recipient whether it has them; when to try
//! again is for the outbox to know. [`maildir`] is the account that needs nothing installed, [`smtp`] the one that
//! reaches everybody, [`sendmail`] the machine's own. [`probe`] looks an account over for a person.

mod certificate;
mod fresh;
pub mod imap;
mod line;
pub mod maildir;
pub mod pop3;
pub mod probe;
mod roots;
mod sasl;
pub mod secret;
pub mod sendmail;
pub mod smtp;
mod socket;
pub mod webhook;

use crate::error::Error;

/// A letter with its envelope.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'a> {
    /// The sender's address, its domain in ASCII; empty: nobody, as for notices that want no answer.
    pub sender: &'a str,
    /// The recipients' addresses, their domains in ASCII.
    pub recipients: &'a [String],
    /// The mail, CRLF at line ends.
    pub mail: &'a [u8],
}

/// What a server answered for one recipient, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It has the letter.
    Accepted,
    /// It will never take it for this recipient.
    Refused(String),
    /// It may take it later.
    Later(String),
}

/// Why an account took nothing at all.
#[derive(Debug)]
pub struct Fault {
    /// What that means for the next try.
    pub kind: FaultKind,
    /// What happened, to which server, and what to do.
    pub error: Error,
}

/// What a fault means for the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The server refuses the user or the secret: each further try brings a lock-out nearer.
    Login,
    /// The letter is larger than the server takes: a smaller one may pass.
    TooLarge,
    /// The secret cannot be had, the server cannot be reached, is not who it should be, or broke off.
    Down,
}

impl Fault {
    pub(crate) fn down(error: Error) -> Self {
        Self { kind: FaultKind::Down, error }
    }
}

/// How many characters of a server's words are kept.
const MOST_WORDS: usize = 500;

/// A server's words, fit to be shown: on one line, and not too many.
pub(super) fn clean(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = crate::entry::show(words.join(" ").as_bytes());
    line.chars().take(MOST_WORDS).collect()
}

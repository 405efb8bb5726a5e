//! Puts letters into the mailbox of an account (`imap-append`), when the server that takes letters does not take them.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use mail_parser::MessageParser;

use super::Agent;
use super::carry::{deadline, said};
use crate::error::{Error, Kind, Result};
use crate::mail::imap::{Appended, Cutter, Dialer, Failed, Item, Meaning, No, Outgoing, Patience, Session};
use crate::mail::{FaultKind, secret};
use crate::report;
use crate::run::RunId;
use crate::state::Side;
use crate::vault::login;

/// The folder that everybody reads.
const INBOX: &str = "INBOX";

/// How long is waited for a server. Other letters wait meanwhile.
const PATIENCE: Patience = Patience { connect: Duration::from_secs(20), silence: Duration::from_secs(60) };

/// A letter for a mailbox.
pub(super) struct Copy<'l> {
    /// Its id.
    pub id: RunId,
    /// Its Message-ID, with angle brackets.
    pub message_id: &'l str,
    /// The mail as it goes out.
    pub mail: &'l [u8],
}

/// Why a letter may not be there.
struct Why {
    reason: String,
    /// Another letter may be taken.
    alone: bool,
    /// The connection broke.
    broke: bool,
}

/// The mailboxes as far as they were met since the outbox was opened: one that failed is not asked again for each
/// letter that waits.
pub(super) struct Inboxes<'a> {
    agent: &'a Agent<'a>,
    open: BTreeMap<String, Session>,
    closed: BTreeMap<String, String>,
}

impl<'a> Inboxes<'a> {
    pub(super) fn new(agent: &'a Agent<'a>) -> Self {
        Self { agent, open: BTreeMap::new(), closed: BTreeMap::new() }
    }

    /// Puts a letter into the INBOX of an account, unread and without a flag. One that is there already, by
    /// whatever way, is not put there again. `Err`: why it may not be there.
    pub(super) fn append(&mut self, name: &str, letter: &Copy<'_>) -> Result<(), String> {
        if let Some(reason) = self.closed.get(name) {
            return Err(reason.clone());
        }
        let mut failed = self.try_to(name, letter);
        if let Err(Why { broke: true, .. }) = failed {
            // The letter may be there. It is looked for at once, or it would go out by mail, too, as soon as that
            // works.
            failed = self.try_to(name, letter);
        }
        failed.map_err(|why| {
            if !why.alone {
                self.closed.insert(name.to_owned(), why.reason.clone());
            }
            why.reason
        })
    }

    /// One try, over the connection that is open or a new one.
    fn try_to(&mut self, name: &str, letter: &Copy<'_>) -> Result<(), Why> {
        let opened = match self.open.remove(name) {
            Some(session) => Ok(session),
            None => self.dial(name),
        };
        let mut session = opened.map_err(|error| Why { reason: said(&error), alone: false, broke: false })?;
        let cutter = session.cutter();
        let done = within(deadline(letter.mail), cutter, || put(&mut session, letter));
        let (place, broke) = (session.server().to_owned(), session.is_broken());
        if !broke {
            self.open.insert(name.to_owned(), session);
        }
        done.map_err(|failed| {
            // That one is about this letter alone.
            let alone = failed.meaning() == Meaning::TooBig;
            let reason = said(&failed.error(format!("cannot put the letter into {INBOX} at {place}")));
            Why { reason, alone, broke }
        })
    }

    fn dial(&self, name: &str) -> Result<Session> {
        let agent = self.agent;
        let mailbox = agent.mailboxes.get(name).ok_or_else(|| {
            Error::new(Kind::Config, format!("the account {name} has no mailbox"))
                .hint(format!("[accounts.{name}] in postkeep.toml needs imap = {{ ... }}"))
        })?;
        let secret = secret::fetch(&mailbox.login.secret)?;
        login::check(&agent.state, name, mailbox, &secret)?;
        let dialer = Dialer::new(mailbox.clone(), secret).patience(PATIENCE);
        match dialer.open() {
            Ok(session) => {
                login::taken(&agent.state, name, Side::Imap);
                Ok(session)
            }
            Err(fault) => {
                if fault.kind == FaultKind::Login {
                    let tried = dialer.secret();
                    login::refused(&agent.state, name, mailbox, &tried, &fault.error, agent.now());
                }
                Err(fault.error)
            }
        }
    }
}

/// Puts the letter there, or a smaller one where it is too large, as towards the server that takes letters.
fn put(session: &mut Session, letter: &Copy<'_>) -> Result<(), Failed> {
    // Opened anew for each letter, so that what came since is found too.
    session.examine(INBOX)?;
    if is_there(session, letter)? {
        return Ok(());
    }
    let Some(no) = send(session, letter.mail)? else { return Ok(()) };
    let slim = match no.meaning() {
        Meaning::TooBig => report::slim(letter.mail, letter.id),
        _ => None,
    };
    match slim {
        Some(slim) => send(session, &slim)?.map_or(Ok(()), |no| Err(Failed::No(no))),
        None => Err(Failed::No(no)),
    }
}

/// Whether the letter is in the folder that is open. Some servers find more than they are asked for.
fn is_there(session: &mut Session, letter: &Copy<'_>) -> Result<bool, Failed> {
    let found = session.search_header("Message-ID", letter.message_id)?;
    let told = session.fetch_all(&found, &[Item::Fields(&["MESSAGE-ID"])])?;
    let is_it = |header: &[u8]| {
        let parsed = MessageParser::default().parse_headers(header);
        parsed.is_some_and(|mail| mail.message_id() == Some(letter.message_id.trim_matches(['<', '>'])))
    };
    Ok(told.iter().filter_map(|message| message.header.as_deref()).any(is_it))
}

/// The server's no, if it says one.
fn send(session: &mut Session, mail: &[u8]) -> Result<Option<No>, Failed> {
    let letter = Outgoing { body: Box::new(mail.to_vec()), flags: &[], internal_date: None };
    let (mut results, failed) = session.append_all(INBOX, vec![letter]);
    match (results.pop(), failed) {
        (Some(Appended::Stored(_)), _) => Ok(None),
        (Some(Appended::Refused { no, .. }), _) => Ok(Some(no)),
        // It may be there all the same: the next try looks for it first.
        (_, Some(failed)) => Err(failed),
        (_, None) => Err(Failed::Here(Error::other("the server does not say whether it has the letter"))),
    }
}

/// Does something over a connection, which is cut after so long.
fn within<T>(limit: Duration, cutter: Option<Cutter>, work: impl FnOnce() -> T) -> T {
    let (done, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let watch = move || {
            if let (Err(RecvTimeoutError::Timeout), Some(cutter)) = (ended.recv_timeout(limit), cutter) {
                cutter.cut();
            }
        };
        // Without it the timeouts of the connection are left.
        let _ = std::thread::Builder::new().name("deadline".into()).spawn_scoped(scope, watch);
        let result = work();
        drop(done);
        result
    })
}

//! A session: who works on the wire, the crate or our engine, and whether there still is one.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use super::answer::{self, Answer, Meaning};
use super::engine::Engine;
use super::failed::Failed;
use super::names::{NamespaceEar, Naming};
use super::offers::Offers;
use super::socket::{Cutter, Meter};
use super::wire::Shared;
use crate::profile::Imap;

/// A session with a server, logged in. Dropped without [`Session::logout`], it just hangs up.
pub struct Session {
    pub(super) server: String,
    pub(super) wire: Shared,
    slow: imap::Session<Shared>,
    pub(super) offers: Offers,
    /// Shared by all sessions with an account.
    pub(super) naming: Arc<OnceLock<Naming>>,
    tag: u64,
    broken: bool,
    /// How many messages are in the folder that was opened last.
    pub(super) messages: u32,
    odd: u64,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({}{})", self.server, if self.broken { ", broken" } else { "" })
    }
}

impl Session {
    /// Just logged in: what the server offers may have been part of its answer.
    pub(super) fn new(account: &Imap, wire: Shared, slow: imap::Session<Shared>) -> Self {
        let offers = Offers::read(wire.lock().offers());
        let server = account.server();
        let naming = Arc::default();
        Self { server, wire, slow, offers, naming, tag: 0, broken: false, messages: 0, odd: 0 }
    }

    /// Server and port, as in messages.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What the server offers.
    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// Whether nothing more can be said: another session must be opened.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// How many of the lines in which the server told of messages could not be read so far. Whoever lists them looks at it
    /// before and after: if there are more, it is not all that there is.
    pub fn odd_lines(&self) -> u64 {
        self.odd
    }

    /// Counts the bytes on the wire, also while the session works in another thread.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(self.wire.lock().meter())
    }

    /// What cuts this connection from another thread; None if the system has no more file descriptors.
    pub fn cutter(&self) -> Option<Cutter> {
        self.wire.lock().cutter().ok()
    }

    /// Does something by our engine. Whatever failed but for a plain no leaves the connection out of step.
    pub(super) fn work<T>(
        &mut self,
        work: impl FnOnce(&mut Engine<'_>) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        self.sound()?;
        // Should it panic, the connection is out of step.
        self.broken = true;
        let mut wire = self.wire.lock();
        let mut engine = Engine::new(&mut wire, &mut self.tag, &self.server);
        let result = work(&mut engine);
        self.odd += engine.odd();
        self.broken = !matches!(result, Ok(_) | Err(Failed::No(_)));
        result
    }

    /// Does something by the crate.
    pub(super) fn slow<T>(
        &mut self,
        work: impl FnOnce(&mut imap::Session<Shared>) -> imap::Result<T>,
    ) -> Result<T, Failed> {
        self.sound()?;
        self.wire.lock().begin();
        let slow = &mut self.slow;
        // A library that stumbles over what a server says must not take the process along.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| work(slow)));
        let failed = match result {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => said(&self.wire, &error),
            Err(_) => Failed::broken("what the server says cannot be understood"),
        };
        self.broken = !matches!(failed, Failed::No(_));
        Err(failed)
    }

    pub(super) fn sound(&self) -> Result<(), Failed> {
        if self.broken {
            return Err(Failed::broken("the connection broke before"));
        }
        Ok(())
    }

    pub(super) fn ask_offers(&mut self) -> Result<(), Failed> {
        let said = self.slow(|session| session.run_command_and_read_response("CAPABILITY"))?;
        self.offers = Offers::read(&said);
        Ok(())
    }

    /// The server's name of a folder.
    pub(super) fn name(&mut self, folder: &str) -> Result<String, Failed> {
        self.naming()?.name(folder).map_err(Failed::Here)
    }

    /// How this server builds names; it is asked once.
    pub(super) fn naming(&mut self) -> Result<&Naming, Failed> {
        if self.naming.get().is_none() {
            let asked = self.ask_naming()?;
            // Another session may have been told the same meanwhile.
            let _ = self.naming.set(asked);
        }
        Ok(self.naming.get_or_init(Naming::default))
    }

    fn ask_naming(&mut self) -> Result<Naming, Failed> {
        if self.offers.has("NAMESPACE") {
            let mut ear = NamespaceEar::default();
            let answer = self.work(|engine| engine.run("NAMESPACE", &mut ear))?;
            match (answer.yes(), ear.0) {
                (Ok(_), Some(naming)) => return Ok(naming),
                // What is asked now counts for all sessions.
                (Err(no), _) if matches!(no.meaning(), Meaning::Later | Meaning::Throttled) => {
                    return Err(Failed::No(no));
                }
                _ => {}
            }
        }
        let names = self.slow(|session| session.list(Some(""), Some("\"\"")))?;
        let delimiter = names.iter().next().and_then(|name| name.delimiter()?.chars().next());
        Ok(Naming { delimiter, prefix: String::new() })
    }
}

/// What an error of the crate's was about: the server's own words, which only the wire remembers.
pub(super) fn said(wire: &Shared, error: &imap::Error) -> Failed {
    let wire = wire.lock();
    let line = wire.last_line();
    let answer = Answer::of_line(line);
    match (error, answer) {
        (imap::Error::No(_) | imap::Error::Bad(_), Some(answer)) => match answer.yes() {
            Err(no) => Failed::No(no),
            Ok(_) => Failed::broken("what the server says cannot be understood"),
        },
        // The crate also says so of a line that it cannot read. One with a tag is all that was to come: a no may name
        // a folder in letters that are not ASCII.
        (imap::Error::Bye(_), Some(answer)) if !line.starts_with(b"*") => match answer.yes() {
            Err(no) => Failed::No(no),
            Ok(_) => Failed::broken("what the server says cannot be understood"),
        },
        (imap::Error::Bye(_), Some(answer)) if answer.status == answer::Status::Bye => {
            Failed::Broken { why: "the server hung up".into(), bye: answer.yes().err() }
        }
        (imap::Error::Io(cause), _) => Failed::broken(cause.to_string()),
        (imap::Error::ConnectionLost, answer) => {
            let bye = answer.filter(|answer| answer.status == answer::Status::Bye);
            Failed::Broken { why: "the server hung up".into(), bye: bye.and_then(|bye| bye.yes().err()) }
        }
        _ => {
            let said = crate::mail::clean(&String::from_utf8_lossy(&line[..line.len().min(80)]));
            Failed::broken(format!("what the server says cannot be understood: {said}"))
        }
    }
}

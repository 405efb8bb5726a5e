//! A mailbox on a server: the client's side of IMAP (RFC 9051, RFC 3501), blocking.
//!
//! The `imap` crate does what happens once: login, SELECT, CREATE, quotas. What happens ten thousand times is ours, on
//! the same socket: commands written ahead, literals that stream to where they belong, answers with the server's own
//! words. The crate's side of a shared socket is in [`wire`]; its three rules are kept there.
//!
//! A [`Dialer`] opens a [`Session`]; one that broke is dropped, and another one opened. Nothing here tries again by
//! itself: what may be repeated, and when, is for the caller to know.

mod answer;
mod append;
mod commands;
mod connect;
mod engine;
mod explain;
mod failed;
mod fetch;
mod folders;
mod lexer;
mod login;
mod names;
mod offers;
mod quota;
mod uids;
mod utf7;
mod wire;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

pub use self::answer::{Code, Meaning, No};
pub use self::append::{Appended, Body, Outbox, Outgoing};
pub use self::commands::Change;
pub use self::failed::Failed;
pub use self::fetch::{Fetched, Item, Refused, Request, Section, Sink};
pub use self::folders::{Folder, Selected, Special, Status};
pub use self::offers::Offers;
pub use self::quota::Quota;
pub use self::wire::{Cutter, Meter, Traffic};

use self::answer::Answer;
use self::engine::{Engine, Listen};
use self::lexer::{Lex, Lexer};
use self::names::Naming;
use self::wire::Shared;
use super::probe::Step;
use super::secret::{self, Secret};
use super::{Fault, FaultKind};
use crate::profile::{Imap, Proof};

/// How long is waited for a server.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For one address to answer, and for TLS and login to go on.
    pub connect: Duration,
    /// For the next byte, when there is a session: some servers think long before they take a large message.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(20), silence: Duration::from_secs(120) }
    }
}

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// Opens sessions with one account, as often as it takes.
#[derive(Debug, Clone)]
pub struct Dialer {
    account: Imap,
    secret: Secret,
    patience: Patience,
}

impl Dialer {
    /// For this account and its secret.
    pub fn new(account: Imap, secret: Secret) -> Self {
        Self { account, secret, patience: Patience::default() }
    }

    /// With other patience than the common one.
    #[must_use]
    pub fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// The account.
    pub fn account(&self) -> &Imap {
        &self.account
    }

    /// Connects and logs in. A token lives an hour: one that is refused is fetched anew, once.
    ///
    /// # Errors
    /// The server refuses the login, cannot be reached, or is not who it should be.
    pub fn open(&self) -> Result<Session, Fault> {
        let login = &self.account.login;
        match open(&self.account, &self.secret, self.patience, &mut Vec::new()) {
            Err(fault) if fault.kind == FaultKind::Login && login.proof == Proof::Token => {
                match secret::fetch(&login.secret) {
                    Ok(fresh) if fresh != self.secret => {
                        open(&self.account, &fresh, self.patience, &mut Vec::new())
                    }
                    _ => Err(fault),
                }
            }
            opened => opened,
        }
    }
}

/// Connects and logs in, looks at what the server offers, and tells each step.
pub fn look(account: &Imap, secret: &Secret, patience: Patience) -> Vec<Step> {
    let mut steps = Vec::new();
    match open(account, secret, patience, &mut steps) {
        Ok(mut session) => {
            steps.push(quota::limits(&mut session));
            session.logout();
        }
        Err(fault) => {
            let name = match steps.last().map(|step| step.name) {
                None => "resolve",
                Some("resolve") => "connect",
                Some("connect") if account.tls != crate::profile::Tls::None => "tls",
                _ if fault.kind == FaultKind::Login => "login",
                _ => "greeting",
            };
            steps.push(Step { name, result: Err(fault.error) });
        }
    }
    steps
}

fn open(
    account: &Imap,
    secret: &Secret,
    patience: Patience,
    steps: &mut Vec<Step>,
) -> Result<Session, Fault> {
    let shared = connect::connect(account, patience, steps).map_err(Fault::down)?;
    let mut session = login::login(account, secret, shared, steps)?;
    let silence = session.wire.lock().set_silence(patience.silence);
    silence.map_err(|cause| Fault::down(explain::broken(account, &cause.to_string())))?;
    session.ask_offers().map_err(|failed| Fault::down(explain::broken(account, &failed.to_string())))?;
    Ok(session)
}

/// A session with a server, logged in. Dropped without [`Session::logout`], it just hangs up.
pub struct Session {
    server: String,
    wire: Shared,
    slow: imap::Session<Shared>,
    offers: Offers,
    naming: Option<Naming>,
    tag: u64,
    broken: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({}{})", self.server, if self.broken { ", broken" } else { "" })
    }
}

impl Session {
    fn new(account: &Imap, wire: Shared, slow: imap::Session<Shared>) -> Self {
        Self {
            server: account.server(),
            wire,
            slow,
            offers: Offers::default(),
            naming: None,
            tag: 0,
            broken: false,
        }
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

    /// Counts the bytes on the wire, also while the session works in another thread.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(self.wire.lock().meter())
    }

    /// What cuts this connection from another thread; None if the system has no more file descriptors.
    pub fn cutter(&self) -> Option<Cutter> {
        self.wire.lock().cutter().ok()
    }

    /// Does something by our engine. Whatever failed but for a plain no leaves the connection out of step.
    fn work<T>(&mut self, work: impl FnOnce(&mut Engine<'_>) -> Result<T, Failed>) -> Result<T, Failed> {
        self.sound()?;
        let result = work(&mut Engine::new(&mut self.wire.lock(), &mut self.tag));
        self.broken = !matches!(result, Ok(_) | Err(Failed::No(_)));
        result
    }

    /// Does something by the crate.
    fn slow<T>(
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

    fn sound(&self) -> Result<(), Failed> {
        if self.broken {
            return Err(Failed::broken("the connection broke before"));
        }
        Ok(())
    }

    fn ask_offers(&mut self) -> Result<(), Failed> {
        let said = self.slow(|session| session.run_command_and_read_response("CAPABILITY"))?;
        self.offers = Offers::read(&said);
        Ok(())
    }

    /// The server's name of a folder.
    fn name(&mut self, folder: &str) -> Result<String, Failed> {
        self.naming()?.name(folder).map_err(Failed::Here)
    }

    /// How this server builds names; it is asked once.
    fn naming(&mut self) -> Result<&Naming, Failed> {
        if self.naming.is_none() {
            let asked = self.ask_naming()?;
            return Ok(self.naming.insert(asked));
        }
        Ok(self.naming.get_or_insert_default())
    }

    fn ask_naming(&mut self) -> Result<Naming, Failed> {
        if self.offers.has("NAMESPACE") {
            let mut ear = NamespaceEar(None);
            let answer = self.work(|engine| engine.run("NAMESPACE", &mut ear))?;
            if let (Ok(_), Some(naming)) = (answer.yes(), ear.0) {
                return Ok(naming);
            }
        }
        let names = self.slow(|session| session.list(Some(""), Some("\"\"")))?;
        let delimiter = names.iter().next().and_then(|name| name.delimiter()?.chars().next());
        Ok(Naming { delimiter, prefix: String::new() })
    }
}

/// Hears `* NAMESPACE (("INBOX." ".")) NIL NIL` (RFC 2342): the first of the personal ones is where folders go.
struct NamespaceEar(Option<Naming>);

impl Listen for NamespaceEar {
    fn hear(&mut self, _: Option<u32>, word: &str, line: &mut Lexer<'_>) -> Result<(), Lex> {
        if word != "NAMESPACE" || line.peek()? != b'(' {
            return Ok(());
        }
        line.expect(b'(')?;
        line.spaces()?;
        line.expect(b'(')?;
        let prefix = line.string()?.unwrap_or_default();
        line.spaces()?;
        let delimiter = line.string()?.and_then(|text| String::from_utf8(text).ok()?.chars().next());
        let prefix = String::from_utf8(prefix).map_err(|_| Lex::Odd)?;
        self.0 = Some(Naming { delimiter, prefix });
        Ok(())
    }
}

/// What an error of the crate's was about: the server's own words, which only the wire remembers.
fn said(wire: &Shared, error: &imap::Error) -> Failed {
    let wire = wire.lock();
    let line = wire.last_line();
    let answer = Answer::of_line(line);
    match (error, answer) {
        (imap::Error::No(_) | imap::Error::Bad(_), Some(answer)) => match answer.yes() {
            Err(no) => Failed::No(no),
            Ok(_) => Failed::broken("what the server says cannot be understood"),
        },
        (imap::Error::Bye(_), Some(answer)) => {
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

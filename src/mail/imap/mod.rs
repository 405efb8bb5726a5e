//! A mailbox on a server: the client's side of IMAP (RFC 9051, RFC 3501), blocking.
//!
//! The `imap` crate does what happens once: login, SELECT, CREATE, quotas. What happens ten thousand times is ours, on
//! the same socket: commands written ahead, literals that stream to where they belong, answers with the server's own
//! words. The crate's side of a shared socket is in `wire`; its three rules are kept there.
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
mod gmail;
mod idle;
mod into;
mod lexer;
mod login;
mod names;
mod offers;
mod open;
mod quota;
mod session;
mod uids;
pub(crate) mod utf7;
mod wire;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

pub use self::answer::{Code, Meaning, No};
pub use self::append::{Appended, Body, Outbox, Outgoing};
pub use self::commands::Change;
pub use self::failed::Failed;
pub use self::fetch::{Fetched, Item, Refused, Request, Section, Sink};
pub use self::folders::{Folder, Folders, OddName, Special, Status};
pub use self::idle::Count;
pub use self::offers::Offers;
pub use self::open::Selected;
pub use self::quota::Quota;
pub use self::session::Session;
pub use self::utf7::encode as modified_utf7;
pub use super::socket::{Cutter, Meter, Patience, Stop, Traffic};

use super::probe::Step;
use super::secret::Secret;
use super::{Fault, FaultKind, fresh, socket};
use crate::mutex::lock;
use crate::profile::Imap;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// Opens sessions with one account, as often as it takes.
#[derive(Debug, Clone)]
pub struct Dialer {
    account: Imap,
    /// The one that was taken last: shared, so that no other session tries one that was refused already.
    secret: Arc<Mutex<Secret>>,
    /// How the server builds names, as soon as a session was told.
    naming: Arc<OnceLock<names::Naming>>,
    patience: Patience,
    stop: Stop,
}

impl Dialer {
    /// For this account and its secret.
    pub fn new(account: Imap, secret: Secret) -> Self {
        let secret = Arc::new(Mutex::new(secret));
        Self { account, secret, naming: Arc::default(), patience: Patience::default(), stop: Stop::default() }
    }

    /// With other patience than the common one.
    #[must_use]
    pub fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Whatever it and its sessions wait for ends within a second when somebody wants it to.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// The account.
    pub fn account(&self) -> &Imap {
        &self.account
    }

    /// The secret that was tried last.
    pub fn secret(&self) -> Secret {
        lock(&self.secret).clone()
    }

    /// Connects and logs in. A token lives an hour: one that is refused is fetched anew, once.
    ///
    /// # Errors
    /// The server refuses the login, cannot be reached, or is not who it should be.
    pub fn open(&self) -> Result<Session, Fault> {
        let mut session = fresh::opened(&self.account.login, &self.secret, |secret| {
            open(&self.account, secret, (self.patience, &self.stop), &mut Vec::new())
        })?;
        session.naming = Arc::clone(&self.naming);
        Ok(session)
    }
}

/// A server's name, such as a label of Gmail's, for people: names are in modified UTF-7 (RFC 3501, 5.1.3). One that is
/// none stands as it is.
pub fn readable(name: &str) -> String {
    utf7::decode(name).unwrap_or_else(|| name.to_owned())
}

/// Connects and logs in, looks at what the server offers, and tells each step.
pub fn look(account: &Imap, secret: &Secret, patience: Patience) -> Vec<Step> {
    let mut steps = Vec::new();
    match open(account, secret, (patience, &Stop::default()), &mut steps) {
        Ok(mut session) => {
            steps.push(quota::limits(&mut session));
            steps.push(quota::abilities(&session));
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
    (patience, stop): (Patience, &Stop),
    steps: &mut Vec<Step>,
) -> Result<Session, Fault> {
    let (shared, offers) = connect::connect(account, (patience, stop), steps).map_err(Fault::down)?;
    let mut session = login::login(account, secret, (shared, offers), steps)?;
    let silence = session.wire.lock().set_silence(patience.silence);
    silence.map_err(|cause| Fault::down(explain::broken(account, &cause.to_string())))?;
    if session.offers.is_unknown() {
        session.ask_offers().map_err(|failed| Fault::down(explain::broken(account, &failed.to_string())))?;
    }
    Ok(session)
}

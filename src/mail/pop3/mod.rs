//! A mailbox on a server: the client's side of POP3 (RFC 1939, RFC 2449), blocking. It only reads: there is no command
//! that deletes, see `commands`.
//!
//! It is our own because none of the crates there are (`rust-pop3-client`, `async-pop`, `pop3-client`, `pop3`) knows STLS,
//! timeouts or pipelining, and all of them hold a message whole; `pop3-codec` is a parser alone, of whole responses too.
//!
//! A [`Dialer`] opens a [`Session`]; one that broke is dropped, and another one opened. Nothing here tries again by
//! itself: what may be repeated, and when, is for the caller to know.

mod answer;
mod body;
mod commands;
mod connect;
mod explain;
mod failed;
mod fetch;
mod login;
mod look;
mod offers;
mod session;
mod wire;

use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use self::answer::{Code, Meaning, No};
pub use self::failed::Failed;
pub use self::fetch::{Refused, Sink};
pub use self::look::look;
pub use self::offers::{Expire, Offers};
pub use self::session::{Ids, Session, Stat};
pub use super::socket::{Cutter, Meter, Patience, Stop, Traffic};

use self::wire::Wire;
use super::probe::Step;
use super::secret::Secret;
use super::{Fault, fresh};
use crate::mutex::lock;
use crate::profile::Pop3;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// Opens sessions with one account, as often as it takes. A server lets one in at a time.
#[derive(Debug, Clone)]
pub struct Dialer {
    account: Pop3,
    /// The one that was taken last: shared, so that no other session tries one that was refused already.
    secret: Arc<Mutex<Secret>>,
    patience: Patience,
    stop: Stop,
}

impl Dialer {
    /// For this account and its secret.
    pub fn new(account: Pop3, secret: Secret) -> Self {
        Self {
            account,
            secret: Arc::new(Mutex::new(secret)),
            patience: Patience::default(),
            stop: Stop::default(),
        }
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
    pub fn account(&self) -> &Pop3 {
        &self.account
    }

    /// The secret that was tried last.
    pub fn secret(&self) -> Secret {
        lock(&self.secret).clone()
    }

    /// Connects and logs in. A token that is refused is fetched anew, once.
    ///
    /// # Errors
    /// The server refuses the login, cannot be reached, is not who it should be, or lets somebody else read.
    pub fn open(&self) -> Result<Session, Fault> {
        fresh::opened(&self.account.login, &self.secret, |secret| {
            let mut steps = Vec::new();
            let greeted = connect::connect(&self.account, (self.patience, &self.stop), &mut steps);
            let greeted = greeted.map_err(Fault::down)?;
            log_in(&self.account, secret, self.patience, greeted, &mut steps)
        })
    }
}

/// Logs in at a server that has greeted us.
fn log_in(
    account: &Pop3,
    secret: &Secret,
    patience: Patience,
    (mut wire, offers): (Wire, Offers),
    steps: &mut Vec<Step>,
) -> Result<Session, Fault> {
    login::login(account, secret, &mut wire, &offers, steps)?;
    let broken = |why: &str| Fault::down(explain::broken(account, why));
    wire.set_silence(patience.silence).map_err(|cause| broken(&cause.to_string()))?;
    // What is offered may be another thing after the login (RFC 2449, 5), and some servers say it only before.
    let now = connect::offers(&mut wire).map_err(|failed| broken(&failed.to_string()))?;
    Ok(Session::new(account, wire, now.unwrap_or(offers)))
}

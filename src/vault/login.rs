//! The login at an account's mailbox, remembered in the state: a secret that was refused is tried by nobody again until
//! it changes, for each try brings a lock-out nearer.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::store::mailbox::Heard;
use crate::clock::{Clock, System};
use crate::error::{Error, Kind, Result};
use crate::mail::secret::{self, Secret};
use crate::profile::{Imap, Login, Pop3};
use crate::state::{Side, State};

/// A server that wants to know who reads there.
pub trait Mailbox {
    /// Which side of an account it is.
    const SIDE: Side;

    /// Server and port.
    fn server(&self) -> String;

    /// Who we are there.
    fn login(&self) -> &Login;
}

impl Mailbox for Imap {
    const SIDE: Side = Side::Imap;

    fn server(&self) -> String {
        self.server()
    }

    fn login(&self) -> &Login {
        &self.login
    }
}

impl Mailbox for Pop3 {
    const SIDE: Side = Side::Pop3;

    fn server(&self) -> String {
        self.server()
    }

    fn login(&self) -> &Login {
        &self.login
    }
}

/// Whether a secret may be tried.
///
/// # Errors
/// [`Kind::Login`]: it is the one that was refused.
pub fn check<M: Mailbox>(state: &State, account: &str, mailbox: &M, secret: &Secret) -> Result<()> {
    let health = state.accounts().get(&M::SIDE.of(account)).unwrap_or_default();
    let Some((health, refused)) = health.as_ref().and_then(|it| Some((it, it.refused_secret.as_deref()?)))
    else {
        return Ok(());
    };
    if refused != mark(state, mailbox, secret) {
        return Ok(());
    }
    let reason = health.reason.as_deref().unwrap_or_default();
    let message = format!("not tried again with the secret that was refused: {reason}");
    Err(Error::new(Kind::Login, message)
        .hint(format!("put the secret right, then: postkeep account test {account}")))
}

/// Remembers that a server refused a secret. If that cannot be written down, the next try says so again.
pub fn refused<M: Mailbox>(
    state: &State,
    account: &str,
    mailbox: &M,
    secret: &Secret,
    reason: &Error,
    now: Timestamp,
) {
    let mark = mark(state, mailbox, secret);
    let _ = state.accounts().login_refused(&M::SIDE.of(account), &mark, &reason.one_line(), now);
}

/// Remembers that a server takes our login. That it cannot be written down is nobody's failure.
pub fn taken(state: &State, account: &str, side: Side) {
    let _ = state.accounts().up(&side.of(account));
}

fn mark(state: &State, mailbox: &impl Mailbox, secret: &Secret) -> String {
    secret.mark(&state.install_id().unwrap_or_default(), &mailbox.server(), &mailbox.login().user)
}

/// The same for a store, which works in several threads: each time with a state of its own.
pub struct Guard<M = Imap> {
    /// The state folder.
    pub state: PathBuf,
    /// The account's name.
    pub account: String,
    /// Its mailbox.
    pub mailbox: M,
}

impl<M: Mailbox + Send + Sync + 'static> Guard<M> {
    /// Fetches the secret, unless it is the one that was refused. A state that cannot be read knows of no refusal:
    /// a restore has to work without one.
    ///
    /// # Errors
    /// It cannot be had, or was refused.
    pub fn secret(&self) -> Result<Secret> {
        let secret = secret::fetch(&self.mailbox.login().secret)?;
        if let Ok(Some(state)) = State::open_read_only(&self.state) {
            check(&state, &self.account, &self.mailbox, &secret)?;
        }
        Ok(secret)
    }

    /// The same as whoever opens connections wants it: what fetches the secret, and what hears of a login.
    pub fn ways(self) -> (Box<dyn Fn() -> Result<Secret> + Send + Sync>, Heard) {
        let fetching = Arc::new(self);
        let hearing = Arc::clone(&fetching);
        let heard =
            move |secret: &Secret, refusal: Option<&Error>| hearing.heard(secret, refusal, System.now());
        (Box::new(move || fetching.secret()), Box::new(heard))
    }

    /// Remembers what a server said to a login; None: it took it.
    pub fn heard(&self, secret: &Secret, refusal: Option<&Error>, now: Timestamp) {
        match refusal {
            Some(error) => {
                if let Ok(state) = State::open(&self.state) {
                    refused(&state, &self.account, &self.mailbox, secret, error, now);
                }
            }
            None => {
                let known = State::open_read_only(&self.state).ok().flatten();
                let unwell = known.is_some_and(|state| {
                    state.accounts().get(&M::SIDE.of(&self.account)).is_ok_and(|health| health.is_some())
                });
                if unwell && let Ok(state) = State::open(&self.state) {
                    taken(&state, &self.account, M::SIDE);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Limits, Login, Proof, SecretSource, Tls};

    #[test]
    fn a_refused_secret_is_tried_again_when_it_or_its_place_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let source = |text: &str| SecretSource::Command(format!("echo {text}"));
        let mailbox = |user: &str, host: &str, secret: &str| Imap {
            preset: None,
            host: host.into(),
            port: 993,
            tls: Tls::Implicit,
            ca_file: None,
            login: Login { user: user.into(), secret: source(secret), proof: Proof::Password },
            limits: Limits::default(),
        };
        let guard = |account: &str, user: &str, host: &str, secret: &str| Guard {
            state: dir.path().join("state"),
            account: account.into(),
            mailbox: mailbox(user, host, secret),
        };
        let first = guard("box", "ann", "a.example", "wrong");
        let wrong = first.secret().unwrap();
        assert!(!first.state.exists(), "looking leaves nothing behind");
        first.heard(&wrong, Some(&Error::new(Kind::Login, "a.example refuses it")), Timestamp::UNIX_EPOCH);
        let error = first.secret().unwrap_err();
        assert_eq!(error.kind(), Kind::Login);
        assert!(error.one_line().ends_with("that was refused: a.example refuses it"), "{error:?}");
        assert_eq!(error.hints(), ["put the secret right, then: postkeep account test box"]);
        for (account, user, host, secret) in [
            ("box", "ann", "a.example", "right"),
            ("box", "ann", "b.example", "wrong"),
            ("box", "bob", "a.example", "wrong"),
            ("other", "ann", "a.example", "wrong"),
        ] {
            assert!(guard(account, user, host, secret).secret().is_ok(), "{account} {user} {host} {secret}");
        }
        first.heard(&wrong, None, Timestamp::UNIX_EPOCH);
        assert!(first.secret().is_ok());
    }
}

//! LOGIN, and AUTHENTICATE with PLAIN or XOAUTH2, by the crate.

use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;

use imap::{Authenticator, Client};

use super::answer::{Code, Meaning, No};
use super::explain;
use super::failed::Failed;
use super::offers::Offers;
use super::session::{Session, said};
use super::wire::Shared;
use crate::error::Error;
use crate::mail::probe::Step;
use crate::mail::sasl::{Sasl, hide, status_in};
use crate::mail::secret::Secret;
use crate::mail::{Fault, FaultKind, clean};
use crate::profile::{Imap, Proof};

/// The longest answer that is said along with the command. RFC 2683 has servers take lines of 8000 bytes.
const LONGEST: usize = 4000;

/// Logs in over a line on which the server has greeted, and may have said what it offers.
pub(super) fn login(
    account: &Imap,
    secret: &Secret,
    (wire, offers): (Shared, Offers),
    steps: &mut Vec<Step>,
) -> Result<Session, Fault> {
    wire.lock().begin();
    let spoken = AssertUnwindSafe(|| converse(account, secret, wire.clone(), offers));
    let result = std::panic::catch_unwind(spoken);
    match result {
        Ok(Ok((session, mechanism))) => {
            steps.push(Step::ok("login", format!("{} ({mechanism})", clean(&account.login.user))));
            Ok(Session::new(account, wire, session))
        }
        Ok(Err(fault)) => Err(fault),
        Err(_) => Err(Fault::down(explain::broken(account, "what it says cannot be understood"))),
    }
}

fn converse(
    account: &Imap,
    secret: &Secret,
    wire: Shared,
    mut offers: Offers,
) -> Result<(imap::Session<Shared>, &'static str), Fault> {
    let mut client = Client::new(wire.clone());
    if offers.is_unknown() {
        let asked = client.capabilities();
        asked.map_err(|e| Fault::down(explain::broken(account, &said(&wire, &e).to_string())))?;
        offers = Offers::read(wire.lock().offers());
    }
    let has = |name: &str| offers.has(name);
    let user = &account.login.user;
    let dialogue = Dialogue::new(Sasl::new(account.login.proof, user, secret));
    let mechanism = dialogue.sasl.mechanism;
    wire.lock().begin();
    let (result, mechanism) = match account.login.proof {
        _ if has(&format!("AUTH={mechanism}")) => {
            // RFC 4959: one round trip less.
            let command = zeroize::Zeroizing::new(dialogue.command(has("SASL-IR")));
            (client.authenticate(command.as_str(), &dialogue), mechanism)
        }
        Proof::Password if !has("LOGINDISABLED") => (client.login(user, secret.expose()), "LOGIN"),
        proof => {
            let offered: Vec<&str> =
                ["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "CRAM-MD5", "SCRAM-SHA-256", "GSSAPI"]
                    .into_iter()
                    .filter(|name| has(&format!("AUTH={name}")))
                    .collect();
            return Err(Fault::down(explain::no_mechanism(account, proof, &offered)));
        }
    };
    match result {
        Ok(session) => Ok((session, mechanism)),
        Err((error, _)) => {
            let hidden = |text: &str| hide(text, &[secret.expose(), &dialogue.sasl.words]);
            Err(refused(account, &hidden, said(&wire, &error), &dialogue.why.borrow()))
        }
    }
}

/// Why a login came to nothing: the user or the secret, or something that passes.
fn refused(account: &Imap, hidden: &dyn Fn(&str) -> String, failed: Failed, why: &str) -> Fault {
    match failed {
        Failed::No(no) if is_about_login(&no) => {
            let text = format!("{} {why}", hidden(&no.text));
            Fault { kind: FaultKind::Login, error: explain::login(account, text.trim_end()) }
        }
        Failed::No(no) | Failed::Broken { bye: Some(no), .. } => {
            let error = Error::other(format!(
                "{} cannot check the login now: {}",
                account.server(),
                hidden(&no.text)
            ));
            Fault::down(match no.meaning() {
                Meaning::Throttled => {
                    error.hint("it takes only so many connections or so much traffic: it goes on later")
                }
                _ => error.hint("it is tried again later"),
            })
        }
        failed => Fault::down(explain::broken(account, &hidden(&failed.to_string()))),
    }
}

/// Whether a no to a login is about user and secret, and not about the moment.
fn is_about_login(no: &No) -> bool {
    match (&no.code, no.meaning()) {
        (Code::Login, _) => true,
        (_, Meaning::Later | Meaning::Throttled | Meaning::OverQuota) => false,
        // It did not understand: nothing was checked.
        _ => !no.bad,
    }
}

/// The client's side of SASL: an answer to the first question, silence to all others.
struct Dialogue {
    sasl: Sasl,
    asked: Cell<usize>,
    /// What the server says of a token that it refuses.
    why: RefCell<String>,
}

impl Dialogue {
    fn new(sasl: Sasl) -> Self {
        Self { sasl, asked: Cell::new(0), why: RefCell::default() }
    }

    /// The mechanism, with the answer to its first question, which then is not asked, if that may be.
    fn command(&self, at_once: bool) -> String {
        let Sasl { mechanism, words, .. } = &self.sasl;
        if !at_once || words.len() > LONGEST {
            return (*mechanism).to_owned();
        }
        self.asked.set(1);
        format!("{mechanism} {}", **words)
    }
}

impl Authenticator for Dialogue {
    type Response = String;

    fn process(&self, challenge: &[u8]) -> String {
        self.asked.set(self.asked.get() + 1);
        if self.asked.get() == 1 {
            return self.sasl.plain.to_string();
        }
        // A question after the token is the explanation of a no; an empty answer brings the no itself.
        if self.sasl.mechanism == "XOAUTH2" {
            *self.why.borrow_mut() = status_in(challenge).unwrap_or_default();
        }
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::imap::answer::Status;

    #[test]
    fn a_no_to_a_login_may_be_about_the_moment() {
        for (status, text, about_login) in [
            (Status::No, "[AUTHENTICATIONFAILED] Invalid credentials (Failure)", true),
            (Status::No, "LOGIN failed.", true),
            (Status::No, "AUTHENTICATE failed.", true),
            (Status::Bad, "[AUTHENTICATIONFAILED] Invalid credentials", true),
            (Status::No, "[ALERT] Please log in via your web browser: https://x", true),
            (Status::No, "[ALERT] Too many simultaneous connections. (Failure)", false),
            (Status::No, "[UNAVAILABLE] Temporary authentication failure.", false),
            (Status::No, "[LIMIT] too many", false),
            (Status::No, "[INUSE] x", false),
            (Status::No, "Server error, please try again later", false),
            (Status::Bad, "Command Argument Error. 12", false),
        ] {
            assert_eq!(is_about_login(&No::read(status, text)), about_login, "{text}");
        }
    }
}

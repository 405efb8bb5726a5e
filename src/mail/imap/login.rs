//! LOGIN, and AUTHENTICATE with PLAIN or XOAUTH2, by the crate.

use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;

use base64::Engine as _;
use imap::{Authenticator, Client};

use super::answer::{Code, Meaning, No};
use super::explain;
use super::failed::Failed;
use super::offers::Offers;
use super::session::{Session, said};
use super::wire::Shared;
use crate::error::Error;
use crate::mail::probe::Step;
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
    let dialogue = Dialogue::new(account.login.proof, user, secret);
    // RFC 4959: one round trip less.
    let at_once = has("SASL-IR") && dialogue.coded.len() <= LONGEST;
    let by = |mechanism: &str| if at_once { dialogue.along_with(mechanism) } else { mechanism.into() };
    wire.lock().begin();
    let (result, mechanism) = match account.login.proof {
        Proof::Token if has("AUTH=XOAUTH2") => (client.authenticate(by("XOAUTH2"), &dialogue), "XOAUTH2"),
        Proof::Password if has("AUTH=PLAIN") => (client.authenticate(by("PLAIN"), &dialogue), "PLAIN"),
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
            let hidden = |text: &str| hide(text, &[secret.expose(), &dialogue.coded]);
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

/// How much of the beginning of a secret gives it away.
const TELLING: usize = 6;

/// Should a server be so careless as to repeat what it was told: its words without the secrets in them, also where they
/// were cut off.
fn hide(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "***");
        let Some(start) = secret.get(..TELLING) else { continue };
        while let Some(at) = text.find(start) {
            let same = text[at..].chars().zip(secret.chars()).take_while(|(one, other)| one == other);
            let length: usize = same.map(|(one, _)| one.len_utf8()).sum();
            text.replace_range(at..at + length, "***");
        }
    }
    text
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
    /// What is said, as it goes over the wire.
    coded: String,
    answer: RefCell<Option<String>>,
    token: bool,
    asked: Cell<usize>,
    /// What the server says of a token that it refuses.
    why: RefCell<String>,
}

impl Dialogue {
    fn new(proof: Proof, user: &str, secret: &Secret) -> Self {
        let answer = match proof {
            // RFC 4616
            Proof::Password => format!("\0{user}\0{}", secret.expose()),
            // Google's and Microsoft's, as they describe it.
            Proof::Token => format!("user={user}\x01auth=Bearer {}\x01\x01", secret.expose()),
        };
        Self {
            coded: base64::engine::general_purpose::STANDARD.encode(&answer),
            answer: RefCell::new(Some(answer)),
            token: proof == Proof::Token,
            asked: Cell::new(0),
            why: RefCell::default(),
        }
    }

    /// The mechanism with the answer to its first question, which then is not asked.
    fn along_with(&self, mechanism: &str) -> String {
        self.asked.set(1);
        self.answer.borrow_mut().take();
        format!("{mechanism} {}", self.coded)
    }
}

impl Authenticator for Dialogue {
    type Response = String;

    fn process(&self, challenge: &[u8]) -> String {
        self.asked.set(self.asked.get() + 1);
        // A question after the token is the explanation of a no; an empty answer brings the no itself.
        if self.token && self.asked.get() > 1 {
            *self.why.borrow_mut() = status_of(challenge).unwrap_or_default();
        }
        self.answer.borrow_mut().take().unwrap_or_default()
    }
}

/// The status in the explanation that Google and Microsoft give: JSON such as `{"status":"401", ...}`.
fn status_of(json: &[u8]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(json).ok()?;
    let status = json.get("status")?;
    let status = status.as_str().map_or_else(|| status.to_string(), str::to_owned);
    Some(format!("(status {})", clean(&status).chars().take(20).collect::<String>()))
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

    #[test]
    fn secrets_that_a_server_repeats_are_hidden() {
        for (text, hidden) in [
            ("you said s3cret-token, no", "you said ***, no"),
            ("AHVzZXIAczNjcmV0 BAD what", "*** BAD what"),
            ("cut: AHVzZXIAcz", "cut: ***"),
            ("s3cret-s3cret-", "******"),
            ("s3cre AHVz", "s3cre AHVz"),
        ] {
            assert_eq!(hide(text, &["s3cret-token", "AHVzZXIAczNjcmV0", ""]), hidden);
        }
        assert_eq!(hide("a pö pönö", &["pö"]), "a *** ***nö");
        assert_eq!(hide("a pöpöpö pöpöpä", &["pöpöpö"]), "a *** ***ä");
    }

    #[test]
    fn the_reason_of_a_refused_token_is_read() {
        assert_eq!(status_of(br#"{"status":"400","schemes":"Bearer"}"#).as_deref(), Some("(status 400)"));
        for nonsense in ["", "{}", "no json"] {
            assert_eq!(status_of(nonsense.as_bytes()), None, "{nonsense}");
        }
    }
}

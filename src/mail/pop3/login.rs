//! AUTH with PLAIN or XOAUTH2 (RFC 5034), or USER and PASS (RFC 1939, 7).

use super::answer::{Answer, Meaning, No};
use super::commands::Command;
use super::explain;
use super::failed::{Failed, IN_USE};
use super::offers::Offers;
use super::wire::Wire;
use crate::error::Error;
use crate::mail::probe::Step;
use crate::mail::sasl::{Sasl, hide, status_of};
use crate::mail::secret::Secret;
use crate::mail::{Fault, FaultKind, clean};
use crate::profile::{Pop3, Proof};

/// How many questions a server may ask before it decides.
const CHALLENGES: usize = 4;

/// The longest line of an AUTH that says something at once (RFC 5034, 4), its end included.
const LONGEST_AUTH: usize = 255;

/// Logs in.
pub(super) fn login(
    account: &Pop3,
    secret: &Secret,
    wire: &mut Wire,
    offers: &Offers,
    steps: &mut Vec<Step>,
) -> Result<(), Fault> {
    let user = &account.login.user;
    if user.chars().any(char::is_control) {
        return Err(Fault::down(Error::other("the user's name has characters that no name has")));
    }
    let sasl = Sasl::new(account.login.proof, user, secret);
    let mechanisms = offers.mechanisms();
    let mut why = String::new();
    let (result, name) = match account.login.proof {
        _ if mechanisms.iter().any(|offered| offered == sasl.mechanism) => {
            (converse(wire, &sasl, &mut why), sasl.mechanism)
        }
        // Whoever does not say what it can do can do this at least.
        Proof::Password if !offers.known() || offers.has("USER") => {
            let named = wire.ask(Command::User(user));
            (named.and_then(|_| wire.ask(Command::Pass(secret.expose()))).map(drop), "USER")
        }
        proof => return Err(Fault::down(explain::no_mechanism(account, proof, &mechanisms))),
    };
    match result {
        Ok(()) => {
            steps.push(Step::ok("login", format!("{} ({name})", clean(user))));
            Ok(())
        }
        Err(failed) => {
            let hidden = |text: &str| hide(text, &[secret.expose(), &sasl.words]);
            Err(refused(account, &hidden, failed, &why))
        }
    }
}

/// The client's side of SASL: its words, silence to all other questions.
fn converse(wire: &mut Wire, sasl: &Sasl, why: &mut String) -> Result<(), Failed> {
    let at_once = Command::Auth(sasl.mechanism, Some(&sasl.words));
    let fits = at_once.line().len() <= LONGEST_AUTH;
    wire.begin();
    wire.send(&[if fits { at_once } else { Command::Auth(sasl.mechanism, None) }])?;
    // Whether the server has our words; one that asks for them did not hear those that came at once (RFC 1734).
    let mut heard = false;
    for _ in 0..CHALLENGES {
        let challenge = match wire.answer()? {
            Answer::Yes(_) => return Ok(()),
            Answer::No(no) => return Err(no.into()),
            Answer::More(challenge) => challenge,
        };
        let answer = if !heard && (!fits || challenge.is_empty()) {
            heard = true;
            &sasl.words
        } else if sasl.mechanism == "XOAUTH2" {
            // The explanation of a no; an empty answer brings the no itself.
            *why = status_of(&challenge).unwrap_or_default();
            ""
        } else {
            // RFC 5034, 4: we give up.
            "*"
        };
        wire.send(&[Command::Response(answer)])?;
    }
    Err(Failed::broken("it asks and asks, and never decides about the login"))
}

/// Why a login came to nothing: the user or the secret, or something that passes.
fn refused(account: &Pop3, hidden: &dyn Fn(&str) -> String, failed: Failed, why: &str) -> Fault {
    match failed {
        Failed::No(no) if is_about_login(&no) => {
            let text = format!("{} {why}", hidden(&no.text));
            Fault { kind: FaultKind::Login, error: explain::login(account, text.trim_end()) }
        }
        Failed::No(no) | Failed::Broken { bye: Some(no), .. } => {
            let text = hidden(&no.text);
            let error = match no.meaning() {
                Meaning::InUse => {
                    Error::other(format!("{} keeps the mailbox closed: {text}", account.server()))
                }
                _ => Error::other(format!("{} cannot check the login now: {text}", account.server())),
            };
            Fault::down(match no.meaning() {
                Meaning::InUse => error.hint(IN_USE),
                Meaning::Throttled => {
                    error.hint("it takes only so many logins or so much traffic: it goes on later")
                }
                Meaning::Denied => error.hint("that does not pass by itself: ask the server's operator"),
                _ => error.hint("it is tried again later"),
            })
        }
        failed => Fault::down(explain::broken(account, &hidden(&failed.to_string()))),
    }
}

/// Whether a no to a login is about user and secret, and not about the moment. What a server says without a code and
/// without telling words is taken for that: to try on with a secret that is refused brings a lock-out nearer.
fn is_about_login(no: &No) -> bool {
    matches!(no.meaning(), Meaning::Login | Meaning::Unknown)
}

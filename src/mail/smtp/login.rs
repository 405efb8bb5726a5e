//! AUTH (RFC 4954) with PLAIN, LOGIN or XOAUTH2.

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::Auth;

use super::connect::Session;
use super::explain;
use super::reply::{Failed, Reply, clean};
use crate::error::Error;
use crate::mail::secret::Secret;
use crate::mail::{Fault, FaultKind};
use crate::profile::{Login, Proof, Smtp};

/// How many questions a server may ask before it decides.
const CHALLENGES: usize = 4;

/// Logs in; the name of the mechanism that did it.
pub(super) async fn login(
    session: &mut Session,
    account: &Smtp,
    login: &Login,
    secret: &Secret,
) -> Result<&'static str, Fault> {
    if !session.private {
        // Not to be reached: such an account is refused before, and so is the connection.
        return Err(Fault::down(Error::other("no secret is sent over a line that others can read")));
    }
    let wanted: &[(Mechanism, &str)] = match login.proof {
        Proof::Password => &[(Mechanism::Plain, "PLAIN"), (Mechanism::Login, "LOGIN")],
        Proof::Token => &[(Mechanism::Xoauth2, "XOAUTH2")],
    };
    let offered = |name: &str| session.offers.auth.iter().any(|offer| offer == name);
    let Some((mechanism, name)) = wanted.iter().find(|(_, name)| offered(name)) else {
        return Err(Fault::down(explain::no_mechanism(account, login.proof, &session.offers.auth)));
    };
    let credentials = Credentials::new(login.user.clone(), secret.expose().to_owned());
    match converse(session, *mechanism, &credentials).await {
        Ok(()) => Ok(name),
        Err(Failed::No(reply)) if reply.is_transient() => Err(Fault::down(
            Error::other(format!(
                "{} cannot check the login now: {}",
                account.server(),
                hidden(&reply, secret)
            ))
            .hint("it is tried again later"),
        )),
        Err(Failed::No(reply)) => {
            let error = explain::login(account, &login.user, login.proof, &hidden(&reply, secret));
            Err(Fault { kind: FaultKind::Login, error })
        }
        Err(Failed::Broken(why)) => {
            let why = why.replace(secret.expose(), "***");
            Err(Fault::down(explain::broken(account, &why)))
        }
    }
}

/// A reply, should a server be so careless as to repeat what it was told.
fn hidden(reply: &Reply, secret: &Secret) -> String {
    reply.to_string().replace(secret.expose(), "***")
}

async fn converse(
    session: &mut Session,
    mechanism: Mechanism,
    credentials: &Credentials,
) -> Result<(), Failed> {
    let conn = &mut session.conn;
    let first = Auth::new(mechanism, credentials.clone(), None)?;
    let mut reply = conn.command(first).await?;
    for _ in 0..CHALLENGES {
        if !reply.has_code(334) {
            return Ok(());
        }
        reply = match mechanism {
            // A question after the token is the explanation of a no; an empty answer brings the no itself.
            Mechanism::Xoauth2 => {
                let why = reply.first_word().and_then(status_of).unwrap_or_default();
                match conn.command("\r\n").await {
                    Err(error) => {
                        return Err(match Failed::from(error) {
                            Failed::No(no) => Failed::No(Reply::new(no.code, &format!("{} {why}", no.text))),
                            broken => broken,
                        });
                    }
                    Ok(reply) => reply,
                }
            }
            _ => conn.command(Auth::new_from_response(mechanism, credentials.clone(), &reply)?).await?,
        };
    }
    Err(Failed::Broken("it asks and asks, and never decides about the login".into()))
}

/// The status in the explanation that Google and Microsoft give: base64 of JSON such as `{"status":"401", ...}`.
fn status_of(word: &str) -> Option<String> {
    let json: serde_json::Value =
        serde_json::from_slice(&mail_parser::decoders::base64::base64_decode(word.as_bytes())?).ok()?;
    let status = json.get("status")?;
    let status = status.as_str().map_or_else(|| status.to_string(), str::to_owned);
    Some(format!("(status {})", clean(&status).chars().take(20).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_refused_token_is_read() {
        // {"status":"400","schemes":"Bearer"}
        assert_eq!(
            status_of("eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=").as_deref(),
            Some("(status 400)")
        );
        for nonsense in ["", "!!!", "bm8ganNvbg==", "e30="] {
            assert_eq!(status_of(nonsense), None, "{nonsense}");
        }
    }
}

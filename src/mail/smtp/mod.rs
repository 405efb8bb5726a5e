//! A mail server that takes letters: the conversation (RFC 5321, RFC 6409), one recipient at a time.
//!
//! The commands are lettre's; what they are sent over, in which order, and what the answers mean is ours, because a
//! letter has an answer for each recipient, a size that a server may not take, and one deadline over everything: a
//! server that sends a byte a second keeps every timeout of a single read happy. This is the only place that is
//! asynchronous, for that deadline.

mod channel;
mod connect;
mod explain;
mod login;
mod reply;
mod wire;

use std::net::Ipv4Addr;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailBodyParameter, MailParameter};

use self::connect::{Session, connect};
pub use self::wire::Wire;

use self::reply::Failed;
use super::probe::Step;
use super::secret::Secret;
use super::{Answer, Fault, FaultKind, Parcel};
use crate::error::Error;
use crate::profile::Smtp;

/// Connects and logs in, sends nothing, and tells each step.
pub(super) fn look(account: &Smtp, secret: Option<&Secret>, hello: &str, deadline: Duration) -> Vec<Step> {
    let mut steps = Vec::new();
    let looked = Wire::default().within(account, deadline, async {
        let mut session = open(account, secret, hello, &mut steps).await?;
        steps.push(Step::ok("limits", limits(&session)));
        let _ = session.conn.command(Quit).await;
        Ok(())
    });
    if let Err(fault) = looked {
        // The step after the last one that went well.
        let name = match steps.last().map(|step| step.name) {
            None => "resolve",
            Some("resolve") => "connect",
            Some("connect") if account.tls != crate::profile::Tls::None => "tls",
            Some("login") => "limits",
            _ => {
                if fault.kind == FaultKind::Login {
                    "login"
                } else {
                    "greeting"
                }
            }
        };
        steps.push(Step { name, result: Err(fault.error) });
    }
    steps
}

async fn open(
    account: &Smtp,
    secret: Option<&Secret>,
    hello: &str,
    steps: &mut Vec<Step>,
) -> Result<Session, Fault> {
    let mut session = connect(account, &client_id(hello), steps).await.map_err(Fault::down)?;
    if let Some(login) = &account.login {
        let Some(secret) = secret else {
            return Err(Fault::down(Error::other(format!("there is no secret for {}", account.server()))));
        };
        let mechanism = login::login(&mut session, account, login, secret).await?;
        steps.push(Step::ok("login", format!("{} ({mechanism})", reply::clean(&login.user))));
    }
    Ok(session)
}

/// The letter itself.
async fn converse(account: &Smtp, session: &mut Session, parcel: &Parcel<'_>) -> Result<Vec<Answer>, Fault> {
    // lettre ends the letter with a line end of its own.
    let mail = parcel.mail.strip_suffix(b"\r\n").unwrap_or(parcel.mail);
    let size = mail.len() + 2;
    if let Some(limit) = session.offers.limit().filter(|limit| size as u64 > *limit) {
        return Err(too_large(account, &format!("it takes {limit} bytes, and the letter has {size}")));
    }
    let mut parameters = Vec::new();
    if session.offers.size.is_some() {
        parameters.push(MailParameter::Size(size));
    }
    let broken = |why: &str| Fault::down(explain::broken(account, why));
    let all = |answer: Answer| Ok(vec![answer; parcel.recipients.len()]);
    if !mail.is_ascii() {
        // An address beyond ASCII stands in the envelope and in the headers (RFC 6531, 3.4).
        if !(session.offers.utf8 && session.offers.eight_bit) {
            return all(Answer::Refused("the server takes no addresses beyond ASCII".into()));
        }
        parameters.push(MailParameter::SmtpUtfEight);
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let sender = match (parcel.sender, parcel.sender.parse::<Address>()) {
        ("", _) => None,
        (_, Ok(address)) => Some(address),
        (text, Err(_)) => {
            return all(Answer::Refused(format!("the sender {} is no mail address", reply::clean(text))));
        }
    };
    match session.conn.command(Mail::new(sender, parameters)).await.map_err(Failed::from) {
        Ok(_) => {}
        Err(Failed::No(no)) if no.is_too_large() => return Err(too_large(account, &no.to_string())),
        Err(Failed::No(no)) if no.code == 421 => return Err(broken(&no.to_string())),
        Err(Failed::No(no)) => return all(no.answer()),
        Err(Failed::Broken(why)) => return Err(broken(&why)),
    }
    let mut answers = Vec::new();
    for recipient in parcel.recipients {
        let Ok(address) = recipient.parse::<Address>() else {
            answers.push(Answer::Refused("this is no mail address".into()));
            continue;
        };
        match session.conn.command(Rcpt::new(address, Vec::new())).await.map_err(Failed::from) {
            Ok(_) => answers.push(Answer::Accepted),
            // The server is about to hang up.
            Err(Failed::No(no)) if no.code == 421 => return Err(broken(&no.to_string())),
            // RFC 5321, 4.5.3.1.10: here 552 stands for "too many recipients", which is no last word.
            Err(Failed::No(no)) if no.code == 552 => answers.push(Answer::Later(no.to_string())),
            Err(Failed::No(no)) => answers.push(no.answer()),
            Err(Failed::Broken(why)) => return Err(broken(&why)),
        }
    }
    if !answers.contains(&Answer::Accepted) {
        return Ok(answers);
    }
    let end = match session.conn.command(Data).await.map_err(Failed::from) {
        Ok(_) => session.conn.message(mail).await.map_err(Failed::from),
        Err(failed) => Err(failed),
    };
    let answer = match end {
        Ok(_) => return Ok(answers),
        Err(Failed::No(no)) if no.is_too_large() => return Err(too_large(account, &no.to_string())),
        Err(Failed::No(no)) => no.answer(),
        // It may have taken the letter: the next try has the same Message-ID.
        Err(Failed::Broken(why)) => {
            session.broken = true;
            Answer::Later(format!("the server broke off before it confirmed the letter: {why}"))
        }
    };
    for accepted in answers.iter_mut().filter(|known| **known == Answer::Accepted) {
        *accepted = answer.clone();
    }
    Ok(answers)
}

fn too_large(account: &Smtp, why: &str) -> Fault {
    let error = Error::other(format!("the letter is too large for {}: {why}", account.server()))
        .hint("attach-log-max under [report] makes letters smaller");
    Fault { kind: FaultKind::TooLarge, error }
}

/// What a server takes, for a person.
fn limits(session: &Session) -> String {
    let offers = &session.offers;
    let size = match (offers.size, offers.limit()) {
        (_, Some(limit)) => format!("letters up to {}", crate::figures::size(limit)),
        (Some(_), None) => "letters of any size".into(),
        (None, None) => "says nothing about the size of letters".into(),
    };
    let utf8 = if offers.utf8 { ", addresses beyond ASCII" } else { "" };
    format!("{size}{utf8}")
}

/// The name that we greet with (RFC 5321, 4.1.1.1): a domain, or an address where the machine's name is none.
fn client_id(name: &str) -> ClientId {
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253
        && name.split('.').all(label)
        && !name.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    {
        return ClientId::Domain(name.to_owned());
    }
    ClientId::Ipv4(Ipv4Addr::LOCALHOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_greet_with_a_name_or_an_address() {
        for (name, hello) in [
            ("nas1", "nas1"),
            ("nas1.home.lan", "nas1.home.lan"),
            ("my nas", "[127.0.0.1]"),
            ("a\r\nMAIL", "[127.0.0.1]"),
            ("-x", "[127.0.0.1]"),
            ("10.0.0.1", "[127.0.0.1]"),
            ("", "[127.0.0.1]"),
        ] {
            assert_eq!(client_id(name).to_string(), hello, "{name:?}");
        }
    }
}

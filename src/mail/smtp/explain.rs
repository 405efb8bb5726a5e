//! What goes wrong between here and a server, in words, with what to do.

use std::io;

use super::reply::{Failed, clean};
use crate::entry::show;
use crate::error::{Error, Kind};
use crate::mail::certificate;
use crate::profile::{Preset, Proof, Smtp, Tls};

/// No connection came about.
pub(super) fn unreachable(account: &Smtp, cause: io::Error) -> Error {
    let hint = match cause.kind() {
        io::ErrorKind::ConnectionRefused => {
            "nothing listens there: is the port right, and does the server run?"
        }
        io::ErrorKind::TimedOut => {
            "a firewall may be in the way; many networks block port 25, so use 465 or 587 with a login"
        }
        _ => "is there a network?",
    };
    Error::other(format!("cannot reach the mail server {}", account.server())).caused_by(cause).hint(hint)
}

/// The server did not greet us as one that takes letters does.
pub(super) fn greeting(account: &Smtp, failed: &Failed) -> Error {
    match failed {
        Failed::No(reply) => Error::other(format!("{} does not want to talk: {reply}", account.server())),
        Failed::Broken(why) => broken(account, why),
    }
}

/// The connection broke.
pub(super) fn broken(account: &Smtp, why: &str) -> Error {
    let error =
        Error::other(format!("the conversation with {} broke off", account.server())).caused_by(clean(why));
    match (account.tls, account.port) {
        (Tls::Starttls | Tls::None, 465) => {
            error.hint("port 465 mostly wants TLS from the start: tls = \"implicit\"")
        }
        _ => error,
    }
}

/// What answers is no mail server, or speaks TLS already.
pub(super) fn no_smtp(account: &Smtp, said: &[u8]) -> Error {
    let said = show(&said[..said.len().min(60)]);
    Error::other(format!(
        "what answers at {} is no mail server that waits for STARTTLS: {said}",
        account.server()
    ))
    .hint("if the port is 465, write tls = \"implicit\"")
}

/// A server without STARTTLS, or somebody who hides it.
pub(super) fn no_starttls(account: &Smtp) -> Error {
    Error::other(format!("{} offers no TLS, so neither login nor letter is sent to it", account.server()))
        .hint("somebody on the way may hide it (some routers and virus scanners do): try another network")
        .hint("if the server has TLS on port 465, write port = 465 and tls = \"implicit\"")
}

/// Words that came between the answer to STARTTLS and TLS.
pub(super) fn injected(account: &Smtp) -> Error {
    Error::other(format!(
        "more than an answer came from {} before TLS began: somebody on the way may put words into its mouth",
        account.server()
    ))
    .hint("try another network; if it stays so, tell the server's operator")
}

/// TLS did not come about.
pub(super) fn tls(account: &Smtp, cause: io::Error) -> Error {
    let server = account.server();
    let inner = cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(wrong)) = inner else {
        let error = Error::other(format!("no TLS with {server}"));
        return match inner {
            Some(rustls::Error::InvalidMessage(_)) => error
                .caused_by("what it says is no TLS")
                .hint("if the port is 587 or 25, write tls = \"starttls\""),
            Some(known) => error.caused_by(clean(&known.to_string())),
            None => error.caused_by(cause).hint("if the port is 587 or 25, write tls = \"starttls\""),
        };
    };
    certificate::refused(wrong, &server, &account.host, "smtp")
}

/// The server refuses user or secret.
pub(super) fn login(account: &Smtp, user: &str, proof: Proof, reply: &str) -> Error {
    let error = Error::new(
        Kind::Login,
        format!("{} refuses the login of {}: {reply}", account.server(), clean(user)),
    );
    match (account.preset, proof) {
        (Some(preset), Proof::Password) => error.hint(preset.help()),
        (Some(Preset::Outlook | Preset::Gmail), Proof::Token) => {
            error.hint("the token may be expired or without the right to send: run the token-command by hand")
        }
        (_, Proof::Token) => error.hint("the token may be expired: run the token-command by hand"),
        (None, Proof::Password) => error.hint(
            "is the password right? Many providers want one made for programs (an \"app password\") and not the account's own",
        ),
    }
}

/// The server takes no kind of login that we have.
pub(super) fn no_mechanism(account: &Smtp, proof: Proof, offered: &[String]) -> Error {
    let server = account.server();
    let wanted = match proof {
        Proof::Password => "a password (PLAIN or LOGIN)",
        Proof::Token => "a token (XOAUTH2)",
    };
    if offered.is_empty() {
        return Error::other(format!("{server} takes no login at all here"))
            .hint("if it takes letters from this machine without one, leave user and secret out; else try port 465 or 587");
    }
    let error =
        Error::other(format!("{server} takes no login with {wanted}, but: {}", clean(&offered.join(", "))));
    match proof {
        Proof::Password if offered.iter().any(|offer| offer == "XOAUTH2") => {
            error.hint("it wants a token of OAuth 2: use token-command")
        }
        _ => error,
    }
}

/// The deadline passed.
pub(super) fn deadline(account: &Smtp, seconds: u64) -> Error {
    Error::other(format!("{} did not come to an end within {seconds} seconds", account.server())).hint(
        match account.tls {
            Tls::Starttls => {
                "the server is very slow, or it waits for TLS from the start: tls = \"implicit\""
            }
            Tls::Implicit | Tls::None => "the server or the network is very slow",
        },
    )
}

//! What goes wrong between here and a server of POP3, in words, with what to do.

use std::io;

use super::answer::No;
use crate::error::{Error, Kind};
use crate::mail::{certificate, clean};
use crate::profile::{Pop3, Preset, Proof, Tls};

/// No connection came about.
pub(super) fn unreachable(account: &Pop3, cause: io::Error) -> Error {
    let hint = match cause.kind() {
        io::ErrorKind::ConnectionRefused => {
            "nothing listens there: is the port right, does the server run, and is POP3 turned on there?"
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            "a firewall may be in the way: is the port right?"
        }
        _ => "is there a network?",
    };
    Error::other(format!("cannot reach the mail server {}", account.server())).caused_by(cause).hint(hint)
}

/// The server greeted us with a no, or says one where it should begin TLS.
pub(super) fn greeting(account: &Pop3, no: &No) -> Error {
    Error::other(format!("{} does not want to talk: {no}", account.server()))
        .hint("it may have too many connections, or be at work on itself: it is tried again later")
}

/// The connection broke.
pub(super) fn broken(account: &Pop3, why: &str) -> Error {
    let error =
        Error::other(format!("the conversation with {} broke off", account.server())).caused_by(clean(why));
    match (account.tls, account.port) {
        (Tls::Starttls | Tls::None, 995) => {
            error.hint("port 995 mostly wants TLS from the start: tls = \"implicit\"")
        }
        _ => error,
    }
}

/// What answers is another service, or speaks TLS already.
pub(super) fn no_pop3(account: &Pop3) -> Error {
    let error = Error::other(format!("what answers at {} does not speak POP3", account.server()));
    match account.tls {
        Tls::Starttls | Tls::None => error.hint("if the port is 995, write tls = \"implicit\""),
        Tls::Implicit => error.hint("is the port right?"),
    }
}

/// A server without STLS, or somebody who hides it.
pub(super) fn no_stls(account: &Pop3) -> Error {
    Error::other(format!("{} offers no TLS, so no login is sent to it", account.server()))
        .hint("somebody on the way may hide it (some routers and virus scanners do): try another network")
        .hint("if the server has TLS on port 995, write port = 995 and tls = \"implicit\"")
}

/// Words that came between the answer to STLS and TLS.
pub(super) fn injected(account: &Pop3) -> Error {
    Error::other(format!(
        "more than an answer came from {} before TLS began: somebody on the way may put words into its mouth",
        account.server()
    ))
    .hint("try another network; if it stays so, tell the server's operator")
}

/// TLS did not come about.
pub(super) fn tls(account: &Pop3, cause: io::Error) -> Error {
    let server = account.server();
    let inner = cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let error = Error::other(format!("no TLS with {server}"));
    let starttls = "if the port is 110, write tls = \"starttls\"";
    match inner {
        Some(rustls::Error::InvalidCertificate(wrong)) => {
            certificate::refused(wrong, &server, &account.host, "pop3")
        }
        Some(rustls::Error::InvalidMessage(_)) => error.caused_by("what it says is no TLS").hint(starttls),
        Some(known) => error.caused_by(clean(&known.to_string())),
        None => error.caused_by(cause).hint(starttls),
    }
}

/// The server refuses user or secret.
pub(super) fn login(account: &Pop3, reply: &str) -> Error {
    let login = &account.login;
    let error = Error::new(
        Kind::Login,
        format!("{} refuses the login of {}: {}", account.server(), clean(&login.user), clean(reply)),
    );
    match (account.preset, login.proof) {
        (Some(preset), Proof::Password) => {
            error.hint(preset.help()).hint("is POP3 turned on in the settings of that mailbox?")
        }
        (Some(Preset::Outlook | Preset::Gmail), Proof::Token) => error.hint(
            "the token may be expired or without the right to mailboxes: run the token-command by hand",
        ),
        (_, Proof::Token) => error.hint("the token may be expired: run the token-command by hand"),
        (None, Proof::Password) => error
            .hint("is the password right, and is POP3 turned on in the settings of that mailbox?")
            .hint("many providers want a password made for programs (an \"app password\") and not the account's own"),
    }
}

/// The server takes no kind of login that we have.
pub(super) fn no_mechanism(account: &Pop3, proof: Proof, offered: &[String]) -> Error {
    let server = account.server();
    let wanted = match proof {
        Proof::Password => "a password (PLAIN or USER)",
        Proof::Token => "a token (XOAUTH2)",
    };
    if offered.is_empty() {
        return Error::other(format!("{server} takes no login with {wanted} here"))
            .hint("try port 995 with tls = \"implicit\"");
    }
    let offered: Vec<_> = offered.iter().take(20).map(|name| clean(name)).collect();
    let error = Error::other(format!("{server} takes no login with {wanted}, but: {}", offered.join(", ")));
    match proof {
        Proof::Password if offered.iter().any(|name| name == "XOAUTH2") => {
            error.hint("it wants a token of OAuth 2: use token-command")
        }
        _ => error,
    }
}

/// The server has no UIDL.
pub(super) fn no_ids(server: &str, no: &No) -> Error {
    Error::other(format!("{server} gives its messages no lasting ids (it has no UIDL)"))
        .caused_by(no.to_string())
        .hint("nobody could tell which messages were fetched before: use the mailbox by imap, if it has that")
}

/// The server has no TOP.
pub(super) fn no_top(server: &str) -> Error {
    Error::other(format!("{server} hands out whole messages only (it has no TOP)"))
}

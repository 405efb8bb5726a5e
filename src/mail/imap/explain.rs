//! What goes wrong between here and a server of mailboxes, in words, with what to do.

use std::io;

use super::answer::No;
use crate::error::{Error, Kind};
use crate::mail::{certificate, clean};
use crate::profile::{Imap, Preset, Proof, Tls};

/// No connection came about.
pub(super) fn unreachable(account: &Imap, cause: io::Error) -> Error {
    let hint = match cause.kind() {
        io::ErrorKind::ConnectionRefused => {
            "nothing listens there: is the port right, and does the server run?"
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            "a firewall may be in the way: is the port right?"
        }
        _ => "is there a network?",
    };
    Error::other(format!("cannot reach the mail server {}", account.server())).caused_by(cause).hint(hint)
}

/// The server did not greet us as one that keeps mailboxes does.
pub(super) fn greeting(account: &Imap, no: &No) -> Error {
    Error::other(format!("{} does not want to talk: {no}", account.server()))
        .hint("it may have too many connections, or be at work on itself: it is tried again later")
}

/// The connection broke.
pub(super) fn broken(account: &Imap, why: &str) -> Error {
    let error =
        Error::other(format!("the conversation with {} broke off", account.server())).caused_by(clean(why));
    match (account.tls, account.port) {
        (Tls::Starttls | Tls::None, 993) => {
            error.hint("port 993 mostly wants TLS from the start: tls = \"implicit\"")
        }
        _ => error,
    }
}

/// What answers keeps no mailboxes, or speaks TLS already.
pub(super) fn no_imap(account: &Imap) -> Error {
    let error = Error::other(format!("what answers at {} does not speak IMAP", account.server()));
    match account.tls {
        Tls::Starttls | Tls::None => error.hint("if the port is 993, write tls = \"implicit\""),
        Tls::Implicit => error.hint("is the port right?"),
    }
}

/// A server without STARTTLS, or somebody who hides it.
pub(super) fn no_starttls(account: &Imap) -> Error {
    Error::other(format!("{} offers no TLS, so no login is sent to it", account.server()))
        .hint("somebody on the way may hide it (some routers and virus scanners do): try another network")
        .hint("if the server has TLS on port 993, write port = 993 and tls = \"implicit\"")
}

/// Words that came between the answer to STARTTLS and TLS.
pub(super) fn injected(account: &Imap) -> Error {
    Error::other(format!(
        "more than an answer came from {} before TLS began: somebody on the way may put words into its mouth",
        account.server()
    ))
    .hint("try another network; if it stays so, tell the server's operator")
}

/// TLS did not come about.
pub(super) fn tls(account: &Imap, cause: io::Error) -> Error {
    let server = account.server();
    let inner = cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let error = Error::other(format!("no TLS with {server}"));
    let starttls = "if the port is 143, write tls = \"starttls\"";
    match inner {
        Some(rustls::Error::InvalidCertificate(wrong)) => {
            certificate::refused(wrong, &server, &account.host, "imap")
        }
        Some(rustls::Error::InvalidMessage(_)) => error.caused_by("what it says is no TLS").hint(starttls),
        Some(known) => error.caused_by(clean(&known.to_string())),
        None => error.caused_by(cause).hint(starttls),
    }
}

/// The server refuses user or secret.
pub(super) fn login(account: &Imap, reply: &str) -> Error {
    let login = &account.login;
    let error = Error::new(
        Kind::Login,
        format!("{} refuses the login of {}: {}", account.server(), clean(&login.user), clean(reply)),
    );
    match (account.preset, login.proof) {
        (Some(preset), Proof::Password) => error.hint(preset.help()),
        (Some(Preset::Outlook | Preset::Gmail), Proof::Token) => error.hint(
            "the token may be expired or without the right to mailboxes: run the token-command by hand",
        ),
        (_, Proof::Token) => error.hint("the token may be expired: run the token-command by hand"),
        (None, Proof::Password) => error.hint(
            "is the password right? Many providers want one made for programs (an \"app password\") and not the account's own",
        ),
    }
}

/// The server takes no kind of login that we have.
pub(super) fn no_mechanism(account: &Imap, proof: Proof, offered: &[&str]) -> Error {
    let server = account.server();
    let wanted = match proof {
        Proof::Password => "a password (PLAIN or LOGIN)",
        Proof::Token => "a token (XOAUTH2)",
    };
    if offered.is_empty() {
        return Error::other(format!("{server} takes no login with {wanted} here"))
            .hint("try port 993 with tls = \"implicit\"");
    }
    let error = Error::other(format!("{server} takes no login with {wanted}, but: {}", offered.join(", ")));
    match proof {
        Proof::Password if offered.contains(&"XOAUTH2") => {
            error.hint("it wants a token of OAuth 2: use token-command")
        }
        _ => error,
    }
}

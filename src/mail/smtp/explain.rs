//! What goes wrong between here and a server, in words, with what to do.

use std::io;

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::reply::{Failed, clean};
use crate::entry::show;
use crate::error::{Error, Kind};
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
    let said =
        |what: String| Error::other(format!("the certificate of {server} {what}, so nothing was sent"));
    match wrong {
        CertificateError::UnknownIssuer => said(
            "is from an authority that this machine does not trust".into(),
        )
        .hint("for a server of your own, name its authority: ca-file = \"/path/ca.pem\" in the smtp table")
        .hint(
            "for a provider's server it means that somebody is listening in, or that ca-certificates is old",
        ),
        CertificateError::Expired => said("has expired".into()).hint("its operator must renew it"),
        CertificateError::ExpiredContext { not_after, .. } => said(format!("expired on {}", day(*not_after)))
            .hint("its operator must renew it; or is this clock wrong?"),
        CertificateError::NotValidYet => {
            said("is not valid yet".into()).hint("is this machine's clock right?")
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            said(format!("is valid from {} on", day(*not_before))).hint("is this machine's clock right?")
        }
        CertificateError::NotValidForName => said(format!("is not for {}", account.host)),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented.iter().take(5).map(|name| clean(name)).collect();
            said(format!("is not for {}, but for {}", account.host, names.join(", ")))
                .hint("write the name that is in the certificate as `host`")
        }
        other => said(format!("cannot be trusted ({})", clean(&format!("{other:?}")))),
    }
}

/// A day as `2026-11-23`.
fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "?".into(), |time| time.strftime("%Y-%m-%d").to_string())
}

/// Issuer and expiry of a certificate: `, issued by WE2 (Google Trust Services), valid until 2026-12-01`.
pub(super) fn certificate(der: &CertificateDer<'_>) -> String {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return String::new() };
    let issuer = certificate.issuer();
    let name = issuer.iter_common_name().next().and_then(|name| name.as_str().ok()).map(clean);
    let company = issuer.iter_organization().next().and_then(|name| name.as_str().ok()).map(clean);
    let issuer = match (name, company) {
        (Some(name), Some(company)) => format!("{name} ({company})"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "nobody by name".into(),
    };
    let until = jiff::Timestamp::from_second(certificate.validity().not_after.timestamp());
    let until = until.map_or_else(|_| "?".into(), |time| time.strftime("%Y-%m-%d").to_string());
    format!(", issued by {issuer}, valid until {until}")
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

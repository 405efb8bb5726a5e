//! Certificates of servers, in words: what is in one, and why one is refused.

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::clean;
use crate::error::Error;

/// Why a certificate is refused; `host` is the name that we asked for, `table` the account's table with `ca-file`.
pub(super) fn refused(wrong: &CertificateError, server: &str, host: &str, table: &str) -> Error {
    let said =
        |what: String| Error::other(format!("the certificate of {server} {what}, so nothing was sent"));
    match wrong {
        CertificateError::UnknownIssuer => said(
            "is from an authority that this machine does not trust".into(),
        )
        .hint(format!(
            "for a server of your own, name its authority: ca-file = \"/path/ca.pem\" in the {table} table"
        ))
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
        CertificateError::NotValidForName => said(format!("is not for {host}")),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented.iter().take(5).map(|name| clean(name)).collect();
            said(format!("is not for {host}, but for {}", names.join(", ")))
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
pub(super) fn describe(der: &CertificateDer<'_>) -> String {
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

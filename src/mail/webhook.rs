//! HTTP requests to addresses that the user names: a report for when no mail gets through, and heartbeats.

use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::roots;
use crate::error::{Error, Result};
use crate::profile::Webhook;

/// What is sent, and how.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    /// Its `Content-Type`.
    pub kind: &'a str,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Why a request did not get there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In words that name no address, for it may hold a token: `answered with HTTP status 500`.
    pub what: String,
    /// Whether another try may help.
    pub passes: bool,
}

/// Posts `json`. Any 2xx is a yes; redirects are not followed, since they would take the report elsewhere.
///
/// # Errors
/// It did not get there. The address may hold a token: only its host is named.
pub fn post(hook: &Webhook, json: &[u8], deadline: Duration) -> Result<()> {
    send(&hook.0, Body { kind: "application/json", bytes: json }, deadline)
        .map_err(|refusal| Error::other(format!("the webhook at {} {}", hook.host(), refusal.what)))
}

/// Posts to an address. Any 2xx is a yes; redirects are not followed.
///
/// # Errors
/// It did not get there.
pub fn send(url: &str, body: Body<'_>, deadline: Duration) -> Result<(), Refusal> {
    let response = agent(deadline).post(url).content_type(body.kind).send(body.bytes).map_err(|error| {
        let (passes, what) = match error {
            ureq::Error::Timeout(_) => {
                (true, format!("did not answer within {} seconds", deadline.as_secs()))
            }
            ureq::Error::HostNotFound => (true, "cannot be found".into()),
            ureq::Error::Io(cause) => (true, format!("cannot be reached: {cause}")),
            ureq::Error::ConnectionFailed => (true, "cannot be reached".into()),
            ureq::Error::Rustls(cause) => (false, format!("is not to be trusted: {cause}")),
            // The other errors may quote the address.
            _ => (false, "did not take it".into()),
        };
        Refusal { what, passes }
    })?;
    match response.status().as_u16() {
        200..=299 => Ok(()),
        code => Err(Refusal { what: format!("answered with HTTP status {code}"), passes: code >= 500 }),
    }
}

fn agent(deadline: Duration) -> ureq::Agent {
    let certificates = roots::system().iter().map(|der| ureq::tls::Certificate::from_der(der).to_owned());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::Specific(Arc::new(certificates.collect())))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    ureq::Agent::config_builder()
        .timeout_global(Some(deadline))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .tls_config(tls)
        .user_agent(concat!("postkeep/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

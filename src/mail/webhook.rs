//! A report as an HTTP request, for when no mail gets through.

use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::smtp::roots;
use crate::error::{Error, Result};
use crate::profile::Webhook;

/// Posts `json`. Any 2xx is a yes; redirects are not followed, since they would take the report elsewhere.
///
/// # Errors
/// It did not get there. The address may hold a token: only its host is named.
pub fn post(hook: &Webhook, json: &[u8], deadline: Duration) -> Result<()> {
    let host = hook.host().to_owned();
    let failed = |what: String| Error::other(format!("the webhook at {host} {what}"));
    let certificates = roots::system().iter().map(|der| ureq::tls::Certificate::from_der(der).to_owned());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::Specific(Arc::new(certificates.collect())))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(deadline))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .tls_config(tls)
        .user_agent(concat!("postkeep/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let response = agent.post(&hook.0).content_type("application/json").send(json).map_err(|error| {
        failed(match error {
            ureq::Error::Timeout(_) => format!("did not answer within {} seconds", deadline.as_secs()),
            ureq::Error::HostNotFound => "cannot be found".into(),
            ureq::Error::Io(cause) => format!("cannot be reached: {cause}"),
            ureq::Error::Rustls(cause) => format!("is not to be trusted: {cause}"),
            // The other errors may quote the address.
            _ => "did not take the report".into(),
        })
    })?;
    match response.status().as_u16() {
        200..=299 => Ok(()),
        code => Err(failed(format!("answered with HTTP status {code}"))),
    }
}

//! Whom we trust: the certificate authorities of the system, or those of a file.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::entry::show;
use crate::error::{Context, Error, Result};

/// The most bytes of a `ca-file`: the whole set of a system has a quarter of that.
const MOST: u64 = 4 << 20;

/// The authorities of this machine, read once.
pub(super) fn system() -> &'static [CertificateDer<'static>] {
    static SYSTEM: LazyLock<Vec<CertificateDer<'static>>> =
        LazyLock::new(|| rustls_native_certs::load_native_certs().certs);
    &SYSTEM
}

/// The client's side of TLS: certificates are always verified, against `ca_file` alone where there is one.
pub(super) fn config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let mut store = RootCertStore::empty();
    match ca_file {
        None => drop(store.add_parsable_certificates(system().iter().cloned())),
        Some(path) => {
            let shown = show(path.as_os_str().as_encoded_bytes());
            let cannot = || format!("cannot read the certificates in {shown}");
            let meta = std::fs::metadata(path).context(cannot)?;
            if !meta.is_file() || meta.len() > MOST {
                return Err(Error::other(cannot()).hint("ca-file wants a small file in PEM form"));
            }
            for found in CertificateDer::pem_file_iter(path).context(cannot)? {
                store.add(found.context(cannot)?).context(cannot)?;
            }
            if store.is_empty() {
                return Err(Error::other(format!("there is no certificate in {shown}"))
                    .hint("ca-file wants PEM: a block that begins with -----BEGIN CERTIFICATE-----"));
            }
        }
    }
    if store.is_empty() {
        return Err(Error::other("this machine knows no certificate authority, so no server can be trusted")
            .hint("install the package ca-certificates, or name one with ca-file"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context(|| "cannot set up TLS".into())?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

//! A session with the secret that was taken last, or with a fresh token.

use std::sync::Mutex;

use super::secret::{self, Secret};
use super::{Fault, FaultKind};
use crate::mutex::lock;
use crate::profile::{Login, Proof};

/// Opens something with the secret that is kept. A token lives an hour: one that is refused is fetched anew, once, and
/// kept.
///
/// # Errors
/// Those of `open`.
pub(super) fn opened<T>(
    login: &Login,
    kept: &Mutex<Secret>,
    open: impl Fn(&Secret) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let secret = lock(kept).clone();
    let opened = open(&secret);
    let refused = matches!(&opened, Err(fault) if fault.kind == FaultKind::Login);
    if !refused || login.proof != Proof::Token {
        return opened;
    }
    match secret::fetch(&login.secret) {
        Ok(fresh) if fresh != secret => {
            let opened = open(&fresh);
            *lock(kept) = fresh;
            opened
        }
        _ => opened,
    }
}

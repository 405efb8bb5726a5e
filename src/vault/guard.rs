//! The border to rustic_core: what goes wrong behind it comes out as an error of ours.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rustic_core::{RusticError, RusticResult};

use super::adapter::Adapter;
use crate::error::{Error, Kind};

/// Lets the library work. It panics on some errors of the store, and wraps others as text: the store's own error is
/// preferred, which has its kind and its hints.
pub(super) fn call<T>(
    backend: &Adapter,
    what: impl Fn() -> String,
    work: impl FnOnce() -> RusticResult<T>,
) -> Result<T, Error> {
    backend.begin();
    // What it worked on is dropped by its callers after an error: nothing half changed is looked at again.
    let failed = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => translated(&error, &what()),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Error::other(what()).caused_by(format!(
                "the vault library stopped unexpectedly: {}",
                said.unwrap_or_else(|| "it said nothing".into())
            ))
        }
    };
    Err(backend.failure().unwrap_or(failed))
}

/// An error of the library's own.
pub(super) fn translated(error: &RusticError, what: &str) -> Error {
    if error.is_incorrect_password() {
        return Error::new(Kind::WrongPassword, "the password does not open the vault")
            .hint("look at the profile's password-command or password-file, or give another one");
    }
    Error::other(what).caused_by(sentence(error))
}

/// What the library says about an error, in one line.
pub(super) fn sentence(error: &RusticError) -> String {
    let text = error.display_log();
    let text = text.strip_prefix("Error: ").unwrap_or(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

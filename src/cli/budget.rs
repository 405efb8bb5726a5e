//! What a verb that reads a vault says and answers where a provider's budget stops it.

use crate::error::{Error, Kind};

/// What to do about it.
pub(super) const NOW: &str = "if you need it now: download-per-day = false in the account's imap table";

/// Says with a pause what to do about it.
pub(super) fn hinted(error: Error) -> Error {
    match error.kind() {
        Kind::Paused => error.hint(NOW),
        _ => error,
    }
}

/// The exit code of a verb that goes on after `why`, if it would have been `before`: whatever is wrong with the vault is
/// worse than a pause.
pub(super) fn code(before: u8, why: &Error) -> u8 {
    match (before, why.kind()) {
        (0 | 3, Kind::Paused) => 3,
        _ => 1,
    }
}

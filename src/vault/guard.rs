//! The border to rustic_core: what goes wrong behind it comes out as an error of ours.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use rustic_core::{RusticError, RusticResult};

use super::adapter::Adapter;
use crate::error::{Error, Kind};

/// What went wrong behind the border, and where.
pub(super) enum Failed {
    /// The store cannot be read or written.
    Store(Error),
    /// The library does not take what it was given.
    Library(Error),
}

/// Lets the library work. It panics on some errors of the store, and wraps others as text: the store's own error is
/// preferred, which has its kind and its hints.
pub(super) fn call<T>(
    backend: &Adapter,
    what: impl Fn() -> String,
    work: impl FnOnce() -> RusticResult<T>,
) -> Result<T, Error> {
    attempt(backend, what, work).map_err(|failed| match failed {
        Failed::Store(error) | Failed::Library(error) => error,
    })
}

/// The same, for who has to know where it went wrong.
pub(super) fn attempt<T>(
    backend: &Adapter,
    what: impl Fn() -> String,
    work: impl FnOnce() -> RusticResult<T>,
) -> Result<T, Failed> {
    hush();
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
    Err(backend.failure().map_or(Failed::Library(failed), Failed::Store))
}

/// Keeps one kind of panic off the terminal: the library's threads that read trees panic when nobody waits for their answer
/// any more, because an earlier one was an error. That error is told.
fn hush() {
    static HUSHED: Once = Once::new();
    HUSHED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let of_library = panic.location().is_some_and(|at| at.file().contains("rustic_core"));
            let said = panic.payload().downcast_ref::<String>();
            if !(of_library && said.is_some_and(|said| said.contains("SendError"))) {
                before(panic);
            }
        }));
    });
}

/// An error of the library's own.
pub(super) fn translated(error: &RusticError, what: &str) -> Error {
    if error.is_incorrect_password() {
        return Error::new(Kind::WrongPassword, "the password does not open the vault");
    }
    let said = sentence(error);
    if let Some(tree) = lost_tree(&said) {
        return Error::other(what)
            .caused_by(format!("a folder's list of entries is lost ({tree})"))
            .hint("its pack may still be there: postkeep vault repair PROFILE")
            .hint("what is lost for good is named by: postkeep verify PROFILE");
    }
    Error::other(what).caused_by(said)
}

/// The tree that the library means when it says that one is in no index.
pub(super) fn lost_tree(said: &str) -> Option<String> {
    let (_, id) = said.split_once("Tree ID `").filter(|_| said.contains("not found in index"))?;
    Some(format!("tree {}", id.chars().take_while(char::is_ascii_hexdigit).take(8).collect::<String>()))
}

/// What the library says about an error, in one line.
pub(super) fn sentence(error: &RusticError) -> String {
    brief(&error.display_log())
}

/// An error in an error is a whole report, with advice, addresses and, where the environment asks for it, the functions
/// that were at work: of that only the message is told.
fn brief(text: &str) -> String {
    let text = text.strip_prefix("Error: ").unwrap_or(text);
    let Some((outer, inner)) = text.split_once("`rustic_core` experienced an error") else {
        return line(text);
    };
    let outer = outer.split(" (kind: ").next().unwrap_or(outer);
    let inner = inner.rsplit("Message:").next().unwrap_or(inner);
    let ends = ["For more information", "Some additional details", "Caused by:", "Backtrace:"];
    let end = ends.iter().filter_map(|end| inner.find(end)).min().unwrap_or(inner.len());
    line(&format!("{outer}: {}", &inner[..end]))
}

fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_error_in_an_error_the_message_is_told() {
        let nested = "Error: error processing Config:00000000 (kind: related to cryptographic operations): caused by: \
                      `rustic_core` experienced an error related to `cryptographic operations`.\n\nMessage:\nMAC check \
                      failed.\n\nFor more information, see: https://example.org\n\nBacktrace:\n 0: main";
        assert_eq!(brief(nested), "error processing Config:00000000: MAC check failed.");
        assert_eq!(brief("Error: it is\nbroken (kind: related to x)"), "it is broken (kind: related to x)");
    }
}

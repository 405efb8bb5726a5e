//! Looks an account over, step by step, for a person who sets it up.

use std::time::Duration;

use super::maildir::Maildir;
use super::secret::Secret;
use super::smtp;
use crate::entry::show;
use crate::error::{Error, Result};
use crate::profile::Account;

/// One step of a look at an account.
#[derive(Debug)]
pub struct Step {
    /// What was tried: `resolve`, `connect`, `tls`, `login`, `limits` ...
    pub name: &'static str,
    /// What there was to see, or what went wrong.
    pub result: Result<String>,
}

impl Step {
    pub(super) fn ok(name: &'static str, said: impl Into<String>) -> Self {
        Self { name, result: Ok(said.into()) }
    }
}

/// Looks at an account up to the first step that fails. No letter is sent.
pub fn probe(account: &Account, secret: Option<&Secret>, hello: &str, deadline: Duration) -> Vec<Step> {
    match account {
        Account::Smtp(account) => smtp::look(account, secret, hello, deadline),
        Account::Maildir(path) => {
            let result = Maildir::open_or_create(path).map(|_| show(path.as_os_str().as_encoded_bytes()));
            vec![Step { name: "folder", result }]
        }
        Account::Sendmail(account) => {
            let shown = show(account.program.as_os_str().as_encoded_bytes());
            let found = rustix::fs::access(&account.program, rustix::fs::Access::EXEC_OK);
            let result = found.map(|()| shown.clone()).map_err(|cause| {
                Error::other(format!("cannot run {shown}"))
                    .caused_by(cause)
                    .hint("is a mail system installed? msmtp-mta and postfix bring the command")
            });
            vec![Step { name: "program", result }]
        }
    }
}

//! A folder that messages are put into: whether the server can have it, what it keeps, who sees it.

use super::failed::Failed;
use super::{Selected, Session};
use crate::error::Error;

impl Session {
    /// Whether the server can have a folder of this path at all.
    ///
    /// # Errors
    /// How it builds names is not known yet, and the connection broke.
    pub fn can_have(&mut self, folder: &str) -> Result<bool, Failed> {
        Ok(self.naming()?.name(folder).is_ok())
    }

    /// Opens a folder as [`Session::select`] does, and tells the flags that messages in it can have for good; `\*` among
    /// them: any keyword. None: the server does not say, so all of them (RFC 9051, 7.1).
    ///
    /// # Errors
    /// As of [`Session::select`].
    pub fn select_for_flags(&mut self, folder: &str) -> Result<(Selected, Option<Vec<String>>), Failed> {
        let name = self.name(folder)?;
        let mailbox = self.slow(|session| session.select(&name))?;
        self.messages = mailbox.exists;
        let flags: Vec<String> = mailbox.permanent_flags.iter().map(ToString::to_string).collect();
        let no_validity =
            || Failed::Here(Error::other("the server gives its messages no lasting numbers (UIDVALIDITY)"));
        let selected = Selected {
            messages: mailbox.exists,
            uid_validity: mailbox.uid_validity.ok_or_else(no_validity)?,
            uid_next: mailbox.uid_next,
            highest_mod_seq: mailbox.highest_mod_seq,
            read_only: mailbox.is_read_only,
        };
        Ok((selected, Some(flags).filter(|flags| !flags.is_empty())))
    }

    /// Has mail programs show a folder: some show only those that somebody subscribed to.
    ///
    /// # Errors
    /// The server refuses, or the connection broke.
    pub fn subscribe(&mut self, folder: &str) -> Result<(), Failed> {
        let name = self.name(folder)?;
        self.slow(|session| session.subscribe(&name))
    }
}

//! Where letters go: the accounts that carry a rendered report to its reader.
//!
//! An account takes the bytes of a mail as they are and says whether it has them; when to try again is for the
//! outbox to know. [`maildir`] is the account that needs nothing installed.

pub mod maildir;

//! The archive: messages of mailboxes as files in a vault, each once and byte for byte.
//!
//! ```text
//! Source (IMAP, POP3, Maildir, mbox) -> what is new? <- catalogue (rebuilt from the vault when lost)
//!                                          |
//!                         fetched in slices -> Vault -> snapshot -> catalogue
//! ```
//!
//! A message becomes the file [`path`] in the snapshot; what a server knows of it beside its bytes ([`marks`]) becomes
//! extended attributes of that file. So any restic restores the archive as a tree of `.eml` files, and the vault alone
//! says all that there is to know.

pub mod export;
mod files;
pub mod marks;
pub mod names;
pub mod path;
pub mod put;
pub mod source;
pub mod stored;
pub mod view;

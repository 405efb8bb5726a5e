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

pub mod checked;
pub mod export;
mod files;
pub mod folders;
pub mod header;
pub mod imap;
pub mod key;
mod local;
pub mod maildir;
pub mod marks;
pub mod mbox;
pub mod names;
pub mod path;
pub mod pop3;
pub mod put;
pub mod read;
pub mod rebuild;
pub mod rules;
pub mod run;
pub mod source;
pub mod spool;
pub mod stored;
pub mod verify;
pub mod view;
pub mod wanted;

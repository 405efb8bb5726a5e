//! The archive of mail: where messages come from, and what becomes of them.

mod files;
mod imap;
mod pop3;

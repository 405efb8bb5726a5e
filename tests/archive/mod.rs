//! The archive of mail: where messages come from, and what becomes of them.

mod imap;

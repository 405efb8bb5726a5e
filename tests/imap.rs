//! The mailbox client: against a real Dovecot, and against servers that play a part nobody real plays on request.

mod append;
mod dovecot;
mod fetch;
mod folders;
mod idle;
mod login;
pub mod script;

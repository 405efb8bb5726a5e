//! The client of POP3: against a real Dovecot, and against servers that play a part nobody real plays on request.

mod dovecot;
mod login;
pub mod script;
mod session;

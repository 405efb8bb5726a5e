//! Dialogues of POP3, played by the servers of the IMAP tests.

use postkeep::mail::pop3::{Dialer, Patience, Session};
use postkeep::profile::{Imap, Pop3, Tls};

pub use crate::imap::script::{Script, patience, secret};

/// What the user of the scripts says in PLAIN.
pub const PLAIN: &str = "AGFubgBzZWNyZXQ=";

/// An account at this server.
pub fn account(script: &Script) -> Pop3 {
    let Imap { host, port, login, .. } = script.account();
    Pop3 { preset: None, host, port, tls: Tls::None, ca_file: None, login }
}

/// The answer to CAPA.
pub fn capabilities(offers: &[&str]) -> String {
    let lines: String = offers.iter().map(|offer| format!("S: {offer}\n")).collect();
    format!("C: CAPA\nS: +OK\n{lines}S: .\n")
}

/// A script up to the login, and how the server takes it.
pub fn login(answer: &str) -> String {
    let capabilities = capabilities(&["USER", "SASL CRAM-MD5 PLAIN", "RESP-CODES", "AUTH-RESP-CODE"]);
    format!("S: +OK ready <1.2@x>\n{capabilities}C: AUTH PLAIN {PLAIN}\nS: {answer}\n")
}

/// A session that is logged in at a server with these capabilities, and what is said then.
pub fn session(offers: &[&str], text: &str) -> (Session, Script) {
    session_with(patience(), offers, text)
}

/// The same, with this patience.
pub fn session_with(patience: Patience, offers: &[&str], text: &str) -> (Session, Script) {
    let script = Script::play(&format!("{}{}{text}", login("+OK welcome"), capabilities(offers)));
    match Dialer::new(account(&script), secret()).patience(patience).open() {
        Ok(session) => (session, script),
        Err(fault) => {
            script.end();
            panic!("{:?}", fault.error);
        }
    }
}

//! Where a server is and how the connection to it is protected: what is written, else the provider's values, else what
//! goes together.

use std::path::{Path, PathBuf};

use super::Tls;
use super::net::{Host, Port, is_loopback};
use super::paths::{Env, expand};
use super::value::PathText;
use super::wrong::{Wrong, quote};

/// What is wrong, and with which key of the account; none: with the account as a whole.
pub(super) type At = (Option<&'static str>, Wrong);

/// The side of a mail server that is meant.
pub(super) struct Side {
    /// Ports with TLS from the start, with TLS that begins plain, and without TLS.
    ports: [u16; 3],
    /// The keys that something may be wrong with.
    tls_key: &'static str,
    ca_key: &'static str,
    example: &'static str,
    hint: &'static str,
}

/// Takes letters.
pub(super) const SMTP: Side = Side {
    ports: [465, 587, 25],
    tls_key: "smtp.tls",
    ca_key: "smtp.ca-file",
    example: "smtp = { host = \"smtp.example.org\" }",
    hint: "tls = \"implicit\" (port 465) or \"starttls\" (port 587); for a server of your own, name its authority with ca-file",
};

/// Keeps messages.
pub(super) const IMAP: Side = Side {
    ports: [993, 143, 143],
    tls_key: "imap.tls",
    ca_key: "imap.ca-file",
    example: "imap = { host = \"imap.example.org\" }",
    hint: "tls = \"implicit\" (port 993) or \"starttls\" (port 143); for a server of your own, name its authority with ca-file",
};

/// Hands messages out.
pub(super) const POP3: Side = Side {
    ports: [995, 110, 110],
    tls_key: "pop3.tls",
    ca_key: "pop3.ca-file",
    example: "pop3 = { host = \"pop.example.org\" }",
    hint: "tls = \"implicit\" (port 995) or \"starttls\" (port 110); for a server of your own, name its authority with ca-file",
};

/// A server as written.
#[derive(Default)]
pub(super) struct Written {
    pub host: Option<Host>,
    pub port: Option<Port>,
    pub tls: Option<Tls>,
    pub ca_file: Option<PathText>,
}

/// A server as meant.
pub(super) struct Server {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub ca_file: Option<PathBuf>,
}

impl Side {
    /// The server that is meant where a provider's values are `known`; what is wrong is added to `wrongs`.
    pub(super) fn server(
        &self,
        written: Written,
        known: Option<(&str, u16, Tls)>,
        dir: &Path,
        env: &Env,
        wrongs: &mut Vec<At>,
    ) -> Option<Server> {
        let ca_file = written.ca_file.map(|path| expand(&path.0, dir, env)).transpose();
        let ca_file = ca_file.map_err(|wrong| wrongs.push((Some(self.ca_key), wrong))).ok().flatten();
        let Some(host) = written.host.map(|host| host.0).or(known.map(|(host, ..)| host.to_owned())) else {
            wrongs.push((None, Wrong::new("the server has no name").hint(self.example)));
            return None;
        };
        let local = is_loopback(&host);
        let (port, tls) = self.protection(written.port.map(|port| port.0), written.tls, known, local);
        if tls == Tls::None && !local {
            let wrong = format!("{} is another machine: nothing is sent there without TLS", quote(&host));
            wrongs.push((Some(self.tls_key), Wrong::new(wrong).hint(self.hint)));
            return None;
        }
        Some(Server { host, port, tls, ca_file })
    }

    fn protection(
        &self,
        port: Option<u16>,
        tls: Option<Tls>,
        known: Option<(&str, u16, Tls)>,
        local: bool,
    ) -> (u16, Tls) {
        let [implicit, starttls, plain] = self.ports;
        match (port, tls, known) {
            (Some(port), Some(tls), _) => (port, tls),
            (None, None, Some((_, port, tls))) => (port, tls),
            (Some(port), None, Some((_, usual, tls))) if port == usual => (port, tls),
            (Some(port), None, _) if port == implicit => (port, Tls::Implicit),
            (Some(port), None, _) if port == plain && local => (port, Tls::None),
            (Some(port), None, _) => (port, Tls::Starttls),
            (None, Some(Tls::Starttls), _) => (starttls, Tls::Starttls),
            (None, Some(Tls::None), _) => (plain, Tls::None),
            (None, Some(Tls::Implicit) | None, _) => (implicit, Tls::Implicit),
        }
    }
}

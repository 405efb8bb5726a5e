//! Accounts as meant: what carries a letter to its reader.

use std::path::PathBuf;

use super::Preset;

/// Where mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// A folder of messages on this machine.
    Maildir(PathBuf),
    /// The machine's own mail system, by its command.
    Sendmail(Sendmail),
    /// A mail server.
    Smtp(Smtp),
}

/// The machine's own mail system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sendmail {
    /// The command, absolute. It takes `-i -f SENDER -- RECIPIENT...` and the letter on its standard input.
    pub program: PathBuf,
}

/// A mail server that takes letters (RFC 5321, RFC 6409).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// The provider whose values were taken, for what to say when it refuses something.
    pub preset: Option<Preset>,
    /// The server's name, in ASCII, or its address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// Certificates (PEM) that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Who we are there; None: the server takes letters from this machine as it is.
    pub login: Option<Login>,
}

/// A mail server that keeps messages (RFC 9051), as the same account's side for reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imap {
    /// The provider whose values were taken, for what to say when it refuses something.
    pub preset: Option<Preset>,
    /// The server's name, in ASCII, or its address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// Certificates (PEM) that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Who we are there.
    pub login: Login,
    /// What the provider allows.
    pub limits: Limits,
}

/// A mail server that hands messages out by POP3 (RFC 1939), as the same account's side for reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pop3 {
    /// The provider of the account, for what to say when it refuses something.
    pub preset: Option<Preset>,
    /// The server's name, in ASCII, or its address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// Certificates (PEM) that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Who we are there.
    pub login: Login,
}

/// What a provider allows of a mailbox. None: nothing is known, and what the server says for itself counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that may be sent to it in 24 hours.
    pub upload_per_day: Option<u64>,
    /// Bytes that may be fetched from it in 24 hours.
    pub download_per_day: Option<u64>,
    /// Bytes of the largest message that it takes.
    pub message: Option<u64>,
    /// Connections at once.
    pub connections: Option<u8>,
}

/// How a connection is protected. The certificate is verified always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// TLS from the first byte (RFC 8314), usually port 465.
    Implicit,
    /// Plain text that must be upgraded before anything else is said (RFC 3207), usually port 587.
    Starttls,
    /// None: only on the loopback interface.
    None,
}

/// A user and how he proves that he is the one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name at the server.
    pub user: String,
    /// Where the secret comes from.
    pub secret: SecretSource,
    /// What the secret is.
    pub proof: Proof,
}

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A password: PLAIN or LOGIN.
    Password,
    /// An access token of OAuth 2: XOAUTH2.
    Token,
}

/// Where a secret comes from. The secret itself is never part of a configuration.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A command for `sh -c`; the first line that it prints is the secret.
    Command(String),
    /// A file that only its owner can read; its first line is the secret.
    File(PathBuf),
    /// A variable of the environment.
    Env(String),
    /// A credential that systemd hands to the service: a file in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// The desktop's keyring: service `postkeep`, and the name of the account.
    Keyring {
        /// The name under which it is kept.
        account: String,
    },
}

impl std::fmt::Debug for SecretSource {
    /// Of a command nothing but that it is one: somebody may have put a secret into it after all.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Command(_) => f.write_str("Command(***)"),
            Self::File(path) => write!(f, "File({path:?})"),
            Self::Env(name) => write!(f, "Env({name:?})"),
            Self::Credential(name) => write!(f, "Credential({name:?})"),
            Self::Keyring { account } => write!(f, "Keyring({account:?})"),
        }
    }
}

impl Account {
    /// The account's own mail address: the user's name, where it is one. It is the default sender and reader.
    pub fn own_address(&self) -> Option<&str> {
        let Self::Smtp(Smtp { login: Some(login), .. }) = self else { return None };
        login.user.parse::<lettre::Address>().ok().map(|_| login.user.as_str())
    }
}

impl Imap {
    /// Server and port, as in messages: `imap.gmail.com:993`.
    pub fn server(&self) -> String {
        server(&self.host, self.port)
    }
}

impl Pop3 {
    /// Server and port, as in messages: `pop.example.org:995`.
    pub fn server(&self) -> String {
        server(&self.host, self.port)
    }
}

impl Smtp {
    /// Server and port, as in messages: `smtp.gmail.com:465`.
    pub fn server(&self) -> String {
        server(&self.host, self.port)
    }
}

fn server(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

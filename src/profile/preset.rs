//! What is known of the large providers: their servers, and what they want from whoever logs in.

use serde::{Deserialize, Serialize};

use super::Tls;

/// A provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Gmail and Google Workspace.
    Gmail,
    /// Outlook.com and Microsoft 365.
    Outlook,
    /// Yahoo Mail.
    Yahoo,
    /// iCloud Mail.
    Icloud,
    /// Fastmail.
    Fastmail,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gmail, Self::Outlook, Self::Yahoo, Self::Icloud, Self::Fastmail];

    /// The word in `postkeep.toml`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gmail => "gmail",
            Self::Outlook => "outlook",
            Self::Yahoo => "yahoo",
            Self::Icloud => "icloud",
            Self::Fastmail => "fastmail",
        }
    }

    /// The server that takes letters: host, port, protection.
    pub fn smtp(self) -> (&'static str, u16, Tls) {
        match self {
            Self::Gmail => ("smtp.gmail.com", 465, Tls::Implicit),
            Self::Outlook => ("smtp.office365.com", 587, Tls::Starttls),
            Self::Yahoo => ("smtp.mail.yahoo.com", 465, Tls::Implicit),
            Self::Icloud => ("smtp.mail.me.com", 587, Tls::Starttls),
            Self::Fastmail => ("smtp.fastmail.com", 465, Tls::Implicit),
        }
    }

    /// Whether a password opens it; else only a token of OAuth 2 does (`token-command`).
    pub fn takes_password(self) -> bool {
        !matches!(self, Self::Outlook)
    }
}

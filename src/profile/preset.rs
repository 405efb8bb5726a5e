//! What is known of the large providers: their servers, and what they want from whoever logs in.

use serde::{Deserialize, Serialize};

use super::{Limits, Tls};

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

    /// The server that keeps messages: host, port, protection.
    pub fn imap(self) -> (&'static str, u16, Tls) {
        let host = match self {
            Self::Gmail => "imap.gmail.com",
            Self::Outlook => "outlook.office365.com",
            Self::Yahoo => "imap.mail.yahoo.com",
            Self::Icloud => "imap.mail.me.com",
            Self::Fastmail => "imap.fastmail.com",
        };
        (host, 993, Tls::Implicit)
    }

    /// What is known of a mailbox's limits, to be on the safe side of them. Most of it is from users and makers of
    /// other programs: providers change such figures without a word, and what a server says counts besides.
    pub fn limits(self) -> Limits {
        const MB: u64 = 1_000_000;
        match self {
            // Google allows 15 connections, and a phone wants some of them.
            Self::Gmail => Limits {
                upload_per_day: Some(500 * MB),
                download_per_day: Some(2500 * MB),
                message: Some(25 * MB),
                connections: Some(4),
            },
            Self::Outlook | Self::Yahoo => Limits { message: Some(25 * MB), ..Limits::default() },
            Self::Icloud => Limits { message: Some(20 * MB), ..Limits::default() },
            Self::Fastmail => Limits::default(),
        }
    }

    /// Whether a password opens it; else only a token of OAuth 2 does (`token-command`).
    pub fn takes_password(self) -> bool {
        !matches!(self, Self::Outlook)
    }

    /// What the provider wants from whoever logs in, and where to get it.
    pub fn help(self) -> &'static str {
        match self {
            Self::Gmail => {
                "Google takes no account password here, but an app password: turn 2-step verification on, then make one at https://myaccount.google.com/apppasswords"
            }
            Self::Outlook => {
                "Microsoft takes no password here, but a token of OAuth 2: use token-command with a program that keeps one fresh, such as oama or mutt_oauth2.py"
            }
            Self::Yahoo => {
                "Yahoo takes no account password here, but an app password: make one in the account's security settings (\"generate app password\")"
            }
            Self::Icloud => {
                "Apple takes no account password here, but an app-specific password: make one at https://account.apple.com under sign-in and security"
            }
            Self::Fastmail => {
                "Fastmail takes no account password here, but an app password: make one in its settings under privacy and security, with the right to send (SMTP), and to read (IMAP) for a vault"
            }
        }
    }

    /// The provider of an address, by its domain.
    pub fn of_address(address: &str) -> Option<Self> {
        let domain = address.rsplit_once('@')?.1.to_ascii_lowercase();
        let name = domain.split('.').next().unwrap_or_default();
        Some(match (domain.as_str(), name) {
            ("gmail.com" | "googlemail.com", _) => Self::Gmail,
            ("msn.com", _) | (_, "outlook" | "hotmail" | "live") => Self::Outlook,
            (_, "yahoo") | ("ymail.com" | "rocketmail.com", _) => Self::Yahoo,
            ("icloud.com" | "me.com" | "mac.com", _) => Self::Icloud,
            ("fastmail.com" | "fastmail.fm", _) => Self::Fastmail,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_known_by_its_addresses() {
        for (address, preset) in [
            ("me@gmail.com", Some(Preset::Gmail)),
            ("me@GoogleMail.com", Some(Preset::Gmail)),
            ("me@hotmail.co.uk", Some(Preset::Outlook)),
            ("me@yahoo.de", Some(Preset::Yahoo)),
            ("me@me.com", Some(Preset::Icloud)),
            ("me@fastmail.fm", Some(Preset::Fastmail)),
            ("me@example.org", None),
            ("gmail.com", None),
            ("me@notgmail.com", None),
        ] {
            assert_eq!(Preset::of_address(address), preset, "{address}");
        }
    }
}

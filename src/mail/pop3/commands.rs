//! What we say: all of it. There is no command here that deletes, so none can be sent.

use std::fmt;

use zeroize::Zeroizing;

/// A command (RFC 1939, RFC 2449, RFC 2595, RFC 5034).
#[derive(Clone, Copy)]
pub(super) enum Command<'a> {
    Capa,
    Stls,
    /// A mechanism, and what it says at once.
    Auth(&'a str, Option<&'a str>),
    /// What a mechanism says when it is asked.
    Response(&'a str),
    User(&'a str),
    Pass(&'a str),
    Stat,
    List,
    Uidl,
    Retr(u32),
    Top(u32, u32),
    Noop,
    Quit,
}

impl Command<'_> {
    /// The command as a line. It may hold a secret, so its memory is cleared.
    pub(super) fn line(&self) -> Zeroizing<String> {
        let line = match self {
            Self::Auth(mechanism, None) => format!("AUTH {mechanism}\r\n"),
            Self::Auth(mechanism, Some(initial)) => format!("AUTH {mechanism} {initial}\r\n"),
            Self::Response(words) => format!("{words}\r\n"),
            Self::User(name) => format!("USER {name}\r\n"),
            Self::Pass(password) => format!("PASS {password}\r\n"),
            Self::Retr(number) => format!("RETR {number}\r\n"),
            Self::Top(number, lines) => format!("TOP {number} {lines}\r\n"),
            Self::Capa | Self::Stls | Self::Stat | Self::List | Self::Uidl | Self::Noop | Self::Quit => {
                format!("{}\r\n", self.name())
            }
        };
        Zeroizing::new(line)
    }

    /// Its word.
    fn name(&self) -> &'static str {
        match self {
            Self::Capa => "CAPA",
            Self::Stls => "STLS",
            Self::Auth(..) | Self::Response(_) => "AUTH",
            Self::User(_) => "USER",
            Self::Pass(_) => "PASS",
            Self::Stat => "STAT",
            Self::List => "LIST",
            Self::Uidl => "UIDL",
            Self::Retr(_) => "RETR",
            Self::Top(..) => "TOP",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
        }
    }
}

impl fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

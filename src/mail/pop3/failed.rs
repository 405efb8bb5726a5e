//! Why a command did not do what it should.

use super::answer::{Meaning, No};
use crate::error::{Error, Kind};
use crate::mail::clean;

/// Why a command did not do what it should.
#[derive(Debug)]
pub enum Failed {
    /// The server said no. The session goes on.
    No(No),
    /// The connection is no more, or out of step.
    Broken {
        /// What happened, in words.
        why: String,
        /// What the server said before it hung up.
        bye: Option<No>,
    },
    /// The server says what cannot be understood, or cannot be true: the connection is out of step, and another one hardly
    /// brings anything better.
    Odd(String),
    /// It failed on our side: a server without what is needed, or whoever takes the bytes.
    Here(Error),
}

impl Failed {
    pub(super) fn broken(why: impl AsRef<str>) -> Self {
        Self::Broken { why: clean(why.as_ref()), bye: None }
    }

    /// What the server says is in no grammar.
    pub(super) fn odd(said: &[u8]) -> Self {
        let said = String::from_utf8_lossy(&said[..said.len().min(80)]);
        Self::untrue(format!("what the server says cannot be understood: {said}"))
    }

    /// The server says more than anybody has to say.
    pub(super) fn endless() -> Self {
        Self::untrue("the server says more than can be true")
    }

    /// The server says what cannot be.
    pub(super) fn untrue(why: impl AsRef<str>) -> Self {
        Self::Odd(clean(why.as_ref()))
    }

    /// What it means for the next step.
    pub fn meaning(&self) -> Meaning {
        match self {
            Self::No(no) => no.meaning(),
            Self::Broken { bye: Some(no), .. } if no.meaning() != Meaning::Unknown => no.meaning(),
            Self::Broken { .. } | Self::Odd(_) => Meaning::Later,
            Self::Here(_) => Meaning::Denied,
        }
    }

    /// An error that says `what`, such as "cannot fetch message 7 from pop.example.org:995".
    pub fn error(self, what: impl Into<String>) -> Error {
        let meaning = self.meaning();
        let error = match self {
            Self::Here(error) => return error,
            Self::Odd(why) => {
                let hint = "that is a fault of the server: tell its operator";
                return Error::other(what).caused_by(why).hint(hint);
            }
            failed => Error::new(if meaning == Meaning::Login { Kind::Login } else { Kind::Other }, what)
                .caused_by(failed.to_string()),
        };
        match meaning {
            Meaning::InUse => error.hint(IN_USE),
            Meaning::Throttled => error.hint("the server allows only so much: it goes on later"),
            Meaning::Denied => error.hint("the server's operator must mend that"),
            Meaning::Later | Meaning::Unknown | Meaning::Login => error,
        }
    }
}

/// What to do about a mailbox that another session holds (RFC 1939, 4: one at a time).
pub(super) const IN_USE: &str = "POP3 lets one program in at a time: close the others that fetch this mailbox, or wait until the server forgets a session that broke off";

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::No(no) => no.fmt(f),
            Self::Broken { why, bye: None } | Self::Odd(why) => f.write_str(why),
            Self::Broken { why, bye: Some(bye) } => write!(f, "{why}: {bye}"),
            Self::Here(error) => f.write_str(&error.one_line()),
        }
    }
}

impl From<No> for Failed {
    fn from(no: No) -> Self {
        Self::No(no)
    }
}

impl From<std::io::Error> for Failed {
    fn from(cause: std::io::Error) -> Self {
        Self::broken(cause.to_string())
    }
}

//! Why a command did not do what it should.

use super::answer::{Meaning, No};
use super::lexer::Lex;
use crate::error::{Error, Kind};
use crate::mail::clean;

/// Why a command did not do what it should.
#[derive(Debug)]
pub enum Failed {
    /// The server said no. The session goes on.
    No(No),
    /// The connection is no more, or out of step. What the server did of the command is not known.
    Broken {
        /// What happened, in words.
        why: String,
        /// What the server said as it hung up.
        bye: Option<No>,
    },
    /// It failed on our side: a name that the server cannot have, a server without what is needed, whoever takes the
    /// bytes.
    Here(Error),
}

impl Failed {
    pub(super) fn broken(why: impl AsRef<str>) -> Self {
        Self::Broken { why: clean(why.as_ref()), bye: None }
    }

    /// What it means for the next step.
    pub fn meaning(&self) -> Meaning {
        match self {
            Self::No(no) | Self::Broken { bye: Some(no), .. } => match no.meaning() {
                Meaning::Unknown if matches!(self, Self::Broken { .. }) => Meaning::Later,
                meaning => meaning,
            },
            Self::Broken { bye: None, .. } => Meaning::Later,
            Self::Here(_) => Meaning::Denied,
        }
    }

    /// An error that says `what`, such as "cannot keep a message in Backups at imap.example.org:993".
    pub fn error(self, what: impl Into<String>) -> Error {
        let meaning = self.meaning();
        let error = match self {
            Self::Here(error) => return error,
            // The server's own words, without a word of ours.
            failed => Error::new(if meaning == Meaning::Login { Kind::Login } else { Kind::Other }, what)
                .caused_by(failed.to_string()),
        };
        match meaning {
            Meaning::OverQuota => error.hint("make room in the mailbox, or get more from its provider"),
            Meaning::Throttled => error.hint("the provider allows only so much a day: it goes on later"),
            Meaning::TooBig => error.hint("`message-size` in the account's limits makes messages smaller"),
            Meaning::Missing => error.hint("is the folder's name right?"),
            Meaning::Later | Meaning::Denied | Meaning::Unknown | Meaning::Login => error,
        }
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::No(no) => no.fmt(f),
            Self::Broken { why, bye: None } => f.write_str(why),
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

impl From<Lex> for Failed {
    fn from(lex: Lex) -> Self {
        match lex {
            Lex::Io(cause) => Self::broken(cause.to_string()),
            Lex::Odd => Self::broken("what the server says cannot be understood"),
            Lex::Endless => Self::broken("the server says more than can be true"),
            Lex::Sink(error) => Self::Here(error),
        }
    }
}

//! The one error type: what happened, to what, and what to do next.
//!
//! An [`Error`] is a sentence that names the path, profile or server, a chain of causes, and hints on lines of
//! their own. Its [`Kind`] decides the exit code; nothing else looks at it. Failures of single files are not
//! errors: they are [`crate::run::Failure`]s, and a run goes on after them.

use std::fmt;

/// What sort of error it is, as far as the caller's next step differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line asks for something that does not exist or does not go together.
    Usage,
    /// A profile or the main file cannot be used as written.
    Config,
    /// Another run holds the profile or one of its folders.
    Locked,
    /// A brake stopped the run before the first write.
    Stopped,
    /// A person asked to stop.
    Cancelled,
    /// A server refuses our user or his secret.
    Login,
    /// There is no vault where one should be.
    NoVault,
    /// The vault's password is not the right one.
    WrongPassword,
    /// A provider's budget is spent: the work goes on later.
    Paused,
    /// A place gives nothing now: its server cannot be reached, or does not answer.
    Away,
    /// Everything else: disk, database, mail.
    Other,
}

impl Kind {
    /// Whether it says nothing of what is kept in a place, and only that the place gives nothing now: whatever cannot be
    /// read because of that may be as sound as ever.
    pub fn is_away(self) -> bool {
        matches!(
            self,
            Self::Away | Self::Paused | Self::Cancelled | Self::Config | Self::Login | Self::NoVault
        )
    }
}

/// An error with its causes and hints.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    hints: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), hints: Vec::new(), source: None }))
    }

    /// An error of the common kind.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(Kind::Other, message)
    }

    /// Adds what to do next, as a line of its own.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// Puts `who` where hints say `PROFILE`: what is below the profiles does not know for whom it works.
    #[must_use]
    pub fn naming(mut self, who: &str) -> Self {
        self.0.hints.iter_mut().for_each(|hint| *hint = hint.replace("PROFILE", who));
        self
    }

    /// Names the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says that it is no more than that a place gives nothing now.
    #[must_use]
    pub fn away(mut self) -> Self {
        if self.0.kind == Kind::Other {
            self.0.kind = Kind::Away;
        }
        self
    }

    /// Says that it is of what was asked for: the place gives other things.
    #[must_use]
    pub fn not_away(mut self) -> Self {
        if self.0.kind == Kind::Away {
            self.0.kind = Kind::Other;
        }
        self
    }

    /// The same error for one more who has to know of it. The causes become their words.
    #[must_use]
    pub fn again(&self) -> Self {
        let mut words = Vec::new();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            words.push(cause.to_string());
            next = cause.source();
        }
        let source = (!words.is_empty()).then(|| words.join(": ").into());
        Self(Box::new(Inner {
            kind: self.0.kind,
            message: self.0.message.clone(),
            hints: self.0.hints.clone(),
            source,
        }))
    }

    /// The kind, for the exit code.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What to do next, in order.
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// The process's exit code: 2 usage, 4 stopped by a brake, 11 locked, 130 cancelled,
    /// 10 no vault, 12 wrong password of a vault, 3 paused, 1 the rest.
    pub fn exit_code(&self) -> u8 {
        match self.0.kind {
            Kind::Usage => 2,
            Kind::Stopped => 4,
            Kind::Locked => 11,
            Kind::Cancelled => 130,
            Kind::NoVault => 10,
            Kind::WrongPassword => 12,
            Kind::Paused => 3,
            Kind::Config | Kind::Login | Kind::Away | Kind::Other => 1,
        }
    }

    /// The message with all causes in one line, for a report or a log.
    pub fn one_line(&self) -> String {
        let mut line = self.0.message.clone();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            line.push_str(": ");
            line.push_str(&cause.to_string());
            next = cause.source();
        }
        line
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.one_line())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|cause| cause as _)
    }
}

/// Gives a foreign error its sentence: `file.read().context(|| format!("cannot read {path}"))?`.
pub trait Context<T> {
    /// Wraps the error as the cause of `message()`.
    fn context(self, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context(self, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| Error::other(message()).caused_by(cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_reads_as_one_sentence() {
        let io = std::io::Error::from_raw_os_error(13);
        let error = Err::<(), _>(io).context(|| "cannot open /srv/hr".into()).unwrap_err();
        assert_eq!(error.one_line(), "cannot open /srv/hr: Permission denied (os error 13)");
        assert_eq!(error.exit_code(), 1);
        let again = error.hint("look").again();
        assert_eq!(again.one_line(), "cannot open /srv/hr: Permission denied (os error 13)");
        assert_eq!(again.hints(), ["look"]);
        assert_eq!(Error::new(Kind::Locked, "busy").exit_code(), 11);
    }
}

//! What a server says, and what that means (RFC 5321, 4.2; RFC 3463).

use std::error::Error as _;

use lettre::transport::smtp::Error as Lettre;

use crate::mail::Answer;
pub(super) use crate::mail::clean;

/// A reply that is not a yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub code: u16,
    /// On one line, without what a terminal or a header would obey.
    pub text: String,
}

/// How a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// The server said no.
    No(Reply),
    /// There was no answer that can be understood: why.
    Broken(String),
}

impl Reply {
    pub(super) fn new(code: u16, text: &str) -> Self {
        Self { code, text: clean(text) }
    }

    /// The enhanced status code (RFC 3463), which stands at the beginning of the text.
    fn enhanced(&self) -> Option<(u16, u16, u16)> {
        let word = self.text.split_whitespace().next()?;
        let mut numbers = word.split('.').map(|number| number.parse::<u16>().ok());
        let code = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(code)
    }

    /// Whether the server may say yes another time.
    pub(super) fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// Whether the letter is too large: 5.3.4, or 5.2.3 for one mailbox; a bare 552 says no more than that.
    pub(super) fn is_too_large(&self) -> bool {
        match self.enhanced() {
            Some((5, 3, 4) | (5, 2, 3)) => true,
            Some(_) => false,
            None => self.code == 552,
        }
    }

    /// Whether a mailbox is full: its owner can mend that, so it is no last word.
    pub(super) fn is_full(&self) -> bool {
        matches!(self.enhanced(), Some((_, 2, 2)))
    }

    /// What it means for one recipient.
    pub(super) fn answer(&self) -> Answer {
        if self.is_transient() || self.is_full() {
            Answer::Later(self.to_string())
        } else {
            Answer::Refused(self.to_string())
        }
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

impl From<Lettre> for Failed {
    fn from(error: Lettre) -> Self {
        let said = error.source().map(ToString::to_string).unwrap_or_default();
        match error.status().and_then(|code| code.to_string().parse().ok()) {
            Some(code) => Self::No(Reply::new(code, &said)),
            None => Self::Broken(clean(&if said.is_empty() { error.to_string() } else { said })),
        }
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::No(reply) => reply.fmt(f),
            Self::Broken(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_replies_mean() {
        // Code, text, too large, later.
        let cases = [
            (450, "4.2.1 try later", false, true),
            (451, "greylisted", false, true),
            (452, "4.2.2 over quota", false, true),
            (550, "5.1.1 no such user", false, false),
            (550, "no such user", false, false),
            (552, "5.3.4 message too big", true, false),
            (552, "5.2.3 message too big for this mailbox", true, false),
            (552, "message size exceeds the limit", true, false),
            (552, "5.2.2 mailbox full", false, true),
            (554, "5.2.2 mailbox full", false, true),
            (554, "5.7.1 spam", false, false),
            (554, "5.3.4.1 nonsense", false, false),
        ];
        for (code, text, large, later) in cases {
            let reply = Reply::new(code, text);
            assert_eq!(reply.is_too_large(), large, "{reply}");
            assert_eq!(matches!(reply.answer(), Answer::Later(_)), later, "{reply}");
        }
    }

    #[test]
    fn a_servers_words_are_harmless() {
        let reply = Reply::new(550, &format!("a\r\nb\u{1b}[31m {}", "x".repeat(5000)));
        assert!(reply.text.starts_with("a b\\u{1b}[31m xxx"), "{reply}");
        assert!(reply.text.chars().count() <= 500);
    }
}

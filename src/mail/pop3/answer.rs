//! What a server answers, and what that means (RFC 1939, 3; RFC 2449, 8; RFC 3206).

use crate::mail::clean;

/// A response code: what programs are told, in brackets before what people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// There is none.
    None,
    /// `IN-USE`: another session holds the mailbox.
    InUse,
    /// `LOGIN-DELAY`: the last login was a short while ago.
    LoginDelay,
    /// `SYS/TEMP`: the server has a trouble that passes.
    Temporary,
    /// `SYS/PERM`: the server has a trouble that a person must mend.
    Permanent,
    /// `AUTH`: user or secret are refused.
    Auth,
    /// Any other, in capitals.
    Other(String),
}

impl Code {
    /// Reads what stands between the brackets. A level that nobody knows means what stands above it (RFC 2449, 8).
    fn read(text: &str) -> Self {
        let word = text.trim().to_ascii_uppercase();
        let levels: Vec<&str> = word.split('/').collect();
        match levels.as_slice() {
            ["IN-USE", ..] => Self::InUse,
            ["LOGIN-DELAY", ..] => Self::LoginDelay,
            ["SYS", "PERM", ..] => Self::Permanent,
            ["SYS", ..] => Self::Temporary,
            ["AUTH", ..] => Self::Auth,
            _ => Self::Other(clean(&word).chars().take(40).collect()),
        }
    }
}

/// What a no means for the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// User or secret are refused.
    Login,
    /// Another session holds the mailbox: in minutes.
    InUse,
    /// Too much or too often, for now: it goes on by itself.
    Throttled,
    /// Another time, in minutes.
    Later,
    /// Never, as things are.
    Denied,
    /// The server does not say.
    Unknown,
}

/// A no: `-ERR`, with the server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct No {
    /// The response code.
    pub code: Code,
    /// The server's words with their code, on one line, without what a terminal or a header would obey.
    pub text: String,
}

impl No {
    pub(super) fn read(text: &str) -> Self {
        let code = text.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let code = code.map_or(Code::None, |(code, _)| Code::read(code));
        let text = clean(text);
        let text = if text.is_empty() { "no reason given".into() } else { text };
        Self { code, text }
    }

    /// What it means: by the code, and where there is none by words that servers are known to use.
    pub fn meaning(&self) -> Meaning {
        match self.code {
            Code::Auth => return Meaning::Login,
            Code::InUse => return Meaning::InUse,
            Code::LoginDelay => return Meaning::Throttled,
            Code::Temporary => return Meaning::Later,
            Code::Permanent => return Meaning::Denied,
            Code::None | Code::Other(_) => {}
        }
        let text = self.text.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["bandwidth", "throttl", "rate limit", "too many", "too often", "simultaneous"]) {
            Meaning::Throttled
        } else if says(&["lock busy", "in use", "locked by", "lock maildrop", "lock mailbox", "is busy"]) {
            Meaning::InUse
        } else if says(&[
            "try again",
            "later",
            "temporar",
            "server error",
            "unavailable",
            "timeout",
            "timed out",
            "inactivity",
        ]) {
            Meaning::Later
        } else {
            Meaning::Unknown
        }
    }
}

impl std::fmt::Display for No {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The first line of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// `+OK`, and what stands behind it.
    Yes(String),
    /// `-ERR`
    No(No),
    /// `+`: the server asks for more (RFC 5034), and what it asks.
    More(String),
}

impl Answer {
    /// Reads a line without its end; None: it is none.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let (word, rest) = line.split_once([' ', '\t']).unwrap_or((&line, ""));
        match word.to_ascii_uppercase().as_str() {
            "+OK" => Some(Self::Yes(rest.trim().to_owned())),
            "-ERR" => Some(Self::No(No::read(rest))),
            "+" => Some(Self::More(rest.trim().to_owned())),
            _ => None,
        }
    }
}

/// Digits and nothing else.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_mean() {
        for (text, meaning) in [
            ("[AUTH] Username and password not accepted.", Meaning::Login),
            ("[auth] Authentication failed.", Meaning::Login),
            ("[IN-USE] Do you have another POP session running?", Meaning::InUse),
            ("[LOGIN-DELAY] minimum time between mail checks violation", Meaning::Throttled),
            ("[SYS/TEMP] Temporary system problem. Please try again later.", Meaning::Later),
            ("[SYS/PERM] Your account is disabled.", Meaning::Denied),
            ("[SYS/PERM/DISK] gone", Meaning::Denied),
            ("[SYS/ODD] try it by post", Meaning::Later),
            ("[X-UNKNOWN] no", Meaning::Unknown),
            ("[X-UNKNOWN] maildrop already in use", Meaning::InUse),
            ("Unable to lock mailbox", Meaning::InUse),
            ("Too many simultaneous connections", Meaning::Throttled),
            ("Disconnected for inactivity.", Meaning::Later),
            ("Logon failure: unknown user name or bad password.", Meaning::Unknown),
            ("no code [AUTH]", Meaning::Unknown),
            ("[", Meaning::Unknown),
            ("", Meaning::Unknown),
        ] {
            assert_eq!(No::read(text).meaning(), meaning, "{text}");
        }
    }

    #[test]
    fn first_lines_are_read() {
        let yes = |text: &str| Some(Answer::Yes(text.into()));
        for (line, answer) in [
            (&b"+OK"[..], yes("")),
            (b"+ok  2 320", yes("2 320")),
            (b"+ ", Some(Answer::More(String::new()))),
            (b"+", Some(Answer::More(String::new()))),
            (b"+ eyJ9", Some(Answer::More("eyJ9".into()))),
            (b"-ERR", Some(Answer::No(No { code: Code::None, text: "no reason given".into() }))),
            (b"+OKAY", None),
            (b"* OK ready", None),
            (b"220 smtp.example.org ESMTP", None),
            (b"", None),
            (b"\x16\x03\x01\0\xff", None),
        ] {
            assert_eq!(Answer::read(line), answer, "{line:?}");
        }
    }

    #[test]
    fn a_servers_words_are_harmless() {
        let no = No::read(&format!("a\0b\u{1b}[31m {}", "x".repeat(5000)));
        assert!(no.text.starts_with("a\\u{0}b\\u{1b}[31m xxx") && no.text.chars().count() <= 500, "{no}");
    }

    #[test]
    fn numbers_are_digits() {
        for (text, expected) in
            [("7", Some(7)), ("007", Some(7)), ("", None), ("-1", None), ("+1", None), ("4294967296", None)]
        {
            assert_eq!(number::<u32>(text), expected, "{text}");
        }
    }
}

//! What a server answers, and what that means (RFC 9051, 7.1; RFC 5530; RFC 9208).

use super::uids;
use crate::mail::clean;

/// The word of a status response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    No,
    Bad,
    Bye,
    Preauth,
}

impl Status {
    pub(super) fn read(word: &str) -> Option<Self> {
        Some(match word.to_ascii_uppercase().as_str() {
            "OK" => Self::Ok,
            "NO" => Self::No,
            "BAD" => Self::Bad,
            "BYE" => Self::Bye,
            "PREAUTH" => Self::Preauth,
            _ => return None,
        })
    }
}

/// A response code: what programs are told, in brackets before what people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// There is none.
    None,
    /// `APPENDUID`: where the messages went (RFC 4315); the UIDs in the order in which they were sent.
    AppendUid(u32, Vec<u32>),
    /// `AUTHENTICATIONFAILED`, `AUTHORIZATIONFAILED`, `EXPIRED`: user or secret are refused.
    Login,
    /// `UNAVAILABLE`, `INUSE`, `SERVERBUG`: another time.
    Unavailable,
    /// `LIMIT`, `THROTTLED`: too much, for now.
    Limit,
    /// `OVERQUOTA`: no room.
    OverQuota,
    /// `TOOBIG`, `APPENDLIMIT`: this message is larger than any that is taken.
    TooBig,
    /// `TRYCREATE`, `NONEXISTENT`: there is no such folder.
    Missing,
    /// `ALREADYEXISTS`: there is such a folder.
    Exists,
    /// `NOPERM`, `CANNOT`, `CONTACTADMIN`: never, as things are.
    Denied,
    /// `UIDVALIDITY`
    UidValidity(u32),
    /// Any other, its word.
    Other(String),
}

impl Code {
    /// Reads what stands between the brackets.
    fn read(text: &str) -> Self {
        let mut words = text.split_ascii_whitespace();
        let word = words.next().unwrap_or_default().to_ascii_uppercase();
        match word.as_str() {
            "AUTHENTICATIONFAILED" | "AUTHORIZATIONFAILED" | "EXPIRED" => Self::Login,
            "UNAVAILABLE" | "INUSE" | "SERVERBUG" => Self::Unavailable,
            "LIMIT" | "THROTTLED" => Self::Limit,
            "OVERQUOTA" => Self::OverQuota,
            "TOOBIG" | "APPENDLIMIT" => Self::TooBig,
            "TRYCREATE" | "NONEXISTENT" => Self::Missing,
            "ALREADYEXISTS" => Self::Exists,
            "NOPERM" | "CANNOT" | "CONTACTADMIN" => Self::Denied,
            "UIDVALIDITY" => match words.next().and_then(|word| word.parse().ok()) {
                Some(validity) => Self::UidValidity(validity),
                None => Self::Other(word),
            },
            "APPENDUID" => {
                let validity = words.next().and_then(|word| word.parse().ok());
                match (validity, words.next().and_then(uids::read)) {
                    (Some(validity), Some(uids)) => Self::AppendUid(validity, uids),
                    _ => Self::Other(word),
                }
            }
            _ => Self::Other(clean(&word).chars().take(40).collect()),
        }
    }
}

/// What a no means for the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// User or secret are refused.
    Login,
    /// There is no room; somebody has to make some.
    OverQuota,
    /// The provider's budget is spent: it goes on by itself, in hours.
    Throttled,
    /// The message is larger than any that the server takes.
    TooBig,
    /// There is no such folder.
    Missing,
    /// Another time, in minutes.
    Later,
    /// Never, as things are.
    Denied,
    /// The server does not say.
    Unknown,
}

/// A no: NO, BAD or BYE, with the server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct No {
    /// The response code.
    pub code: Code,
    /// The server's words with their code, on one line, without what a terminal or a header would obey.
    pub text: String,
    /// Whether it was BAD: the server says that it does not understand.
    pub bad: bool,
}

impl No {
    pub(super) fn read(status: Status, text: &str) -> Self {
        let (code, _) = split(text);
        let bad = status == Status::Bad;
        let text = clean(text);
        let text = if text.is_empty() { "no reason given".into() } else { text };
        Self { code, text, bad }
    }

    /// What its code says.
    fn coded(&self, says: impl Fn(&[&str]) -> bool) -> Option<Meaning> {
        Some(match self.code {
            Code::Login => Meaning::Login,
            // Gmail's word for a spent daily budget: "[OVERQUOTA] Account exceeded command or bandwidth limits."
            Code::OverQuota if says(&["bandwidth", "command"]) => Meaning::Throttled,
            Code::OverQuota => Meaning::OverQuota,
            Code::Limit => Meaning::Throttled,
            Code::TooBig => Meaning::TooBig,
            Code::Missing => Meaning::Missing,
            Code::Unavailable => Meaning::Later,
            Code::Denied | Code::Exists => Meaning::Denied,
            _ => return None,
        })
    }

    /// Whether a code says that the provider's budget is spent. Where only words do ([`Meaning::Throttled`]) they may be
    /// about one message, or stand in a folder's name: whoever asks for something else sees what they are about.
    pub fn is_spent(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        self.coded(|words| words.iter().any(|word| text.contains(word))) == Some(Meaning::Throttled)
    }

    /// What it means: by the code, and where there is none by words that servers are known to use.
    pub fn meaning(&self) -> Meaning {
        let text = self.text.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if let Some(meaning) = self.coded(says) {
            meaning
        } else if says(&["bandwidth", "throttl", "rate limit", "too many", "simultaneous"]) {
            Meaning::Throttled
        } else if says(&["too large", "too big", "message size", "size limit"]) {
            Meaning::TooBig
        } else if says(&["quota", "mailbox is full", "mailbox full", "no space", "out of space"]) {
            Meaning::OverQuota
        } else if says(&["doesn't exist", "not exist", "no such mailbox", "unknown mailbox"]) {
            Meaning::Missing
        } else if says(&[
            "try again",
            "later",
            "temporar",
            "server error",
            "unavailable",
            "timeout",
            "timed out",
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

/// A status response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: Status,
    /// Code and words, as they came.
    pub text: String,
}

impl Answer {
    /// Code of a yes, or the no.
    pub(super) fn yes(self) -> Result<Code, No> {
        match self.status {
            Status::Ok | Status::Preauth => Ok(self.code()),
            status => Err(No::read(status, &self.text)),
        }
    }

    pub(super) fn code(&self) -> Code {
        split(&self.text).0
    }

    /// A line as the crate was told it: `a3 NO [OVERQUOTA] ...` or `* BYE ...`.
    pub(super) fn of_line(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let mut words = line.splitn(3, ' ');
        let (_, status) = (words.next()?, Status::read(words.next()?)?);
        Some(Self { status, text: words.next().unwrap_or_default().to_owned() })
    }
}

/// Code and words.
fn split(text: &str) -> (Code, &str) {
    let parts = text.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    match parts {
        Some((code, words)) => (Code::read(code), words.trim_start()),
        None => (Code::None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_mean() {
        for (text, meaning) in [
            ("[OVERQUOTA] Quota exceeded (mailbox for user is full)", Meaning::OverQuota),
            ("[OVERQUOTA] Account exceeded command or bandwidth limits.", Meaning::Throttled),
            ("[THROTTLED] Account exceeded command or bandwidth limits. xyz", Meaning::Throttled),
            ("[LIMIT] UID FETCH Rate limit hit.", Meaning::Throttled),
            ("[ALERT] Too many simultaneous connections. (Failure)", Meaning::Throttled),
            ("[UNAVAILABLE] Maximum number of connections from user+IP exceeded", Meaning::Later),
            ("[TOOBIG] Message too large.", Meaning::TooBig),
            ("APPEND failed: message size exceeds fixed limit", Meaning::TooBig),
            ("Mailbox is full", Meaning::OverQuota),
            ("[TRYCREATE] Mailbox doesn't exist: x", Meaning::Missing),
            ("Mailbox doesn't exist: x", Meaning::Missing),
            ("UID FETCH Server error - Please try again later", Meaning::Later),
            ("[AUTHENTICATIONFAILED] Invalid credentials (Failure)", Meaning::Login),
            ("[NOPERM] no", Meaning::Denied),
            ("[X-UNKNOWN] no", Meaning::Unknown),
            ("", Meaning::Unknown),
        ] {
            let no = No::read(Status::No, text);
            assert_eq!(no.meaning(), meaning, "{text}");
            let coded = text.starts_with('[') && !text.starts_with("[ALERT]");
            assert_eq!(no.is_spent(), coded && meaning == Meaning::Throttled, "{text}");
        }
    }

    #[test]
    fn codes_are_read() {
        for (text, code) in [
            ("[APPENDUID 38505 3955:3957] done", Code::AppendUid(38505, vec![3955, 3956, 3957])),
            ("[appenduid 1 7] done", Code::AppendUid(1, vec![7])),
            ("[APPENDUID x y] done", Code::Other("APPENDUID".into())),
            ("[APPENDUID 1 1:4294967295] done", Code::Other("APPENDUID".into())),
            ("[UIDVALIDITY 7] ok", Code::UidValidity(7)),
            ("[BADCHARSET ({5}] x", Code::Other("BADCHARSET".into())),
            ("no code [OVERQUOTA]", Code::None),
            ("[", Code::None),
        ] {
            assert_eq!(Answer { status: Status::Ok, text: text.into() }.code(), code, "{text}");
        }
    }

    #[test]
    fn a_servers_words_are_harmless() {
        let no = No::read(Status::No, &format!("a\rb\u{1b}[31m {}", "x".repeat(5000)));
        assert!(no.text.starts_with("a b\\u{1b}[31m xxx") && no.text.len() <= 500, "{no}");
        assert_eq!(Answer::of_line(b"a1 no [TOOBIG] x").unwrap().yes().unwrap_err().code, Code::TooBig);
        assert_eq!(Answer::of_line(b"* NAMESPACE x"), None);
    }
}

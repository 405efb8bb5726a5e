//! Which messages of an archive are meant: by account, folder, date, sender, subject, label, flag, size and id; pure.

use jiff::Timestamp;

use super::stored::Stored;
use crate::error::{Error, Kind, Result};
use crate::profile::quote;

/// The fewest digits that name a message.
const FEWEST: usize = 4;

/// What a message must be like. Nothing said: any. All that is said must be true of it; of several folders or ids, one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The account's name.
    pub account: Option<String>,
    /// Folders, as people write them: in any case, `*` for any characters (also `/`), `?` for one. A folder that is
    /// written without them means those below it, too.
    pub folders: Vec<String>,
    /// It came then or later.
    pub since: Option<Timestamp>,
    /// It came earlier than that.
    pub before: Option<Timestamp>,
    /// A part of its sender, in any case. Only the first 200 bytes of the field are known.
    pub from: Option<String>,
    /// A part of its subject, in any case. Only the first 200 bytes of it are known.
    pub subject: Option<String>,
    /// One of its labels (Gmail), whole, in any case; with or without `\` before those of the system.
    pub label: Option<String>,
    /// One of its flags, as of a label: `seen` or `\Seen`.
    pub flag: Option<String>,
    /// It has more bytes.
    pub larger: Option<u64>,
    /// It has fewer bytes.
    pub smaller: Option<u64>,
    /// The beginning of its id.
    pub ids: Vec<Prefix>,
}

/// The beginning of a message's id, which is the SHA-256 of its bytes in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(Vec<u8>);

impl Prefix {
    /// Reads digits, at least 4 of them.
    ///
    /// # Errors
    /// It is no such beginning (a usage error).
    pub fn parse(text: &str) -> Result<Self> {
        let digits: Option<Vec<u8>> =
            text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
        match digits {
            Some(digits) if (FEWEST..=64).contains(&digits.len()) => Ok(Self(digits)),
            _ => Err(Error::new(Kind::Usage, format!("{} is no message's id", quote(text)))
                .hint("an id is the first 4 or more digits of what `postkeep archive ls PROFILE` shows")),
        }
    }

    /// Whether an id begins so.
    pub fn fits(&self, sha256: &[u8; 32]) -> bool {
        let digits = sha256.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        self.0.iter().zip(digits).all(|(wanted, digit)| *wanted == digit)
    }
}

impl Wanted {
    /// Whether everything is meant.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether messages of an account may be meant.
    pub fn takes_account(&self, account: &str) -> bool {
        self.account.as_deref().is_none_or(|wanted| wanted == account)
    }

    /// Whether a message is meant.
    pub fn takes(&self, message: &Stored) -> bool {
        let Stored { place, marks, size } = message;
        let word = |wanted: &Option<String>, all: &[String]| {
            wanted.as_deref().is_none_or(|wanted| all.iter().any(|one| same_word(wanted, one)))
        };
        self.takes_account(&place.account)
            && self.since.is_none_or(|since| place.date >= since)
            && self.before.is_none_or(|before| place.date < before)
            && self.larger.is_none_or(|larger| *size > larger)
            && self.smaller.is_none_or(|smaller| *size < smaller)
            && (self.ids.is_empty() || self.ids.iter().any(|id| id.fits(&marks.sha256)))
            && (self.folders.is_empty() || self.folders.iter().any(|one| is_folder(one, &place.folder)))
            && word(&self.flag, &marks.flags)
            && word(&self.label, &marks.labels)
            && contains(self.from.as_deref(), &marks.from)
            && contains(self.subject.as_deref(), &marks.subject)
    }
}

fn same_word(one: &str, other: &str) -> bool {
    let bare = |word: &str| word.strip_prefix('\\').unwrap_or(word).to_lowercase();
    bare(one) == bare(other)
}

fn contains(part: Option<&str>, text: &str) -> bool {
    part.is_none_or(|part| text.to_lowercase().contains(&part.to_lowercase()))
}

/// Whether a folder is meant by a pattern.
fn is_folder(pattern: &str, folder: &str) -> bool {
    let (pattern, folder) = (pattern.trim_end_matches('/').to_lowercase(), folder.to_lowercase());
    if !pattern.contains(['*', '?']) {
        let below = folder.strip_prefix(&pattern);
        return below.is_some_and(|below| below.is_empty() || below.starts_with('/'));
    }
    let (pattern, folder): (Vec<char>, Vec<char>) = (pattern.chars().collect(), folder.chars().collect());
    is_match(&pattern, &folder)
}

/// Matches `*` and `?`. It goes back to the last `*` alone, so its time is bounded by the product of the lengths.
fn is_match(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == c => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::marks::Marks;
    use crate::archive::path::Place;

    #[test]
    fn folders_are_meant_as_people_write_them() {
        for (pattern, folder, expected) in [
            ("INBOX", "INBOX", true),
            ("inbox", "INBOX", true),
            ("INBOX", "INBOX/2025", true),
            ("INBOX/", "INBOX", true),
            ("INBOX", "INBOX2", false),
            ("*", "a/b", true),
            ("a*", "a/b/c", true),
            ("*/c", "a/b/c", true),
            ("*/c", "a/b/cd", false),
            ("l?sts/*", "Lists/rust", true),
            ("l?sts/*", "Lists", false),
            ("BÜRO*", "Büro/Post", true),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("", "INBOX", false),
        ] {
            assert_eq!(is_folder(pattern, folder), expected, "{pattern} {folder}");
        }
    }

    #[test]
    fn a_message_is_meant_if_all_is_true_of_it() {
        let place = Place {
            account: "gmail".into(),
            folder: "INBOX".into(),
            date: "2026-03-04T05:06:07Z".parse().unwrap(),
            key: "7.1".into(),
        };
        let mut sha256 = [0; 32];
        sha256[..2].copy_from_slice(&[0xab, 0xcd]);
        let marks = Marks {
            flags: vec!["\\Seen".into(), "$Junk".into()],
            labels: vec!["\\Inbox".into(), "Reise, Büro".into()],
            from: "Änn <ann@example.org>".into(),
            subject: "Grüße".into(),
            sha256,
            ..Marks::default()
        };
        let message = Stored { place, marks, size: 100 };
        let some = |text: &str| Some(text.to_owned());
        let time = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let id = |text: &str| Prefix::parse(text).unwrap();
        let all = Wanted::default();
        for (wanted, expected) in [
            (all.clone(), true),
            (Wanted { account: some("gmail"), ..all.clone() }, true),
            (Wanted { account: some("gma"), ..all.clone() }, false),
            (Wanted { since: time("2026-03-04T05:06:07Z"), ..all.clone() }, true),
            (Wanted { since: time("2026-03-04T05:06:08Z"), ..all.clone() }, false),
            (Wanted { before: time("2026-03-04T05:06:08Z"), ..all.clone() }, true),
            (Wanted { before: time("2026-03-04T05:06:07Z"), ..all.clone() }, false),
            (Wanted { from: some("ÄNN <"), ..all.clone() }, true),
            (Wanted { from: some("bob"), ..all.clone() }, false),
            (Wanted { subject: some("GRÜ"), ..all.clone() }, true),
            (Wanted { subject: some("ann"), ..all.clone() }, false),
            (Wanted { flag: some("seen"), ..all.clone() }, true),
            (Wanted { flag: some("\\SEEN"), ..all.clone() }, true),
            (Wanted { flag: some("see"), ..all.clone() }, false),
            (Wanted { label: some("reise, büro"), ..all.clone() }, true),
            (Wanted { label: some("inbox"), ..all.clone() }, true),
            (Wanted { label: some("reise"), ..all.clone() }, false),
            (Wanted { larger: Some(99), smaller: Some(101), ..all.clone() }, true),
            (Wanted { larger: Some(100), ..all.clone() }, false),
            (Wanted { smaller: Some(100), ..all.clone() }, false),
            (Wanted { ids: vec![id("0000"), id("ABcd0")], ..all.clone() }, true),
            (Wanted { ids: vec![id("abcd1")], ..all.clone() }, false),
            (Wanted { folders: vec!["x".into(), "inb*".into()], ..all.clone() }, true),
            (Wanted { folders: vec!["x".into()], account: some("gmail"), ..all.clone() }, false),
        ] {
            assert_eq!(wanted.takes(&message), expected, "{wanted:?}");
            assert_eq!(wanted.is_all(), wanted == all);
        }
    }

    #[test]
    fn an_id_has_at_least_four_digits() {
        for bad in ["", "abc", "abcg", "ab cd", "12345é", &"a".repeat(65)] {
            assert_eq!(Prefix::parse(bad).unwrap_err().kind(), Kind::Usage, "{bad}");
        }
        assert!(Prefix::parse(&"a".repeat(64)).unwrap().fits(&[0xaa; 32]));
    }
}

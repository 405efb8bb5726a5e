//! Which folders are archived: patterns over their paths; pure.
//!
//! - A pattern without `!` takes folders, one with it leaves folders out. The last one that matches a folder counts; one
//!   that none matches is left out, or taken if there are only patterns with `!`.
//! - `*` stands for any characters, `/` among them: `Work/*` means all folders in `Work`, however deep, and not `Work`
//!   itself; `**` means the same. `?` stands for one character. All others stand for themselves: folders are called
//!   `[Gmail]`. Case counts, but for `INBOX`.
//! - `Spam` (or `Junk`), `Trash`, `Drafts`, `Sent`, `All`, `Archive` and `Flagged` (or `Starred`) mean the folder that the
//!   server marks as such (RFC 6154), whatever it is called, with all folders in it; where it marks none, one that is
//!   called as most programs call it. A folder of just this name that the server marks as nothing is meant too.

use super::source::Folder;
use crate::mail::imap::Special;

/// Patterns, in the order in which they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// As it is written.
    written: String,
    /// Without `!`, and with `INBOX` as that.
    text: String,
    excludes: bool,
    special: Option<Special>,
}

/// What patterns say of folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// The folders that are archived, in their order.
    pub taken: Vec<Folder>,
    /// The patterns that match no folder, in their order.
    pub unmatched: Vec<Unmatched>,
}

/// A pattern that matches no folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// As it is written.
    pub pattern: String,
    /// Whether it leaves folders out, which harms nobody.
    pub excludes: bool,
}

impl Unmatched {
    /// What to do. `labels` is what [`Source::labels`](super::source::Source::labels) says.
    pub fn hint(&self, labels: bool) -> &'static str {
        match labels {
            true => {
                "here folders are labels, and each message is archived once, from All Mail, with its labels; \
                 `gmail-query` chooses messages, such as \"label:work\""
            }
            false => "is it spelt as the server spells it? Case counts, and `/` stands between the parts",
        }
    }
}

impl Patterns {
    /// Reads patterns; any text is one.
    pub fn new<T: AsRef<str>>(written: &[T]) -> Self {
        Self(written.iter().map(|written| Pattern::read(written.as_ref())).collect())
    }

    /// Chooses among the folders that there are.
    pub fn choose(&self, folders: Vec<Folder>) -> Choice {
        let mut matched = vec![false; self.0.len()];
        let by_default = self.0.iter().all(|pattern| pattern.excludes);
        let takes: Vec<bool> = folders
            .iter()
            .map(|folder| {
                let mut takes = by_default;
                for (pattern, matched) in self.0.iter().zip(&mut matched) {
                    if pattern.matches(folder, &folders) {
                        (takes, *matched) = (!pattern.excludes, true);
                    }
                }
                takes
            })
            .collect();
        let taken = folders.into_iter().zip(takes).filter_map(|(folder, takes)| takes.then_some(folder));
        let unmatched = self.0.iter().zip(matched).filter(|(_, matched)| !matched);
        Choice {
            taken: taken.collect(),
            unmatched: unmatched
                .map(|(pattern, _)| Unmatched {
                    pattern: pattern.written.clone(),
                    excludes: pattern.excludes,
                })
                .collect(),
        }
    }
}

impl Pattern {
    fn read(written: &str) -> Self {
        let (excludes, text) = match written.strip_prefix('!') {
            Some(text) => (true, text),
            None => (false, written),
        };
        Self { written: written.to_owned(), text: inbox(text), excludes, special: special(text) }
    }

    fn matches(&self, folder: &Folder, all: &[Folder]) -> bool {
        let Some(special) = self.special else { return fits(&self.text, &inbox(&folder.path)) };
        let mut marked = all.iter().filter(|folder| folder.special == Some(special)).peekable();
        if folder.special.is_none() {
            let own = folder.path.strip_prefix("INBOX/").unwrap_or(&folder.path);
            let called = |name: &str| own.eq_ignore_ascii_case(name);
            let common = marked.peek().is_none() && common(special).iter().any(|name| called(name));
            if common || called(&self.text) {
                return true;
            }
        }
        marked.any(|marked| {
            let rest = folder.path.strip_prefix(marked.path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

fn special(text: &str) -> Option<Special> {
    Some(match text.to_ascii_lowercase().as_str() {
        "spam" | "junk" => Special::Junk,
        "trash" => Special::Trash,
        "drafts" => Special::Drafts,
        "sent" => Special::Sent,
        "all" => Special::All,
        "archive" => Special::Archive,
        "flagged" | "starred" => Special::Flagged,
        _ => return None,
    })
}

/// How programs call such a folder on servers that mark none.
fn common(special: Special) -> &'static [&'static str] {
    match special {
        Special::Junk => &["Spam", "Junk", "Junk E-mail", "Junk Email", "Bulk Mail"],
        Special::Trash => &["Trash", "Deleted Items", "Deleted Messages"],
        Special::Drafts => &["Drafts"],
        Special::Sent => &["Sent", "Sent Items", "Sent Messages", "Sent Mail"],
        Special::All => &["All Mail"],
        Special::Archive => &["Archive", "Archives"],
        Special::Flagged => &["Flagged", "Starred"],
    }
}

/// The same path or pattern with `INBOX` as that (RFC 9051, 5.1).
fn inbox(text: &str) -> String {
    match text.split_at_checked("INBOX".len()) {
        Some((first, rest))
            if first.eq_ignore_ascii_case("INBOX")
                && (rest.is_empty() || rest.starts_with(['/', '*', '?'])) =>
        {
            format!("INBOX{rest}")
        }
        _ => text.to_owned(),
    }
}

/// Whether a pattern fits all of a text. Goes back to the last star only, so that its time is bounded by the product of
/// both lengths.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut of) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(of) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(own) if *own == '?' || own == c => (at, of) = (at + 1, of + 1),
            _ => match &mut star {
                Some((star, from)) => {
                    *from += 1;
                    (at, of) = (*star + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|own| *own == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(paths: &[(&str, Option<Special>)]) -> Vec<Folder> {
        paths
            .iter()
            .map(|(path, special)| Folder { path: (*path).into(), special: *special, mark: None })
            .collect()
    }

    fn taken(patterns: &[&str], all: &[(&str, Option<Special>)]) -> String {
        let choice = Patterns::new(patterns).choose(folders(all));
        let paths: Vec<_> = choice.taken.iter().map(|folder| folder.path.as_str()).collect();
        let unmatched: Vec<_> = choice.unmatched.iter().map(|it| it.pattern.as_str()).collect();
        format!("{} - {}", paths.join(" "), unmatched.join(" "))
    }

    #[test]
    fn the_last_pattern_that_matches_counts() {
        let all = [
            ("INBOX", None),
            ("INBOX/sub", None),
            ("Work", None),
            ("Work/a", None),
            ("Work/a/b", None),
            ("Lists/x", None),
            ("[old]", None),
            ("Büro", None),
        ];
        for (patterns, expected) in [
            (&[][..], "INBOX INBOX/sub Work Work/a Work/a/b Lists/x [old] Büro - "),
            (&["*"], "INBOX INBOX/sub Work Work/a Work/a/b Lists/x [old] Büro - "),
            (&["Work/*"], "Work/a Work/a/b - "),
            (&["Work*"], "Work Work/a Work/a/b - "),
            (&["Work"], "Work - "),
            (&["work"], " - work"),
            (&["inbox"], "INBOX - "),
            (&["Inbox/*", "inbox"], "INBOX INBOX/sub - "),
            (&["!Lists/**", "!Work*"], "INBOX INBOX/sub [old] Büro - "),
            (&["*", "!Work/*", "Work/a/b"], "INBOX INBOX/sub Work Work/a/b Lists/x [old] Büro - "),
            (&["Work/a", "*", "!INBOX*"], "Work Work/a Work/a/b Lists/x [old] Büro - "),
            (&["!Nothing", "B?ro", "[old]", "!"], "[old] Büro - !Nothing !"),
            (&["*/*b*"], "INBOX/sub Work/a/b - "),
        ] {
            assert_eq!(taken(patterns, &all), expected, "{patterns:?}");
        }
        let long = format!("{}b", "a".repeat(5000));
        assert!(!fits(&"*a".repeat(500), &long));
    }

    #[test]
    fn what_a_folder_is_for_counts_in_any_language() {
        let marked = [
            ("Posteingang", None),
            ("Papierkorb", Some(Special::Trash)),
            ("Papierkorb/2019", None),
            ("Papierkorb alt", None),
            ("Spamverdacht", Some(Special::Junk)),
            ("trash", None),
            ("Junk", None),
            ("Deleted Items", None),
            ("Sent", Some(Special::Archive)),
        ];
        for (patterns, expected) in [
            (&["Trash"][..], "Papierkorb Papierkorb/2019 trash - "),
            (&["spam", "Junk"], "Spamverdacht Junk - "),
            (&["Archive", "Sent"], "Sent - Sent"),
            (&["*", "!Trash", "!Junk", "!Archive"], "Posteingang Papierkorb alt Deleted Items - "),
            (
                &["!Trash*"],
                "Posteingang Papierkorb Papierkorb/2019 Papierkorb alt Spamverdacht trash Junk Deleted Items Sent - !Trash*",
            ),
        ] {
            assert_eq!(taken(patterns, &marked), expected, "{patterns:?}");
        }
        let unmarked =
            [("INBOX", None), ("INBOX/Trash", None), ("Deleted Items", None), ("Junk E-mail", None)];
        assert_eq!(taken(&["!Trash", "!Spam", "!Drafts"], &unmarked), "INBOX - !Drafts");
    }

    #[test]
    fn where_folders_are_labels_a_pattern_that_names_one_is_told_so() {
        let gmail = [("[Gmail]/All Mail", Some(Special::All)), ("[Gmail]/Spam", Some(Special::Junk))];
        assert_eq!(taken(&["Work", "All", "!Spam"], &gmail), "[Gmail]/All Mail - Work");
        let unmatched = Unmatched { pattern: "Work".into(), excludes: false };
        assert!(unmatched.hint(true).contains("gmail-query") && !unmatched.hint(false).contains("gmail"));
    }
}

//! Which folder a message goes to; pure.

use super::gmail;
use crate::archive::stored::Stored;
use crate::mail::imap::{Folder, Special};

/// Where a message of Gmail's All Mail goes that has no label of its owner's.
const ARCHIVE: &str = "Archive";

/// Where messages go.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes {
    /// The folders that the target has.
    pub(super) folders: Vec<Folder>,
    /// All folders are made in this one.
    pub(super) under: Option<String>,
    /// Those of each account are made in one of its name.
    pub(super) apart: bool,
}

impl Routes {
    /// The path of the folder at the target.
    pub(super) fn folder(&self, message: &Stored) -> String {
        let account = self.apart.then(|| message.place.account.clone());
        let parts: Vec<_> = self.under.iter().cloned().chain(account).collect();
        let under = (!parts.is_empty()).then(|| parts.join("/"));
        folder(message, under.as_deref(), &self.folders)
    }
}

/// The path of the folder at the target. `folders` are those that it has. `under`: all folders are made in this one.
///
/// A message from Gmail's All Mail goes where its first usable label says, so that an archive without doubles does not make
/// any. One from Spam or Trash goes there, whatever labels it has: it must not be among the others.
fn folder(message: &Stored, under: Option<&str>, folders: &[Folder]) -> String {
    let path = &message.place.folder;
    let special = |special: Special, name: &str| {
        let known = folders.iter().find(|folder| folder.special == Some(special) && folder.selectable);
        // Under a folder nothing goes where the target's own mail is.
        known.filter(|_| under.is_none()).map_or_else(|| name.to_owned(), |folder| folder.path.clone())
    };
    let of_label = |label: &String| {
        Some(match label.to_ascii_lowercase().as_str() {
            "\\inbox" => "INBOX".to_owned(),
            "\\sent" => special(Special::Sent, "Sent"),
            "\\draft" | "\\drafts" => special(Special::Drafts, "Drafts"),
            "\\trash" => special(Special::Trash, "Trash"),
            "\\junk" | "\\spam" => special(Special::Junk, "Junk"),
            // Marks, not places.
            other if other.starts_with('\\') || label.trim().is_empty() => return None,
            _ => label.clone(),
        })
    };
    let labelled = || message.marks.labels.iter().find_map(of_label);
    let path = match gmail::own(path).filter(|_| message.marks.gmail.is_some()) {
        Some(own) => match gmail::purpose(own) {
            Some(Special::Junk) => special(Special::Junk, "Junk"),
            Some(Special::Trash) => special(Special::Trash, "Trash"),
            Some(_) => labelled().unwrap_or_else(|| special(Special::Archive, ARCHIVE)),
            // In a language that nobody knows here. A plan tells it ([`gmail::unknown_folder`]), since it may be spam.
            None => labelled().unwrap_or_else(|| own.to_owned()),
        },
        None => path.clone(),
    };
    match under {
        Some(under) => format!("{under}/{path}"),
        None if path.eq_ignore_ascii_case("INBOX") => "INBOX".into(),
        None => path,
    }
}

/// Paths to be tried for a folder, one after the other: as it is; without what some servers take for a delimiter or do not
/// take at all; with letters, digits and little else; and that without folders in folders.
pub(super) fn candidates(path: &str) -> [String; 4] {
    let without = |bad: &dyn Fn(char) -> bool| {
        let part = |part: &str| {
            let part: String = part.chars().map(|c| if bad(c) { '_' } else { c }).collect();
            if part.is_empty() { "_".to_owned() } else { part }
        };
        path.split('/').map(part).collect::<Vec<_>>()
    };
    let plain = without(&|c| c.is_control() || matches!(c, '*' | '%' | '.' | '\\' | '^'));
    let strict = without(&|c| c.is_control() || (c.is_ascii_punctuation() && !"#$'+,-:=@_".contains(c)));
    [path.to_owned(), plain.join("/"), strict.join("/"), strict.join("-")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::put::tests::message;

    fn at(path: &str, special: Option<Special>) -> Folder {
        Folder { path: path.into(), name: path.into(), selectable: true, special, status: None }
    }

    #[test]
    fn a_message_goes_where_it_was_or_where_its_label_says() {
        let folders =
            [at("INBOX", None), at("Gesendet", Some(Special::Sent)), at("Müll", Some(Special::Trash))];
        for (from, labels, under, to) in [
            ("Büro/2024", &[][..], None, "Büro/2024"),
            ("inbox", &[], None, "INBOX"),
            ("INBOX", &[], Some("Old"), "Old/INBOX"),
            ("[Gmail]/All Mail", &["\\Important", "\\Inbox", "Work"], None, "INBOX"),
            ("[Gmail]/Alle Nachrichten", &["Work/Jobs", "\\Inbox"], None, "Work/Jobs"),
            ("[Google Mail]/All Mail", &["\\Sent"], None, "Gesendet"),
            ("[Gmail]/All Mail", &["\\Sent"], Some("Old"), "Old/Sent"),
            ("[Gmail]/All Mail", &["\\Draft"], None, "Drafts"),
            ("[Gmail]/All Mail", &["\\Starred"], None, "Archive"),
            ("[Gmail]/All Mail", &[], None, "Archive"),
            ("[Gmail]/Spam", &[], None, "Junk"),
            ("[Gmail]/Papierkorb", &["Work", "\\Inbox"], None, "Müll"),
            ("[Google Mail]/Bin", &[], Some("Old"), "Old/Trash"),
            ("[Gmail]/Tất cả Thư", &[], None, "Archive"),
            ("[Gmail]/Ruslpóstur", &["Work"], None, "Work"),
            ("[Gmail]/Ruslpóstur", &["\\Important"], None, "Ruslpóstur"),
        ] {
            let mut stored = message(1, "x");
            stored.place.folder = from.into();
            stored.marks.labels = labels.iter().map(|label| (*label).to_owned()).collect();
            stored.marks.gmail = Some((1, 2));
            assert_eq!(folder(&stored, under, &folders), to, "{from} {labels:?}");
            // Where it goes by less than what its folder is for, that is told.
            let unknown = gmail::unknown_folder(&stored).is_some();
            assert_eq!(unknown, from.ends_with("/Ruslpóstur"), "{from}");
        }
        let mut other = message(1, "x");
        other.place.folder = "[Gmail]/All Mail".into();
        assert_eq!(folder(&other, None, &folders), "[Gmail]/All Mail");
        other.place.folder = "[Gmail]/Ruslpóstur".into();
        assert_eq!(gmail::unknown_folder(&other), None);
    }

    #[test]
    fn accounts_are_kept_apart_where_that_is_asked_for() {
        let mut stored = message(1, "x");
        stored.place.account = "old.mbox".into();
        for (under, apart, to) in [
            (None, false, "INBOX"),
            (Some("Old"), false, "Old/INBOX"),
            (Some("Old"), true, "Old/old.mbox/INBOX"),
        ] {
            let routes = Routes { folders: Vec::new(), under: under.map(str::to_owned), apart };
            assert_eq!(routes.folder(&stored), to);
        }
    }

    #[test]
    fn a_path_that_a_server_cannot_have_becomes_one_that_it_can() {
        assert_eq!(candidates("a.b//ü*&"), ["a.b//ü*&", "a_b/_/ü_&", "a_b/_/ü__", "a_b-_-ü__"]);
    }
}

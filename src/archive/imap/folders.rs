//! Which folders a mailbox has, by paths that are never the same for two of them.

use std::collections::{HashMap, HashSet};

use super::line::{Line, Trouble};
use crate::archive::source::{Folder, Mark, Unnamed};
use crate::entry::show;
use crate::error::Error;
use crate::mail::imap::{Folder as Told, Folders, OddName, Special, Status, readable};

/// The folder that mail comes into.
const INBOX: &str = "INBOX";

/// What a server told of its folders.
#[derive(Debug, Default)]
pub(super) struct All {
    folders: Vec<Told>,
    /// What cannot be opened because of its name.
    pub(super) unnamed: Vec<Unnamed>,
    /// Whether all messages lie in one of them (Gmail).
    pub(super) labels: bool,
}

/// Asks for all folders and what is in them.
pub(super) fn ask(line: &mut Line) -> Result<All, Trouble> {
    let session = line.session()?;
    let gmail = session.is_gmail();
    let folders = session.all_folders(true);
    let what = format!("cannot list the folders of {}", line.place());
    let folders = folders.map_err(|failed| line.trouble(failed, &what))?;
    let Folders { all: folders, odd, odd_count } = folders;
    let labels = gmail && folders.iter().any(|folder| folder.special == Some(Special::All));
    // A label shows only what lies elsewhere.
    let unnamed = if labels { Vec::new() } else { unnamed(odd, odd_count) };
    Ok(All { folders, unnamed, labels })
}

/// The folders that nobody can open.
fn unnamed(odd: Vec<OddName>, count: u64) -> Vec<Unnamed> {
    let one = |folder: String, cause: String| Unnamed {
        folder,
        message: None,
        cause: format!("the folder cannot be archived: {cause}"),
        hint: "rename it with a mail program; all others are archived",
    };
    let more = count.saturating_sub(odd.len() as u64);
    let told = odd.into_iter().map(|odd| {
        let shown = if odd.shown.is_empty() { "(no name)".to_owned() } else { odd.shown };
        one(shown, format!("its name {}", odd.why))
    });
    let more = (more > 0).then(|| one("(others)".to_owned(), format!("{more} more have such names")));
    told.chain(more).collect()
}

/// The folders that have messages of their own, and the server's names of them by their paths. At Gmail each message
/// lies in All Mail, or in Spam or Trash: all other folders show the same ones once more.
pub(super) fn read(all: All) -> (Vec<Folder>, HashMap<String, String>) {
    let own = |special| matches!(special, Some(Special::All | Special::Junk | Special::Trash));
    let (mut folders, mut names, mut seen) = (Vec::new(), HashMap::new(), HashSet::new());
    for mut told in all.folders {
        // The one name that may be written in any case (RFC 9051, 5.1). A folder in it may have the same path, where all
        // folders are in the inbox and our paths do not say so.
        let is_inbox = told.name.eq_ignore_ascii_case(INBOX);
        if is_inbox {
            told.path = INBOX.into();
        } else if told.path.eq_ignore_ascii_case(INBOX) {
            told.path = whole(&told.name, &told.path);
        }
        let name = if is_inbox { INBOX.into() } else { told.name.clone() };
        if !seen.insert(name) {
            continue;
        }
        if !told.selectable || (all.labels && !own(told.special)) {
            continue;
        }
        // Names that differ may have one path: a part may have a slash where the parts are not parted by one.
        let mut path = if names.contains_key(&told.path) { told.name.clone() } else { told.path };
        while names.contains_key(&path) {
            path.push('~');
        }
        names.insert(path.clone(), told.name);
        folders.push(Folder { path, special: told.special, mark: told.status.and_then(mark) });
    }
    (folders, names)
}

/// The path of a folder with what stands before all folders, such as `INBOX/Inbox` for `INBOX.Inbox`: by that the server
/// knows it, too. `last` is its path without.
fn whole(name: &str, last: &str) -> String {
    let before = name.get(..name.len().saturating_sub(last.len())).unwrap_or_default();
    match before.chars().next_back().filter(|delimiter| !delimiter.is_alphanumeric()) {
        Some(delimiter) => readable(name).replace(delimiter, "/"),
        None => name.to_owned(),
    }
}

fn mark(status: Status) -> Option<Mark> {
    Some(Mark {
        validity: status.uid_validity?,
        next: status.uid_next?,
        messages: status.messages?,
        // RFC 7162: zero says that the folder has none.
        mod_seq: status.highest_mod_seq.filter(|mod_seq| *mod_seq > 0),
    })
}

/// A folder that was listed once is not there.
pub(super) fn missing(place: &str, path: &str) -> Error {
    Error::other(format!("there is no folder {} in {place}", show(path.as_bytes())))
        .hint("was it renamed or deleted? What was archived of it stays")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, name: &str, special: Option<Special>) -> Told {
        let status =
            Status { messages: Some(3), uid_next: Some(9), uid_validity: Some(7), highest_mod_seq: Some(0) };
        let selectable = !path.ends_with("only");
        Told { path: path.into(), name: name.into(), selectable, special, status: Some(status) }
    }

    #[test]
    fn each_folder_has_a_path_of_its_own() {
        let folders = vec![
            told("INBOX", "INBOX", None),
            told("names only", "names only", None),
            told("a/b", "a.b", None),
            told("a/b", "a/b", None),
            told("a/b", "a|b", None),
            // Told twice, and once more in another case.
            told("a/b", "a/b", None),
            told("inbox", "Inbox", None),
        ];
        let (folders, names) = read(All { folders, ..All::default() });
        let paths: Vec<_> = folders.iter().map(|folder| folder.path.as_str()).collect();
        assert_eq!(paths, ["INBOX", "a/b", "a/b~", "a|b"]);
        assert_eq!((names["a/b"].as_str(), names["a/b~"].as_str()), ("a.b", "a/b"));
        let mark = Mark { validity: 7, next: 9, messages: 3, mod_seq: None };
        assert!(folders.iter().all(|folder| folder.mark == Some(mark)));
    }

    #[test]
    fn the_inbox_is_called_so_by_the_server() {
        // All folders are in INBOX, as Courier and others have it: what is called like it in there is another folder.
        let inbox = [told("INBOX", "inbox", None), told("Work", "INBOX.Work", None)];
        let others = [told("Inbox", "INBOX.Inbox", None), told("INBOX", "INBOX.INBOX", None)];
        let expected = [
            ("INBOX", "inbox"),
            ("INBOX/INBOX", "INBOX.INBOX"),
            ("INBOX/Inbox", "INBOX.Inbox"),
            ("Work", "INBOX.Work"),
        ];
        for folders in [[&inbox[..], &others].concat(), [&others[..], &inbox].concat()] {
            let (folders, names) = read(All { folders, ..All::default() });
            let mut names: Vec<_> = names.iter().map(|(path, name)| (path.as_str(), name.as_str())).collect();
            names.sort_unstable();
            assert_eq!((names, folders.len()), (expected.to_vec(), 4));
        }
        for (name, path) in
            [("B&APw-ro.inbox", "Büro/inbox"), ("a/b/INBOX", "a/b/INBOX"), ("xINBOX", "xINBOX")]
        {
            assert_eq!(whole(name, "INBOX"), path);
        }
    }

    #[test]
    fn where_folders_are_labels_each_message_is_in_one() {
        let folders = vec![
            told("INBOX", "INBOX", None),
            told("[Gmail]/Alle", "[Gmail]/Alle", Some(Special::All)),
            told("[Gmail]/Spam", "[Gmail]/Spam", Some(Special::Junk)),
            told("[Gmail]/Papierkorb", "[Gmail]/Papierkorb", Some(Special::Trash)),
            told("[Gmail]/Gesendet", "[Gmail]/Gesendet", Some(Special::Sent)),
        ];
        let paths = |labels| {
            let (folders, _) = read(All { folders: folders.clone(), labels, ..All::default() });
            folders.into_iter().map(|folder| folder.path).collect::<Vec<_>>()
        };
        assert_eq!(paths(true), ["[Gmail]/Alle", "[Gmail]/Spam", "[Gmail]/Papierkorb"]);
        assert_eq!(paths(false).len(), 5);
    }
}

//! What folders are called that lie in mbox files; pure.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::archive::local::readable;
use crate::entry::RelPath;

/// What mail programs keep beside the mbox files.
const OTHERS: [&[u8]; 8] =
    [b".msf", b".dat", b".html", b".json", b".sqlite", b".cmeta", b".ibex.index", b".ev-summary"];

/// Whether a file may be an mbox by its name.
pub(super) fn may_be(name: &[u8]) -> bool {
    !name.starts_with(b".") && !OTHERS.iter().any(|other| name.ends_with(other))
}

/// Whether a name says that a file is one.
pub(super) fn is_mbox(name: &[u8]) -> bool {
    name == b"mbox" || name.ends_with(b".mbox")
}

/// The name of a file that is meant alone.
pub(super) fn single(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| readable(bare(name.as_bytes())))
}

/// The name of a file in a folder of them: Thunderbird keeps what is in `A` in `A.sbd`, Apple Mail exports `A` as
/// `A.mbox/mbox`.
pub(super) fn below(path: &RelPath) -> String {
    let mut parts: Vec<Vec<u8>> = path.names().map(|name| name.as_bytes().to_vec()).collect();
    if let [.., above, file] = parts.as_slice()
        && file == b"mbox"
        && above.ends_with(b".mbox")
    {
        parts.pop();
    }
    let names: Vec<String> = parts.iter().map(|part| readable(bare(part))).collect();
    names.join("/")
}

fn bare(name: &[u8]) -> &[u8] {
    let ends: [&[u8]; 3] = [b".mbox", b".mbx", b".sbd"];
    let bare = ends.iter().find_map(|end| name.strip_suffix(*end));
    bare.filter(|bare| !bare.is_empty()).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Name;

    #[test]
    fn files_are_called_as_people_call_their_folders() {
        for (path, expected) in [
            ("Inbox", "Inbox"),
            ("Inbox.sbd/Work.sbd/2025", "Inbox/Work/2025"),
            ("Old mail.mbox/mbox", "Old mail"),
            ("All mail Including Spam and Trash.mbox", "All mail Including Spam and Trash"),
            ("mail/mbox", "mail/mbox"),
            (".mbox", ".mbox"),
            ("v1.2", "v1.2"),
        ] {
            let names = path.split('/').filter_map(|name| Name::new(name.as_bytes()));
            assert_eq!(below(&names.fold(RelPath::root(), |path, name| path.join(&name))), expected);
        }
        assert_eq!(single(Path::new("/home/ann/old.mbox")), "old");
        assert!(may_be(b"Inbox") && !may_be(b"Inbox.msf") && !may_be(b".cache"));
    }
}

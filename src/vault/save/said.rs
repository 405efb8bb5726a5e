//! What the library says while it saves, as notes.

use crate::vault::guard::lost_tree;
use crate::vault::source::KNOWN;
use crate::vault::warnings::Warnings;

/// How many warnings of the library become notes.
const NOTED: usize = 20;

/// What the library said, but for what we name ourselves.
pub(in crate::vault) fn plain(heard: Warnings) -> impl Iterator<Item = String> {
    let unnamed = heard.list.into_iter().filter(|text| !text.contains(KNOWN)).take(NOTED);
    let mut notes: Vec<_> =
        unnamed.map(|text| translated(&text.split_whitespace().collect::<Vec<_>>().join(" "))).collect();
    notes.dedup();
    notes.into_iter()
}

/// A warning of the library in our words, where it is a known one: both tell that what a repair found to be lost is made
/// good.
fn translated(said: &str) -> String {
    let lost = said.strip_prefix("missing blobs in index for unchanged file ");
    if let Some((path, _)) = lost.and_then(|rest| rest.rsplit_once("; re-reading")) {
        return format!(
            "the vault had lost a piece of a file in {path}: it was read again, and is stored anew"
        );
    }
    if let Some(tree) = lost_tree(said) {
        return format!(
            "the vault had lost a folder's list of entries ({tree}): what is in the folder was read again; \
             `postkeep verify` says whether older snapshots miss it"
        );
    }
    format!("the vault library says: {said}")
}

#[cfg(test)]
mod tests {
    use super::translated;

    #[test]
    fn known_warnings_of_the_library_become_sentences_and_others_stay() {
        for (said, part) in [
            (
                "missing blobs in index for unchanged file /home/ann; re-reading file",
                "a file in /home/ann: it was",
            ),
            (
                "ignoring error when loading parent tree abc: Error: `Tree ID `0123456789abcdef` not found in index` (kind: x)",
                "list of entries (tree 01234567): what",
            ),
            ("something else", "the vault library says: something else"),
        ] {
            assert!(translated(said).contains(part), "{said}: {}", translated(said));
        }
    }
}

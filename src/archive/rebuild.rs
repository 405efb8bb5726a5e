//! The catalogue of an archive, read from the vault again: all that it says but how far folders were seen.

use std::path::Path;

use rustic_core::repofile::{Node, SnapshotFile};

use super::marks::Marks;
use super::path;
use crate::entry::RelPath;
use crate::error::{Error, Result};
use crate::state::catalogue::{Catalogue, Facts, Found};
use crate::vault::indexed::Indexed;
use crate::vault::snapshot::full;
use crate::vault::tree::{self, Step};

/// What a snapshot has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Messages.
    pub messages: u64,
    /// Files that are none of ours.
    pub others: u64,
    /// Messages of which the vault lost the content, or a part of it. They are archived again, if they are still there.
    pub damaged: u64,
    /// Folders of which the vault lost the list of entries. What was in them is archived again, if it is still there.
    pub lost: Vec<String>,
}

/// Makes the catalogue that of a snapshot.
///
/// # Errors
/// The vault cannot be read, or the catalogue not written: then the catalogue is as it was.
pub fn rebuild(catalogue: &Catalogue, vault: &Indexed<'_>, snapshot: &SnapshotFile) -> Result<Rebuilt> {
    catalogue.rebuild(&full(&snapshot.id), |take| {
        let mut rebuilt = Rebuilt::default();
        if !vault.has_tree(snapshot.tree) {
            rebuilt.lost.push("/".into());
            return Ok(rebuilt);
        }
        tree::walk(vault, &RelPath::root(), &tree::root(snapshot.tree), &mut |step| {
            match step {
                Step::Entry(path, node) if node.is_dir() => {
                    let there = node.subtree.is_some_and(|tree| vault.has_tree(tree));
                    if !there {
                        rebuilt.lost.push(format!("/{path}"));
                    }
                    return Ok(there);
                }
                Step::Entry(path, node) => match found(path.as_path(), node) {
                    // One that is not whole is none: whoever has it still is asked for it.
                    Some(_) if !node.content.iter().flatten().all(|id| vault.locate(id).is_some()) => {
                        rebuilt.damaged += 1;
                    }
                    Some(found) => {
                        rebuilt.messages += 1;
                        take(found)?;
                    }
                    None => rebuilt.others += 1,
                },
                Step::End(..) => {}
                Step::Broken(path, why) => {
                    let error = format!("cannot read what is archived in /{path}: {}", why.one_line());
                    return Err(Error::new(why.kind(), error)
                        .hint("what is damaged is told by: postkeep verify PROFILE"));
                }
            }
            Ok(true)
        })?;
        Ok(rebuilt)
    })
}

/// Whether a vault has everything that is in a snapshot, as far as its index tells.
///
/// # Errors
/// The vault cannot be read.
pub fn is_whole(vault: &Indexed<'_>, snapshot: &SnapshotFile) -> Result<bool> {
    let has = |node: &Node| match node.is_dir() {
        true => node.subtree.is_some_and(|tree| vault.has_tree(tree)),
        false => node.content.iter().flatten().all(|id| vault.locate(id).is_some()),
    };
    let root = tree::root(snapshot.tree);
    let mut whole = has(&root);
    if !whole {
        return Ok(false);
    }
    tree::walk(vault, &RelPath::root(), &root, &mut |step| {
        match step {
            Step::Entry(_, node) => whole &= has(node),
            // What is not given now is not lost.
            Step::Broken(_, why) if why.kind().is_away() => return Err(why.again()),
            Step::Broken(..) => whole = false,
            Step::End(..) => {}
        }
        Ok::<_, Error>(whole)
    })?;
    Ok(whole)
}

/// A file of a snapshot as a message. None: it is none.
fn found(path: &Path, node: &Node) -> Option<Found> {
    let place = path::place(path)?;
    // Not of the names in it, which may have been cut: a folder is known by where it lies.
    let (directory, file) = path::split(path)?;
    let marks = Marks::of(node);
    Some(Found {
        account: place.account,
        path: place.folder,
        directory,
        key: place.key,
        message_id: marks.message_id,
        facts: Facts {
            file,
            date: place.date,
            size: node.meta.size,
            sha256: marks.sha256,
            flags: marks.flags,
            labels: marks.labels,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use jiff::Timestamp;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::archive::path::Place;
    use crate::journal::Forgetful;
    use crate::progress::{Meter, Silent};
    use crate::state::catalogue::{Change, Commit, Mark};
    use crate::vault::add::{Addition, Content, Item};
    use crate::vault::store::Store;
    use crate::vault::store::memory::Memory;
    use crate::vault::{Options, Vault};

    fn message(folder: &str, n: u32) -> (Place, Marks, Vec<u8>) {
        let date = Timestamp::from_second(1_700_000_000 + i64::from(n) * 86_400).unwrap();
        let bytes = format!("Message-ID: <{n}>\r\n\r\n{folder}").into_bytes();
        let marks = Marks {
            flags: vec!["\\Seen".into(), "$Junk".into()],
            labels: vec!["Reise, Büro".into()],
            message_id: n.is_multiple_of(2).then(|| format!("<{n}@example.org>")),
            sha256: Sha256::digest(&bytes).into(),
            ..Marks::default()
        };
        let place = Place { account: "gmail".into(), folder: folder.into(), date, key: format!("7.{n}") };
        (place, marks, bytes)
    }

    #[test]
    fn a_lost_catalogue_is_read_from_the_vault_again() {
        let temp = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let options = Options { compression: 3, host: "nas".into(), ..Options::default() };
        Vault::create(Arc::clone(&store), "x", &options).unwrap();
        let vault = Vault::open(store, "x", &temp.path().join("keys"), &temp.path().join("cache")).unwrap();
        let catalogue = || Catalogue::open(&temp.path().join("state"), "mail", vault.id()).unwrap();

        let long = "ü".repeat(300);
        let mut messages: Vec<_> = ["INBOX", "Büro/100 %", long.as_str()]
            .into_iter()
            .flat_map(|folder| (0..40).map(move |n| message(folder, n)))
            .collect();
        messages.sort_by_key(|(place, ..)| path::path(place));
        let mut changes = Vec::new();
        let mut items = Vec::new();
        let mut marks = Vec::new();
        for (place, mark, bytes) in messages {
            let path = path::path(&place);
            let (directory, file) = path::split(&path).unwrap();
            let folder = catalogue().folder(&place.account, &place.folder, &directory).unwrap().id;
            marks.push((folder, Mark { validity: 7, ..Mark::default() }));
            let facts = Facts {
                file,
                date: place.date,
                size: bytes.len() as u64,
                sha256: mark.sha256,
                flags: mark.flags.clone(),
                labels: mark.labels.clone(),
            };
            items.push(Item {
                path,
                mtime: place.date,
                seen: place.date,
                attributes: mark.attributes(),
                content: Content::Held(bytes),
            });
            changes.push(Change::Stored { folder, key: place.key, message_id: mark.message_id, facts });
        }
        items.push(Item { path: PathBuf::from("/notes.txt"), ..last_item() });
        let meter = Meter::default();
        let addition = Addition {
            profile: "mail",
            host: "nas",
            now: Timestamp::UNIX_EPOCH,
            roots: vec!["/gmail".into()],
            meter: &meter,
            listener: &Silent,
            journal: &Forgetful,
        };
        let mut adding = vault.add(addition).unwrap();
        let snapshot = adding.part(items.into_iter()).unwrap().snapshot.to_string();
        adding.finish().unwrap();
        catalogue()
            .commit(&Commit { snapshot: Some(&snapshot), changes: &changes, marks: &marks, quarantined: &[] })
            .unwrap();
        let all = || {
            let catalogue = catalogue();
            let folders = catalogue.folders().unwrap();
            let keys: Vec<_> = (0..40).map(|n| format!("7.{n}")).collect();
            let known = |folder| catalogue.known(folder, keys.iter().map(String::as_str)).unwrap();
            let facts = |folder| known(folder).into_iter().map(|m| m.map(|m| m.facts)).collect::<Vec<_>>();
            let looked = |n: i64| {
                let (_, marks, bytes) = message("INBOX", u32::try_from(n).unwrap());
                let date = Timestamp::from_second(1_700_000_000 + n * 86_400).unwrap();
                let size = bytes.len() as u64 + 1;
                let look = crate::state::catalogue::Look {
                    folder: None,
                    date,
                    size,
                    message_id: marks.message_id.as_deref(),
                };
                catalogue.find(&look).unwrap().len()
            };
            let found: Vec<_> = (0..40).map(looked).collect();
            let folders: Vec<_> = folders
                .into_iter()
                .map(|f| (f.account, f.directory, f.stored, f.bytes, facts(f.id)))
                .collect();
            (catalogue.snapshot().unwrap(), folders, found)
        };
        let before = all();
        assert_eq!((before.1.len(), before.1[0].2, before.2[0], before.2[1]), (3, 40, 3, 0));
        assert!(before.1.iter().all(|folder| folder.4.iter().all(Option::is_some)));

        Catalogue::remove(&temp.path().join("state"), "mail", vault.id()).unwrap();
        assert_eq!(catalogue().snapshot().unwrap(), None);
        let last = vault.last_snapshot("mail", Some("nas")).unwrap().unwrap();
        let rebuilt = rebuild(&catalogue(), &vault.read().unwrap(), &last).unwrap();
        assert_eq!(rebuilt, Rebuilt { messages: 120, others: 1, damaged: 0, lost: Vec::new() });
        assert_eq!(all(), before);
        assert!(catalogue().folders().unwrap().iter().all(|folder| folder.mark.is_none()));
    }

    fn last_item() -> Item {
        let (place, marks, _) = message("x", 1);
        Item {
            path: PathBuf::new(),
            mtime: place.date,
            seen: place.date,
            attributes: marks.attributes(),
            content: Content::Held(Vec::new()),
        }
    }
}

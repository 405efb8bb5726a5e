//! The map on disk, so that a listing asks only for what is new. It may be deleted at any time.
//!
//! Lines of text, the last one with the SHA-256 of those before it: a file that is not complete is none.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::map::{Map, Message};
use crate::error::{Context, Result};
use crate::vault::store::letter::{Head, Label, VaultId};
use crate::vault::store::{Id, Kind};

const FIRST_LINE: &str = "postkeep's map of a mailbox, 1";

/// The largest file that is read.
const MOST: u64 = 1 << 30;

/// Puts a map down, instead of the one that is there.
pub(super) fn save(path: &Path, map: &Map, vault: Option<VaultId>) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let text = write(map, vault);
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).context(cannot)?;
    }
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written.context(cannot)
}

/// Reads a map. None: there is none that can be used.
pub(super) fn load(path: &Path) -> Option<(Map, Option<VaultId>)> {
    if fs::metadata(path).ok()?.len() > MOST {
        return None;
    }
    read(&fs::read_to_string(path).ok()?)
}

fn write(map: &Map, vault: Option<VaultId>) -> String {
    let vault = vault.map(|vault| vault.to_string()).unwrap_or_default();
    let mut text = format!("{FIRST_LINE}\n{} {} {vault}\n", map.validity, map.next());
    let mut letters = map.catalogue.letters().peekable();
    for uid in map.known() {
        match letters.next_if(|(letter, _)| **letter == uid) {
            Some((_, label)) => {
                let Label { kind, hash, size, part, parts, serial, .. } = label;
                let kind = kind.word();
                text.push_str(&format!("{uid} {kind} {hash} {size} {part} {parts} {serial}\n"));
            }
            None if map.read_me == Some(uid) => text.push_str(&format!("{uid} readme\n")),
            None => text.push_str(&format!("{uid}\n")),
        }
    }
    let sum = Id::of(text.as_bytes());
    text.push_str(&format!("{sum}\n"));
    text
}

fn read(text: &str) -> Option<(Map, Option<VaultId>)> {
    let (body, sum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let body = &text[..body.len() + 1];
    if sum.parse() != Ok(Id::of(body.as_bytes())) {
        return None;
    }
    let mut lines = body.lines();
    let mut about = lines.next().filter(|first| *first == FIRST_LINE).and_then(|_| lines.next())?.split(' ');
    let mut map = Map::new(about.next()?.parse().ok()?);
    let next: u32 = about.next()?.parse().ok()?;
    let vault: Option<VaultId> = match about.next()? {
        "" => None,
        vault => Some(vault.parse().ok()?),
    };
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let uid: u32 = words.first()?.parse().ok()?;
        let head = match words[..] {
            [_] => None,
            [_, "readme"] => Some(Head::ReadMe(vault?)),
            [_, kind, hash, size, part, parts, serial] => Some(Head::Object(Label {
                vault: vault?,
                kind: Kind::ALL.into_iter().find(|known| known.word() == kind)?,
                hash: hash.parse().ok()?,
                size: size.parse().ok()?,
                part: part.parse().ok()?,
                parts: parts.parse().ok()?,
                serial: serial.parse().ok()?,
            })),
            _ => return None,
        };
        map.take(&[Message { uid, head }], vault, uid < next);
    }
    map.dirty = false;
    Some((map, vault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_read_as_it_was_written_or_not_at_all() {
        let vault = VaultId([3; 8]);
        let label =
            |part| Label { vault, kind: Kind::Pack, hash: Id([7; 32]), size: 200, part, parts: 2, serial: 0 };
        let mut map = Map::new(99);
        let message = |uid, head| Message { uid, head };
        let messages = [
            message(2, Some(Head::ReadMe(vault))),
            message(3, Some(Head::Object(label(2)))),
            message(4, None),
            message(9, Some(Head::Object(label(1)))),
        ];
        map.take(&messages, Some(vault), true);
        map.take(&[message(20, None)], Some(vault), false);
        assert_eq!((map.next(), map.count()), (10, 4));
        let text = write(&map, Some(vault));
        let (again, known) = read(&text).unwrap();
        assert_eq!(known, Some(vault));
        assert_eq!(write(&again, known), text);
        assert_eq!(again.catalogue.find(Kind::Pack, &Id([7; 32])).unwrap().letters, [9, 3]);
        for at in 0..text.len() {
            assert!(read(&text[..at]).is_none(), "cut after {at} bytes");
        }
        for bad in [text.replace("pack", "lock"), text.replace("\n9 ", "\n8 "), String::new()] {
            assert!(read(&bad).is_none());
        }
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b.map");
        assert!(load(&path).is_none());
        save(&path, &map, Some(vault)).unwrap();
        assert!(load(&path).is_some());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}

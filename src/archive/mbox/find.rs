//! Which files at a path are mbox files.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::{line, name};
use crate::archive::local::{self, Folders};
use crate::entry::{Kind, RelPath};
use crate::error::{Context, Error, Result};
use crate::folder::list::list;

/// How much of a file is looked at to see whether it is an mbox, or was one.
const GLANCE: u64 = 64;
const LOOK: u64 = 64 << 10;

/// The mbox files at a path, a file or a folder, by the names of their folders. Whatever has a name that is `known` is one:
/// whoever lists it hears what is wrong with it. So it is with one whose beginning is spoilt.
pub(super) fn find(at: &Path, known: &HashSet<String>) -> Result<Folders> {
    let root = local::root(at, "mbox file")?;
    let mut named = Folders::new();
    if root.is_file() {
        named.add(&name::single(at), RelPath::root());
        return Ok(named);
    }
    let mut stack = vec![(RelPath::root(), 0)];
    let (mut files, mut others) = (Vec::new(), Vec::new());
    while let Some((path, depth)) = stack.pop() {
        let (folder, entries) =
            match local::open(&root, &path).and_then(|folder| Ok((list(&folder)?.entries, folder))) {
                Ok((entries, folder)) => (folder, entries),
                Err(error) if depth == 0 => {
                    return Err(error).context(|| format!("cannot read the folder {}", at.display()));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                // Whoever lists it hears why it cannot be read.
                Err(_) => {
                    files.push(path);
                    continue;
                }
            };
        for entry in entries.into_iter().rev() {
            let below = path.join(&entry.name);
            match entry.kind {
                Kind::Folder if depth < local::DEEPEST => stack.push((below, depth + 1)),
                Kind::File if entry.size > 0 && name::may_be(entry.name.as_bytes()) => {
                    // Whoever lists one that cannot be read hears why.
                    let file = local::open_file(&folder, entry.name.as_bytes());
                    match file.and_then(|file| is_or_was(file, entry.name.as_bytes())).unwrap_or(true) {
                        true => files.push(below),
                        false => others.push(below),
                    }
                }
                Kind::Symlink if name::may_be(entry.name.as_bytes()) => others.push(below),
                _ => {}
            }
        }
    }
    let names: BTreeSet<_> = files.iter().map(name::below).collect();
    let is_known = |path: &RelPath| {
        let name = name::below(path);
        known.contains(&name) && !names.contains(&name)
    };
    files.extend(others.into_iter().filter(is_known));
    files.sort_unstable();
    files.into_iter().for_each(|path| named.add(&name::below(&path), path));
    if named.is_empty() {
        return Err(Error::other(format!("there is no mbox file in {}", at.display())).hint(
            "an mbox file begins with \"From \"; a folder with cur, new and tmp is a Maildir: maildir:PATH",
        ));
    }
    Ok(named)
}

/// Whether a file begins as an mbox does; or did, as its name or a message in it says.
fn is_or_was(mut file: File, name: &[u8]) -> io::Result<bool> {
    let mut start = Vec::new();
    (&mut file).take(GLANCE).read_to_end(&mut start)?;
    if line::is_from(start.trim_ascii_start()) || name::is_mbox(name) {
        return Ok(true);
    }
    file.take(LOOK - GLANCE).read_to_end(&mut start)?;
    Ok(has_message(&start))
}

/// Whether a line that begins a message stands before one that begins a header.
fn has_message(text: &[u8]) -> bool {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').peekable();
    while let Some(this) = lines.next() {
        let is_field = |next: &&[u8]| {
            let name = next.iter().position(|byte| *byte == b':').and_then(|at| next.get(..at));
            name.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic))
        };
        // What a crash left in it may stand before it in the same line.
        let this = this.iter().rposition(|byte| *byte == 0).and_then(|at| this.get(at + 1..)).unwrap_or(this);
        if line::begins(this) && lines.peek().is_some_and(is_field) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_further_down_says_that_a_file_was_an_mbox() {
        const FROM: &str = "From a@b Mon Nov 29 22:54:33 2026\n";
        for (text, was) in [
            (format!("\0\0\n{FROM}S: x\n\none\n"), true),
            (format!("\0\0\0{FROM}S: x\n\none\n"), true),
            (format!("\u{feff}S: x\n\none\n\n{FROM}Return-Path: x\n"), true),
            (format!("An mbox has lines such as\n\n{FROM}\nbefore each message.\n"), false),
            ("Subject: x\n\nFrom now on: y\n".into(), false),
            (FROM.into(), false),
        ] {
            assert_eq!(has_message(text.as_bytes()), was, "{text:?}");
        }
    }
}

//! The mbox files of an export: one for each folder, none of which has its name before it is whole.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io::{self, Read, Write};

use super::copy::{Fault, copy};
use super::{Export, mbox};
use crate::archive::files::{Dir, Draft};
use crate::archive::names;
use crate::archive::stored::Stored;
use crate::entry::Name;
use crate::failures;
use crate::run::Severity;

/// What the names of mbox files end with.
const ENDING: &str = ".mbox";

/// How many of the files are held open. Messages of one folder mostly come behind each other.
const HELD: usize = 32;

/// Mbox files that are not whole yet, by the folder whose messages they have.
#[derive(Default)]
pub(super) struct Boxes {
    open: BTreeMap<String, Mbox>,
    /// Their paths, of which no two are the same.
    paths: HashSet<String>,
    /// The folders on the disk that they are in.
    dirs: HashMap<String, Dir>,
    /// Which of them are held open, that which was opened last behind.
    held: VecDeque<String>,
}

impl Boxes {
    /// The box of a folder, which is open while it is among the last that were written to.
    fn get(&mut self, path: &str) -> Option<&mut Mbox> {
        if !self.held.iter().any(|held| held == path) {
            self.held.push_back(path.to_owned());
        }
        if self.held.len() > HELD
            && let Some(first) = self.held.pop_front()
            && let Some(first) = self.open.get_mut(&first)
        {
            first.draft.rest();
        }
        self.open.get_mut(path)
    }
}

struct Mbox {
    draft: Draft,
    name: Name,
    messages: u64,
    /// Their bytes, as archived.
    bytes: u64,
}

impl Export {
    /// A message at the end of its folder's mbox file.
    pub(super) fn mbox(&mut self, message: &Stored, body: &mut dyn Read) -> Result<bool, Fault> {
        let path = self.path(message);
        if !self.boxes.open.contains_key(&path) {
            let begun = self.begin_box(&path)?;
            self.boxes.open.insert(path.clone(), begun);
        }
        let Some(Mbox { draft, messages, bytes, .. }) = self.boxes.get(&path) else {
            return Ok(false);
        };
        let before = draft.length();
        let written = (|| {
            let mut first = true;
            let mut quoting = mbox::Quoting::new(&mut *draft);
            copy(message, body, &mut |bytes| {
                if std::mem::take(&mut first) {
                    quoting.plain(mbox::from_line(bytes, message.place.date).as_bytes())?;
                }
                quoting.write_all(bytes)
            })?;
            quoting.end()?;
            Ok(())
        })();
        match written {
            Ok(()) => {
                *messages += 1;
                *bytes += message.size;
            }
            Err(_) => draft.cut(before)?,
        }
        written.map(|()| true)
    }

    fn begin_box(&mut self, path: &str) -> io::Result<Mbox> {
        let name =
            |text: &str| Name::new(text.as_bytes()).ok_or(io::Error::from(io::ErrorKind::InvalidFilename));
        let mut dir = Dir::clone(&self.root);
        let mut there = String::new();
        let mut parts = path.split('/').map(names::folder).peekable();
        loop {
            let part = parts.next().unwrap_or_default();
            if parts.peek().is_none() {
                let mut file = format!("{part}{ENDING}");
                let mut number = 2;
                while !self.boxes.paths.insert(format!("{there}/{file}")) {
                    file = format!("{}{ENDING}", names::numbered(&part, number));
                    number += 1;
                }
                let (draft, name) = (self.files.begin(&dir)?, name(&file)?);
                return Ok(Mbox { draft, name, messages: 0, bytes: 0 });
            }
            let part = inner(part);
            there = format!("{there}/{part}");
            dir = match self.boxes.dirs.get(&there) {
                Some(dir) => Dir::clone(dir),
                None => self.files.enter(&dir, &name(&part)?)?,
            };
            self.boxes.dirs.insert(there.clone(), Dir::clone(&dir));
        }
    }

    /// Gives all of them their names. What is in one that cannot have it is not written.
    pub(super) fn end_boxes(&mut self) {
        for (folder, Mbox { draft, name, messages, bytes }) in std::mem::take(&mut self.boxes.open) {
            let failure = match self.files.finish(draft, &name, None) {
                Ok(true) => continue,
                Ok(false) => {
                    let why = "cannot export: something has the name of its mbox file";
                    failures::said(Severity::Error, &folder, why, None)
                }
                Err(error) => failures::error(&folder, "cannot export", &error),
            };
            self.done.failures.add(failure);
            self.done.written = self.done.written.saturating_sub(messages);
            self.done.bytes = self.done.bytes.saturating_sub(bytes);
        }
    }
}

/// The name of a folder that has folders in it: none that the mbox file of another one may have.
fn inner(name: String) -> String {
    let end = name.len().checked_sub(ENDING.len()).and_then(|at| name.get(at..));
    match end.is_some_and(|end| end.eq_ignore_ascii_case(ENDING)) {
        true => format!("{name}~{}", names::hash(&name)),
        false => name,
    }
}

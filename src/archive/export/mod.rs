//! Archived messages as files that other programs read: a tree of `.eml` files, mbox files, or a Maildir.
//!
//! A second export into the same folder writes only what is new (mbox files, which are one piece each, excepted). Each
//! file is whole or not there. A message that cannot be read, or is not what was archived, is a failure by name.

mod boxes;
mod copy;
mod eml;
mod folder;
mod maildir;
mod mbox;

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::path::Path;

use self::boxes::Boxes;
use self::copy::{Fault, With, copy, unread};
use self::folder::Folder;
use super::files::{Dir, Files};
use super::names;
use super::stored::Stored;
use crate::entry::Name;
use crate::error::{Context, Error, Result};
use crate::failures::{self, Failures};
use crate::folder::raise_open_files;
use crate::run::{RunId, Severity};

/// The most folders inside each other that are looked through for files.
const DEEPEST: usize = 100;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `FOLDER/2024-02-29 120000 SUBJECT HASH.eml`: each message a file, byte for byte.
    Eml,
    /// `FOLDER.mbox`: each folder a file (mboxrd). Lines end with LF; flags are not kept.
    Mbox,
    /// A Maildir with folders (Maildir++): each message a file, byte for byte, its flags in its name.
    Maildir,
}

impl Format {
    const ALL: [Self; 3] = [Self::Eml, Self::Mbox, Self::Maildir];

    fn word(self) -> &'static str {
        match self {
            Self::Eml => "eml",
            Self::Mbox => "mbox",
            Self::Maildir => "maildir",
        }
    }

    fn marker(self) -> &'static str {
        match self {
            Self::Eml => ".postkeep-export-eml",
            Self::Mbox => ".postkeep-export-mbox",
            Self::Maildir => ".postkeep-export-maildir",
        }
    }
}

/// What was exported.
#[derive(Debug, Default)]
pub struct Exported {
    /// Messages that were written.
    pub written: u64,
    /// Their bytes, as archived.
    pub bytes: u64,
    /// Messages that an earlier export had written.
    pub present: u64,
    /// What could not be exported.
    pub failures: Failures,
}

/// An export at work.
pub struct Export {
    files: Files,
    root: Dir,
    format: Format,
    /// Whether the account is the first folder.
    accounts: bool,
    /// The folder that was written to last.
    at: Option<(String, Folder)>,
    /// The folder that was looked into last, and what was in it before it was written to.
    seen: Option<(String, HashSet<Vec<u8>>)>,
    /// The mbox files that are not whole yet.
    boxes: Boxes,
    done: Exported,
}

impl Export {
    /// Begins an export into a folder: one that is not there yet (the one that it is in is), an empty one, or one that an
    /// earlier export in the same format made. `accounts`: the account is the first folder. `run` marks what is half done.
    ///
    /// # Errors
    /// The folder cannot be made or read, or it has something else in it.
    pub fn open(path: &Path, format: Format, accounts: bool, run: RunId) -> Result<Self> {
        // Each folder that has folders in it is held while their mbox files are not whole.
        raise_open_files();
        let files = Files::open(path, run)?;
        let cannot = || format!("cannot export into {}", path.display());
        let root = files.root().with(cannot)?;
        let names = files.names(&root).with(cannot)?;
        let marked = names.iter().any(|name| name.as_bytes() == format.marker().as_bytes());
        let other = Format::ALL.into_iter().find(|other| {
            *other != format && names.iter().any(|name| name.as_bytes() == other.marker().as_bytes())
        });
        if let Some(other) = other {
            return Err(Error::other(format!("{} has an export as {} in it", path.display(), other.word()))
                .hint("give a new folder for each format"));
        }
        if !marked && !names.is_empty() {
            return Err(Error::other(format!("{} is not empty", path.display()))
                .hint("give a new or empty folder, or one that an export in the same format made"));
        }
        if format == Format::Mbox && files.has_any(&root, DEEPEST).with(cannot)? {
            return Err(Error::other(format!("there are mbox files in {} already", path.display()))
                .hint("an mbox file cannot be continued: give a new or empty folder"));
        }
        if !marked && let Some(name) = Name::new(format.marker().as_bytes()) {
            let draft = files.begin(&root).with(cannot)?;
            files.finish(draft, &name, None).with(cannot)?;
        }
        let (at, seen, boxes, done) = (None, None, Boxes::default(), Exported::default());
        let export = Self { files, root, format, accounts, at, seen, boxes, done };
        if format == Format::Maildir {
            // The folder itself is a Maildir as well, even if no message comes into it.
            export.folder("INBOX").with(cannot)?;
        }
        Ok(export)
    }

    /// Exports a message. Of its bytes nothing is read if an earlier export has written it. It goes fastest if messages of
    /// one folder come behind each other.
    ///
    /// # Errors
    /// The folder can take no more, or the archive gives no more now, which its
    /// [kind](crate::error::Kind::is_away) tells. Whatever concerns this message alone, also that it cannot be read, is a
    /// failure by name.
    pub fn add(&mut self, message: &Stored, bytes: Result<&mut dyn Read>) -> Result<()> {
        let result = match (bytes, self.format) {
            (Err(why), _) => Err(unread(why)),
            (Ok(body), Format::Eml | Format::Maildir) => self.file(message, body),
            (Ok(body), Format::Mbox) => self.mbox(message, body),
        };
        match result {
            Ok(true) => {
                self.done.written += 1;
                self.done.bytes += message.size;
            }
            Ok(false) => self.done.present += 1,
            Err(Fault::Message(why)) => {
                self.done.failures.add(failures::said(Severity::Error, &message.title(), &why, None));
            }
            Err(Fault::Away(why)) => return Err(why),
            Err(Fault::Disk(error)) => {
                let fatal = failures::is_fatal(&error);
                self.done.failures.add(failures::error(&message.title(), "cannot export", &error));
                if fatal {
                    let error = Err::<(), _>(error).context(|| "cannot go on exporting".into());
                    return error.map_err(|error| {
                        error.hint("make room, and export again: what is there is not written again")
                    });
                }
            }
        }
        Ok(())
    }

    /// Ends the export: what was written is on the disk, mbox files have their names.
    ///
    /// # Errors
    /// The disk does not keep what was written.
    pub fn finish(mut self) -> Result<Exported> {
        self.end_boxes();
        self.files.flush().with(|| "cannot write the export to the disk".into())?;
        self.done.failures.finish();
        Ok(self.done)
    }

    /// A message as a file of its own; false: it is there already.
    fn file(&mut self, message: &Stored, body: &mut dyn Read) -> std::result::Result<bool, Fault> {
        let (path, names) = (self.path(message), self.names(message));
        if self.at.as_ref().is_none_or(|(at, _)| *at != path) {
            self.at = Some((path.clone(), self.folder(&path)?));
        }
        let Some((_, folder)) = &mut self.at else { return Ok(false) };
        let (key, name) = names;
        if let Some(name) = folder.names.get(key.as_bytes()) {
            return match self.files.size(&folder.dir, name)? {
                Some(size) if size == message.size => Ok(false),
                _ => Err(Fault::Message(
                    "cannot export: a file with its name and other content is there".into(),
                )),
            };
        }
        let name = Name::new(name.as_bytes()).ok_or(io::Error::from(io::ErrorKind::InvalidFilename))?;
        let mut draft = self.files.begin(&folder.dir)?;
        copy(message, body, &mut |bytes| draft.write_all(bytes))?;
        if !self.files.finish(draft, &name, Some(message.place.date))? {
            return Err(Fault::Message("cannot export: something has the name of its file".into()));
        }
        folder.names.insert(key.into_bytes(), name);
        Ok(true)
    }
}

/// Eight hexadecimal digits that stand for what names a message: its key in its folder, and its content.
fn tag(message: &Stored) -> String {
    let sha256 = message.marks.id();
    names::hash(&format!(
        "{}\n{}\n{}\n{sha256}",
        message.place.account, message.place.folder, message.place.key
    ))
}

#[cfg(test)]
mod tests;

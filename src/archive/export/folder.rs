//! Folders that are written into, and which messages are in them.

use std::collections::HashMap;
use std::io;

use super::{Export, Format, eml, maildir};
use crate::archive::files::Dir;
use crate::archive::names;
use crate::archive::stored::Stored;
use crate::entry::Name;

/// A folder and what was in it: names without what changes of them, and whole names.
pub(super) struct Folder {
    pub(super) dir: Dir,
    pub(super) names: HashMap<Vec<u8>, Name>,
}

impl Export {
    /// Whether a message is to be written, since no earlier export has done it; to know that before it is read. It goes
    /// fastest if messages of one folder come behind each other.
    pub fn wants(&mut self, message: &Stored) -> bool {
        if self.format == Format::Mbox {
            return true;
        }
        let path = self.path(message);
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != path) {
            // What is wrong with the folder is told when something is written.
            let names = self.folder(&path).map(|folder| folder.names.into_keys().collect());
            self.seen = Some((path, names.unwrap_or_default()));
        }
        self.seen.as_ref().is_none_or(|(_, names)| !names.contains(self.names(message).0.as_bytes()))
    }

    pub(super) fn path(&self, message: &Stored) -> String {
        let place = &message.place;
        if self.accounts { format!("{}/{}", place.account, place.folder) } else { place.folder.clone() }
    }

    /// The part of a message's file's name that never changes, and all of it.
    pub(super) fn names(&self, message: &Stored) -> (String, String) {
        match self.format {
            Format::Maildir => {
                let unique = maildir::unique(message);
                let name = format!("{unique}{}", maildir::info(&message.marks.flags));
                (unique, name)
            }
            _ => (eml::name(message), eml::name(message)),
        }
    }

    /// Opens the folder that messages lie in.
    pub(super) fn folder(&self, path: &str) -> io::Result<Folder> {
        let enter = |dir: &Dir, text: &str| {
            let name = Name::new(text.as_bytes()).ok_or(io::Error::from(io::ErrorKind::InvalidFilename))?;
            self.files.enter(dir, &name)
        };
        let mut dir = Dir::clone(&self.root);
        if self.format == Format::Maildir {
            if let Some(name) = maildir::folder(path) {
                dir = enter(&dir, &name)?;
                // What tells a folder from a Maildir of its own.
                if let Some(name) = Name::new(b"maildirfolder")
                    && self.files.size(&dir, &name)?.is_none()
                {
                    self.files.finish(self.files.begin(&dir)?, &name, None)?;
                }
            }
            enter(&dir, "tmp")?;
            enter(&dir, "new")?;
            dir = enter(&dir, "cur")?;
        } else {
            for part in path.split('/') {
                dir = enter(&dir, &names::folder(part))?;
            }
        }
        let key = |name: &Name| {
            let bytes = name.as_bytes();
            let end = bytes.iter().position(|byte| *byte == b':').filter(|_| self.format == Format::Maildir);
            bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default().to_vec()
        };
        let names = self.files.names(&dir)?.into_iter().map(|name| (key(&name), name)).collect();
        Ok(Folder { dir, names })
    }
}

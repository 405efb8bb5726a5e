//! Messages out of a mailbox, by IMAP: one connection, folders opened to read only, bodies pipelined.
//!
//! ```text
//! folders   LIST with STATUS         -> which folders, how far they are
//! list      EXAMINE, UID FETCH n:*   -> what is in one, without bodies
//! flags     UID FETCH 1:* (FLAGS)    -> flags, where the server does not tell which changed
//! dates     UID FETCH n (INTERNALDATE) -> which of some messages are there, and when they came
//! fetch     UID FETCH BODY.PEEK[]    -> bodies, in the order asked
//! ```
//!
//! What breaks is opened anew (`line`). What a server does not give in company it is asked for alone (`fetch`): so a
//! message that is gone, refused, or breaks the connection is known by itself, and the others come.

mod dates;
mod fetch;
mod fields;
mod flags;
mod folders;
mod line;
mod list;
mod options;

use std::collections::HashMap;

pub use self::options::Options;

use self::line::Line;
use super::source::{Folder, Listed, Listing, Part, Since, Source, Take, Unnamed};
use crate::error::Result;

/// A mailbox.
pub struct Imap {
    line: Line,
    /// The server's names of folders by our paths, as far as they were listed.
    names: HashMap<String, String>,
    /// Whether it is one of Gmail's: each message lies in one folder, under labels.
    labels: bool,
    /// What cannot be opened because of its name.
    unnamed: Vec<Unnamed>,
}

impl Imap {
    /// The mailbox. Nothing is connected yet.
    pub fn new(options: Options) -> Self {
        Self { line: Line::new(options), names: HashMap::new(), labels: false, unnamed: Vec::new() }
    }
}

impl Source for Imap {
    fn place(&self) -> String {
        self.line.place().to_owned()
    }

    fn folders(&mut self) -> Result<Vec<Folder>> {
        let mut all = self.line.attempt(folders::ask)?;
        self.labels = all.labels;
        self.unnamed = std::mem::take(&mut all.unnamed);
        let (folders, names) = folders::read(all);
        self.names = names;
        Ok(folders)
    }

    fn labels(&self) -> bool {
        self.labels
    }

    fn unnamed(&mut self) -> Vec<Unnamed> {
        std::mem::take(&mut self.unnamed)
    }

    fn is_up(&self) -> bool {
        self.line.is_up()
    }

    fn comes_back(&mut self) -> bool {
        self.line.is_up() || self.line.session().is_ok()
    }

    fn list(&mut self, folder: &Folder, since: Since) -> Result<Listing> {
        let name = self.name(folder)?;
        list::list(&mut self.line, &folder.path, &name, since)
    }

    fn flags(&mut self, folder: &Folder, before: u32, take: &mut Part<'_>) -> Result<bool> {
        let name = self.name(folder)?;
        flags::flags(&mut self.line, (&folder.path, &name), before, take)
    }

    fn dates(&mut self, folder: &Folder, uids: &[u32]) -> Result<Vec<Listed>> {
        let name = self.name(folder)?;
        dates::dates(&mut self.line, (&folder.path, &name), uids)
    }

    fn fetch(&mut self, folder: &Folder, messages: &[Listed], take: &mut Take<'_>) -> Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        let name = self.name(folder)?;
        fetch::fetch(&mut self.line, &folder.path, &name, messages, take)
    }
}

impl Imap {
    /// The server's name of a folder. One that was never listed here is looked for by its path.
    fn name(&mut self, folder: &Folder) -> Result<String> {
        if !self.names.contains_key(&folder.path) && self.names.is_empty() {
            self.folders()?;
        }
        match self.names.get(&folder.path) {
            Some(name) => Ok(name.clone()),
            None => Err(folders::missing(self.line.place(), &folder.path)),
        }
    }
}

//! Folders: which there are, and what is in them.

use std::collections::HashMap;

use super::Session;
use super::engine::Listen;
use super::failed::Failed;
use super::lexer::{Lex, Lexer};

/// The most folders that are listed.
const MOST: usize = 100_000;

/// What a folder is for (RFC 6154).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// All messages there are, as Gmail has it.
    All,
    /// Kept, and out of the way.
    Archive,
    /// Not sent yet.
    Drafts,
    /// Marked by their owner.
    Flagged,
    /// Unwanted.
    Junk,
    /// Sent.
    Sent,
    /// Thrown away.
    Trash,
}

/// A folder of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its path, with `/` between its parts.
    pub path: String,
    /// What the server calls it.
    pub name: String,
    /// Whether there are messages in it: some names are only there for the folders in them.
    pub selectable: bool,
    /// What it is for.
    pub special: Option<Special>,
    /// What is in it, where that was asked and the server told.
    pub status: Option<Status>,
}

/// What is in a folder, seen from outside (RFC 9051, 6.3.11). None: the server did not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    /// How many messages.
    pub messages: Option<u32>,
    /// The least UID that the next message may get.
    pub uid_next: Option<u32>,
    /// UIDs mean something only as long as this is the same.
    pub uid_validity: Option<u32>,
    /// The largest modification sequence (RFC 7162).
    pub highest_mod_seq: Option<u64>,
}

impl Session {
    /// All folders. With `status` also what is in them: in one round trip where the server can (LIST-STATUS, RFC 5819),
    /// else with one question for each.
    ///
    /// # Errors
    /// The server refuses, or the connection broke.
    pub fn folders(&mut self, status: bool) -> Result<Vec<Folder>, Failed> {
        let at_once = status && self.offers.has("LIST-STATUS");
        let mut command = String::from("LIST \"\" \"*\"");
        if at_once {
            command.push_str(&format!(" RETURN (SPECIAL-USE STATUS {})", self.status_items()));
            if !self.offers.has("SPECIAL-USE") {
                command = command.replace("SPECIAL-USE ", "");
            }
        }
        let mut ear = Ear::default();
        self.work(|engine| engine.run(&command, &mut ear))?.yes()?;
        let mut folders = Vec::new();
        for listed in ear.listed {
            let status = ear.statuses.get(&listed.name).copied();
            let has = |word: &str| listed.attributes.iter().any(|known| known.eq_ignore_ascii_case(word));
            if has("\\NonExistent") {
                continue;
            }
            let path = self.naming()?.path(&listed.name);
            let special = [
                ("\\All", Special::All),
                ("\\AllMail", Special::All),
                ("\\Archive", Special::Archive),
                ("\\Drafts", Special::Drafts),
                ("\\Flagged", Special::Flagged),
                ("\\Starred", Special::Flagged),
                ("\\Junk", Special::Junk),
                ("\\Spam", Special::Junk),
                ("\\Sent", Special::Sent),
                ("\\Trash", Special::Trash),
            ];
            let special = special.into_iter().find(|(word, _)| has(word)).map(|(_, special)| special);
            folders.push(Folder { path, selectable: !has("\\Noselect"), special, status, name: listed.name });
        }
        if status && !at_once {
            for folder in folders.iter_mut().filter(|folder| folder.selectable) {
                match self.status_of(&folder.name.clone()) {
                    Ok(status) => folder.status = Some(status),
                    // One folder that cannot be looked at is not the others' fault.
                    Err(Failed::No(_)) => {}
                    Err(failed) => return Err(failed),
                }
            }
        }
        Ok(folders)
    }

    /// What is in a folder that is not open.
    ///
    /// # Errors
    /// The server refuses, or the connection broke.
    pub fn status(&mut self, folder: &str) -> Result<Status, Failed> {
        let name = self.name(folder)?;
        self.status_of(&name)
    }

    fn status_of(&mut self, name: &str) -> Result<Status, Failed> {
        let command = format!("STATUS {} {}", quote(name), self.status_items());
        let mut ear = Ear::default();
        self.work(|engine| engine.run(&command, &mut ear))?.yes()?;
        match ear.statuses.into_values().next() {
            Some(status) => Ok(status),
            None => Err(Failed::broken("the server says that it told the status of a folder, and did not")),
        }
    }

    fn status_items(&self) -> &'static str {
        match self.has_mod_seq() {
            true => "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)",
            false => "(MESSAGES UIDNEXT UIDVALIDITY)",
        }
    }

    /// Makes a folder. One that is there already is an error of the server's.
    ///
    /// # Errors
    /// The server refuses, or the connection broke.
    pub fn create(&mut self, folder: &str) -> Result<(), Failed> {
        let name = self.name(folder)?;
        self.slow(|session| session.create(&name))
    }

    /// Removes a folder with all that is in it.
    ///
    /// # Errors
    /// The server refuses, or the connection broke.
    pub fn delete(&mut self, folder: &str) -> Result<(), Failed> {
        let name = self.name(folder)?;
        self.slow(|session| session.delete(&name))
    }

    /// Whether the server tells of changes of flags (CONDSTORE, RFC 7162).
    pub fn has_mod_seq(&self) -> bool {
        self.offers.has("CONDSTORE") || self.offers.has("QRESYNC")
    }
}

/// A server's name as a command has it. Names in modified UTF-7 are printable ASCII.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

struct Listed {
    attributes: Vec<String>,
    name: String,
}

#[derive(Default)]
struct Ear {
    listed: Vec<Listed>,
    statuses: HashMap<String, Status>,
}

impl Listen for Ear {
    fn hear(&mut self, _: Option<u32>, word: &str, line: &mut Lexer<'_>) -> Result<(), Lex> {
        match word {
            "LIST" => {
                let attributes = line.words()?;
                line.spaces()?;
                line.string()?;
                line.spaces()?;
                let name = folder_name(line)?;
                if self.listed.len() >= MOST {
                    return Err(Lex::Endless);
                }
                self.listed.push(Listed { attributes, name });
            }
            "STATUS" => {
                let name = folder_name(line)?;
                line.spaces()?;
                let status = status(line)?;
                if self.statuses.len() >= MOST {
                    return Err(Lex::Endless);
                }
                self.statuses.insert(name, status);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A folder's name; one called NIL is called so. One with a line end in it, which somebody else may have chosen, could
/// not be named in a command without ending it.
fn folder_name(line: &mut Lexer<'_>) -> Result<String, Lex> {
    let name = line.string()?.unwrap_or_else(|| b"NIL".to_vec());
    if name.iter().any(u8::is_ascii_control) {
        return Err(Lex::Odd);
    }
    String::from_utf8(name).map_err(|_| Lex::Odd)
}

fn status(line: &mut Lexer<'_>) -> Result<Status, Lex> {
    let small = |number: u64| u32::try_from(number).map_err(|_| Lex::Odd);
    let mut status = Status::default();
    line.expect(b'(')?;
    loop {
        line.spaces()?;
        if line.eat(b')')? {
            return Ok(status);
        }
        let word = line.word()?.to_ascii_uppercase();
        line.spaces()?;
        match word.as_str() {
            "MESSAGES" => status.messages = Some(small(line.number()?)?),
            "UIDNEXT" => status.uid_next = Some(small(line.number()?)?),
            "UIDVALIDITY" => status.uid_validity = Some(small(line.number()?)?),
            "HIGHESTMODSEQ" => status.highest_mod_seq = Some(line.number()?),
            _ => line.skip_value()?,
        }
    }
}

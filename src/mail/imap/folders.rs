//! Folders: which there are, and what is in them.

mod ear;

use self::ear::Ear;
use super::Session;
use super::failed::Failed;

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

/// All folders, and those among them that cannot be opened because of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folders {
    /// Those that can be named.
    pub all: Vec<Folder>,
    /// The others, some of them.
    pub odd: Vec<OddName>,
    /// How many those are in all.
    pub odd_count: u64,
}

/// A name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddName {
    /// The name, made harmless and cut short; empty if that is it, or if nobody can tell.
    pub shown: String,
    /// What is wrong with it, such as "has a line end in it".
    pub why: &'static str,
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
        self.all_folders(status).map(|folders| folders.all)
    }

    /// The same, with those that cannot be opened because of their names.
    ///
    /// # Errors
    /// As of [`Session::folders`].
    pub fn all_folders(&mut self, status: bool) -> Result<Folders, Failed> {
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
                    // None: it was told in a way that cannot be read.
                    Ok(status) => folder.status = status,
                    // One folder that cannot be looked at is not the others' fault.
                    Err(Failed::No(_)) => {}
                    Err(failed) => return Err(failed),
                }
            }
        }
        Ok(Folders { all: folders, odd: ear.odd, odd_count: ear.odd_count })
    }

    /// What is in a folder that is not open.
    ///
    /// # Errors
    /// The server refuses, or the connection broke.
    pub fn status(&mut self, folder: &str) -> Result<Status, Failed> {
        let name = self.name(folder)?;
        let status = self.status_of(&name)?;
        status
            .ok_or_else(|| Failed::broken("the server says that it told the status of a folder, and did not"))
    }

    /// None: the server said yes, and nothing that can be read.
    fn status_of(&mut self, name: &str) -> Result<Option<Status>, Failed> {
        let command = format!("STATUS {} {}", quote(name), self.status_items());
        let mut ear = Ear::default();
        self.work(|engine| engine.run(&command, &mut ear))?.yes()?;
        Ok(ear.statuses.into_values().next())
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

/// A server's name as a command has it. Names in modified UTF-7 are printable ASCII; one in plain UTF-8 goes back as it
/// came.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

//! Where messages come from: the one seam between the archive and servers, Maildirs and mbox files.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::mail::imap::Special;

/// A folder of an account, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its path, with `/` between its parts.
    pub path: String,
    /// What it is for, where somebody says so.
    pub special: Option<Special>,
    /// How far it is. None: nobody can tell without a look at it.
    pub mark: Option<Mark>,
}

/// How far a folder was seen. Equal marks mean that nothing came since, and with `mod_seq` that no flag changed either.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// UIDVALIDITY: with another one all UIDs are void.
    pub validity: u32,
    /// UIDNEXT: messages before it were seen.
    pub next: u32,
    /// How many messages are in it.
    pub messages: u32,
    /// HIGHESTMODSEQ (RFC 7162), where there is one.
    pub mod_seq: Option<u64>,
}

/// What is to be listed of a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Since {
    /// Only messages with at least this UID; 0: all.
    pub uid: u32,
    /// Besides, those before it whose flags or labels changed after this HIGHESTMODSEQ.
    pub mod_seq: Option<u64>,
}

/// A message as it is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// What names it in its folder, for ever: `<uidvalidity>.<uid>`, a UIDL, the first part of a Maildir's file name.
    /// Visible ASCII without `/`, at most 120 bytes.
    pub key: String,
    /// Its UID, or its number where there are no UIDs.
    pub uid: u32,
    /// Its size as the source tells it, which may be wrong. 0: it does not tell.
    pub size: u64,
    /// When it came (IMAP's internal date). None: nobody knows.
    pub date: Option<Timestamp>,
    /// Flags, as the server writes them, without `\Recent`.
    pub flags: Vec<String>,
    /// Labels (Gmail), decoded.
    pub labels: Vec<String>,
    /// Gmail's ids of message and thread.
    pub gmail: Option<(u64, u64)>,
    /// The server's id of the message for ever and in all folders (RFC 8474).
    pub email_id: Option<String>,
    /// Its Message-ID, as it is written, bounded. None: it has none, or nobody looked yet.
    pub message_id: Option<String>,
    /// Its From field, raw and bounded. None: nobody looked yet.
    pub from: Option<String>,
    /// Whether it is one of ours (`X-Postkeep-Object`, `X-Postkeep-File`): those are never archived.
    pub ours: bool,
}

/// What a folder has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// How far the folder was when it was listed.
    pub mark: Mark,
    /// The messages that were asked for, by UID.
    pub messages: Vec<Listed>,
    /// Messages before them whose flags or labels changed: the same, complete.
    pub changed: Vec<Listed>,
    /// Those of `changed`, by UID, that a query leaves out: they count only where they are known.
    pub unasked: BTreeSet<u32>,
    /// Why it is not known what changed, though the source should tell: in one sentence. It is asked again the next time.
    pub untold: Option<String>,
}

/// A message's bytes, exactly as the source gave them.
#[derive(Debug)]
pub enum Body {
    /// In memory.
    Held(Vec<u8>),
    /// A large one, in an unnamed file that is read from its beginning; so many bytes.
    Spooled(File, u64),
}

/// Something in a mailbox that cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unnamed {
    /// The folder that it is, or is in, as far as that can be said.
    pub folder: String,
    /// Which message in it; None: the folder itself.
    pub message: Option<String>,
    /// Why, in words that follow on its name.
    pub cause: String,
    /// What to do.
    pub hint: &'static str,
}

/// Why a message was not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is not there any more.
    Gone,
    /// In one sentence: the server's words, or what was wrong with what it sent.
    Refused(String),
}

/// What becomes of each message that is fetched, by its place among those that were asked for, in that order.
pub type Take<'a> = dyn FnMut(usize, std::result::Result<Body, Refusal>) -> Result<()> + 'a;

/// Takes a part of what is told; an error ends it.
pub type Part<'a> = dyn FnMut(Vec<Listed>) -> Result<()> + 'a;

/// Messages, wherever they are. It reads only, and marks nothing as read.
///
/// A source connects when it is asked for something first, connects anew when a connection breaks, and asks again for
/// what did not come. Errors are those that are left after that.
pub trait Source: Send {
    /// How it is called in messages, such as `imap:gmail`.
    fn place(&self) -> String;

    /// Hears which folders the archive has of it. Where nothing but a file's content tells whether it is a folder, that
    /// counts too, so that none is passed over because it was spoilt.
    fn expect(&mut self, _folders: HashSet<String>) {}

    /// All folders that have messages.
    ///
    /// # Errors
    /// They cannot be listed. [`Paused`](crate::error::Kind::Paused): the provider wants to be left alone for a while.
    fn folders(&mut self) -> Result<Vec<Folder>>;

    /// Whether all messages lie in one folder and what else looks like folders are its labels (Gmail), so that nothing
    /// of that is listed. It is known when the folders were listed.
    fn labels(&self) -> bool {
        false
    }

    /// What cannot be asked for, as far as it was found out since this was asked last. It is not among the folders and not
    /// in the lists.
    fn unnamed(&mut self) -> Vec<Unnamed> {
        Vec::new()
    }

    /// Whether it can be asked for more after an error without a new connection.
    fn is_up(&self) -> bool {
        true
    }

    /// Whether it can be asked for more after an error, be it with a new connection, which is tried once: then the error was
    /// of what was asked for.
    fn comes_back(&mut self) -> bool {
        self.is_up()
    }

    /// What is in a folder.
    ///
    /// # Errors
    /// As of [`Source::folders`]; the folder is gone, or cannot be opened.
    fn list(&mut self, folder: &Folder, since: Since) -> Result<Listing>;

    /// The flags of all messages of a folder before a UID, told in parts, with nothing else but what names each: for where
    /// nothing tells whose flags changed. Whether it could tell.
    ///
    /// # Errors
    /// As of [`Source::list`], or `take` failed.
    fn flags(&mut self, _folder: &Folder, _before: u32, _take: &mut Part<'_>) -> Result<bool> {
        Ok(false)
    }

    /// Messages of a folder by their UIDs, with nothing else but what names each and when it came, where that is known. Those
    /// that are not there any more are left out.
    ///
    /// # Errors
    /// As of [`Source::list`]; or there are no UIDs.
    fn dates(&mut self, folder: &Folder, _uids: &[u32]) -> Result<Vec<Listed>> {
        Err(Error::other(format!("{} is not asked for single messages of {}", self.place(), folder.path)))
    }

    /// Fetches messages of a folder. Each of them comes to `take` once, in this order, as soon as it is there: whole, or
    /// refused. A message with a fault is no error: whatever can be said of it alone is a [`Refusal`].
    ///
    /// # Errors
    /// As of [`Source::list`], or `take` failed. What came to `take` before counts.
    fn fetch(&mut self, folder: &Folder, messages: &[Listed], take: &mut Take<'_>) -> Result<()>;
}

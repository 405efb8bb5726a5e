//! A message for people: its header, its text, what is attached; pure, from the raw bytes.
//!
//! A message is a stranger's. Nothing of it reaches a terminal but words: no control characters, nothing that turns the
//! reading direction. It may be as large, as deep and as broken as it likes: each byte is looked at a few times, what is
//! held is bounded, and what is not shown is told.

mod boundary;
pub(crate) mod clean;
mod decode;
mod header;
mod html;
mod parts;
mod save;
mod seven;
mod tag;

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::Range;

pub use self::save::{Saved, save_attachments};

use self::decode::Decoded;
use self::header::Encoding;
use self::parts::{DEEPEST, Leaf};
use super::names;
use crate::figures;

/// The most bytes of text that are shown.
const MOST_TEXT: usize = 512 << 10;

/// The most bytes of text that are held, of all parts.
const MOST_HELD: usize = 8 << 20;

/// A message as a person reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// From, To, Cc, Date, Subject and Message-ID: those that are there, decoded, each one line.
    pub headers: Vec<(&'static str, String)>,
    /// The text, lines ended by `\n`.
    pub text: String,
    /// What is attached, in the message's order.
    pub attachments: Vec<Attachment>,
    /// What of the text is not shown, and why: a sentence each.
    pub notes: Vec<String>,
    /// Which parts were not looked into, so that there may be more text and attachments: a sentence each.
    pub unseen: Vec<String>,
}

/// Something attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its number as IMAP counts: `2.1`.
    pub part: String,
    /// Its name as given, harmless; empty: it has none.
    pub name: String,
    /// A name for its file. Two attachments may have the same.
    pub file: String,
    /// Its type: `image/png`.
    pub kind: String,
    /// Its size in bytes, decoded.
    pub size: u64,
    bytes: Range<usize>,
    encoding: Encoding,
}

impl Attachment {
    /// Writes its content. `raw` is the message that it is in.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, raw: &[u8], out: &mut dyn Write) -> io::Result<()> {
        decode::decode(raw.get(self.bytes.clone()).unwrap_or_default(), self.encoding, out)
    }
}

/// Looks at a message. It always gives a view, however little is to be seen.
pub fn view(raw: &[u8]) -> View {
    // Text is made by a library's tables of charsets and entities, too.
    std::panic::catch_unwind(|| look(raw)).unwrap_or_else(|_| View {
        unseen: vec!["The message cannot be understood. Look at it as it is: --raw".into()],
        ..View::default()
    })
}

fn look(raw: &[u8]) -> View {
    let parts = parts::parts(raw);
    let leaves = &parts.leaves;
    let mut view = View {
        headers: header::fields(raw.get(parts.header.clone()).unwrap_or_default()),
        ..View::default()
    };
    let alone = leaves.len() == 1;
    let is_text = |leaf: &Leaf| {
        let kind = leaf.head.kind.as_str();
        let named = leaf.head.name.is_some() && !alone;
        matches!(kind, "text/plain" | "text/html") && !leaf.head.attached && !named
    };
    let (mut held, mut cut, mut hidden) = (0, false, false);
    let mut texts: Vec<(&Leaf, Text)> = Vec::new();
    for leaf in leaves.iter().filter(|leaf| is_text(leaf)) {
        if held > MOST_HELD {
            cut = true;
            break;
        }
        let text = Text::of(leaf, raw);
        held += text.text.len();
        texts.push((leaf, text));
    }
    let best = best(&texts);
    for (leaf, text) in &texts {
        if text.is_blank() || !leaf.alternatives.iter().all(|(which, of)| best.get(which) == Some(of)) {
            continue;
        }
        let left = MOST_TEXT.saturating_sub(view.text.len());
        let Shown { text, cut: more, hides } = text.shown(left);
        cut |= more;
        hidden |= hides;
        if !view.text.is_empty() && !text.is_empty() {
            view.text.push('\n');
        }
        view.text.push_str(&text);
        if !view.text.is_empty() && !view.text.ends_with('\n') {
            view.text.push('\n');
        }
    }
    view.attachments =
        leaves.iter().filter(|leaf| !is_text(leaf)).map(|leaf| attachment(leaf, raw)).collect();
    if cut {
        view.notes.push(format!("Only the first {} of the text are shown", figures::size(MOST_TEXT as u64)));
    }
    if hidden {
        view.notes.push("There is text that cannot be shown: --raw has it".into());
    }
    if parts.more > 0 {
        view.unseen.push(format!("{} more parts are not looked into", figures::count(parts.more as u64)));
    }
    if parts.deep {
        view.unseen.push(format!("Parts that lie deeper than {DEEPEST} levels are not looked into"));
    }
    view
}

/// A part that is text.
struct Text {
    text: String,
    cut: bool,
    /// Whether nobody here knows its charset.
    unknown: bool,
    html: bool,
}

/// What is shown of it, whether there is more, and whether something of it cannot be shown.
struct Shown {
    text: String,
    cut: bool,
    hides: bool,
}

impl Text {
    fn of(leaf: &Leaf, raw: &[u8]) -> Self {
        let content = raw.get(leaf.bytes.clone()).unwrap_or_default();
        let html = leaf.head.kind == "text/html";
        // Pages are mostly what nobody sees of them.
        let most = if html { 4 * MOST_TEXT } else { MOST_TEXT };
        let Decoded { text, cut, unknown } =
            decode::text(content, leaf.head.encoding, leaf.head.charset.as_deref(), most);
        Self { text, cut, unknown, html }
    }

    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    fn shown(&self, most: usize) -> Shown {
        let (made, hides);
        let text = if self.html {
            (made, hides) = html::text(&self.text, 2 * MOST_TEXT);
            &made
        } else {
            hides = false;
            self.text.trim_end()
        };
        let (text, cut) = clean::lines(text, most);
        // What is cut has its end elsewhere.
        Shown { text, cut: cut || self.cut, hides: (hides && !self.cut) || self.unknown }
    }
}

/// Which part of each multipart/alternative is shown: the first with plain text, else the first with a page.
fn best(texts: &[(&Leaf, Text)]) -> HashMap<usize, usize> {
    let mut best: HashMap<usize, (u8, usize)> = HashMap::new();
    for (leaf, text) in texts {
        let rank = match (text.is_blank(), text.html) {
            (true, _) => 2,
            (false, true) => 1,
            (false, false) => 0,
        };
        for (which, of) in &leaf.alternatives {
            let so_far = best.entry(*which).or_insert((rank, *of));
            *so_far = (*so_far).min((rank, *of));
        }
    }
    best.into_iter().map(|(which, (_, of))| (which, of)).collect()
}

fn attachment(leaf: &Leaf, raw: &[u8]) -> Attachment {
    let head = &leaf.head;
    let extension = match head.kind.as_str() {
        "text/plain" => "txt",
        "text/html" => "html",
        "text/calendar" => "ics",
        "text/csv" => "csv",
        "message/rfc822" => "eml",
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "application/pdf" => "pdf",
        "application/zip" => "zip",
        _ => "bin",
    };
    let name = head.name.clone().unwrap_or_default();
    Attachment {
        file: names::safe(&name, &format!("part-{}.{extension}", leaf.number)),
        part: leaf.number.clone(),
        name,
        kind: head.kind.clone(),
        size: decode::size(raw.get(leaf.bytes.clone()).unwrap_or_default(), head.encoding),
        bytes: leaf.bytes.clone(),
        encoding: head.encoding,
    }
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;

//! What is asked of messages.

/// One thing to know of a message. Its UID is always told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// Its size in bytes, with CRLF at line ends.
    Size,
    /// When the server got it.
    InternalDate,
    /// Its flags.
    Flags,
    /// Its modification sequence (RFC 7162): only where CONDSTORE is offered.
    ModSeq,
    /// Its id for ever and in all folders (RFC 8474): only where OBJECTID is offered.
    EmailId,
    /// Gmail's id of the message, in all folders.
    GmailMessage,
    /// Gmail's id of the thread.
    GmailThread,
    /// Gmail's labels.
    GmailLabels,
    /// Some header fields, by name. They are held, not streamed.
    Fields(&'static [&'static str]),
    /// The whole header. It is held, not streamed.
    Header,
    /// The whole message, streamed. Asking for it marks nothing as read.
    Message,
    /// A part of the whole message: from this byte on, so many bytes.
    MessageRange(u64, u64),
    /// What follows the header, streamed.
    Text,
    /// A part of what follows the header: from this byte on, so many bytes.
    TextRange(u64, u64),
}

impl Item {
    /// What the server sends for it, if it is streamed.
    pub fn section(self) -> Option<Section> {
        match self {
            Self::Message => Some(Section::Message(0)),
            Self::MessageRange(from, _) => Some(Section::Message(from)),
            Self::Text => Some(Section::Text(0)),
            Self::TextRange(from, _) => Some(Section::Text(from)),
            _ => None,
        }
    }

    fn write(self, out: &mut String) {
        match self {
            Self::Size => out.push_str("RFC822.SIZE"),
            Self::InternalDate => out.push_str("INTERNALDATE"),
            Self::Flags => out.push_str("FLAGS"),
            Self::ModSeq => out.push_str("MODSEQ"),
            Self::EmailId => out.push_str("EMAILID"),
            Self::GmailMessage => out.push_str("X-GM-MSGID"),
            Self::GmailThread => out.push_str("X-GM-THRID"),
            Self::GmailLabels => out.push_str("X-GM-LABELS"),
            Self::Fields(names) => {
                out.push_str(&format!("BODY.PEEK[HEADER.FIELDS ({})]", names.join(" ")));
            }
            Self::Header => out.push_str("BODY.PEEK[HEADER]"),
            Self::Message => out.push_str("BODY.PEEK[]"),
            Self::MessageRange(from, length) => out.push_str(&format!("BODY.PEEK[]<{from}.{length}>")),
            Self::Text => out.push_str("BODY.PEEK[TEXT]"),
            Self::TextRange(from, length) => out.push_str(&format!("BODY.PEEK[TEXT]<{from}.{length}>")),
        }
    }
}

/// The items as a command has them. The UID comes first, since servers answer in that order: then it is known when
/// a body begins.
pub(super) fn write(items: &[Item]) -> String {
    let mut out = String::from("(UID");
    for item in items {
        out.push(' ');
        item.write(&mut out);
    }
    out.push(')');
    out
}

/// A section that a server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The whole message, from this byte on.
    Message(u64),
    /// What follows the header, from this byte on.
    Text(u64),
}

/// What a word of an answer announces.
pub(super) enum Key {
    Section(Section),
    /// A header, or some of its fields.
    Header,
    /// Anything else.
    Word(String),
}

impl Key {
    pub(super) fn read(word: &str) -> Self {
        let upper = word.to_ascii_uppercase();
        let Some((section, origin)) = upper.strip_prefix("BODY[").and_then(|rest| rest.split_once(']'))
        else {
            return match upper.as_str() {
                // Old names for the same (RFC 3501, 6.4.5).
                "RFC822" => Self::Section(Section::Message(0)),
                "RFC822.TEXT" => Self::Section(Section::Text(0)),
                "RFC822.HEADER" => Self::Header,
                _ => Self::Word(upper),
            };
        };
        let from = origin.strip_prefix('<').and_then(|origin| origin.strip_suffix('>'));
        let from = match (origin, from.and_then(crate::mail::imap::lexer::number)) {
            ("", _) => 0,
            (_, Some(from)) => from,
            _ => return Self::Word(upper),
        };
        match section {
            "" => Self::Section(Section::Message(from)),
            "TEXT" => Self::Section(Section::Text(from)),
            header if header.starts_with("HEADER") => Self::Header,
            _ => Self::Word(upper),
        }
    }
}

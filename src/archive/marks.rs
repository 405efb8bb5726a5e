//! What is known of a message beside its bytes, as extended attributes of its file; pure.
//!
//! They are small texts of postkeep's own, so that a vault alone says everything: which flags a message had, under which
//! labels it lay, what it is about. Not a byte of the message itself is changed.

use std::collections::BTreeMap;

use rustic_core::repofile::Node;

use super::names::cut;
use crate::vault::store::Id;

/// What all our attributes begin with.
const OURS: &str = "user.postkeep.";

/// The most bytes of a field that is only shown.
const SHOWN: usize = 200;

/// The most bytes of anything else.
const MOST: usize = 4096;

/// Flags, labels, ids, and what a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// Flags, as the server writes them.
    pub flags: Vec<String>,
    /// Labels (Gmail), decoded.
    pub labels: Vec<String>,
    /// Gmail's ids of message and thread.
    pub gmail: Option<(u64, u64)>,
    /// The server's id of the message (RFC 8474).
    pub email_id: Option<String>,
    /// Its Message-ID, as written.
    pub message_id: Option<String>,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Who sent it, decoded, for lists.
    pub from: String,
    /// Its subject, decoded, for lists.
    pub subject: String,
}

impl Marks {
    /// The message's id: the SHA-256 of its bytes, 64 hexadecimal digits.
    pub fn id(&self) -> String {
        Id(self.sha256).to_string()
    }

    /// The attributes: names and values, sorted by name, without those that say nothing.
    pub fn attributes(&self) -> Vec<(String, Vec<u8>)> {
        let ids = self.gmail.map(|(message, thread)| format!("{message} {thread}"));
        let all = [
            ("email-id", self.email_id.clone().unwrap_or_default()),
            ("flags", joined(&self.flags, ' ', "_")),
            ("from", self.from.clone()),
            ("gmail", ids.unwrap_or_default()),
            ("labels", joined(&self.labels, '\n', " ")),
            ("message-id", self.message_id.clone().unwrap_or_default()),
            ("sha256", self.id()),
            ("subject", self.subject.clone()),
        ];
        let bounded = |name: &str, text: String| {
            let most = if matches!(name, "from" | "subject") { SHOWN } else { MOST };
            cut(&text, most).as_bytes().to_vec()
        };
        let said = all.into_iter().filter(|(_, text)| !text.is_empty());
        said.map(|(name, text)| (format!("{OURS}{name}"), bounded(name, text))).collect()
    }

    /// Those of a message's file in a snapshot.
    pub fn of(node: &Node) -> Self {
        let attributes = node.meta.extended_attributes.iter();
        Self::read(attributes.map(|one| (one.name.as_str(), one.value.as_deref().unwrap_or_default())))
    }

    /// Reads attributes; what is missing or none of ours is passed over.
    pub fn read<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let ours = attributes.into_iter().filter_map(|(name, value)| Some((name.strip_prefix(OURS)?, value)));
        let ours: BTreeMap<_, _> =
            ours.map(|(name, value)| (name, String::from_utf8_lossy(value).into_owned())).collect();
        let text = |name: &str| ours.get(name).cloned().filter(|text| !text.is_empty());
        let list = |name: &str, by: char| {
            text(name).map_or_else(Vec::new, |text| {
                text.split(by).filter(|one| !one.is_empty()).map(str::to_owned).collect()
            })
        };
        let ids = || {
            let text = text("gmail")?;
            let (message, thread) = text.split_once(' ')?;
            Some((message.parse().ok()?, thread.parse().ok()?))
        };
        let mut sha256 = [0; 32];
        if let Some(hex) = text("sha256").filter(|hex| hex.len() == 64 && hex.is_ascii()) {
            for (at, byte) in sha256.iter_mut().enumerate() {
                *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap_or(0);
            }
        }
        Self {
            flags: list("flags", ' '),
            labels: list("labels", '\n'),
            gmail: ids(),
            email_id: text("email-id"),
            message_id: text("message-id"),
            sha256,
            from: text("from").unwrap_or_default(),
            subject: text("subject").unwrap_or_default(),
        }
    }
}

/// One text of several, of which none becomes two.
fn joined(all: &[String], by: char, instead: &str) -> String {
    all.iter().map(|one| one.replace(by, instead)).collect::<Vec<_>>().join(&by.to_string())
}

/// The attributes of a message whose flags or labels changed: those two, empty where there are none now.
pub fn changed(flags: &[String], labels: &[String]) -> Vec<(String, Vec<u8>)> {
    let marks = Marks { flags: flags.to_vec(), labels: labels.to_vec(), ..Marks::default() };
    let mut attributes = marks.attributes();
    let name = |name: &str| format!("{OURS}{name}");
    attributes.retain(|(found, _)| *found != name("sha256"));
    for name in [name("flags"), name("labels")] {
        if !attributes.iter().any(|(found, _)| *found == name) {
            attributes.push((name, Vec::new()));
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(marks: &Marks) -> Marks {
        let attributes = marks.attributes();
        assert!(attributes.is_sorted());
        Marks::read(attributes.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
    }

    #[test]
    fn marks_are_read_back_from_attributes() {
        let marks = Marks {
            flags: vec!["\\Seen".into(), "$Label1".into()],
            labels: vec!["\\Inbox".into(), "Reise, Büro".into()],
            gmail: Some((u64::MAX, 7)),
            email_id: Some("M1".into()),
            message_id: Some("<a@b>".into()),
            sha256: [0xa5; 32],
            from: "Ann <ann@example.org>".into(),
            subject: "Grüße".into(),
        };
        assert_eq!(read_back(&marks), marks);
        // What separates them may stand in them.
        let (flags, labels) = (vec!["Two words".into(), "x".into()], vec!["a\nb".into(), "c d".into()]);
        let read = read_back(&Marks { flags, labels, ..Marks::default() });
        assert_eq!(
            (read.flags, read.labels),
            (vec!["Two_words".into(), "x".into()], vec!["a b".into(), "c d".into()])
        );
        let plain = Marks { sha256: [1; 32], ..Marks::default() };
        assert_eq!(read_back(&plain), plain);
        assert_eq!(plain.attributes().len(), 1);
    }

    #[test]
    fn what_is_only_shown_is_short_and_cut_between_characters() {
        let marks = Marks { subject: "ü".repeat(500), ..Marks::default() };
        assert_eq!(read_back(&marks).subject, "ü".repeat(100));
    }

    #[test]
    fn strange_attributes_are_passed_over() {
        let strange: [(&str, &[u8]); 4] = [
            ("user.other", b"x"),
            ("user.postkeep.gmail", b"7"),
            ("user.postkeep.sha256", b"\xff\xff"),
            ("user.postkeep.flags", b""),
        ];
        assert_eq!(Marks::read(strange), Marks::default());
    }
}

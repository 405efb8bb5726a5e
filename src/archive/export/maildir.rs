//! Names in a Maildir, and of its folders (Maildir++, as Courier and Dovecot have it); pure.

use crate::archive::names;
use crate::archive::stored::Stored;
use crate::mail::imap::modified_utf7;

/// The longest name of a folder.
const LONGEST: usize = 240;

/// Flags as letters (<https://cr.yp.to/proto/maildir.html>), in the order in which they stand.
const LETTERS: [(&str, char); 6] = [
    ("\\Draft", 'D'),
    ("\\Flagged", 'F'),
    ("$Forwarded", 'P'),
    ("\\Answered", 'R'),
    ("\\Seen", 'S'),
    ("\\Deleted", 'T'),
];

/// The folder's name beside `cur`: `.Projects.2024`, in modified UTF-7; None: it is the Maildir itself.
pub(super) fn folder(path: &str) -> Option<String> {
    if path.eq_ignore_ascii_case("INBOX") {
        return None;
    }
    let part = |part: &str| {
        let name = modified_utf7(part);
        // A dot or a slash in a name would be a folder in a folder.
        if name.contains(['.', '/']) || name.is_empty() {
            format!("{}~{}", name.replace(['.', '/'], "_"), names::hash(part))
        } else {
            name
        }
    };
    let name: String = path.split('/').map(|one| format!(".{}", part(one))).collect();
    if name.len() <= LONGEST {
        return Some(name);
    }
    Some(format!("{}~{}", name.get(..LONGEST - 10).unwrap_or_default(), names::hash(path)))
}

/// The first part of a message's file name, which never changes: time, what is the message's own, and its size.
pub(super) fn unique(message: &Stored) -> String {
    let (time, tag, size) = (message.place.date.as_second(), super::tag(message), message.size);
    format!("{time}.{tag}.postkeep,S={size}")
}

/// The second part: its flags.
pub(super) fn info(flags: &[String]) -> String {
    let has = |word: &str| flags.iter().any(|flag| flag.eq_ignore_ascii_case(word));
    let letters = LETTERS.iter().filter(|(word, _)| has(word)).map(|(_, letter)| letter);
    format!(":2,{}", letters.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_stand_beside_each_other() {
        for (path, name) in [
            ("INBOX", None),
            ("inbox", None),
            ("INBOX/sub", Some(".INBOX.sub".to_owned())),
            ("Büro/Über uns", Some(".B&APw-ro.&ANw-ber uns".into())),
            ("v1.2", Some(format!(".v1_2~{}", names::hash("v1.2")))),
            ("../x", Some(format!(".__~{}.x", names::hash("..")))),
            ("a\nb", Some(".a&AAo-b".into())),
        ] {
            assert_eq!(folder(path), name, "{path}");
        }
        let long = folder(&"ü".repeat(500)).unwrap();
        assert!(long.len() <= LONGEST && long != folder(&"ü".repeat(501)).unwrap());
    }

    #[test]
    fn flags_are_letters() {
        let flags = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (text, info_part) in [
            ("", ":2,"),
            ("\\Seen \\Answered", ":2,RS"),
            ("\\seen $label1 $Forwarded \\Flagged \\Deleted \\Draft", ":2,DFPST"),
        ] {
            assert_eq!(info(&flags(text)), info_part);
        }
    }
}

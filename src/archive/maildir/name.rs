//! What the names of a Maildir's files and folders say (<https://cr.yp.to/proto/maildir.html>); pure.

use crate::archive::local::readable;
use crate::entry::RelPath;

/// What begins the flags in a file's name: `:`, or what stands for it on file systems that take none.
const INFO: [&[u8]; 3] = [b":2,", b";2,", b"!2,"];

/// A file's name, split: what names the message, and the letters of its flags.
pub(super) fn split(name: &[u8]) -> (&[u8], &[u8]) {
    let info = INFO.iter().filter_map(|info| memchr::memmem::rfind(name, info)).min();
    if let Some(at) = info {
        let (base, info) = name.split_at(at);
        return (base, info.get(3..).unwrap_or_default());
    }
    // Something else behind a colon is no part of the name either.
    (name.split(|byte| *byte == b':').next().unwrap_or(name), b"")
}

/// The part of a message's name that stays, whichever program handles it: some append its size (`,S=`) or their own
/// number (`,U=`) later.
pub(super) fn unique(base: &[u8]) -> &[u8] {
    match base.iter().position(|byte| *byte == b',') {
        Some(at) if at > 0 => base.get(..at).unwrap_or(base),
        _ => base,
    }
}

/// Flags as IMAP has them. `keywords` are those that Dovecot writes as small letters.
pub(super) fn flags(letters: &[u8], keywords: &[String]) -> Vec<String> {
    let mut letters: Vec<u8> = letters.iter().copied().take_while(|byte| *byte != b',').collect();
    letters.sort_unstable();
    letters.dedup();
    let named = letters.into_iter().filter_map(|letter| match letter {
        b'D' => Some("\\Draft".to_owned()),
        b'F' => Some("\\Flagged".to_owned()),
        b'P' => Some("$Forwarded".to_owned()),
        b'R' => Some("\\Answered".to_owned()),
        b'S' => Some("\\Seen".to_owned()),
        b'T' => Some("\\Deleted".to_owned()),
        b'a'..=b'z' => keywords.get(usize::from(letter - b'a')).filter(|word| !word.is_empty()).cloned(),
        _ => None,
    });
    named.collect()
}

/// The words of Dovecot's file `dovecot-keywords`: lines with a number and a word.
pub(super) fn keywords(text: &str) -> Vec<String> {
    let mut words = vec![String::new(); 26];
    for line in text.lines() {
        let Some((number, word)) = line.split_once(' ') else { continue };
        let place = number.parse::<usize>().ok().and_then(|number| words.get_mut(number));
        if let (Some(place), false) = (place, word.contains(|c: char| c.is_whitespace() || c.is_control())) {
            *place = word.to_owned();
        }
    }
    words
}

/// What a folder is called. `plus`: the root is a Maildir itself, so that `.A.B` in it is B in A (Maildir++).
pub(super) fn folder(path: &RelPath, plus: bool) -> String {
    let mut parts = Vec::new();
    for (depth, name) in path.names().enumerate() {
        let name = name.as_bytes();
        match name.strip_prefix(b".") {
            // KMail keeps what is in `inbox` in `.inbox.directory`.
            Some(hidden) if hidden.ends_with(b".directory") => {
                parts.push(readable(hidden.strip_suffix(b".directory").unwrap_or(hidden)));
            }
            Some(hidden) if depth == 0 && plus => {
                let some = hidden.split(|byte| *byte == b'.').filter(|part| !part.is_empty());
                parts.extend(some.map(readable));
            }
            Some(hidden) if !hidden.is_empty() => parts.push(readable(hidden)),
            _ => parts.push(readable(name)),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Name;

    #[test]
    fn a_files_name_is_split() {
        for (name, key, letters) in [
            ("1.M1P2.host", "1.M1P2.host", ""),
            ("1.M1P2.host:2,", "1.M1P2.host", ""),
            ("1.M1P2.host,S=12,W=13:2,FSab", "1.M1P2.host", "FSab"),
            ("1.host,U=7;2,S", "1.host", "S"),
            ("1.host!2,S", "1.host", "S"),
            ("1.host:1,x", "1.host", ""),
            ("a:2,b:2,S", "a:2", "S"),
            (",a:2,S", ",a", "S"),
            (":2,S", "", "S"),
        ] {
            let (base, info) = split(name.as_bytes());
            assert_eq!((unique(base), info), (key.as_bytes(), letters.as_bytes()), "{name}");
        }
    }

    #[test]
    fn letters_are_flags() {
        let words = keywords("0 $Junk\n2 Work\nx y\n99 far\n1\n3 two words\n");
        for (letters, expected) in [
            ("", &[][..]),
            ("SRFTDP", &["\\Draft", "\\Flagged", "$Forwarded", "\\Answered", "\\Seen", "\\Deleted"][..]),
            ("SS", &["\\Seen"][..]),
            ("acbdz?", &["$Junk", "Work"][..]),
            ("S,T", &["\\Seen"][..]),
        ] {
            assert_eq!(flags(letters.as_bytes(), &words), expected, "{letters}");
        }
        assert!(flags(b"a", &[]).is_empty());
    }

    #[test]
    fn folders_are_called_as_people_call_them() {
        for (path, plus, expected) in [
            ("", true, ""),
            (".Sent", true, "Sent"),
            (".Archive.2025.May", true, "Archive/2025/May"),
            (".Entw&APw-rfe", true, "Entwürfe"),
            ("..odd.", true, "odd"),
            ("Work/Sub.x", false, "Work/Sub.x"),
            ("Work/.Sub.x", false, "Work/Sub.x"),
            (".v1.2", false, "v1.2"),
            (".inbox.directory/a", false, "inbox/a"),
            ("Work", true, "Work"),
        ] {
            let names = path.split('/').filter_map(|name| Name::new(name.as_bytes()));
            let path = names.fold(RelPath::root(), |path, name| path.join(&name));
            assert_eq!(folder(&path, plus), expected, "{path}");
        }
    }
}

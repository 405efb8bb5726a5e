//! Names of files made from what strangers wrote: one component, harmless to every shell, terminal and file system; pure.

use sha2::{Digest, Sha256};

use crate::archive::view::clean;

/// The longest name that is made, in bytes: room is left for what others append.
pub const LONGEST: usize = 200;

/// The longest end of a name that counts as its extension, with its dot.
const EXTENSION: usize = 20;

/// What no name on Windows may be, whatever its extension.
const RESERVED: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// A name for a file or a folder, at most [`LONGEST`] bytes long: never a path, never hidden, never an option of a
/// command, none that Windows reserves. `fallback` is the name of what has none.
pub fn safe(text: &str, fallback: &str) -> String {
    let plain = clean::line(text, 4 * LONGEST);
    let mut name: String = plain
        .chars()
        .map(|c| {
            if matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\u{fffd}') {
                '_'
            } else {
                c
            }
        })
        .collect();
    // Windows takes names without these at their ends for the same.
    name.truncate(name.trim_end_matches(['.', ' ']).len());
    let mut name = name.trim_start().to_owned();
    if name.is_empty() {
        name = fallback.to_owned();
    }
    if name.starts_with(['.', '-', '~']) || is_reserved(&name) {
        name.insert(0, '_');
    }
    shortened(&name, LONGEST, "")
}

/// The name with ` (NUMBER)` before its extension.
pub fn numbered(name: &str, number: usize) -> String {
    shortened(name, LONGEST, &format!(" ({number})"))
}

/// The name with `more` before its extension, its stem cut so that it is at most `most` bytes long.
pub fn shortened(name: &str, most: usize, more: &str) -> String {
    let dot = name.rfind('.').filter(|dot| *dot > 0 && name.len() - dot <= EXTENSION);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let stem = cut(stem, most.saturating_sub(extension.len() + more.len()));
    format!("{stem}{more}{extension}")
}

/// The text, cut between two characters where it has more than `most` bytes.
pub fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// A name for a folder: as [`safe`], and where that changed it with a hash, so that no two folders become one.
pub fn folder(text: &str) -> String {
    let name = safe(text, "unnamed");
    if name == text { name } else { format!("{name}~{}", hash(text)) }
}

/// Eight hexadecimal digits that stand for a text.
pub fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let port = |kind: &str| {
        let number = stem.strip_prefix(kind);
        number.is_some_and(|number| {
            matches!(number, "0" | "¹" | "²" | "³") || matches!(number.as_bytes(), [b'1'..=b'9'])
        })
    };
    RESERVED.contains(&stem.as_str()) || port("com") || port("lpt")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::Name;

    #[test]
    fn a_name_from_a_stranger_becomes_harmless() {
        for (given, made) in [
            ("report.pdf", "report.pdf"),
            ("Übersicht 2024.xlsx", "Übersicht 2024.xlsx"),
            ("../../etc/passwd", "_.._.._etc_passwd".trim_start_matches('_')),
            ("C:\\Windows\\system.ini", "C__Windows_system.ini"),
            (".bashrc", "_.bashrc"),
            ("-rf", "_-rf"),
            ("..", "unnamed"),
            (" . ", "unnamed"),
            ("", "unnamed"),
            ("a\0b\nc\x1b[31m.txt", "a_b c_[31m.txt"),
            ("gpj.\u{202e}exe", "gpj.exe"),
            ("aux", "_aux"),
            ("Con.txt", "_Con.txt"),
            ("com1.log", "_com1.log"),
            ("com10.log", "com10.log"),
            ("name. . .", "name"),
        ] {
            let made = if made.starts_with("..") { format!("_{made}") } else { made.to_owned() };
            assert_eq!(safe(given, "unnamed"), made, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let long = safe(&format!("{}.pdf", "ü".repeat(300)), "x");
        assert_eq!((long.len(), long.ends_with("ü.pdf")), (200, true));
        assert_eq!(numbered("a.tar.gz", 2), "a.tar (2).gz");
        assert_eq!(numbered(&long, 12).len(), 200 - 1);
        assert_eq!(numbered("noext", 3), "noext (3)");
    }

    proptest! {
        #[test]
        fn every_text_gives_a_name(text in any::<String>()) {
            let name = safe(&text, "unnamed");
            prop_assert!(!name.is_empty() && name.len() <= LONGEST);
            prop_assert!(Name::new(name.as_bytes()).is_some_and(|name| !name.is_ours()));
            prop_assert!(!name.starts_with(['.', '-']) && !name.chars().any(char::is_control));
        }
    }
}

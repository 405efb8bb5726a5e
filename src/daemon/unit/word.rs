//! Words of a command in a unit file: what systemd would read as a quote, a specifier or a variable is taken as it is.

use std::path::Path;

use crate::entry::show;
use crate::error::{Error, Result};

/// An argument of `ExecStart=`.
pub(super) fn word(bytes: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._-+=:,@".contains(b);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut word = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => word.extend(['\\', c]),
                '%' | '$' => word.extend([c, c]),
                c if c.is_ascii_control() => word.push_str(&format!("\\x{:02x}", u32::from(c))),
                c => word.push(c),
            }
        }
        for byte in chunk.invalid() {
            word.push_str(&format!("\\x{byte:02x}"));
        }
    }
    word.push('"');
    word
}

/// The program of `ExecStart=`. No variable is looked for in it, so a `$` stands for itself; and systemd refuses some
/// characters however they are written.
pub(super) fn program(path: &Path) -> Result<String> {
    let refused = |c: char| c.is_control() || "\"'\\".contains(c);
    match path.to_str() {
        Some(text) if !text.contains(refused) => Ok(word(text.as_bytes()).replace("$$", "$")),
        _ => Err(Error::other(format!(
            "systemd cannot start a program of this path: {}",
            show(path.as_os_str().as_encoded_bytes())
        ))
        .hint("put postkeep where the path has no quotes, backslashes or control characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_systemd_is_taken_as_it_is() {
        for (bytes, written) in [
            (b"/home/ann/.config/post-keep_1".as_slice(), "/home/ann/.config/post-keep_1"),
            (b"", "\"\""),
            (b"/my files", "\"/my files\""),
            (b"/100%", "\"/100%%\""),
            (b"/$HOME/${x}", "\"/$$HOME/$${x}\""),
            (b"/a\\b", "\"/a\\\\b\""),
            (b"/a\"b'c", "\"/a\\\"b'c\""),
            (b"/a\nb\t", "\"/a\\x0ab\\x09\""),
            (b"/\xff\xc3\xa9", "\"/\\xffé\""),
            (b"/a;b#c~*", "\"/a;b#c~*\""),
        ] {
            assert_eq!(word(bytes), written);
        }
    }

    #[test]
    fn a_program_has_no_variables_and_not_every_path() {
        assert_eq!(program(Path::new("/opt/post keep/$x%")).unwrap(), "\"/opt/post keep/$x%%\"");
        for path in ["/a\"b", "/a'b", "/a\\b", "/a\nb"] {
            assert!(program(Path::new(path)).is_err(), "{path}");
        }
    }
}

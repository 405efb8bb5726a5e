//! What names a message in its folder for ever, made of whatever its source has for that; pure.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The longest key, in bytes.
const LONGEST: usize = 120;

/// Where one that is too long is cut: the rest is for the hash of the whole.
const CUT: usize = 96;

/// A key of any bytes: visible ASCII without `/`, at most 120 bytes, and another one for other bytes. `%` begins a byte
/// in hexadecimal digits.
pub fn key(bytes: &[u8]) -> String {
    let mut key = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'%' | b'/' => escape(*byte, &mut key),
            b'!'..=b'~' => key.push(char::from(*byte)),
            _ => escape(*byte, &mut key),
        }
        if key.len() > LONGEST {
            key.truncate(CUT);
            key.push_str("%~");
            Sha256::digest(bytes).iter().take(8).for_each(|byte| write!(key, "{byte:02x}").unwrap_or(()));
            return key;
        }
    }
    if key.is_empty() { "%".into() } else { key }
}

/// The key of one more message, the `number`th, that would have the same.
pub fn again(key: &str, number: usize) -> String {
    if number <= 1 { key.to_owned() } else { format!("{key}%+{number}") }
}

fn escape(byte: u8, key: &mut String) {
    write!(key, "%{byte:02X}").unwrap_or(());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_become_a_key() {
        for (bytes, expected) in [
            (&b"1700000000.M1P2.host"[..], "1700000000.M1P2.host"),
            (b"a b/c%d", "a%20b%2Fc%25d"),
            ("ü".as_bytes(), "%C3%BC"),
            (b"\0\xff\n", "%00%FF%0A"),
            (b"", "%"),
        ] {
            assert_eq!(key(bytes), expected);
        }
        assert_eq!(key(&[b'x'; 120]).len(), 120);
        let (one, other) = (key(&[b'/'; 121]), key(&[b'/'; 122]));
        assert!(one != other && one.len() <= LONGEST && one.is_ascii(), "{one} {other}");
        assert_eq!((again("a", 1), again("a", 2)), ("a".into(), "a%+2".into()));
    }
}

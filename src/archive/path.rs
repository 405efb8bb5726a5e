//! Where a message lies in a snapshot: `/ACCOUNT/FOLDER/YYYY/MM/DD/YYYYMMDDTHHMMSSZ.KEY.eml`, both ways; pure.
//!
//! The date is that of the message's arrival, in UTC, so that a folder's files sort as they came and a day that is over
//! stays as it is: a new message makes anew the list of its day alone. The key is what names the message in its folder, so that the same message has the same path in each run.

use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::names::cut;

/// The longest name that every file system takes, in bytes.
const LONGEST: usize = 255;

/// A message's place, read from its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The account's name.
    pub account: String,
    /// The folder, with `/` between its parts.
    pub folder: String,
    /// When it came, to the second.
    pub date: Timestamp,
    /// What names it in its folder.
    pub key: String,
}

/// The folder in a snapshot that has an account's folder.
pub fn directory(account: &str, folder: &str) -> PathBuf {
    let mut path = PathBuf::from("/");
    path.push(escaped(account));
    folder.split('/').for_each(|part| path.push(escaped(part)));
    path
}

/// How many names of a message's path follow its folder's: year, month, day, file.
const BELOW: usize = 4;

/// The path of a message in a snapshot.
pub fn path(place: &Place) -> PathBuf {
    let date = place.date.to_zoned(TimeZone::UTC);
    let mut path = directory(&place.account, &place.folder);
    path.push(date.strftime("%Y").to_string());
    path.push(date.strftime("%m").to_string());
    path.push(date.strftime("%d").to_string());
    path.push(format!("{}.{}.eml", date.strftime("%Y%m%dT%H%M%SZ"), escaped(&place.key)));
    path
}

/// Reads a path of [`path`]. None: it is none. A part that was too long for a file's name stays cut.
pub fn place(path: &Path) -> Option<Place> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::RootDir => {}
            Component::Normal(name) => parts.push(name.to_str()?),
            _ => return None,
        }
    }
    let [account, folder @ .., _, _, _, file] = parts.as_slice() else { return None };
    let (date, key) = file.strip_suffix(".eml")?.split_once('.')?;
    let date = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    let date = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let folder = folder.iter().map(|part| unescaped(part)).collect::<Option<Vec<_>>>()?.join("/");
    (!folder.is_empty()).then_some(())?;
    Some(Place { account: unescaped(account)?, folder, date, key: unescaped(key)? })
}

/// The account whose folder at the top of a snapshot is called so. None: no account's is.
pub fn account(name: &str) -> Option<String> {
    unescaped(name)
}

/// Divides a path of [`path`], as a catalogue keeps it: the folder's [`directory`], and the rest. None: it is none.
pub fn split(path: &Path) -> Option<(String, String)> {
    let directory = path.ancestors().nth(BELOW)?;
    let rest = path.strip_prefix(directory).ok()?;
    Some((Path::new("/").join(directory).to_str()?.to_owned(), rest.to_str()?.to_owned()))
}

/// A name of a file for any text. `%` begins a byte in hexadecimal digits, as in an address on the web.
fn escaped(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let dots = at == 0 && matches!(text, "." | "..");
        // restic writes quotes and backslashes otherwise than they are.
        if matches!(c, '%' | '/' | '"' | '\\') || c.is_control() || dots {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| write!(name, "%{byte:02X}").unwrap_or(()));
        } else {
            name.push(c);
        }
    }
    if name.is_empty() {
        return "%".into();
    }
    // A key stands between a date and `.eml`.
    let most = LONGEST - "YYYYMMDDTHHMMSSZ..eml".len();
    if name.len() > most {
        let hash = Sha256::digest(text.as_bytes());
        name.truncate(cut(&name, most - 18).len());
        name.push_str("%~");
        hash[..8].iter().for_each(|byte| write!(name, "{byte:02x}").unwrap_or(()));
    }
    name
}

fn unescaped(name: &str) -> Option<String> {
    if name == "%" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            // The rest of a name that was cut.
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(folder: &str, key: &str) -> Place {
        Place { account: "gmail".into(), folder: folder.into(), date: Timestamp::UNIX_EPOCH, key: key.into() }
    }

    #[test]
    fn a_path_says_where_a_message_was_and_when_it_came() {
        for (folder, key, expected) in [
            ("INBOX", "7.42", "/gmail/INBOX/1970/01/01/19700101T000000Z.7.42.eml"),
            ("Büro/100 %", "a:b", "/gmail/Büro/100 %25/1970/01/01/19700101T000000Z.a:b.eml"),
            ("..", ".", "/gmail/%2E./1970/01/01/19700101T000000Z.%2E.eml"),
            ("a\"b\\c", "1", "/gmail/a%22b%5Cc/1970/01/01/19700101T000000Z.1.eml"),
            ("a//b", "x/y", "/gmail/a/%/b/1970/01/01/19700101T000000Z.x%2Fy.eml"),
        ] {
            let message = at(folder, key);
            assert_eq!(path(&message), Path::new(expected));
            let (folder, file) = split(Path::new(expected)).unwrap();
            assert_eq!(Path::new(&folder), directory(&message.account, &message.folder));
            assert_eq!(format!("{folder}/{file}"), expected);
            assert_eq!(place(Path::new(expected)), Some(message));
        }
    }

    #[test]
    fn what_is_no_message_has_no_place() {
        for path in
            ["/", "/gmail", "/a/1970/01/01/19700101T000000Z.1.eml", "/a/b/1970/01/01/x.1.eml", "/a/b/c/d/e/f"]
        {
            assert_eq!(place(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn long_names_fit_into_a_file_system_and_stay_different() {
        let (one, two) = ("ü".repeat(300), "ü".repeat(301));
        let (one, two) = (path(&at(&one, &"k".repeat(300))), path(&at(&two, "k")));
        assert_ne!(one.components().nth(2), two.components().nth(2));
        for path in [&one, &two] {
            assert!(path.components().all(|part| part.as_os_str().len() <= LONGEST), "{path:?}");
            assert!(place(path).is_some());
        }
    }

    proptest! {
        #[test]
        fn each_place_is_read_back(folder in "[^/]{1,20}(/[^/]{1,20}){0,3}", key in "[!-~]{1,60}", second in -60_000_000_000_i64..250_000_000_000) {
            let message = Place { date: Timestamp::from_second(second).unwrap(), ..at(&folder, &key) };
            let path = path(&message);
            prop_assert!(path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_))));
            // A date before the year 0 or after 9999 has another form; nobody has such mail.
            if (0..=9999).contains(&message.date.to_zoned(TimeZone::UTC).year()) {
                prop_assert_eq!(place(&path), Some(message));
            }
        }
    }
}

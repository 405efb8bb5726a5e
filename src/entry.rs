//! What a sync sees: an [`Entry`] in a folder, on one [side](crate::replica::Replica) or the other.

use std::fmt;
use std::path::Path;

/// One component of a path, as raw bytes. Never empty, `.` or `..`, never with `/` or NUL: a name from outside can
/// not lead out of the folder that it is used in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// Checks and takes a name.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let bad = matches!(bytes, b"" | b"." | b"..") || bytes.iter().any(|b| matches!(b, b'/' | 0));
        (!bad).then(|| Self(bytes.into()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as a path of one component.
    pub fn as_path(&self) -> &Path {
        use std::os::unix::ffi::OsStrExt;
        Path::new(std::ffi::OsStr::from_bytes(&self.0))
    }

    /// Whether it is an unfinished file of ours, which only a killed run leaves behind.
    pub fn is_unfinished(&self) -> bool {
        self.0.starts_with(b".postkeep-tmp-")
    }

    /// Whether it is one of ours (versions, temporary files): never part of a sync, on either side.
    pub fn is_ours(&self) -> bool {
        self.0.starts_with(b".postkeep-")
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show(&self.0))
    }
}

/// A path below a side's root: names joined by `/`, empty for the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RelPath(Box<[u8]>);

impl RelPath {
    /// The root.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of `name` in this folder.
    #[must_use]
    pub fn join(&self, name: &Name) -> Self {
        if self.0.is_empty() {
            return Self(name.0.clone());
        }
        Self([&self.0, b"/".as_slice(), &name.0].concat().into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its names, from the root down.
    pub fn names(&self) -> impl Iterator<Item = Name> {
        self.0.split(|b| *b == b'/').filter_map(Name::new)
    }

    /// The folder it is in and its name; None for the root.
    pub fn split(&self) -> Option<(Self, Name)> {
        let at = self.0.iter().rposition(|b| *b == b'/');
        let name = Name::new(&self.0[at.map_or(0, |at| at + 1)..])?;
        Some((Self(self.0[..at.unwrap_or(0)].into()), name))
    }

    /// As a path of the operating system.
    pub fn as_path(&self) -> &Path {
        use std::os::unix::ffi::OsStrExt;
        Path::new(std::ffi::OsStr::from_bytes(&self.0))
    }

    /// Whether this is `other` or lies below it.
    pub fn is_within(&self, other: &Self) -> bool {
        other.0.is_empty()
            || self.0.strip_prefix(&*other.0).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show(&self.0))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show(&self.0))
    }
}

/// A name or path for people: one line, whatever is in it. Control characters, line separators, characters that
/// turn the reading direction, invalid UTF-8 and the backslash itself are escaped; everything else stays readable.
pub fn show(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                c if c.is_control() || is_invisible(c) => text.push_str(&c.escape_unicode().to_string()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Characters that change how their neighbours are shown, or break a line, without being seen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A Unix domain socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

impl Kind {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::Symlink => "symbolic link",
            Self::Fifo => "named pipe",
            Self::Socket => "socket",
            Self::CharDevice | Self::BlockDevice => "device",
        }
    }
}

/// A time of a file system: seconds and nanoseconds since 1970, with the range that file systems have (which is
/// wider than a calendar library's).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileTime {
    /// Whole seconds, negative before 1970.
    pub seconds: i64,
    /// Nanoseconds past the second.
    pub nanos: u32,
}

/// One thing in a folder, as it was when the folder was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
    /// Bytes of content (a file), or length of the target (a link).
    pub size: u64,
    /// When its content last changed.
    pub mtime: FileTime,
    /// When anything about it last changed.
    pub ctime: FileTime,
    /// Permission bits with set-id and sticky bits (07777).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number, for a device.
    pub rdev: u64,
    /// Names that this content has.
    pub nlink: u32,
    /// File system and inode number: the same for two names of one content.
    pub id: (u64, u64),
    /// Bytes that it takes on disk.
    pub allocated: u64,
    /// Where another file system is mounted on it.
    pub mount_point: bool,
    /// A link's target.
    pub link: Option<Box<[u8]>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_out_of_its_folder() {
        for bad in [b"".as_slice(), b".", b"..", b"a/b", b"/", b"a\0b"] {
            assert_eq!(Name::new(bad), None, "{bad:?}");
        }
        for good in [b"...".as_slice(), b" ", b"\xff", b"a\nb"] {
            assert!(Name::new(good).is_some(), "{good:?}");
        }
    }

    #[test]
    fn what_is_shown_is_one_line_and_tells_all_names_apart() {
        for (bytes, shown) in [
            (b"plain \xc3\xa9.txt".as_slice(), "plain é.txt"),
            (b"a\nb\r\t", "a\\nb\\r\\t"),
            (b"a\\nb", "a\\\\nb"),
            (b"\xff\x1b[31m", "\\xff\\u{1b}[31m"),
            ("rtl\u{202e}gnp.exe".as_bytes(), "rtl\\u{202e}gnp.exe"),
        ] {
            assert_eq!(show(bytes), shown);
        }
    }

    #[test]
    fn paths_split_where_they_were_joined() {
        let name = |text: &str| Name::new(text.as_bytes()).unwrap();
        let path = RelPath::root().join(&name("a")).join(&name("b"));
        assert_eq!(path.split(), Some((RelPath::root().join(&name("a")), name("b"))));
        assert_eq!(RelPath::root().split(), None);
        assert!(path.is_within(&RelPath::root()) && path.is_within(&path));
        assert!(!RelPath::root().join(&name("ab")).is_within(&RelPath::root().join(&name("a"))));
    }
}

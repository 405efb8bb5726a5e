//! A snapshot's nodes as entries of ours.
//!
//! Whatever a node says is hostile until looked at: its name may lead anywhere, its numbers may be any.

use std::os::unix::ffi::OsStrExt;

use rustic_core::repofile::{Metadata, Node, NodeType};

use crate::entry::{Entry, FileTime, Kind, Name};
use crate::replica::Attributes;

/// Go's `os.FileMode` bits for set-user-id, set-group-id and sticky, which restic stores, and Unix's.
const BITS: [(u32, u32); 3] = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];

/// What is wrong with a file that has a size, but no content.
pub(super) const UNKNOWN: &str = "the snapshot does not say what its content is";

/// What an entry gets that its node does not say.
#[derive(Debug, Clone, Copy)]
pub struct Missing {
    /// Its owner and group.
    pub owner: (u32, u32),
    /// When it last changed.
    pub mtime: FileTime,
}

/// A node's name, unless it would lead out of the folder that it is in.
pub fn name(node: &Node) -> Option<Name> {
    Name::new(node.name().as_bytes())
}

/// What a node is.
pub fn kind(node: &Node) -> Kind {
    match node.node_type {
        NodeType::File => Kind::File,
        NodeType::Dir => Kind::Folder,
        NodeType::Symlink { .. } => Kind::Symlink,
        NodeType::Dev { .. } => Kind::BlockDevice,
        NodeType::Chardev { .. } => Kind::CharDevice,
        NodeType::Fifo => Kind::Fifo,
        NodeType::Socket => Kind::Socket,
    }
}

/// A symbolic link's target.
pub fn link(node: &Node) -> Option<Box<[u8]>> {
    // The library panics when it is asked for another node's.
    node.is_symlink().then(|| node.node_type.to_link().as_os_str().as_bytes().into())
}

/// When a node's content last changed.
pub fn mtime(meta: &Metadata) -> Option<FileTime> {
    let time = meta.mtime?;
    // Before 1970 both parts of jiff's are negative; a file system's nanoseconds never are.
    let (mut seconds, mut nanos) = (time.as_second(), time.subsec_nanosecond());
    if nanos < 0 {
        seconds -= 1;
        nanos += 1_000_000_000;
    }
    Some(FileTime { seconds, nanos: u32::try_from(nanos).unwrap_or(0) })
}

/// Permission, set-id and sticky bits, as Unix counts them. restic leaves out what is 0, so where other metadata is
/// known a mode that is not said is 0.
pub fn mode(meta: &Metadata) -> Option<u32> {
    let go = meta.mode.or(meta.mtime.map(|_| 0))?;
    Some(BITS.iter().fold(go & 0o777, |mode, (bit, unix)| if go & bit == 0 { mode } else { mode | unix }))
}

/// A node as the entry that it was.
pub fn entry(node: &Node, name: Name, missing: &Missing) -> Entry {
    let meta = &node.meta;
    let kind = kind(node);
    let mode = mode(meta).unwrap_or(if kind == Kind::Folder { 0o700 } else { 0o600 });
    let rdev = match node.node_type {
        NodeType::Dev { device } | NodeType::Chardev { device } => device,
        _ => 0,
    };
    Entry {
        name,
        kind,
        size: meta.size,
        mtime: mtime(meta).unwrap_or(missing.mtime),
        ctime: FileTime::default(),
        mode,
        uid: meta.uid.unwrap_or(missing.owner.0),
        gid: meta.gid.unwrap_or(missing.owner.1),
        rdev,
        nlink: u32::try_from(meta.links).unwrap_or(u32::MAX),
        id: (meta.device_id, meta.inode),
        allocated: meta.size,
        mount_point: false,
        link: link(node),
    }
}

/// A node's extended attributes.
pub fn attributes(meta: &Metadata) -> Attributes {
    meta.extended_attributes
        .iter()
        .filter(|attribute| !attribute.name.is_empty() && !attribute.name.contains('\0'))
        .map(|attribute| (attribute.name.clone().into_bytes(), attribute.value.clone().unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        for (text, good) in [
            ("plain", true),
            ("..", false),
            (".", false),
            ("", false),
            ("a/b", false),
            ("/etc", false),
            ("a\\x00b", false),
            ("\\x2e\\x2e", false),
            ("a\\x2fb", false),
            ("\\u002e.", false),
            ("odd\\", true),
            ("\\x", true),
        ] {
            // As a snapshot has it: not through the library's own way of writing names.
            let node = Node { name: text.into(), ..Node::default() };
            assert_eq!(name(&node).is_some(), good, "{text}");
        }
    }

    #[test]
    fn modes_and_times_come_as_unix_has_them() {
        let meta = |mode, time: &str| Metadata {
            mode: Some(mode),
            mtime: Some(time.parse().unwrap()),
            ..Metadata::default()
        };
        let all = meta(0o755 | 1 << 23 | 1 << 22 | 1 << 20 | 1 << 31, "1969-12-31T23:59:58.75Z");
        assert_eq!(mode(&all), Some(0o7755));
        assert_eq!(mtime(&all), Some(FileTime { seconds: -2, nanos: 750_000_000 }));
        assert_eq!(mode(&meta(0o644, "2024-01-01T00:00:00Z")), Some(0o644));
        assert_eq!(mode(&Metadata { mode: None, ..all }), Some(0));
        let missing = Missing { owner: (7, 8), mtime: FileTime { seconds: 5, nanos: 0 } };
        let bare = Node::new_node(OsStr::new("x"), NodeType::Dir, Metadata::default());
        let entry = entry(&bare, Name::new(b"x").unwrap(), &missing);
        assert_eq!((entry.mode, entry.uid, entry.gid, entry.mtime.seconds), (0o700, 7, 8, 5));
        assert_eq!(link(&bare), None);
    }
}

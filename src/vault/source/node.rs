//! An entry of a folder as restic's node.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustic_core::repofile::{Metadata, Node, NodeType};

use crate::entry::{Entry, FileTime, Kind};
use crate::replica::Attributes;
use crate::vault::names::Names;

/// Go's bits for what kind of file a mode is of (`io/fs.FileMode`), which restic writes.
mod go {
    pub const DIR: u32 = 1 << 31;
    pub const SYMLINK: u32 = 1 << 27;
    pub const DEVICE: u32 = 1 << 26;
    pub const FIFO: u32 = 1 << 25;
    pub const SOCKET: u32 = 1 << 24;
    pub const SETUID: u32 = 1 << 23;
    pub const SETGID: u32 = 1 << 22;
    pub const CHAR_DEVICE: u32 = 1 << 21;
    pub const STICKY: u32 = 1 << 20;
}

/// The node of an entry. `change_times`: whether the time of its last change proves anything; it does not on a network's
/// file systems, and without it a file is known again by its size and the time of its content.
pub(super) fn node(entry: &Entry, attributes: &Attributes, names: &mut Names, change_times: bool) -> Node {
    let file = entry.kind == Kind::File;
    let links = if entry.kind == Kind::Folder { 0 } else { u64::from(entry.nlink) };
    let mtime = time(entry.mtime);
    let metadata = Metadata {
        mode: Some(mode(entry)),
        mtime,
        // Reading a file for a backup changes its access time: it is kept as that of the content, as rustic does.
        atime: mtime,
        ctime: change_times.then(|| time(entry.ctime)).flatten(),
        uid: Some(entry.uid),
        gid: Some(entry.gid),
        user: names.user(entry.uid),
        group: names.group(entry.gid),
        inode: entry.id.1,
        // It only tells which names are of one file, and changes with a restart: it would make all trees new.
        device_id: if links > 1 { entry.id.0 } else { 0 },
        size: if file { entry.size } else { 0 },
        links,
        extended_attributes: Vec::new(),
    };
    let mut node = Node::new_node(OsStr::from_bytes(entry.name.as_bytes()), kind(entry), metadata);
    let attributes = attributes.iter().map(|(name, value)| (String::from_utf8_lossy(name), value.as_slice()));
    attach(&mut node, attributes);
    node
}

/// Gives a node extended attributes.
pub(in crate::vault) fn attach<'a>(
    node: &mut Node,
    attributes: impl Iterator<Item = (impl AsRef<str>, &'a [u8])>,
) {
    // The type has no public name: it is made by way of its JSON.
    let json = attributes
        .map(|(name, value)| serde_json::json!({ "name": name.as_ref(), "value": STANDARD.encode(value) }));
    let json: Vec<_> = json.collect();
    if !json.is_empty() {
        node.meta.extended_attributes = serde_json::from_value(json.into()).unwrap_or_default();
    }
}

/// A time of the format, which knows the years of a calendar; None beyond them.
pub(super) fn time(time: FileTime) -> Option<Timestamp> {
    writable(Timestamp::new(time.seconds, i32::try_from(time.nanos).ok()?).ok()?)
}

/// A time, if the format has it.
pub(in crate::vault) fn writable(time: Timestamp) -> Option<Timestamp> {
    // Go refuses to write, and read, years of more or fewer than four digits.
    (0..=9999).contains(&time.to_zoned(jiff::tz::TimeZone::UTC).year()).then_some(time)
}

fn kind(entry: &Entry) -> NodeType {
    match entry.kind {
        Kind::File => NodeType::File,
        Kind::Folder => NodeType::Dir,
        Kind::Symlink => {
            NodeType::from_link(Path::new(OsStr::from_bytes(entry.link.as_deref().unwrap_or_default())))
        }
        Kind::Fifo => NodeType::Fifo,
        Kind::Socket => NodeType::Socket,
        Kind::CharDevice => NodeType::Chardev { device: entry.rdev },
        Kind::BlockDevice => NodeType::Dev { device: entry.rdev },
    }
}

fn mode(entry: &Entry) -> u32 {
    let kind = match entry.kind {
        Kind::File => 0,
        Kind::Folder => go::DIR,
        Kind::Symlink => go::SYMLINK,
        Kind::Fifo => go::FIFO,
        Kind::Socket => go::SOCKET,
        Kind::CharDevice => go::DEVICE | go::CHAR_DEVICE,
        Kind::BlockDevice => go::DEVICE,
    };
    let special = [(0o4000, go::SETUID), (0o2000, go::SETGID), (0o1000, go::STICKY)];
    let special = special.into_iter().filter(|(bit, _)| entry.mode & bit != 0).map(|(_, go)| go);
    special.fold(kind | entry.mode & 0o777, |mode, bit| mode | bit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Name;

    fn entry(kind: Kind, mode: u32) -> Entry {
        Entry {
            name: Name::new(b"a\xff").unwrap(),
            kind,
            size: 7,
            mtime: FileTime { seconds: 1_700_000_000, nanos: 123_456_789 },
            ctime: FileTime { seconds: 1_700_000_001, nanos: 1 },
            mode,
            uid: 0,
            gid: 4_000_000_000,
            rdev: 0x0103,
            nlink: 1,
            id: (9, 11),
            allocated: 0,
            mount_point: false,
            link: (kind == Kind::Symlink).then(|| b"\xfe/x".as_slice().into()),
        }
    }

    #[test]
    fn modes_are_those_that_go_writes() {
        for (kind, mode, go) in [
            (Kind::File, 0o644, 0o644),
            (Kind::File, 0o4755, 0x0080_0000 | 0o755),
            (Kind::File, 0o2755, 0x0040_0000 | 0o755),
            (Kind::Folder, 0o1777, 0x8010_0000 | 0o777),
            (Kind::Symlink, 0o777, 0x0800_0000 | 0o777),
            (Kind::Fifo, 0o600, 0x0200_0000 | 0o600),
            (Kind::Socket, 0o600, 0x0100_0000 | 0o600),
            (Kind::CharDevice, 0o666, 0x0420_0000 | 0o666),
            (Kind::BlockDevice, 0o660, 0x0400_0000 | 0o660),
        ] {
            assert_eq!(super::mode(&entry(kind, mode)), go, "{kind:?} {mode:o}");
        }
    }

    #[test]
    fn names_targets_times_and_attributes_are_kept_byte_for_byte() {
        let mut names = Names::default();
        let attributes = vec![(b"user.x".to_vec(), vec![0, 255, 10])];
        let file = node(&entry(Kind::File, 0o600), &attributes, &mut names, true);
        assert_eq!(file.name().as_bytes(), b"a\xff");
        let attribute = &file.meta.extended_attributes[0];
        assert_eq!(
            (attribute.name.as_str(), attribute.value.as_deref()),
            ("user.x", Some([0, 255, 10].as_slice()))
        );
        assert_eq!(file.meta.mtime.unwrap().subsec_nanosecond(), 123_456_789);
        assert_eq!((file.meta.ctime.is_some(), file.meta.device_id, file.meta.size), (true, 0, 7));
        assert_eq!((file.meta.user.as_deref(), file.meta.group), (Some("root"), None));
        let link = node(&entry(Kind::Symlink, 0o777), &Vec::new(), &mut names, false);
        assert_eq!(link.node_type.to_link().as_os_str().as_bytes(), b"\xfe/x");
        assert_eq!((link.meta.ctime, link.meta.size), (None, 0));
        let hard = node(&Entry { nlink: 2, ..entry(Kind::File, 0o600) }, &Vec::new(), &mut names, true);
        assert_eq!((hard.meta.device_id, hard.meta.inode, hard.meta.links), (9, 11, 2));
    }

    #[test]
    fn times_that_no_calendar_has_are_none() {
        for (seconds, known) in [
            (0, true),
            (-62_135_596_800, true),
            (253_402_207_199, true),
            (253_402_300_800, false),
            (i64::MAX, false),
            (i64::MIN, false),
        ] {
            assert_eq!(time(FileTime { seconds, nanos: 5 }).is_some(), known, "{seconds}");
        }
    }
}

//! What a file system can keep, told by its kind.

use std::io;
use std::os::fd::AsFd;

use crate::replica::{About, Keeps};

/// File systems that keep less than a Unix one, or are reached over a network, by `statfs`'s `f_type` (statfs(2)).
const KINDS: &[(u64, Nature)] = &[
    (0x4d44, Nature { name: "vfat", time_step: 2_000_000_000, modes: false, links: false, network: false }),
    (
        0x2011_bab0,
        Nature { name: "exfat", time_step: 2_000_000_000, modes: false, links: false, network: false },
    ),
    (0x5346_544e, Nature { name: "ntfs", time_step: 100, modes: false, links: true, network: false }),
    (0x7366_746e, Nature { name: "ntfs3", time_step: 100, modes: false, links: true, network: false }),
    (0x517b, Nature { name: "smb", time_step: 100, modes: false, links: true, network: true }),
    (0xfe53_4d42, Nature { name: "smb2", time_step: 100, modes: false, links: true, network: true }),
    (0xff53_4d42, Nature { name: "cifs", time_step: 100, modes: false, links: true, network: true }),
    (0x6969, Nature { name: "nfs", time_step: 1, modes: true, links: true, network: true }),
    (0x0102_1997, Nature { name: "9p", time_step: 1, modes: true, links: true, network: true }),
    // FUSE may be anything: sshfs keeps whole seconds, ntfs-3g no modes. Times are the ones that cost a copy.
    (0x6573_5546, Nature { name: "fuse", time_step: 1_000_000_000, modes: true, links: true, network: true }),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Nature {
    name: &'static str,
    time_step: u64,
    modes: bool,
    links: bool,
    network: bool,
}

fn nature(f_type: u64) -> Nature {
    // f_type is a signed word on some machines: only its low 32 bits are the number.
    let wanted = f_type & 0xffff_ffff;
    let unix = Nature { name: "unix", time_step: 1, modes: true, links: true, network: false };
    KINDS.iter().find(|(kind, _)| *kind == wanted).map_or(unix, |(_, nature)| *nature)
}

/// The name of the kind of file system that a folder is on, if it is one that is reached over a network: what others
/// change there raises no events here.
///
/// # Errors
/// The folder cannot be asked.
pub fn network(folder: &std::path::Path) -> io::Result<Option<&'static str>> {
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)]
    let f_type = rustix::fs::statfs(folder)?.f_type as u64;
    let nature = nature(f_type);
    Ok(nature.network.then_some(nature.name))
}

/// Asks the file system that `root` is on.
pub(super) fn about(root: impl AsFd) -> io::Result<About> {
    let fs = rustix::fs::fstatfs(root.as_fd())?;
    let space = rustix::fs::fstatvfs(root.as_fd())?;
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)]
    let f_type = fs.f_type as u64;
    let nature = nature(f_type);
    let user = rustix::process::geteuid();
    Ok(About {
        keeps: Keeps {
            modes: nature.modes,
            links: nature.links,
            owners: nature.modes && user.is_root(),
            writer: (user.as_raw(), rustix::process::getegid().as_raw()),
            time_step: nature.time_step,
        },
        free_bytes: Some(space.f_bavail.saturating_mul(space.f_frsize)),
        file_system: format!("{:x}-{:x}", f_type & 0xffff_ffff, space.f_fsid),
        network: nature.network,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_kinds_are_recognised_whatever_the_sign_of_their_number() {
        assert_eq!(nature(0xff53_4d42).name, "cifs");
        assert_eq!(nature(0xffff_ffff_ff53_4d42).name, "cifs");
        assert_eq!(nature(0x4d44).time_step, 2_000_000_000);
        let ext4 = nature(0xef53);
        assert!(ext4.modes && ext4.time_step == 1 && !ext4.network);
    }
}

//! The machine as the kernel tells of it, in files of `/proc` and `/sys`. What cannot be read holds no run up: it is
//! better tried in vain than never.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::World;

/// `RTF_UP` and `RTF_REJECT` of the routing tables.
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

/// This machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine;

impl World for Machine {
    fn is_mounted(&self, path: &Path) -> bool {
        let Ok(table) = fs::read("/proc/self/mountinfo") else { return true };
        // The path as it is first: to resolve one touches what is mounted there, which may not answer.
        is_mount_point(&table, path)
            || path.canonicalize().is_ok_and(|resolved| is_mount_point(&table, &resolved))
    }

    fn is_on_battery(&self) -> bool {
        let Ok(folder) = fs::read_dir("/sys/class/power_supply") else { return false };
        let supplies: Vec<_> = folder.flatten().filter_map(|entry| Supply::read(&entry.path())).collect();
        runs_on_battery(&supplies)
    }

    fn is_online(&self) -> bool {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        has_default_route(&read("/proc/net/route")) || has_default_route6(&read("/proc/net/ipv6_route"))
    }
}

/// Whether the table has a mount at exactly this path. A place where the system mounts when somebody looks (autofs)
/// counts: only a look would tell more, and that may take minutes.
fn is_mount_point(table: &[u8], path: &Path) -> bool {
    let wanted = path.components().as_path().as_os_str();
    table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .any(|point| OsStr::from_bytes(&unescaped(point)) == wanted)
}

/// A path as it is: spaces and the like are written there as `\040`.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = after
            .get(..3)
            .filter(|digits| *first == b'\\' && digits.iter().all(|digit| (b'0'..=b'7').contains(digit)));
        let value = octal.map(|digits| digits.iter().fold(0, |n, digit| n * 8 + u32::from(digit - b'0')));
        match value.and_then(|value| u8::try_from(value).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &after[3..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// One power supply.
#[derive(Debug, Default)]
struct Supply {
    /// `Mains`, `USB`, `Battery` ...
    kind: String,
    /// Of what comes from outside: whether something comes.
    online: Option<bool>,
    /// Of a battery: whether it gives.
    discharging: bool,
    /// Whether it is that of a mouse or a headset.
    of_device: bool,
}

impl Supply {
    fn read(folder: &Path) -> Option<Self> {
        let read = |name| fs::read_to_string(folder.join(name)).ok().map(|text| text.trim().to_owned());
        Some(Self {
            kind: read("type")?,
            online: read("online").map(|online| online != "0"),
            discharging: read("status").is_some_and(|status| status == "Discharging"),
            of_device: read("scope").is_some_and(|scope| scope == "Device"),
        })
    }
}

/// Without a battery of its own a machine runs on mains, whatever its sockets say.
fn runs_on_battery(supplies: &[Supply]) -> bool {
    let own = || supplies.iter().filter(|supply| !supply.of_device);
    let (batteries, outside): (Vec<_>, Vec<_>) = own().partition(|supply| supply.kind == "Battery");
    if batteries.is_empty() || outside.iter().any(|supply| supply.online == Some(true)) {
        return false;
    }
    // Some laptops tell of no socket at all.
    outside.iter().any(|supply| supply.online == Some(false))
        || batteries.iter().any(|battery| battery.discharging)
}

fn has_default_route(table: &str) -> bool {
    table.lines().skip(1).any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let leads = |flags: &str| is_way(flags);
        matches!(fields[..], [_, "00000000", _, flags, _, _, _, "00000000", ..] if leads(flags))
    })
}

fn has_default_route6(table: &str) -> bool {
    let nowhere = "0".repeat(32);
    table.lines().any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        matches!(fields[..], [to, "00", _, _, _, _, _, _, flags, device]
            if to == nowhere && device != "lo" && is_way(flags))
    })
}

/// Whether a route of these flags is up and leads somewhere.
fn is_way(flags: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & (UP | REJECT) == UP)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"\
22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
29 22 0:25 / /dev/shm rw,nosuid,nodev shared:4 - tmpfs tmpfs rw
94 22 0:48 / /mnt/nas rw,relatime shared:52 - nfs4 nas:/export rw,vers=4.2
95 22 8:17 /sub /media/ann/My\\040Disk\\0111 rw - ext4 /dev/sdb1 rw
96 22 8:18 / /media/back\\134040 rw - ext4 /dev/sdb2 rw
97 22 0:50 / /net rw,relatime - autofs systemd-1 rw,fd=51
";

    #[test]
    fn mount_points() {
        for (path, mounted) in [
            ("/mnt/nas", true),
            ("/mnt/nas/", true),
            ("/mnt", false),
            ("/mnt/nas/sub", false),
            ("/", true),
            ("/media/ann/My Disk\t1", true),
            ("/media/ann/My\\040Disk\\0111", false),
            ("/media/back\\040", true),
            ("/net", true),
        ] {
            assert_eq!(is_mount_point(MOUNTS, Path::new(path)), mounted, "{path}");
        }
        assert_eq!(unescaped(b"a\\04"), b"a\\04");
        assert_eq!(unescaped(b"\\777\\"), b"\\777\\");
        assert!(Machine.is_mounted(Path::new("/proc")) && !Machine.is_mounted(Path::new("/proc/self")));
    }

    #[test]
    fn power() {
        let supply = |kind: &str, online| Supply { kind: kind.into(), online, ..Supply::default() };
        let mains = |online| supply("Mains", Some(online));
        let socket = |online| supply("USB", Some(online));
        let battery = |discharging| Supply { discharging, ..supply("Battery", None) };
        let mouse = || Supply { of_device: true, ..battery(true) };
        let cases = [
            (vec![], false),
            (vec![mains(true), battery(false)], false),
            (vec![mains(false), battery(true)], true),
            // A battery that is full gives nothing for a moment.
            (vec![mains(false), battery(false)], true),
            (vec![mains(false), socket(true), battery(false)], false),
            (vec![socket(false), socket(false), battery(true)], true),
            // A desktop with sockets that feed others, and a mouse.
            (vec![socket(false), mouse()], false),
            (vec![battery(true)], true),
            (vec![battery(false)], false),
        ];
        for (supplies, expected) in cases {
            assert_eq!(runs_on_battery(&supplies), expected, "{supplies:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("type"), "Mains\n").unwrap();
        fs::write(dir.path().join("online"), "1\n").unwrap();
        let read = Supply::read(dir.path()).unwrap();
        assert_eq!((read.kind.as_str(), read.online), ("Mains", Some(true)));
    }

    const HEAD: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    #[test]
    fn ways_over_the_old_protocol() {
        for (line, online) in [
            ("eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0 \n", true),
            ("eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0 \n", false),
            // 0.0.0.0/1, half of a VPN's way.
            ("tun0\t00000000\t010200C0\t0003\t0\t0\t0\t00000080\t0\t0\t0 \n", false),
            ("eth0\t00000000\t010200C0\t0002\t0\t0\t0\t00000000\t0\t0\t0 \n", false),
            ("*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0 \n", false),
            ("", false),
        ] {
            assert_eq!(has_default_route(&format!("{HEAD}{line}")), online, "{line}");
        }
        assert!(!has_default_route(""));
    }

    #[test]
    fn ways_over_the_new_protocol() {
        let zero = "0".repeat(32);
        let router = "fe800000000000000000000000000001";
        for (rest, online) in [
            (format!("00 {router} 00000400 00000002 00000000 00000003     eth0"), true),
            (format!("40 {router} 00000400 00000002 00000000 00000003     eth0"), false),
            (format!("00 {zero} ffffffff 00000001 00000000 00200200       lo"), false),
            (format!("00 {zero} 00000000 00000001 00000000 00000001       lo"), false),
        ] {
            // Destination, its length, source, its length, router ...
            let (length, rest) = rest.split_once(' ').unwrap();
            let line = format!("{zero} {length} {zero} 00 {rest}\n");
            assert_eq!(has_default_route6(&line), online, "{line}");
        }
        let own = format!(
            "fe800000000000000000000000000000 40 {zero} 00 {zero} 00000100 00000002 00000000 00000001 eth0"
        );
        assert!(!has_default_route6(&own));
    }
}

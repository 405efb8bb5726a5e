//! What a unit keeps from the agent: everything that it does not need.
//!
//! The agent has to read and write the user's folders wherever they are, as they are: no `ProtectHome`, no
//! `PrivateTmp`. Besides these, some usual lines are left out on purpose:
//!
//! - `RestrictSUIDSGID`: a copy keeps the set-id bits of its files.
//! - `ProtectKernelModules`: it hides `/usr/lib/modules`, which a copy of the system would then lack. The system calls
//!   and the capability are taken away instead.
//! - `ProtectClock`, `PrivateDevices`: both bring a list of devices, and with it nobody can make other device files, as a
//!   mirror does as root. The system calls and the capabilities are taken away instead.
//! - `ProtectHostname`: with it the agent does not see when the machine's name changes, and its letters bear the name.
//! - Lists of what is allowed in `SystemCallFilter`: rustix asks for the newest calls first and takes "not there" for an
//!   answer, but not "not allowed".
//! - For users' own managers, all that changes mounts or capabilities: these managers cannot do it, or only in a user
//!   namespace, in which other people's files belong to nobody.

use super::{Manager, Needs};

/// What root keeps. The last one is for `trusted.*` attributes: without it the kernel does not even list them, so that
/// a mirror would lose them without a word.
const ROOT: &str = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_MKNOD CAP_SETFCAP \
                    CAP_SYS_ADMIN";

/// What a mail system called by root needs besides, to become the user that it works as.
const MAIL: &str = "CAP_KILL CAP_SETGID CAP_SETUID";

/// Calls that belong to those who administer machines, debug programs, or live in the past.
const CALLS: &str = "@clock @cpu-emulation @debug @module @mount @obsolete @raw-io @reboot @swap";

/// The lines of the section `[Service]`.
pub(super) fn lines(manager: &Manager, needs: &Needs) -> String {
    if needs.programs {
        // They may need anything: sudo, mount, a browser's engine. In a mount namespace, `umount` in a command would
        // free the disk for the agent alone, and not for whoever pulls it out.
        return "# Commands of yours are run, around runs or for a password. What they need nobody knows: no sandbox.\n"
            .into();
    }
    let system = matches!(manager, Manager::System(_));
    let mut lines = String::new();
    if system {
        lines.push_str("ProtectControlGroups=yes\n");
        if needs.system_folders {
            lines.push_str(
                "# No ProtectSystem=: folders of the system, or above them, are copied or written.\n",
            );
        } else {
            lines.push_str("ProtectSystem=full\n");
        }
    }
    if needs.sendmail && !manager.is_root() {
        // All other lines are filters of system calls. Who is not root gets these only together with NoNewPrivileges,
        // which is said nowhere and cannot be turned off.
        lines.push_str(
            "# Little of a sandbox: sendmail needs its set-id bits, and with more of one they would not work.\n",
        );
        return lines;
    }
    if needs.sendmail {
        lines.push_str("# sendmail needs its set-id bits: no NoNewPrivileges=, and more capabilities.\n");
    } else {
        lines.push_str("NoNewPrivileges=yes\nMemoryDenyWriteExecute=yes\n");
    }
    if system {
        lines.push_str("ProtectKernelLogs=yes\nProtectKernelTunables=yes\n");
        match (manager.is_root(), needs.sendmail) {
            (true, true) => lines.push_str(&format!("CapabilityBoundingSet={ROOT} {MAIL}\n")),
            (true, false) => lines.push_str(&format!("CapabilityBoundingSet={ROOT}\n")),
            (false, _) => lines.push_str("CapabilityBoundingSet=\n"),
        }
    }
    lines.push_str(&format!(
        "LockPersonality=yes\n\
         RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\n\
         RestrictNamespaces=yes\n\
         RestrictRealtime=yes\n\
         SystemCallArchitectures=native\n\
         SystemCallErrorNumber=EPERM\n\
         SystemCallFilter=~{CALLS}\n"
    ));
    lines
}

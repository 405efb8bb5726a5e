//! This process, as its locks tell of it and as it judges others.

use std::sync::Arc;

use super::Access;
use super::object::{Here, Object};
use crate::clock::{Clock, System};
use crate::vault::names::{host, user};

/// A lock of this process.
pub(super) fn own(access: Access) -> Object {
    let uid = rustix::process::geteuid();
    Object {
        time: System.now(),
        exclusive: access == Access::Exclusive,
        hostname: host(),
        username: user(uid.as_raw()).unwrap_or_default(),
        pid: rustix::process::getpid().as_raw_nonzero().get(),
        uid: uid.as_raw(),
        gid: rustix::process::getegid().as_raw(),
        mark: mark(),
    }
}

/// What a lock is judged by.
pub(super) fn here<T>(judge: impl FnOnce(&Here<'_>) -> T) -> T {
    let (host, mark) = (host(), mark());
    judge(&Here { host: &host, mark: mark.as_deref(), alive: is_alive })
}

/// Names this machine since it was started, and the part of its processes that this one can see. None: nobody can tell.
///
/// A machine's name and its `/etc/machine-id` do not do: clones of a machine share both, and the containers on one may.
fn mark() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), space.to_str()?))
}

/// restic asks whether the holder of a lock lives by sending it SIGHUP, which ends a process that does not listen. So from
/// the first lock on this one listens, to no effect, beside whoever else does; as restic itself. A backup also goes on
/// when its terminal is closed.
pub(super) fn withstand_restic() {
    static LISTEN: std::sync::Once = std::sync::Once::new();
    LISTEN.call_once(|| {
        let heard = Arc::new(std::sync::atomic::AtomicBool::new(false));
        // Where that fails, `restic unlock` on this machine ends this process, no more.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGHUP, heard);
    });
}

/// Whether a process of this machine lives, be it another user's.
fn is_alive(pid: i32) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid) else { return false };
    !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

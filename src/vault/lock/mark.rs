//! Where the numbers of processes mean what they mean here.

/// Names this machine since it was started, and the part of its processes that this one can see. None: nobody can tell.
///
/// A machine's name and its `/etc/machine-id` do not do: clones of a machine share both, and the containers on one may.
pub(super) fn mark() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), space.to_str()?))
}

//! Room that is kept for the moment in which the disk is full: enough to record how a run ended and to tell of it.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::private;

/// The file that holds the room.
const FILE: &str = "reserve";

/// How many bytes it holds: an outcome with all its failures, a report and a log of usual length.
const SIZE: u64 = 2 << 20;

/// The reserve is made only where it is no burden: with this many bytes free beside it.
const ENOUGH: u64 = 8 * SIZE;

/// Sets the reserve aside in the state folder `dir` if it is not there. That it cannot be is no error: it only helps.
pub(super) fn keep(dir: &Path) {
    let path = dir.join(FILE);
    let there = std::fs::metadata(&path).is_ok_and(|meta| meta.len() >= SIZE);
    if there || free_bytes(dir).is_none_or(|free| free < ENOUGH) {
        return;
    }
    let made = match private::new_file(&path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => File::options().write(true).open(&path),
        Err(error) => Err(error),
    };
    let Ok(file) = made else { return };
    // Only blocks that are really there are a reserve: a file with holes takes no room.
    if fallocate(&file, FallocateFlags::empty(), 0, SIZE).is_err() {
        let _ = std::fs::remove_file(&path);
    }
}

/// Gives the reserve up; whether there was one.
pub(super) fn give_up(dir: &Path) -> bool {
    std::fs::remove_file(dir.join(FILE)).is_ok()
}

/// How many bytes are left for us.
fn free_bytes(dir: &Path) -> Option<u64> {
    let stat = statvfs(dir).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether next to nothing is left, so that an error may well come from it.
pub(super) fn is_full(dir: &Path) -> bool {
    free_bytes(dir).is_some_and(|free| free < SIZE)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_reserve_takes_real_room_and_gives_it_back_once() {
        let dir = tempfile::tempdir().unwrap();
        keep(dir.path());
        let meta = dir.path().join(FILE).metadata().unwrap();
        assert!(meta.blocks() * 512 >= SIZE && meta.mode() & 0o777 == 0o600);
        keep(dir.path());
        assert!(give_up(dir.path()));
        assert!(!give_up(dir.path()));
        keep(&dir.path().join("nowhere"));
    }
}

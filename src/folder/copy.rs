//! Copying the content of one file: in the kernel where it can, sparse files sparsely.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use crate::entry::Entry;
use crate::replica::Content;

/// Files up to this size are read and written: one call each is as fast as a copy in the kernel.
const SMALL: u64 = 64 << 10;
/// Bytes asked from the kernel at once, so that progress is seen and a stop is heard.
const STEP: usize = 64 << 20;
/// Bytes read at once where the kernel cannot copy.
const BUFFER: usize = 1 << 20;

/// Set once the kernel refused to copy between these two sides.
#[derive(Debug, Default)]
pub(super) struct KernelCopy {
    refused: AtomicBool,
}

/// How a copy ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Copied {
    /// So many bytes, all that there were.
    All(u64),
    /// `progress` asked to stop.
    Stopped,
}

/// Copies `content` to the empty file `to`. `progress` takes each step's bytes and says whether to go on.
pub(super) fn copy(
    content: &mut dyn Content,
    entry: &Entry,
    to: BorrowedFd<'_>,
    kernel: &KernelCopy,
    progress: &dyn Fn(u64) -> bool,
) -> io::Result<Copied> {
    let local = match content.descriptor() {
        Some(from) if entry.size > SMALL => Some(from),
        _ => None,
    };
    match local {
        Some(from) if entry.allocated < entry.size => sparse(from, to, entry.size, kernel, progress),
        Some(from) => {
            let copied = range(from, to, 0, entry.size, kernel, progress)?;
            // A file that grew is noticed by the caller, who looks at its size again.
            Ok(copied)
        }
        None => stream(content, entry.size, to, progress),
    }
}

/// Reads and writes. One byte more than expected is asked for, so that a file that grew shows.
fn stream(
    content: &mut dyn Content,
    size: u64,
    to: BorrowedFd<'_>,
    progress: &dyn Fn(u64) -> bool,
) -> io::Result<Copied> {
    let mut buffer = vec![0; usize::try_from(size).map_or(BUFFER, |size| size.saturating_add(1).min(BUFFER))];
    let mut done = 0;
    loop {
        let n = content.read(&mut buffer)?;
        if n == 0 {
            return Ok(Copied::All(done));
        }
        write_all(to, &buffer[..n], done)?;
        done += n as u64;
        if !progress(n as u64) {
            return Ok(Copied::Stopped);
        }
        if done > size {
            return Ok(Copied::All(done));
        }
    }
}

/// Copies only what is not a hole, then gives the file its length.
fn sparse(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    size: u64,
    kernel: &KernelCopy,
    progress: &dyn Fn(u64) -> bool,
) -> io::Result<Copied> {
    let mut at = 0;
    while at < size {
        let data = match rustix::fs::seek(from, SeekFrom::Data(at)) {
            Ok(data) => data,
            Err(Errno::NXIO) => break,
            // A file system that knows no holes: everything is data.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
            Err(error) => return Err(error.into()),
        };
        let hole = match rustix::fs::seek(from, SeekFrom::Hole(data)) {
            Ok(hole) => hole.min(size),
            Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NXIO) => size,
            Err(error) => return Err(error.into()),
        };
        if hole <= data {
            break;
        }
        match range(from, to, data, hole, kernel, progress)? {
            Copied::Stopped => return Ok(Copied::Stopped),
            // It shrank under our hands: the caller sees the difference.
            Copied::All(done) if done < hole - data => return Ok(Copied::All(data + done)),
            Copied::All(_) => at = hole,
        }
    }
    rustix::fs::ftruncate(to, size)?;
    Ok(Copied::All(size))
}

/// Copies the bytes from `start` to `end` to the same place in `to`.
fn range(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    start: u64,
    end: u64,
    kernel: &KernelCopy,
    progress: &dyn Fn(u64) -> bool,
) -> io::Result<Copied> {
    let mut at = start;
    while at < end && !kernel.refused.load(Relaxed) {
        let step = usize::try_from(end - at).map_or(STEP, |rest| rest.min(STEP));
        let (mut read_at, mut write_at) = (at, at);
        match rustix::fs::copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), step) {
            Ok(0) => return Ok(Copied::All(at - start)),
            Ok(n) => {
                at += n as u64;
                if !progress(n as u64) {
                    return Ok(Copied::Stopped);
                }
            }
            // Two mounts, or a file system that has no copy of its own.
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                kernel.refused.store(true, Relaxed);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if at == end {
        return Ok(Copied::All(end - start));
    }
    let mut buffer = vec![0; BUFFER];
    while at < end {
        let want = usize::try_from(end - at).map_or(BUFFER, |rest| rest.min(BUFFER));
        let n = match rustix::io::pread(from, &mut buffer[..want], at) {
            Ok(0) => break,
            Ok(n) => n,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        write_all(to, &buffer[..n], at)?;
        at += n as u64;
        if !progress(n as u64) {
            return Ok(Copied::Stopped);
        }
    }
    Ok(Copied::All(at - start))
}

/// Writes all of `bytes` at one place.
pub(super) fn write_all(to: impl AsFd, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(to.as_fd(), bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                bytes = &bytes[n..];
                at += n as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

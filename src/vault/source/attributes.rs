//! All extended attributes that can be read, as restic saves them: access lists and labels among them.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use crate::entry::Name;
use crate::replica::Attributes;

/// What an attribute may hold, and the list of their names: the kernel's limit.
const MOST: usize = 64 << 10;

/// Reads the attributes of entries, one call for most of them: the names go by the held folder's entry in /proc, so no
/// entry needs to be opened, and none that may not be read is left out.
pub(super) struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    pub fn new() -> Self {
        Self { buffer: vec![0; MOST] }
    }

    /// Of `name` in a held folder, never of what a link points to; of the folder itself without a name.
    pub fn read(&mut self, dir: BorrowedFd<'_>, name: Option<&Name>) -> io::Result<Attributes> {
        let mut path = format!("/proc/self/fd/{}", dir.as_raw_fd()).into_bytes();
        if let Some(name) = name {
            path.push(b'/');
            path.extend_from_slice(name.as_bytes());
        }
        let path = CString::new(path)?;
        let follow = name.is_none();
        let length = match follow {
            true => rustix::fs::listxattr(&path, self.buffer.as_mut_slice()),
            false => rustix::fs::llistxattr(&path, self.buffer.as_mut_slice()),
        };
        let length = match length {
            Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
            Ok(length) => length,
            Err(error) => return Err(error.into()),
        };
        let names = self.buffer[..length].to_vec();
        let mut found = Vec::new();
        for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let value = match follow {
                true => rustix::fs::getxattr(&path, name, self.buffer.as_mut_slice()),
                false => rustix::fs::lgetxattr(&path, name, self.buffer.as_mut_slice()),
            };
            match value {
                Ok(length) => found.push((name.to_vec(), self.buffer[..length].to_vec())),
                // Gone between its name and its value.
                Err(Errno::NODATA) => {}
                Err(error) => return Err(error.into()),
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

//! A body while it comes: in memory, or in a file without a name if it is large.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::archive::source::Body;
use crate::error::{Context, Error, Result};

/// Numbers names of files that have one for a moment.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A body while it comes.
#[derive(Debug)]
pub(super) enum Spool {
    Held(Vec<u8>),
    Spooled(File, u64),
}

impl Spool {
    /// For a body of so many bytes; a file in `folder` if they are more than `held`.
    pub(super) fn new(size: u64, held: u64, folder: &Path) -> Result<Self> {
        match usize::try_from(size) {
            Ok(small) if size <= held => Ok(Self::Held(Vec::with_capacity(small))),
            _ => Ok(Self::Spooled(unnamed(folder).map_err(|cause| failed(folder, cause))?, 0)),
        }
    }

    pub(super) fn write(&mut self, part: &[u8], folder: &Path) -> Result<()> {
        match self {
            Self::Held(bytes) => bytes.extend_from_slice(part),
            Self::Spooled(file, size) => {
                file.write_all(part).map_err(|cause| failed(folder, cause))?;
                *size += part.len() as u64;
            }
        }
        Ok(())
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Spooled(_, size) => *size,
        }
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::Spooled(..))
    }

    /// The body, to be read from its beginning.
    pub(super) fn end(self) -> Result<Body> {
        Ok(match self {
            Self::Held(bytes) => Body::Held(bytes),
            Self::Spooled(mut file, size) => {
                let rewound = file.seek(SeekFrom::Start(0));
                rewound.context(|| "cannot read back a message that was put on disk while it came".into())?;
                Body::Spooled(file, size)
            }
        })
    }
}

fn failed(folder: &Path, cause: io::Error) -> Error {
    Error::other(format!("cannot put a large message into {} while it comes", folder.display()))
        .caused_by(cause)
        .hint("is there room, and may postkeep write there?")
}

/// A file that is gone as soon as nobody has it open.
fn unnamed(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    let flag = rustix::fs::OFlags::TMPFILE.bits().cast_signed();
    match options.clone().custom_flags(flag).open(folder) {
        Ok(file) => Ok(file),
        // Some file systems have no files without names: one is made and loses it at once.
        Err(cause) if matches!(cause.raw_os_error(), Some(code) if is_unknown(code)) => {
            let number = NEXT.fetch_add(1, Relaxed);
            let path = folder.join(format!(".postkeep-tmp-{}-{number}.eml", std::process::id()));
            let file = options.create_new(true).open(&path)?;
            std::fs::remove_file(&path)?;
            Ok(file)
        }
        Err(cause) => Err(cause),
    }
}

fn is_unknown(code: i32) -> bool {
    use rustix::io::Errno;
    [Errno::OPNOTSUPP, Errno::ISDIR, Errno::INVAL].iter().any(|errno| errno.raw_os_error() == code)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_large_goes_through_a_file_without_a_name() {
        let dir = tempfile::tempdir().unwrap();
        for (size, spooled) in [(3, false), (4, true)] {
            let mut spool = Spool::new(size, 3, dir.path()).unwrap();
            spool.write(b"ab", dir.path()).unwrap();
            spool.write(b"c", dir.path()).unwrap();
            assert_eq!(spool.size(), 3);
            let bytes = match spool.end().unwrap() {
                Body::Held(bytes) if !spooled => bytes,
                Body::Spooled(mut file, 3) if spooled => {
                    let mut bytes = Vec::new();
                    file.read_to_end(&mut bytes).unwrap();
                    bytes
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(bytes, b"abc");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let error = Spool::new(4, 3, &dir.path().join("none")).unwrap_err();
        assert!(error.one_line().contains("none while it comes: No such file"), "{error:?}");
    }
}

//! A message on its way: small ones in memory, large ones in an unnamed file.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::PathBuf;

use super::source::Body;
use crate::error::{Context, Error, Result};

/// The most bytes of a message that are held in memory.
pub const HELD: usize = 1 << 20;

/// The most bytes of any message. No server takes so much; a source that sends more sends without end.
pub const LARGEST: u64 = 1 << 30;

/// Takes the bytes of one message after the other.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    held: Vec<u8>,
    file: Option<BufWriter<File>>,
    size: u64,
}

impl Spool {
    /// Large messages go into files without a name in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), held: Vec::new(), file: None, size: 0 }
    }

    /// Forgets what came so far.
    pub fn clear(&mut self) {
        self.held.clear();
        self.file = None;
        self.size = 0;
    }

    /// How many bytes came so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether the message is larger than any: then it is its own fault that it cannot be taken.
    pub fn is_too_much(&self) -> bool {
        self.size > LARGEST
    }

    /// Takes a part.
    ///
    /// # Errors
    /// The message is larger than any; or there is no room on the disk.
    pub fn write(&mut self, part: &[u8]) -> Result<()> {
        self.size += part.len() as u64;
        if self.size > LARGEST {
            return Err(Error::other("it is larger than 1 GiB, which no mail is"));
        }
        if let Some(file) = &mut self.file {
            return file.write_all(part).context(|| self.cannot());
        }
        if self.held.len() + part.len() <= HELD {
            self.held.extend_from_slice(part);
            return Ok(());
        }
        let file = tempfile::tempfile_in(&self.folder).context(|| self.cannot())?;
        let mut file = BufWriter::with_capacity(256 << 10, file);
        let written = file.write_all(&self.held).and_then(|()| file.write_all(part));
        written.context(|| self.cannot())?;
        self.held = Vec::new();
        self.file = Some(file);
        Ok(())
    }

    /// All of the message is there. The next one may begin.
    ///
    /// # Errors
    /// There is no room on the disk.
    pub fn end(&mut self) -> Result<Body> {
        let size = std::mem::take(&mut self.size);
        let Some(file) = self.file.take() else { return Ok(Body::Held(std::mem::take(&mut self.held))) };
        let mut file = file.into_inner().map_err(std::io::IntoInnerError::into_error);
        if let Ok(file) = &mut file {
            file.rewind().context(|| self.cannot())?;
        }
        Ok(Body::Spooled(file.context(|| self.cannot())?, size))
    }

    fn cannot(&self) -> String {
        format!("cannot keep a large message in {} while it comes", self.folder.display())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn large_messages_lie_in_a_file_that_nobody_sees() {
        let temp = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(temp.path());
        spool.write(b"lost").unwrap();
        spool.clear();
        spool.write(b"one").unwrap();
        assert!(matches!(spool.end().unwrap(), Body::Held(bytes) if bytes == b"one"));
        for _ in 0..2 {
            spool.write(&vec![b'x'; HELD]).unwrap();
            spool.write(b"y").unwrap();
            spool.write(b"z").unwrap();
            let Body::Spooled(mut file, size) = spool.end().unwrap() else { panic!("held") };
            let mut all = Vec::new();
            file.read_to_end(&mut all).unwrap();
            assert_eq!((all.len() as u64, size, &all[HELD - 1..]), (size, HELD as u64 + 2, &b"xyz"[..]));
        }
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
        spool.write(&vec![b'x'; HELD]).unwrap();
        assert!(matches!(spool.end().unwrap(), Body::Held(_)));

        let mut nowhere = Spool::new(temp.path().join("gone"));
        let error = nowhere.write(&vec![0; HELD + 1]).unwrap_err();
        assert!(error.to_string().contains("gone"), "{error}");
    }
}

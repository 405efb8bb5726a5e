//! A message's bytes, held against what they were when it was archived.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Reads through, and fails at the end if what was read is not what was archived. Whoever stops before the end has
/// checked nothing.
#[derive(Debug)]
pub struct Checked<R> {
    inner: R,
    hash: Option<Sha256>,
    sha256: [u8; 32],
    size: u64,
    read: u64,
}

impl<R: Read> Checked<R> {
    /// Of bytes with this SHA-256 (all zeros: nobody knows it) and length.
    pub fn new(inner: R, sha256: [u8; 32], size: u64) -> Self {
        let hash = (sha256 != [0; 32]).then(Sha256::new);
        Self { inner, hash, sha256, size, read: 0 }
    }

    fn check(&mut self) -> io::Result<()> {
        let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        if self.read != self.size {
            return Err(wrong(format!("it has {} bytes where {} were archived", self.read, self.size)));
        }
        match self.hash.take() {
            // Who asks once more gets the same answer.
            Some(hash) if <[u8; 32]>::from(hash.clone().finalize()) != self.sha256 => {
                self.hash = Some(hash);
                Err(wrong("its bytes are not those that were archived (SHA-256)".into()))
            }
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        if n == 0 && !buffer.is_empty() {
            self.check()?;
        }
        if let (Some(hash), Some(part)) = (&mut self.hash, buffer.get(..n)) {
            hash.update(part);
        }
        self.read += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_are_told_at_the_end() {
        let sha256 = Sha256::digest(b"message").into();
        let read = |bytes: &[u8], sha256, size| {
            let mut out = Vec::new();
            let mut checked = Checked::new(bytes, sha256, size);
            let done = checked.read_to_end(&mut out).map_err(|error| error.to_string());
            let again = checked.read_to_end(&mut out).map_err(|error| error.to_string());
            assert_eq!((&out[..], done.is_ok()), (bytes, again.is_ok()));
            done
        };
        assert!(read(b"message", sha256, 7).is_ok());
        assert!(read(b"massage", sha256, 7).unwrap_err().contains("SHA-256"));
        assert!(read(b"message!", sha256, 7).unwrap_err().contains("8 bytes where 7"));
        assert!(read(b"massage", [0; 32], 7).is_ok());
        assert!(read(b"", [0; 32], 7).unwrap_err().contains("0 bytes"));
    }
}

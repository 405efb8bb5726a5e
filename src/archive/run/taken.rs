//! A body on its way into the vault: its content, its beginning and its hash, in one pass.

use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use crate::archive::header;
use crate::archive::source::Body;
use crate::vault::add::Content;

/// The content as the vault takes it, its beginning, and its hash.
///
/// # Errors
/// A body that lies in a file cannot be read.
pub(super) fn taken(body: Body) -> std::io::Result<(Content, Vec<u8>, [u8; 32])> {
    match body {
        Body::Held(bytes) => {
            let start = bytes.get(..header::MOST).unwrap_or(&bytes).to_vec();
            let sha256 = Sha256::digest(&bytes).into();
            Ok((Content::Held(bytes), start, sha256))
        }
        Body::Spooled(file, size) => {
            let (mut hash, mut start, mut at) = (Sha256::new(), Vec::new(), 0);
            let mut buffer = vec![0; 256 << 10];
            while at < size {
                let read = file.read_at(&mut buffer, at)?;
                if read == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                let read = usize::try_from(size - at).unwrap_or(usize::MAX).min(read);
                let part = buffer.get(..read).unwrap_or_default();
                hash.update(part);
                let missing = header::MOST.saturating_sub(start.len());
                start.extend_from_slice(part.get(..missing).unwrap_or(part));
                at += read as u64;
            }
            Ok((Content::Spooled(file, size), start, hash.finalize().into()))
        }
    }
}

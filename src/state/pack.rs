//! Values in zstd inside a column.

use std::io::Read;

/// The most that is unpacked from one column, in bytes. A mail or a list of failures is far smaller.
const LIMIT: u64 = 256 << 20;

/// Packs bytes.
pub(super) fn pack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    zstd::bulk::compress(bytes, 3)
}

/// Unpacks bytes; an error for what [`pack`] did not write, and for more than 256 MiB.
pub(super) fn unpack(packed: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    zstd::Decoder::with_buffer(packed)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(std::io::Error::other("more than 256 MiB"));
    }
    Ok(bytes)
}

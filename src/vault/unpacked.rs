//! Objects that lie in no pack: the parts of the index, and snapshots. restic's word is *unpacked*.

use std::io::Read as _;

use super::Vault;
use super::store::{Found, Id, Kind};
use crate::error::{Error, Result};

/// The largest index or snapshot that is believed, in bytes.
const LARGEST: u64 = 1 << 30;

impl Vault {
    /// An encrypted object, as JSON: checked against its name, decrypted and decompressed.
    pub(super) fn object(&self, kind: Kind, found: &Found) -> Result<Vec<u8>> {
        let raw = self.store().read(kind, &found.id)?;
        self.opened(&found.id, &raw).map_err(Error::other)
    }

    /// The same, of what was read.
    pub(super) fn opened(&self, id: &Id, raw: &[u8]) -> Result<Vec<u8>, String> {
        if Id::of(raw) != *id {
            return Err("its content is not what was stored".into());
        }
        let plain = self.key.decrypt(raw).ok_or("it was not encrypted with this vault's key")?;
        // restic's design document, "Unpacked Data Format": a first byte of 2 says zstd, JSON begins with a bracket.
        match plain.split_first() {
            Some((2, packed)) => zstd::stream::Decoder::new(packed)
                .and_then(|decoder| {
                    let mut json = Vec::new();
                    decoder.take(LARGEST).read_to_end(&mut json).map(|_| json)
                })
                .map_err(|error| format!("it cannot be decompressed: {error}")),
            Some((b'{' | b'[', _)) => Ok(plain.to_vec()),
            _ => Err("it is neither JSON nor compressed".into()),
        }
    }
}

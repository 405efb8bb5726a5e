//! Objects that lie in no pack: the parts of the index, and snapshots. restic's word is *unpacked*.

use std::io::Read as _;

use bytes::Bytes;

use super::Vault;
use super::store::{Found, Id, Kind};
use crate::error::{Error, Result};

/// The largest index or snapshot that is believed, in bytes.
const LARGEST: u64 = 1 << 30;

impl Vault {
    /// Why something of the vault cannot be read, for whoever takes for lost what cannot. A vault that is away as a whole
    /// has lost nothing: a disk that was taken out, a folder that has another name now. Then it is an error that
    /// [is away](crate::error::Kind::is_away), and says so.
    pub(super) fn cause(&self, error: Error) -> Error {
        match error.kind().is_away() {
            true => error,
            false => self.is_there().err().unwrap_or(error),
        }
    }

    /// Whether the vault is where it was: whether its config is.
    fn is_there(&self) -> Result<()> {
        self.store().read(Kind::Config, &Id::NONE).map(drop).map_err(Error::away)
    }

    /// An object, for whoever takes for lost what cannot be read.
    ///
    /// # Errors
    /// It cannot be read; of a kind that [is away](crate::error::Kind::is_away) if nothing of the vault can.
    pub(super) fn looked_for(&self, kind: Kind, id: &Id) -> Result<Bytes> {
        self.store().read(kind, id).map_err(|error| self.cause(error))
    }

    /// All objects of a kind, for whoever takes for lost what is not among them: a place that is not there has none, and
    /// a disk may be taken out while it is listed.
    ///
    /// # Errors
    /// As of [`looked_for`](Self::looked_for).
    pub(super) fn listed(&self, kind: Kind) -> Result<Vec<Found>> {
        let found = self.store().list(kind).map_err(|error| self.cause(error))?;
        self.is_there().map(|()| found)
    }

    /// An encrypted object, as JSON: checked against its name, decrypted and decompressed.
    pub(super) fn object(&self, kind: Kind, found: &Found) -> Result<Vec<u8>> {
        let raw = self.looked_for(kind, &found.id)?;
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

//! Blobs: the pieces that files and trees are made of, as they lie in a pack.
//!
//! restic's design document, "Pack Format" and "Keys, Encryption and MAC": 16 bytes of nonce, the content encrypted
//! with AES-256-CTR, 16 bytes of Poly1305-AES; in version 2 of the format the content may be compressed with zstd.
//! A blob's name is the SHA-256 of its plain content. All of this is checked, for a store may hold anything.

use std::fmt;

use aes256ctr_poly1305aes::aead::AeadInPlace;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Nonce, Tag};
use sha2::{Digest, Sha256};

use super::crypt::Key;

/// Bytes around the content of a blob.
pub const AROUND: u32 = 32;

/// The largest content of a blob that is believed, in bytes. restic's chunks have at most 8 MiB; its trees have no
/// limit, but one of a million entries takes some 400 MB and is none that anybody has.
pub const LARGEST: u32 = 256 << 20;

/// A blob's name and where it is in its pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// SHA-256 of its content.
    pub id: [u8; 32],
    /// Where it begins in the pack.
    pub offset: u32,
    /// Bytes in the pack.
    pub length: u32,
    /// Bytes of the content, if that is compressed.
    pub uncompressed: Option<u32>,
}

impl Location {
    /// Bytes of its content. None: it is no blob, or larger than any.
    pub fn content(&self) -> Option<u32> {
        let plain = self.length.checked_sub(AROUND)?;
        Some(self.uncompressed.unwrap_or(plain)).filter(|length| *length <= LARGEST && plain <= LARGEST)
    }

    /// Where it ends in the pack.
    pub fn end(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.length)
    }
}

/// What is wrong with a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Its lengths are impossible.
    Length,
    /// It was changed since it was encrypted, or is encrypted with another key.
    Mac,
    /// It cannot be decompressed to its length.
    Zstd,
    /// Its content is not what its name says.
    Hash,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "its length is impossible",
            Self::Mac => "its bytes were changed since it was stored",
            Self::Zstd => "it cannot be decompressed",
            Self::Hash => "its content does not fit its name",
        })
    }
}

/// Opens blobs, one after the other, with buffers of its own: one per thread.
pub struct Opener {
    cipher: Aes256CtrPoly1305Aes,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
    plain: Vec<u8>,
    content: Vec<u8>,
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

impl Opener {
    /// With the repository's key.
    pub(super) fn new(key: &Key) -> Self {
        Self { cipher: key.cipher(), zstd: None, plain: Vec::new(), content: Vec::new() }
    }

    /// The content of the blob whose bytes in the pack are `raw`.
    ///
    /// # Errors
    /// It is damaged.
    pub fn open(&mut self, at: &Location, raw: &[u8]) -> Result<&[u8], Damage> {
        let length = at.content().ok_or(Damage::Length)? as usize;
        if raw.len() != at.length as usize {
            return Err(Damage::Length);
        }
        let (nonce, rest) = raw.split_at(16);
        let (encrypted, tag) = rest.split_at(rest.len() - 16);
        self.plain.clear();
        self.plain.extend_from_slice(encrypted);
        let (nonce, tag) = (Nonce::from_slice(nonce), Tag::from_slice(tag));
        let opened = self.cipher.decrypt_in_place_detached(nonce, &[], &mut self.plain, tag);
        opened.map_err(|_| Damage::Mac)?;
        let content = if at.uncompressed.is_some() {
            if self.zstd.is_none() {
                self.zstd = Some(zstd::bulk::Decompressor::new().map_err(|_| Damage::Zstd)?);
            }
            let zstd = self.zstd.as_mut().ok_or(Damage::Zstd)?;
            self.content.clear();
            self.content.reserve(length);
            let unpacked = zstd.decompress_to_buffer(&self.plain, &mut self.content);
            unpacked.map_err(|_| Damage::Zstd)?;
            if self.content.len() != length {
                return Err(Damage::Zstd);
            }
            &self.content
        } else {
            &self.plain
        };
        if <[u8; 32]>::from(Sha256::digest(content)) != at.id {
            return Err(Damage::Hash);
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key, and a blob with this content sealed by it.
    fn sealed(content: &[u8], compress: bool) -> (Key, Location, Vec<u8>) {
        let key = Key::new([7; 64].into());
        let mut body = if compress { zstd::bulk::compress(content, 3).unwrap() } else { content.to_vec() };
        let nonce = [9; 16];
        let tag = key.cipher().encrypt_in_place_detached(Nonce::from_slice(&nonce), &[], &mut body).unwrap();
        let raw = [&nonce[..], &body, &tag].concat();
        let at = Location {
            id: Sha256::digest(content).into(),
            offset: 0,
            length: u32::try_from(raw.len()).unwrap(),
            uncompressed: compress.then(|| u32::try_from(content.len()).unwrap()),
        };
        (key, at, raw)
    }

    #[test]
    fn whatever_was_changed_is_noticed() {
        for compress in [false, true] {
            let (key, at, raw) = sealed(&[42; 5000], compress);
            let open = |at: &Location, raw: &[u8]| Opener::new(&key).open(at, raw).map(<[u8]>::to_vec);
            assert_eq!(open(&at, &raw), Ok(vec![42; 5000]));
            for place in [0, 16, raw.len() - 1] {
                let mut bent = raw.clone();
                bent[place] ^= 1;
                assert_eq!(open(&at, &bent), Err(Damage::Mac), "{place}");
            }
            assert_eq!(open(&Location { id: [0; 32], ..at }, &raw), Err(Damage::Hash));
            assert_eq!(open(&at, &raw[1..]), Err(Damage::Length));
            for length in [0, 31] {
                assert_eq!(open(&Location { length, ..at }, &raw[..length as usize]), Err(Damage::Length));
            }
            let lie = |length| Location { uncompressed: Some(length), ..at };
            let said = |length| open(&lie(length), &raw).unwrap_err();
            assert_eq!(
                (said(4999), said(5001), said(u32::MAX)),
                (Damage::Zstd, Damage::Zstd, Damage::Length)
            );
        }
    }
}

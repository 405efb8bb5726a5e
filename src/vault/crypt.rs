//! restic's encryption: AES-256 in counter mode with a Poly1305-AES tag.
//!
//! rustic_core does this for everything of its own; locks and the sealed key are ours.

use aes256ctr_poly1305aes::Aes256CtrPoly1305Aes;
use aes256ctr_poly1305aes::aead::{Aead, generic_array::GenericArray};
use rustic_core::repofile::MasterKey;
use zeroize::Zeroizing;

use crate::error::{Context, Error, Result};

/// Bytes of the nonce, in front of what is encrypted.
const NONCE: usize = 16;

/// 32 bytes for AES, 16 for the tag's AES and 16 for the tag's Poly1305.
#[derive(Clone)]
pub(super) struct Key(Zeroizing<[u8; 64]>);

impl Key {
    pub fn new(bytes: Zeroizing<[u8; 64]>) -> Self {
        Self(bytes)
    }

    /// The bytes of a master key.
    ///
    /// # Errors
    /// It is not one: its parts are of other lengths.
    pub fn of(master: &MasterKey) -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 64]);
        let parts = [(&master.encrypt, 0..32), (&master.mac.k, 32..48), (&master.mac.r, 48..64)];
        for (part, range) in parts {
            if part.len() != range.len() {
                return Err(Error::other("the vault's master key is damaged"));
            }
            bytes[range].copy_from_slice(part);
        }
        Ok(Self(bytes))
    }

    /// What encrypts and decrypts with it.
    pub fn cipher(&self) -> Aes256CtrPoly1305Aes {
        Aes256CtrPoly1305Aes::new(GenericArray::from_slice(&*self.0))
    }

    /// Nonce, encrypted bytes, tag.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn encrypt(&self, plain: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE] = random()?;
        let sealed = self.cipher().encrypt(GenericArray::from_slice(&nonce), plain);
        let sealed = sealed.map_err(|_| Error::other("cannot encrypt: the text is too long"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// What was encrypted; None: not with this key, or it was changed since.
    pub fn decrypt(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
        self.cipher().decrypt(GenericArray::from_slice(nonce), sealed).ok().map(Zeroizing::new)
    }
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
            .context(|| "the system gives no random bytes".into())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_or_is_anothers_is_not_decrypted() {
        let key = Key::new([7; 64].into());
        let sealed = key.encrypt(b"one two").unwrap();
        assert_eq!(key.decrypt(&sealed).unwrap().as_slice(), b"one two");
        assert_eq!(sealed.len(), 16 + 7 + 16);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.decrypt(&changed).is_none(), "byte {at}");
            assert!(key.decrypt(&sealed[..at]).is_none(), "{at} bytes");
        }
        assert!(Key::new([8; 64].into()).decrypt(&sealed).is_none());
        assert_ne!(key.encrypt(b"one two").unwrap(), sealed, "a nonce is used twice");
    }
}

//! The rolling hash.

use crate::polynom::{Polynom, Polynom64, times_x};

/// What rustic_core asks of a rolling hash.
pub trait RollingHash64 {
    /// Forgets all bytes, and takes as many as the window has but one. Returns how many there were.
    fn reset_and_prefill_window<I: Iterator<Item = u8>>(&mut self, iter: &mut I) -> usize;

    /// Takes a byte in, and the oldest one out of the window.
    fn slide(&mut self, byte: u8);
}

/// Rabin's fingerprint of a window of up to 256 bytes, by a modulus of degree 8 to 56.
#[derive(Debug, Clone)]
pub struct Rabin64 {
    /// The fingerprint.
    pub hash: Polynom64,
    /// How far the eight highest bits of a hash are from its lowest.
    shift: u32,
    /// By the byte that leaves the window: what it is worth in the hash.
    out: [Polynom64; 256],
    /// By the eight bits that leave the hash to the left: themselves, and their remainder.
    rest: [Polynom64; 256],
    window: [u8; 256],
    /// Where the oldest byte is.
    oldest: u8,
    /// The length of the window, less one.
    mask: u8,
}

impl Rabin64 {
    /// A hash of a window of 2^`bits` bytes; `bits` is 8 at most.
    #[must_use]
    pub fn new_with_polynom(bits: u32, modulus: &Polynom64) -> Self {
        let length = 1_usize << bits.min(8);
        // Nothing has a remainder by zero, and a config may hold anything.
        let modulus = &(*modulus).max(1);
        let degree = modulus.degree().clamp(8, 56);
        // A byte leaves when as many others came after it as the window has, less one.
        let leaving = (0..8 * (length - 1)).fold(1, |power, _| times_x(power, *modulus));
        let beyond = (1_u64 << degree).modulo(modulus);
        let mut rest = table(beyond, *modulus);
        for (byte, rest) in (0..).zip(&mut rest) {
            *rest |= byte << degree;
        }
        Self {
            hash: 0,
            shift: degree.cast_unsigned() - 8,
            out: table(leaving, *modulus),
            rest,
            window: [0; 256],
            oldest: 0,
            mask: u8::try_from(length - 1).unwrap_or(u8::MAX),
        }
    }
}

/// The products of `factor` with each byte. They are sums of those with each bit: eight products make the table.
fn table(factor: Polynom64, modulus: Polynom64) -> [Polynom64; 256] {
    let mut table = [0; 256];
    let mut product = factor;
    for bit in 0..8 {
        let (known, new) = table.split_at_mut(1 << bit);
        for (known, new) in known.iter().zip(new) {
            *new = known ^ product;
        }
        product = times_x(product, modulus);
    }
    table
}

impl RollingHash64 for Rabin64 {
    fn reset_and_prefill_window<I: Iterator<Item = u8>>(&mut self, iter: &mut I) -> usize {
        (self.hash, self.oldest, self.window) = (0, 0, [0; 256]);
        let bytes = iter.take(usize::from(self.mask));
        bytes.fold(0, |count, byte| {
            self.slide(byte);
            count + 1
        })
    }

    #[inline]
    fn slide(&mut self, byte: u8) {
        let place = &mut self.window[usize::from(self.oldest)];
        let hash = self.hash ^ self.out[usize::from(*place)];
        *place = byte;
        self.oldest = self.oldest.wrapping_add(1) & self.mask;
        // The mask makes it a byte.
        let beyond = (hash >> self.shift) as usize & 0xff;
        self.hash = (hash << 8 | u64::from(byte)) ^ self.rest[beyond];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moduli of restic repositories: irreducible, of degree 53.
    const MODULI: [Polynom64; 2] = [0x003D_A335_8B4D_C173, 0x0025_B468_838D_CB75];

    fn bytes() -> Vec<u8> {
        (0_u32..2000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    /// The definition: the remainder of all bytes of the window as one polynomial.
    fn defined(window: &[u8], modulus: Polynom64) -> Polynom64 {
        window.iter().fold(0, |hash, byte| {
            let shifted = (0..8).fold(hash, |hash: u64, _| (hash << 1).modulo(&modulus));
            shifted ^ u64::from(*byte)
        })
    }

    #[test]
    fn the_hash_is_the_remainder_of_the_bytes_in_the_window() {
        let bytes = bytes();
        for modulus in MODULI {
            for bits in [0, 4, 6, 8] {
                let length = 1 << bits;
                let mut rabin = Rabin64::new_with_polynom(bits, &modulus);
                for end in 1..bytes.len() {
                    rabin.slide(bytes[end - 1]);
                    let window = &bytes[end.saturating_sub(length)..end];
                    assert_eq!(rabin.hash, defined(window, modulus), "{length} bytes up to {end}");
                }
            }
        }
    }

    #[test]
    fn no_modulus_makes_it_panic() {
        for modulus in [0, 1, 0x11b, 1 << 63, u64::MAX] {
            let mut rabin = Rabin64::new_with_polynom(6, &modulus);
            bytes().iter().for_each(|byte| rabin.slide(*byte));
        }
    }

    #[test]
    fn a_reset_forgets_what_was_before() {
        let bytes = bytes();
        let mut used = Rabin64::new_with_polynom(6, &MODULI[0]);
        bytes.iter().for_each(|byte| used.slide(*byte));
        let mut new = Rabin64::new_with_polynom(6, &MODULI[0]);
        for rabin in [&mut used, &mut new] {
            assert_eq!(rabin.reset_and_prefill_window(&mut bytes[..64].iter().copied()), 63);
            assert_eq!(rabin.hash, defined(&bytes[..63], MODULI[0]));
        }
        for byte in &bytes {
            used.slide(*byte);
            new.slide(*byte);
            assert_eq!(used.hash, new.hash);
        }
        assert_eq!(new.reset_and_prefill_window(&mut [1, 2].into_iter()), 2);
        assert_eq!(new.hash, defined(&[1, 2], MODULI[0]));
    }
}

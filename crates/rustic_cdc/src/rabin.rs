//! The rolling hash.

use crate::polynom::{Polynom, Polynom64, times_x};

/// What rustic_core asks of a rolling hash.
pub trait RollingHash64 {
    /// Forgets all bytes, and takes as many as the window has but one. Returns how many there were.
    fn reset_and_prefill_window<I: Iterator<Item = u8>>(&mut self, iter: &mut I) -> usize;

    /// Takes a byte in, and the oldest one out of the window.
    fn slide(&mut self, byte: u8);
}

/// Rabin's fingerprint of a window of up to 256 bytes, by a modulus of degree 16 to 56.
///
/// Each hash is made of the last but one, not of the last. What one byte waits for is then worked on while the other is:
/// a step is a chain of loads, and those of two bytes go on side by side.
#[derive(Debug, Clone)]
pub struct Rabin64 {
    /// The fingerprint.
    pub hash: Polynom64,
    /// The fingerprint before it.
    before: Polynom64,
    /// What the last byte, and the one that left for it, are worth in the next hash.
    carried: Polynom64,
    /// How far the eight highest bits of a hash are from its lowest.
    shift: u32,
    /// The bits of a hash without the sixteen highest.
    low: Polynom64,
    /// By the byte that leaves the window: what it is worth in the hash, and in the one after that.
    out: [[Polynom64; 256]; 2],
    /// By the eight highest bits of the last but one, and the eight after these: their remainder.
    rest: [[Polynom64; 256]; 2],
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
        let modulus = (*modulus).max(1);
        let degree = modulus.degree().clamp(16, 56).cast_unsigned();
        let times = |power, bytes: usize| (0..8 * bytes).fold(power, |power, _| times_x(power, modulus));
        // A byte leaves when as many others came after it as the window has.
        let leaving = times(1_u64.modulo(&modulus), length);
        let beyond = (1_u64 << degree).modulo(&modulus);
        Self {
            hash: 0,
            before: 0,
            carried: 0,
            shift: degree - 8,
            low: (1 << (degree - 16)) - 1,
            out: [leaving, times(leaving, 1)].map(|factor| table(factor, modulus)),
            rest: [times(beyond, 1), beyond].map(|factor| table(factor, modulus)),
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
        (self.hash, self.before, self.carried) = (0, 0, 0);
        (self.oldest, self.window) = (0, [0; 256]);
        let bytes = iter.take(usize::from(self.mask));
        bytes.fold(0, |count, byte| {
            self.slide(byte);
            count + 1
        })
    }

    #[inline]
    fn slide(&mut self, byte: u8) {
        let place = &mut self.window[usize::from(self.oldest)];
        let leaving = usize::from(std::mem::replace(place, byte));
        self.oldest = self.oldest.wrapping_add(1) & self.mask;
        let came = self.carried ^ self.out[0][leaving] ^ u64::from(byte);
        self.carried = self.out[1][leaving] ^ u64::from(byte) << 8;

        // The masks make bytes of them.
        let highest = (self.before >> self.shift) as usize & 0xff;
        let next = (self.before >> (self.shift - 8)) as usize & 0xff;
        let hash = (self.before & self.low) << 16 ^ self.rest[0][highest] ^ self.rest[1][next] ^ came;
        (self.before, self.hash) = (self.hash, hash);
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
        for modulus in [0, 1, 0x11b, 0x1_002d, 1 << 63, u64::MAX] {
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

//! Rabin's fingerprint of the last bytes of a stream, by which restic cuts files into blobs.
//!
//! The bytes in a window are the coefficients of a polynomial over GF(2); the hash is its remainder by an irreducible one,
//! which is the repository's own. Michael O. Rabin, "Fingerprinting by Random Polynomials", 1981.

mod polynom;
mod rabin;

pub use polynom::{Polynom, Polynom64};
pub use rabin::{Rabin64, RollingHash64};

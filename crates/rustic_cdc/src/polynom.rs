//! Polynomials over GF(2): bit n is the coefficient of x^n.

/// What rustic_core asks of a polynomial.
pub trait Polynom {
    /// The highest power in it; -1 for zero.
    fn degree(&self) -> i32;

    /// The remainder of the division by `m`, which is not zero.
    #[must_use]
    fn modulo(&self, m: &Self) -> Self;
}

/// A polynomial of degree 63 or less.
pub type Polynom64 = u64;

impl Polynom for Polynom64 {
    fn degree(&self) -> i32 {
        63 - self.leading_zeros().cast_signed()
    }

    fn modulo(&self, m: &Self) -> Self {
        let mut rest = *self;
        while rest.degree() >= m.degree() {
            rest ^= m << (rest.degree() - m.degree());
        }
        rest
    }
}

/// `p` times x, by the modulus `m`, whose degree is greater than that of `p`.
pub(crate) fn times_x(p: Polynom64, m: Polynom64) -> Polynom64 {
    let shifted = p << 1;
    shifted.min(shifted ^ m)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remainders_are_those_of_a_division_by_hand() {
        for (p, m, degree, rest) in [
            (0, 0b10, -1, 0),
            (1, 0b10, 0, 1),
            (0b111, 0b11, 2, 1),
            (0b1_0000, 0b1000, 4, 0),
            (0b1_0011, 0b1000, 4, 0b11),
            (0b1101_0110, 0b1_0011, 7, 0b10),
            (u64::MAX, 1 << 63, 63, u64::MAX >> 1),
        ] {
            assert_eq!((p.degree(), p.modulo(&m)), (degree, rest), "{p:b} by {m:b}");
        }
    }

    #[test]
    fn a_shift_is_a_product_with_x() {
        let m = 0x003D_A335_8B4D_C173;
        let mut p = 1;
        for _ in 0..1000 {
            assert_eq!(times_x(p, m), (p << 1).modulo(&m));
            p = times_x(p, m);
        }
    }
}

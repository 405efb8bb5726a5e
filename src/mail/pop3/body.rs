//! The bytes of an answer of many lines (RFC 1939, 3), as they come: what is stuffed with a dot is taken out, and the
//! line with nothing but a dot ends it.
//!
//! Only CR LF ends a line here. A message may hold a bare LF, and a dot behind one must not end it: what stands there
//! would pass for answers of the server.

use crate::error::Result;

/// Where in a line we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// At its beginning.
    Start,
    /// Behind a dot at its beginning.
    Dot,
    /// Behind a dot and CR at its beginning.
    DotCr,
    /// Behind CR.
    Cr,
    /// Anywhere else.
    Middle,
}

/// Takes the dots out.
#[derive(Debug)]
pub(super) struct Unstuff(At);

impl Unstuff {
    pub(super) fn new() -> Self {
        Self(At::Start)
    }

    /// Takes a part, and hands `sink` what belongs to the message. How many bytes of the part were taken, and whether
    /// that was the end.
    pub(super) fn take(
        &mut self,
        part: &[u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<(usize, bool)> {
        // What stands from `from` to `at` belongs to the message and is not handed over yet.
        let (mut from, mut at) = (0, 0);
        while let Some(&byte) = part.get(at) {
            match (self.0, byte) {
                (At::Start, b'.') => {
                    hand_over(&part[from..at], sink)?;
                    (self.0, at) = (At::Dot, at + 1);
                    from = at;
                }
                (At::Dot, b'\r') => {
                    (self.0, at) = (At::DotCr, at + 1);
                    from = at;
                }
                (At::DotCr, b'\n') => return Ok((at + 1, true)),
                // It was no end, so its CR is the message's.
                (At::DotCr, _) => {
                    sink(b"\r")?;
                    self.0 = At::Cr;
                }
                (At::Cr, b'\n') => (self.0, at) = (At::Start, at + 1),
                (At::Cr, b'\r') => at += 1,
                (At::Start | At::Dot | At::Cr | At::Middle, _) => match memchr::memchr(b'\r', &part[at..]) {
                    Some(next) => (self.0, at) = (At::Cr, at + next + 1),
                    None => (self.0, at) = (At::Middle, part.len()),
                },
            }
        }
        hand_over(&part[from..at], sink)?;
        Ok((at, false))
    }
}

fn hand_over(bytes: &[u8], sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    if bytes.is_empty() { Ok(()) } else { sink(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out of `wire` in parts of this size, and what is left of it.
    fn unstuffed(wire: &[u8], size: usize) -> (Vec<u8>, Option<Vec<u8>>) {
        let (mut unstuff, mut out, mut done) = (Unstuff::new(), Vec::new(), 0);
        for part in wire.chunks(size) {
            let mut sink = |bytes: &[u8]| {
                out.extend_from_slice(bytes);
                Ok(())
            };
            let (taken, ended) = unstuff.take(part, &mut sink).unwrap();
            done += taken;
            if ended {
                return (out, Some(wire[done..].to_vec()));
            }
            assert_eq!(taken, part.len());
        }
        (out, None)
    }

    #[test]
    fn a_message_comes_out_as_it_is_however_it_is_cut() {
        for (wire, message, rest) in [
            (&b".\r\n"[..], &b""[..], Some(&b""[..])),
            (b"a\r\n.\r\n+OK", b"a\r\n", Some(b"+OK")),
            (b"..\r\n..a\r\n...\r\n.\r\n", b".\r\n.a\r\n..\r\n", Some(b"")),
            // No line but one that ends in CR LF ends in front of a dot.
            (b"a\n.\nb\n.\r\n\r\n.\r\n", b"a\n.\nb\n.\r\n\r\n", Some(b"")),
            (b"a\n..\r.\r\n.\r\n", b"a\n..\r.\r\n", Some(b"")),
            (b"a\r\r\n.\r\n", b"a\r\r\n", Some(b"")),
            // What begins like the end and is none.
            (b".\n.\r\n\r\n.\r\n", b"\n.\r\n\r\n", Some(b"")),
            (b".\r\r\n.\r\n", b"\r\r\n", Some(b"")),
            (b".\rx\r\n.\r\n", b"\rx\r\n", Some(b"")),
            (b".x\r\n.\r\n", b"x\r\n", Some(b"")),
            (b"\0\xff\x80\r\n.\r\n", b"\0\xff\x80\r\n", Some(b"")),
            (b"a\r\n.\r", b"a\r\n", None),
            (b"a\r\n.", b"a\r\n", None),
            (b"", b"", None),
        ] {
            for size in 1..=wire.len().max(1) {
                let expected = (message.to_vec(), rest.map(<[u8]>::to_vec));
                assert_eq!(unstuffed(wire, size), expected, "{:?} by {size}", String::from_utf8_lossy(wire));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_stuffed_as_the_rfc_says_comes_back(bytes in proptest::collection::vec(proptest::sample::select(b".\r\nx\0".to_vec()), 0..60), size in 1_usize..9) {
            // RFC 1939, 3: a line that begins with a dot gets one more; the last line ends.
            let mut message = bytes;
            if !message.is_empty() && !message.ends_with(b"\r\n") {
                message.extend_from_slice(b"\r\n");
            }
            let (mut wire, mut start) = (Vec::new(), true);
            for (at, byte) in message.iter().enumerate() {
                if start && *byte == b'.' {
                    wire.push(b'.');
                }
                wire.push(*byte);
                start = *byte == b'\n' && at > 0 && message[at - 1] == b'\r';
            }
            wire.extend_from_slice(b".\r\n+OK");
            proptest::prop_assert_eq!(unstuffed(&wire, size), (message, Some(b"+OK".to_vec())));
        }
    }
}

//! What a blob is compressed to, and back. The names are those of the crate that this one stands for.

use std::cell::RefCell;
use std::io::Result;

use current::bulk::{Compressor, Decompressor};

/// A frame that says to hold more than this is believed as far as its bytes come: memory grows with them.
const BELIEVED: usize = 64 << 20;

thread_local! {
    /// With the level it is set to.
    static COMPRESSOR: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// `data` as one frame that says how long they are. Level 0 is the default.
///
/// # Errors
///
/// There is no memory.
pub fn encode_all(data: &[u8], level: i32) -> Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|kept| {
        let (set, compressor) = match kept {
            Some(kept) => kept,
            None => kept.insert((level, Compressor::new(level)?)),
        };
        if *set != level {
            compressor.set_compression_level(level)?;
            *set = level;
        }
        compressor.compress(data)
    })
}

/// Adds `data`, compressed, to `out`.
///
/// # Errors
///
/// There is no memory.
pub fn copy_encode(data: &[u8], out: &mut Vec<u8>, level: i32) -> Result<()> {
    out.extend(encode_all(data, level)?);
    Ok(())
}

/// What was compressed into `frames`, one after the other.
///
/// # Errors
///
/// They are damaged or incomplete, or there is no memory.
pub fn decode_all(frames: &[u8]) -> Result<Vec<u8>> {
    match Decompressor::upper_bound(frames).filter(|bytes| *bytes <= BELIEVED) {
        Some(bytes) => DECOMPRESSOR.with_borrow_mut(|kept| {
            let decompressor = match kept {
                Some(kept) => kept,
                None => kept.insert(Decompressor::new()?),
            };
            decompressor.decompress(frames, bytes)
        }),
        None => current::stream::decode_all(frames),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text that can be compressed, no two parts of it the same.
    fn text(bytes: usize) -> Vec<u8> {
        (0_u64..)
            .flat_map(|n| format!("{:x} letters\n", (n * n).wrapping_mul(2_654_435_761)).into_bytes())
            .take(bytes)
            .collect()
    }

    /// By the library, as a stream: the frame does not say how long it is.
    fn streamed(data: &[u8]) -> Vec<u8> {
        current::stream::encode_all(data, 3).unwrap()
    }

    #[test]
    fn what_goes_in_comes_out_at_any_level() {
        for bytes in [0, 1, 100, 20_000, 300_000, 9 << 20] {
            let data = text(bytes);
            for level in [0, -3, 9, 0] {
                let frame = encode_all(&data, level).unwrap();
                assert_eq!(Decompressor::upper_bound(&frame), Some(bytes), "the length is not told");
                assert!(frame.len() < bytes.max(100), "{bytes} bytes became {}", frame.len());
                assert_eq!(decode_all(&frame).unwrap(), data);
                assert_eq!(current::stream::decode_all(&*frame).unwrap(), data);
            }
        }
    }

    #[test]
    fn a_context_that_is_kept_makes_the_same_frame_as_a_new_one() {
        let data = text(70_000);
        let first = encode_all(&data, 3).unwrap();
        for level in [1, 3] {
            encode_all(&text(2 << 20), level).unwrap();
        }
        assert_eq!(encode_all(&data, 3).unwrap(), first);
    }

    #[test]
    fn a_frame_is_added_to_what_is_there() {
        let mut out = vec![2];
        copy_encode(b"words", &mut out, 0).unwrap();
        assert_eq!((out[0], decode_all(&out[1..]).unwrap()), (2, b"words".to_vec()));
    }

    #[test]
    fn frames_of_streams_and_several_frames_are_read() {
        let data = text(200_000);
        let mut frames = streamed(&data);
        assert_eq!(decode_all(&frames).unwrap(), data);
        frames.extend(encode_all(b"more", 0).unwrap());
        frames.extend(encode_all(b"and more", 0).unwrap());
        assert_eq!(decode_all(&frames).unwrap(), [&data[..], b"moreand more"].concat());
    }

    #[test]
    fn damage_is_an_error_and_the_next_frame_is_read() {
        let data = text(50_000);
        for whole in [encode_all(&data, 0).unwrap(), streamed(&data)] {
            for cut in [1, 4, 5, 9, 1000, whole.len() - 1] {
                assert!(decode_all(&whole[..cut]).is_err(), "{cut} bytes of a frame");
            }
            let mut other = whole.clone();
            other[2] ^= 1;
            assert!(decode_all(&other).is_err());
            assert_eq!(decode_all(&whole).unwrap(), data);
        }
        assert!(decode_all(b"no frame at all").is_err());
    }

    #[test]
    fn a_length_that_nobody_has_memory_for_is_not_believed() {
        // RFC 8878: magic, a header of 8 bytes of length, 2^60 bytes, and a last raw block of one byte.
        let mut frame = 0xFD2F_B528_u32.to_le_bytes().to_vec();
        frame.push(0b1110_0000);
        frame.extend((1_u64 << 60).to_le_bytes());
        frame.extend([0b1001, 0, 0, b'x']);
        assert!(decode_all(&frame).is_err());
    }
}

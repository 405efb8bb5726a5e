//! Content as it was before it was written for the mail; whatever can be read of it.
//!
//! The library gives nothing at all for content with one wrong byte in it. What is left of a damaged attachment is still
//! worth having, so these read on.

use std::io::{self, Write};

use mail_parser::decoders::charsets::map::charset_decoder;

use super::header::Encoding;
use super::seven;

/// How many bytes are written at once.
const CHUNK: usize = 64 << 10;

/// Writes decoded content.
///
/// # Errors
/// Those of `out`.
pub fn decode(content: &[u8], encoding: Encoding, out: &mut dyn Write) -> io::Result<()> {
    match encoding {
        Encoding::Plain => out.write_all(content),
        Encoding::Base64 => base64(content, &mut Buffered { out, held: Vec::with_capacity(CHUNK) }),
        Encoding::Quoted => quoted(content, &mut Buffered { out, held: Vec::with_capacity(CHUNK) }),
    }
}

/// A text, as far as it can be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The text.
    pub text: String,
    /// Whether there is more of it.
    pub cut: bool,
    /// Whether nobody here knows its charset, and it is none of the common ones.
    pub unknown: bool,
}

/// Decodes text, whatever its charset is said to be. It reads what makes at most `most` bytes.
pub fn text(content: &[u8], encoding: Encoding, charset: Option<&str>, most: usize) -> Decoded {
    let mut bounded = Bounded { bytes: Vec::new(), most, cut: false };
    // Its only error is that there was enough.
    let _ = decode(content, encoding, &mut bounded);
    let Bounded { mut bytes, cut, .. } = bounded;
    if cut {
        // A character that was cut in the middle.
        let end = bytes.utf8_chunks().last().map_or(0, |last| last.invalid().len());
        bytes.truncate(bytes.len() - end.min(3));
    }
    let charset = charset.unwrap_or_default().to_ascii_lowercase();
    let (name, bytes) = seven::plain(&charset, bytes);
    let said = Some(name).filter(|name| !name.is_empty()).and_then(|name| charset_decoder(name.as_bytes()));
    let is_utf8 = std::str::from_utf8(&bytes).is_ok();
    let ascii = charset.is_empty() || charset.contains("ascii");
    // What shifts between alphabets is no UTF-8, though it is ASCII.
    let plain = is_utf8 && memchr::memchr2(0x1b, 0x0e, &bytes).is_none();
    let common = ascii || charset.contains("utf-8") || charset.contains("utf8");
    let unknown = said.is_none() && !plain && !common;
    let text = match said {
        // Texts that say nothing, or that they are plain, are mostly UTF-8 by now.
        _ if is_utf8 && ascii => String::from_utf8_lossy(&bytes).into_owned(),
        Some(decoder) => decoder(&bytes),
        None if is_utf8 => String::from_utf8_lossy(&bytes).into_owned(),
        None => charset_decoder(b"windows-1252")
            .map_or_else(|| String::from_utf8_lossy(&bytes).into_owned(), |decoder| decoder(&bytes)),
    };
    Decoded { text, cut, unknown }
}

/// How many bytes decoded content has.
pub fn size(content: &[u8], encoding: Encoding) -> u64 {
    let mut count = Count(0);
    // It only counts.
    let _ = decode(content, encoding, &mut count);
    count.0
}

fn base64(content: &[u8], out: &mut Buffered<'_>) -> io::Result<()> {
    let (mut bits, mut held) = (0_u32, 0);
    for byte in content {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            // The end of a piece: some write several behind each other.
            b'=' => {
                (bits, held) = (0, 0);
                continue;
            }
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff) as u8)?;
        }
    }
    out.flush()
}

fn quoted(content: &[u8], out: &mut Buffered<'_>) -> io::Result<()> {
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").map_or(line, |text| text.strip_suffix(b"\r").unwrap_or(text));
        let ended = &line[text.len()..];
        let mut rest = text.trim_ascii_end();
        let mut soft = false;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match (byte, after) {
                (b'=', []) => soft = true,
                (b'=', [high, low, after @ ..])
                    if let (Some(high), Some(low)) = (digit(*high), digit(*low)) =>
                {
                    out.push(high << 4 | low)?;
                    rest = after;
                }
                (byte, _) => out.push(*byte)?,
            }
        }
        if !soft {
            ended.iter().try_for_each(|byte| out.push(*byte))?;
        }
    }
    out.flush()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

struct Buffered<'a> {
    out: &'a mut dyn Write,
    held: Vec<u8>,
}

impl Buffered<'_> {
    fn push(&mut self, byte: u8) -> io::Result<()> {
        self.held.push(byte);
        if self.held.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.held)?;
        self.held.clear();
        Ok(())
    }
}

/// Takes so much, and no more.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
    cut: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.most - self.bytes.len());
        self.bytes.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if taken < bytes.len() {
            self.cut = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_is_read() {
        for (content, encoding, expected) in [
            (&b"a\r\n=41"[..], Encoding::Plain, &b"a\r\n=41"[..]),
            (b"aGVs\r\nbG8h\r\n", Encoding::Base64, b"hello!"),
            (b"aGVsbG8=", Encoding::Base64, b"hello"),
            (b"aGV?s\x00bG8", Encoding::Base64, b"hello"),
            (b"aGVsbG8=aGVsbG8=", Encoding::Base64, b"hellohello"),
            (b"a=3D=C3=A4 \r\nb=\r\nc\n", Encoding::Quoted, "a=ä\r\nbc\n".as_bytes()),
            (b"100=% =4 =zz=", Encoding::Quoted, b"100=% =4 =zz"),
        ] {
            let mut out = Vec::new();
            decode(content, encoding, &mut out).unwrap();
            assert_eq!(out, expected, "{}", String::from_utf8_lossy(content));
            assert_eq!(size(content, encoding), expected.len() as u64);
        }
    }

    #[test]
    fn texts_are_read_in_the_charset_that_they_are_in() {
        for (content, charset, expected) in [
            (&b"\xe4"[..], Some("iso-8859-1"), "ä"),
            ("ä".as_bytes(), Some("utf-8"), "ä"),
            ("ä".as_bytes(), Some("us-ascii"), "ä"),
            (b"\xe4", Some("us-ascii"), "ä"),
            (b"\xe4", None, "ä"),
            (b"\x93\xfa\x96{", Some("Shift_JIS"), "日本"),
            (b"\xd6\xd0", Some("gb2312"), "中"),
            ("ä".as_bytes(), Some("x-nobody-knows"), "ä"),
            (b"\xe4", Some(""), "ä"),
            (b"\xc7\xd1\xb1\xdb", Some("CP949"), "한글"),
            (b"\xc7\xd1\xb1\xdb", Some("ks_c_5601-1987"), "한글"),
            (b"\x1b$)Ca \x0eGQ1[\x0f b\n\x0eGQ\nGQ", Some("ISO-2022-KR"), "a 한글 b\n한\nGQ"),
            (b"a~~ ~{VPND~} ~\nb\n~{VP\nVP", Some("hz-gb-2312"), "a~ 中文 b\n中\nVP"),
        ] {
            let decoded = Decoded { text: expected.into(), ..Decoded::default() };
            assert_eq!(text(content, Encoding::Plain, charset, 100), decoded, "{charset:?}");
        }
        for (content, charset, unknown) in [
            (&b"\x1b$)A\x0eVP\x0f"[..], "iso-2022-cn", true),
            (b"\xe4", "x-nobody-knows", true),
            (b"a", "x-nobody-knows", false),
            (b"\xe4", "", false),
        ] {
            let decoded = text(content, Encoding::Plain, Some(charset), 100);
            assert_eq!(decoded.unknown, unknown, "{charset}");
        }
        let cut = |text: &str| Decoded { text: text.into(), cut: true, unknown: false };
        assert_eq!(text("aä".as_bytes(), Encoding::Plain, Some("utf-8"), 2), cut("a"));
        assert_eq!(text(b"YWJj", Encoding::Base64, None, 2), cut("ab"));
    }
}

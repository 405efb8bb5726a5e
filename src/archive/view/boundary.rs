//! What separates the parts of a multipart, where its header is written so that the library does not see it; pure.

use super::header::is_field;

/// The boundary that a header names; each byte is looked at once.
pub(super) fn of(header: &[u8]) -> Option<Vec<u8>> {
    let value = content_type(header)?;
    let mut rest = value.as_slice();
    loop {
        // The kind is what comes first; parameters follow it.
        rest = after_semicolon(rest)?.trim_ascii_start();
        let end = rest.iter().position(|byte| b"=;\"".contains(byte))?;
        let (name, more) = rest.split_at(end);
        let Some(written) = more.strip_prefix(b"=") else { continue };
        if name.trim_ascii().eq_ignore_ascii_case(b"boundary") {
            let boundary = unquoted(written.trim_ascii_start());
            return (!boundary.is_empty()).then_some(boundary);
        }
        rest = more;
    }
}

/// The value of the field, without its line ends.
fn content_type(header: &[u8]) -> Option<Vec<u8>> {
    let mut value: Option<Vec<u8>> = None;
    for line in header.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match &mut value {
            Some(value) if line.starts_with(b" ") || line.starts_with(b"\t") => value.extend_from_slice(line),
            Some(_) => break,
            None if is_field(line) => {
                let (name, rest) = line.split_at(line.iter().position(|byte| *byte == b':')?);
                if name.trim_ascii_end().eq_ignore_ascii_case(b"Content-Type") {
                    value = Some(rest.get(1..).unwrap_or_default().to_vec());
                }
            }
            None => {}
        }
    }
    value
}

/// What follows the next semicolon that is in no quotes.
fn after_semicolon(text: &[u8]) -> Option<&[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => return text.get(at + 1..),
            _ => {}
        }
    }
    None
}

fn unquoted(text: &[u8]) -> Vec<u8> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|byte| *byte == b';' || byte.is_ascii_whitespace());
        return text.get(..end.unwrap_or(text.len())).unwrap_or_default().to_vec();
    };
    let mut made = Vec::new();
    let mut escaped = false;
    for byte in quoted {
        match byte {
            _ if std::mem::take(&mut escaped) => made.push(*byte),
            b'\\' => escaped = true,
            b'"' => break,
            _ => made.push(*byte),
        }
    }
    made.trim_ascii_end().to_vec()
}

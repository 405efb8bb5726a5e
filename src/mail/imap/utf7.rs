//! Names of folders in modified UTF-7 (RFC 3501, 5.1.3), which every server speaks that was not asked for UTF-8.

/// Base64 with a comma for the slash, and no padding.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// A name as the server has it.
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '&' => out.push_str("&-"),
            ' '..='~' => out.push(c),
            _ => {
                let mut units: Vec<u16> = Vec::new();
                let mut pair = [0; 2];
                units.extend_from_slice(c.encode_utf16(&mut pair));
                while let Some(c) = rest.next_if(|c| !matches!(c, ' '..='~')) {
                    units.extend_from_slice(c.encode_utf16(&mut pair));
                }
                out.push('&');
                base64(&units, &mut out);
                out.push('-');
            }
        }
    }
    out
}

fn base64(units: &[u16], out: &mut String) {
    let (mut bits, mut held) = (0_u32, 0_u32);
    for unit in units {
        held = held << 16 | u32::from(*unit);
        bits += 16;
        while bits >= 6 {
            bits -= 6;
            out.push(DIGITS[(held >> bits & 63) as usize].into());
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        out.push(DIGITS[(held << (6 - bits) & 63) as usize].into());
    }
}

/// A server's name for people and for our paths; None if it is no modified UTF-7. Only what [`encode`] gives back as
/// it was counts as such: else two names of the server could be one of ours.
pub(crate) fn decode(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((plain, coded)) = rest.split_once('&') {
        out.push_str(plain);
        let (coded, after) = coded.split_once('-')?;
        rest = after;
        if coded.is_empty() {
            out.push('&');
            continue;
        }
        let (mut bits, mut held) = (0_u32, 0_u32);
        let mut units: Vec<u16> = Vec::new();
        for byte in coded.bytes() {
            let digit = DIGITS.iter().position(|digit| *digit == byte)?;
            held = held << 6 | u32::try_from(digit).ok()?;
            bits += 6;
            if bits >= 16 {
                bits -= 16;
                units.push(u16::try_from(held >> bits & 0xffff).ok()?);
                held &= (1 << bits) - 1;
            }
        }
        out.push_str(&String::from_utf16(&units).ok()?);
    }
    out.push_str(rest);
    (encode(&out) == name).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for (name, coded) in [
            ("", ""),
            ("INBOX", "INBOX"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("Tom & Jerry", "Tom &- Jerry"),
            ("&", "&-"),
            ("台北/日本語", "&U,BTFw-/&ZeVnLIqe-"),
            ("[Gmail]/Корзина", "[Gmail]/&BBoEPgRABDcEOAQ9BDA-"),
            ("a\u{1f600}b", "a&2D3eAA-b"),
            ("ä&ö", "&AOQ-&-&APY-"),
            ("tab\tend", "tab&AAk-end"),
        ] {
            assert_eq!(encode(name), coded, "{name}");
            assert_eq!(decode(coded).as_deref(), Some(name), "{coded}");
        }
    }

    #[test]
    fn what_is_no_modified_utf_7_is_no_name() {
        for bad in ["&", "a&b", "&!-", "&2D0-", "Entwürfe", "&AGE-", "&AOQ", "&A-", "&AOQ-&APY-", "a\tb"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}

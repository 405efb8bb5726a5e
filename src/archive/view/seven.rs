//! Charsets that the library does not know by name, as it knows them; those of seven bits become those of eight; pure.

/// A text, and the charset that it is in by then.
pub(super) fn plain(charset: &str, bytes: Vec<u8>) -> (&str, Vec<u8>) {
    match charset {
        "cp949" | "ms949" | "windows-949" | "x-windows-949" | "uhc" | "ks_c_5601-1987" | "ks_c_5601"
        | "ksc5601" | "euc_kr" => ("euc-kr", bytes),
        "iso-2022-kr" | "iso2022-kr" | "csiso2022kr" => ("euc-kr", korean(&bytes)),
        "hz" | "hz-gb" | "hz-gb-2312" | "hz-gb2312" => ("gb2312", chinese(&bytes)),
        // The library knows these by name alone, and makes one sign of the whole text.
        "iso-2022-cn" | "iso-2022-cn-ext" | "csiso2022cn" => ("", bytes),
        other => (other, bytes),
    }
}

/// RFC 1557: what says which letters come, and letters between SO and SI, until the line ends.
fn korean(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut shifted = false;
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            0x1b if after.starts_with(b"$)C") => rest = after.get(3..).unwrap_or_default(),
            0x0e => shifted = true,
            0x0f => shifted = false,
            b'\n' => {
                shifted = false;
                out.push(b'\n');
            }
            0x21..=0x7e if shifted => out.push(byte | 0x80),
            byte => out.push(*byte),
        }
    }
    out
}

/// RFC 1843: letters between `~{` and `~}`, until the line ends; `~~` is one, and `~` at a line's end joins two lines.
fn chinese(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut shifted = false;
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after.first()) {
            (b'~', Some(b'{')) if !shifted => shifted = true,
            (b'~', Some(b'}')) if shifted => shifted = false,
            (b'~', Some(b'~')) if !shifted => out.push(b'~'),
            (b'~', Some(b'\n')) if !shifted => {}
            (b'\n', _) => {
                shifted = false;
                out.push(b'\n');
                continue;
            }
            // Two bytes are a letter: `~` may be the second one.
            (0x21..=0x7e, Some(second @ 0x21..=0x7e)) if shifted => out.extend([byte | 0x80, second | 0x80]),
            (byte, _) => {
                out.push(*byte);
                continue;
            }
        }
        rest = after.get(1..).unwrap_or_default();
    }
    out
}

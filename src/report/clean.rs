//! Makes strings from outside fit to be shown: one line, nothing unseen, a known length.
//!
//! Names of files arrive escaped ([`crate::entry::show`]), but a cause may carry a server's words and a host its
//! administrator's, so a report trusts none of them.

/// The text on one line and at most `max` characters long: what breaks lines or tabs becomes a space, what cannot
/// be seen or turns the reading direction becomes U+FFFD, what is too much at the end becomes `…`.
pub(super) fn line(text: &str, max: usize) -> String {
    let mut out: String = text.chars().take(max + 1).map(visible).collect();
    if let Some((at, _)) = out.char_indices().nth(max) {
        let keep = out[..at].char_indices().next_back().map_or(0, |(last, _)| last);
        out.truncate(keep);
        out.push('…');
    }
    out
}

/// As [`line()`], but a long text loses its middle: the first folders and the file's name say most about a path.
pub(super) fn path(text: &str, max: usize) -> String {
    let length = text.chars().count();
    if length <= max {
        return text.chars().map(visible).collect();
    }
    let kept = max.saturating_sub(1);
    let head = kept / 2;
    let tail = text.chars().skip(length - (kept - head));
    text.chars().take(head).map(visible).chain(['…']).chain(tail.map(visible)).collect()
}

/// The text as it may stand in a header: as [`line()`], with single spaces, nothing in it that a reader would take
/// for an encoded word, and never empty.
pub(super) fn header(text: &str, max: usize) -> String {
    let spaced: String = text.chars().take(max).map(|c| if visible(c) == c { c } else { ' ' }).collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let plain = words.join(" ").replace("=?", "= ?");
    if plain.is_empty() { "unnamed".into() } else { plain }
}

/// The text as part of a message id or list id: letters, digits, `-`, `_` and single dots inside.
pub(super) fn atom(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(64) {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => out.push(c),
            '.' if !out.is_empty() && !out.ends_with('.') => out.push('.'),
            _ => out.push('-'),
        }
    }
    if out.ends_with('.') {
        out.pop();
        out.push('-');
    }
    if out.is_empty() { "unnamed".into() } else { out }
}

/// The text as [`atom`], at most `max` characters long: of a longer one the beginning, and a hash that keeps it apart
/// from others that begin alike.
pub(super) fn tag(text: &str, max: usize) -> String {
    const HASH: usize = 8;
    let whole = atom(text);
    if text.chars().count() <= max && whole.len() <= max {
        return whole;
    }
    let hash = blake3::hash(text.as_bytes()).to_hex();
    let head = whole[..max.saturating_sub(HASH + 1).min(whole.len())].trim_end_matches('.');
    format!("{head}-{}", &hash[..HASH])
}

/// The character itself, a space for what breaks lines or tabs, U+FFFD for what cannot be seen or turns the reading
/// direction.
pub(crate) fn visible(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        c if c.is_control() => '\u{fffd}',
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}' => '\u{fffd}',
        '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' => '\u{fffd}',
        '\u{e0000}'..='\u{e007f}' => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_to_the_character() {
        for (text, max, shown) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("ééééé", 4, "ééé…"),
            ("a\r\nb\u{202e}c\u{1b}[0m", 20, "a  b\u{fffd}c\u{fffd}[0m"),
        ] {
            assert_eq!(line(text, max), shown);
        }
        assert_eq!(path("a/very/long/path/name.txt", 12), "a/ver…me.txt");
        assert_eq!(path("ééééééé", 5), "éé…éé");
        assert_eq!(path("short", 5), "short");
    }

    #[test]
    fn a_header_carries_no_line_and_no_encoded_word() {
        assert_eq!(header("a\r\nBcc: x@y.org", 80), "a Bcc: x@y.org");
        assert_eq!(header("=?utf-8?q?x?=", 80), "= ?utf-8?q?x?=");
        assert_eq!(header("==??", 80), "== ??");
        assert_eq!(header("\u{200b} \t", 80), "unnamed");
    }

    #[test]
    fn an_atom_is_one() {
        for (text, shown) in [
            ("documents", "documents"),
            ("a..b.", "a.-b-"),
            (".hidden", "-hidden"),
            ("x@y>\r\n é", "x-y-----"),
            ("", "unnamed"),
        ] {
            assert_eq!(atom(text), shown);
        }
    }

    #[test]
    fn a_long_tag_is_short_and_still_its_own() {
        assert_eq!(tag("documents", 9), "documents");
        let long = ["documents-of-ann", "documents-of-ben", "document.s-of-cy"].map(|text| tag(text, 15));
        assert!(long.iter().all(|tag| tag.len() <= 15 && tag.starts_with("docume")), "{long:?}");
        assert!(long[0] != long[1] && long[1] != tag("documents-of-ben.", 15));
        assert_eq!(tag(&"x".repeat(500), 28).len(), 28);
    }
}

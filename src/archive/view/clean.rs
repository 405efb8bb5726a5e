//! Makes what strangers wrote fit for a terminal; pure.

use crate::report::visible;

/// The text on one line, words with single spaces between them, at most `most` characters long.
pub fn line(text: &str, most: usize) -> String {
    let mut line = String::new();
    let mut count = 0;
    for c in text.chars().filter_map(shown) {
        if c.is_whitespace() && (line.is_empty() || line.ends_with(' ')) {
            continue;
        }
        if count == most {
            line.pop();
            line.push('…');
            return line;
        }
        line.push(if c.is_whitespace() { ' ' } else { c });
        count += 1;
    }
    line.truncate(line.trim_end().len());
    line
}

/// The text with its lines and tabs, at most `most` bytes long; and whether it is cut.
pub fn lines(text: &str, most: usize) -> (String, bool) {
    let mut out = String::with_capacity(text.len().min(most));
    for c in text.chars() {
        let c = match c {
            '\n' | '\t' => c,
            '\r' => continue,
            c => match shown(c) {
                Some(c) => c,
                None => continue,
            },
        };
        if out.len() + c.len_utf8() > most {
            return (out, true);
        }
        out.push(c);
    }
    (out, false)
}

/// A character as it may be shown. What turns the reading direction or cannot be seen falls away, so that a text is
/// read in the order in which it is stored; what a terminal obeys is seen as a fault.
fn shown(c: char) -> Option<char> {
    match visible(c) {
        '\u{fffd}' if c != '\u{fffd}' && !c.is_control() => None,
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one() {
        for (text, most, shown) in [
            (" a\r\n  b\tc ", 20, "a b c"),
            ("x\u{1b}]0;t\u{7}y", 20, "x\u{fffd}]0;t\u{fffd}y"),
            ("evil\u{202e}fdp.exe", 20, "evilfdp.exe"),
            ("abcdef", 4, "abc…"),
            ("abcd", 4, "abcd"),
            ("", 4, ""),
        ] {
            assert_eq!(line(text, most), shown, "{text:?}");
        }
    }

    #[test]
    fn lines_stay_lines_and_are_cut_between_characters() {
        assert_eq!(lines("a\r\nb\tc\u{200b}\x08", 99), ("a\nb\tc\u{fffd}".into(), false));
        assert_eq!(lines("üü", 3), ("ü".into(), true));
        assert_eq!(lines("üü", 4), ("üü".into(), false));
    }
}

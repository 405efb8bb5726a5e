//! Plain text in lines of 76 columns.

use super::clean;

/// How wide a line may be. Only what cannot be broken, a command, is longer.
pub(super) const WIDTH: usize = 76;

/// A line as it is.
pub(super) fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// A title after an empty line.
pub(super) fn heading(out: &mut String, title: &str) {
    line(out, "");
    wrap(out, "", title);
}

/// Fills lines with words. A word wider than a line gets one of its own, cut in its middle.
pub(super) fn wrap(out: &mut String, indent: &str, text: &str) {
    wrap_after(out, indent, indent, text);
}

/// A point of a list.
pub(super) fn bullet(out: &mut String, text: &str) {
    wrap_after(out, "  * ", "    ", text);
}

/// As [`wrap`], the first line begun with `first`.
pub(super) fn wrap_after(out: &mut String, first: &str, indent: &str, text: &str) {
    let mut row = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        let word = clean::path(word, WIDTH - indent.len());
        let gap = usize::from(!empty);
        if !empty && width(&row) + gap + width(&word) > WIDTH {
            line(out, &row);
            row = indent.to_owned();
            empty = true;
        }
        if !empty {
            row.push(' ');
        }
        row.push_str(&word);
        empty = false;
    }
    line(out, &row);
}

/// How many columns a text takes, nearly.
pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

/// Labels and values, in two columns. A value that is too long goes on in the next line, below its beginning.
pub(super) fn pairs(out: &mut String, pairs: &[(&'static str, String)]) {
    let labels = pairs.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    for (label, value) in pairs {
        let first = format!("  {label:labels$}  ");
        if width(value) <= WIDTH - first.len() {
            line(out, &(first + value));
        } else {
            wrap_after(out, &first, &" ".repeat(first.len()), value);
        }
    }
}

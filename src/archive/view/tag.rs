//! What is in a tag, and where what it begins ends; pure.

use memchr::memmem;

/// Where something hidden ends.
pub(super) fn end_of<'a>(from: &'a str, name: &str) -> Option<&'a str> {
    let mut at = 0;
    while let Some(next) = memmem::find(from.as_bytes().get(at..).unwrap_or_default(), b"</") {
        let start = at + next;
        let after = from.get(start + 2..).unwrap_or_default();
        let ends = after.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name));
        let more = after.get(name.len()..).unwrap_or_default();
        if ends && !more.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return from.get(start..);
        }
        at = start + 2;
    }
    None
}

/// An attribute of a tag, with the characters that its value names.
pub(super) fn attribute(inside: &str, name: &str) -> Option<String> {
    let mut rest = inside;
    loop {
        let (before, after) = rest.split_once('=')?;
        let key = before.trim_end().rsplit(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).next();
        let after = after.trim_start();
        let (value, next) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let after = after.get(1..).unwrap_or_default();
                after.split_once(quote).unwrap_or((after, ""))
            }
            _ => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        if key.is_some_and(|key| key.eq_ignore_ascii_case(name)) {
            let value = value.get(..value.len().min(4096)).unwrap_or_default();
            return Some(
                value
                    .replace("&amp;", "&")
                    .chars()
                    .filter(|c| !c.is_whitespace() || name != "href")
                    .collect(),
            );
        }
        rest = next;
    }
}

//! A value that cannot be used: what is wrong with it, and what would be right.
//!
//! Values are read through serde, whose errors carry one text. [`Wrong`] travels in it as two lines, so that the
//! hint arrives at the [`super::Problem`] as a hint.

use std::fmt;

use crate::entry;
use crate::error::{Error, Kind};

/// What is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong, without the place.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Wrong {
    /// A value that is wrong as `message` says.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The way back from an error's text.
    pub fn from_text(text: &str) -> Self {
        match text.split_once('\n') {
            Some((message, hint)) => Self::new(message).hint(hint.replace('\n', ", ")),
            None => Self::new(text),
        }
    }
}

/// A value that was wrong on the command line.
impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        wrong.hint.into_iter().fold(Error::new(Kind::Usage, wrong.message), Error::hint)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n{hint}"),
            None => Ok(()),
        }
    }
}

/// Text from a file, in quotes, for a message: one line, at most 60 characters, nothing that moves a cursor.
pub fn quote(text: &str) -> String {
    const MOST: usize = 60;
    let short: String = text.chars().take(MOST).collect();
    let dots = if short.len() < text.len() { "..." } else { "" };
    format!("\"{}{dots}\"", entry::show(short.as_bytes()))
}

/// The one of `known` that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Long words are nothing that a person mistyped, and the distance takes time with the square of the length.
    if word.len() > 100 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    let word = plain(word);
    let room = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&word, &plain(known)), known))
        .filter(|(distance, _)| *distance <= room)
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_survives_the_way_through_an_error() {
        let wrong = Wrong::new("no").hint("do this");
        assert_eq!(Wrong::from_text(&wrong.to_string()), wrong);
        assert_eq!(Wrong::from_text("no"), Wrong::new("no"));
    }

    #[test]
    fn what_was_meant_is_found_and_nothing_is_made_up() {
        let keys = ["exclude", "exclude-if-present", "mode", "to"];
        for (word, meant) in [
            ("exlude", Some("exclude")),
            ("exclude_if_present", Some("exclude-if-present")),
            ("Mode", Some("mode")),
            ("schedule", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, keys), meant, "{word}");
        }
        assert_eq!(nearest(&"e".repeat(1_000_000), keys), None);
    }

    #[test]
    fn quoted_text_is_short_and_safe() {
        assert_eq!(quote("a\u{1b}[2J\n"), "\"a\\u{1b}[2J\\n\"");
        assert_eq!(quote(&"é".repeat(100)).chars().count(), 65);
    }
}

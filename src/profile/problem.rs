//! What is wrong in a file, shown the way a compiler does: place, line, caret, hint.

use std::fmt::Write;
use std::ops::Range;
use std::path::PathBuf;

use serde::Serialize;

use super::wrong::Wrong;
use crate::entry;

/// The most problems of one file that are kept; a file that is no TOML at all would have thousands.
const MOST: usize = 100;

/// The most characters of a line that are shown.
const LINE: usize = 120;

/// How much a problem weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It keeps a profile from running.
    Error,
    /// It is worth a look.
    Warning,
}

/// One problem of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Problem {
    /// How much it weighs.
    pub severity: Severity,
    /// The file, below the configuration's folder.
    #[serde(serialize_with = "file_as_text")]
    pub file: PathBuf,
    /// Where in the file; none: the file as a whole.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The profiles that it keeps from running, or warns about; none: all of them.
    pub profiles: Option<Vec<String>>,
}

/// A place in a file, with what there is to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters of `source_line` are meant, from `caret` on.
    pub width: usize,
    /// The line, or the part of a long line around the place; safe to print.
    pub source_line: String,
    /// Where in `source_line` the place is, in characters from 0.
    #[serde(skip)]
    pub caret: usize,
}

impl Problem {
    /// An error in `file` as a whole.
    pub fn of_file(file: impl Into<PathBuf>, wrong: Wrong) -> Self {
        let Wrong { message, hint } = wrong;
        let severity = Severity::Error;
        Self { severity, file: file.into(), place: None, message, hint, profiles: None }
    }

    /// An error at a place in `file`.
    pub fn at(file: impl Into<PathBuf>, place: Place, wrong: Wrong) -> Self {
        Self { place: Some(place), ..Self::of_file(file, wrong) }
    }

    /// Whether it keeps `profile` from running.
    pub fn stops(&self, profile: &str) -> bool {
        self.severity == Severity::Error
            && self.profiles.as_ref().is_none_or(|names| names.iter().any(|name| name == profile))
    }

    /// For people: `file:line:column: error: message`, the line, a caret, the hint; ends with a line feed.
    pub fn render(&self, color: bool) -> String {
        let paint = |code: &str, text: &str| match color {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        };
        let (word, code) = match self.severity {
            Severity::Error => ("error", "1;31"),
            Severity::Warning => ("warning", "1;33"),
        };
        let mut text = show_file(&self.file);
        if let Some(place) = &self.place {
            let _ = write!(text, ":{}:{}", place.line, place.column);
        }
        let _ = writeln!(text, ": {}: {}", paint(code, word), self.message);
        if let Some(place) = &self.place {
            let number = place.line.to_string();
            let edge = " ".repeat(number.len());
            let gap = " ".repeat(place.caret);
            let carets = paint(code, &"^".repeat(place.width));
            let _ = writeln!(text, "  {number} | {}\n  {edge} | {gap}{carets}", place.source_line);
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "  {}: {hint}", paint("1;36", "hint"));
        }
        text
    }
}

/// A file's path for people.
pub(super) fn show_file(file: &std::path::Path) -> String {
    entry::show(file.as_os_str().as_encoded_bytes())
}

/// A file's path as JSON, which has no bytes that are no UTF-8.
pub(super) fn file_as_text<S: serde::Serializer>(file: &std::path::Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&show_file(file))
}

/// A file's text, for finding places in it.
pub(super) struct Text<'a> {
    text: &'a str,
    /// Byte offset of each line's start.
    starts: Vec<usize>,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The line that the byte offset is on, from 0.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// The start of the character that the byte offset is in.
    fn boundary(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        (0..=offset).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or_default()
    }

    /// The place of a range of bytes.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let offset = self.boundary(span.start);
        let line = self.line(offset);
        let start = self.starts[line];
        let end = self.starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let whole = self.text[start..end].trim_end_matches('\r');
        let at = (offset - start).min(whole.len());
        let until = self.boundary(span.end).saturating_sub(start).clamp(at, whole.len());
        let column = whole[..at].chars().count();

        // Of a long line the part around the place is shown, so that the place is always in sight.
        let from = if column < LINE / 2 { 0 } else { column - LINE / 4 };
        let shown: Vec<(usize, char)> = whole.char_indices().skip(from).take(LINE).collect();
        let mut place =
            Place { line: line + 1, column: column + 1, width: 0, source_line: String::new(), caret: 0 };
        if from > 0 {
            place.source_line.push_str("...");
            place.caret = 3;
        }
        for (byte, c) in &shown {
            let safe = safe(*c);
            let width = safe.chars().count();
            if *byte < at {
                place.caret += width;
            } else if *byte < until {
                place.width += width;
            }
            place.source_line.push_str(&safe);
        }
        if whole.chars().nth(from + LINE).is_some() {
            place.source_line.push_str("...");
        }
        place.width = place.width.max(1);
        place
    }
}

/// A character of a file's line as it is shown. The backslash stays: it is part of what was written.
fn safe(c: char) -> String {
    match c {
        '\t' => "    ".into(),
        '\\' => "\\".into(),
        c => entry::show(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Collects the problems of one file, up to a bound.
pub(super) struct Collector<'a> {
    file: PathBuf,
    text: Text<'a>,
    problems: Vec<Problem>,
    more: usize,
}

impl<'a> Collector<'a> {
    pub(super) fn new(file: impl Into<PathBuf>, text: &'a str) -> Self {
        Self { file: file.into(), text: Text::new(text), problems: Vec::new(), more: 0 }
    }

    pub(super) fn add(&mut self, span: Range<usize>, wrong: Wrong) {
        if self.problems.len() == MOST {
            self.more += 1;
            return;
        }
        let place = self.text.place(span);
        self.add_at(place, wrong);
    }

    pub(super) fn add_at(&mut self, place: Place, wrong: Wrong) {
        self.problems.push(Problem::at(self.file.clone(), place, wrong));
    }

    pub(super) fn text(&self) -> &Text<'a> {
        &self.text
    }

    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        if self.more > 0 {
            let wrong = Wrong::new(format!("{} more problems in this file are not shown", self.more));
            self.problems.push(Problem::of_file(self.file, wrong));
        }
        self.problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, span: Range<usize>) -> Place {
        Text::new(text).place(span)
    }

    #[test]
    fn a_problem_looks_like_a_compilers() {
        let text = "kind = \"sync\"\nexlude = [\"*.tmp\"]\n";
        let wrong = Wrong::new("unknown key \"exlude\"").hint("did you mean \"exclude\"?");
        let problem = Problem::at("profiles/documents.toml", place(text, 14..20), wrong);
        assert_eq!(
            problem.render(false),
            "profiles/documents.toml:2:1: error: unknown key \"exlude\"\n  \
             2 | exlude = [\"*.tmp\"]\n    | ^^^^^^\n  hint: did you mean \"exclude\"?\n"
        );
        assert!(problem.render(true).contains("\u{1b}[1;31merror\u{1b}[0m"));
    }

    #[test]
    fn places_count_characters_and_stay_within_their_line() {
        let text = "a = 'é'\r\nb = '''x\ny'''\n";
        let at = text.find("b =").unwrap() + 4;
        let found = place(text, at..text.len() - 1);
        assert_eq!((found.line, found.column, found.width), (2, 5, 4));
        assert_eq!(found.source_line, "b = '''x");
        let end = place(text, text.len()..text.len());
        assert_eq!((end.line, end.column, end.width, end.source_line.as_str()), (4, 1, 1, ""));
        let beyond = place("ab", 10..20);
        assert_eq!((beyond.line, beyond.column), (1, 3));
        assert_eq!(place("é", 1..2).column, 1);
    }

    #[test]
    fn long_lines_and_control_characters_are_shown_safely() {
        let text = format!("{}\u{1b}[31m\t'\\n'{}", "x".repeat(5_000), "y".repeat(5_000));
        let found = place(&text, 5_000..5_001);
        assert_eq!(found.column, 5_001);
        assert!(found.source_line.chars().count() < 2 * LINE);
        assert!(found.source_line.contains("\\u{1b}[31m    '\\n'"), "{}", found.source_line);
        let under: String = found.source_line.chars().skip(found.caret).take(found.width).collect();
        assert_eq!(under, "\\u{1b}");
    }
}

//! Tables and words of the terminal.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use crate::run::{RunId, Status};

/// A run's id as far as it tells runs apart: its time, and a little of its chance.
pub(super) fn short(id: RunId) -> String {
    id.to_string()[..13].to_owned()
}

/// A time in the machine's zone, always as wide, and no wider than a table of 80 columns has room for.
pub(super) fn when(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%d %b %Y %H:%M").to_string()
}

/// A path that may be the root.
pub(super) fn path(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

/// A status as word and, where wanted, colour.
pub(super) fn status(status: Status, color: bool) -> String {
    let code = match status {
        Status::Ok | Status::Unchanged => "32",
        Status::Warning | Status::Paused | Status::Running | Status::Cancelled => "33",
        Status::Failed | Status::Stopped | Status::Interrupted => "31",
    };
    paint(code, status.word(), color)
}

/// A word in a colour, where one is wanted.
pub(super) fn paint(code: &str, word: &str, color: bool) -> String {
    if color { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
}

/// Lines up columns, two spaces between; colours take no room.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|c| seen(c)).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - seen(cell) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// How many columns a cell takes: nothing for its colour codes, two for a wide character.
pub(super) fn seen(cell: &str) -> usize {
    let mut parts = cell.split('\x1b');
    let plain = parts.next().map_or(0, UnicodeWidthStr::width);
    plain + parts.map(|part| part.split_once('m').map_or(0, |(_, text)| text.width())).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_with_and_without_colours() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["name", "result"]),
            row([&status(Status::Ok, true), "a"]),
            row(["", "é"]),
            row(["写e\u{301}", "b"]),
        ];
        assert_eq!(table(&rows), "name  result\n\x1b[32mok\x1b[0m    a\n      é\n写e\u{301}   b\n");
    }
}

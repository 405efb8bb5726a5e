//! Tables and words of the terminal.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::run::{RunId, Status};

/// A run's id as far as it tells runs apart: its time, and a little of its chance.
pub(super) fn short(id: RunId) -> String {
    id.to_string()[..13].to_owned()
}

/// A time in the machine's zone.
pub(super) fn when(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%a %-d %b %Y %H:%M").to_string()
}

/// A path that may be the root.
pub(super) fn path(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

/// A status as word and, where wanted, colour.
pub(super) fn status(status: Status, color: bool) -> String {
    let code = match status {
        Status::Ok | Status::Unchanged => "32",
        Status::Warning | Status::Running | Status::Cancelled => "33",
        Status::Failed | Status::Stopped | Status::Interrupted => "31",
    };
    if color { format!("\x1b[{code}m{}\x1b[0m", status.word()) } else { status.word().to_owned() }
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

/// How wide a cell shows: without its colour codes, a character a column.
fn seen(cell: &str) -> usize {
    let mut width = 0;
    let mut chars = cell.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            chars.by_ref().find(|c| *c == 'm');
        } else {
            width += 1;
        }
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_with_and_without_colours() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(&[row(["name", "result"]), row(["a", &status(Status::Ok, true)]), row(["", "é"])]);
        assert_eq!(text, "name  result\na     \x1b[32mok\x1b[0m\n      é\n");
    }
}

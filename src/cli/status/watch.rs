//! `postkeep status --watch`: the same again and again, in its own place on the terminal.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::at_work::Pace;
use super::super::{Context, out};
use crate::error::{Context as _, Result};

/// How often it is shown on a terminal, and elsewhere.
const REDRAW: Duration = Duration::from_secs(1);
const PRINT: Duration = Duration::from_secs(10);
/// How soon Ctrl-C is heard.
const LOOK: Duration = Duration::from_millis(50);

/// The size of a terminal that does not tell it: columns and rows.
const USUAL: (usize, usize) = (80, 24);

/// How many lines of the table are left, however much there is to say below it.
const LEAST_TABLE: usize = 4;

/// What is taken away from the cursor on.
const CLEAR: &str = "\x1b[J";
const CLEAR_ALL: &str = "\x1b[2J\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const HIDE: &str = "\x1b[?25l";
const SHOW: &str = "\x1b[?25h";

pub(super) fn run(wide: bool, ctx: &Context) -> Result<ExitCode> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .context(|| "cannot listen for signals".into())?;
    }
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let terminal = std::io::stdout().is_terminal() && !dumb && !ctx.json;
    let mut pace = Pace::default();
    if terminal {
        return redraw(wide, ctx, &stop, &mut pace);
    }
    let mut apart = "";
    while !stop.load(Relaxed) {
        let page = super::page(wide, ctx, &mut pace, None)?;
        // Who closed the pipe has seen enough.
        if writeln!(std::io::stdout().lock(), "{apart}{}", page.trim_end()).is_err() {
            break;
        }
        if !ctx.json {
            apart = "\n";
        }
        wait(PRINT, &stop);
    }
    Ok(ExitCode::SUCCESS)
}

fn redraw(wide: bool, ctx: &Context, stop: &AtomicBool, pace: &mut Pace) -> Result<ExitCode> {
    let _cursor = Cursor::hide();
    let mut drawn = Drawn::default();
    while !stop.load(Relaxed) {
        let (columns, rows) = size();
        let page = super::page(wide, ctx, pace, Some(columns.saturating_sub(1)))?;
        let (frame, next) = drawn.frame(&page, columns, rows);
        drawn = next;
        out::write(|out| out.write_all(frame.as_bytes()))?;
        wait(REDRAW, stop);
    }
    Ok(ExitCode::SUCCESS)
}

/// The terminal's cursor, hidden until this is dropped.
struct Cursor;

impl Cursor {
    fn hide() -> Self {
        let _ = write!(std::io::stdout().lock(), "{HIDE}");
        Self
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        let _ = writeln!(std::io::stdout().lock(), "{SHOW}");
    }
}

/// What stands on the terminal: how many lines, and how large it was.
#[derive(Debug, Default, PartialEq)]
struct Drawn {
    lines: usize,
    size: Option<(usize, usize)>,
}

impl Drawn {
    /// What brings `page` in the place of what stands there.
    fn frame(&self, page: &str, columns: usize, rows: usize) -> (String, Self) {
        // The last row and column stay free: a terminal may scroll or wrap when they are taken.
        let room = columns.saturating_sub(1);
        // The table is cut; what is told below it goes on in the next line.
        let table = page.lines().take_while(|line| !line.is_empty()).count();
        let mut lines: Vec<String> = page.lines().take(table).map(|line| fit(line, room)).collect();
        let below: Vec<String> = page.lines().skip(table).flat_map(|line| wrap(line, room)).collect();
        let most = rows.saturating_sub(1).max(1);
        // What runs and what is wrong stands below the table: of a long one it is the table that is cut.
        let for_table = most.saturating_sub(below.len()).max(LEAST_TABLE);
        if lines.len() > for_table {
            let hidden = lines.len() - for_table + 1;
            lines.truncate(for_table - 1);
            lines.push(fit(&format!("({hidden} more profiles)"), room));
        }
        lines.extend(below);
        if lines.len() > most {
            let hidden = lines.len() - most + 1;
            lines.truncate(most - 1);
            lines.push(fit(&format!("({hidden} more lines)"), room));
        }
        let mut frame = match self.size {
            None => String::new(),
            // A terminal of another size may have wrapped what stood there, nobody knows how.
            Some(size) if size != (columns, rows) => CLEAR_ALL.to_owned(),
            Some(_) if self.lines > 1 => format!("\r\x1b[{}A", self.lines - 1),
            Some(_) => "\r".to_owned(),
        };
        // Each line is cleared behind its end, not before: so nothing flickers.
        frame.push_str(&lines.join(&format!("{CLEAR_LINE}\r\n")));
        frame.push_str(CLEAR);
        (frame, Self { lines: lines.len(), size: Some((columns, rows)) })
    }
}

/// The line in at most `columns` columns; colours take no room, and end where it is cut.
fn fit(line: &str, columns: usize) -> String {
    let (mut text, mut room, mut escape, mut painted) = (String::new(), columns, false, false);
    for c in line.chars() {
        if escape || c == '\x1b' {
            escape = c != 'm';
            painted = true;
            text.push(c);
            continue;
        }
        let width = c.width().unwrap_or(0);
        if width > room {
            break;
        }
        room -= width;
        text.push(c);
    }
    if painted { text + "\x1b[0m" } else { text }
}

/// The line in lines of at most `columns` columns, broken between words where there are any.
fn wrap(line: &str, columns: usize) -> Vec<String> {
    const INDENT: &str = "    ";
    let mut lines = Vec::new();
    let mut current = String::new();
    for (at, word) in line.split(' ').enumerate() {
        if at == 0 {
            current.push_str(word);
        } else if current.width() + 1 + word.width() <= columns {
            current.push(' ');
            current.push_str(word);
        } else {
            lines.push(fit(&current, columns));
            current = format!("{INDENT}{word}");
        }
    }
    lines.push(fit(&current, columns));
    lines
}

fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    let size = size.map_or((0, 0), |size| (usize::from(size.ws_col), usize::from(size.ws_row)));
    if size.0 == 0 || size.1 == 0 { USUAL } else { size }
}

/// Waits, unless it is to stop.
fn wait(length: Duration, stop: &AtomicBool) {
    let end = Instant::now() + length;
    while !stop.load(Relaxed) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(LOOK));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_takes_the_place_of_the_one_before() {
        let (first, drawn) = Drawn::default().frame("one\ntwo\nthree\n", 80, 24);
        assert_eq!(first, "one\x1b[K\r\ntwo\x1b[K\r\nthree\x1b[J");
        let (second, drawn) = drawn.frame("one\n", 80, 24);
        assert_eq!(second, "\r\x1b[2Aone\x1b[J");
        let (third, drawn) = drawn.frame("one\n", 80, 24);
        assert_eq!(third, "\rone\x1b[J");
        // It was resized, and is too low.
        let (fourth, drawn) = drawn.frame("a line\nb\nc\nd\n", 5, 4);
        assert_eq!(fourth, "\x1b[2J\x1b[Ha li\x1b[K\r\nb\x1b[K\r\n(2 m\x1b[J");
        assert_eq!(drawn, Drawn { lines: 3, size: Some((5, 4)) });
    }

    #[test]
    fn a_long_table_is_cut_before_what_is_told_below_it() {
        let table: String = (0..30).map(|n| format!("profile {n}\n")).collect();
        let (frame, _) = Drawn::default().frame(&format!("{table}\ndocs: copying\n"), 80, 12);
        assert!(frame.contains("profile 7") && !frame.contains("profile 8"), "{frame:?}");
        assert!(frame.contains("(22 more profiles)") && frame.contains("docs: copying"), "{frame:?}");
    }

    #[test]
    fn words_below_the_table_go_on_in_the_next_line() {
        for (line, columns, expected) in [
            ("docs: waits: music has it", 15, ["docs: waits:", "    music has", "    it"].as_slice()),
            ("  hint: x", 20, &["  hint: x"]),
            ("", 20, &[""]),
            ("averylongword", 5, &["avery"]),
        ] {
            assert_eq!(wrap(line, columns), expected, "{line}");
        }
        let (frame, drawn) = Drawn::default().frame("A  B\nlong line\n\none two\n", 6, 24);
        assert_eq!((frame.contains("long \x1b[K"), drawn.lines), (true, 5), "{frame:?}");
    }

    #[test]
    fn a_line_is_cut_by_what_is_seen_of_it() {
        for (line, columns, expected) in [
            ("plain", 9, "plain"),
            ("plain", 3, "pla"),
            ("\x1b[31mfailed\x1b[0m it", 4, "\x1b[31mfail\x1b[0m"),
            ("写真", 3, "写"),
            ("", 0, ""),
        ] {
            assert_eq!(fit(line, columns), expected);
        }
    }
}

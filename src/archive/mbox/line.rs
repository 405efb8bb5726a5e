//! Single lines of an mbox: the ones that begin a message, and the ones that only look like it; pure.
//!
//! RFC 4155 names no rules but "From ", an address and a date. What programs write is told apart from a sentence that
//! begins with the word by its time and year.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

/// The longest line that begins a message, in bytes.
pub(super) const LONGEST: usize = 1024;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Whether a line is nothing but its end.
pub(super) fn is_empty(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

/// Whether a line begins with `From ` at all.
pub(super) fn is_from(line: &[u8]) -> bool {
    line.starts_with(b"From ")
}

/// Whether a line, which stands behind an empty one, begins a message: it has a time and a year; or nothing, as
/// Thunderbird has it.
pub(super) fn begins(line: &[u8]) -> bool {
    if !is_from(line) || line.len() > LONGEST {
        return false;
    }
    let text = String::from_utf8_lossy(line);
    let words: Vec<&str> = text.split_ascii_whitespace().skip(1).collect();
    let has = |what: &dyn Fn(&str) -> bool| words.iter().any(|word| what(word));
    words.is_empty() || (has(&|word| clock(word).is_some()) && has(&|word| year(word).is_some()))
}

/// Whether a line of a message was changed so that it does not begin another one: one `>` was put before it.
pub(super) fn is_quoted(line: &[u8]) -> bool {
    let bare = line.iter().position(|byte| *byte != b'>').and_then(|at| line.get(at..));
    line.starts_with(b">") && bare.is_some_and(is_from)
}

/// When the message came, as the line that begins it says: in UTC (RFC 4155), unless it names another offset. None: it
/// does not say, or says 1970, as programs do that do not know.
pub(super) fn date(line: &[u8]) -> Option<Timestamp> {
    let text = String::from_utf8_lossy(line.get(..LONGEST).unwrap_or(line));
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let at = words.iter().rposition(|word| clock(word).is_some())?;
    let (hour, minute, second) = words.get(at).and_then(|word| clock(word))?;
    let before = |back: usize| at.checked_sub(back).and_then(|at| words.get(at)).copied();
    let behind = words.get(at + 1..).unwrap_or_default();
    // `Mon Nov 29 22:54:33 2026`, or `Mon, 29 Nov 2026 22:54:33`.
    let (year, month, day) = match before(1).and_then(year) {
        Some(year) => (year, before(2)?, before(3)?),
        None => (behind.iter().take(2).find_map(|word| year(word))?, before(2)?, before(1)?),
    };
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    let day = day.trim_end_matches(',').parse().ok()?;
    let time = Date::new(year, i8::try_from(month + 1).ok()?, day).ok()?.at(hour, minute, second, 0);
    let offset = behind.iter().take(2).find_map(|word| offset(word)).unwrap_or(Offset::UTC);
    let time = time.to_zoned(TimeZone::fixed(offset)).ok()?.timestamp();
    (year > 1970).then_some(time)
}

/// `22:54:33` or `22:54`.
fn clock(word: &str) -> Option<(i8, i8, i8)> {
    let mut parts = word.split(':');
    let mut next = |most: i8| {
        let part = parts.next()?;
        let digits = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i8>().ok().filter(|number| digits && *number <= most)
    };
    let (hour, minute) = (next(23)?, next(59)?);
    // A leap second is none to the calendar.
    let second = if word.matches(':').count() == 1 { 0 } else { next(60)?.min(59) };
    parts.next().is_none().then_some((hour, minute, second))
}

fn year(word: &str) -> Option<i16> {
    let digits = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|year| digits && (1970..2100).contains(year))
}

/// `+0130`.
fn offset(word: &str) -> Option<Offset> {
    let (sign, digits) = match word.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let good = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i32 = digits.parse().ok().filter(|_| good)?;
    Offset::from_seconds(sign * (number / 100 * 3600 + number % 100 * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_all_programs_begin_messages_and_sentences_do_not() {
        for (line, begins_one, said) in [
            ("From ann@example.org Mon Nov 29 22:54:33 2026\n", true, "2026-11-29T22:54:33Z"),
            ("From - Tue Mar  3 10:00:02 2026\r\n", true, "2026-03-03T10:00:02Z"),
            ("From 1754321234@xxx Tue Jul 15 10:00:00 +0130 2025\n", true, "2025-07-15T08:30:00Z"),
            ("From a@b Tue Jul 15 10:00:00 2025 -0700\n", true, "2025-07-15T17:00:00Z"),
            ("From a b@c Tue, 15 Jul 2025 10:00:00 +0000\n", true, "2025-07-15T10:00:00Z"),
            ("From a@b Tue Jul 15 10:00 CET 2025\n", true, "2025-07-15T10:00:00Z"),
            ("From a@b Sat Dec 31 23:59:60 2016\n", true, "2016-12-31T23:59:59Z"),
            ("From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n", true, ""),
            ("From \r\n", true, ""),
            ("From a@b 99:00:00 2026\n", false, ""),
            ("From a@b Foo Bar 32 10:00:00 2026\n", true, ""),
            ("From now on we meet at 10.30, in 2026\n", false, ""),
            ("From ten to 10:30 nobody is here\n", false, ""),
            ("From: a@b 10:00:00 2026\n", false, ""),
            ("from a@b Mon Nov 29 22:54:33 2026\n", false, "2026-11-29T22:54:33Z"),
            (">From a@b Mon Nov 29 22:54:33 2026\n", false, "2026-11-29T22:54:33Z"),
            ("", false, ""),
        ] {
            assert_eq!(begins(line.as_bytes()), begins_one, "{line}");
            let date = date(line.as_bytes()).map_or_else(String::new, |date| date.to_string());
            assert_eq!(date, said, "{line}");
        }
        assert!(!begins(format!("From {} 10:00:00 2026\n", "x".repeat(LONGEST)).as_bytes()));
        assert!(!begins(b"From \xff\xfe 10:00\n"));
    }

    #[test]
    fn one_mark_is_taken_off_quoted_lines() {
        for (line, quoted) in [
            (&b">From x\n"[..], true),
            (b">>>From x", true),
            (b"From x", false),
            (b"> From x", false),
            (b">From:", false),
            (b">", false),
            (b"", false),
        ] {
            assert_eq!(is_quoted(line), quoted, "{line:?}");
        }
    }
}

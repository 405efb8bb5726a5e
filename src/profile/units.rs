//! Sizes and durations as people write them: `10`, `1.5GB`, `500k`; `1d12h`, `30 days`.

use jiff::fmt::friendly::SpanParser;
use jiff::{SignedDuration, SpanRelativeTo, Unit};

use super::wrong::{Wrong, quote};

const SIZE_HINT: &str = "a size is a number of bytes, or one with a unit: 500k, 1MiB, 1.5GB";
const DURATION_HINT: &str = "a duration has units: 90m, 6h, 1d12h, 30 days, 2w";

/// The longest duration: a hundred years, so that no subtraction from today leaves the calendar.
const LONGEST: SignedDuration = SignedDuration::from_hours(100 * 365 * 24);

/// Bytes of a written size. KiB and bare K are 1024, kB is 1000; case does not matter; parts of a byte are dropped.
pub fn size(text: &str) -> Result<u64, Wrong> {
    let wrong = || Wrong::new(format!("{} is no size", quote(text))).hint(SIZE_HINT);
    let trimmed = text.trim();
    let number_end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(number_end);
    let unit = unit_bytes(unit.trim_start()).ok_or_else(wrong)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    // Eighteen digits are finer than a byte of a terabyte, and fit the arithmetic.
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 18 {
        return Err(wrong());
    }
    let too_large = || Wrong::new(format!("the size {} is larger than any file can be", quote(text)));
    let whole = whole.parse::<u64>().map_err(|_| too_large())?;
    let scale = 10_u128.pow(part.len() as u32);
    let part = part.parse::<u128>().map_err(|_| too_large())?;
    let bytes = u128::from(whole) * u128::from(unit) + part * u128::from(unit) / scale;
    u64::try_from(bytes).map_err(|_| too_large())
}

fn unit_bytes(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    let power = |letter: &str| "kmgt".find(letter).map(|at| at as u32 + 1);
    Some(match unit.as_str() {
        "" | "b" => 1,
        _ if unit.len() == 1 => 1024_u64.pow(power(&unit)?),
        _ => match unit.split_at_checked(1)? {
            (letter, "ib") => 1024_u64.pow(power(letter)?),
            (letter, "b") => 1000_u64.pow(power(letter)?),
            _ => return None,
        },
    })
}

/// A size for people, exact: `1 MiB`, `500 MB`, `1500 B`.
pub fn show_size(bytes: u64) -> String {
    let units = ["TiB", "GiB", "MiB", "KiB", "TB", "GB", "MB", "kB"];
    let kilo = 1_000_u64;
    let sizes = [1 << 40, 1 << 30, 1 << 20, 1 << 10, kilo.pow(4), kilo.pow(3), kilo.pow(2), kilo];
    // The fewest digits: 512 MB are 500,000 KiB, too.
    let exact = units.iter().zip(sizes).filter(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    match exact.min_by_key(|(_, size)| bytes / size) {
        Some((unit, size)) => format!("{} {unit}", bytes / size),
        None => format!("{bytes} B"),
    }
}

/// A written duration: a day has 24 hours, a week 7 days; more than nothing, at most a hundred years.
pub fn duration(text: &str) -> Result<SignedDuration, Wrong> {
    let wrong = || Wrong::new(format!("{} is no duration", quote(text)));
    if text.len() > 100 {
        return Err(wrong().hint(DURATION_HINT));
    }
    let span = SpanParser::new().parse_span(text.trim()).map_err(|_| wrong().hint(DURATION_HINT))?;
    if span.get_years() != 0 || span.get_months() != 0 {
        let unit = if span.get_years() != 0 { Unit::Year } else { Unit::Month };
        let word = if unit == Unit::Year { "years" } else { "months" };
        return Err(wrong().hint(format!("{word} differ in length; write days, such as 30d or 365d")));
    }
    let length =
        span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong().hint(DURATION_HINT))?;
    if !length.is_positive() {
        return Err(Wrong::new(format!("the duration {} is not more than nothing", quote(text)))
            .hint("leave the key out, or write false where that is allowed"));
    }
    if length > LONGEST {
        return Err(Wrong::new(format!("the duration {} is longer than a hundred years", quote(text))));
    }
    Ok(length)
}

/// A duration as it could be written in a file: `30d`, `1d12h`, `90s`.
pub fn show_duration(length: SignedDuration) -> String {
    let mut rest = length.as_secs();
    let mut text = String::new();
    for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if rest >= seconds {
            text.push_str(&format!("{}{unit}", rest / seconds));
            rest %= seconds;
        }
    }
    let nanos = length.subsec_nanos();
    if nanos != 0 {
        text.push_str(&format!("{nanos}ns"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("10", 10),
            (" 10 B ", 10),
            ("1MiB", 1 << 20),
            ("1 mib", 1 << 20),
            ("1.5GB", 1_500_000_000),
            ("500k", 512_000),
            ("500kB", 500_000),
            ("500KB", 500_000),
            ("2T", 2 << 40),
            ("0.3", 0),
            ("16777215T", 16_777_215 << 40),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in
            ["", "k", "-1", "1e3", "1.", ".5", "1.2.3", "1X", "1kiB s", "1 é", "ké", "16777216T", "+1"]
        {
            assert!(size(text).is_err(), "{text}");
        }
        assert!(size(&"9".repeat(1000)).unwrap_err().message.contains("larger than any file"));
        for (bytes, shown) in
            [(0, "0 B"), (1500, "1500 B"), (1 << 20, "1 MiB"), (3 << 30, "3 GiB"), (512_000_000, "512 MB")]
        {
            assert_eq!(show_size(bytes), shown);
            assert_eq!(size(shown), Ok(bytes));
        }
    }

    #[test]
    fn durations() {
        for (text, seconds, shown) in [
            ("1d", 86_400, "1d"),
            ("6h", 21_600, "6h"),
            ("90m", 5_400, "1h30m"),
            ("2w", 1_209_600, "14d"),
            ("1d12h", 129_600, "1d12h"),
            ("30 days", 2_592_000, "30d"),
            ("10s", 10, "10s"),
        ] {
            assert_eq!(duration(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
            assert_eq!(show_duration(SignedDuration::from_secs(seconds)), shown);
        }
        for text in ["", "5", "1x", "0d", "1d ago", "-1d", "100000w", &"1".repeat(10_000)] {
            assert!(duration(text).is_err(), "{text}");
        }
        for (text, part) in [("3 months", "30d"), ("1y", "365d"), ("1mo", "30d")] {
            assert!(duration(text).unwrap_err().hint.unwrap().contains(part), "{text}");
        }
    }
}

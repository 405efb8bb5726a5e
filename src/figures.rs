//! Figures for people: counts, bytes and durations, the same in a terminal and in a report.

use jiff::SignedDuration;

/// With thousands separators: `12,481`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun: `1 file`, `1,204 files`.
pub fn of(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// Bytes, readable: `1.4 GiB`; below 1,024 they are exact.
pub fn size(bytes: u64) -> String {
    in_units(bytes, 1024, ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

/// Bytes as providers count them: `1.5 GB`; below 1,000 they are exact.
pub fn size_decimal(bytes: u64) -> String {
    in_units(bytes, 1000, ["kB", "MB", "GB", "TB", "PB", "EB"])
}

fn in_units(bytes: u64, step: u64, units: [&str; 6]) -> String {
    if bytes < step {
        return of(bytes, "byte", "bytes");
    }
    let mut unit = u128::from(step);
    for (at, name) in units.iter().enumerate() {
        let tenths = (u128::from(bytes) * 10 + unit / 2) / unit;
        if tenths < u128::from(step) * 10 || at + 1 == units.len() {
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
        unit *= u128::from(step);
    }
    unreachable!("the last unit returns")
}

/// Bytes, readable and exact: `1.4 GiB (1,503,238,553 bytes)`.
pub fn size_exact(bytes: u64) -> String {
    match exact(bytes) {
        Some(exact) => format!("{} {exact}", size(bytes)),
        None => size(bytes),
    }
}

/// What [`size`] rounds, in brackets.
pub fn exact(bytes: u64) -> Option<String> {
    (bytes >= 1024).then(|| format!("({} bytes)", count(bytes)))
}

/// A duration in its two largest units: `420 ms`, `4.2 s`, `6 min 12 s`, `2 h 3 min`, `1 d 4 h`. A clock that was
/// set back gives `0 ms`.
pub fn duration(span: SignedDuration) -> String {
    duration_ms(millis(span))
}

/// A duration given in milliseconds, as [`duration`] writes it.
pub fn duration_ms(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms} ms"),
        1..10 => format!("{s}.{} s", ms % 1000 / 100),
        10..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", count(s / 86_400), s % 86_400 / 3600),
    }
}

/// How long before: `12 min earlier`, `26 h earlier`, `4 days earlier`.
pub fn earlier(span: SignedDuration) -> String {
    format!("{} earlier", roughly(span))
}

/// How long ago: `12 min ago`, `26 h ago`, `4 days ago`.
pub fn ago(span: SignedDuration) -> String {
    format!("{} ago", roughly(span))
}

/// A long time in one unit: `12 min`, `26 h`, `4 days`.
pub fn roughly(span: SignedDuration) -> String {
    let minutes = millis(span) / 60_000;
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", (minutes + 30) / 60),
        _ => format!("{} days", count((minutes + 720) / 1440)),
    }
}

/// Whole milliseconds, none below zero.
pub fn millis(span: SignedDuration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(0)
}

/// Bytes per second; None where nothing was copied or no time went by.
pub fn speed(bytes: u64, ms: u64) -> Option<u64> {
    if bytes == 0 || ms == 0 {
        return None;
    }
    u64::try_from(u128::from(bytes) * 1000 / u128::from(ms)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_to_the_unit_that_people_would_say() {
        for (bytes, shown) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1,023 bytes"),
            (1024, "1.0 KiB (1,024 bytes)"),
            (1_048_524, "1023.9 KiB (1,048,524 bytes)"),
            (1_048_575, "1.0 MiB (1,048,575 bytes)"),
            (1_503_238_553, "1.4 GiB (1,503,238,553 bytes)"),
            (u64::MAX, "16.0 EiB (18,446,744,073,709,551,615 bytes)"),
        ] {
            assert_eq!(size_exact(bytes), shown);
        }
        for (bytes, shown) in [
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (18_454_321, "18.5 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size_decimal(bytes), shown);
        }
    }

    #[test]
    fn durations_have_two_units() {
        for (ms, shown) in [
            (-5, "0 ms"),
            (420, "420 ms"),
            (4_290, "4.2 s"),
            (59_999, "59 s"),
            (372_000, "6 min 12 s"),
            (7_380_000, "2 h 3 min"),
            (100_800_000, "1 d 4 h"),
        ] {
            assert_eq!(duration(SignedDuration::from_millis(ms)), shown);
        }
        for (minutes, shown) in
            [(119, "119 min earlier"), (26 * 60 - 1, "26 h earlier"), (95 * 60, "4 days earlier")]
        {
            assert_eq!(earlier(SignedDuration::from_mins(minutes)), shown);
        }
    }

    #[test]
    fn speed_needs_bytes_and_time() {
        assert_eq!(speed(0, 10), None);
        assert_eq!(speed(10, 0), None);
        assert_eq!(speed(u64::MAX, 1), None);
        assert_eq!(speed(3_000, 1_500), Some(2_000));
    }
}

//! Times for people who look at the near future.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// As short as it can be understood: `today 12:30`, `Mon 07:00`, `23 Nov 07:00`, `23 Nov 2027`.
pub(super) fn short(time: Timestamp, now: Timestamp) -> String {
    let zone = TimeZone::system();
    short_in(&time.to_zoned(zone.clone()), &now.to_zoned(zone))
}

fn short_in(time: &Zoned, now: &Zoned) -> String {
    let days = now.date().until(time.date()).map_or(i32::MAX, |span| span.get_days());
    let format = match days {
        0 => "today %H:%M",
        // The same weekday in a week would be taken for today.
        -6..=6 => "%a %H:%M",
        _ if time.year() == now.year() || days.abs() < 180 => "%d %b %H:%M",
        _ => "%d %b %Y",
    };
    time.strftime(format).to_string()
}

/// In full, always as wide: `Mon 23 Nov 2026 07:00`.
pub(super) fn full(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%a %d %b %Y %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_time_is_short() {
        let at = |text: &str| format!("{text}[Europe/Berlin]").parse::<Zoned>().unwrap();
        let now = at("2026-11-24T12:00:00");
        for (time, shown) in [
            ("2026-11-24T00:10:00", "today 00:10"),
            ("2026-11-25T07:00:00", "Wed 07:00"),
            ("2026-11-30T07:00:00", "Mon 07:00"),
            ("2026-12-01T07:00:00", "01 Dec 07:00"),
            ("2027-02-01T07:00:00", "01 Feb 07:00"),
            ("2028-02-01T07:00:00", "01 Feb 2028"),
            ("2026-11-23T23:00:00", "Mon 23:00"),
        ] {
            assert_eq!(short_in(&at(time), &now), shown);
        }
    }
}

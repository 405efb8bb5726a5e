//! Lines, zones, and the answers of other programs.

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// The next times after a moment, as wall clock with offset.
fn times(line: &str, name: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(&[line.to_owned()]).unwrap();
    let zone = zone(name);
    let mut now: Timestamp = after.parse().unwrap();
    let mut found = Vec::new();
    while found.len() < count {
        now = schedule.next_after(now, &zone).unwrap();
        found.push(now.to_zoned(zone.clone()).strftime("%m-%d %H:%M%z").to_string());
    }
    found
}

#[test]
fn lines_mean_what_crontab_says() {
    // From Thursday, 1 January 2026.
    for (line, expected) in [
        ("*/20 * * * *", "01-01 00:20 01-01 00:40 01-01 01:00"),
        ("30 3 * * *", "01-01 03:30 01-02 03:30 01-03 03:30"),
        ("0 9 * * 1", "01-05 09:00 01-12 09:00 01-19 09:00"),
        ("0 9 * * 0", "01-04 09:00 01-11 09:00 01-18 09:00"),
        ("0 9 * * 7", "01-04 09:00 01-11 09:00 01-18 09:00"),
        ("0 9 * * 5-7", "01-02 09:00 01-03 09:00 01-04 09:00"),
        ("0 9 * * fri-mon", "01-02 09:00 01-03 09:00 01-04 09:00"),
        ("0 9 * * sat-sun", "01-03 09:00 01-04 09:00 01-10 09:00"),
        ("0 22-1 * * *", "01-01 01:00 01-01 22:00 01-01 23:00"),
        // Both days given: one of them will do.
        ("0 9 13 * 5", "01-02 09:00 01-09 09:00 01-13 09:00"),
        ("0 0 L * *", "01-31 00:00 02-28 00:00 03-31 00:00"),
        ("5/20 8 * * *", "01-01 08:05 01-01 08:25 01-01 08:45"),
        ("0 0 1 jan-mar *", "02-01 00:00 03-01 00:00 01-01 00:00"),
        ("@weekly", "01-04 00:00 01-11 00:00 01-18 00:00"),
        ("@Midnight", "01-02 00:00 01-03 00:00 01-04 00:00"),
    ] {
        let found = times(line, "UTC", "2026-01-01T00:00:00Z", 3).join(" ").replace("+0000", "");
        assert_eq!(found, expected, "{line}");
    }
    assert_eq!(times("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 1), ["02-29 00:00+0000"]);
}

#[test]
fn of_several_lines_whichever_comes_first() {
    let lines = ["0 9 * * *".to_owned(), "0 7 * * sat".to_owned()];
    let schedule = Schedule::parse(&lines).unwrap();
    let friday: Timestamp = "2026-01-02T12:00:00Z".parse().unwrap();
    let next = schedule.next_after(friday, &TimeZone::UTC).unwrap();
    assert_eq!(next.to_string(), "2026-01-03T07:00:00Z");
    assert_eq!(schedule.next_after(next, &TimeZone::UTC).unwrap().to_string(), "2026-01-03T09:00:00Z");
    assert_eq!(Schedule(Vec::new()).next_after(friday, &TimeZone::UTC), None);
}

#[test]
fn what_is_no_schedule_is_refused_with_a_hint() {
    for (line, said) in [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("0 * * * * *", "no seconds"),
        ("60 * * * *", "the minute is 0 to 59, not 60"),
        ("* 24 * * *", "the hour is 0 to 23, not 24"),
        ("* * 0 * *", "the day of the month is 1 to 31, not 0"),
        ("* * * 13 *", "the month is 1 to 12"),
        ("* * * * 8", "the day of the week is 0 to 7"),
        ("*/90 * * * *", "a step of the minute is 1 to 59, not 90"),
        ("*/0 * * * *", "a step of the minute"),
        ("1,,2 * * * *", "\"\" is no minute"),
        ("* * * * MONDAY", "\"MONDAY\" is no day of the week"),
        ("+5 * * * *", "\"+5\" is no minute"),
        ("0 0 31 2 *", "no such day in any year"),
        ("@dayly", "did you mean \"@daily\"?"),
        ("@reboot", "on-start"),
        ("@every 5m", "every = "),
        ("CRON_TZ=UTC 0 7 * * *", "time-zone"),
        ("99999999999 * * * *", "is no minute"),
    ] {
        let wrong = Cron::parse(line).unwrap_err();
        let told = format!("{} {}", wrong.message, wrong.hint.unwrap_or_default());
        assert!(told.contains(said), "{line}: {told}");
    }
}

#[test]
fn fixed_times_run_once_on_the_days_of_change() {
    for (line, name, after, expected) in [
        // Spring: 2:00 becomes 3:00; a time in the gap runs right after it.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "03-29 03:00+0200 03-30 02:30+0200"),
        ("0 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "03-29 03:00+0200 03-30 02:00+0200"),
        // Two times in the gap are one.
        ("15,45 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "03-29 03:00+0200 03-30 02:15+0200"),
        ("0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", "09-06 01:00-0300 09-07 00:00-0300"),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "10-04 02:30+1100 10-05 02:15+1100"),
        // Autumn: 3:00 becomes 2:00; the first time counts.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "10-25 02:30+0200 10-26 02:30+0100"),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", "04-05 01:45+1100 04-06 01:45+1030"),
        ("30 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "10-25 03:30+0100 10-26 03:30+0100"),
    ] {
        assert_eq!(times(line, name, after, 2).join(" "), expected, "{line} {name}");
    }
    // Asked between the first and the second 2:30, the day is served.
    assert_eq!(times("30 2 * * *", "Europe/Berlin", "2026-10-25T01:00:00Z", 1), ["10-26 02:30+0100"]);
}

#[test]
fn rhythms_go_on_in_real_time() {
    for (line, name, after, expected) in [
        ("0 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", "03-29 03:00+0200 03-29 04:00+0200"),
        ("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", "03-29 03:00+0200 03-29 03:30+0200"),
        ("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", "10-25 02:00+0200 10-25 02:00+0100"),
        ("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:15:00Z", "10-25 02:30+0200 10-25 02:00+0100"),
        ("*/30 * * * *", "Australia/Lord_Howe", "2026-04-04T14:45:00Z", "04-05 01:30+1030 04-05 02:00+1030"),
    ] {
        assert_eq!(times(line, name, after, 2).join(" "), expected, "{line} {name}");
    }
}

/// The tables of other programs' answers, which are not part of the project.
fn table(name: &str) -> Option<Vec<Vec<String>>> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/cron").join(name);
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("left out: {name} is not beside this checkout");
        return None;
    };
    Some(text.lines().skip(1).map(cells).collect())
}

/// A row of CSV; quotes protect commas.
fn cells(row: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in row.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}

#[test]
fn the_next_times_are_those_that_other_programs_agree_on() {
    let Some(rows) = table("next_times_checked.csv") else { return };
    let (mut checked, mut other) = (0, Vec::new());
    for row in rows {
        let [_, _, line, fields, name, _, inclusive, _, from, next, .., agree] = row.as_slice() else {
            panic!("{row:?}")
        };
        if agree != "1" || fields != "5" || line.contains(['L', 'W', '#', '?']) {
            continue;
        }
        let instant = |text: &str| Timestamp::from_second(text.parse::<f64>().unwrap() as i64).unwrap();
        let from = instant(from) - jiff::SignedDuration::from_secs(i64::from(inclusive == "1"));
        let found = Schedule::parse(std::slice::from_ref(line)).unwrap().next_after(from, &zone(name));
        checked += 1;
        if found != Some(instant(next)) {
            other.push(format!("{line} {name} {from}: {found:?} and not {}", instant(next)));
        }
    }
    assert!(checked > 400, "{checked}");
    // Three rows want a fixed time in its second pass of an autumn day in London; crontab(5) wants the first.
    assert!(other.len() <= 3 && other.iter().all(|row| row.contains("London")), "{}", other.join("\n"));
}

#[test]
fn what_other_programs_refuse_is_refused() {
    let Some(rows) = table("invalid_expressions.csv") else { return };
    let mut checked = 0;
    for row in rows {
        let (line, fields, bad) = (&row[1], &row[2], &row[3]);
        let without_seconds = line.split_ascii_whitespace().skip(1).collect::<Vec<_>>().join(" ");
        let line = match fields.as_str() {
            "6" if bad != "Seconds" => &without_seconds,
            _ => line,
        };
        assert!(Cron::parse(line).is_err(), "{line}");
        checked += 1;
    }
    assert!(checked > 300);
}

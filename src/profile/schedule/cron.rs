//! A cron line: five fields as in crontab(5), translated to the `cron` crate's dialect.
//!
//! That crate wants seconds, counts weekdays from 1 for Sunday, joins day of month and day of week with AND, and knows
//! neither `FRI-MON` nor `L`. So each field is read here, and handed on as a list of numbers.

use std::str::FromStr;

use chrono::{DateTime, Datelike, Timelike, Utc};
use cron::Schedule;
use jiff::civil;

use crate::profile::wrong::{Wrong, nearest, quote};

/// The longest line.
const LONGEST: usize = 1_000;

/// A line of a crontab.
#[derive(Debug, Clone)]
pub struct Cron {
    text: String,
    /// Of several the earlier one counts.
    parts: Vec<Part>,
    fixed: bool,
}

#[derive(Debug, Clone)]
struct Part {
    schedule: Schedule,
    /// Only the last day of a month.
    last_day: bool,
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cron {}

/// What a field may hold.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    names: &'static [&'static str],
}

const MINUTE: Field = Field { name: "minute", first: 0, last: 59, names: &[] };
const HOUR: Field = Field { name: "hour", first: 0, last: 23, names: &[] };
const DAY: Field = Field { name: "day of the month", first: 1, last: 31, names: &[] };
const MONTH: Field = Field {
    name: "month",
    first: 1,
    last: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
const WEEKDAY: Field = Field {
    name: "day of the week",
    first: 0,
    last: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Cron {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong = |why: String| Wrong::new(format!("{} is no schedule: {why}", quote(text)));
        if text.len() > LONGEST {
            return Err(Wrong::new("the schedule is too long"));
        }
        let line = match text.trim().strip_prefix('@') {
            Some(_) => nickname(text.trim())?,
            None => text,
        };
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            let wrong = wrong(format!("it has {} fields and not five", fields.len()));
            return Err(match fields.len() {
                _ if line.contains('=') => wrong.hint("a zone has a key of its own: time-zone = \"Europe/Berlin\""),
                6 | 7 => wrong.hint(
                    "minute hour day month weekday, as in crontab: there are no seconds, years, users or commands",
                ),
                _ => wrong
                    .hint("minute hour day month weekday, as in crontab: \"30 3 * * *\" is 3:30 every day"),
            });
        };
        let list = |text: &str, field: &Field| field.read(text).map_err(|why| wrong(why.clone()));
        let last_day = day.eq_ignore_ascii_case("L");
        let days = if last_day { vec![28, 29, 30, 31] } else { list(day, &DAY)? };
        let weekdays: Vec<u32> = list(weekday, &WEEKDAY)?.iter().map(|day| day % 7 + 1).collect();
        let head = format!("0 {} {}", join(&list(minute, &MINUTE)?), join(&list(hour, &HOUR)?));
        let months = join(&list(month, &MONTH)?);
        let part = |days: Option<&[u32]>, weekdays: Option<&[u32]>| {
            let days = days.map_or_else(|| "*".into(), join);
            let weekdays = weekdays.map_or_else(|| "*".into(), join);
            Schedule::from_str(&format!("{head} {days} {months} {weekdays}"))
                .map_err(|_| wrong("it cannot be understood".into()))
        };
        // crontab(5): where both are given, a day that one of them names will do.
        let parts = match (*day == "*", *weekday == "*") {
            (false, false) => {
                let by_day = Part { schedule: part(Some(&days), None)?, last_day };
                vec![by_day, Part { schedule: part(None, Some(&weekdays))?, last_day: false }]
            }
            (by_weekday, _) => {
                let days = (!by_weekday).then_some(days.as_slice());
                vec![Part { schedule: part(days, (*weekday != "*").then_some(&weekdays))?, last_day }]
            }
        };
        let fixed = !minute.starts_with('*') && !hour.starts_with('*');
        let cron = Self { text: text.trim().to_owned(), parts, fixed };
        match cron.next_wall(civil::date(2024, 1, 1).at(0, 0, 0, 0)) {
            Some(_) => Ok(cron),
            None => Err(wrong("there is no such day in any year".into())),
        }
    }

    /// The line as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it names times of the day, and no rhythm.
    pub(super) fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// The first wall time after `after` that the line names, as if there were no zones.
    pub(super) fn next_wall(&self, after: civil::DateTime) -> Option<civil::DateTime> {
        let after = to_chrono(after)?;
        let next = |part: &Part| {
            let mut times = part.schedule.after(&after);
            times.find(|time| !part.last_day || (*time + chrono::Duration::days(1)).day() == 1)
        };
        from_chrono(self.parts.iter().filter_map(next).min()?)
    }
}

fn nickname(text: &str) -> Result<&'static str, Wrong> {
    let lower = text.to_ascii_lowercase();
    if let Some((_, line)) = NICKNAMES.iter().find(|(name, _)| *name == lower) {
        return Ok(line);
    }
    let wrong = Wrong::new(format!("{} is no schedule", quote(text)));
    if lower == "@reboot" {
        return Err(wrong.hint("on-start = true runs a profile when the agent starts"));
    }
    if lower.starts_with("@every") {
        return Err(wrong.hint("that has a key of its own: every = \"15m\""));
    }
    Err(match nearest(&lower, NICKNAMES.iter().map(|(name, _)| *name)) {
        Some(name) => wrong.hint(format!("did you mean {}?", quote(name))),
        None => wrong.hint("@hourly, @daily, @weekly, @monthly or @yearly"),
    })
}

impl Field {
    /// The values that a field names, sorted: `*`, `5`, `1-5`, `*/15`, `MON-FRI`, and lists of these. A range that ends
    /// before it begins goes over the end.
    fn read(&self, text: &str) -> Result<Vec<u32>, String> {
        let mut values = Vec::new();
        for item in text.split(',') {
            let (range, step) = match item.split_once('/') {
                Some((range, step)) => (range, Some(self.step(step)?)),
                None => (item, None),
            };
            // Sunday is 0 and 7; only one of them is a day of `*`.
            let top = if self.last == 7 { 6 } else { self.last };
            let (from, to) = match range.split_once('-') {
                _ if range == "*" => (self.first, top),
                Some((from, to)) => (self.value(from)?, self.value(to)?),
                None => {
                    let from = self.value(range)?;
                    (from, if step.is_some() { top } else { from })
                }
            };
            let size = top - self.first + 1;
            let length = if from <= to { to - from } else { to + size - from };
            let steps = (0..=length).step_by(step.unwrap_or(1));
            values.extend(steps.map(|n| if from + n > self.last { from + n - size } else { from + n }));
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    fn step(&self, text: &str) -> Result<usize, String> {
        let number = number(text).ok_or_else(|| format!("\"/{}\" is no step", shown(text)))?;
        let most = self.last - self.first;
        if number == 0 || number > most {
            return Err(format!("a step of the {} is 1 to {most}, not {number}", self.name));
        }
        Ok(number as usize)
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|at| u32::try_from(at).ok()).map(|at| at + self.first);
        match named.or_else(|| number(text)) {
            Some(value) if (self.first..=self.last).contains(&value) => Ok(value),
            Some(value) => Err(format!("the {} is {} to {}, not {value}", self.name, self.first, self.last)),
            None => Err(format!("\"{}\" is no {}", shown(text), self.name)),
        }
    }
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

fn shown(text: &str) -> String {
    crate::entry::show(text.chars().take(40).collect::<String>().as_bytes())
}

fn join(values: &[u32]) -> String {
    values.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

fn to_chrono(time: civil::DateTime) -> Option<DateTime<Utc>> {
    let seconds = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    DateTime::from_timestamp(seconds, 0)
}

fn from_chrono(time: DateTime<Utc>) -> Option<civil::DateTime> {
    let small = |number: u32| i8::try_from(number).ok();
    civil::DateTime::new(
        i16::try_from(time.year()).ok()?,
        small(time.month())?,
        small(time.day())?,
        small(time.hour())?,
        small(time.minute())?,
        small(time.second())?,
        0,
    )
    .ok()
}

//! Which messages a verb is about: the options, and what they mean.

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::usage;
use crate::archive::wanted::{Prefix, Wanted};
use crate::error::Result;
use crate::profile::quote;

/// The heading above the options.
const HEADING: &str = "Which messages";

/// The options. All that are given must be true of a message.
#[derive(Debug, Args)]
pub(in crate::cli) struct Pick {
    /// Of this account
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    account: Option<String>,
    /// In this folder and those below; or a pattern: 'Work/*'. Several: in any of them
    #[arg(long, short, value_name = "FOLDER", help_heading = HEADING)]
    folder: Vec<String>,
    /// Came on this day or later: 2026-11-24
    #[arg(long, value_name = "DATE", help_heading = HEADING)]
    since: Option<String>,
    /// Came before this day
    #[arg(long, value_name = "DATE", help_heading = HEADING)]
    before: Option<String>,
    /// The sender has this in it, in name or address
    #[arg(long, value_name = "TEXT", help_heading = HEADING)]
    from: Option<String>,
    /// The subject has this in it
    #[arg(long, value_name = "TEXT", help_heading = HEADING)]
    subject: Option<String>,
    /// Has this label (Gmail)
    #[arg(long, value_name = "LABEL", help_heading = HEADING)]
    label: Option<String>,
    /// Has this flag: seen, flagged, answered
    #[arg(long, value_name = "FLAG", help_heading = HEADING)]
    flag: Option<String>,
}

impl Pick {
    /// What is wanted; `ids` are the beginnings of messages' ids.
    ///
    /// # Errors
    /// A date or an id is none (usage errors).
    pub fn wanted(&self, ids: &[String], zone: &TimeZone) -> Result<Wanted> {
        let date = |text: &Option<String>| text.as_deref().map(|text| day(text, zone)).transpose();
        Ok(Wanted {
            account: self.account.clone(),
            folders: self.folder.clone(),
            since: date(&self.since)?,
            before: date(&self.before)?,
            from: self.from.clone(),
            subject: self.subject.clone(),
            label: self.label.clone(),
            flag: self.flag.clone(),
            ids: ids.iter().map(|id| Prefix::parse(id)).collect::<Result<_>>()?,
            ..Wanted::default()
        })
    }
}

/// The beginning of a day, of a month or of a year.
fn day(text: &str, zone: &TimeZone) -> Result<Timestamp> {
    let full = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    let date = full.parse::<Date>().ok().and_then(|date| date.to_zoned(zone.clone()).ok());
    let no = || {
        usage(format!("{} is no date", quote(text)))
            .hint("write a day as 2026-11-24, a month as 2026-11, a year as 2026")
    };
    date.map(|date| date.timestamp()).ok_or_else(no)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_months_and_years_begin() {
        for (text, begins) in [
            ("2026-11-24", Some("2026-11-24T00:00:00Z")),
            ("2026-11", Some("2026-11-01T00:00:00Z")),
            ("2026", Some("2026-01-01T00:00:00Z")),
            ("2026-13", None),
            ("yesterday", None),
            ("", None),
        ] {
            let begins = begins.map(|text| text.parse::<Timestamp>().unwrap());
            assert_eq!(day(text, &TimeZone::UTC).ok(), begins, "{text}");
        }
    }
}

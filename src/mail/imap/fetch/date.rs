//! Dates as IMAP writes them (RFC 9051, `date-time`): `" 7-Feb-1994 21:52:25 -0800"`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const FORMAT: &str = "%d-%b-%Y %H:%M:%S %z";

/// A moment, or None where it is none.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    Timestamp::strptime(FORMAT, text.trim_start()).ok()
}

/// A moment for a command, in quotes and UTC.
pub(in crate::mail::imap) fn write(time: Timestamp) -> String {
    format!("\"{}\"", time.to_zoned(TimeZone::UTC).strftime(FORMAT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        for (text, time) in [
            (" 7-Feb-1994 21:52:25 -0800", Some("1994-02-08T05:52:25Z")),
            ("07-Feb-1994 21:52:25 +0000", Some("1994-02-07T21:52:25Z")),
            ("17-Jul-1996 02:44:25 +0530", Some("1996-07-16T21:14:25Z")),
            ("31-Feb-1994 21:52:25 -0800", None),
            ("", None),
        ] {
            let time = time.map(|time| time.parse::<Timestamp>().unwrap());
            assert_eq!(read(text), time, "{text}");
            if let Some(time) = time {
                assert_eq!(read(write(time).trim_matches('"')), Some(time), "{text}");
            }
        }
        assert_eq!(write(Timestamp::UNIX_EPOCH), "\"01-Jan-1970 00:00:00 +0000\"");
    }
}

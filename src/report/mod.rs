//! A run told to a person: subject, plain text, HTML, JSON and the whole letter. Beside it a [`Digest`] of all profiles,
//! and a [`Notice`] of runs that did not happen.
//!
//! A report is a pure function of [`Facts`], which the caller gathers: it reads no clock, no file and no database,
//! so the same facts always give the same bytes. A letter that is rendered again is recognisably the same letter.
//!
//! ```text
//! Facts -> View (every string fit to be shown) -> text, html --+
//!       -> json -----------------------------------------------+-> mail
//!       -> ends of the log --------------------------------------+
//! ```
//!
//! What comes from outside (names of files, causes, the host) is taken as hostile: it cannot add a header, a tag, a
//! line, or more than a page.

mod adapt;
mod address;
mod bars;
mod clean;
mod digest;
mod failures;
mod html;
mod json;
mod letter;
mod level;
mod lines;
mod log;
mod mail;
mod notice;
mod numbers;
mod subject;
mod test_letter;
mod text;
mod vaults;
mod verdict;
mod view;

#[cfg(test)]
mod cases;
#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::error::Result;
use crate::profile::{AttachLog, Level, Mode};
use crate::run::{Counts, Run, RunId, Status};

pub use adapt::{late, slim, with_note};
pub use address::bare;
pub(crate) use clean::visible;
pub use digest::{Digest, Skipped, Standing};
pub use letter::Origin;
pub use level::{is_mailed, level};
pub use log::LogText;
pub use notice::{Late, Notice, What};
pub use test_letter::TestLetter;

/// The most that the text and the HTML may take together, in bytes: mail services cut longer letters.
const MOST_BODY: usize = 100 << 10;

/// Everything that a report says, gathered by the caller.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The run. It has ended.
    pub run: &'a Run,
    /// Where the files came from, escaped by [`crate::entry::show`].
    pub source: &'a str,
    /// Where they went to, escaped likewise.
    pub target: &'a str,
    /// How the target is treated; None where nobody knows, because the profile is gone.
    pub mode: Option<Mode>,
    /// The profile's earlier runs, oldest first, up to 30 of them, without this one.
    pub history: &'a [PastRun],
    /// When the last success before this run ended.
    pub last_success: Option<Timestamp>,
    /// When the present series of runs without success began, and how many they are, this one included; None if
    /// this run is a success.
    pub failing_since: Option<(Timestamp, u32)>,
    /// How many runs failed directly before this one, if this is the first success after them; 0 if it is the first
    /// after a silence that was told.
    pub recovered_after: Option<u32>,
    /// How many days the present series of such runs lasts, if it was told before; None: this is the first telling.
    pub still: Option<u32>,
    /// When the profile is due next; None where no time is known.
    pub next: Option<Timestamp>,
    /// Who writes it, and for whom.
    pub origin: Origin<'a>,
    /// The run's log, if there is one.
    pub log: Option<&'a dyn LogText>,
}

/// An earlier run of the profile, as far as a report looks at it.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    /// Its identity.
    pub id: RunId,
    /// When it started.
    pub started: Timestamp,
    /// How long it took.
    pub duration: SignedDuration,
    /// How it ended.
    pub status: Status,
    /// What it did.
    pub counts: Counts,
}

/// A report, ready to be shown and sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The subject, as a person reads it.
    pub subject: String,
    /// The body in plain text, with `\n` at line ends.
    pub text: String,
    /// The body in HTML.
    pub html: String,
    /// The same for programs; its keys are kebab-case, `schema` is 1.
    pub json: serde_json::Value,
    /// The letter: a complete message with CRLF at line ends, all of it ASCII, unless an address is not (RFC 6532).
    pub mail: Vec<u8>,
    /// The letter's id with its angle brackets; the same whenever the run is rendered.
    pub message_id: String,
    /// The sender's address, for the envelope.
    pub sender: String,
    /// The readers' addresses, for the envelope; empty if the rules name nobody.
    pub readers: Vec<String>,
}

/// Renders a report.
///
/// # Errors
///
/// An address of the profile that no letter can be sent to or from, or a time that no calendar has.
pub fn render(facts: &Facts<'_>) -> Result<Rendered> {
    let (run, status) = (facts.run, facts.run.outcome.status);
    let level = level(status, facts.recovered_after.is_some());
    let log = extract(facts, level);
    let subject = subject::subject(facts);
    let (text, html) = fit(failures::SHOWN, |named| {
        let view = view::View::new(facts, &log, &subject, named);
        Ok((text::text(&view), html::html("report.html", &view)?))
    })?;
    let letter = letter::Letter {
        origin: facts.origin,
        id: run.id,
        kind: "report",
        about: about(&run.profile, facts.origin.host),
        list: &run.profile,
        profile: Some(&run.profile),
        status: status.word(),
        run: Some(run.id),
        time: run.ended,
        log: log.attachment.as_deref(),
    };
    letter.seal(letter::Body { subject, text, html, json: json::json(facts, level) })
}

impl Facts<'_> {}

/// The `report.json` of a letter; None if there is none in it.
pub fn json_of(mail: &[u8]) -> Option<Vec<u8>> {
    let message = mail_parser::MessageParser::default().parse(mail)?;
    let mut parts = message.attachments();
    let part = parts.find(|part| mail_parser::MimeHeaders::attachment_name(*part) == Some("report.json"))?;
    Some(part.contents().to_vec())
}

/// Text and HTML that name as much as their length allows, at most `named` of whatever they name.
fn fit(mut named: usize, bodies: impl Fn(usize) -> Result<(String, String)>) -> Result<(String, String)> {
    loop {
        let (text, html) = bodies(named)?;
        if named == 0 || text.len() + html.len() <= MOST_BODY {
            return Ok((text, html));
        }
        named = named * 3 / 4;
    }
}

/// Reads the log, as far as this report needs it.
fn extract(facts: &Facts<'_>, level: Level) -> log::Extract {
    let attach = match facts.origin.rules.attach_log {
        AttachLog::Always => true,
        AttachLog::OnFailure => matches!(level, Level::Warning | Level::Failure),
        AttachLog::Never => false,
    };
    let interrupted = facts.run.outcome.status == Status::Interrupted;
    match facts.log {
        Some(log) if attach || interrupted => {
            log::extract(log, attach.then_some(facts.origin.rules.attach_log_max), &facts.run.id.to_string())
        }
        _ => log::Extract::default(),
    }
}

/// A time for people, in the reader's zone: `Mon 23 Nov 2026 02:14 CET`.
fn when(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%a %-d %b %Y %H:%M %Z").to_string()
}

/// What a profile's letters are about: `documents on nas1`.
fn about(profile: &str, host: &str) -> String {
    format!("{} on {}", clean::header(profile, 64), clean::header(host, 64))
}

//! A letter of whatever kind: who writes it and for whom, what it is known by, and what goes into it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{Rendered, address, clean, json, mail};
use crate::error::Result;
use crate::profile::ReportRules;
use crate::run::RunId;

/// Who writes a letter, and for whom.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// The machine's name.
    pub host: &'a str,
    /// The installation's random name: letters and digits, made at the first start.
    pub install_id: &'a str,
    /// The version of postkeep.
    pub version: &'a str,
    /// The zone that times are written in.
    pub zone: &'a TimeZone,
    /// The own address of the account that carries the letter: the sender where the rules name none.
    pub own_address: Option<&'a str>,
    /// Who gets it, and whether the log comes with it.
    pub rules: &'a ReportRules,
}

impl Origin<'_> {
    /// Where a letter comes from: `nas1, postkeep 0.1.0`.
    pub(super) fn line(&self) -> String {
        format!("{}, postkeep {}", clean::header(self.host, 64), clean::line(self.version, 40))
    }
}

/// What a letter is known by.
pub(super) struct Letter<'a> {
    /// Who writes it.
    pub origin: Origin<'a>,
    /// Its identity: the run's, if it is about one that ended, else one of its own.
    pub id: RunId,
    /// What sort of letter it is: `report`, `digest`, `overdue` ...
    pub kind: &'static str,
    /// What it is about: `documents on nas1`.
    pub about: String,
    /// The list and the thread that it belongs to: a profile's name, or that of a sort of letter.
    pub list: &'a str,
    /// The profile, if it is about one.
    pub profile: Option<&'a str>,
    /// How things are, in a word for filters.
    pub status: &'static str,
    /// The run, if it is about one.
    pub run: Option<RunId>,
    /// The time that it tells of.
    pub time: Timestamp,
    /// The run's log, compressed, and part of the letter.
    pub log: Option<&'a [u8]>,
}

/// What a letter says.
pub(super) struct Body {
    /// As a person reads it.
    pub subject: String,
    /// In plain text.
    pub text: String,
    /// In HTML.
    pub html: String,
    /// For programs.
    pub json: Value,
}

impl Letter<'_> {
    /// The letter with what it says, ready to be sent.
    pub fn seal(&self, body: Body) -> Result<Rendered> {
        let ids = mail::Ids::new(self);
        let mail = mail::mail(self, &ids, &body, &json::print(&body.json))?;
        let sender = address::sender(&self.origin)?.email.to_string();
        // `you@HOST` is no reader: it only fills the header.
        let readers = match self.origin.rules.to.is_empty() {
            true => Vec::new(),
            false => address::readers(&self.origin)?,
        };
        let readers = readers.into_iter().map(|reader| reader.email.to_string()).collect();
        let Body { subject, text, html, json } = body;
        Ok(Rendered { subject, text, html, json, mail, message_id: ids.message, sender, readers })
    }
}

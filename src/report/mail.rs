//! The letter: headers in a fixed order, and the parts
//! `multipart/mixed { multipart/alternative { text, html }, report.json, [PROFILE.log.gz] }`.
//!
//! The headers are written here and not by lettre's builder: that one reads the clock, and knows no zone but UTC.
//! Encoding and folding are lettre's.

use jiff::Zoned;
use jiff::tz::TimeZone;
use lettre::message::header::{
    ContentDisposition, ContentTransferEncoding, ContentType, From, Header, HeaderName, HeaderValue, Headers,
    MIME_VERSION_1_0, To,
};
use lettre::message::{Body, Mailboxes, MaybeString, MultiPart, SinglePart};

use super::{Facts, address, clean};
use crate::error::{Context, Error, Result};

/// The longest header line.
const LINE: usize = 78;

/// How many characters of a profile's and a machine's name go into an id. An id has no space to fold a line at: with
/// so many of both it fits on one.
const TAG: usize = 28;

/// What a letter is known by.
pub(super) struct Ids {
    /// Its own id.
    pub message: String,
    /// The root of the thread that the profile's letters of a month are in. It is no letter: it stands only in
    /// References.
    pub thread: String,
}

impl Ids {
    /// The ids of a run's letter.
    pub fn new(facts: &Facts<'_>) -> Self {
        let at = format!("{}.postkeep.invalid", clean::atom(facts.install_id));
        let profile = clean::tag(&facts.run.profile, TAG);
        let month = facts.run.ended.to_zoned(facts.zone.clone()).strftime("%Y-%m").to_string();
        Self {
            message: format!("<{}.report@{at}>", facts.run.id),
            thread: format!("<{profile}.{month}.thread@{at}>"),
        }
    }
}

/// What goes into a letter.
pub(super) struct Parts<'a> {
    /// As a person reads it.
    pub subject: &'a str,
    /// The plain body.
    pub text: &'a str,
    /// The HTML body.
    pub html: &'a str,
    /// `report.json`.
    pub json: &'a str,
    /// The log, compressed.
    pub log: Option<&'a [u8]>,
}

/// The whole letter, CRLF at line ends.
pub(super) fn mail(facts: &Facts<'_>, ids: &Ids, parts: &Parts<'_>) -> Result<Vec<u8>> {
    let mut mail = headers(facts, ids, parts.subject)?.into_bytes();
    mail.extend(body(facts, parts)?.formatted());
    Ok(mail)
}

fn headers(facts: &Facts<'_>, ids: &Ids, subject: &str) -> Result<String> {
    let run = facts.run;
    let profile = clean::header(&run.profile, 64);
    let host = clean::header(facts.host, 64);
    let sender = address::sender(facts)?;
    let list = format!(
        "{} <{}.{}.postkeep.invalid>",
        phrase(&format!("{profile} on {host}")),
        clean::tag(&run.profile, TAG),
        clean::tag(facts.host, TAG)
    );
    let headers = [
        encoded(From::from(Mailboxes::from(sender))),
        encoded(To::from(Mailboxes::from_iter(address::readers(facts)?))),
        ("Date".to_owned(), ended(facts)?),
        words("Subject", subject),
        words("Message-ID", &ids.message),
        words("References", &ids.thread),
        words("Auto-Submitted", "auto-generated"),
        words("X-Auto-Response-Suppress", "All"),
        words("List-Id", &list),
        words("X-Postkeep-Profile", &profile),
        words("X-Postkeep-Host", &host),
        words("X-Postkeep-Status", run.outcome.status.word()),
        words("X-Postkeep-Run", &run.id.to_string()),
        encoded(MIME_VERSION_1_0),
    ];
    Ok(headers.iter().map(|(name, value)| fold(name, value)).collect())
}

/// The end of the run in the reader's zone.
fn ended(facts: &Facts<'_>) -> Result<String> {
    let mut ended = facts.run.ended.to_zoned(facts.zone.clone());
    // A header's zone has no seconds; some zones of the nineteenth century have.
    if ended.offset().seconds() % 60 != 0 {
        ended = ended.with_time_zone(TimeZone::UTC);
    }
    if ended.year() < 1900 {
        let id = facts.run.id;
        return Err(Error::other(format!(
            "run {id} ended in the year {}, which no letter can say",
            ended.year()
        ))
        .hint("Set the machine's clock."));
    }
    Ok(date(&ended))
}

/// A date as a header writes it (RFC 5322, 3.3).
pub(super) fn date(when: &Zoned) -> String {
    when.strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

/// The body of a letter that is nothing but text, with its headers.
pub(super) fn plain(text_of_it: &str) -> Result<Vec<u8>> {
    Ok(text(ContentType::TEXT_PLAIN, None, text_of_it)?.formatted())
}

/// A header of words, encoded where they are not ASCII.
pub(super) fn words(name: &'static str, value: &str) -> (String, String) {
    split(HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned()))
}

/// A header that knows itself how it is written.
pub(super) fn encoded(header: impl Header) -> (String, String) {
    split(header.display())
}

/// Name and encoded value, the value on one line.
fn split(header: HeaderValue) -> (String, String) {
    let mut headers = Headers::new();
    headers.insert_raw(header);
    let text = headers.to_string().replace("\r\n ", " ");
    let (name, value) = text.trim_end().split_once(": ").unwrap_or((&text, ""));
    (name.to_owned(), value.to_owned())
}

/// A header on as many lines as it needs. lettre folds within names and values but not between a name and its
/// address, nor before a first word that is too long; this does. Only what has no space at all makes a longer line.
pub(super) fn fold(name: &str, value: &str) -> String {
    let mut out = format!("{name}:");
    let mut column = out.len();
    for word in value.split_whitespace() {
        if column + 1 + word.len() > LINE {
            out.push_str("\r\n");
            column = 0;
        }
        out.push(' ');
        out.push_str(word);
        column += 1 + word.len();
    }
    out.push_str("\r\n");
    out
}

/// Words before an id in angle brackets: in quotes where a sign means something there, and ASCII always.
fn phrase(text: &str) -> String {
    let ascii: String = text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '_' }).collect();
    if ascii.chars().all(|c| c.is_ascii_alphanumeric() || "-_ ".contains(c)) {
        return ascii;
    }
    format!("\"{}\"", ascii.replace(['"', '\\'], "'"))
}

fn body(facts: &Facts<'_>, parts: &Parts<'_>) -> Result<MultiPart> {
    let id = facts.run.id;
    let alternative = MultiPart::alternative()
        .boundary(boundary(&format!("{id}-text")))
        .singlepart(text(ContentType::TEXT_PLAIN, None, parts.text)?)
        .singlepart(text(ContentType::TEXT_HTML, None, parts.html)?);
    let json = text(kind("application/json; name=report.json")?, Some("report.json"), parts.json)?;
    let mut all =
        MultiPart::mixed().boundary(boundary(&format!("{id}-all"))).multipart(alternative).singlepart(json);
    if let Some(log) = parts.log {
        let stem: String = clean::atom(&facts.run.profile).chars().take(40).collect();
        let name = format!("{stem}.log.gz");
        let body = content(log.to_vec(), ContentTransferEncoding::Base64)?;
        let part = SinglePart::builder()
            .header(kind(&format!("application/gzip; name={name}"))?)
            .header(ContentDisposition::attachment(&name))
            .body(body);
        all = all.singlepart(part);
    }
    Ok(all)
}

/// Neither quoted-printable nor base64 can contain `=_`, so no content ends a part.
pub(super) fn boundary(id: &str) -> String {
    format!("=_postkeep-{id}")
}

fn text(kind: ContentType, file: Option<&str>, text: &str) -> Result<SinglePart> {
    // A byte that quoted-printable has to escape takes three there; base64 takes four thirds for every byte.
    let escaped = text.bytes().filter(|b| !matches!(b, b'\n' | b' '..=b'~') || *b == b'=').count();
    let encoding = match escaped * 6 > text.len() {
        true => ContentTransferEncoding::Base64,
        false => ContentTransferEncoding::QuotedPrintable,
    };
    let mut part = SinglePart::builder().header(kind);
    if let Some(file) = file {
        part = part.header(ContentDisposition::attachment(file));
    }
    Ok(part.body(content(text.to_owned(), encoding)?))
}

fn content(bytes: impl Into<MaybeString>, encoding: ContentTransferEncoding) -> Result<Body> {
    Body::new_with_encoding(bytes, encoding).map_err(|_| Error::other("cannot encode a part of the letter"))
}

fn kind(text: &str) -> Result<ContentType> {
    ContentType::parse(text).context(|| format!("cannot use the content type {text}"))
}

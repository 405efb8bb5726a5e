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

use super::letter::{Body as Said, Letter};
use super::{address, clean};
use crate::error::{Context, Error, Result};

/// The longest header line.
const LINE: usize = 78;

/// How many characters of a list's and a machine's name go into an id. An id has no space to fold a line at: with
/// so many of both it fits on one.
const TAG: usize = 28;

/// The ids of a letter, with their angle brackets.
pub(super) struct Ids {
    /// Its own.
    pub message: String,
    /// The root of the thread that the letters of a list and a month are in. It is no letter: it stands only in
    /// References.
    pub thread: String,
}

impl Ids {
    /// Those of a letter.
    pub fn new(letter: &Letter<'_>) -> Self {
        let at = format!("{}.postkeep.invalid", clean::atom(letter.origin.install_id));
        let list = clean::tag(letter.list, TAG);
        let month = letter.time.to_zoned(letter.origin.zone.clone()).strftime("%Y-%m").to_string();
        Self {
            message: format!("<{}.{}@{at}>", letter.id, letter.kind),
            thread: format!("<{list}.{month}.thread@{at}>"),
        }
    }
}

/// The whole letter, CRLF at line ends. `json` is its `report.json`, printed.
pub(super) fn mail(letter: &Letter<'_>, ids: &Ids, said: &Said, json: &str) -> Result<Vec<u8>> {
    let mut mail = headers(letter, ids, &said.subject)?.into_bytes();
    mail.extend(body(letter, said, json)?.formatted());
    Ok(mail)
}

fn headers(letter: &Letter<'_>, ids: &Ids, subject: &str) -> Result<String> {
    let origin = &letter.origin;
    let list = format!(
        "{} <{}.{}.postkeep.invalid>",
        phrase(&letter.about),
        clean::tag(letter.list, TAG),
        clean::tag(origin.host, TAG)
    );
    let mut headers = vec![
        encoded(From::from(Mailboxes::from(address::sender(origin)?))),
        encoded(To::from(Mailboxes::from_iter(address::readers(origin)?))),
        ("Date".to_owned(), dated(letter)?),
        words("Subject", subject),
        words("Message-ID", &ids.message),
        words("References", &ids.thread),
        words("Auto-Submitted", "auto-generated"),
        words("X-Auto-Response-Suppress", "All"),
        words("List-Id", &list),
    ];
    headers.extend(letter.profile.map(|name| words("X-Postkeep-Profile", &clean::header(name, 64))));
    headers.push(words("X-Postkeep-Host", &clean::header(origin.host, 64)));
    headers.push(words("X-Postkeep-Status", letter.status));
    headers.extend(letter.run.map(|run| words("X-Postkeep-Run", &run.to_string())));
    headers.push(encoded(MIME_VERSION_1_0));
    Ok(headers.iter().map(|(name, value)| fold(name, value)).collect())
}

/// The time that the letter tells of, in the reader's zone.
fn dated(letter: &Letter<'_>) -> Result<String> {
    let mut time = letter.time.to_zoned(letter.origin.zone.clone());
    // A header's zone has no seconds; some zones of the nineteenth century have.
    if time.offset().seconds() % 60 != 0 {
        time = time.with_time_zone(TimeZone::UTC);
    }
    if time.year() < 1900 {
        let (about, year) = (&letter.about, time.year());
        let error =
            Error::other(format!("the letter about {about} is of the year {year}, which no letter can say"));
        return Err(error.hint("Set the machine's clock."));
    }
    Ok(date(&time))
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

fn body(letter: &Letter<'_>, said: &Said, json: &str) -> Result<MultiPart> {
    let id = letter.id;
    let alternative = MultiPart::alternative()
        .boundary(boundary(&format!("{id}-text")))
        .singlepart(text(ContentType::TEXT_PLAIN, None, &said.text)?)
        .singlepart(text(ContentType::TEXT_HTML, None, &said.html)?);
    let json = text(kind("application/json; name=report.json")?, Some("report.json"), json)?;
    let mut all =
        MultiPart::mixed().boundary(boundary(&format!("{id}-all"))).multipart(alternative).singlepart(json);
    if let Some(log) = letter.log {
        let stem: String = clean::atom(letter.list).chars().take(40).collect();
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

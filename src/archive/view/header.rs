//! Headers: what a part is, and what people want to know of a message; bounded, and made harmless.

use std::panic::catch_unwind;

use mail_parser::{Address, ContentType, HeaderName, HeaderValue, Message, MessageParser, MimeHeaders};

use super::{boundary, clean};

/// The most bytes of a header that are read.
pub const LONGEST: usize = 256 << 10;

/// The most characters of a field that are shown.
const SHOWN: usize = 1000;

/// The most characters of a name, a kind or a charset.
const SHORT: usize = 300;

/// How a part's content is written (RFC 2045, 6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    #[default]
    Plain,
    /// In base64.
    Base64,
    /// Quoted-printable.
    Quoted,
}

/// What a part's header says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Its type: `text/plain`, in small letters.
    pub kind: String,
    /// Its name, as given, harmless.
    pub name: Option<String>,
    /// The charset of a text.
    pub charset: Option<String>,
    /// How its content is written.
    pub encoding: Encoding,
    /// Whether it asks to be saved and not to be shown.
    pub attached: bool,
    /// What separates its parts.
    pub boundary: Option<Vec<u8>>,
}

/// Reads a part's header. `digest`: parts are messages where nothing else is said (RFC 2046, 5.1.5).
pub fn head(header: &[u8], digest: bool) -> Head {
    let common = if digest { "message/rfc822" } else { "text/plain" };
    let mime = || MessageParser::new().with_mime_headers().default_header_ignore();
    let read = |message: &Message<'_>| {
        let content = message.content_type();
        let kind = content.map(kind).filter(|kind| !kind.is_empty());
        let attribute = |name: &str| content.and_then(|content| content.attribute(name));
        let multipart = kind.as_deref().is_some_and(|kind| kind.starts_with("multipart/"));
        let boundary = attribute("boundary").map(|text| text.trim_ascii_end().as_bytes().to_vec());
        let encoding = message.content_transfer_encoding().unwrap_or_default().trim().to_ascii_lowercase();
        Head {
            name: message
                .attachment_name()
                .map(|name| clean::line(name, SHORT))
                .filter(|name| !name.is_empty()),
            charset: attribute("charset").map(|charset| clean::line(charset, SHORT)),
            encoding: match encoding.as_str() {
                "base64" => Encoding::Base64,
                "quoted-printable" => Encoding::Quoted,
                _ => Encoding::Plain,
            },
            attached: message.content_disposition().is_some_and(ContentType::is_attachment),
            boundary: boundary.filter(|boundary| multipart && !boundary.is_empty()),
            kind: kind.unwrap_or_else(|| common.into()),
        }
    };
    let mut head =
        parsed(header, mime, read).unwrap_or_else(|| Head { kind: common.into(), ..Head::default() });
    if head.boundary.is_none() && head.kind.starts_with("multipart/") {
        // The library does not look on the next line.
        head.boundary = boundary::of(header.get(..header.len().min(LONGEST)).unwrap_or_default());
    }
    head
}

/// Whether a line begins a field: a name and a colon.
pub fn is_field(line: &[u8]) -> bool {
    let end = line.iter().position(|byte| *byte == b':').unwrap_or(0);
    let name = line.get(..end).unwrap_or_default().trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

fn kind(content: &ContentType<'_>) -> String {
    let whole = match content.subtype() {
        Some(subtype) => format!("{}/{subtype}", content.ctype()),
        // Words of old: `Content-Type: text`.
        None if content.ctype().eq_ignore_ascii_case("text") => "text/plain".into(),
        None => content.ctype().into(),
    };
    clean::line(&whole, SHORT).to_ascii_lowercase()
}

/// The fields that people look at, decoded and harmless, in the order in which they are shown; those that are there.
pub fn fields(header: &[u8]) -> Vec<(&'static str, String)> {
    let wanted = || {
        MessageParser::new()
            .header_address(HeaderName::From)
            .header_address(HeaderName::To)
            .header_address(HeaderName::Cc)
            .header_text(HeaderName::Date)
            .header_text(HeaderName::Subject)
            .header_raw(HeaderName::MessageId)
            .default_header_ignore()
    };
    let names = [
        ("From", HeaderName::From),
        ("To", HeaderName::To),
        ("Cc", HeaderName::Cc),
        ("Date", HeaderName::Date),
        ("Subject", HeaderName::Subject),
        ("Message-ID", HeaderName::MessageId),
    ];
    let read = |message: &Message<'_>| {
        let all = names.iter().filter_map(|(shown, name)| {
            let text = match message.header(name.clone())? {
                HeaderValue::Address(address) => addresses(address),
                HeaderValue::Text(text) => text.to_string(),
                HeaderValue::TextList(texts) => texts.join(" "),
                _ => return None,
            };
            Some((*shown, clean::line(&text, SHOWN)))
        });
        all.filter(|(_, text)| !text.is_empty()).collect()
    };
    parsed(header, wanted, read).unwrap_or_default()
}

/// `Name <address>, ...`: never a name alone, which may say whatever it likes.
fn addresses(address: &Address<'_>) -> String {
    let mut text = String::new();
    for one in address.iter() {
        if text.len() > 4 * SHOWN {
            break;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        match (one.name(), one.address()) {
            (Some(name), Some(address)) => text.push_str(&format!("{name} <{address}>")),
            (one, other) => text.push_str(one.or(other).unwrap_or_default()),
        }
    }
    text
}

/// Reads a header with a parser of the library. None: there is no field in it, or the library cannot read it.
fn parsed<T>(
    header: &[u8],
    parser: impl Fn() -> MessageParser + std::panic::RefUnwindSafe,
    read: impl Fn(&Message<'_>) -> T + std::panic::RefUnwindSafe,
) -> Option<T> {
    // The library wants an end, and none before it: an empty line that is not quite empty is none to others.
    let mut whole = header.get(..header.len().min(LONGEST)).unwrap_or_default().to_vec();
    whole.extend_from_slice(b"\r\n\r\n");
    // It promises not to panic; whoever writes a mail is not bound by that.
    let result = catch_unwind(|| {
        parser()
            .parse_headers(&whole)
            .filter(|message| !message.parts.is_empty())
            .map(|message| read(&message))
    });
    result.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_what_it_is() {
        let common = Head { kind: "text/plain".into(), ..Head::default() };
        assert_eq!(head(b"", false), common);
        assert_eq!(head(b"", true).kind, "message/rfc822");
        assert_eq!(head(b"\xff\xfe: \x00\nContent-Type\n\n: x", false), common);
        let text = "Content-Type: IMAGE/Jpeg;\r\n name*0*=utf-8''%c3%a4;\r\n name*1=\".jpg\"\r\n\
                    Content-Transfer-Encoding: BASE64\r\nContent-Disposition: attachment\r\n";
        let expected = Head {
            kind: "image/jpeg".into(),
            name: Some("ä.jpg".into()),
            encoding: Encoding::Base64,
            attached: true,
            ..Head::default()
        };
        assert_eq!(head(text.as_bytes(), false), expected);
        let text = "Content-Disposition: inline; filename=\"=?utf-8?q?=C3=A4?=\x1b[1m/../x\"\n";
        assert_eq!(head(text.as_bytes(), false).name.unwrap(), "ä\u{fffd}[1m/../x");
        assert_eq!(head(b"Content-Type: text\n", false).kind, "text/plain");
        assert_eq!(head(b"Content-Type: multipart/mixed\n", false).boundary, None);
    }

    #[test]
    fn fields_are_decoded_and_harmless() {
        let header = "To: Ann <ann@example.org>,\r\n  group: bob@example.org, \"C, D\" <cd@example.org>;\r\n\
                      Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe=0D=0ABcc:_x?= \x1b[2J\r\n\
                      From: \"PayPal \u{202e}\" <evil@example.org>\r\n\
                      Date: Tue, 1 Jul 2003 10:52:37 +0200\r\nMessage-ID: <a@b>\r\n";
        assert_eq!(
            fields(header.as_bytes()),
            [
                ("From", "PayPal <evil@example.org>".to_owned()),
                ("To", "Ann <ann@example.org>, bob@example.org, C, D <cd@example.org>".into()),
                ("Date", "Tue, 1 Jul 2003 10:52:37 +0200".into()),
                ("Subject", "Grüße Bcc: x \u{fffd}[2J".into()),
                ("Message-ID", "<a@b>".into()),
            ]
        );
        assert_eq!(fields(b""), []);
    }
}

//! The letter that tests an account.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lettre::message::header::{From, MIME_VERSION_1_0, To};
use lettre::message::{Mailbox, Mailboxes};

use super::{address, clean, mail};
use crate::error::Result;
use crate::run::RunId;

/// What a test letter says.
pub struct TestLetter<'a> {
    /// An id of its own.
    pub id: RunId,
    /// The account that is tested.
    pub account: &'a str,
    /// The machine's name.
    pub host: &'a str,
    /// The installation's random name.
    pub install_id: &'a str,
    /// The account's own address.
    pub own_address: Option<&'a str>,
    /// The sender as the rules say.
    pub from: Option<&'a str>,
    /// The readers' addresses.
    pub to: &'a [String],
    /// When it is written.
    pub now: Timestamp,
    /// The zone that this is told in.
    pub zone: &'a TimeZone,
}

impl TestLetter<'_> {
    /// The sender's address, and the letter with CRLF at line ends.
    ///
    /// # Errors
    /// An address that no letter can be sent to or from.
    pub fn render(&self) -> Result<(String, Vec<u8>)> {
        let from = address::sender_of(self.from, self.own_address, self.host)?;
        let sender = from.email.to_string();
        let to: Vec<Mailbox> = address::readers_of(self.to, self.host)?;
        let (account, host) = (clean::header(self.account, 64), clean::header(self.host, 64));
        let when = self.now.to_zoned(self.zone.clone());
        let at = format!("{}.postkeep.invalid", clean::atom(self.install_id));
        let headers = [
            mail::encoded(From::from(Mailboxes::from(from))),
            mail::encoded(To::from(Mailboxes::from_iter(to))),
            ("Date".to_owned(), mail::date(&when)),
            mail::words("Subject", &format!("[TEST] postkeep on {host}")),
            mail::words("Message-ID", &format!("<{}.test@{at}>", self.id)),
            mail::words("Auto-Submitted", "auto-generated"),
            mail::words("X-Auto-Response-Suppress", "All"),
            mail::words("X-Postkeep-Host", &host),
            mail::encoded(MIME_VERSION_1_0),
        ];
        let text = format!(
            "This is a test of the account \"{account}\" by postkeep on {host}.\n\n\
             Reports will come the same way. If this letter lies among the spam, tell your\n\
             mail program that it is none: the reports would be sorted there too.\n\n\
             There is nothing else to do.\n"
        );
        let mut letter: Vec<u8> =
            headers.iter().flat_map(|(name, value)| mail::fold(name, value).into_bytes()).collect();
        letter.extend(mail::plain(&text)?);
        Ok((sender, letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_account_and_goes_to_the_readers() {
        let now: Timestamp = "2026-11-23T01:14:07Z".parse().unwrap();
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let test = TestLetter {
            id: RunId::new(now, 7),
            account: "gmail",
            host: "nas1",
            install_id: "7k3m9q2x5v",
            own_address: Some("me@gmail.com"),
            from: None,
            to: &["ann@example.org".to_owned(), "bob@b\u{fc}cher.example".to_owned()],
            now,
            zone: &zone,
        };
        let (sender, letter) = test.render().unwrap();
        assert_eq!(sender, "me@gmail.com");
        let message = mail_parser::MessageParser::default().parse(&letter).unwrap();
        assert_eq!(message.subject(), Some("[TEST] postkeep on nas1"));
        assert_eq!(message.from().unwrap().first().unwrap().name(), Some("postkeep on nas1"));
        let to: Vec<_> = message.to().unwrap().iter().filter_map(|to| to.address()).collect();
        assert_eq!(to, ["ann@example.org", "bob@xn--bcher-kva.example"]);
        assert!(message.body_text(0).unwrap().contains("account \"gmail\""));
        assert_eq!(message.date().unwrap().to_rfc3339(), "2026-11-23T02:14:07+01:00");
        assert!(letter.is_ascii());
    }
}

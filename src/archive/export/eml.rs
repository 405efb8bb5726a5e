//! Names of `.eml` files: what sorts and what a person looks for, and what tells messages apart; pure.

use jiff::tz::TimeZone;

use crate::archive::names;
use crate::archive::stored::Stored;

/// The most characters of a subject in a name.
const SUBJECT: usize = 80;

/// `2024-02-29 120000 Subject 1a2b3c4d.eml`, the time in UTC. The last word is a hash of what names the message, so that it
/// has the same name in each export, and no other message has.
pub(super) fn name(message: &Stored) -> String {
    let date = message.place.date.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H%M%S");
    let subject: String = message.marks.subject.chars().take(SUBJECT).collect();
    let subject = names::safe(&subject, "(no subject)");
    names::shortened(&format!("{date} {subject}.eml"), names::LONGEST, &format!(" {}", super::tag(message)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::export::tests::stored;

    #[test]
    fn a_name_says_when_and_what_and_is_the_messages_own() {
        let message = stored("INBOX", "7.1", "Re: Büro/Haus\n2", b"x");
        assert_eq!(
            name(&message),
            format!("2024-02-29 120000 Re_ Büro_Haus 2 {}.eml", super::super::tag(&message))
        );
        let other = stored("INBOX", "7.2", "Re: Büro/Haus\n2", b"x");
        assert_ne!(name(&message), name(&other));
        let long = name(&stored("INBOX", "7.1", &"ü".repeat(300), b"x"));
        assert!(long.len() <= names::LONGEST && long.ends_with(".eml"), "{long}");
        assert!(name(&stored("INBOX", "7.1", "", b"x")).starts_with("2024-02-29 120000 (no subject) "));
    }
}

//! Sender and readers of a report. Domains go out in ASCII (punycode); what stands before the `@` may have
//! letters of any script, as far as the mail server takes them.

use lettre::Address;
use lettre::message::Mailbox;

use super::clean;
use super::letter::Origin;
use crate::error::{Error, Kind, Result};
use crate::profile::mailbox;

/// How long a domain made from a machine's name may be: with it an address fits on a line of a header.
const DOMAIN: usize = 56;

/// The sender: as the profile says, else `postkeep on HOST` with the account's own address, else `postkeep@HOST`.
pub(super) fn sender(origin: &Origin<'_>) -> Result<Mailbox> {
    sender_of(origin.rules.from.as_deref(), origin.own_address, origin.host)
}

/// The sender by what is said of him.
pub(super) fn sender_of(from: Option<&str>, own_address: Option<&str>, host: &str) -> Result<Mailbox> {
    let named = || format!("postkeep on {}", clean::header(host, 64));
    match (from, own_address) {
        (Some(text), _) => parse(text, "from"),
        (None, Some(own)) => Ok(Mailbox::new(Some(named()), parse(own, "from")?.email)),
        (None, None) => local("postkeep", host, Some(named())),
    }
}

/// The readers: as the profile says, else `you@HOST`, which no mail leaves the machine for.
pub(super) fn readers(origin: &Origin<'_>) -> Result<Vec<Mailbox>> {
    readers_of(&origin.rules.to, origin.host)
}

/// The readers by what is said of them.
pub(super) fn readers_of(to: &[String], host: &str) -> Result<Vec<Mailbox>> {
    match to {
        [] => Ok(vec![local("you", host, None)?]),
        to => to.iter().map(|text| parse(text, "to")).collect(),
    }
}

/// The address in a text such as `Ann <ann@example.org>`, fit for an envelope; None if it is none.
pub fn bare(text: &str) -> Option<String> {
    parse(text, "to").ok().map(|mailbox| mailbox.email.to_string())
}

fn parse(text: &str, key: &str) -> Result<Mailbox> {
    let shown = clean::line(text, 200);
    let wrong = |why: &str| {
        Error::new(Kind::Config, format!("cannot use \"{shown}\" as a mail address: {why}")).hint(format!(
            "write it as name@example.org or Name <name@example.org> in `{key}` under [report]"
        ))
    };
    let mailbox = mailbox(text).map_err(wrong)?;
    let name = mailbox.name.map(|name| clean::header(&name, 100));
    Ok(Mailbox::new(name, mailbox.email))
}

fn local(user: &str, host: &str, name: Option<String>) -> Result<Mailbox> {
    let domain = domain(host);
    let email = Address::new(user, &domain)
        .map_err(|cause| Error::other(format!("cannot make an address at {domain}")).caused_by(cause))?;
    Ok(Mailbox::new(name, email))
}

/// A machine's name as a domain. One without a dot gets `.invalid`, which is reserved for names that lead nowhere.
fn domain(host: &str) -> String {
    let mut domain = String::new();
    for label in host.split('.') {
        let room = DOMAIN.saturating_sub(domain.len() + 1);
        let label: String = label
            .chars()
            .take(room)
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .collect();
        let label = label.trim_matches('-');
        if label.is_empty() {
            continue;
        }
        if !domain.is_empty() {
            domain.push('.');
        }
        domain.push_str(label);
    }
    if domain.is_empty() {
        domain.push_str("localhost");
    }
    // A last label of digits would make it the address of a machine.
    let last = domain.rsplit('.').next().unwrap_or_default();
    if !domain.contains('.') || last.bytes().all(|b| b.is_ascii_digit()) {
        domain.push_str(".invalid");
    }
    domain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_becomes_a_domain() {
        for (host, expected) in [
            ("nas1", "nas1.invalid"),
            ("NAS1.Home.LAN", "nas1.home.lan"),
            ("-a_b-.\r\n.", "a-b.invalid"),
            ("10.0.0.1", "10.0.0.1.invalid"),
            ("", "localhost.invalid"),
            ("büro", "b-ro.invalid"),
        ] {
            assert_eq!(domain(host), expected);
            assert!(local("you", host, None).is_ok());
        }
        assert!(domain(&"x".repeat(500)).len() < 80);
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, shown) in [
            ("ann@x.org", "ann@x.org"),
            ("anné@x.org", "anné@x.org"),
            ("Ann <ann@x.org>", "Ann <ann@x.org>"),
            ("\"Müller, Ann\" <ann@Bücher.example>", "\"Müller, Ann\" <ann@xn--bcher-kva.example>"),
            (" ann@nas1 ", "ann@nas1"),
        ] {
            assert_eq!(parse(text, "to").unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ann",
            "a@b@c",
            "a@x.org, b@x.org",
            "\"a b\"@x.org",
            "a@x.org\r\nBcc: y@z.org",
            "=?utf-8?q?x?=@x.org",
            "a@-x-.org",
        ] {
            let error = parse(text, "to").unwrap_err();
            assert!(error.one_line().starts_with("cannot use"), "{text:?}: {error}");
            assert!(!error.one_line().contains('\n') && error.hints().len() == 1);
        }
    }
}

//! A mail address as a profile may name it (RFC 5322, 3.4), made fit for an envelope.

use lettre::Address;
use lettre::message::Mailbox;

/// The mailbox that a text names: `ann@example.org` or `Ann <ann@example.org>`. Its domain is in ASCII (punycode); what
/// stands before the `@` may have letters of any script, for servers that can do that (RFC 6531).
///
/// # Errors
/// Why it is none.
pub fn mailbox(text: &str) -> Result<Mailbox, &'static str> {
    let mailbox: Mailbox = text.trim().parse().map_err(|_| "it is not one address")?;
    let (user, domain) = (mailbox.email.user(), mailbox.email.domain());
    let plain = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    if !user.chars().all(plain) || user.contains("=?") {
        return Err("before the @ only letters, digits and the usual signs can be used");
    }
    let domain = idna::domain_to_ascii_strict(domain).map_err(|_| "its domain is not one")?;
    let email = Address::new(user, &domain).map_err(|_| "its domain is not one")?;
    Ok(Mailbox::new(mailbox.name, email))
}

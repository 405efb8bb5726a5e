//! `imap-append`: a letter that its server does not take, for whoever reads the mailbox of the same account.

use super::Agent;
use super::carry::Carriers;
use super::deliver::{Delivery, Out};
use super::inbox::Copy;
use crate::error::Result;
use crate::profile::Way;
use crate::report;
use crate::state::{Letter, Recipient, RecipientState, Settled};

impl Agent<'_> {
    /// The letter is put into the mailbox of the report's account. Its owner has it then, if it is for him; the others
    /// go on waiting. A letter that is not for him is told to him so, once. Why not, if it is not there.
    pub(super) fn by_append(
        &self,
        letter: &Letter,
        out: &Out,
        carriers: &mut Carriers<'_>,
        told: &mut Vec<Delivery>,
        reason: &str,
    ) -> Result<Option<String>> {
        let id = letter.id;
        let account = self.rules_of(letter).account.as_ref();
        let Some((name, mailbox)) = account.and_then(|name| Some((name, self.mailboxes.get(name)?))) else {
            return Ok(Some("there is no mailbox".into()));
        };
        let owner = report::bare(&mailbox.login.user);
        let is_owner = |address: &str| owner.as_deref().is_some_and(|owner| same_address(owner, address));
        let (his, others): (Vec<_>, Vec<_>) =
            out.recipients.iter().partition(|(_, address)| is_owner(address));
        if his.is_empty() {
            if letter.told.is_some() {
                return Ok(Some("it was told already".into()));
            }
            let known = self.state.outbox().envelope(id)?.map(|known| known.recipients).unwrap_or_default();
            let has_it = |known: &Recipient| {
                known.state == RecipientState::Sent
                    && report::bare(&known.address).is_some_and(|address| is_owner(&address))
            };
            if known.iter().any(has_it) {
                return Ok(Some("its owner has it already".into()));
            }
        }
        let copy = Copy { id, message_id: &letter.message_id, mail: &out.mail };
        if let Err(why) = carriers.inboxes.append(name, &copy) {
            return Ok(Some(why));
        }
        if his.is_empty() {
            self.state.outbox().told(id, self.now())?;
        }
        let by = Settled::DeliveredBy(Way::IMAP_APPEND.to_owned());
        for (known, _) in &his {
            self.state.outbox().settle(id, known, &by, self.now())?;
        }
        let to = his.first().map(|(_, address)| address.clone());
        if to.is_some() && !others.is_empty() {
            told.push(Delivery::Waits { id, reason: reason.to_owned() });
        }
        told.push(Delivery::Appended { id, account: name.clone(), to });
        Ok(None)
    }
}

/// Whether two addresses are one: domains know no case, what stands before them may (RFC 5321, 2.4).
fn same_address(one: &str, other: &str) -> bool {
    match (one.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((one, at)), Some((other, there))) => one == other && at.eq_ignore_ascii_case(there),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_knows_no_case() {
        for (one, other, same) in [
            ("me@example.org", "me@Example.ORG", true),
            ("me@example.org", "Me@example.org", false),
            ("me@example.org", "me@example.net", false),
            ("me", "me", false),
        ] {
            assert_eq!(same_address(one, other), same, "{one} {other}");
        }
    }
}

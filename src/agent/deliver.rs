//! Empties the outbox: each letter to the account that carries it, or another way, each result back into the outbox.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use super::Agent;
use super::carry::{Carried, Carriers, Load};
use super::route::{is_late, other_ways};
use crate::error::Result;
use crate::mail::{Answer, webhook};
use crate::profile::{ReportRules, Way};
use crate::report;
use crate::run::RunId;
use crate::state::{Letter, Settled, Which};

/// The name under which letters wait for the Maildir in the state folder, which carries them where no account is set.
/// No account of a configuration can be called so.
pub const EMBEDDED: &str = "(embedded)";

/// The name under which a webhook stands among a letter's recipients that hears of it beside them. It is no address.
pub(super) const BESIDE: &str = "(webhook)";

/// Adds the webhook that hears of every letter to its recipients, if there is one.
pub(super) fn beside(recipients: &mut Vec<String>, account: &str, rules: &ReportRules) {
    if rules.webhook_beside().is_some() {
        // A letter without a reader is for whoever reads the account.
        if recipients.is_empty() {
            recipients.push(account.to_owned());
        }
        recipients.push(BESIDE.into());
    }
}

/// How often, and how long, we wait for another process that empties the outbox: it may have looked before our
/// letter was in it.
const TRIES: u32 = 100;
const WAIT: Duration = Duration::from_millis(50);

/// How long a webhook may take.
pub(super) const WEBHOOK: Duration = Duration::from_secs(30);

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It lies in a Maildir.
    Filed {
        /// The run that it tells of.
        id: RunId,
        /// The file.
        path: PathBuf,
    },
    /// A server took it.
    Sent {
        /// The run that it tells of.
        id: RunId,
        /// The account that carried it.
        account: String,
        /// For whom.
        to: Vec<String>,
    },
    /// It is tried again later.
    Waits {
        /// The run that it tells of.
        id: RunId,
        /// Why it could not be delivered.
        reason: String,
    },
    /// The server will never take it for these.
    Refused {
        /// The run that it tells of.
        id: RunId,
        /// For whom.
        to: Vec<String>,
        /// What it said.
        reason: String,
    },
    /// It waits, but a webhook has told of it.
    Told {
        /// The run that it tells of.
        id: RunId,
        /// The webhook's host.
        host: String,
    },
    /// It lies in the mailbox of its account, past the server that takes letters.
    Appended {
        /// The run that it tells of.
        id: RunId,
        /// The account.
        account: String,
        /// The mailbox's owner, where the letter is for him; None: it goes on waiting for all its readers.
        to: Option<String>,
    },
}

impl Agent<'_> {
    /// Delivers the letters that are due, or all that wait.
    ///
    /// # Errors
    /// The state cannot be read or written. A letter that cannot be delivered is no error: it waits.
    pub fn deliver(&self, all: bool) -> Result<Vec<Delivery>> {
        let which = if all { Which::All } else { Which::Due(self.now()) };
        let due = || self.state.outbox().due(which);
        let Some(_lock) = self.wait_for_outbox()? else { return Ok(busy(&due()?)) };
        let mut deliveries = Vec::new();
        let mut carriers = Carriers::new(self);
        let mut tried = HashSet::new();
        // Until nothing new has come: who found us at it has left his letter to us.
        loop {
            let ids: Vec<_> = due()?.into_iter().filter(|id| tried.insert(*id)).collect();
            if ids.is_empty() {
                return Ok(deliveries);
            }
            self.deliver_each(&ids, which, &mut carriers, &mut deliveries)?;
        }
    }

    /// Delivers these letters now, those of them that wait.
    ///
    /// # Errors
    /// As [`Agent::deliver`].
    pub fn deliver_these(&self, ids: &[RunId]) -> Result<Vec<Delivery>> {
        let Some(_lock) = self.wait_for_outbox()? else { return Ok(busy(ids)) };
        let mut deliveries = Vec::new();
        self.deliver_each(ids, Which::All, &mut Carriers::new(self), &mut deliveries)?;
        Ok(deliveries)
    }

    fn deliver_each(
        &self,
        ids: &[RunId],
        which: Which,
        carriers: &mut Carriers<'_>,
        deliveries: &mut Vec<Delivery>,
    ) -> Result<()> {
        // One at a time: a letter may carry a long log.
        for id in ids {
            if let Some(letter) = self.state.outbox().letter(*id, which)? {
                self.deliver_one(letter, carriers, deliveries)?;
            }
        }
        Ok(())
    }

    fn wait_for_outbox(&self) -> Result<Option<crate::state::Guard>> {
        for _ in 0..TRIES {
            if let Some(lock) = self.state.locks().outbox()? {
                return Ok(Some(lock));
            }
            std::thread::sleep(WAIT);
        }
        Ok(None)
    }

    fn deliver_one(
        &self,
        mut letter: Letter,
        carriers: &mut Carriers<'_>,
        told: &mut Vec<Delivery>,
    ) -> Result<()> {
        let everybody = letter.recipients.len();
        letter.recipients.retain(|recipient| recipient.address != BESIDE);
        let letter = &letter;
        if !letter.recipients.is_empty() {
            self.mail_one(letter, carriers, told)?;
        }
        // After the mail: a webhook that does not answer holds nobody else up.
        if letter.recipients.len() < everybody { self.tell_beside(letter, carriers, told) } else { Ok(()) }
    }

    /// Hands a letter to its account, or to another way.
    fn mail_one(&self, letter: &Letter, carriers: &mut Carriers<'_>, told: &mut Vec<Delivery>) -> Result<()> {
        let out = Out::new(letter, self.now());
        // A letter to nobody by name is for whoever reads a Maildir; no server can carry it.
        let nobody = out.recipients.is_empty() && !self.account(&letter.account).is_maildir();
        let own = if nobody { EMBEDDED } else { letter.account.as_str() };
        let mut reason = match carriers.carry(own, &out.load(letter)) {
            Ok(Carried::Filed(path)) => {
                self.settle_all(letter, &Settled::Delivered)?;
                told.push(Delivery::Filed { id: letter.id, path });
                return Ok(());
            }
            Ok(Carried::Answered(answers)) => return self.answered(letter, &out, answers, told),
            Err(reason) => reason,
        };
        self.settle_all(letter, &Settled::Later(reason.clone()))?;
        if !self.by_another_way(letter, &out, carriers, told, &mut reason)? {
            told.push(Delivery::Waits { id: letter.id, reason });
        }
        Ok(())
    }

    /// Tells the webhook that stands among the recipients. It waits and is tried again like any of them, but once in a
    /// round only where it does not answer; where the profile has none any more, it is forgotten.
    fn tell_beside(
        &self,
        letter: &Letter,
        carriers: &mut Carriers<'_>,
        told: &mut Vec<Delivery>,
    ) -> Result<()> {
        let id = letter.id;
        let rules = self.rules_of(letter);
        let (Some(hook), Some(json)) = (&rules.webhook, report::json_of(&letter.mail)) else {
            return self.state.outbox().forget_recipient(id, BESIDE);
        };
        let posted = match carriers.hook_is_closed(hook) {
            Some(reason) => Err(reason),
            None => webhook::post(hook, &json, WEBHOOK).map_err(|error| error.one_line()),
        };
        let settled = match posted {
            Ok(()) => Settled::Delivered,
            Err(reason) => {
                carriers.close_hook(hook, &reason);
                told.push(Delivery::Waits { id, reason: reason.clone() });
                Settled::Later(reason)
            }
        };
        self.state.outbox().settle(id, BESIDE, &settled, self.now())
    }

    /// Settles each recipient as the server answered for him.
    fn answered(
        &self,
        letter: &Letter,
        out: &Out,
        answers: Vec<Answer>,
        told: &mut Vec<Delivery>,
    ) -> Result<()> {
        let id = letter.id;
        let mut sent = Vec::new();
        for (recipient, answer) in out.recipients.iter().zip(answers) {
            let settled = match answer {
                Answer::Accepted => {
                    sent.push(recipient.1.clone());
                    Settled::Delivered
                }
                Answer::Refused(reason) => {
                    let to = vec![recipient.1.clone()];
                    told.push(Delivery::Refused { id, to, reason: reason.clone() });
                    Settled::Refused(reason)
                }
                Answer::Later(reason) => {
                    told.push(Delivery::Waits { id, reason: reason.clone() });
                    Settled::Later(reason)
                }
            };
            self.state.outbox().settle(id, &recipient.0, &settled, self.now())?;
        }
        // What is no address is nobody that a server could find.
        for recipient in letter.recipients.iter().filter(|known| !out.has(&known.address)) {
            let reason = "this is no mail address".to_owned();
            told.push(Delivery::Refused { id, to: vec![recipient.address.clone()], reason: reason.clone() });
            self.state.outbox().settle(id, &recipient.address, &Settled::Refused(reason), self.now())?;
        }
        if !sent.is_empty() {
            told.push(Delivery::Sent { id, account: letter.account.clone(), to: sent });
        }
        Ok(())
    }

    fn settle_all(&self, letter: &Letter, settled: &Settled) -> Result<()> {
        let outbox = self.state.outbox();
        letter
            .recipients
            .iter()
            .try_for_each(|recipient| outbox.settle(letter.id, &recipient.address, settled, self.now()))
    }

    /// Tries the ways of `fallback` in their order, where the account's state asks for one; whether one was found. Why
    /// a way led nowhere is added to `reason`.
    fn by_another_way(
        &self,
        letter: &Letter,
        out: &Out,
        carriers: &mut Carriers<'_>,
        told: &mut Vec<Delivery>,
        reason: &mut String,
    ) -> Result<bool> {
        let rules = self.rules_of(letter);
        let health = self.state.accounts().get(&letter.account)?;
        for way in other_ways(health.as_ref(), rules, self.now()) {
            let (name, failed) = match way {
                Way::Account(name) => (name.as_str(), self.by_account(name, letter, out, carriers, told)?),
                Way::Webhook => ("webhook", self.by_webhook(letter, rules, told)?),
                Way::ImapAppend => {
                    let failed = self.by_append(letter, out, carriers, told, reason)?;
                    (Way::IMAP_APPEND, failed)
                }
            };
            match failed {
                None => return Ok(true),
                Some(why) => reason.push_str(&format!("; instead by {name}: {why}")),
            }
        }
        Ok(false)
    }

    /// Another account carries the letter; why not, if it took it for nobody. Whom it refuses is not given up for
    /// that: his own account is still to be heard.
    fn by_account(
        &self,
        name: &str,
        letter: &Letter,
        out: &Out,
        carriers: &mut Carriers<'_>,
        told: &mut Vec<Delivery>,
    ) -> Result<Option<String>> {
        let id = letter.id;
        let by = Settled::DeliveredBy(name.to_owned());
        match carriers.carry(name, &Load { as_itself: true, ..out.load(letter) }) {
            Ok(Carried::Filed(path)) => {
                self.settle_all(letter, &by)?;
                told.push(Delivery::Filed { id, path });
                Ok(None)
            }
            Ok(Carried::Answered(answers)) => {
                let (mut sent, mut refused) = (Vec::new(), None);
                for (recipient, answer) in out.recipients.iter().zip(answers) {
                    match answer {
                        Answer::Accepted => {
                            self.state.outbox().settle(id, &recipient.0, &by, self.now())?;
                            sent.push(recipient.1.clone());
                        }
                        Answer::Refused(why) | Answer::Later(why) => refused = Some(why),
                    }
                }
                if sent.is_empty() {
                    return Ok(Some(refused.unwrap_or_else(|| "there is nobody to send it to".into())));
                }
                if let Some(reason) = refused {
                    told.push(Delivery::Waits { id, reason });
                }
                told.push(Delivery::Sent { id, account: name.to_owned(), to: sent });
                Ok(None)
            }
            Err(why) => Ok(Some(why)),
        }
    }

    /// A webhook tells of the letter, once; the letter goes on waiting. Why not, if it does not.
    fn by_webhook(
        &self,
        letter: &Letter,
        rules: &ReportRules,
        told: &mut Vec<Delivery>,
    ) -> Result<Option<String>> {
        let Some(hook) = &rules.webhook else { return Ok(Some("there is none".into())) };
        if letter.told.is_none() {
            let Some(json) = report::json_of(&letter.mail) else {
                return Ok(Some("the letter has no report for programs".into()));
            };
            if let Err(error) = webhook::post(hook, &json, WEBHOOK) {
                return Ok(Some(error.one_line()));
            }
            self.state.outbox().told(letter.id, self.now())?;
        }
        told.push(Delivery::Told { id: letter.id, host: hook.host().to_owned() });
        Ok(None)
    }

    /// How the profile that a letter tells of is told now: what was set since it was written may be what helps.
    pub(super) fn rules_of(&self, letter: &Letter) -> &ReportRules {
        let profile = self.profiles.iter().find(|profile| letter.profile.as_ref() == Some(&profile.name));
        self.rules(profile)
    }
}

/// The letters are in the hands of another process: whether they go out is not known.
fn busy(ids: &[RunId]) -> Vec<Delivery> {
    let reason = "another postkeep is at the outbox, and has it in its hands";
    ids.iter().map(|id| Delivery::Waits { id: *id, reason: reason.into() }).collect()
}

/// A letter as it goes out now.
pub(super) struct Out {
    /// Each recipient as the outbox knows him, and his address.
    pub recipients: Vec<(String, String)>,
    addresses: Vec<String>,
    sender: String,
    /// The mail.
    pub mail: Vec<u8>,
}

impl Out {
    fn new(letter: &Letter, now: jiff::Timestamp) -> Self {
        let named = letter.recipients.iter().map(|recipient| recipient.address.clone());
        let recipients: Vec<_> =
            named.filter_map(|name| Some((name.clone(), report::bare(&name)?))).collect();
        let tries = letter.recipients.iter().map(|recipient| recipient.tries).max().unwrap_or(0);
        let mail = match is_late(letter.created, tries, now) {
            true => report::late(&letter.mail, letter.id),
            false => letter.mail.clone(),
        };
        Self {
            addresses: recipients.iter().map(|(_, address)| address.clone()).collect(),
            recipients,
            sender: report::bare(&letter.sender).unwrap_or_default(),
            mail,
        }
    }

    fn has(&self, name: &str) -> bool {
        self.recipients.iter().any(|(known, _)| known == name)
    }

    fn load(&self, letter: &Letter) -> Load<'_> {
        Load {
            id: letter.id,
            sender: &self.sender,
            as_itself: false,
            recipients: &self.addresses,
            mail: &self.mail,
        }
    }
}

//! Sends a run's report once more.

use super::Agent;
use super::carry::Carrier;
use super::deliver::{Delivery, EMBEDDED, beside};
use crate::error::Result;
use crate::report;
use crate::run::RunId;
use crate::state::NewLetter;

impl Agent<'_> {
    /// Queues the report of a run of `profile` for its present readers, and delivers it.
    ///
    /// # Errors
    /// The report is not kept any more, or the state cannot be written.
    pub fn send_again(&self, id: RunId, profile: &str) -> Result<Vec<Delivery>> {
        self.queue_again(id, profile, false)?;
        self.deliver_these(&[id])
    }

    /// Queues the report of a failure that was kept back for another try, because that cannot come.
    ///
    /// # Errors
    /// As [`Agent::send_again`].
    pub fn tell_after_all(&self, id: RunId, profile: &str) -> Result<()> {
        self.queue_again(id, profile, true)
    }

    fn queue_again(&self, id: RunId, profile: &str, gives_up: bool) -> Result<()> {
        let rules = self.rules(self.profiles.iter().find(|known| known.name == profile));
        let account = rules.account.clone().unwrap_or_else(|| EMBEDDED.into());
        let own = match self.account(&account) {
            Carrier::Account(account) => account.own_address(),
            Carrier::Maildir(_) => None,
        };
        let sender = rules.from.as_deref().and_then(report::bare);
        let mut recipients: Vec<String> = rules.to.iter().filter_map(|to| report::bare(to)).collect();
        beside(&mut recipients, &account, rules);
        let letter = NewLetter {
            kind: "run".into(),
            sender: sender.or_else(|| own.map(str::to_owned)).unwrap_or_default(),
            recipients,
            account,
            profile: None,
        };
        self.state.outbox().send_again(id, &letter, gives_up, self.now())
    }
}

//! Hears of new mail for the archives that want to run when some comes: a connection and a thread for each account.
//!
//! As with folders, what is heard is a hint that says nothing but "run". What nobody heard of, because a connection was
//! dead or the server does not tell, is found by the next run that is due.

mod ear;
mod known;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use self::ear::{Common, Ear};
use super::protocol::Watched;
use super::work::Shared;
use crate::mutex::lock;
use crate::profile::{Config, Imap};

/// All accounts that are listened to. Dropped, it listens no more.
#[derive(Default)]
pub(super) struct Ears(BTreeMap<String, Kept>);

/// A thread that listens, as the loop sees it.
struct Kept {
    mailbox: Imap,
    common: Arc<Common>,
    /// Wakes the thread up; gone, it ends.
    wake: Sender<()>,
}

impl Ears {
    /// Listens from now on to the mailboxes of these profiles that want it, and to no others. `pace` is how many times
    /// as fast as the machine's its clock is.
    ///
    /// # Errors
    /// A thread cannot be started. Those that could be listen.
    pub fn set(&mut self, shared: &Shared, pace: u32) -> std::io::Result<()> {
        let wanted = wanted(&shared.config);
        self.0
            .retain(|account, kept| wanted.get(account).is_some_and(|(mailbox, _)| *mailbox == kept.mailbox));
        for (account, (mailbox, profiles)) in wanted {
            if let Some(kept) = self.0.get(&account) {
                *lock(&kept.common.profiles) = profiles;
                continue;
            }
            let common = Arc::new(Common::new(&account, profiles));
            let (wake, woken) = mpsc::channel();
            let ear = Ear::new(shared.clone(), &account, &mailbox, Arc::clone(&common), pace);
            let thread = std::thread::Builder::new().name(format!("mail {account}"));
            thread.spawn(move || ear.work(&woken))?;
            self.0.insert(account, Kept { mailbox, common, wake });
        }
        Ok(())
    }

    /// Connects anew: the machine was asleep, and nobody tells whether its connections are still there.
    pub fn again(&self) {
        for kept in self.0.values() {
            let _ = kept.wake.send(());
            kept.common.cut();
        }
    }

    /// Profiles that do not hear of new mail at once, and why.
    pub fn seen(&self) -> Vec<Watched> {
        let mut seen = Vec::new();
        for kept in self.0.values() {
            let polled = lock(&kept.common.polled).clone();
            let profiles = lock(&kept.common.profiles);
            seen.extend(
                profiles.iter().map(|profile| Watched { profile: profile.clone(), polled: polled.clone() }),
            );
        }
        seen
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // The other end is to be found gone by a thread that the cut wakes up.
        self.wake = mpsc::channel().0;
        self.common.cut();
    }
}

/// The mailboxes that are to be listened to, each with the profiles that run then.
fn wanted(config: &Config) -> BTreeMap<String, (Imap, Vec<String>)> {
    let mut wanted: BTreeMap<String, (Imap, Vec<String>)> = BTreeMap::new();
    for profile in config.profiles.iter().filter(|profile| profile.timing.on_mail) {
        for account in profile.job.mailboxes() {
            let Some(mailbox) = config.mailboxes.get(account) else { continue };
            let (_, profiles) =
                wanted.entry(account.to_owned()).or_insert_with(|| (mailbox.clone(), Vec::new()));
            profiles.push(profile.name.clone());
        }
    }
    wanted
}

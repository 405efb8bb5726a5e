//! Hands letters to accounts: what each kind of account wants, when one is not to be asked at all, and what its
//! answers mean for the ones after.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::Agent;
use super::deliver::EMBEDDED;
use super::inbox::Inboxes;
use crate::error::{Error, Result};
use crate::mail::maildir::{Maildir, Postman};
use crate::mail::secret::{self, Secret};
use crate::mail::{Answer, Fault, FaultKind, Parcel, sendmail, smtp};
use crate::profile::{Account, Login, Smtp, Webhook};
use crate::report;
use crate::run::RunId;

/// How long the whole conversation about one letter may take, beside the time for its bytes.
const DEADLINE: Duration = Duration::from_secs(120);

/// The slowest line that we wait for, in bytes a second.
const SLOWEST: u64 = 8 << 10;

/// A letter for one account.
pub(super) struct Load<'a> {
    /// Its id.
    pub id: RunId,
    /// The sender's address.
    pub sender: &'a str,
    /// Whether the account's own address is the sender where it has one: few servers let others' addresses pass.
    pub as_itself: bool,
    /// The recipients' addresses.
    pub recipients: &'a [String],
    /// The mail as it goes out.
    pub mail: &'a [u8],
}

/// What an account did with a letter.
pub(super) enum Carried {
    /// It lies in a Maildir.
    Filed(PathBuf),
    /// Its answers, one for each recipient.
    Answered(Vec<Answer>),
}

/// The accounts as far as they were met since the outbox was opened: a secret is fetched once, and an account that
/// could not be reached is not asked again for each letter that waits.
pub(super) struct Carriers<'a> {
    agent: &'a Agent<'a>,
    secrets: BTreeMap<String, Secret>,
    closed: BTreeMap<String, String>,
    /// Lines that are open.
    wires: BTreeMap<String, smtp::Wire>,
    /// The mailboxes of the accounts.
    pub(super) inboxes: Inboxes<'a>,
}

/// By its whole address: many hooks of one host may be somebody else's.
fn key(hook: &Webhook) -> String {
    format!("webhook {}", hook.0)
}

impl<'a> Carriers<'a> {
    pub(super) fn new(agent: &'a Agent<'a>) -> Self {
        Self {
            agent,
            secrets: BTreeMap::new(),
            closed: BTreeMap::new(),
            wires: BTreeMap::new(),
            inboxes: Inboxes::new(agent),
        }
    }

    /// Why a webhook is not asked again in this round, if it is not.
    pub(super) fn hook_is_closed(&self, hook: &Webhook) -> Option<String> {
        self.closed.get(&key(hook)).cloned()
    }

    /// A webhook did not take a letter: the next ones do not wait for it too.
    pub(super) fn close_hook(&mut self, hook: &Webhook, reason: &str) {
        self.closed.insert(key(hook), reason.to_owned());
    }

    /// Hands a letter to an account and remembers how the account is. `Err` is a fault of the account, in words:
    /// nobody has the letter.
    pub(super) fn carry(&mut self, name: &str, load: &Load<'_>) -> Result<Carried, String> {
        if let Some(reason) = self.closed.get(name) {
            return Err(reason.clone());
        }
        let now = self.agent.clock.now();
        match self.hand_over(name, load) {
            Ok(carried) => {
                self.note(self.agent.state.accounts().up(name));
                Ok(carried)
            }
            Err(fault) => {
                let reason = said(&fault.error);
                if fault.kind != FaultKind::Login {
                    self.note(self.agent.state.accounts().down(name, &reason, now));
                }
                // What goes wrong with a folder or a command may be about this letter alone.
                if matches!(self.agent.account(name), Carrier::Account(Account::Smtp(_))) {
                    self.closed.insert(name.to_owned(), reason.clone());
                }
                Err(reason)
            }
        }
    }

    /// What is known of an account only helps: that it cannot be written down must not hold a letter up.
    fn note(&self, written: Result<()>) {
        drop(written);
    }

    fn hand_over(&mut self, name: &str, load: &Load<'_>) -> Result<Carried, Fault> {
        let agent = self.agent;
        match agent.account(name) {
            Carrier::Maildir(path) => agent.file(load.id, load.mail, &path).map(Carried::Filed).map_err(down),
            Carrier::Account(Account::Maildir(path)) => {
                agent.file(load.id, load.mail, path).map(Carried::Filed).map_err(down)
            }
            Carrier::Account(account @ Account::Sendmail(sendmail)) => {
                let parcel = parcel(account, load, load.mail);
                sendmail::send(sendmail, &parcel, deadline(load.mail)).map(Carried::Answered)
            }
            Carrier::Account(account @ Account::Smtp(smtp)) => {
                let secret = self.secret(name, smtp)?;
                let wire = self.wires.entry(name.to_owned()).or_default();
                let mut sent = |mail: &[u8]| {
                    wire.send(
                        smtp,
                        secret.as_ref(),
                        &parcel(account, load, mail),
                        &agent.host,
                        deadline(mail),
                    )
                };
                let fault = match sent(load.mail) {
                    Ok(answers) => return Ok(Carried::Answered(answers)),
                    Err(fault) => fault,
                };
                match fault.kind {
                    FaultKind::TooLarge => {
                        let smaller = report::slim(load.mail, load.id).map(|slim| sent(&slim));
                        match smaller {
                            Some(Ok(answers)) => Ok(Carried::Answered(answers)),
                            Some(Err(fault)) if fault.kind != FaultKind::TooLarge => Err(fault),
                            // Nothing more can be taken off: it will never pass here.
                            _ => Ok(Carried::Answered(vec![
                                Answer::Refused(said(&fault.error));
                                load.recipients.len()
                            ])),
                        }
                    }
                    FaultKind::Login => {
                        agent.refused(name, smtp, secret.as_ref(), &fault.error.one_line());
                        Err(fault)
                    }
                    FaultKind::Down => Err(fault),
                }
            }
        }
    }

    /// The account's secret, unless it is the one that was refused.
    fn secret(&mut self, name: &str, smtp: &Smtp) -> Result<Option<Secret>, Fault> {
        let Some(login) = &smtp.login else { return Ok(None) };
        let secret = match self.secrets.get(name) {
            Some(secret) => secret.clone(),
            None => secret::fetch(&login.secret).map_err(down)?,
        };
        self.secrets.insert(name.to_owned(), secret.clone());
        let health = self.agent.state.accounts().get(name).unwrap_or_default();
        if let Some(refused) = health.as_ref().and_then(|health| health.refused_secret.as_deref())
            && refused == self.agent.mark_of(smtp, login, &secret)
        {
            let reason = health.as_ref().and_then(|health| health.reason.as_deref()).unwrap_or_default();
            let message = format!("not tried again with the secret that was refused: {reason}");
            let error = Error::other(message)
                .hint(format!("put the secret right, then: postkeep account test {name}"));
            return Err(Fault { kind: FaultKind::Login, error });
        }
        Ok(Some(secret))
    }
}

/// What a name of an account stands for now.
pub(super) enum Carrier<'a> {
    /// The Maildir in the state folder.
    Maildir(PathBuf),
    /// One of the configuration.
    Account(&'a Account),
}

impl Carrier<'_> {
    pub(super) fn is_maildir(&self) -> bool {
        matches!(self, Self::Maildir(_) | Self::Account(Account::Maildir(_)))
    }
}

impl Agent<'_> {
    /// The account of this name. One that is gone takes no letter ever again: its letters go where reports go now.
    pub(super) fn account(&self, name: &str) -> Carrier<'_> {
        let own = || self.accounts.get(self.orphans.account.as_ref()?);
        let found = match name {
            EMBEDDED => None,
            name => self.accounts.get(name).or_else(own),
        };
        found.map_or_else(|| Carrier::Maildir(self.state_dir.join("mail")), Carrier::Account)
    }

    /// Puts a letter into a Maildir.
    pub(super) fn file(&self, id: RunId, mail: &[u8], path: &Path) -> Result<PathBuf> {
        let by = Postman { host: &self.host, pid: std::process::id() };
        Maildir::open_or_create(path)?.deliver(&id.to_string(), mail, self.clock.now(), by)
    }

    /// Writes down that the account refuses this secret, so that nobody tries it again.
    pub(super) fn refused(&self, name: &str, smtp: &Smtp, secret: Option<&Secret>, reason: &str) {
        let (Some(login), Some(secret)) = (&smtp.login, secret) else { return };
        let mark = self.mark_of(smtp, login, secret);
        // If it cannot be written down, the next try says so again.
        let _ = self.state.accounts().login_refused(name, &mark, reason, self.clock.now());
    }

    /// Stands for a secret at a server: another secret, user or server has another mark.
    pub(super) fn mark_of(&self, smtp: &Smtp, login: &Login, secret: &Secret) -> String {
        let install = self.state.install_id().unwrap_or_default();
        secret.mark(&install, &smtp.server(), &login.user)
    }

    /// The time that a letter of this age was written.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// An error with what to do about it, in one line: it is shown where there is no room for hints.
pub(super) fn said(error: &Error) -> String {
    let mut line = error.one_line();
    if let Some(hint) = error.hints().first() {
        line.push_str("; ");
        line.push_str(hint);
    }
    line
}

fn down(error: Error) -> Fault {
    Fault { kind: FaultKind::Down, error }
}

/// The letter as this account sends it. A letter without any sender is one that wants no answer.
fn parcel<'a>(account: &'a Account, load: &Load<'a>, mail: &'a [u8]) -> Parcel<'a> {
    let own = account.own_address().filter(|_| load.as_itself || load.sender.is_empty());
    let sender = own.unwrap_or(load.sender);
    Parcel { sender, recipients: load.recipients, mail }
}

/// How long the conversation about so many bytes may take.
pub(super) fn deadline(mail: &[u8]) -> Duration {
    DEADLINE + Duration::from_secs(mail.len() as u64 / SLOWEST)
}

//! Looks an account over for a person: step by step, to the first that fails, then with a letter.

use std::time::Duration;

use super::Agent;
use super::carry::Carrier;
use crate::error::{Error, Kind, Result};
use crate::mail::imap::{self, Patience};
use crate::mail::pop3;
use crate::mail::probe::{Step, probe};
use crate::mail::secret::{self, Secret};
use crate::mail::{Answer, FaultKind, Parcel, sendmail, smtp};
use crate::profile::Account;
use crate::report;
use crate::vault::login::{self, Mailbox};

/// How long each of the look and the letter may take: somebody waits for it.
const DEADLINE: Duration = Duration::from_secs(30);

/// What a look at an account found.
#[derive(Debug, Default)]
pub struct Tested {
    /// The steps towards what carries letters, in their order; only the last can have failed.
    pub steps: Vec<Step>,
    /// The steps towards the mailbox, likewise.
    pub mailbox: Vec<Step>,
    /// The steps towards the mailbox by POP3, likewise.
    pub maildrop: Vec<Step>,
    /// Whom the test letter was for; empty if none was sent.
    pub to: Vec<String>,
}

impl Tested {
    /// Whether all went well.
    pub fn is_ok(&self) -> bool {
        self.all().all(|step| step.result.is_ok())
    }

    /// The steps of all sides.
    pub fn all(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().chain(&self.mailbox).chain(&self.maildrop)
    }
}

fn patience() -> Patience {
    Patience { silence: DEADLINE, ..Patience::default() }
}

impl Agent<'_> {
    /// Looks at all sides of an account step by step, and sends a letter through it to `to`, or to those who get the
    /// reports. A login that was refused before is tried again, since a person asks for it.
    ///
    /// # Errors
    /// There is no such account, or the state cannot be read. What is wrong with the account is in the steps.
    pub fn test_account(&self, name: &str, to: &[String], letter: bool) -> Result<Tested> {
        self.test_sides(name, true, to, letter)
    }

    /// The same for the side that carries letters alone.
    ///
    /// # Errors
    /// As [`Agent::test_account`].
    pub fn test_carrier(&self, name: &str, to: &[String]) -> Result<Tested> {
        self.test_sides(name, false, to, true)
    }

    /// `reads`: also the sides from which messages are read.
    fn test_sides(&self, name: &str, reads: bool, to: &[String], letter: bool) -> Result<Tested> {
        let carrier = self.accounts.get(name);
        let mailbox = self.mailboxes.get(name).filter(|_| reads);
        let maildrop = self.maildrops.get(name).filter(|_| reads);
        if carrier.is_none() && mailbox.is_none() && maildrop.is_none() {
            return Err(Error::new(Kind::Usage, format!("there is no account \"{name}\""))
                .hint("`postkeep account list` shows the accounts of postkeep.toml"));
        }
        let login = match carrier {
            Some(Account::Smtp(smtp)) => smtp.login.as_ref(),
            Some(Account::Maildir(_) | Account::Sendmail(_)) | None => None,
        };
        let mut tested = Tested::default();
        // All sides have one secret.
        let login = login.or(mailbox.map(|mailbox| &mailbox.login));
        let login = login.or(maildrop.map(|maildrop| &maildrop.login));
        let secret = match login.map(|login| secret::fetch(&login.secret)).transpose() {
            Ok(secret) => secret,
            Err(error) => {
                tested.steps.push(Step { name: "secret", result: Err(error) });
                return Ok(tested);
            }
        };
        if let Some(account) = carrier {
            self.look_at_carrier(name, account, secret.as_ref(), letter.then_some(to), &mut tested);
        }
        if let (Some(mailbox), Some(secret)) = (mailbox, &secret) {
            tested.mailbox = imap::look(mailbox, secret, patience());
            self.remember_login(name, mailbox, secret, &tested.mailbox);
        }
        if let (Some(maildrop), Some(secret)) = (maildrop, &secret) {
            tested.maildrop = pop3::look(maildrop, secret, patience());
            self.remember_login(name, maildrop, secret, &tested.maildrop);
        }
        Ok(tested)
    }

    fn look_at_carrier(
        &self,
        name: &str,
        account: &Account,
        secret: Option<&Secret>,
        letter: Option<&[String]>,
        tested: &mut Tested,
    ) {
        let mut steps = probe(account, secret, &self.host, DEADLINE);
        self.remember(name, account, secret, &steps);
        if let Some(to) = letter
            && steps.iter().all(|step| step.result.is_ok())
        {
            tested.to = self.test_readers(account, to);
            let result = self.send_test(name, account, secret, &tested.to);
            steps.push(Step { name: "letter", result });
        }
        tested.steps = steps;
    }

    /// What the look tells about a mailbox is used by whoever reads it.
    fn remember_login<M: Mailbox>(&self, name: &str, mailbox: &M, secret: &Secret, steps: &[Step]) {
        match steps.iter().find_map(|step| step.result.as_ref().err()) {
            None => login::taken(&self.state, name, M::SIDE),
            Some(error) if error.kind() == Kind::Login => {
                login::refused(&self.state, name, mailbox, secret, error, self.now());
            }
            Some(_) => {}
        }
    }

    /// What the look tells about the account is used by the letters that wait.
    fn remember(&self, name: &str, account: &Account, secret: Option<&Secret>, steps: &[Step]) {
        let failed = steps.iter().find_map(|step| Some((step.name, step.result.as_ref().err()?)));
        match (failed, account) {
            (None, _) => drop(self.state.accounts().up(name)),
            (Some(("login", error)), Account::Smtp(smtp)) if error.kind() == Kind::Login => {
                self.refused(name, smtp, secret, &error.one_line());
            }
            _ => {}
        }
    }

    fn test_readers(&self, account: &Account, to: &[String]) -> Vec<String> {
        let asked = if to.is_empty() { &self.orphans.to } else { to };
        let mut readers: Vec<String> = asked.iter().filter_map(|text| report::bare(text)).collect();
        if readers.is_empty() {
            readers.extend(account.own_address().map(str::to_owned));
        }
        readers
    }

    fn send_test(
        &self,
        name: &str,
        account: &Account,
        secret: Option<&Secret>,
        to: &[String],
    ) -> Result<String> {
        if to.is_empty() && !Carrier::Account(account).is_maildir() {
            return Err(Error::new(Kind::Usage, "nobody is named who could get the test letter")
                .hint("name somebody with --to, or write `to` under [report] in postkeep.toml"));
        }
        let install_id = self.state.install_id()?;
        let id = super::new_id(self.now());
        let test = report::TestLetter {
            id,
            account: name,
            host: &self.host,
            install_id: &install_id,
            own_address: account.own_address(),
            from: self.orphans.from.as_deref(),
            to,
            now: self.now(),
            zone: &super::facts::zone(self.orphans),
        };
        let (sender, mail) = test.render()?;
        let parcel = Parcel { sender: &sender, recipients: to, mail: &mail };
        let answers = match account {
            Account::Maildir(path) => {
                return Ok(format!("lies in {}", self.file(id, &mail, path)?.display()));
            }
            Account::Sendmail(program) => sendmail::send(program, &parcel, DEADLINE),
            Account::Smtp(smtp) => smtp::Wire::default().send(smtp, secret, &parcel, &self.host, DEADLINE),
        };
        let answers = answers.map_err(|fault| {
            debug_assert!(fault.kind != FaultKind::TooLarge);
            fault.error
        })?;
        let refused = answers.iter().zip(to).find_map(|(answer, to)| match answer {
            Answer::Accepted => None,
            Answer::Refused(reason) => Some(format!("the server refuses it for {to}: {reason}")),
            Answer::Later(reason) => Some(format!("the server does not take it for {to} now: {reason}")),
        });
        match refused {
            Some(reason) => {
                Err(Error::other(reason).hint("look whether `from` and `to` under [report] are right"))
            }
            None => Ok(format!("accepted for {}", to.join(", "))),
        }
    }
}

//! `postkeep account`: the accounts that carry reports, and whether they work.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Context, config, out, table};
use crate::agent::{self, Agent, Tested};
use crate::clock::System;
use crate::entry::show;
use crate::error::Result;
use crate::mail::probe::Step;
use crate::profile::{
    Account, Config, Imap, Login, Pop3, Preset, Profile, Proof, ReportRules, SecretSource, Tls, VaultPlace,
    Way,
};
use crate::state::{Health, Side};

/// The accounts of postkeep.toml: list them, test one
#[derive(Debug, Args)]
pub(crate) struct AccountArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(ListArgs),
    Test(TestArgs),
}

/// List the accounts, who uses them, and how they are
#[derive(Debug, Args)]
struct ListArgs {}

/// Test an account step by step, and send a letter through it
///
/// Fetches the secret, finds the server, connects, checks its certificate, logs in, asks for the limits and sends a
/// short letter; then the same, without a letter, for the account's mailbox (imap, pop3), if it has one. The first step
/// that fails on any side is explained, with what to do. Letters and backups that wait because the login was refused are
/// tried again after a test that went well.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep account test gmail
  postkeep account test gmail --to ann@example.org
  postkeep account test gmail --no-letter
  postkeep account test gmail --full     a block to be shared when asking for help: no secret, no address in it

Exit codes: 0 all went well, 1 a step failed.")]
struct TestArgs {
    /// The account's name: [accounts.NAME] in postkeep.toml
    name: String,
    /// Who gets the letter [default: `to` under [report], else the account's own address]
    #[arg(long, value_name = "ADDRESS")]
    to: Vec<String>,
    /// Send no letter
    #[arg(long)]
    no_letter: bool,
    /// Print a block that can be shared: everything but names, addresses and secrets
    #[arg(long)]
    full: bool,
}

pub(crate) fn run(args: &AccountArgs, ctx: &Context) -> Result<ExitCode> {
    match &args.verb {
        Verb::List(_) => list(ctx),
        Verb::Test(args) => test(args, ctx),
    }
}

fn list(ctx: &Context) -> Result<ExitCode> {
    let (config, _) = config::load_some(ctx, &[])?;
    let state = agent::look(&ctx.state_dir)?;
    let health = state.map(|state| state.accounts().all()).transpose()?.unwrap_or_default();
    let find = |name: &str| health.iter().find(|health| health.name == name);
    let of = |name: &str| Healths {
        carrier: find(name),
        mailbox: find(&Side::Imap.of(name)),
        maildrop: find(&Side::Pop3.of(name)),
    };
    if ctx.json {
        let accounts: Vec<_> = named(&config).iter().map(|one| as_json(one, &of(one.name))).collect();
        out::print(&format!("{}\n", json!({ "accounts": accounts })))?;
        return Ok(ExitCode::SUCCESS);
    }
    let named = named(&config);
    if named.is_empty() {
        out::print("no accounts: reports go to the Maildir in the state folder\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let head = ["ACCOUNT", "KIND", "WHERE", "USED FOR", "STATE"].map(str::to_owned).to_vec();
    let rows = named.iter().map(|one| {
        let uses = uses(&config, one.name);
        vec![one.name.to_owned(), one.kinds(), one.place(), uses, state_of(&of(one.name))]
    });
    out::print(&table::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    Ok(ExitCode::SUCCESS)
}

/// An account with what it can do.
struct Named<'a> {
    name: &'a str,
    carrier: Option<&'a Account>,
    mailbox: Option<&'a Imap>,
    maildrop: Option<&'a Pop3>,
}

fn named(config: &Config) -> Vec<Named<'_>> {
    let Config { accounts, mailboxes, maildrops, .. } = config;
    let names: BTreeSet<_> = accounts.keys().chain(mailboxes.keys()).chain(maildrops.keys()).collect();
    let named = names.into_iter().map(|name| Named {
        name,
        carrier: accounts.get(name),
        mailbox: mailboxes.get(name),
        maildrop: maildrops.get(name),
    });
    named.collect()
}

impl Named<'_> {
    fn kinds(&self) -> String {
        self.all_kinds().join(", ")
    }

    fn all_kinds(&self) -> Vec<&'static str> {
        let kinds = [self.carrier.map(kind), self.mailbox.map(|_| "imap"), self.maildrop.map(|_| "pop3")];
        kinds.into_iter().flatten().collect()
    }

    fn place(&self) -> String {
        let mailbox = || self.mailbox.map(Imap::server);
        let maildrop = || self.maildrop.map(Pop3::server);
        self.carrier.map(place).or_else(mailbox).or_else(maildrop).unwrap_or_default()
    }

    fn login(&self) -> Option<&Login> {
        let carrier = self.carrier.and_then(login);
        let mailbox = || self.mailbox.map(|mailbox| &mailbox.login);
        carrier.or_else(mailbox).or_else(|| self.maildrop.map(|maildrop| &maildrop.login))
    }
}

/// How the sides of an account are.
struct Healths<'h> {
    carrier: Option<&'h Health>,
    mailbox: Option<&'h Health>,
    maildrop: Option<&'h Health>,
}

fn as_json(account: &Named<'_>, healths: &Healths<'_>) -> serde_json::Value {
    let health = healths.carrier;
    json!({
        "name": account.name,
        "kind": account.all_kinds().first(),
        "where": account.place(),
        "imap": account.mailbox.map(Imap::server),
        "pop3": account.maildrop.map(Pop3::server),
        "user": account.login().map(|login| &login.user),
        "secret": account.login().map(secret_kind),
        "down-since": health.and_then(|health| health.down_since),
        "login-refused": refused(health),
        "imap-login-refused": refused(healths.mailbox),
        "pop3-login-refused": refused(healths.maildrop),
        "reason": health.and_then(|health| health.reason.as_deref()),
    })
}

fn kind(account: &Account) -> &'static str {
    match account {
        Account::Maildir(_) => "maildir",
        Account::Sendmail(_) => "sendmail",
        Account::Smtp(_) => "smtp",
    }
}

fn place(account: &Account) -> String {
    match account {
        Account::Maildir(path) => show(path.as_os_str().as_encoded_bytes()),
        Account::Sendmail(sendmail) => show(sendmail.program.as_os_str().as_encoded_bytes()),
        Account::Smtp(smtp) => smtp.server(),
    }
}

fn uses(config: &Config, name: &str) -> String {
    let rules =
        || std::iter::once(&config.report).chain(config.profiles.iter().map(|profile| &profile.report));
    let mut uses = Vec::new();
    if rules().any(|rules| rules.account.as_deref() == Some(name)) {
        uses.push("reports");
    }
    let leads_here = |rules: &ReportRules| {
        rules.fallback.iter().any(|way| match way {
            Way::Account(other) => other == name,
            Way::ImapAppend => rules.account.as_deref() == Some(name),
            Way::Webhook => false,
        })
    };
    if rules().any(leads_here) {
        uses.push("fallback");
    }
    let is_here =
        |vault: &VaultPlace| matches!(vault, VaultPlace::Mailbox { account, .. } if account == name);
    let vaults =
        |profile: &Profile| profile.job.keeping().is_some_and(|keeping| keeping.vaults.iter().any(is_here));
    if config.profiles.iter().any(vaults) {
        uses.push("vault");
    }
    if uses.is_empty() { "-".into() } else { uses.join(", ") }
}

fn refused(health: Option<&Health>) -> bool {
    health.is_some_and(|health| health.refused_secret.is_some())
}

fn state_of(healths: &Healths<'_>) -> String {
    if refused(healths.carrier) {
        return "login refused: postkeep account test".into();
    }
    let down = healths.carrier.and_then(|health| health.down_since);
    let down = down.map(|since| format!("down since {}", table::when(since)));
    let sides = [("imap", healths.mailbox), ("pop3", healths.maildrop)];
    let sides = sides.into_iter().filter(|(_, health)| refused(*health));
    let sides = sides.map(|(side, _)| format!("{side} login refused: postkeep account test"));
    let all: Vec<_> = down.into_iter().chain(sides).collect();
    if all.is_empty() { "-".into() } else { all.join("; ") }
}

fn login(account: &Account) -> Option<&Login> {
    match account {
        Account::Smtp(smtp) => smtp.login.as_ref(),
        Account::Maildir(_) | Account::Sendmail(_) => None,
    }
}

fn secret_kind(login: &Login) -> &'static str {
    match (&login.secret, login.proof) {
        (SecretSource::Command(_), Proof::Token) => "token-command",
        (SecretSource::Command(_), Proof::Password) => "password-command",
        (SecretSource::File(_), _) => "password-file",
        (SecretSource::Env(_), _) => "password-env",
        (SecretSource::Credential(_), _) => "password-credential",
        (SecretSource::Keyring { .. }, _) => "keyring",
    }
}

fn test(args: &TestArgs, ctx: &Context) -> Result<ExitCode> {
    let (config, _) = config::load_some(ctx, &[])?;
    let agent = Agent::open(&ctx.state_dir, &config, &System)?;
    let tested = agent.test_account(&args.name, &args.to, !args.no_letter)?;
    if args.full {
        let named = named(&config).into_iter().find(|one| one.name == args.name);
        out::print(&named.map(|one| full(&tested, &one)).unwrap_or_default())?;
    } else if ctx.json {
        let json_of = |steps: &[Step]| steps.iter().map(step_json).collect::<Vec<_>>();
        let said = json!({
            "account": args.name,
            "ok": tested.is_ok(),
            "steps": json_of(&tested.steps),
            "imap": json_of(&tested.mailbox),
            "pop3": json_of(&tested.maildrop),
        });
        out::print(&format!("{said}\n"))?;
    } else {
        tell(&tested, ctx)?;
    }
    Ok(if tested.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn step_json(step: &Step) -> serde_json::Value {
    match &step.result {
        Ok(text) => json!({ "step": step.name, "ok": true, "text": text }),
        Err(error) => {
            json!({ "step": step.name, "ok": false, "error": error.one_line(), "hints": error.hints() })
        }
    }
}

/// Shows the steps, and what to do about the one that failed.
pub(super) fn tell(tested: &Tested, ctx: &Context) -> Result<()> {
    let line = |step: &Step| match &step.result {
        Ok(_) if ctx.quiet => String::new(),
        Ok(said) => format!("  {:<8} {said}\n", step.name),
        Err(_) => format!("  {:<8} FAILED\n", step.name),
    };
    let mut text: String = tested.steps.iter().map(line).collect();
    for (head, steps) in [("its mailbox", &tested.mailbox), ("its mailbox by POP3", &tested.maildrop)] {
        if !text.is_empty() && !steps.is_empty() && !ctx.quiet {
            text.push_str(&format!("{head}:\n"));
        }
        text.extend(steps.iter().map(line));
    }
    out::print(&text)?;
    for error in tested.all().filter_map(|step| step.result.as_ref().err()) {
        out::warn(&format!("postkeep: {}", error.one_line()));
        error.hints().iter().for_each(|hint| out::warn(&format!("  hint: {hint}")));
    }
    Ok(())
}

/// A block to be shared: what the account is like and how each step went, with names and addresses taken out.
fn full(tested: &Tested, named: &Named<'_>) -> String {
    let mut text = format!("postkeep {} on {}\n", env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    let mut private: Vec<(String, &str)> = tested.to.iter().map(|to| (to.clone(), "READER")).collect();
    let mut side = |head: &str, server: Option<Server<'_>>, steps: &[Step]| {
        text.push_str(head);
        if let Some(server) = server {
            text.push_str(&server.shown());
            private.extend(server.login.map(|login| (login.user.clone(), "USER")));
            // A provider's name is nobody's secret; that of one's own server may be.
            if server.preset.is_none() {
                private.push((server.host.to_owned(), "SERVER"));
            }
        }
        text.push('\n');
        for step in steps {
            let said = match &step.result {
                Ok(said) => format!("ok: {said}"),
                Err(error) => format!("FAILED: {}", error.one_line()),
            };
            text.push_str(&format!("{:<8} {}\n", step.name, masked(&said, &private)));
        }
    };
    if let Some(account) = named.carrier {
        let server = match account {
            Account::Smtp(smtp) => Some(Server {
                preset: smtp.preset,
                host: &smtp.host,
                port: smtp.port,
                tls: smtp.tls,
                ca_file: smtp.ca_file.is_some(),
                login: smtp.login.as_ref(),
            }),
            Account::Maildir(_) | Account::Sendmail(_) => None,
        };
        side(&format!("kind     {}", kind(account)), server, &tested.steps);
    }
    // Without a carrier the first side has the steps before the sides part: the secret.
    let mut parted = named.carrier.is_none().then_some(&tested.steps).filter(|steps| !steps.is_empty());
    if let Some(mailbox) = named.mailbox {
        let server = Server {
            preset: mailbox.preset,
            host: &mailbox.host,
            port: mailbox.port,
            tls: mailbox.tls,
            ca_file: mailbox.ca_file.is_some(),
            login: Some(&mailbox.login),
        };
        side("kind     imap", Some(server), parted.take().unwrap_or(&tested.mailbox));
    }
    if let Some(maildrop) = named.maildrop {
        let server = Server {
            preset: maildrop.preset,
            host: &maildrop.host,
            port: maildrop.port,
            tls: maildrop.tls,
            ca_file: maildrop.ca_file.is_some(),
            login: Some(&maildrop.login),
        };
        side("kind     pop3", Some(server), parted.take().unwrap_or(&tested.maildrop));
    }
    text
}

/// A server, as far as it is told of to others.
struct Server<'a> {
    preset: Option<Preset>,
    host: &'a str,
    port: u16,
    tls: Tls,
    ca_file: bool,
    login: Option<&'a Login>,
}

impl Server<'_> {
    fn shown(&self) -> String {
        let tls = match self.tls {
            Tls::Implicit => "implicit",
            Tls::Starttls => "starttls",
            Tls::None => "none",
        };
        let server = match self.preset {
            Some(preset) => format!("preset {}", preset.word()),
            None => "own server".into(),
        };
        let ca_file = if self.ca_file { ", ca-file" } else { "" };
        let login = self.login.map_or("no login", secret_kind);
        format!(", {server}, port {}, tls {tls}{ca_file}, {login}", self.port)
    }
}

/// The text without what is private, longest first, so that no part of an address is left; and without any other
/// word that looks like an address.
fn masked(text: &str, private: &[(String, &str)]) -> String {
    let mut private: Vec<_> = private.iter().filter(|(name, _)| !name.is_empty()).collect();
    private.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let mut masked = text.to_owned();
    for (name, stand_in) in private {
        masked = masked.replace(name.as_str(), stand_in);
    }
    let word = |word: &str| match word.split_once('@') {
        Some((before, after)) if !before.is_empty() && after.contains('.') => "ADDRESS".to_owned(),
        _ => word.to_owned(),
    };
    masked.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_names_nobody() {
        let private = [
            ("ann".to_owned(), "USER"),
            ("ann@mail.home.lan".to_owned(), "READER"),
            ("mail.home.lan".to_owned(), "SERVER"),
        ];
        let cases = [
            ("accepted for ann@mail.home.lan", "accepted for READER"),
            ("mail.home.lan:465 refuses ann", "SERVER:465 refuses USER"),
            ("<bob@other.example>: no such user", "ADDRESS no such user"),
            ("TLS 1.3, 12 days", "TLS 1.3, 12 days"),
        ];
        for (text, expected) in cases {
            assert_eq!(masked(text, &private), expected);
        }
    }
}

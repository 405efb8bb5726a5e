//! From an account as written to its [`Sides`] as meant.

use std::collections::BTreeMap;
use std::path::Path;

use super::file::{AccountFile, SmtpFile};
use super::paths::{Env, expand};
use super::problem::{Place, Problem};
use super::read::{KeyPath, Sheet};
use super::server::{At, SMTP, Written};
use super::wrong::{Wrong, quote};
use super::{Account, Imap, Login, MAIN_FILE, Pop3, Proof, SecretSource, Sendmail, Smtp, imap, pop3};

/// Where `sendmail = true` looks: every mail system puts its command there.
const SENDMAIL: &str = "/usr/sbin/sendmail";

/// The keys that name a secret, each with what it is.
const SECRETS: [&str; 6] =
    ["password-command", "password-file", "password-env", "password-credential", "keyring", "token-command"];

/// What an account can do; at least one of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sides {
    /// Carries letters.
    pub carrier: Option<Account>,
    /// Keeps messages.
    pub mailbox: Option<Imap>,
    /// Hands messages out by POP3.
    pub maildrop: Option<Pop3>,
}

/// The accounts by name, none for one that is named but wrong; what is wrong is added to the sheet's problems.
pub(super) fn accounts(main: &mut Sheet, dir: &Path, env: &Env) -> BTreeMap<String, Option<Sides>> {
    let names: Vec<(String, Place)> = main
        .tables
        .iter()
        .filter_map(|(path, place)| match path.as_slice() {
            [table, name] if table == "accounts" => Some((name.clone(), place.clone())),
            _ => None,
        })
        .collect();
    let mut accounts = BTreeMap::new();
    for (name, place) in names {
        let below = |path: &KeyPath| path.len() > 2 && path[0] == "accounts" && path[1] == name;
        let leaves: Vec<_> = main.leaves.iter().filter(|(path, _)| below(path)).collect();
        let file: Option<AccountFile> = main.table(&["accounts", &name]);
        let meant = file.map(|file| account(&name, file, dir, env));
        let wrongs = match meant {
            Some(Ok(sides)) => {
                accounts.insert(name, Some(sides));
                continue;
            }
            Some(Err(wrongs)) => wrongs,
            None => Vec::new(),
        };
        for (key, wrong) in wrongs {
            let of_key = |path: &KeyPath| key.is_some_and(|key| path[2..].join(".") == key);
            let at = leaves.iter().find(|(path, _)| of_key(path)).map(|(_, leaf)| leaf.place.clone());
            main.problems.push(Problem::at(MAIN_FILE, at.unwrap_or_else(|| place.clone()), wrong));
        }
        accounts.insert(name, None);
    }
    accounts
}

fn account(name: &str, file: AccountFile, dir: &Path, env: &Env) -> Result<Sides, Vec<At>> {
    let kinds = [
        ("maildir", file.maildir.is_some()),
        ("sendmail", file.sendmail.is_some()),
        ("smtp", file.smtp.is_some() || file.preset.is_some()),
        ("imap", file.imap.is_some()),
        ("pop3", file.pop3.is_some()),
    ];
    let given: Vec<_> = kinds.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
    let wrong = match given.as_slice() {
        [] => Wrong::new(format!("the account {} says nothing about where letters go", quote(name))).hint(
            "preset = \"gmail\", or smtp = { host = \"...\" }, or sendmail = true, or maildir = \"...\"; or imap or pop3 = { host = \"...\" } for a mailbox alone",
        ),
        [one @ ("maildir" | "sendmail")] if file.user.is_some() || !secrets(&file).is_empty() => {
            Wrong::new(format!("an account with {} has neither user nor secret", quote(one)))
                .hint("leave them out")
        }
        [_] => Wrong::new(String::new()),
        several if several.iter().all(|key| matches!(*key, "smtp" | "imap" | "pop3")) => Wrong::new(String::new()),
        several => Wrong::new(format!("the account {} is {} at once", quote(name), several.join(" and ")))
            .hint("make two accounts of it"),
    };
    if !wrong.message.is_empty() {
        return Err(vec![(None, wrong)]);
    }
    let cannot = |key, wrong| vec![(Some(key), wrong)];
    let carrier = |account| Sides { carrier: Some(account), mailbox: None, maildrop: None };
    if let Some(path) = &file.maildir {
        let path = expand(&path.0, dir, env).map_err(|wrong| cannot("maildir", wrong))?;
        return Ok(carrier(Account::Maildir(path)));
    }
    if let Some(program) = &file.sendmail {
        let program = expand(program.0.as_deref().unwrap_or(SENDMAIL), dir, env);
        let program = program.map_err(|wrong| cannot("sendmail", wrong))?;
        return Ok(carrier(Account::Sendmail(Sendmail { program })));
    }
    servers(name, &file, dir, env)
}

/// The keys of the secrets that are given.
fn secrets(file: &AccountFile) -> Vec<&'static str> {
    let given = [
        file.password_command.is_some(),
        file.password_file.is_some(),
        file.password_env.is_some(),
        file.password_credential.is_some(),
        file.keyring.is_some(),
        file.token_command.is_some(),
    ];
    SECRETS.into_iter().zip(given).filter(|(_, given)| *given).map(|(key, _)| key).collect()
}

/// What a mail server does for the account: it takes letters, keeps messages, or both, for one user.
fn servers(name: &str, file: &AccountFile, dir: &Path, env: &Env) -> Result<Sides, Vec<At>> {
    let mut wrongs: Vec<At> = Vec::new();
    let given = secrets(file);
    if let [_, second, ..] = given.as_slice() {
        let all = given.join(" and ");
        wrongs.push((
            Some(*second),
            Wrong::new(format!("the account has several secrets: {all}")).hint("keep one"),
        ));
    }
    if file.keyring == Some(false) {
        wrongs.push((Some("keyring"), Wrong::new("false says nothing here").hint("leave the line out")));
    }
    match (&file.user, given.first()) {
        (Some(user), _) if user.is_empty() || user.chars().any(char::is_control) => {
            wrongs.push((Some("user"), Wrong::new("this is no name of a user")));
        }
        (Some(_), None) => {
            let wrong = Wrong::new("the account has a user but no secret")
                .hint("add password-command, password-file, or another of the keys for secrets");
            wrongs.push((Some("user"), wrong));
        }
        (None, Some(key)) => {
            let wrong = Wrong::new("the account has a secret but no user").hint("user = \"me@example.org\"");
            wrongs.push((Some(*key), wrong));
        }
        (None, None) if file.preset.is_some() || file.imap.is_some() || file.pop3.is_some() => {
            let who = if file.preset.is_some() { "a provider" } else { "a mailbox" };
            let wrong = Wrong::new(format!("{who} wants to know who you are"))
                .hint("add user = \"me@example.org\" and a secret such as password-command");
            wrongs.push((file.preset.map(|_| "preset"), wrong));
        }
        _ => {}
    }
    if let (Some(preset), Some(key)) = (file.preset, given.first().filter(|key| **key != "token-command"))
        && !preset.takes_password()
    {
        wrongs.push((Some(*key), Wrong::new("this provider takes no password").hint(preset.help())));
    }
    let login = login(name, file, dir, env).map_err(|at| wrongs.push(at)).ok().flatten();
    let carrier = smtp(file, login.as_ref(), dir, env, &mut wrongs).map(Account::Smtp);
    let mailbox = imap::mailbox(file, login.as_ref(), dir, env, &mut wrongs);
    let maildrop = pop3::maildrop(file, login.as_ref(), dir, env, &mut wrongs);
    if wrongs.is_empty() { Ok(Sides { carrier, mailbox, maildrop }) } else { Err(wrongs) }
}

/// The side that takes letters, of an account that has one.
fn smtp(
    file: &AccountFile,
    login: Option<&Login>,
    dir: &Path,
    env: &Env,
    wrongs: &mut Vec<At>,
) -> Option<Smtp> {
    if file.smtp.is_none() && file.preset.is_none() {
        return None;
    }
    let SmtpFile { host, port, tls, ca_file } = file.smtp.clone().unwrap_or_default();
    let written = Written { host, port, tls, ca_file };
    let server = SMTP.server(written, file.preset.map(|preset| preset.smtp()), dir, env, wrongs)?;
    Some(Smtp {
        preset: file.preset,
        host: server.host,
        port: server.port,
        tls: server.tls,
        ca_file: server.ca_file,
        login: login.cloned(),
    })
}

/// The user with his secret; none where there is only one of both.
fn login(name: &str, file: &AccountFile, dir: &Path, env: &Env) -> Result<Option<Login>, At> {
    let (secret, proof) = if let Some(command) = &file.token_command {
        (SecretSource::Command(command.clone()), Proof::Token)
    } else if let Some(command) = &file.password_command {
        (SecretSource::Command(command.clone()), Proof::Password)
    } else if let Some(path) = &file.password_file {
        let path = expand(&path.0, dir, env).map_err(|wrong| (Some("password-file"), wrong))?;
        (SecretSource::File(path), Proof::Password)
    } else if let Some(variable) = &file.password_env {
        (SecretSource::Env(variable.clone()), Proof::Password)
    } else if let Some(credential) = &file.password_credential {
        (SecretSource::Credential(credential.clone()), Proof::Password)
    } else if file.keyring == Some(true) {
        (SecretSource::Keyring { account: name.to_owned() }, Proof::Password)
    } else {
        return Ok(None);
    };
    Ok(file.user.clone().map(|user| Login { user, secret, proof }))
}

#[cfg(test)]
mod tests {
    use super::super::load::tests::{files, rendered};
    use super::super::{Preset, Tls};
    use super::*;

    fn meant(keys: &str) -> Result<Account, String> {
        let loaded = files(&[(MAIN_FILE, &format!("[accounts.a]\n{keys}\n"))]);
        match loaded.config.accounts.get("a") {
            Some(account) if loaded.problems.is_empty() => Ok(account.clone()),
            _ => Err(rendered(&loaded)),
        }
    }

    fn server_of(keys: &str) -> (String, u16, Tls) {
        match meant(keys) {
            Ok(Account::Smtp(smtp)) => (smtp.host, smtp.port, smtp.tls),
            other => panic!("{keys}: {other:?}"),
        }
    }

    #[test]
    fn what_is_not_written_is_what_goes_together() {
        let user = "user = 'me'\npassword-env = 'X'\n";
        for (smtp, port, tls) in [
            ("host = 'mx.example'", 465, Tls::Implicit),
            ("host = 'mx.example', port = 465", 465, Tls::Implicit),
            ("host = 'mx.example', port = 587", 587, Tls::Starttls),
            ("host = 'mx.example', port = 2525", 2525, Tls::Starttls),
            ("host = 'mx.example', tls = 'starttls'", 587, Tls::Starttls),
            ("host = 'localhost', port = 25", 25, Tls::None),
            ("host = 'localhost', tls = 'none'", 25, Tls::None),
            ("host = '127.0.0.9', port = 2525, tls = 'none'", 2525, Tls::None),
            ("host = '::1', port = 25", 25, Tls::None),
        ] {
            let (_, found, protection) = server_of(&format!("{user}smtp = {{ {smtp} }}"));
            assert_eq!((found, protection), (port, tls), "{smtp}");
        }
        let gmail = server_of(&format!("{user}preset = 'gmail'"));
        assert_eq!(gmail, ("smtp.gmail.com".into(), 465, Tls::Implicit));
        let other = server_of(&format!("{user}preset = 'gmail'\nsmtp = {{ port = 587 }}"));
        assert_eq!(other, ("smtp.gmail.com".into(), 587, Tls::Starttls));
        let other =
            server_of(&format!("{user}preset = 'icloud'\nsmtp = {{ host = 'localhost', port = 587 }}"));
        assert_eq!(other, ("localhost".into(), 587, Tls::Starttls));
    }

    #[test]
    fn each_secret_has_its_key() {
        for (key, secret, proof) in [
            ("password-command = 'pass x'", SecretSource::Command("pass x".into()), Proof::Password),
            ("password-file = '~/x'", SecretSource::File("/home/me/x".into()), Proof::Password),
            ("password-env = 'X'", SecretSource::Env("X".into()), Proof::Password),
            ("password-credential = 'x'", SecretSource::Credential("x".into()), Proof::Password),
            ("keyring = true", SecretSource::Keyring { account: "a".into() }, Proof::Password),
            ("token-command = 'oama x'", SecretSource::Command("oama x".into()), Proof::Token),
        ] {
            let account = meant(&format!("preset = 'gmail'\nuser = 'me@gmail.com'\n{key}")).unwrap();
            assert_eq!(account.own_address(), Some("me@gmail.com"));
            let Account::Smtp(Smtp { login: Some(login), preset, .. }) = account else { panic!() };
            assert_eq!((login.secret, login.proof, preset), (secret, proof, Some(Preset::Gmail)));
        }
        let relay = meant("smtp = { host = 'localhost', port = 25 }").unwrap();
        assert!(matches!(relay, Account::Smtp(Smtp { login: None, .. })));
        let program = |keys| match meant(keys) {
            Ok(Account::Sendmail(sendmail)) => sendmail.program,
            other => panic!("{other:?}"),
        };
        assert_eq!(program("sendmail = true"), Path::new(SENDMAIL));
        assert_eq!(program("sendmail = '~/bin/msmtp'"), Path::new("/home/me/bin/msmtp"));
    }

    #[test]
    fn what_does_not_go_together_is_told_at_its_place() {
        for (keys, line, said) in [
            ("", 1, "says nothing about where letters go"),
            ("user = 'me'\npassword-env = 'X'", 1, "says nothing about where"),
            ("maildir = '~/x'\nsendmail = true", 1, "is maildir and sendmail at once"),
            ("maildir = '~/x'\nuser = 'me'", 1, "has neither user nor secret"),
            ("preset = 'gmail'", 2, "wants to know who you are"),
            ("preset = 'gmal'\nuser = 'me'\npassword-env = 'X'", 2, "did you mean \"gmail\""),
            ("preset = 'gmail'\nuser = 'me'", 3, "a user but no secret"),
            ("preset = 'gmail'\npassword-env = 'X'", 3, "a secret but no user"),
            ("preset = 'gmail'\nuser = 'me'\npassword-env = 'X'\nkeyring = true", 5, "several secrets"),
            ("preset = 'outlook'\nuser = 'me'\npassword-env = 'X'", 4, "takes no password"),
            ("smtp = { host = 'mx.example', tls = 'none' }", 2, "is another machine"),
            ("smtp = { port = 465 }", 1, "the server has no name"),
            ("smtp = { host = 'mx.example', port = 0 }", 2, "from 1 to 65535"),
            ("preset = 'gmail'\nuser = 'me'\npassword-file = '~bob/x'", 4, "home folder of someone else"),
            ("preset = 'gmail'\nuser = ''\npassword-env = 'X'", 3, "no name of a user"),
        ] {
            let told = meant(keys).unwrap_err();
            assert!(
                told.contains(said) && told.contains(&format!("postkeep.toml:{line}:")),
                "{keys}: {told}"
            );
        }
    }

    #[test]
    fn a_secret_in_the_file_is_refused_and_not_repeated() {
        for key in ["password", "Token", "secret"] {
            let told = meant(&format!("preset = 'gmail'\nuser = 'me'\n{key} = 'hunter2'")).unwrap_err();
            assert!(told.contains(&format!("{key} = ***")) && told.contains("password-command"), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}

//! `postkeep vault sheet`: what to do on a bare machine, on paper.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::which::{BARE, Chosen, Which, too_many};
use crate::cli::{Context, out};
use crate::clock::{Clock as _, System};
use crate::entry::show;
use crate::error::Result;
use crate::mail::secret;
use crate::profile::{Imap, Job, Proof, Tls, VaultPlace};

/// Print the recovery sheet: how to get everything back without this machine
///
/// The vault is opened, so that what stands on the sheet is known to be right. The password is not printed: write it on
/// the sheet by hand.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep vault sheet [OPTIONS] [PROFILE]", after_help = format!("\
Examples:
  postkeep vault sheet documents | lp
  postkeep vault sheet documents --with-password > sheet.txt    keep that file where nobody finds it

{BARE}

Exit codes: 0 done, 1 it failed, 2 usage, 10 no vault, 12 wrong password."))]
pub(super) struct SheetArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    words: Vec<String>,
    /// Print the vault's password, too
    #[arg(long)]
    with_password: bool,
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(args: &SheetArgs, ctx: &Context) -> Result<ExitCode> {
    args.which.with(&args.words, ctx, |chosen, words| printed(args, ctx, chosen, words))
}

fn printed(args: &SheetArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 0)?;
    let vault = chosen.open()?;
    let password = args.with_password.then(|| secret::fetch(&chosen.password)).transpose()?;
    let facts = Facts {
        place: &chosen.place,
        mailbox: chosen.mailbox(),
        id: vault.id(),
        letters: vault.store().letters().map(|id| id.to_string()),
        sources: sources(chosen),
        password: password.as_ref().map(|secret| secret.expose()),
        today: System.now(),
    };
    if ctx.json {
        out::print(&format!("{}\n", serde_json::json!({ "sheet": sheet(&facts) })))?;
    } else {
        out::print(&sheet(&facts))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the profile saves.
fn sources(chosen: &Chosen) -> Vec<String> {
    match chosen.profile.as_ref().map(|(_, job)| job) {
        Some(Job::Archive(job)) => job.sources.iter().map(ToString::to_string).collect(),
        Some(job) => job.sources().iter().map(|path| show(path.as_os_str().as_encoded_bytes())).collect(),
        None => Vec::new(),
    }
}

/// What stands on a sheet.
struct Facts<'a> {
    place: &'a VaultPlace,
    mailbox: Option<&'a Imap>,
    /// The repository's id.
    id: &'a str,
    /// The vault's id in its messages.
    letters: Option<String>,
    sources: Vec<String>,
    password: Option<&'a str>,
    today: Timestamp,
}

/// The sheet, for 80 columns.
fn sheet(facts: &Facts<'_>) -> String {
    let mut text = String::new();
    let today = facts.today.to_zoned(TimeZone::system()).strftime("%d %B %Y");
    // Writing into a string cannot fail.
    let mut line = |said: &str| {
        let _ = writeln!(text, "{said}");
    };
    line("RECOVERY SHEET OF A POSTKEEP VAULT");
    line(&format!("printed on {today}"));
    line("\nKeep it with your papers, away from the machine whose files it is about.\n");
    if let Some(letters) = &facts.letters {
        line(&format!("Vault        {letters}  (vault id in the messages' subjects)"));
    }
    let id = facts.id.get(..16).unwrap_or(facts.id);
    line(&format!("Repository   {id}  (restic shows its beginning)"));
    line(&format!("Place        {}", facts.place));
    if let Some(imap) = facts.mailbox {
        line(&format!("Server       {} ({})", imap.server(), protection(imap.tls)));
        line(&format!("User         {}", imap.login.user));
        if let Some(path) = &imap.ca_file {
            line(&format!("Certificate  {}  (ca-file)", show(path.as_os_str().as_encoded_bytes())));
            line("             KEEP A COPY OF THAT FILE, TOO: without it no program trusts the");
            line("             server");
        }
    }
    for (n, source) in facts.sources.iter().enumerate() {
        line(&format!("{:<13}{source}", if n == 0 { "Holds" } else { "" }));
    }
    match facts.password {
        Some(password) => line(&format!("\nPassword of the vault\n\n    {password}")),
        None => line(
            "\nPassword of the vault (write it here by hand; without it everything is lost)\n\n    _____________________________________________________________________",
        ),
    }
    line("\n\nWITH POSTKEEP\n");
    let place = facts.place;
    if let Some(imap) = facts.mailbox {
        line(&access(imap));
        line("    Put the account into ~/.config/postkeep/postkeep.toml:\n");
        let name = account(place);
        line(&format!("      [accounts.{name}]"));
        line(&format!("      user = {:?}", imap.login.user));
        line("      password-file = \"~/.mailbox-password\"");
        let tls = tls_word(imap.tls);
        match &imap.ca_file {
            // A table may not be broken into lines.
            Some(path) => line(&format!(
                "\n      [accounts.{name}.imap]\n      host = {:?}\n      port = {}\n      tls = {tls:?}\n      ca-file = {:?}\n",
                imap.host,
                imap.port,
                show(path.as_os_str().as_encoded_bytes()),
            )),
            None => line(&format!(
                "      imap = {{ host = {:?}, port = {}, tls = {tls:?} }}\n",
                imap.host, imap.port
            )),
        }
    }
    line("    Put the vault's password into a file that only you can read, then:\n");
    let vault = quoted(&place.to_string());
    let vault = format!("\\\n        --vault {vault} \\\n        --vault-password-file PASSWORD-FILE");
    line(&format!("      postkeep snapshots {vault}"));
    line(&format!("      postkeep restore latest --target NEW-FOLDER {vault}"));
    line("\n\nWITHOUT POSTKEEP\n");
    line(
        "    The vault is a restic repository: any restic from 0.14 on reads it\n    (https://restic.net, and in every distribution). It asks for the vault's\n    password.\n",
    );
    match place {
        VaultPlace::Folder(path) => {
            let path = quoted(&show(path.as_os_str().as_encoded_bytes()));
            line(&format!("      restic -r {path} snapshots"));
            line(&format!("      restic -r {path} restore latest --target NEW-FOLDER"));
        }
        VaultPlace::Maildir(_) | VaultPlace::Mailbox { .. } => {
            line(
                "    Its objects are messages. The first message of the folder says how to turn\n    them into a folder that restic reads, and carries the short program that\n    does it (Python, nothing else). Its subject ends in \"read me: how to get\n    the files back without postkeep\". Save its attachment, recover.py. Then:\n",
            );
            line(&format!("      {}", script(place, facts.mailbox)));
            line("      restic -r EXPORTED-FOLDER snapshots");
            line("      restic -r EXPORTED-FOLDER restore latest --target NEW-FOLDER");
        }
    }
    text
}

/// How the script of the first message is run.
fn script(place: &VaultPlace, mailbox: Option<&Imap>) -> String {
    match (place, mailbox) {
        (VaultPlace::Mailbox { folder, .. }, Some(imap)) => {
            let scheme = if imap.tls == Tls::Implicit { "imaps" } else { "imap" };
            let trust = imap.ca_file.as_ref().map_or("", |_| "SSL_CERT_FILE=CA-FILE ");
            let (user, server) = (encoded(&imap.login.user), imap.server());
            format!(
                "{trust}python3 recover.py EXPORTED-FOLDER \\\n        {scheme}://{user}@{server}/{}",
                encoded(folder)
            )
        }
        (place, _) => {
            let path = place.to_string();
            let path = path.strip_prefix("maildir:").unwrap_or(&path);
            format!("python3 recover.py EXPORTED-FOLDER {}", quoted(path))
        }
    }
}

/// For a part of an address (RFC 3986): all but what needs no care in a shell either is written in hexadecimal.
fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn account(place: &VaultPlace) -> &str {
    match place {
        VaultPlace::Mailbox { account, .. } => account,
        _ => "NAME",
    }
}

/// How to get into the mailbox again.
fn access(imap: &Imap) -> String {
    let how = match (imap.login.proof, imap.host.as_str()) {
        (Proof::Password, "imap.gmail.com") => {
            "Google: sign in with a browser, switch on 2-Step Verification, and make an\n    app password: https://myaccount.google.com/apppasswords".to_owned()
        }
        (Proof::Token, _) => {
            "The provider wants a token (OAuth 2) instead of a password; a mail program\n    can still read the folder after signing in with a browser.".to_owned()
        }
        _ => "If the mailbox's password is gone: sign in at the provider with a browser\n    and make a new one; with a second factor it is called an app password.".to_owned(),
    };
    format!("    {how}\n")
}

fn protection(tls: Tls) -> &'static str {
    match tls {
        Tls::Implicit => "TLS",
        Tls::Starttls => "STARTTLS",
        Tls::None => "not encrypted",
    }
}

fn tls_word(tls: Tls) -> &'static str {
    match tls {
        Tls::Implicit => "implicit",
        Tls::Starttls => "starttls",
        Tls::None => "none",
    }
}

/// For a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@+".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Limits, Login, SecretSource};

    fn imap(host: &str) -> Imap {
        let secret = SecretSource::Command("x".into());
        let login = Login { user: "ann@example.org".into(), secret, proof: Proof::Password };
        let limits = Limits::default();
        Imap { host: host.into(), port: 993, tls: Tls::Implicit, ca_file: None, preset: None, login, limits }
    }

    #[test]
    fn a_sheet_says_where_what_and_how_and_no_password() {
        let folder = VaultPlace::Folder("/srv/my vault".into());
        let mailbox = VaultPlace::Mailbox { account: "gmail".into(), folder: "Backups/laptop".into() };
        let gmail = imap("imap.gmail.com");
        let office = VaultPlace::Mailbox { account: "own".into(), folder: "B\u{fc}ro".into() };
        let own = Imap { ca_file: Some("/etc/ca.pem".into()), ..imap("mail.example.org") };
        for (place, imap, parts) in [
            (&folder, None, vec!["restic -r '/srv/my vault' restore latest", "--vault '/srv/my vault'"]),
            (
                &office,
                Some(&own),
                vec![
                    "Certificate  /etc/ca.pem",
                    "KEEP A COPY OF THAT FILE",
                    "[accounts.own.imap]",
                    "ca-file = \"/etc/ca.pem\"",
                    "SSL_CERT_FILE=CA-FILE python3 recover.py",
                    "@mail.example.org:993/B%C3%BCro",
                ],
            ),
            (
                &mailbox,
                Some(&gmail),
                vec![
                    "imap.gmail.com:993 (TLS)",
                    "ann@example.org",
                    "apppasswords",
                    "The first message of the folder",
                    "--vault imap:gmail/Backups/laptop",
                    "[accounts.gmail]",
                    "Vault        0123456789abcdef  (vault id in the messages' subjects)",
                    "imaps://ann%40example.org@imap.gmail.com:993/Backups/laptop",
                ],
            ),
        ] {
            let mut facts = Facts {
                place,
                mailbox: imap,
                id: &"ab".repeat(32),
                letters: imap.map(|_| "0123456789abcdef".into()),
                sources: vec!["/home/ann".into()],
                password: None,
                today: Timestamp::UNIX_EPOCH,
            };
            let text = sheet(&facts);
            for part in parts.into_iter().chain(["/home/ann", "____", "Repository   abababababababab"]) {
                assert!(text.contains(part), "{part}: {text}");
            }
            assert!(text.lines().all(|line| line.chars().count() <= 79), "{text}");
            facts.password = Some("open sesame");
            let text = sheet(&facts);
            assert!(text.contains("open sesame") && !text.contains("____"), "{text}");
        }
    }
}

//! The questions about what carries the reports, and the test of the account that they make.

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use crate::agent::Agent;
use crate::cli::ask::{Asker, Question};
use crate::cli::{Context, account, config, usage};
use crate::clock::System;
use crate::error::{Error, Result};
use crate::profile::{Carrier, MAIL_ACCOUNT, MailAnswers, Preset, quote};

/// What carries the reports.
#[derive(Debug, Default, Args)]
pub(super) struct CarrierArgs {
    /// Folder for the reports: a Maildir, which mail programs can open [default: one in the state folder]
    #[arg(long, value_name = "DIR", conflicts_with = "mail")]
    pub reports: Option<String>,
    /// Your mail address: reports are sent from it and to it
    #[arg(long, value_name = "ADDRESS")]
    pub mail: Option<String>,
    /// The mail server, where the address does not tell which: HOST or HOST:PORT
    #[arg(long, value_name = "SERVER", requires = "mail")]
    pub server: Option<String>,
    /// A command that prints the password, or the token for a provider that wants one
    #[arg(long, value_name = "COMMAND", requires = "mail")]
    pub password_command: Option<String>,
    /// A file with the password that only you can read
    #[arg(long, value_name = "FILE", requires = "mail", conflicts_with = "password_command")]
    pub password_file: Option<String>,
}

impl CarrierArgs {
    pub(super) fn any(&self) -> bool {
        self.reports.is_some() || self.mail.is_some()
    }
}

/// A secret that was typed, for a file of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewSecret {
    /// The file's name in the configuration's folder.
    pub file: String,
    /// What goes into it.
    pub secret: String,
}

/// Asks what carries the reports.
pub(super) fn ask(
    args: &CarrierArgs,
    ctx: &Context,
    path: &dyn Fn(&str) -> Result<String>,
    asker: &mut Asker<impl BufRead, impl Write>,
) -> Result<(Carrier, Option<NewSecret>)> {
    let text = format!(
        "Where shall the reports go? (your mail address, or a folder; Enter: {})",
        near_home(&ctx.state_dir.join("mail"))
    );
    let carrier = asker.ask(&Question {
        text: &text,
        default: Some(""),
        flag: "--mail",
        given: args.mail.as_deref().or(args.reports.as_deref()),
        hidden: false,
        check: &|answer| match answer {
            "" => Ok(String::new()),
            answer if is_address(answer) => Ok(answer.to_owned()),
            answer if args.mail.is_some() => Err(usage(format!("{} is no mail address", quote(answer)))),
            answer => path(answer),
        },
    })?;
    if carrier.is_empty() {
        return Ok((Carrier::Embedded, None));
    }
    if !is_address(&carrier) {
        return Ok((Carrier::Maildir(carrier), None));
    }
    let preset = Preset::of_address(&carrier);
    let server = match preset {
        Some(_) if args.server.is_none() => None,
        _ => Some(ask_server(args, &carrier, asker)?),
    };
    let preset = preset.filter(|_| server.is_none());
    let (secret, kept) = ask_secret(args, ctx, preset, path, asker)?;
    Ok((Carrier::Mail(MailAnswers { preset, server, address: carrier, secret }), kept))
}

/// A path for a person, who knows where home is.
fn near_home(path: &Path) -> String {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    match home.and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

fn is_address(text: &str) -> bool {
    // A folder may be called so too, but hardly without a slash.
    !text.contains('/') && text.parse::<lettre::Address>().is_ok()
}

fn ask_server(
    args: &CarrierArgs,
    address: &str,
    asker: &mut Asker<impl BufRead, impl Write>,
) -> Result<(String, u16)> {
    let domain = address.rsplit_once('@').map_or(address, |(_, domain)| domain);
    let answer = asker.ask(&Question {
        text: &format!("Which server sends for {address}? (without a port: 465)"),
        default: Some(&format!("smtp.{domain}")),
        flag: "--server",
        given: args.server.as_deref(),
        hidden: false,
        check: &|answer| split(answer).map(|_| answer.to_owned()),
    })?;
    split(&answer)
}

fn split(server: &str) -> Result<(String, u16)> {
    let wrong = || {
        usage(format!("{} is no server", quote(server)))
            .hint("write mail.example.org or mail.example.org:587")
    };
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.starts_with('[') => {
            (host, port.parse().map_err(|_| wrong())?)
        }
        _ => (server, 465),
    };
    let host = host.trim_matches(['[', ']']);
    if host.is_empty() || port == 0 {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}

type Secret = ((&'static str, String), Option<NewSecret>);

fn ask_secret(
    args: &CarrierArgs,
    ctx: &Context,
    preset: Option<Preset>,
    path: &dyn Fn(&str) -> Result<String>,
    asker: &mut Asker<impl BufRead, impl Write>,
) -> Result<Secret> {
    let command = if preset.is_some_and(|preset| !preset.takes_password()) {
        "token-command"
    } else {
        "password-command"
    };
    if let Some(line) = &args.password_command {
        return Ok(((command, line.clone()), None));
    }
    if let Some(file) = &args.password_file {
        return Ok((("password-file", path(file)?), None));
    }
    if let Some(preset) = preset {
        asker.say(&format!("{}.\n", preset.help()))?;
    }
    if command == "token-command" {
        let line = asker.ask(&Question {
            text: "Which command prints an access token?",
            default: None,
            flag: "--password-command",
            given: None,
            hidden: false,
            check: &|line| Ok(line.to_owned()),
        })?;
        return Ok(((command, line), None));
    }
    let name = format!("{MAIL_ACCOUNT}.secret");
    let file = ctx.config_dir.join(&name);
    let shown = file.to_str().ok_or_else(|| usage("the configuration's folder has no name in UTF-8"))?;
    let answer = asker.ask(&Question {
        text: &format!(
            "Its password? (not shown; kept in {}. Or !COMMAND, which prints it)",
            near_home(&file)
        ),
        default: None,
        flag: "--password-command",
        given: None,
        hidden: true,
        check: &|answer| match answer {
            "!" => Err(usage("there is no command after the !")),
            answer => Ok(answer.to_owned()),
        },
    })?;
    if let Some(line) = answer.strip_prefix('!') {
        return Ok(((command, line.trim().to_owned()), None));
    }
    if file.exists() {
        return Err(
            usage(format!("{shown} is there already")).hint("give it as --password-file, or move it away")
        );
    }
    // In a path of the configuration a dollar sign begins a variable.
    let secret = ("password-file", shown.replace('$', "$$"));
    Ok((secret, Some(NewSecret { file: name, secret: answer })))
}

/// Tests the account that was just written, with a letter.
pub(super) fn test(ctx: &Context, asker: &mut Asker<impl BufRead, impl Write>) -> Result<ExitCode> {
    asker.say(&format!("\nTesting the account \"{MAIL_ACCOUNT}\":\n"))?;
    let written = |error: Error| {
        error.hint(format!(
            "the files are written; when it is put right: postkeep account test {MAIL_ACCOUNT}"
        ))
    };
    let (loaded, _) = config::load_some(ctx, &[])?;
    let agent = Agent::open(&ctx.state_dir, &loaded, &System)?;
    let mut tested = agent.test_carrier(MAIL_ACCOUNT, &[])?;
    if let Some(last) = tested.steps.last_mut() {
        let result = std::mem::replace(&mut last.result, Ok(String::new()));
        last.result = result.map_err(written);
    }
    account::tell(&tested, ctx)?;
    Ok(if tested.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

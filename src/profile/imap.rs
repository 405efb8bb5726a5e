//! From an account as written to its side that keeps messages.

use std::path::Path;

use super::file::{AccountFile, ImapFile};
use super::paths::Env;
use super::server::{At, IMAP, Written};
use super::value::Limit;
use super::{Imap, Limits, Login};

/// The mailbox of an account that has one, by its own table or its provider's values; what is wrong is added to
/// `wrongs`. Without a `login` there is none: whoever called has told of that.
pub(super) fn mailbox(
    file: &AccountFile,
    login: Option<&Login>,
    dir: &Path,
    env: &Env,
    wrongs: &mut Vec<At>,
) -> Option<Imap> {
    if file.imap.is_none() && file.preset.is_none() {
        return None;
    }
    let ImapFile { host, port, tls, ca_file, upload_per_day, download_per_day, max_message, connections } =
        file.imap.clone().unwrap_or_default();
    let written = Written { host, port, tls, ca_file };
    let server = IMAP.server(written, file.preset.map(|preset| preset.imap()), dir, env, wrongs)?;
    let known = file.preset.map(|preset| preset.limits()).unwrap_or_default();
    let or = |own: Option<Limit>, known: Option<u64>| own.map_or(known, |own| own.0);
    let connections = connections.map(|number| u8::try_from(number.0).unwrap_or(u8::MAX));
    Some(Imap {
        preset: file.preset,
        host: server.host,
        port: server.port,
        tls: server.tls,
        ca_file: server.ca_file,
        login: login?.clone(),
        limits: Limits {
            upload_per_day: or(upload_per_day, known.upload_per_day),
            download_per_day: or(download_per_day, known.download_per_day),
            message: or(max_message, known.message),
            connections: connections.or(known.connections),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::load::tests::{files, rendered};
    use super::super::{MAIN_FILE, Preset, Proof, SecretSource, Tls};
    use super::*;

    fn meant(keys: &str) -> Result<(Option<Imap>, bool), String> {
        let loaded = files(&[(MAIN_FILE, &format!("[accounts.a]\n{keys}\n"))]);
        match loaded.problems.is_empty() {
            true => Ok((loaded.config.mailboxes.get("a").cloned(), loaded.config.accounts.contains_key("a"))),
            false => Err(rendered(&loaded)),
        }
    }

    const USER: &str = "user = 'me@example.org'\npassword-env = 'X'\n";

    #[test]
    fn what_is_not_written_is_what_goes_together() {
        for (keys, port, tls, carries) in [
            ("imap = { host = 'mx.example' }", 993, Tls::Implicit, false),
            ("imap = { host = 'mx.example', port = 993 }", 993, Tls::Implicit, false),
            ("imap = { host = 'mx.example', port = 143 }", 143, Tls::Starttls, false),
            ("imap = { host = 'mx.example', port = 1143 }", 1143, Tls::Starttls, false),
            ("imap = { host = 'mx.example', tls = 'starttls' }", 143, Tls::Starttls, false),
            ("imap = { host = 'localhost', port = 143 }", 143, Tls::None, false),
            ("imap = { host = '127.0.0.9', port = 1143, tls = 'none' }", 1143, Tls::None, false),
            ("imap = { host = 'a.example' }\nsmtp = { host = 'b.example' }", 993, Tls::Implicit, true),
        ] {
            let (imap, carrier) = meant(&format!("{USER}{keys}")).unwrap();
            let imap = imap.unwrap();
            assert_eq!((imap.port, imap.tls, carrier), (port, tls, carries), "{keys}");
            assert_eq!((imap.preset, imap.limits), (None, Limits::default()), "{keys}");
            let login = Login {
                user: "me@example.org".into(),
                secret: SecretSource::Env("X".into()),
                proof: Proof::Password,
            };
            assert_eq!(imap.login, login);
        }
        // Who only sends has no mailbox.
        for keys in ["smtp = { host = 'localhost', port = 25 }", "maildir = '~/x'", "sendmail = true"] {
            assert_eq!(meant(keys), Ok((None, true)), "{keys}");
        }
    }

    #[test]
    fn a_provider_brings_its_limits_and_each_can_be_replaced() {
        let limits = |keys: &str| {
            let (imap, carrier) = meant(&format!("preset = 'gmail'\n{USER}{keys}")).unwrap();
            let imap = imap.unwrap();
            assert_eq!((imap.host.as_str(), imap.port, carrier), ("imap.gmail.com", 993, true));
            assert_eq!(imap.preset, Some(Preset::Gmail));
            imap.limits
        };
        let gmail = Preset::Gmail.limits();
        assert_eq!(gmail.upload_per_day, Some(500_000_000));
        assert_eq!(limits(""), gmail);
        assert_eq!(limits("imap = { connections = 2 }"), Limits { connections: Some(2), ..gmail });
        assert_eq!(
            limits("imap = { upload-per-day = '1GB', download-per-day = false, max-message = '10MiB' }"),
            Limits {
                upload_per_day: Some(1_000_000_000),
                download_per_day: None,
                message: Some(10 << 20),
                ..gmail
            }
        );
    }

    #[test]
    fn what_does_not_go_together_is_told_at_its_place() {
        for (keys, line, said) in [
            ("imap = { host = 'mx.example' }", 1, "wants to know who you are"),
            ("user = 'me'\nimap = { host = 'mx.example' }", 2, "a user but no secret"),
            (&format!("{USER}imap = {{ port = 993 }}"), 1, "the server has no name"),
            (&format!("{USER}imap = {{ host = 'mx.example', tls = 'none' }}"), 4, "is another machine"),
            (&format!("{USER}imap = {{ host = 'mx.example', ca-file = '~bob/x' }}"), 4, "someone else"),
            (&format!("{USER}imap = {{ host = 'mx.example', upload-per-day = 1 }}"), 4, "less than 64 KiB"),
            (&format!("{USER}imap = {{ host = 'mx.example', connections = 0 }}"), 4, "from 1 to 100"),
            ("maildir = '~/x'\nimap = { host = 'mx.example' }", 1, "is maildir and imap at once"),
            ("sendmail = true\nimap = { host = 'mx.example' }", 1, "is sendmail and imap at once"),
        ] {
            let told = meant(keys).unwrap_err();
            assert!(
                told.contains(said) && told.contains(&format!("postkeep.toml:{line}:")),
                "{keys}: {told}"
            );
        }
    }

    #[test]
    fn an_account_that_only_keeps_messages_carries_no_report() {
        let main = format!("[accounts.box]\n{USER}imap = {{ host = 'mx.example' }}\n");
        for report in ["account = 'box'", "fallback = ['box']"] {
            let said = rendered(&files(&[(MAIN_FILE, &format!("{main}[report]\n{report}\n"))]));
            assert!(said.contains("the account \"box\" carries no letters"), "{said}");
            assert!(said.contains("hint: add the server that takes letters: smtp"), "{said}");
        }
    }
}

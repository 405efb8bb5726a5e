//! From an account as written to its side that hands messages out by POP3.

use std::path::Path;

use super::file::{AccountFile, Pop3File};
use super::paths::Env;
use super::server::{At, POP3, Written};
use super::{Login, Pop3};

/// What an account's own table names; no provider's values have it. What is wrong is added to `wrongs`. Without a
/// `login` there is none: whoever called has told of that.
pub(super) fn maildrop(
    file: &AccountFile,
    login: Option<&Login>,
    dir: &Path,
    env: &Env,
    wrongs: &mut Vec<At>,
) -> Option<Pop3> {
    let Pop3File { host, port, tls, ca_file } = file.pop3.clone()?;
    let server = POP3.server(Written { host, port, tls, ca_file }, None, dir, env, wrongs)?;
    Some(Pop3 {
        preset: file.preset,
        host: server.host,
        port: server.port,
        tls: server.tls,
        ca_file: server.ca_file,
        login: login?.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::load::tests::{files, rendered};
    use super::super::{MAIN_FILE, Preset, Proof, SecretSource, Tls};
    use super::*;

    const USER: &str = "user = 'me@example.org'\npassword-env = 'X'\n";

    #[test]
    fn what_is_not_written_is_what_goes_together() {
        // Keys, port, protection, whether it carries letters, whether it has imap.
        for (keys, port, tls, carries, keeps) in [
            ("pop3 = { host = 'mx.example' }", 995, Tls::Implicit, false, false),
            ("pop3 = { host = 'mx.example', port = 110 }", 110, Tls::Starttls, false, false),
            ("pop3 = { host = 'mx.example', port = 1110 }", 1110, Tls::Starttls, false, false),
            ("pop3 = { host = 'mx.example', tls = 'starttls' }", 110, Tls::Starttls, false, false),
            ("pop3 = { host = '::1', port = 110 }", 110, Tls::None, false, false),
            ("pop3 = { host = 'localhost', tls = 'none' }", 110, Tls::None, false, false),
            ("pop3 = { host = 'a.example' }\nsmtp = { host = 'b.example' }", 995, Tls::Implicit, true, false),
            ("pop3 = { host = 'a.example' }\nimap = { host = 'b.example' }", 995, Tls::Implicit, false, true),
            ("preset = 'gmail'\npop3 = { host = 'a.example' }", 995, Tls::Implicit, true, true),
        ] {
            let loaded = files(&[(MAIN_FILE, &format!("[accounts.a]\n{USER}{keys}\n"))]);
            assert!(loaded.problems.is_empty(), "{keys}: {}", rendered(&loaded));
            let config = loaded.config;
            let pop3 = &config.maildrops["a"];
            assert_eq!((pop3.port, pop3.tls), (port, tls), "{keys}");
            assert_eq!(pop3.preset, keys.contains("gmail").then_some(Preset::Gmail), "{keys}");
            let sides = (config.accounts.contains_key("a"), config.mailboxes.contains_key("a"));
            assert_eq!(sides, (carries, keeps), "{keys}");
            let login = Login {
                user: "me@example.org".into(),
                secret: SecretSource::Env("X".into()),
                proof: Proof::Password,
            };
            assert_eq!(pop3.login, login);
        }
    }

    #[test]
    fn what_does_not_go_together_is_told_at_its_place() {
        for (keys, line, said) in [
            ("pop3 = { host = 'mx.example' }", 1, "wants to know who you are"),
            ("user = 'me'\npop3 = { host = 'mx.example' }", 2, "a user but no secret"),
            (&format!("{USER}pop3 = {{ port = 995 }}"), 1, "the server has no name"),
            (&format!("preset = 'gmail'\n{USER}pop3 = {{ port = 995 }}"), 1, "the server has no name"),
            (&format!("{USER}pop3 = {{ host = 'mx.example', tls = 'none' }}"), 4, "is another machine"),
            (&format!("{USER}pop3 = {{ host = 'mx.example', ca-file = '~bob/x' }}"), 4, "someone else"),
            (&format!("{USER}pop3 = {{ host = 'mx.example', keep = false }}"), 4, "keep"),
            ("maildir = '~/x'\npop3 = { host = 'mx.example' }", 1, "is maildir and pop3 at once"),
        ] {
            let loaded = files(&[(MAIN_FILE, &format!("[accounts.a]\n{keys}\n"))]);
            let told = rendered(&loaded);
            let place = format!("postkeep.toml:{line}:");
            assert!(told.contains(said) && told.contains(&place), "{keys}: {told}");
        }
    }

    #[test]
    fn an_account_that_only_hands_messages_out_carries_no_report() {
        let main =
            format!("[accounts.box]\n{USER}pop3 = {{ host = 'mx.example' }}\n[report]\naccount = 'box'\n");
        let said = rendered(&files(&[(MAIN_FILE, &main)]));
        assert!(said.contains("carries no letters: it only has pop3"), "{said}");
    }
}

//! What a check says about backups.

use super::super::super::load::tests::files;
use super::super::check;
use super::*;

const MAIN: &str = "[accounts.gmail]\npreset = 'gmail'\nuser = 'me@gmail.com'\npassword-env = 'X'\n\
    [accounts.box]\nuser = 'me'\npassword-env = 'X'\nimap = { host = 'mx.example' }\n\
    [accounts.local]\nmaildir = '/mail'\n";

/// What the check says about profiles `a`, `b` ..., parted by `---`, each a backup unless it says its kind, and
/// with a password unless it says that. All folders exist but `/none` and `/usb`; `/link` is another name of
/// `/data`, `/file` is a file, and `/secret` cannot be looked at.
fn found(report: &str, text: &str) -> String {
    let texts: Vec<String> = text
        .split("---")
        .map(|text| {
            let kind = if text.contains("kind =") { "" } else { "kind = 'backup'\n" };
            let password =
                if kind.is_empty() || text.contains("password") { "" } else { "vault-keyring = true\n" };
            format!("{kind}{password}{text}")
        })
        .collect();
    let main = format!("{MAIN}[report]\n{report}\n");
    let mut all = vec![("postkeep.toml", main.as_str())];
    all.extend(["a", "b", "c"].into_iter().zip(texts.iter().map(String::as_str)));
    let loaded = files(&all);
    assert_eq!(loaded.problems, []);
    let look = |path: &Path| {
        let path = match path.strip_prefix("/link") {
            Ok(rest) => Path::new("/data").join(rest),
            Err(_) => path.to_owned(),
        };
        match path.to_str().unwrap() {
            "/file" => Seen::Other(path),
            "/secret" => Seen::Unknown,
            text if text.starts_with("/none") || text.starts_with("/usb/") || text == "/usb" => Seen::Missing,
            _ => Seen::Folder(path),
        }
    };
    let problems = check(&loaded, Path::new("/state"), &look).into_iter().map(|problem| {
        let concerned = problem.profiles.clone().unwrap_or_default().join("+");
        let hint = problem.hint.unwrap_or_default();
        format!("{concerned} {:?} {}; {hint}", problem.severity, problem.message)
    });
    problems.collect::<Vec<_>>().join("\n")
}

#[test]
fn sound_backups_have_no_problems() {
    for text in [
        "source = ['/data', '/file', '/etc']\nvault = '/srv/v'",
        "source = '/data'\nvault = ['/srv/v', 'maildir:/srv/m', 'imap:box/V', 'imap:gmail/V']",
        "source = '/data'\nvault = '/data/v'\nexclude = '/v'",
        "source = '/data'\nvault = '/srv/new'",
        "source = '/data'\nvault = 'maildir:/mail/.Vault'",
        "source = '/data'\nvault = '/srv/v'\n---\nsource = '/etc'\nvault = '/srv/v'",
        "source = '/data'\nvault = '/srv/v'\nvault-password-file = '/root/p'",
        "source = '/data'\nvault = '/srv/v'\nvault-password-file = '/data/p'\nexclude = 'p'",
        "source = '/data'\nvault = '/srv/v'\n---\nkind = 'sync'\nmode = 'copy'\nsource = '/srv'\ntarget = '/x'",
    ] {
        assert_eq!(found("", text), "", "{text}");
    }
    let mailbox = "source = '/data'\nvault = 'imap:gmail/V'";
    assert_eq!(found("account = 'gmail'\nfallback = 'local'", mailbox), "");
    assert_eq!(found("account = 'gmail'", "source = '/data'\nvault = ['imap:gmail/V', '/srv/v']"), "");
}

#[test]
fn what_cannot_go_well_is_told() {
    for (text, said) in [
        ("source = '/none'\nvault = '/v'", "a Warning the source /none does not exist now"),
        ("source = '/secret'\nvault = '/v'", "a Warning the source /secret cannot be looked at now"),
        ("source = ['/data', '/link']\nvault = '/v'", "a Error the source /link is named twice"),
        (
            "source = ['/data', '/link/x']\nvault = '/v'",
            "a Error the source /link/x lies inside the source /data",
        ),
        (
            "source = ['/data/x', '/data']\nvault = '/v'",
            "a Error the source /data/x lies inside the source /data",
        ),
        (
            "source = '/data'\nvault = '/data/v'",
            "a Error the vault /data/v lies inside the source /data; choose another place, or leave it out: exclude = \"/v\"",
        ),
        (
            "source = '/data'\nvault = 'maildir:/link/v'",
            "a Error the vault maildir:/link/v lies inside the source /data",
        ),
        ("source = '/data'\nvault = '/link'", "a Error /data is source and vault at once"),
        ("source = '/data/x'\nvault = '/data'", "a Error the source /data/x lies inside the vault /data"),
        (
            "source = '/data'\nvault = '/state/v'",
            "a Error the vault /state/v lies inside postkeep's state folder",
        ),
        (
            "source = '/data'\nvault = '/etc'",
            "a Error postkeep's configuration folder, /etc/postkeep, lies inside the vault /etc",
        ),
        (
            "source = '/data'\nvault = 'maildir:/mail'",
            "a Error the vault maildir:/mail is postkeep's \"local\" account's folder",
        ),
        ("source = '/data'\nvault = '/file'", "a Warning the vault /file is not a folder"),
        (
            "source = '/data'\nvault = '/usb/v'",
            "a Warning neither the vault /usb/v nor the folder that it would be made in",
        ),
        ("source = '/data'\nvault = ['/v', '/v/']", "a Error the vault /v is named twice"),
        (
            "source = '/data'\nvault = 'imap:gmial/V'",
            "a Error there is no account \"gmial\"; did you mean \"gmail\"?",
        ),
        (
            "source = '/data'\nvault = 'imap:other/V'",
            "a Error there is no account \"other\"; an account is a table",
        ),
        (
            "source = '/data'\nvault = 'imap:local/V'",
            "a Error the vault imap:local/V is to be in the account \"local\", which has no mailbox",
        ),
        (
            "source = '/data'\nvault = '/v'\nvault-password-file = '/link/p'",
            "a Warning the vault's password is in the source /data",
        ),
        (
            "source = '/data'\nvault = '/v/w'\n---\nsource = '/data'\nvault = '/v'",
            "b+a Error the vaults /v and /v/w of the profile \"a\" lie in each other",
        ),
        (
            "source = '/data'\nvault = '/v'\n---\nsource = '/data'\nvault = 'maildir:/v'",
            "b+a Error the vaults maildir:/v and /v of the profile \"a\" lie in each other",
        ),
        (
            "source = '/data'\nvault = '/t/v'\n---\nkind = 'sync'\nmode = 'mirror'\nsource = '/s'\ntarget = '/t'",
            "a+b Error the vault /t/v lies inside the target /t of the profile \"b\"",
        ),
        (
            "source = '/data'\nvault = '/t'\n---\nkind = 'sync'\nmode = 'copy'\nsource = '/s'\ntarget = '/t/x'",
            "a+b Error the vault /t holds the target /t/x of the profile \"b\"",
        ),
        (
            "source = '/data'\nvault = '/v'\nexclude = '*'",
            "a Warning the pattern \"*\" leaves out everything",
        ),
    ] {
        let found = found("", text);
        assert!(found.starts_with(said) && !found.contains('\n'), "{text}: {found}");
    }
    let basket = found("account = 'gmail'", "source = '/data'\nvault = 'imap:gmail/V'");
    assert!(
        basket.starts_with("a Warning the account \"gmail\" has the only vault and carries the reports"),
        "{basket}"
    );
}

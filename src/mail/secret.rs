//! Secrets: where they come from, and a type that never shows them.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::child::{self, Trouble};
use crate::entry::show;
use crate::error::{Context, Error, Result};
use crate::profile::SecretSource;

/// How long a command that prints a secret may take: it may ask a person to unlock something.
const DEADLINE: Duration = Duration::from_secs(60);

/// The most bytes of a file that are read.
const MOST: u64 = 64 << 10;

/// A password or a token. It is shown nowhere, and its memory is cleared.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret itself, for whom it is meant.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Four hexadecimal digits that tell this secret from the next one. They are so few that they do not help who
    /// guesses at it: of any 65,536 guesses one fits. `salt` makes them different for each installation and server.
    pub fn fingerprint(&self, salt: &str) -> String {
        let key = blake3::hash(salt.as_bytes());
        blake3::keyed_hash(key.as_bytes(), self.0.as_bytes()).to_hex()[..4].to_owned()
    }

    /// Stands for this secret of a user at a server: another secret, user, server or installation has another mark.
    pub fn mark(&self, install: &str, server: &str, user: &str) -> String {
        self.fingerprint(&format!("{install} {server} {user}"))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Fetches a secret.
///
/// # Errors
/// It cannot be had, is empty, or lies where others can read it.
pub fn fetch(source: &SecretSource) -> Result<Secret> {
    match source {
        SecretSource::Command(command) => by_command(command),
        SecretSource::File(path) => by_file(path),
        SecretSource::Env(name) => {
            let value = std::env::var(name).map_err(|_| {
                Error::other(format!("the variable {} with the secret is not set", show(name.as_bytes())))
                    .hint("set it for whatever starts postkeep; cron and systemd do not read your shell's files")
            })?;
            first_line(value.into_bytes(), &format!("the variable {}", show(name.as_bytes())))
        }
        SecretSource::Credential(name) => by_credential(name),
        SecretSource::Keyring { account } => by_keyring(account),
    }
}

fn by_command(line: &str) -> Result<Secret> {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line);
    let what = "the command that prints the secret";
    match child::run(command, Vec::new(), DEADLINE) {
        Ok(ended) if ended.status.success() => first_line(ended.stdout, what),
        Ok(ended) => {
            let error = Error::other(format!("{what} failed ({})", ended.status));
            let error = if ended.said.is_empty() { error } else { error.caused_by(ended.said) };
            Err(error
                .hint("try it in a terminal: its first line must be the secret, and it must ask for nothing"))
        }
        Err(Trouble::Start(cause)) => Err(Error::other(format!("cannot start {what}")).caused_by(cause)),
        Err(Trouble::Deadline) => {
            Err(Error::other(format!("{what} did not end within {} seconds", DEADLINE.as_secs()))
                .hint("does it wait for somebody to unlock something?"))
        }
    }
}

fn by_file(path: &Path) -> Result<Secret> {
    let shown = show(path.as_os_str().as_encoded_bytes());
    let cannot = || format!("cannot read the file with the secret, {shown}");
    // Looked at before it is opened: opening a named pipe waits for a writer.
    if !std::fs::metadata(path).context(cannot)?.is_file() {
        return Err(Error::other(format!("{shown} is no regular file, so no secret is read from it")));
    }
    let file = File::open(path).context(cannot)?;
    let meta = file.metadata().context(cannot)?;
    let me = rustix::process::geteuid().as_raw();
    if meta.mode() & 0o077 != 0 {
        return Err(Error::other(format!("others can use the file with the secret, {shown}"))
            .hint(format!("chmod 600 {shown}")));
    }
    if meta.uid() != me && meta.uid() != 0 {
        return Err(Error::other(format!("the file with the secret, {shown}, belongs to another user"))
            .hint("its owner could put any secret there; make it yours"));
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).context(cannot)?;
    first_line(bytes, &format!("the file {shown}"))
}

/// systemd.exec(5), `LoadCredential=`: the service finds its credentials as files in a folder that is only its own.
fn by_credential(name: &str) -> Result<Secret> {
    let shown = show(name.as_bytes());
    let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") else {
        return Err(Error::other(format!(
            "there is no credential {shown}: systemd did not start this process"
        ))
        .hint(format!("put LoadCredential={shown}:FILE into the service's unit")));
    };
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err(Error::other(format!("{shown} is no name of a credential")));
    }
    let path = Path::new(&folder).join(name);
    let file = File::open(&path).context(|| format!("cannot read the credential {shown}"));
    let mut bytes = Vec::new();
    file.map_err(|error| error.hint(format!("put LoadCredential={shown}:FILE into the service's unit")))?
        .take(MOST)
        .read_to_end(&mut bytes)
        .context(|| format!("cannot read the credential {shown}"))?;
    first_line(bytes, &format!("the credential {shown}"))
}

#[cfg(feature = "keyring")]
fn by_keyring(account: &str) -> Result<Secret> {
    let cannot = || format!("cannot read the password of \"{account}\" from the keyring");
    let hint = |error: Error| {
        error.hint(format!("secret-tool store --label=postkeep service postkeep username {account}"))
    };
    let read = || -> std::result::Result<String, keyring::Error> {
        keyring::Entry::new("postkeep", account)?.get_password()
    };
    let password = read().context(cannot).map_err(hint)?;
    first_line(password.into_bytes(), "the keyring")
}

#[cfg(not(feature = "keyring"))]
fn by_keyring(_: &str) -> Result<Secret> {
    Err(Error::other("this postkeep was built without the keyring").hint(
        "build it with --features keyring, or use password-command = \"secret-tool lookup service postkeep username NAME\"",
    ))
}

/// The first line, as those who keep passwords print them: what follows may be anything.
fn first_line(bytes: Vec<u8>, whence: &str) -> Result<Secret> {
    let bytes = Zeroizing::new(bytes);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|_| Error::other(format!("{whence} is not UTF-8")))?;
    if text.is_empty() {
        return Err(Error::other(format!("{whence} gives no secret: its first line is empty")));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::other(format!("{whence} gives control characters, which are no secret")));
    }
    Ok(Secret(Zeroizing::new(text.to_owned())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn by(command: &str) -> Result<Secret> {
        fetch(&SecretSource::Command(command.into()))
    }

    #[test]
    fn a_commands_first_line_is_the_secret() {
        for (command, secret) in [
            ("printf 'open sesame\\nuser: ann\\n'", Some("open sesame")),
            ("printf 'x\\r\\n'", Some("x")),
            ("printf ' a b '", Some(" a b ")),
            ("true", None),
            ("echo; echo late", None),
            ("printf '\\377'", None),
            ("printf 'a\\tb'", None),
            ("echo s3cret; exit 3", None),
            ("head -c 300000 /dev/zero | tr '\\0' x; echo", None),
        ] {
            let got = by(command);
            match secret {
                Some(secret) => assert_eq!(got.unwrap().expose(), secret, "{command}"),
                None if command.contains("/dev/zero") => assert_eq!(got.unwrap().expose().len(), 64 << 10),
                None => {
                    let error = got.unwrap_err();
                    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
                }
            }
        }
        let error = by("echo locked >&2; exit 1").unwrap_err();
        assert!(error.one_line().contains("locked"), "{error:?}");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "open sesame\n").unwrap();
        for (mode, sound) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let got = fetch(&SecretSource::File(path.clone()));
            assert_eq!(got.is_ok(), sound, "{mode:o}");
            if let Err(error) = got {
                assert!(error.hints()[0].contains("chmod 600"), "{error:?}");
            }
        }
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        assert!(fetch(&SecretSource::File(fifo)).is_err());
        assert!(fetch(&SecretSource::File(dir.path().join("none"))).is_err());
        assert!(fetch(&SecretSource::Env("POSTKEEP_NO_SUCH_VARIABLE".into())).is_err());
    }

    #[test]
    fn it_is_shown_nowhere() {
        let secret = by("echo 'open sesame'").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        let marks =
            [secret.fingerprint("a"), secret.fingerprint("b"), by("echo other").unwrap().fingerprint("a")];
        assert!(marks.iter().all(|mark| mark.len() == 4));
        assert!(marks[0] != marks[1] && marks[0] != marks[2]);
        assert_eq!(secret.clone().fingerprint("a"), marks[0]);
    }
}

//! New passwords of vaults: typed twice, or from where they are kept.

use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::ask::{Asker, Question};
use super::usage;
use crate::entry::show;
use crate::error::{Context as _, Result};
use crate::mail::secret;
use crate::profile::SecretSource;

/// The fewest characters of a password that is typed: whoever gets hold of the vault can guess at it for ever.
const SHORTEST: usize = 12;

/// Asks for a new password on the terminal, or through a pipe: twice.
///
/// # Errors
/// It was not typed, or not twice the same.
pub(super) fn ask_twice() -> Result<Zeroizing<String>> {
    typed("--new-password-file")
}

fn typed(flag: &'static str) -> Result<Zeroizing<String>> {
    let stdin = std::io::stdin();
    let patient = stdin.is_terminal();
    ask(&mut Asker::new(stdin.lock(), std::io::stderr().lock(), patient, false), flag)
}

fn ask(asker: &mut Asker<impl BufRead, impl Write>, flag: &'static str) -> Result<Zeroizing<String>> {
    let long = |text: &str| match text.chars().count() {
        n if n < SHORTEST => Err(usage(format!("the password has fewer than {SHORTEST} characters"))
            .hint("six random words make a good one, and can be written down")),
        _ => Ok(text.to_owned()),
    };
    let any = |text: &str| Ok(text.to_owned());
    let question = |text, check| Question { text, default: None, flag, given: None, hidden: true, check };
    for left in (0..asker.tries()).rev() {
        let first = Zeroizing::new(asker.ask(&question("The vault's new password:", &long))?);
        let again = Zeroizing::new(asker.ask(&question("The same again:", &any))?);
        if first == again {
            return Ok(first);
        }
        // Which of the two has the slip, nobody knows: both are typed anew.
        if left > 0 {
            asker.say("These are two different passwords. Once more, both:\n")?;
        }
    }
    Err(usage("the password was not typed twice the same"))
}

/// The password that a source has; where the source is a file that is not there yet, it is asked for and written.
/// Says whether that was done.
///
/// # Errors
/// It cannot be had.
pub(super) fn new_or_known(source: &SecretSource) -> Result<(Zeroizing<String>, bool)> {
    match source {
        SecretSource::File(path) if path.symlink_metadata().is_err() => {
            let password = typed("").map_err(|error| match error.hints() {
                [] => error.hint(format!(
                    "run this in a terminal; or write the password into {}, for you alone to read, and run it again",
                    show(path.as_os_str().as_encoded_bytes())
                )),
                _ => error,
            })?;
            write(path, &password)?;
            Ok((password, true))
        }
        source => Ok((Zeroizing::new(secret::fetch(source)?.expose().to_owned()), false)),
    }
}

/// Writes a file that only its owner can read. The file is complete, or there is an error.
fn write(path: &Path, password: &str) -> Result<()> {
    let cannot = || format!("cannot write the password to {}", show(path.as_os_str().as_encoded_bytes()));
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).context(cannot)?;
    }
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).context(cannot)?;
    let written = file.write_all(format!("{password}\n").as_bytes()).and_then(|()| file.sync_all());
    written.context(cannot).inspect_err(|_| {
        // Half a password is worse than none.
        let _ = std::fs::remove_file(path);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_typed_twice_and_is_long_enough() {
        for (typed, password) in [
            ("correct horse\ncorrect horse\n", Some("correct horse")),
            ("correct horse\ncorrect horses\n", None),
            ("short\nshort\n", None),
            ("correct horse\n", None),
            ("", None),
        ] {
            let mut shown = Vec::new();
            let found = ask(&mut Asker::new(typed.as_bytes(), &mut shown, false, false), "--flag");
            assert_eq!(found.as_ref().ok().map(|found| found.as_str()), password, "{typed:?}");
            let shown = String::from_utf8(shown).unwrap();
            assert!(!shown.contains("horse") && !shown.contains("short"), "{shown}");
        }
    }

    #[test]
    fn a_slip_in_the_first_of_two_can_be_mended() {
        let typed = "correct hrose\ncorrect horse\ncorrect horse\ncorrect horse\n";
        let mut shown = Vec::new();
        let found = ask(&mut Asker::new(typed.as_bytes(), &mut shown, true, false), "--flag").unwrap();
        assert_eq!(found.as_str(), "correct horse");
        assert!(String::from_utf8(shown).unwrap().contains("two different passwords"));
        let never = "correct horse\ncorrect horses\n".repeat(9);
        assert!(ask(&mut Asker::new(never.as_bytes(), &mut Vec::new(), true, false), "--flag").is_err());
    }

    #[test]
    fn it_is_written_for_its_owner_alone_and_never_over_something() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("new/secret");
        write(&path, "correct horse").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(write(&path, "other").is_err());
        let (password, written) = new_or_known(&SecretSource::File(path)).unwrap();
        assert_eq!((password.as_str(), written), ("correct horse", false));
    }
}

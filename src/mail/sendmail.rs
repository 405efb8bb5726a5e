//! The machine's own mail system: `sendmail`, as every one of them (Postfix, Exim, msmtp ...) provides it.

use std::process::Command;
use std::time::Duration;

use super::{Answer, Fault, Parcel};
use crate::child::{self, Trouble};
use crate::entry::show;
use crate::error::Error;
use crate::profile::Sendmail;

/// Exit codes of `sysexits.h` that say more than "it failed".
const EX_NOUSER: i32 = 67;
const EX_NOHOST: i32 = 68;
const EX_TEMPFAIL: i32 = 75;

/// Hands a letter over. The command answers for all recipients at once.
///
/// # Errors
/// It cannot be started, does not end in time, or fails with a code that says nothing about the letter.
pub fn send(account: &Sendmail, parcel: &Parcel<'_>, deadline: Duration) -> Result<Vec<Answer>, Fault> {
    let program = show(account.program.as_os_str().as_encoded_bytes());
    let mut command = Command::new(&account.program);
    // -i: a line with a dot alone is part of the letter.
    command.arg("-i").arg("-f").arg(parcel.sender).arg("--").args(parcel.recipients);
    let all = |answer: Answer| Ok(vec![answer; parcel.recipients.len()]);
    match child::run(command, line_feeds(parcel.mail), deadline) {
        Ok(ended) if ended.status.success() => all(Answer::Accepted),
        Ok(ended) => {
            let said = if ended.said.is_empty() { ended.status.to_string() } else { ended.said };
            match ended.status.code() {
                Some(EX_NOUSER | EX_NOHOST) => all(Answer::Refused(said)),
                Some(EX_TEMPFAIL) => all(Answer::Later(said)),
                _ => Err(Fault::down(
                    Error::other(format!("{program} failed ({})", ended.status))
                        .caused_by(said)
                        .hint("look into the mail system's own log, often /var/log/mail.log"),
                )),
            }
        }
        Err(Trouble::Start(cause)) => Err(Fault::down(
            Error::other(format!("cannot start {program}"))
                .caused_by(cause)
                .hint("is a mail system installed? msmtp-mta and postfix bring the command"),
        )),
        Err(Trouble::Deadline) => Err(Fault::down(Error::other(format!(
            "{program} did not end within {} seconds",
            deadline.as_secs()
        )))),
    }
}

/// A letter with the line ends of this system, as programs on it expect them.
fn line_feeds(mail: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(mail.len());
    for (at, byte) in mail.iter().enumerate() {
        if *byte != b'\r' || mail.get(at + 1) != Some(&b'\n') {
            lines.push(*byte);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::mail::FaultKind;

    #[test]
    fn its_exit_code_is_the_answer() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("sendmail");
        let to = ["ann@example.org".to_owned(), "-bob@example.org".to_owned()];
        let parcel =
            Parcel { sender: "me@example.org", recipients: &to, mail: b"Subject: x\r\n\r\n.\r\na\rb\r\n" };
        let run = |script: &str, deadline| {
            std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
            send(&Sendmail { program: program.clone() }, &parcel, deadline)
        };
        let minute = Duration::from_secs(60);
        let kept = dir.path().join("kept");
        let script = format!("printf '%s\\n' \"$@\" > {0}.args; cat > {0}", kept.display());
        assert_eq!(run(&script, minute).unwrap(), [Answer::Accepted, Answer::Accepted]);
        assert_eq!(std::fs::read(&kept).unwrap(), b"Subject: x\n\n.\na\rb\n");
        let args = std::fs::read_to_string(dir.path().join("kept.args")).unwrap();
        assert_eq!(args, "-i\n-f\nme@example.org\n--\nann@example.org\n-bob@example.org\n");

        let refused = run("echo 'no such user' >&2; exit 67", minute).unwrap();
        assert_eq!(refused[1], Answer::Refused("no such user".into()));
        assert!(matches!(&run("exit 75", minute).unwrap()[0], Answer::Later(_)));
        let fault = run("echo broken >&2; exit 1", minute).unwrap_err();
        assert!(fault.kind == FaultKind::Down && fault.error.one_line().contains("broken"));
        let fault = run("sleep 60 & sleep 60", Duration::from_millis(300)).unwrap_err();
        assert!(fault.error.one_line().contains("did not end"), "{:?}", fault.error);
        let none = Sendmail { program: dir.path().join("none") };
        assert!(send(&none, &parcel, minute).unwrap_err().error.hints()[0].contains("installed"));
    }
}

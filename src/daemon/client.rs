//! Talks to the agent of a state folder, if there is one.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::protocol::{Answer, Ask, LONGEST, Question, Status, VERSION};
use crate::error::{Error, Result};

/// The socket's name in the state folder.
pub(super) const NAME: &str = "agent.sock";

/// How long an agent may think.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest path that a socket's address holds, less some room.
const LONGEST_PATH: usize = 100;

/// Asks the agent of this state folder; None if none is there to be asked.
///
/// # Errors
/// An agent is there, but does not answer or refuses.
pub fn ask(state_dir: &Path, ask: Ask) -> Result<Option<Answer>> {
    let failed = |what: &str, cause: std::io::Error| {
        Error::other(format!("the agent {what}")).caused_by(cause).hint(
            "`postkeep agent logs` says what it does; `systemctl --user restart postkeep` starts it anew",
        )
    };
    let (_held, path) = match address(state_dir) {
        Ok(address) => address,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("cannot be found", error)),
    };
    let mut stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        // The socket of an agent that is gone.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(failed("cannot be asked", error)),
    };
    let unanswered = |cause| failed("does not answer", cause);
    stream.set_read_timeout(Some(PATIENCE)).map_err(unanswered)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(unanswered)?;
    let question = serde_json::to_string(&Question { protocol: VERSION, ask }).map_err(std::io::Error::other);
    let question = question.map_err(unanswered)? + "\n";
    stream.write_all(question.as_bytes()).map_err(unanswered)?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut line).map_err(unanswered)?;
    let answer = serde_json::from_str(&line).map_err(std::io::Error::other);
    match answer.map_err(|cause| failed("speaks another language: it is of another version", cause))? {
        Answer::Refused(reason) => Err(Error::other(reason)),
        answer => Ok(Some(answer)),
    }
}

/// How the agent of this state folder stands; None if there is none.
///
/// # Errors
/// As [`ask`].
pub fn status(state_dir: &Path) -> Result<Option<Status>> {
    Ok(match ask(state_dir, Ask::Status)? {
        Some(Answer::Status(status)) => Some(*status),
        _ => None,
    })
}

/// The socket's path, and what has to be held while it is used: a path that is too long for an address is reached
/// through the opened folder.
pub(super) fn address(state_dir: &Path) -> std::io::Result<(Option<File>, PathBuf)> {
    let path = state_dir.join(NAME);
    if path.as_os_str().len() <= LONGEST_PATH {
        return Ok((None, path));
    }
    let folder = File::open(state_dir)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()));
    Ok((Some(folder), path))
}

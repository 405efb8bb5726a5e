//! The agent's ear: a Unix socket in the state folder, for its owner only.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use super::client::address;
use super::event::Event;
use super::protocol::{Answer, LONGEST, Question, VERSION};
use crate::error::{Context, Result};

/// How long somebody may take to ask, and the loop to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many may ask at once.
const MOST: usize = 32;

/// The socket, which is removed at the end.
pub(super) struct Socket {
    path: PathBuf,
}

impl Socket {
    /// Listens from now on. Whoever holds the agent's lock may do so: what lies there is left by one that is gone.
    pub fn open(state_dir: &Path, events: Sender<Event>) -> Result<Self> {
        let path = state_dir.join(super::client::NAME);
        let failed = || format!("cannot listen at {}", path.display());
        let (_held, short) = address(state_dir).context(failed)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).context(failed),
            _ => {}
        }
        let listener = UnixListener::bind(&short).context(failed)?;
        // The folder is its owner's alone already.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).context(failed)?;
        let thread = std::thread::Builder::new().name("socket".into());
        thread.spawn(move || listen(&listener, &events)).context(failed)?;
        Ok(Self { path })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn listen(listener: &UnixListener, events: &Sender<Event>) {
    let busy = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Too many open files, for instance: not a reason to turn in circles.
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        if busy.fetch_add(1, Relaxed) >= MOST {
            busy.fetch_sub(1, Relaxed);
            continue;
        }
        let (events, busy) = (events.clone(), Arc::clone(&busy));
        let count = Arc::clone(&busy);
        let thread = std::thread::Builder::new().name("question".into()).spawn(move || {
            let _ = converse(stream, &events);
            busy.fetch_sub(1, Relaxed);
        });
        if thread.is_err() {
            count.fetch_sub(1, Relaxed);
        }
    }
}

fn converse(stream: UnixStream, events: &Sender<Event>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new((&stream).take(LONGEST)).read_line(&mut line)?;
    let answer = answer(&line, events);
    let text = serde_json::to_string(&answer)? + "\n";
    (&stream).write_all(text.as_bytes())
}

fn answer(line: &str, events: &Sender<Event>) -> Answer {
    let version = serde_json::from_str::<serde_json::Value>(line).ok();
    let version = version.as_ref().and_then(|value| value.get("protocol")?.as_u64());
    let question = match serde_json::from_str::<Question>(line) {
        Ok(question) if question.protocol == VERSION => question,
        _ => {
            return Answer::Refused(match version {
                Some(other) if other != u64::from(VERSION) => format!(
                    "the agent speaks version {VERSION} and not {other}: it is of another version of postkeep, \
                     and takes up the new one when nothing runs"
                ),
                _ => "the agent does not understand the question".into(),
            });
        }
    };
    let (reply, answers) = mpsc::channel();
    if events.send(Event::Asked(question.ask, reply)).is_err() {
        return Answer::Refused("the agent is about to end".into());
    }
    answers.recv_timeout(PATIENCE).unwrap_or_else(|_| Answer::Refused("the agent is busy".into()))
}

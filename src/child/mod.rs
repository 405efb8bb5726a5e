//! Commands of the user's, each in a process group of its own, with a deadline and bounded output.
//!
//! [`run`] is for a command that is asked for something, and hands back what it answered; [`watch()`] for one that works
//! on its own: each line of its output is told as it comes, and it can be stopped.

mod watch;

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

pub use self::watch::{Watch, watch};
use crate::entry::show;

/// How often a process is asked whether it has ended.
const TICK: Duration = Duration::from_millis(10);

/// The most bytes of either output that are kept.
const MOST: u64 = 64 << 10;

/// How a command ended.
pub struct Ended {
    /// As the kernel tells it.
    pub status: ExitStatus,
    /// What it answered.
    pub stdout: Vec<u8>,
    /// The end of what it said about itself, as one harmless line.
    pub said: String,
}

/// Why there is no end to tell of.
#[derive(Debug)]
pub enum Trouble {
    /// It could not be started.
    Start(std::io::Error),
    /// It was killed at the deadline.
    Deadline,
}

/// Runs `command` with `input` on its standard input, in a process group of its own, which is killed at the deadline.
///
/// # Errors
/// It could not be started, or was killed. How it ended is for the caller to judge.
pub fn run(mut command: Command, input: Vec<u8>, deadline: Duration) -> Result<Ended, Trouble> {
    let until = Instant::now() + deadline;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(Trouble::Start)?;
    // Each pipe has a thread: a full one must not hold the others up. They are left alone at the deadline, and end
    // when the last process that holds the pipe does.
    if let Some(mut pipe) = child.stdin.take() {
        // That a command does not read all is its own affair: how it ends says whether it matters.
        std::thread::spawn(move || drop(pipe.write_all(&input)));
    }
    let stdout = reader(child.stdout.take());
    let stderr = reader(child.stderr.take());
    let Some(status) = wait(&mut child, until) else {
        signal(&child, Signal::KILL);
        let _ = child.wait();
        return Err(Trouble::Deadline);
    };
    // A process that it left behind may hold the pipes open; what was said until now is enough.
    let grace = (until - Instant::now().min(until)).min(Duration::from_secs(2));
    let read = |pipe: &mpsc::Receiver<Vec<u8>>| pipe.recv_timeout(grace).unwrap_or_default();
    let (stdout, stderr) = (read(&stdout), read(&stderr));
    let tail = stderr.trim_ascii();
    let said = show(&tail[tail.len().saturating_sub(300)..]);
    Ok(Ended { status, stdout, said })
}

/// Signals the group of a process that was not waited for: until then its number is nobody else's.
fn signal(child: &Child, signal: Signal) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, signal);
    }
}

fn wait(child: &mut Child, until: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            _ if Instant::now() >= until => return None,
            _ => std::thread::sleep(TICK),
        }
    }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (to, from) = mpsc::channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(MOST).read_to_end(&mut kept);
            let _ = to.send(kept);
            // The rest is read away, so that a talkative command is not held up.
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
    });
    from
}

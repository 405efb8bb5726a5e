//! A command that works on its own: its output is told as it comes, and it can be stopped.

use std::io::{self, PipeReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};

use super::{TICK, signal};

/// How long a command that has ended may leave its output open without a word: what it started may hold it for ever.
const SILENCE: Duration = Duration::from_millis(500);

/// The longest that is listened to such output.
const GRACE: Duration = Duration::from_secs(2);

/// What is asked of somebody who watches a command.
pub struct Watch<'a> {
    /// Takes its output as it comes, both streams in the order in which they were written, in pieces of any size.
    pub output: &'a mut dyn FnMut(&[u8]),
    /// Whether it has to end now; asked often.
    pub is_over: &'a dyn Fn() -> bool,
    /// How long it may take to end when it is asked to, before it is killed.
    pub mercy: Duration,
}

/// Runs a command with nothing on its standard input, in a process group of its own. None: it had to end, and was
/// stopped with everything in its group.
///
/// # Errors
/// It could not be started.
pub fn watch(mut command: Command, watch: &mut Watch<'_>) -> io::Result<Option<ExitStatus>> {
    // One pipe for both: two would lose the order.
    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let mut child = command.spawn()?;
    // It holds our ends of the pipe for writing.
    drop(command);
    let output = read(reader);
    let ended = loop {
        let open = hear(&output, watch);
        if has_ended(&child) {
            break true;
        }
        if (watch.is_over)() {
            break false;
        }
        if !open {
            std::thread::sleep(TICK);
        }
    };
    if ended {
        hear_the_rest(&output, watch);
        return child.wait().map(Some);
    }
    stop(&child, &output, watch);
    child.wait()?;
    Ok(None)
}

/// Asks the group to end, and kills what is left of it after a time.
fn stop(child: &Child, output: &Receiver<Vec<u8>>, watch: &mut Watch<'_>) {
    signal(child, Signal::TERM);
    let until = Instant::now() + watch.mercy;
    // The first process may be gone at once while others of the group still tidy up: they hold the output.
    while Instant::now() < until {
        let open = hear(output, watch);
        if !open && has_ended(child) {
            break;
        }
        if !open {
            std::thread::sleep(TICK);
        }
    }
    signal(child, Signal::KILL);
}

/// Passes on what comes within a tick, and tells whether more can come.
fn hear(output: &Receiver<Vec<u8>>, watch: &mut Watch<'_>) -> bool {
    match output.recv_timeout(TICK) {
        Ok(piece) => (watch.output)(&piece),
        Err(RecvTimeoutError::Timeout) => {}
        Err(RecvTimeoutError::Disconnected) => return false,
    }
    true
}

fn hear_the_rest(output: &Receiver<Vec<u8>>, watch: &mut Watch<'_>) {
    let until = Instant::now() + GRACE;
    while Instant::now() < until
        && let Ok(piece) = output.recv_timeout(SILENCE)
    {
        (watch.output)(&piece);
    }
}

/// Whether the process has ended; it stays there to be waited for, so that its group keeps its number.
fn has_ended(child: &Child) -> bool {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return true };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(pid), options), Ok(None))
}

/// Reads until the last process that holds the pipe ends, whether somebody still listens or not: what a command left
/// behind must not be held up, nor end for want of a reader.
fn read(mut pipe: PipeReader) -> Receiver<Vec<u8>> {
    // A few pieces wait at most: a command that talks faster than we log is held up.
    let (to, from) = mpsc::sync_channel(4);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 << 10];
        let mut listened = true;
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => return,
                Ok(size) => listened = listened && to.send(buffer[..size].to_vec()).is_ok(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str, patience: Duration, mercy: Duration) -> (io::Result<Option<ExitStatus>>, String) {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(line);
        let mut said = Vec::new();
        let until = Instant::now() + patience;
        let result = watch(
            command,
            &mut Watch {
                output: &mut |piece| said.extend_from_slice(piece),
                is_over: &|| Instant::now() >= until,
                mercy,
            },
        );
        (result, String::from_utf8(said).unwrap())
    }

    const MINUTE: Duration = Duration::from_secs(60);
    const MOMENT: Duration = Duration::from_millis(300);

    #[test]
    fn both_streams_are_heard_in_order_and_nothing_comes_in() {
        let (ended, said) = run("echo one; echo two >&2; cat; echo three; exit 3", MINUTE, MINUTE);
        assert_eq!((ended.unwrap().unwrap().code(), said.as_str()), (Some(3), "one\ntwo\nthree\n"));
        let (ended, said) = run("head -c 3000000 /dev/zero | tr '\\0' x", MINUTE, MINUTE);
        assert!(ended.unwrap().unwrap().success() && said.len() == 3_000_000, "{}", said.len());
    }

    #[test]
    fn what_a_command_leaves_behind_is_not_waited_for() {
        let started = Instant::now();
        let (ended, said) = run("sleep 30 & echo done", MINUTE, MINUTE);
        assert!(ended.unwrap().unwrap().success() && said == "done\n", "{said}");
        assert!(started.elapsed() < MINUTE / 4, "{:?}", started.elapsed());
    }

    #[test]
    fn one_that_has_to_end_may_tidy_up_for_a_while() {
        let tidy = "trap 'sleep 0.2; echo tidy; exit' TERM; echo at work; while :; do sleep 0.05; done";
        let (ended, said) = run(tidy, MOMENT, MINUTE);
        assert!(ended.unwrap().is_none());
        // A shell may have a word about the child that it waited for.
        assert!(said.starts_with("at work\n") && said.ends_with("tidy\n"), "{said}");
        let started = Instant::now();
        let stubborn = "trap '' TERM; (sleep 30); echo late";
        let (ended, said) = run(stubborn, MOMENT, MOMENT);
        assert!(ended.unwrap().is_none() && said.is_empty(), "{said}");
        assert!(started.elapsed() < MINUTE / 4, "{:?}", started.elapsed());
    }

    #[test]
    fn a_group_is_stopped_with_all_that_is_in_it() {
        let (_, said) = run("sleep 1234.5 & echo $!; wait", MOMENT, MOMENT);
        // It is gone soon, or a zombie that whoever adopted it has not yet waited for.
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", said.trim()));
        let is_gone = || stat().map_or(true, |stat| stat.contains(") Z "));
        let until = Instant::now() + MINUTE / 4;
        while !is_gone() && Instant::now() < until {
            std::thread::sleep(TICK);
        }
        assert!(is_gone(), "{:?}", stat());
    }
}

//! The user's commands around a run: which of them go, in what order, and what one that fails makes of the run.
//!
//! `run-before` belongs to the work: if one fails, there is none. `run-after` follows a success, `run-failed` everything
//! else, `run-finally` both. What fails after the work makes no failure of a success, and nothing better of a failure.

mod environment;
mod output;

use std::cell::Cell;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use self::output::Output;
use crate::child::{self, Watch};
use crate::journal::{Journal, Op};
use crate::profile::Profile;
use crate::progress::{Meter, Reason};
use crate::run::{Failure, MAX_FAILURES, Message, Outcome, Severity, Status};
use crate::state::Begun;

/// The longest that a command may take.
const HOOK: Duration = Duration::from_secs(3600);

/// How long a command may take to end when its run is stopped.
const MERCY: Duration = Duration::from_secs(3);

/// The same for one that tidies up after a run: its time is counted already.
const LAST_MERCY: Duration = Duration::from_secs(1);

/// The time that the commands after a run that was stopped have in all, `run-failed` the first part of it: while somebody
/// waits for the end, and when only the run's own time is over. With [`MERCY`] the first stays below the ten seconds
/// after which a machine that shuts down kills what is left.
const AWAITED: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(5)];
const LATE: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(60)];

/// When a command goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
    Failed,
    Finally,
}

impl When {
    /// Its key in a profile.
    fn key(self) -> &'static str {
        match self {
            Self::Before => "run-before",
            Self::After => "run-after",
            Self::Failed => "run-failed",
            Self::Finally => "run-finally",
        }
    }

    /// Whether it goes although the run is to stop.
    fn goes_anyway(self) -> bool {
        matches!(self, Self::Failed | Self::Finally)
    }
}

/// A command that failed.
struct Broken {
    when: When,
    command: String,
    /// `exit status 3: no such disk`.
    cause: String,
    /// What it said last.
    words: String,
    /// Whether it was only stopped with the run.
    stopped: bool,
}

impl Broken {
    fn message(&self) -> String {
        format!("{} failed: {}", self.when.key(), self.cause)
    }

    fn hint(&self) -> String {
        format!("look at the command of {}: {}", self.when.key(), self.command)
    }
}

/// The commands around one run.
pub(super) struct Around<'a> {
    profile: &'a Profile,
    begun: &'a Begun,
    meter: &'a Meter,
    journal: &'a dyn Journal,
    /// The command that counts as what went wrong.
    broken: Option<Broken>,
    /// When the commands that go anyway first found that somebody waits, and that the run's time is over.
    awaited: Cell<Option<Instant>>,
    late: Cell<Option<Instant>>,
}

impl<'a> Around<'a> {
    pub(super) fn new(
        profile: &'a Profile,
        begun: &'a Begun,
        meter: &'a Meter,
        journal: &'a dyn Journal,
    ) -> Self {
        let (awaited, late) = (Cell::new(None), Cell::new(None));
        Self { profile, begun, meter, journal, broken: None, awaited, late }
    }

    /// Runs the commands before the work. The outcome, if there must be no work.
    pub(super) fn before(&mut self) -> Option<Outcome> {
        for command in &self.profile.hooks.before {
            let Err(broken) = self.run(When::Before, command, None) else { continue };
            let outcome = if broken.stopped {
                let note = format!("run-before was stopped at: {command}");
                Outcome { notes: vec![note], ..Outcome::new(Status::Cancelled) }
            } else {
                let error = Message { text: broken.message(), hints: vec![broken.hint()] };
                self.broken = Some(broken);
                Outcome { error: Some(error), ..Outcome::new(Status::Failed) }
            };
            return Some(outcome);
        }
        None
    }

    /// Runs the commands after the work, which ended so.
    pub(super) fn after(&mut self, outcome: &mut Outcome) {
        let hooks = &self.profile.hooks;
        if outcome.status.is_success() {
            self.list(When::After, &hooks.after, outcome);
        } else {
            self.list(When::Failed, &hooks.failed, outcome);
        }
        self.list(When::Finally, &hooks.finally, outcome);
    }

    fn list(&mut self, when: When, commands: &[String], outcome: &mut Outcome) {
        for command in commands {
            let Err(broken) = self.run(when, command, Some(outcome)) else { continue };
            warn(outcome, &broken);
            if when == When::After {
                self.broken = Some(broken);
            }
            // The last ones put things in order, each on its own; the others build on each other.
            if when != When::Finally {
                return;
            }
        }
    }

    fn run(&self, when: When, line: &str, outcome: Option<&Outcome>) -> Result<(), Broken> {
        let mut output = Output::new(self.journal, when.key());
        let started = Instant::now();
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(line);
        self.environment(&mut command, outcome);
        // One that is not to go any more is not even started.
        let ended = if self.is_over(when, started) {
            Ok(None)
        } else {
            output.note(Op::Hook, &format!("$ {}", crate::entry::show(line.trim().as_bytes())));
            let mercy = if when.goes_anyway() { LAST_MERCY } else { MERCY };
            let is_over = || self.is_over(when, started);
            child::watch(
                command,
                &mut Watch { output: &mut |piece| output.take(piece), is_over: &is_over, mercy },
            )
        };
        let words = output.finish();
        let why = match ended {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => how(status),
            Ok(None) => self.why_over(started),
            Err(ref error) => format!("it cannot be started: {error}"),
        };
        let stopped = matches!(ended, Ok(None)) && !when.goes_anyway() && self.meter.is_cancelled();
        let op = if when == When::Before { Op::Failed } else { Op::Warning };
        let cause = if words.is_empty() { why } else { format!("{why}: {words}") };
        output.note(op, &cause);
        Err(Broken { when, command: line.trim().to_owned(), cause, words, stopped })
    }

    /// Whether a command that was started then has to end.
    fn is_over(&self, when: When, started: Instant) -> bool {
        let now = Instant::now();
        if now >= started + HOOK {
            return true;
        }
        if !when.goes_anyway() {
            return self.meter.is_cancelled();
        }
        let share = usize::from(when == When::Finally);
        let (since, time) = if self.meter.is_awaited() {
            (&self.awaited, AWAITED[share])
        } else if self.meter.is_cancelled() {
            (&self.late, LATE[share])
        } else {
            return false;
        };
        let begin = since.get().unwrap_or(now);
        since.set(Some(begin));
        now + LAST_MERCY >= begin + time
    }

    fn why_over(&self, started: Instant) -> String {
        match self.meter.reason() {
            _ if started.elapsed() >= HOOK => "it did not end within an hour".into(),
            Some(Reason::Person) => "it was stopped by hand".into(),
            Some(Reason::Shutdown) => "it was stopped with the agent".into(),
            Some(Reason::Timeout) => "it was stopped when the run's timeout had passed".into(),
            None => "it was stopped".into(),
        }
    }
}

/// How a command ended that did not end well.
fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// Adds a warning: first among them, so that it is told by name however many there are.
fn warn(outcome: &mut Outcome, broken: &Broken) {
    let failure = Failure {
        severity: Severity::Warning,
        path: format!("({})", broken.when.key()),
        cause: format!("the command failed: {}", broken.cause),
        hint: Some(broken.hint()),
        known: false,
    };
    let errors = outcome.failures.iter().take_while(|failure| failure.severity == Severity::Error).count();
    outcome.failures.insert(errors, failure);
    outcome.failures.truncate(MAX_FAILURES);
    outcome.warnings += 1;
    if outcome.status.is_success() {
        outcome.status = Status::Warning;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_makes_nothing_better() {
        let broken = Broken {
            when: When::After,
            command: "touch /x".into(),
            cause: "exit status 3: no".into(),
            words: "no".into(),
            stopped: false,
        };
        for (before, after) in [
            (Status::Ok, Status::Warning),
            (Status::Unchanged, Status::Warning),
            (Status::Warning, Status::Warning),
            (Status::Failed, Status::Failed),
            (Status::Stopped, Status::Stopped),
            (Status::Cancelled, Status::Cancelled),
        ] {
            let mut outcome = Outcome::new(before);
            let failure = |severity, path: &str| Failure {
                severity,
                path: path.into(),
                cause: "c".into(),
                hint: None,
                known: false,
            };
            outcome.failures = vec![failure(Severity::Error, "e"), failure(Severity::Warning, "w")];
            (outcome.errors, outcome.warnings) = (1, 1);
            warn(&mut outcome, &broken);
            let paths: Vec<_> = outcome.failures.iter().map(|failure| failure.path.as_str()).collect();
            assert_eq!((paths.as_slice(), outcome.warnings), (&["e", "(run-after)", "w"][..], 2));
            assert_eq!(outcome.failures[1].cause, "the command failed: exit status 3: no");
            assert_eq!(
                outcome.failures[1].hint.as_deref(),
                Some("look at the command of run-after: touch /x")
            );
            assert_eq!(outcome.status, after);
        }
    }

    #[test]
    fn a_stop_stays_below_ten_seconds() {
        let all = MERCY + AWAITED[1];
        assert!(all < Duration::from_secs(10) && AWAITED[0] > LAST_MERCY && LATE[0] > LAST_MERCY);
    }
}

//! What the commands around a run are told, in the words that users of resticprofile know.

use std::ffi::OsString;
use std::process::Command;

use super::{Around, When};
use crate::figures::of;
use crate::run::{Outcome, Status};

/// Only there after a failure.
const OF_FAILURES: [&str; 5] =
    ["ERROR", "ERROR_MESSAGE", "ERROR_EXIT_CODE", "ERROR_COMMANDLINE", "ERROR_STDERR"];

/// Only there after the work.
const STATUS: &str = "POSTKEEP_STATUS";

/// The most bytes of a message: the kernel takes no endless environment.
const MOST: usize = 4 << 10;

impl Around<'_> {
    /// Tells a command about the run, and after the work how it ended.
    pub(super) fn environment(&self, command: &mut Command, outcome: Option<&Outcome>) {
        // postkeep itself may be run by such a command.
        for name in OF_FAILURES.into_iter().chain([STATUS]) {
            command.env_remove(name);
        }
        let job = &self.profile.job;
        let sources = job.sources().into_iter().map(|source| source.as_os_str().to_owned());
        command
            .env("PROFILE_NAME", &self.profile.name)
            .env("PROFILE_COMMAND", "run")
            .env("POSTKEEP_RUN", self.begun.id.to_string())
            .env("POSTKEEP_TRIGGER", self.begun.trigger.word())
            .env("POSTKEEP_SOURCE", lines(sources))
            .env("POSTKEEP_TARGET", lines(job.targets()));
        let Some(outcome) = outcome else { return };
        command.env(STATUS, outcome.status.word());
        if outcome.status.is_success() && self.broken.is_none() {
            return;
        }
        let message = match &self.broken {
            Some(broken) if broken.when == When::After => broken.message(),
            _ => message(outcome),
        };
        let message = clipped(&message);
        let line = match &self.broken {
            Some(broken) => broken.command.clone(),
            None => format!("postkeep run {}", self.profile.name),
        };
        command
            .env("ERROR", message)
            .env("ERROR_MESSAGE", message)
            .env("ERROR_EXIT_CODE", outcome.status.exit_code().to_string())
            .env("ERROR_COMMANDLINE", line);
        if let Some(broken) = self.broken.as_ref().filter(|broken| !broken.words.is_empty()) {
            command.env("ERROR_STDERR", &broken.words);
        }
    }
}

/// One to a line: what else parts words may be in a path.
fn lines(words: impl IntoIterator<Item = OsString>) -> OsString {
    let mut lines = OsString::new();
    for (index, word) in words.into_iter().enumerate() {
        lines.push(if index > 0 { "\n" } else { "" });
        lines.push(word);
    }
    lines
}

/// What went wrong, in a sentence.
fn message(outcome: &Outcome) -> String {
    if let Some(error) = &outcome.error {
        return error.text.clone();
    }
    if let Some(stop) = &outcome.stop {
        return stop.reason.clone();
    }
    match outcome.status {
        Status::Cancelled => "it was stopped by hand".into(),
        _ if outcome.errors > 0 => {
            format!("{} {}", of(outcome.errors, "entry was", "entries were"), outcome.undone())
        }
        status => format!("the run ended with the status {}", status.word()),
    }
}

/// As much of a text as an environment takes: no NUL is in it, and it is not too long.
fn clipped(text: &str) -> &str {
    let text = text.split('\0').next().unwrap_or_default();
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= MOST).last();
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Message, Stop};

    #[test]
    fn several_folders_stand_on_lines_of_their_own() {
        for (words, expected) in
            [(vec![], ""), (vec!["/a b"], "/a b"), (vec!["/a", "imap:m/V"], "/a\nimap:m/V")]
        {
            assert_eq!(lines(words.into_iter().map(OsString::from)), expected);
        }
    }

    #[test]
    fn every_failure_has_a_message() {
        let error = Message { text: "the disk is gone".into(), hints: vec![] };
        let stop = Stop { reason: "would delete all".into(), hint: String::new(), token: None };
        let cases = [
            (Outcome { error: Some(error), errors: 3, ..Outcome::new(Status::Failed) }, "the disk is gone"),
            (Outcome { stop: Some(stop), ..Outcome::new(Status::Stopped) }, "would delete all"),
            (Outcome { errors: 1, ..Outcome::new(Status::Failed) }, "1 entry was not synced"),
            (Outcome::new(Status::Cancelled), "it was stopped by hand"),
            (Outcome::new(Status::Failed), "the run ended with the status failed"),
        ];
        for (outcome, expected) in cases {
            assert_eq!(message(&outcome), expected);
        }
        assert_eq!(clipped("a\0b"), "a");
        assert_eq!(clipped(&"ü".repeat(MOST)).len(), MOST);
    }
}
